//! The command line with the kinds of this crate: every command sees them, chaos runs and replays as well.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const SCENE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scenes/parrot.ron");

fn run(arguments: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_mynah-custom"));
    program.args(arguments).output().expect("it is built")
}

/// What it prints when all is well.
fn said(arguments: &[&str]) -> String {
    let Output { status, stdout, stderr } = run(arguments);
    let (out, err) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "mynah-custom {}: {status}\n{out}\n{err}", arguments.join(" "));
    out.into_owned()
}

fn written(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[test]
fn it_is_checked_and_drawn() {
    let checked = said(&["check", SCENE, "--deny-warnings"]);
    assert!(checked.starts_with("ok"), "{checked}");
    let drawn = said(&["graph", SCENE]);
    for name in ["Limiter", "limit", "voice"] {
        assert!(drawn.contains(name), "{name}: {drawn}");
    }
    let systems = said(&["graph", SCENE, "--systems"]);
    assert!(systems.contains("limit (Limiter)"), "{systems}");
}

#[test]
fn its_answers_are_heard_and_its_log_replays() {
    let log = written("parrot.jsonl");
    let log = log.to_str().expect("a path of letters");
    drop(std::fs::remove_file(log));
    let load = ["simulate", SCENE, "--sessions", "3", "--duration", "30s", "--check", "--json"];
    let report = said(&[&load[..], &["--events", log]].concat());
    let report: mynah_engine::serde_json::Value =
        mynah_engine::serde_json::from_str(&report).expect("it is JSON");
    assert!(report["turns"]["answered"].as_u64() > Some(2), "{}", report["turns"]);
    for node in ["limit", "reply", "voice"] {
        let nodes = report["nodes"].as_array().expect("nodes");
        let node = nodes.iter().find(|found| found["id"] == node).expect(node);
        assert!(node["out"].as_u64() > Some(0), "{node}");
    }
    said(&["replay", log]);
}

#[test]
fn chaos_finds_nothing() {
    said(&["simulate", SCENE, "--faults", "chaos", "--seeds", "1..20", "--sessions", "2"]);
}

#[test]
fn without_them_the_scene_is_refused() {
    // The standard program would say: no kind `Limiter`.
    let found = mynah_engine::scene::compile(
        &mynah_engine::scene::Source::new("parrot.ron", include_str!("../scenes/parrot.ron")),
        &[],
        None,
        &mynah_systems::registry(None),
    );
    let text = format!("{:?}", found.map(|_| ()).expect_err("it is refused"));
    assert!(text.contains("Limiter") && text.contains("Parrot") && text.contains("Chime"), "{text}");
}

#[test]
fn a_name_of_mynahs_is_refused_by_name() {
    let mut own = mynah_engine::Registry::new();
    own.add::<mynah_systems::Pass>();
    let taken = mynah_systems::registry(None).extend(&own).map(|_| ()).expect_err("it has one");
    assert_eq!((taken.what, taken.name), ("node kind", "Pass"));
    assert!(taken.to_string().contains("name of its own"), "{taken}");
}
