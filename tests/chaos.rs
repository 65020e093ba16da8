//! Scenes under everything that goes wrong: whatever is drawn, all invariants hold, and everything drains.
//!
//! `chaos_seeds.txt` has seeds that once failed; beside them a few run for each scene that has most in it. More by hand:
//! `mynah simulate SCENE --faults chaos --seeds A..B` (docs/faults.md).

use std::process::Command;

use mynah_engine::scene::Source;
use mynah_proof::faults::report::ChaosReport;
use mynah_proof::faults::site::{ROWS, Site, Unit};
use mynah_proof::faults::spec::{FaultSpec, PRESETS, SiteSpec};
use mynah_proof::faults::{Chaos, ChaosOptions};
use mynah_sim::simulate::Observer;

const SESSIONS: u32 = 8;
const DURATION_US: u64 = 20_000_000;
/// Seeds of each scene.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=5;
/// Seeds that once failed: scene, seed, sessions x seconds if they are others than here, and what was wrong.
const PAST: &str = include_str!("chaos_seeds.txt");

struct Nobody;

impl Observer for Nobody {}

fn options(scene: &str, spec: FaultSpec) -> ChaosOptions {
    ChaosOptions {
        texts: None,
        scene: scene.into(),
        sets: Vec::new(),
        sessions: SESSIONS,
        duration_us: DURATION_US,
        threads: 1,
        shards: None,
        spec,
    }
}

fn chaos() -> FaultSpec {
    FaultSpec::preset("chaos").expect("it is a preset")
}

fn run(chaos: &mut Chaos, seed: u64) -> ChaosReport {
    chaos.prepare(seed).unwrap_or_else(|failure| panic!("{failure}")).run(&mut Nobody)
}

fn all_hold(scene: &str, seeds: impl Iterator<Item = u64>) {
    all_hold_with(options(scene, chaos()), seeds);
}

fn all_hold_with(options: ChaosOptions, seeds: impl Iterator<Item = u64>) {
    let mut runs = Chaos::new(options);
    let mut failed = Vec::new();
    for seed in seeds {
        let report = run(&mut runs, seed);
        if report.verdict != "ok" {
            failed.push(format!("{}\n    {}", report.replay, report.violations.join("\n    ")));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn an_assistant_holds_under_chaos() {
    all_hold("voice_assistant", SEEDS);
}

#[test]
fn batches_hold_under_chaos() {
    all_hold("batched_tts", SEEDS);
}

#[test]
fn interruptions_hold_under_chaos() {
    all_hold("barge_in", SEEDS);
}

#[test]
fn everything_at_once_holds_under_chaos() {
    all_hold("full", SEEDS);
}

#[test]
fn two_engines_hold_under_chaos() {
    all_hold("remote_consumer", SEEDS);
}

/// Sites that came after the first seeds of the file; there a line that names them says from where on they are drawn.
const YOUNG: [Site; 3] = [Site::OpenInTick, Site::HostileText, Site::Numbers];
/// Those that came after these.
const YOUNGER: [Site; 8] = [
    Site::Say,
    Site::Typed,
    Site::GateMode,
    Site::Interrupt,
    Site::Params,
    Site::Heard,
    Site::Split,
    Site::StopReading,
];
/// And after those.
const YOUNGEST: [Site; 2] = [Site::NodePanics, Site::ServicePanics];

/// Chaos without these sites.
fn chaos_without(young: &[Site]) -> FaultSpec {
    let mut spec = chaos();
    spec.sites.retain(|site, _| !young.contains(site));
    spec
}

#[test]
fn seeds_that_once_failed_hold() {
    let from = |names: &str| PAST.find(names).expect("the file says so");
    let young = from("## open_in_tick, hostile_text, numbers");
    let younger = from("## say, typed, gate_mode, interrupt, params, heard, split, stop_reading");
    let youngest = from("## node_panics");
    let oldest = chaos_without(&[&YOUNG[..], &YOUNGER, &YOUNGEST].concat());
    let before = chaos_without(&[&YOUNGER[..], &YOUNGEST].concat());
    let late = chaos_without(&YOUNGEST);
    let lines = PAST.split_inclusive('\n').scan(0, |at, line| {
        let from = *at;
        *at += line.len();
        Some((from, line.trim()))
    });
    for (from, line) in lines.filter(|(_, line)| !line.starts_with('#') && !line.is_empty()) {
        let spec = match from {
            _ if from < young => &oldest,
            _ if from < younger => &before,
            _ if from < youngest => &late,
            _ => &chaos(),
        };
        let mut words = line.split_whitespace();
        let (Some(scene), Some(Ok(seed)), Some(third)) =
            (words.next(), words.next().map(str::parse), words.next())
        else {
            panic!("chaos_seeds.txt: `{line}`: expected scene, seed and what was wrong");
        };
        let scene = match scene.strip_suffix(".ron") {
            Some(_) => format!("{}/../../{scene}", env!("CARGO_MANIFEST_DIR")),
            None => scene.to_owned(),
        };
        let mut options = options(&scene, spec.clone());
        if let Some((sessions, seconds)) = size(third) {
            (options.sessions, options.duration_us) = (sessions, seconds * 1_000_000);
        }
        all_hold_with(options, std::iter::once(seed));
    }
}

/// Sessions and seconds of `4x60s`.
fn size(word: &str) -> Option<(u32, u64)> {
    let (sessions, seconds) = word.strip_suffix('s')?.split_once('x')?;
    Some((sessions.parse().ok()?, seconds.parse().ok()?))
}

#[test]
fn a_seed_is_the_same_run_on_any_threads_and_shards() {
    let mut young = FaultSpec::none();
    let all = YOUNG.iter().chain(&YOUNGER).chain(&YOUNGEST);
    young.sites = all.map(|site| (*site, SiteSpec { on: Some(1.0), ..SiteSpec::default() })).collect();
    for (scene, spec) in [
        ("voice_assistant", chaos()),
        ("remote_consumer", chaos()),
        ("full", young.clone()),
        ("barge_in", young),
    ] {
        let hash = |seed, threads, shards| {
            let short =
                ChaosOptions { threads, shards, duration_us: 9_000_000, ..options(scene, spec.clone()) };
            let report = run(&mut Chaos::new(short), seed);
            (report.event_hash, report.ticks, report.sites.iter().map(|site| site.struck).collect::<Vec<_>>())
        };
        let one = hash(7, 1, None);
        assert_eq!(one, hash(7, 2, Some(1)), "{scene}");
        assert_eq!(one, hash(7, 8, Some(3)), "{scene}");
        assert_ne!(one.0, hash(8, 1, None).0, "{scene}: another seed is another run");
    }
}

/// As strong as `chaos` ever draws it.
fn strong(site: Site) -> FaultSpec {
    let row = site.row();
    let mut said = SiteSpec { on: Some(1.0), ..SiteSpec::default() };
    said.ratio = row.ratio.map(|(_, high)| (high, high));
    if let Some(amount) = row.amount {
        let most = Some((amount.drawn.1, amount.drawn.1));
        match amount.unit {
            Unit::Ms => said.ms = most,
            Unit::Ppm => said.ppm = most,
            Unit::Factor => said.factor = most,
            Unit::Frames => said.frames = most,
            Unit::Packets => said.packets = most,
            Unit::Characters => said.characters = most,
        }
    }
    let mut spec = FaultSpec::only(site);
    spec.sites.insert(site, said);
    spec
}

/// What an engine refuses or understands changes nothing, 200 ppm are two milliseconds in ten seconds, and what was heard
/// of an answer matters to its host alone.
const UNNOTICED: [Site; 5] = [Site::Malformed, Site::Oversized, Site::Stamps, Site::ClockSkew, Site::Heard];

#[test]
fn every_site_alone_strikes_changes_the_run_and_breaks_nothing() {
    let short = ChaosOptions {
        duration_us: 12_000_000,
        sessions: 4,
        ..options("voice_assistant", FaultSpec::none())
    };
    let mut runs = Chaos::new(short);
    let calm = run(&mut runs, 5);
    assert!(calm.sites.is_empty() && calm.verdict == "ok", "{:?}", calm.violations);
    let mut wrong = Vec::new();
    for row in ROWS {
        runs.change(strong(row.site));
        let report = run(&mut runs, 5);
        let [site] = report.sites.as_slice() else { panic!("{}: {:?}", row.name, report.sites) };
        if site.struck == 0 {
            wrong.push(format!("{} never strikes", row.name));
        }
        if report.event_hash == calm.event_hash && !UNNOTICED.contains(&row.site) {
            wrong.push(format!("{} struck {} times, and nothing is different", row.name, site.struck));
        }
        wrong.extend(report.violations.iter().map(|violation| format!("{}: {violation}", row.name)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The scenes in which something speaks.
const SPEAKING: [&str; 8] = [
    "voice_assistant",
    "voice_assistant_cloud",
    "assistant",
    "batched_tts",
    "barge_in",
    "deadlines",
    "overflow",
    "full",
];

#[test]
fn what_hosts_want_breaks_nothing_in_any_scene_that_speaks() {
    let mut wrong = Vec::new();
    for scene in SPEAKING {
        let short = ChaosOptions { duration_us: 9_000_000, sessions: 3, ..options(scene, FaultSpec::none()) };
        let mut runs = Chaos::new(short);
        for (seed, site) in (1..).zip(YOUNGER) {
            runs.change(strong(site));
            let report = run(&mut runs, seed);
            let lines = report.lines_opened + report.lines_dropped;
            let asked = matches!(site, Site::Say | Site::Typed);
            if report.sites[0].struck == 0 || (asked && lines == 0) {
                wrong.push(format!("{scene}: {site} never strikes, {lines} lines"));
            }
            wrong.extend(report.violations.iter().map(|what| format!("{scene}: {site}: {what}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn numbers_of_every_part_of_a_scene_are_set_to_both_ends() {
    let mut spec = strong(Site::Numbers);
    spec.sites
        .insert(Site::Numbers, SiteSpec { on: Some(1.0), ratio: Some((1.0, 1.0)), ..SiteSpec::default() });
    let mut runs = Chaos::new(ChaosOptions { sessions: 1, duration_us: 1_000_000, ..options("full", spec) });
    let set: Vec<String> = (1..=2).flat_map(|seed| run(&mut runs, seed).set).collect();
    for path in [
        "tick.period_ms",
        "session.output.pace.lead_ms",
        "level.gain",
        "gate.lookback_ms",
        "asr.buffering.max_wait_ms",
        "captions.per_s",
        "text_collector.flush_after_ms",
        "tts.deadline.budget_ms",
        "resample_out.capabilities.queue_capacity",
        "services.reply.timing.words_per_s",
        "services.tts.timing.latency.p99_ms",
    ] {
        assert!(set.iter().any(|one| one.starts_with(&format!("{path}="))), "{path}: {set:?}");
    }
    // Ends that depend on no other number.
    let ends = [("session.input.pts_tolerance_ms", ["0", "500"]), ("session.input.chunk_ms", ["1", "1000"])];
    for (path, ends) in ends {
        let mut found = set.iter().filter_map(|one| one.strip_prefix(path)?.strip_prefix('='));
        assert!(found.all(|value| ends.contains(&value)), "{path}: {set:?}");
    }
}

#[test]
fn the_page_has_every_site_and_preset_and_its_file_can_be_used() {
    let page = include_str!("../docs/faults.md");
    let mut missing: Vec<String> = Vec::new();
    for row in ROWS {
        let line = page.lines().find(|line| line.starts_with(&format!("| `{}` |", row.name)));
        match line {
            Some(line) if line.contains(row.what) && line.contains(&format!("| {} |", row.group.name())) => {}
            Some(line) => missing.push(format!("{}: the table says {line}", row.name)),
            None => missing.push(format!("{}: not in the table", row.name)),
        }
    }
    for (name, _) in PRESETS {
        assert!(page.contains(&format!("| `{name}` |")), "{name}: no preset of the page");
        assert!(FaultSpec::preset(name).is_some(), "{name}: no preset of the program");
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    let example = page.split("```ron\n").nth(1).and_then(|rest| rest.split("```").next());
    let spec = FaultSpec::parse(&Source::new("faults.ron", example.expect("the page shows a file")));
    let spec = spec.unwrap_or_else(|found| panic!("{found}"));
    assert_eq!((spec.sites.len(), spec.heal_ratio), (3, 0.5));
}

/// What `mynah simulate LINE` says, and its exit code.
fn simulate(line: &str) -> (Option<i32>, String) {
    let command = Command::new(env!("CARGO_BIN_EXE_mynah"))
        .arg("simulate")
        .args(line.split(' '))
        .env("NO_COLOR", "1")
        .output()
        .expect("the program was built");
    (command.status.code(), String::from_utf8_lossy(&command.stdout).into_owned())
}

#[test]
fn seeds_are_run_to_the_last_and_those_that_fail_are_named_with_their_line() {
    let load = "passthrough --sessions 2 --duration 2s";
    let (code, text) = simulate(&format!("{load} --seeds 3..4"));
    assert!(code == Some(0) && text.contains("seeds 3..4, 2 of 2 ok"), "{code:?} {text}");
    let (code, text) = simulate(&format!("{load} --seeds 3..4 --set limits.speech_end_to_response_p99_ms=1"));
    assert!(code == Some(2) && text.contains("seeds 3..4, 0 of 2 ok"), "{code:?} {text}");
    assert!(text.contains("verdict: invalid"), "{text}");
    let again = "again: mynah simulate passthrough --seed 4 --sessions 2 --duration 2000ms \
                 --set 'limits.speech_end_to_response_p99_ms=1'";
    assert!(
        text.contains(again) && text.contains("speech_end_to_response_p99_ms: nothing to measure, limit 1"),
        "{text}"
    );
}

#[test]
fn a_replayed_seed_is_the_one_of_many() {
    let load = "speculative_vad --faults chaos --sessions 3 --duration 3s --json";
    let json = |line: String| -> serde_json::Value {
        let (code, text) = simulate(&line);
        assert_eq!(code, Some(0), "{text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    };
    let many = json(format!("{load} --seeds 8..9"));
    let alone = json(format!("{load} --seed 9"));
    assert_eq!(many["runs"][1]["event_hash"], alone["event_hash"]);
    assert_eq!(many["runs"][1]["run"]["sites"], alone["sites"]);
    assert_eq!((&alone["schema"], &alone["verdict"], &alone["seed"]), (&1.into(), &"ok".into(), &9.into()));
}
