//! The pages for people: self-contained, with the report's own figures, and without complaints in a real browser.
//!
//! The browser is Chromium or Chrome where one is found; without one these tests say so and pass.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::browser::{Browser, Scheme};
use support::markup::tags;
use support::program::simulate;

fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn text_of(path: &Path) -> String {
    path.to_str().expect("the folder of tests has a name in UTF-8").to_string()
}

/// The report as JSON and as a page.
fn reported(name: &str, arguments: &[&str]) -> (Value, String) {
    let path = scratch(name);
    let path_text = text_of(&path);
    let all: Vec<&str> = arguments.iter().copied().chain(["--html", &path_text]).collect();
    let report = simulate(&all);
    (report, std::fs::read_to_string(&path).expect("the page was written"))
}

/// The page of `mynah run` about one synthesized caller.
fn recorded(name: &str) -> String {
    let wav = scratch("pages caller <1> & \"co\".wav");
    let callers = support::callers::Callers::new(1, 8, 16_000, 12);
    let caller = callers.labelled(0, 12);
    mynah::wav::write(&wav, caller.rate, 1, &caller.samples).expect("the recording can be written");
    let path = scratch(name);
    let mut program = Command::new(env!("CARGO_BIN_EXE_mynah"));
    program.args(["run", "voice_assistant", "--input"]).arg(&wav).arg("--html").arg(&path);
    let out = program.output().expect("the program starts");
    assert!(out.status.success(), "{program:?}\n{}", String::from_utf8_lossy(&out.stderr));
    std::fs::read_to_string(&path).expect("the page was written")
}

const TALK: [&str; 5] = ["voice_assistant", "--sessions", "4", "--duration", "16s"];

#[test]
fn every_figure_on_the_page_is_the_reports_own() {
    let cases: [(&str, &[&str], usize); 4] = [
        ("talk.html", &TALK, 120),
        ("batches.html", &["batched_tts", "--sessions", "4", "--duration", "12s"], 90),
        ("overflow.html", &["overflow", "--sessions", "4", "--duration", "8s"], 60),
        ("remote.html", &["remote_consumer", "--sessions", "2", "--duration", "10s"], 60),
    ];
    for (name, arguments, least) in cases {
        let (report, page) = reported(name, arguments);
        let mut compared = 0;
        for tag in tags(&page).filter(|tag| tag.name == "data") {
            let (place, value) = (tag.value("data-report"), tag.value("value"));
            let key = |at: &Value, key: &str| match key.parse::<usize>() {
                Ok(index) => at[index].clone(),
                Err(_) => at[key].clone(),
            };
            let want = place.split('.').fold(report.clone(), |at, part| key(&at, part));
            let want = want.as_f64().unwrap_or_else(|| panic!("{name}: the report has no number at {place}"));
            assert_eq!(value.parse::<f64>().ok(), Some(want), "{name}: {place}");
            compared += 1;
        }
        assert!(compared >= least, "{name}: only {compared} figures");
    }
}

#[test]
fn the_page_has_what_was_asked_for() {
    let (_, page) = reported("sections.html", &TALK);
    let sections: Vec<String> =
        tags(&page).filter(|tag| tag.name == "section").map(|tag| tag.value("id").to_string()).collect();
    assert_eq!(
        sections,
        [
            "verdict",
            "latency",
            "session",
            "stages",
            "speculation",
            "queues",
            "batches",
            "losses",
            "nodes",
            "machine"
        ]
    );
    // What is simulated is called so, and the followed caller's lane shows everything the gate does.
    for part in ["callers' audio, simulated", "services, simulated", "services, real", "timing modelled"] {
        assert!(page.contains(part), "the page lacks `{part}`");
    }
    let lane =
        page.split("<section id=\"session\">").nth(1).expect("there is one").split("</section>").next();
    let lane = lane.expect("it ends");
    for class in ["wave", "probability", "threshold", "speculative", "confirmed", "end", "answer", "sound"] {
        assert!(lane.contains(&format!("class=\"{class}\"")), "the lane lacks {class}");
    }
    // Whoever cannot see a drawing is told what it shows.
    let drawings = tags(&page).filter(|tag| tag.name == "svg" && tag.has("role")).count();
    assert!(drawings >= 20, "{drawings} drawings");
    assert_eq!(drawings, page.matches("<desc>").count());
}

#[test]
fn pages_fetch_nothing_and_run_nothing() {
    let pages = [("report", reported("alone.html", &TALK).1), ("recording", recorded("alone_run.html"))];
    for (name, page) in pages {
        assert!(page.len() < 400_000, "{name}: {} bytes", page.len());
        for foreign in
            ["http:", "https:", "//", "@import", "<script", "javascript:", " src=", " href=", "<link"]
        {
            assert!(!page.contains(foreign), "{name}: `{foreign}`");
        }
        let urls = page.split("url(").skip(1).filter(|rest| !rest.starts_with('#')).count();
        assert_eq!(urls, 0, "{name}");
        assert!(tags(&page).all(|tag| !tag.attributes().any(|name| name.starts_with("on"))), "{name}");
    }
}

/// What a run in virtual time says, without what is measured on the wall clock.
fn repeatable(page: &str) -> &str {
    page.split("<section id=\"machine\">").next().expect("splitting gives something")
}

#[test]
fn a_repeated_run_gives_the_same_page_whatever_the_threads() {
    let one = reported("one.html", &[&TALK[..], &["--threads", "1"]].concat()).1;
    let two = reported("two.html", &[&TALK[..], &["--threads", "2"]].concat()).1;
    assert_ne!(one.len(), repeatable(&one).len());
    assert!(repeatable(&one) == repeatable(&two), "the pages differ");
}

#[test]
fn a_page_changes_neither_the_report_nor_the_events() {
    let [with, without] = ["with.jsonl", "without.jsonl"].map(|name| text_of(&scratch(name)));
    let plain = simulate(&[&TALK[..], &["--events", &without]].concat());
    let (watched, _) = reported("watched.html", &[&TALK[..], &["--events", &with]].concat());
    for place in ["event_hash", "scene_hash", "latency_ms", "segments", "turns", "frames", "verdict"] {
        assert_eq!(plain[place], watched[place], "{place}");
    }
    let [with, without] = [with, without].map(|path| std::fs::read(path).expect("the log was written"));
    assert!(with == without, "the event logs differ");
}

#[test]
fn a_path_that_cannot_be_written_is_known_before_the_run() {
    let path = text_of(&scratch("no such folder").join("page.html"));
    let mut program = Command::new(env!("CARGO_BIN_EXE_mynah"));
    // An hour of a thousand callers: nobody would wait for that.
    program.args(["simulate", "--sessions", "1000", "--duration", "1h", "--html", &path]);
    let out = program.output().expect("the program starts");
    let errors = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{errors}");
    assert!(errors.contains(&path) && errors.contains("check the path"), "{errors}");
}

#[test]
fn a_browser_opens_both_pages_without_complaint_in_light_and_dark_at_any_width() {
    let Some(browser) = Browser::find() else { return };
    let pages = [("report", reported("opened.html", &TALK).1), ("recording", recorded("opened_run.html"))];
    for (name, page) in pages {
        let mut papers = Vec::new();
        for scheme in [Scheme::Light, Scheme::Dark] {
            for width in [400, 1_600] {
                let opened = browser.open(&scratch("probed.html"), &page, scheme, width);
                assert!(opened.complaints.is_empty(), "{name} {scheme:?} {width}: {:?}", opened.complaints);
                let place = format!("{name} {scheme:?} {width}");
                // Long tables and lanes scroll by themselves, the page does not.
                assert!(opened.content_width <= opened.window_width, "{place}: {opened:?}");
                assert!(opened.contrast_ink >= 12.0, "{place}: {opened:?}");
                assert!(opened.contrast_quiet >= 5.5, "{place}: {opened:?}");
                papers.push(opened.paper);
            }
        }
        assert!(
            papers[0] == papers[1] && papers[2] == papers[3] && papers[0] != papers[2],
            "{name}: {papers:?}"
        );
    }
}

#[test]
fn a_browsers_complaint_is_heard() {
    let Some(browser) = Browser::find() else { return };
    let broken = "<!doctype html><body><p><script>console.error('a complaint'); nowhere();</script></body>";
    let opened = browser.open(&scratch("broken.html"), broken, Scheme::Light, 800);
    assert_eq!(opened.complaints.len(), 2, "{:?}", opened.complaints);
}
