//! One story, many ways: a call in virtual time through the engine itself and through programs in C, C++, C# and Python.
//! Every event has the same time and the same words, and the answer the same samples.

#[path = "../../../../tests/support/given.rs"]
mod given;
mod programs;
mod reference;

use std::fs;

use programs::{Program, scratch};

/// Scenes and calls.
const CALLS: &[(&str, &str)] = &[
    ("barge_in", "turns.wav"),
    ("voice_assistant", "cards.wav"),
    ("streaming_resample", "two_cities_48k.wav"),
    ("gate_only", "noisy_pink_0db.wav"),
];

/// Says at which line two stories part.
fn same(what: &str, told: &str, expected: &str) {
    for (at, (one, other)) in told.lines().zip(expected.lines()).enumerate() {
        assert_eq!(one, other, "{what}, line {}", at + 1);
    }
    assert_eq!(told.lines().count(), expected.lines().count(), "{what}: lines");
}

fn compare(program: Option<Program>) {
    let Some(program) = program else { return };
    for (scene, call) in CALLS {
        let what = format!("{}: {scene} {call}", program.name);
        let (expected, samples) = reference::story(scene, call);
        let out = scratch(&format!("{}_{scene}.f32", program.name));
        let (scene, call) = (programs::scene(scene), given::own().join(call));
        let told = program.run(&["--story".as_ref(), scene.as_ref(), call.as_ref(), out.as_ref()]);
        same(&what, &told, &expected);
        let heard = fs::read(&out).expect("the program wrote it");
        let expected: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        assert!(heard == expected, "{what}: {} bytes of sound, expected {}", heard.len(), expected.len());
        assert!(samples.len() > 8_000 || told.lines().count() > 4, "{what}: nothing happens");
    }
}

#[test]
fn in_c() {
    compare(programs::c());
}

#[test]
fn in_cpp() {
    compare(programs::cpp());
}

#[test]
fn in_c_sharp() {
    compare(programs::c_sharp());
}

#[test]
fn in_python() {
    compare(programs::python());
}

#[test]
fn structs_have_one_layout() {
    let expected = reference::layout();
    for program in
        [programs::c(), programs::cpp(), programs::c_sharp(), programs::python()].into_iter().flatten()
    {
        same(program.name, &program.run(&["--layout".as_ref()]), &expected);
    }
}
