//! An output that is the same file as something that is read, or as another output, is refused before anything is touched.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::place::{Folder, none};

/// Command, `*` for the flag that writes; the file that it reads; the flags that write.
const READ: &[(&str, &str, &[&str])] = &[
    ("run scene.ron --input said.wav *", "scene.ron", RUN),
    ("run scene.ron --input said.wav *", "said.wav", RUN),
    ("run gate_only --input other.wav said.wav *", "said.wav", RUN),
    ("simulate scene.ron --sessions 1 --duration 1s *", "scene.ron", SIMULATE),
    ("simulate linked.ron --sessions 1 --duration 1s *", "scene.ron", SIMULATE),
    ("simulate scene.ron --sessions 1 --duration 1s --load labels.jsonl *", "labels.jsonl", SIMULATE),
    ("simulate scene.ron --sessions 1 --duration 1s --load labels.jsonl *", "said.wav", SIMULATE),
    ("simulate scene.ron --sessions 1 --duration 1s --baseline kept.json *", "kept.json", SIMULATE),
    ("simulate scene.ron --sessions 1 --duration 1s --clock wall *", "scene.ron", SIMULATE),
    (
        "simulate scene.ron --sessions 1 --duration 1s --faults faults.ron *",
        "faults.ron",
        &["--events", "--vad-trace"],
    ),
    (
        "simulate scene.ron --sessions 1 --duration 1s --faults faults.ron *",
        "scene.ron",
        &["--events", "--vad-trace"],
    ),
];
const RUN: &[&str] = &["--events", "--vad-trace", "--html"];
const SIMULATE: &[&str] = &["--events", "--vad-trace", "--trace", "--html", "--save-baseline"];

fn prepared(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.put("other.wav", &folder.get("said.wav"));
    let scene = folder.text("scene.ron");
    let link = "    transports: [SimulatedLink(scene: \"scene.ron\", delay_ms: 10)],\n)";
    let end = scene.trim_end().rfind(')').expect("a scene ends with a bracket");
    folder.put("linked.ron", format!("{}{link}", &scene[..end]).as_bytes());
    let (_, _, err) =
        folder.run("simulate scene.ron --sessions 1 --duration 1s --save-baseline kept.json --set limits=()");
    assert!(folder.at("kept.json").is_file(), "{err}");
    folder
}

/// The ways in which `name` can be written, made in the folder.
fn ways(folder: &Folder, name: &str) -> Vec<String> {
    fs::create_dir_all(folder.at("in")).expect("the folder can be written");
    symlink(folder.at(name), folder.at("in/link")).expect("links can be made");
    symlink("link", folder.at("in/second")).expect("links can be made");
    fs::hard_link(folder.at(name), folder.at("in/other_name")).expect("links can be made");
    symlink(&folder.0, folder.at("in/folder")).expect("links can be made");
    let whole = folder.at(name).display().to_string();
    let plain = [name.to_string(), format!("in/../{name}"), whole];
    let links = ["in/link", "in/second", "in/other_name"].map(String::from);
    plain.into_iter().chain(links).chain([format!("in/folder/{name}")]).collect()
}

/// Runs it; what was not as it has to be.
fn refused(folder: &Folder, line: &str, said: &str) -> Option<String> {
    let before = folder.contents();
    let (code, out, err) = folder.run(line);
    let fine = code == Some(2) && err.contains(said) && out.is_empty();
    if fine && folder.contents() == before {
        return None;
    }
    for (name, bytes) in &before {
        folder.put(name, bytes);
    }
    Some(format!("{line}: {code:?} {err}"))
}

#[test]
fn no_flag_that_writes_takes_a_file_that_is_read() {
    let folder = prepared("read");
    let mut failed = Vec::new();
    for (line, read, flags) in READ {
        drop(fs::remove_dir_all(folder.at("in")));
        for (at, way) in ways(&folder, read).iter().enumerate() {
            // Every flag as it stands, one of them in every other way to say it.
            for flag in flags.iter().filter(|flag| at == 0 || **flag == "--events") {
                let line = line.replace('*', &format!("{flag} {way}"));
                failed.extend(refused(&folder, &line, "which is read and would be lost"));
            }
        }
    }
    none(failed);
}

#[test]
fn nor_do_the_names_that_a_folder_of_outputs_makes() {
    let folder = prepared("made");
    folder.put("said.out.wav", &folder.get("said.wav"));
    folder.put("scene.out.wav", &folder.get("scene.ron"));
    folder.put("scene.wav", &folder.get("said.wav"));
    // By a name that no recording has.
    symlink("scene.out.wav", folder.at("scene.link")).expect("links can be made");
    symlink(".", folder.at("here")).expect("links can be made");
    let cases = [
        "run gate_only --input said.wav said.out.wav --output .",
        "run gate_only --input said.wav said.out.wav --output here",
        "run gate_only --input said.out.wav said.wav --output .",
        "run scene.link --input scene.wav --output .",
        "run gate_only --input said.wav --output . --events said.out.wav",
        "run gate_only --input said.wav --output new --html new/said.out.wav",
        "simulate scene.ron --sessions 1 --duration 1s --clock wall --trace t.json --events t.overrun.json",
    ];
    none(cases.iter().filter_map(|line| refused(&folder, line, "the same")).collect());
}

#[test]
fn no_two_flags_write_one_file() {
    let folder = prepared("twice");
    folder.put("there.json", b"mine");
    symlink("there.json", folder.at("link.json")).expect("links can be made");
    symlink("coming.json", folder.at("dangling.json")).expect("links can be made");
    let files = [
        ("there.json", "there.json"),
        ("there.json", "link.json"),
        ("coming.json", "./coming.json"),
        ("coming.json", "dangling.json"),
    ];
    let mut failed = Vec::new();
    for (command, flags) in
        [("run gate_only --input said.wav", RUN), ("simulate gate_only --sessions 1 --duration 1s", SIMULATE)]
    {
        for (at, one) in flags.iter().enumerate() {
            for (number, other) in flags[at + 1..].iter().enumerate() {
                let (a, b) = files[(at + number) % files.len()];
                let line = format!("{command} {one} {a} {other} {b}");
                failed.extend(refused(&folder, &line, "expected a file for each"));
            }
        }
        for (a, b) in files {
            let line = format!("{command} --events {a} --html {b}");
            failed.extend(refused(&folder, &line, "expected a file for each"));
        }
    }
    none(failed);
}

#[test]
fn files_apart_and_devices_are_no_conflict() {
    let folder = prepared("apart");
    for line in [
        "run gate_only --input said.wav said.wav --events e.jsonl --html page.html --output .",
        "run gate_only --input said.wav --events /dev/null --html /dev/null",
        "simulate gate_only --sessions 1 --duration 5s --set limits=() --events e.jsonl --html page.html --trace t.json",
    ] {
        let (code, _, err) = folder.run(line);
        assert!(code.is_some_and(|code| code < 2), "{line}: {err}");
    }
    assert!(Path::new("/dev/null").metadata().is_ok_and(|device| !device.is_file()));
}
