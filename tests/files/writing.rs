//! A file is there whole or as it was; devices, pipes and files of several names are written as they are.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::process::Stdio;

use crate::place::{Folder, none};

/// Command, and the file it writes.
const WRITES: &[(&str, &str)] = &[
    ("run gate_only --input said.wav --events old", "old"),
    ("run gate_only --input said.wav --vad-trace old", "old"),
    ("run gate_only --input said.wav --html old", "old"),
    ("run passthrough --input said.wav --output .", "said.out.wav"),
    ("simulate gate_only --sessions 2 --duration 3s --set limits=() --events old", "old"),
    ("simulate gate_only --sessions 2 --duration 3s --set limits=() --vad-trace old", "old"),
    ("simulate gate_only --sessions 2 --duration 3s --set limits=() --trace old", "old"),
    ("simulate gate_only --sessions 2 --duration 3s --set limits=() --html old", "old"),
    ("simulate gate_only --sessions 2 --duration 3s --set limits=() --save-baseline old", "old"),
    ("simulate gate_only --sessions 2 --duration 3s --faults chaos --events old", "old"),
    ("man --output .", "mynah-simulate.1"),
];

/// A disk that is full after half a kilobyte.
const FULL: &str = "trap '' XFSZ; ulimit -f 1; exec \"$@\"";

#[test]
fn a_file_that_could_not_be_written_is_as_it_was() {
    let folder = Folder::new("failed");
    let mut failed = Vec::new();
    for (line, file) in WRITES {
        folder.put(file, b"yesterday's");
        let (code, _, err) = folder.shell(FULL, line);
        let whole = folder.get(file) == b"yesterday's";
        if code != Some(2) || !whole || !folder.drafts().is_empty() || !err.contains("too large") {
            failed.push(format!("{line}: {code:?}, whole {whole}, {:?}, {err}", folder.drafts()));
        }
        fs::remove_file(folder.at(file)).expect("it is there");
        let (code, _, err) = folder.shell(FULL, line);
        if code != Some(2) || folder.at(file).exists() {
            failed.push(format!("{line}, nothing there before: {code:?} {err}"));
        }
    }
    none(failed);
}

#[test]
fn a_file_that_was_written_is_whole_and_has_the_permissions_of_the_old_one() {
    let folder = Folder::new("written");
    let mut failed = Vec::new();
    for (line, file) in WRITES {
        drop(fs::remove_file(folder.at(file)));
        folder.put("like", b"");
        let usual = folder.at("like").metadata().expect("it is there").mode();
        let (code, _, err) = folder.run(line);
        let mode = || folder.at(file).metadata().map(|found| found.mode());
        if code.is_none_or(|code| code > 1) || !mode().is_ok_and(|mode| mode == usual) {
            failed.push(format!("{line}: {code:?} {err} {:?}", mode()));
            continue;
        }
        let first = folder.get(file).len();
        folder.put(file, &vec![b'x'; first + 10_000]);
        fs::set_permissions(folder.at(file), Permissions::from_mode(0o640)).expect("it is mine");
        folder.run(line);
        let (bytes, mode) = (folder.get(file), mode());
        let fresh = !bytes.ends_with(b"xxxx");
        if !fresh || !mode.is_ok_and(|mode| mode & 0o777 == 0o640) || !folder.drafts().is_empty() {
            failed.push(format!("{line}, over another: {} bytes, {first} before", bytes.len()));
        }
    }
    none(failed);
}

#[test]
fn links_stay_links() {
    let folder = Folder::new("links");
    let line = "run gate_only --input said.wav --events";
    let plain = {
        folder.done(&format!("{line} plain"));
        folder.text("plain")
    };
    folder.put("target", b"old");
    symlink("target", folder.at("link")).expect("links can be made");
    symlink("coming", folder.at("dangling")).expect("links can be made");
    folder.put("name", b"old");
    fs::hard_link(folder.at("name"), folder.at("other_name")).expect("links can be made");
    for (path, content) in [("link", "target"), ("dangling", "coming"), ("name", "other_name")] {
        folder.done(&format!("{line} {path}"));
        assert!(folder.text(content) == plain, "{path}");
    }
    for link in ["link", "dangling"] {
        assert!(folder.at(link).is_symlink(), "{link}");
    }
}

#[test]
fn pipes_and_devices_are_written_as_they_are() {
    let folder = Folder::new("devices");
    let line = "run gate_only --input said.wav --events";
    folder.done(&format!("{line} plain"));
    let script = "mkfifo pipe; cat pipe > got & \"$@\"; code=$?; wait; exit $code";
    let (code, out, err) = folder.shell(script, &format!("{line} pipe"));
    assert!(code == Some(0) && folder.text("got") == folder.text("plain"), "{out} {err}");
    let (code, out, err) = folder.shell("\"$@\" | cat", &format!("{line} /dev/stdout"));
    assert!(code == Some(0) && out.starts_with(&folder.text("plain")), "{out} {err}");
    assert!(out.contains("said.wav"), "the table is missing: {out}");
    let full = folder.run(&format!("{line} /dev/full"));
    assert!(full.0 == Some(2) && full.2.contains("/dev/full"), "{full:?}");
}

#[test]
fn a_baseline_goes_where_its_path_leads() {
    let folder = Folder::new("baselines");
    let line = "simulate gate_only --sessions 2 --duration 3s --set limits=() --save-baseline";
    let kept = |name: &str| folder.text(name).contains("\"latency_ms\"");
    folder.put("target", b"old");
    symlink("target", folder.at("link")).expect("links can be made");
    symlink("link", folder.at("to_link")).expect("links can be made");
    for path in ["link", "to_link"] {
        folder.put("target", b"old");
        folder.done(&format!("{line} {path}"));
        assert!(folder.at(path).is_symlink() && kept("target"), "{path}");
    }
    let (code, _, err) = folder
        .shell("mkfifo pipe; cat pipe > got & \"$@\"; code=$?; wait; exit $code", &format!("{line} pipe"));
    assert!(code == Some(0) && kept("got"), "{err}");
    // A device of the folder's own, where one may be made; a link to the machine's, which takes everything.
    symlink("/dev/null", folder.at("null")).expect("links can be made");
    let made = folder.shell("mknod node c 1 3 && echo > node", "").0 == Some(0);
    for path in ["pipe", "null", "node"].into_iter().filter(|path| made || *path != "node") {
        let before = folder.at(path).metadata().expect("it is there");
        if path != "pipe" {
            folder.done(&format!("{line} {path}"));
        }
        let after = folder.at(path).metadata().expect("it is there");
        let same = (before.dev(), before.ino(), before.rdev()) == (after.dev(), after.ino(), after.rdev());
        assert!(same && !after.is_file(), "{path} was replaced");
    }
    assert!(folder.at("null").is_symlink() && folder.drafts().is_empty());
}

#[test]
fn help_that_cannot_be_written_is_a_failure() {
    let folder = Folder::new("help");
    for line in ["--help", "--version", "run --help", "bench capacity --help", "completions bash", "man"] {
        let full = File::options().write(true).open("/dev/full").expect("there is a full disk");
        let output = folder.mynah(line).stdout(full).stderr(Stdio::piped()).output().expect("it starts");
        assert_eq!(output.status.code(), Some(2), "{line}");
        assert!(!output.stderr.is_empty(), "{line}");
        let mut child = folder.mynah(line).stdout(Stdio::piped()).spawn().expect("it starts");
        drop(child.stdout.take());
        assert_eq!(child.wait().expect("it ends").code(), Some(0), "{line} | true");
    }
}
