//! What the documents tell people to type works, what they quote is what the program has, and every scene comes to its
//! verdict.
//!
//! Blocks marked `sh` (every line a command) and `console` (lines behind `$ `) are run; `# exit code N` behind a
//! command says that it does not end with 0. Long simulations are cut short, cargo's own commands are not repeated:
//! the test prints which.

#![allow(clippy::print_stdout, reason = "says what it does not run, for whoever runs it with --nocapture")]

#[path = "documents/names.rs"]
mod names;
#[path = "documents/outputs.rs"]
mod outputs;
#[path = "documents/tables.rs"]
mod tables;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mynah_proof::invariants::{NAMES, OVER_RUNS};
use mynah_sim::scenes::SHIPPED;
use mynah_systems::speech::flite::{Flite, RATE_HZ, VoiceStyle};

/// What simulations are cut down to: enough for every latency to be measured.
const SHORT: [(&str, &str); 2] = [("--sessions", "8"), ("--duration", "16s")];

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(name: &str) -> String {
    fs::read_to_string(top().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// README.md and the pages of docs/.
fn documents() -> Vec<(String, String)> {
    let pages = fs::read_dir(top().join("docs")).expect("docs/ is there").flatten();
    let mut names: Vec<String> =
        pages.map(|page| format!("docs/{}", page.file_name().to_string_lossy())).collect();
    names.retain(|name| name.ends_with(".md"));
    names.push("README.md".into());
    names.sort();
    names.into_iter().map(|name| (name.clone(), read(&name))).collect()
}

/// The contents of the fenced blocks with this mark, with the line each begins in.
fn blocks(text: &str, mark: &str) -> Vec<(usize, Vec<String>)> {
    let (mut found, mut open): (Vec<(usize, Vec<String>)>, Option<bool>) = (Vec::new(), None);
    for (at, line) in text.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), open) {
            (Some(info), None) => {
                let wanted = info.trim() == mark;
                if wanted {
                    found.push((at + 2, Vec::new()));
                }
                open = Some(wanted);
            }
            (Some(_), Some(_)) => open = None,
            (None, Some(true)) => {
                if let Some((_, lines)) = found.last_mut() {
                    lines.push(line.to_owned());
                }
            }
            (None, _) => {}
        }
    }
    found
}

/// Every command of a document with the place it stands at.
fn commands(name: &str, text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (first, lines) in blocks(text, "sh") {
        let lines =
            lines.iter().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
        found.extend(lines.map(|(at, line)| (format!("{name}:{}", first + at), line.trim().to_owned())));
    }
    for (first, lines) in blocks(text, "console") {
        let typed = lines.iter().enumerate().filter_map(|(at, line)| Some((at, line.strip_prefix("$ ")?)));
        found.extend(typed.map(|(at, line)| (format!("{name}:{}", first + at), line.trim().to_owned())));
    }
    found
}

/// A folder with what the documents' commands read.
fn prepared(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("documents").join(test);
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(folder.join("scenes")).expect("the target folder can be written");
    for (name, text) in SHIPPED {
        fs::write(folder.join(format!("scenes/{name}.ron")), text).expect("the folder is new");
    }
    let clips = folder.join("tests/recordings");
    fs::create_dir_all(&clips).expect("the folder is new");
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/recordings");
    for entry in fs::read_dir(own).expect("tests/recordings belongs to the checkout").flatten() {
        fs::copy(entry.path(), clips.join(entry.file_name())).expect("the folder is new");
    }
    let voice = Flite::new().expect("the voice is part of the program");
    let speech =
        voice.speak("please open the door of the garden", VoiceStyle::default()).expect("these are words");
    let mut samples = vec![0.0; RATE_HZ as usize];
    let from_ms = 1_000 * samples.len() / RATE_HZ as usize;
    samples.extend(&speech);
    let to_ms = 1_000 * samples.len() / RATE_HZ as usize;
    samples.extend(vec![0.0; RATE_HZ as usize]);
    for name in ["call.wav", "question.wav", "recording.wav"] {
        mynah_load::wav::write(&folder.join(name), RATE_HZ, 1, &samples).expect("the folder is new");
    }
    let label = format!(
        r#"{{"file": "call.wav", "segments": [{{"start_ms": {from_ms}, "end_ms": {to_ms}, "kind": "utterance", "text": "please open the door of the garden"}}, {{"start_ms": {from_ms}, "end_ms": {to_ms}, "kind": "speech"}}]}}"#
    );
    fs::write(folder.join("labels.jsonl"), label + "\n").expect("the folder is new");
    folder
}

/// The words behind `mynah`; None: not for us to run.
fn words(command: &str, folder: &Path) -> Result<Option<Vec<String>>, String> {
    let skipped = [
        "cargo test",
        "MYNAH_CHURN_SESSIONS=200000 cargo test",
        "cargo bench",
        "cargo doc",
        "cargo build",
        "cargo run --release --example",
        // These ask servers and workers.
        "cargo run --release --features",
        "pip install",
        "python3 ",
        // These serve, or ask who does.
        "mynah serve",
        "curl ",
        "target/release/mynah serve",
        "tail -c +45 ",
        "tests/interop/",
        "cargo run --example",
        "git ",
        "cd ",
        ".ci/",
        "benches/instructions.sh",
    ];
    if skipped.iter().any(|start| command.starts_with(start)) {
        println!("not repeated here: {command}");
        return Ok(None);
    }
    let known = ["cargo run --release -- ", "mynah "].iter().find_map(|start| command.strip_prefix(start));
    let line = match known {
        Some(line) => line,
        None if ["cargo run --release", "mynah"].contains(&command) => "simulate voice_assistant",
        None => return Err("a command that this test does not know".into()),
    };
    let line = line.split(" | ").next().unwrap_or(line);
    let line = line.split(" > ").next().unwrap_or(line);
    let mut words = Vec::new();
    for word in line.split_whitespace() {
        match word.split_once('*') {
            Some((head, tail)) => {
                let under = Path::new(head.rfind('/').map_or("", |end| &head[..end]));
                let mut hits: Vec<String> = fs::read_dir(folder.join(under))
                    .map_err(|error| format!("{word}: {error}"))?
                    .flatten()
                    .map(|entry| under.join(entry.file_name()).to_string_lossy().into_owned())
                    .filter(|path| path.starts_with(head) && path.ends_with(tail))
                    .collect();
                hits.sort();
                words.extend(hits);
            }
            None => words.push(word.trim_matches(['\'', '"']).to_owned()),
        }
    }
    if words.first().is_some_and(|word| word == "simulate") {
        for (flag, value) in SHORT {
            match words.iter().position(|word| word == flag) {
                Some(at) => words[at + 1] = value.into(),
                None => words.extend([flag.into(), value.into()]),
            }
        }
        if let Some(at) = words.iter().position(|word| word == "--seeds") {
            words[at + 1] = "1..2".into();
        }
    }
    if words == ["bench"] || words.starts_with(&["bench".into(), "--json".into()]) {
        words.push("--quick".into());
    }
    Ok(Some(words))
}

fn run(words: &[String], folder: &Path) -> (Option<i32>, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_mynah"))
        .args(words)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .output()
        .expect("the program was built");
    let text = [done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (done.status.code(), text)
}

/// Runs one command of a document; what is wrong with it.
fn fault(command: &str, folder: &Path) -> Option<String> {
    let (command, wanted) = match command.split_once("# exit code ") {
        Some((command, code)) => (command.trim(), code.trim().parse::<i32>().ok()),
        None => (command.split(" # ").next().unwrap_or(command).trim(), Some(0)),
    };
    let words = match words(command, folder) {
        Ok(words) => words?,
        Err(why) => return Some(why),
    };
    let line = words.join(" ");
    let real_time = ["--clock wall", "--wall", "--to ws"].iter().any(|flag| line.contains(flag));
    if real_time || line.starts_with("bench capacity") {
        println!("takes real time, or a server, not run: mynah {line}");
        return None;
    }
    let (code, text) = run(&words, folder);
    if let Some((_, file)) = command.split_once(" > ") {
        fs::write(folder.join(file.trim()), &text).expect("the folder can be written");
    }
    // The code of a pipe is that of its last part, and who asks for a report wants it of a missed limit, too.
    if (command.contains(" | ") || line.contains("--json")) && matches!(code, Some(0 | 1)) {
        return None;
    }
    (code != wanted).then(|| format!("`mynah {line}` ended with {code:?}, not {wanted:?}:\n{text}"))
}

#[test]
fn every_command_of_the_documents_runs() {
    let folder = prepared("commands");
    let mut found = Vec::new();
    for (name, text) in documents() {
        found.extend(commands(&name, &text));
    }
    for (name, text) in SHIPPED {
        let typed = text.lines().take(3).filter_map(|line| line.strip_prefix("// Run: "));
        found.extend(typed.map(|line| (format!("scenes/{name}.ron"), line.to_owned())));
    }
    for name in
        ["check", "graph", "run", "simulate", "replay", "compare", "bench", "doctor", "completions", "man"]
    {
        let (_, help) = run(&[name.into(), "--help".into()], &folder);
        let examples = help.split("Examples:").nth(1).unwrap_or_default().lines().map(str::trim);
        let examples = examples.filter(|line| line.starts_with("mynah "));
        found.extend(
            examples.map(|line| (format!("mynah {name} --help"), line.replace("scenes/my.ron", "gate_only"))),
        );
    }
    assert!(found.len() >= 30, "only {} commands were found", found.len());
    let faults: Vec<String> = found
        .iter()
        .filter_map(|(place, command)| Some(format!("{place}: {command}\n{}", fault(command, &folder)?)))
        .collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n\n"));
}

#[test]
fn every_scene_comes_to_its_verdict() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mut missed = Vec::new();
    for (name, _) in SHIPPED {
        let line = format!("simulate {name} --sessions 8 --duration 16s");
        let words: Vec<String> = line.split(' ').map(Into::into).collect();
        let (code, text) = run(&words, folder);
        if code != Some(0) || !text.contains("verdict: ok") {
            missed.push(format!("`mynah {line}` ended with {code:?}:\n{text}"));
        }
    }
    assert!(missed.is_empty(), "\n{}\n", missed.join("\n\n"));
}

/// Examples with lines that the README shows: the language of the block, how a comment begins, how far the lines are
/// indented, and the file.
const QUOTED: [(&str, &str, &str, &str); 3] = [
    ("rust", "//", "    ", "tools/mynah/examples/library_use.rs"),
    ("rust", "//", "", "tools/bevy_mynah/examples/guard.rs"),
    ("python", "#", "", "tools/python/examples/callers.py"),
];

#[test]
fn what_the_readme_quotes_is_what_there_is() {
    let readme = read("README.md");
    for (language, comment, indent, name) in QUOTED {
        let example = read(name);
        let begin = format!("{comment} README: begin\n");
        let end = format!("{indent}{comment} README: end");
        let marked = example.split(&begin).nth(1).and_then(|rest| rest.split(&end).next());
        let marked = marked.expect("the example marks what the README shows");
        let lines: Vec<&str> = marked.lines().map(|line| line.strip_prefix(indent).unwrap_or(line)).collect();
        assert!(
            blocks(&readme, language).iter().any(|(_, block)| block == &lines),
            "README.md does not show the lines of {name}:\n{}",
            lines.join("\n")
        );
    }
    let words = ["graph", "voice_assistant", "--format", "mermaid"].map(String::from);
    let (_, drawing) = run(&words, Path::new(env!("CARGO_TARGET_TMPDIR")));
    let drawing: Vec<&str> = drawing.lines().collect();
    assert!(
        blocks(&readme, "mermaid").iter().any(|(_, block)| block == &drawing),
        "README.md does not show the drawing of `mynah graph voice_assistant --format mermaid`"
    );
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut dead = Vec::new();
    for (name, text) in documents() {
        let folder = top().join(&name).parent().map(Path::to_path_buf).unwrap_or_default();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            if !target.is_empty() && !target.contains("://") && !folder.join(target).exists() {
                dead.push(format!("{name}: {target}"));
            }
        }
    }
    assert!(dead.is_empty(), "\n{}\n", dead.join("\n"));
}

/// The words in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn the_page_of_invariants_has_every_checker_and_every_break() {
    let page = read("docs/invariants.md");
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    let names: Vec<&str> = rows.iter().flat_map(|row| quoted(row[0])).collect();
    assert_eq!(names, NAMES, "one row for each checker, in its order");
    let numbers = ["eighteen", "nineteen", "twenty", "twenty-one", "twenty-two"];
    let [in_every_run, all] = [NAMES.len() - OVER_RUNS.len(), NAMES.len()].map(|count| numbers[count - 18]);
    let counts = format!("{all} invariants, {in_every_run} of them in every run");
    assert!(page.contains(&counts), "the page does not say: {counts}");
    let source = read("engine/src/base/mutation.rs");
    let breaks: BTreeSet<&str> = source
        .lines()
        .filter_map(|line| line.strip_prefix("    ")?.strip_suffix(','))
        .filter(|line| line.chars().all(char::is_alphanumeric))
        .collect();
    let told: Vec<&str> = rows.iter().flat_map(|row| quoted(row[3])).collect();
    let in_rows: BTreeSet<&str> = told.iter().copied().collect();
    assert_eq!(told.len(), in_rows.len(), "no break stands in two rows");
    // Those of the door and the standstill are noticed by no checker, and the page says by what.
    let named: BTreeSet<&str> = quoted(&page).filter(|word| breaks.contains(word)).collect();
    assert_eq!(named, breaks, "every break is named");
    assert!(in_rows.is_subset(&breaks), "{:?} are no breaks", in_rows.difference(&breaks));
    let folder = top().join("tools/proof/src/invariants");
    let files = rows.iter().flat_map(|row| quoted(row[2])).filter(|file| !file.contains('/'));
    let absent: Vec<&str> = files.filter(|file| !folder.join(file).exists()).collect();
    assert!(absent.is_empty(), "there is no {absent:?}");
}
