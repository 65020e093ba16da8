//! Blocks of output: each is compared with what is printed now, or stands in [`APART`] with the reason why it is not.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{blocks, documents, prepared, read, run};

/// The layers of the engine.
#[path = "../../tools/mynah/examples/layers.rs"]
mod layers_example;
/// The examples' own lines, run by a test below.
#[path = "../../tools/mynah/examples/library_use.rs"]
mod library_use;

/// Blocks that are compared, by page and first line.
const COMPARED: [(&str, &str); 6] = [
    ("README.md", "voice_assistant: 100 sessions"),
    ("README.md", "Applied { message_id: 1 }"),
    ("docs/architecture.md", "layer "),
    ("docs/architecture.md", "stage         system"),
    ("README.md", "session "),
    ("docs/reports.md", "words: "),
];

/// All others, with what they are.
const APART: [(&str, &str, &str); 19] = [
    ("README.md", "event: text", "of a server in real time; tests of tools/serve hold its form"),
    ("README.md", "heard:  How far", "of a client in Python, against a server in real time"),
    ("docs/architecture.md", "   Rotate     close", "a drawing"),
    ("docs/architecture.md", "engine  <-  systems", "a drawing"),
    ("docs/fuzzing.md", "cargo test -p mynah-fuzz-targets", "commands of cargo"),
    ("docs/games.md", " sound device's threads", "a drawing"),
    ("docs/fuzzing.md", "cargo run -p mynah-fuzz-targets", "a command of cargo"),
    (
        "docs/hosting.md",
        "   0.00 s  assistant: microphone",
        "of sound devices in real time; tests/talk.rs holds what it is made of",
    ),
    ("docs/latency.md", "speech end to response = V", "a formula"),
    ("docs/latency.md", "speech to silence = D", "a formula"),
    (
        "docs/latency.md",
        "cargo test -p mynah --test loudspeaker",
        "a command of cargo; the test holds the figures",
    ),
    (
        "docs/operations.md",
        "$ curl -s",
        "of a run in real time; tests/metrics.rs holds the names of what is served",
    ),
    ("docs/operations.md", "cd tools/observability", "commands of programs that may not be there"),
    ("docs/queues.md", "one queue per session", "a drawing"),
    (
        "docs/services.md",
        "  ok    reachable",
        "of a server that may not be there; its probe has tests of its own",
    ),
    ("docs/services.md", "recogniser  ", "of runs in real time, one with a recogniser that may not be there"),
    ("docs/testing.md", "MYNAH_RECORDINGS=...", "commands of cargo"),
    ("docs/testing.md", "MYNAH_EVERY_FIGURE=1", "a command of cargo"),
    ("docs/testing.md", "skipped: promtool", "of a machine without promtool; tests/ci.rs holds its form"),
];

/// What processor time and what follows from it may differ by, from the build and machine of the page to this one. The
/// work of a node is a stopwatch's, which runs on while other programs have the core: that there is a number is all that
/// is asked of it.
const COSTS_RATIO: f64 = 20.0;

/// A line of a report: what must be equal, and costs, which may differ.
#[derive(Debug, PartialEq)]
struct Line {
    steady: String,
    costs: Vec<f64>,
}

fn number(word: &str) -> Option<f64> {
    word.trim_matches(|c: char| !c.is_ascii_digit()).parse().ok()
}

fn line(text: &str, in_nodes: bool) -> Line {
    let is_cost = |at: usize| text.starts_with("  cost:") || in_nodes && at == 4;
    let (mut steady, mut costs) = (Vec::new(), Vec::new());
    for (at, word) in text.split_whitespace().enumerate() {
        match number(word).filter(|_| is_cost(at)) {
            Some(value) => {
                costs.push(if in_nodes { 1.0 } else { value });
                steady.push(word.replace(|c: char| c.is_ascii_digit() || c == '.', ""));
            }
            None => steady.push(word.to_owned()),
        }
    }
    Line { steady: steady.join(" ").replace(" 1 thread,", " 2 threads,"), costs }
}

fn lines(report: &str) -> Vec<Line> {
    let (mut in_nodes, mut found) = (false, Vec::new());
    for text in report.lines() {
        in_nodes = text.starts_with("  node ") || in_nodes && !text.trim().is_empty();
        found.push(line(text.trim_end(), in_nodes && !text.starts_with("  node ")));
    }
    found
}

/// Where two reports differ by more than costs may.
fn differences(shown: &str, printed: &str) -> Vec<String> {
    let (shown, printed) = (lines(shown), lines(printed));
    let mut found = Vec::new();
    if shown.len() != printed.len() {
        found.push(format!("{} lines are shown, {} printed", shown.len(), printed.len()));
    }
    for (shown, printed) in shown.iter().zip(&printed) {
        let near = |(a, b): (&f64, &f64)| (a / b).max(b / a) <= COSTS_RATIO;
        let costs = shown.costs.len() == printed.costs.len();
        if shown.steady != printed.steady || !costs || !shown.costs.iter().zip(&printed.costs).all(near) {
            found.push(format!("  shown {shown:?}\nprinted {printed:?}"));
        }
    }
    found
}

/// The block of a page that begins so.
fn block(page: &str, begins: &str) -> String {
    let found = blocks(&read(page), "text").into_iter().find(|(_, lines)| lines[0].starts_with(begins));
    found.unwrap_or_else(|| panic!("{page} has no block that begins with {begins:?}")).1.join("\n")
}

#[test]
fn the_readmes_figures_are_those_that_are_printed() {
    let shown = block(COMPARED[0].0, COMPARED[0].1);
    let (code, printed) = run(&[], Path::new(env!("CARGO_TARGET_TMPDIR")));
    assert_eq!(code, Some(0), "{printed}");
    let features =
        |text: &str| text.lines().last().and_then(|line| line.split_once('(')).map(|l| l.1.to_owned());
    if features(&shown) != features(&printed) {
        println!("another processor, other bits: {:?} is not compared", printed.lines().last());
        return;
    }
    let found = differences(&shown, &printed);
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
    // Another figure anywhere is seen: a count, a percentile, a cost that is far off, a line that is gone.
    for (from, to) in
        [("971 opened", "972 opened"), ("     240 ms  ok", "     239 ms  ok"), ("cost: ", "cost: 9999")]
    {
        assert!(shown.contains(from), "{from}");
        assert!(
            !differences(&shown.replacen(from, to, 1), &printed).is_empty(),
            "{from} -> {to} is not seen"
        );
    }
    let shorter: Vec<&str> = shown.lines().filter(|line| !line.starts_with("  cost:")).collect();
    assert!(!differences(&shorter.join("\n"), &printed).is_empty(), "a missing line is not seen");
}

/// What the test below starts: the example itself, between two lines.
#[test]
fn the_example_runs() {
    println!("example: begin");
    library_use::main().expect("the example needs nothing");
    println!("example: end");
}

#[test]
fn the_example_prints_what_the_readme_shows() {
    let own = std::env::current_exe().expect("a test is a program");
    let done = Command::new(own).args(["--exact", "outputs::the_example_runs", "--nocapture"]).output();
    let text = String::from_utf8_lossy(&done.expect("it runs again").stdout).into_owned();
    let printed = text.split("example: begin\n").nth(1).and_then(|rest| rest.split("example: end").next());
    let printed = printed.unwrap_or_else(|| panic!("the example did not run:\n{text}"));
    assert_eq!(block(COMPARED[1].0, COMPARED[1].1), printed.trim_end());
}

#[test]
fn the_layers_are_those_that_the_page_shows() {
    let (printed, sound) = layers_example::report();
    assert!(sound, "{printed}");
    let shown = block(COMPARED[2].0, COMPARED[2].1);
    assert!(shown == printed.trim_end(), "docs/architecture.md shows\n{shown}\nprinted is\n{printed}");
}

#[test]
fn the_systems_are_those_that_the_page_shows() {
    let shown = block(COMPARED[3].0, COMPARED[3].1);
    let (code, printed) = run(
        &["graph", "voice_assistant", "--systems"].map(String::from),
        Path::new(env!("CARGO_TARGET_TMPDIR")),
    );
    assert_eq!(code, Some(0), "{printed}");
    assert!(shown == printed.trim_end(), "docs/architecture.md shows\n{shown}\nprinted is\n{printed}");
    let of_engine = ["Rotate", "Deliver", "FirstHalf", "Batch", "SecondHalf", "Join", "Observe"];
    let of_shards = ["Admit", "Control", "Ingress", "TurnTaking", "Node(1)", "Egress", "Account"];
    let under = of_shards.map(|stage| format!("  {stage}"));
    for stage in of_engine.into_iter().chain(under.iter().map(String::as_str)) {
        assert!(shown.lines().any(|line| line.starts_with(stage)), "no {stage}");
    }
}

/// Whether words come out to the letter: without fused multiply-add sums are others in the last bits.
fn words_are_the_same_here() -> bool {
    let same = mynah_sim::report::cpu_features().contains(&"fma");
    if !same {
        println!("another processor, other bits: words are not compared");
    }
    same
}

#[test]
fn the_talk_is_the_one_that_the_readme_shows() {
    if !words_are_the_same_here() {
        return;
    }
    let folder = prepared("talk");
    let lines =
        |text: &str| -> String { text.lines().map(|line| line.trim_end().to_owned() + "\n").collect() };
    let typed = ["run tests/recordings/voices.wav --output out", "run transcribe out/voices.out.wav"];
    let printed = typed.map(|line| {
        let (code, printed) = run(&line.split(' ').map(String::from).collect::<Vec<_>>(), &folder);
        assert_eq!(code, Some(0), "{printed}");
        lines(&printed)
    });
    let shown = lines(&block(COMPARED[4].0, COMPARED[4].1));
    assert!(shown == printed.join("\n"), "README.md shows\n{shown}\nprinted is\n{}", printed.join("\n"));
}

#[test]
fn the_words_of_the_clips_are_as_right_as_the_page_says() {
    if !words_are_the_same_here() {
        return;
    }
    let folder = prepared("words");
    let shown = block(COMPARED[5].0, COMPARED[5].1);
    let clips = fs::read_dir(folder.join("tests/recordings")).expect("it was made").flatten();
    let names = clips.map(|clip| format!("tests/recordings/{}", clip.file_name().to_string_lossy()));
    let words = ["run", "transcribe", "--input"].map(String::from).into_iter();
    let words: Vec<String> = words.chain(names.filter(|name| name.ends_with(".wav"))).collect();
    let (code, printed) = run(&words, &folder);
    assert!(code == Some(0) && printed.trim_end().ends_with(&shown), "{printed}\nshown is\n{shown}");
}

/// A new block of output is compared, or says why not.
#[test]
fn every_block_of_output_is_compared_or_has_its_reason() {
    let known: Vec<(&str, &str)> =
        COMPARED.into_iter().chain(APART.map(|(page, begins, _)| (page, begins))).collect();
    let (mut stray, mut met) = (Vec::new(), vec![false; known.len()]);
    for (page, text) in documents() {
        for mark in ["text", "console", ""] {
            for (at, lines) in blocks(&text, mark) {
                let first = lines.first().map_or("", String::as_str);
                let entry = known.iter().position(|(of, begins)| *of == page && first.starts_with(begins));
                match entry {
                    Some(entry) => met[entry] = true,
                    None => stray.push(format!("{page}:{at}: {first}")),
                }
            }
        }
    }
    assert!(stray.is_empty(), "\n{}\n", stray.join("\n"));
    let gone: Vec<_> = known.iter().zip(met).filter(|(_, met)| !met).map(|(entry, _)| entry).collect();
    assert!(gone.is_empty(), "no block begins so: {gone:?}");
}
