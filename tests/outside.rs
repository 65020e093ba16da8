//! Services outside the process: their answers leave as the scene's timing says, what is taken back stops, and a run with them
//! is repeated from its log although nobody answers twice alike.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Parser as _;
use mynah::args::Cli;
use mynah_engine::Registry;
use mynah_engine::scene::parse_config;
use mynah_engine::service::{Call, Service, ServiceKind, ServiceSite, ServiceWaker};
use mynah_files::failure::Exit;
use mynah_sim::scenes;
use mynah_systems::service::{AnswerWriter, Modelled, OutsideAnswer, Production, Work};
use serde::Deserialize;

/// Calls that were asked of anybody outside.
static ASKED: AtomicU64 = AtomicU64::new(0);

/// Answers from a thread of its own, in words or in noise, never twice alike.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Oracle {
    speaks: bool,
}

struct Asked {
    speaks: bool,
    waker: ServiceWaker,
}

/// Some number that the next run does not have.
fn whim() -> u64 {
    ASKED.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

fn answer(writer: &AnswerWriter, speaks: bool) {
    let mut at = whim();
    for _ in 0..12 {
        if !writer.is_wanted() {
            return;
        }
        at = at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        if speaks {
            let tone = |i: u64| ((i * (at >> 56)) as f32 * 0.01).sin() * 0.3;
            writer.audio(&(0..1_600).map(tone).collect::<Vec<_>>());
        } else {
            writer.text(format!("word{} ", at >> 52));
        }
    }
    if at >> 60 == 3 { writer.fail("out of sorts") } else { writer.done() }
}

impl Production for Asked {
    fn work(&self, _: &Call) -> Work {
        let (writer, answered) = OutsideAnswer::begin(16_000, &self.waker);
        let speaks = self.speaks;
        std::thread::spawn(move || answer(&writer, speaks));
        Work::Outside(answered)
    }
}

impl ServiceKind for Oracle {
    fn start(&self, site: ServiceSite<'_>) -> Box<dyn Service> {
        let (speaks, waker) = (self.speaks, site.waker.clone());
        Box::new(Modelled::new(site, Box::new(Asked { speaks, waker })))
    }
    fn modelled(&self) -> bool {
        false
    }
    fn keeps_timing(&self) -> bool {
        true
    }
    fn is_outside(&self) -> bool {
        true
    }
    fn kind(&self) -> &'static str {
        "Oracle"
    }
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("outside").join(name);
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).expect("the target folder can be written");
    folder
}

fn mynah(words: &[&str]) -> Exit {
    let cli = Cli::try_parse_from([&["mynah"], words].concat()).unwrap_or_else(|error| panic!("{error}"));
    mynah::commands::run(&cli.into_command()).unwrap_or_else(|failure| panic!("{words:?}: {failure}"))
}

#[test]
fn a_run_is_repeated_from_its_log_and_nobody_outside_is_asked() {
    let mut own = Registry::new();
    own.add_service("Oracle", |config| Ok(Arc::new(parse_config::<Oracle>(config)?)));
    scenes::add_own(own).expect("it is a name of its own");
    let folder = folder("replay");
    let log = |name: &str| folder.join(name).to_str().expect("it is text").to_owned();
    let (one, two) = (log("one.jsonl"), log("two.jsonl"));
    for file in [&one, &two] {
        let run = "simulate barge_in --sessions 6 --duration 25s --seed 3 --set services.reply.output=Oracle(speaks:false) \
                   --set services.tts.output=Oracle(speaks:true) --json --events";
        let _whatever_its_limits_say =
            mynah(&[&run.split_whitespace().collect::<Vec<_>>()[..], &[file]].concat());
    }
    let [first, second] = [&one, &two].map(|file| fs::read_to_string(file).expect("the log was written"));
    assert_ne!(first, second, "nobody answers twice alike");
    for said in ["outside_answer", "service_cancelled", "\"audio\":", "\"text\":", "out of sorts"] {
        assert!(first.contains(said), "no {said} in the log: the run asks too little");
    }
    let asked = ASKED.load(Ordering::Relaxed);
    for (file, threads) in [(&one, "1"), (&two, "2")] {
        assert_eq!(mynah(&["replay", file, "--threads", threads, "--shards", threads]), Exit::Done, "{file}");
    }
    assert_eq!(ASKED.load(Ordering::Relaxed), asked, "a replay asks nobody");
    // Without its answers the run is another one, and says where.
    let without: String = first
        .lines()
        .filter(|line| !line.contains("outside_answer"))
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(&one, without).expect("it is ours");
    assert_eq!(mynah(&["replay", &one]), Exit::Refused);
}
