//! `.ci/run`: which tests it runs, what it gives them, which skips it expects, what it says in the end, and when it calls
//! `.ci/setup` and `.ci/full`. A script stands in for cargo and tells how it was called.

#![cfg(unix)]

#[path = "support/given.rs"]
mod given;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use given::{Skip, program};

/// What the script needs. Nothing else is installed.
const TOOLS: &str = "bash basename cat dirname env git grep mktemp rm sed sleep sort tr df";
/// Writes down how it was called; a test says what it skips; what `FAILS` matches fails.
const CARGO: &str = r#"#!/usr/bin/env bash
given="recordings=${MYNAH_RECORDINGS-} references=${MYNAH_REFERENCES-}"
echo "$* | CI=${CI-} $given expected=${MYNAH_SKIPS_EXPECTED-} " >> "$CALLS"
if [[ $1 == test && -n ${MYNAH_SKIPPED_FILE-} ]]; then
    lines=("skipped: promtool is not installed: a test" "not set: MYNAH_RECORDINGS: a test")
    [[ -n ${MYNAH_RECORDINGS-} ]] || printf '%s\n' "${lines[@]}" >> "$MYNAH_SKIPPED_FILE"
fi
[[ "$*" != ${FAILS:-none} ]]
"#;
/// A bench that criterion runs, and one that it does not.
const BENCHES: [(&str, &str); 2] =
    [("edge", "use criterion::Criterion;\n"), ("wake", "// Not for criterion.\n")];

/// A checkout with nothing in it but what the script reads, and the stand-in; `None` where a tool is missing.
fn checkout(name: &str) -> Option<PathBuf> {
    let outer = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ci").join(name);
    drop(fs::remove_dir_all(&outer));
    let top = outer.join("mynah");
    for folder in [".ci", "benches", "bin"] {
        fs::create_dir_all(top.join(folder)).expect("the target folder can be written");
    }
    for tool in TOOLS.split(' ') {
        symlink(program(&[tool])?, top.join("bin").join(tool)).expect("the folder is new");
    }
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for file in [".ci/run", ".ci/steps", ".ci/full", ".ci/setup", "README.md"] {
        fs::copy(ours.join(file), top.join(file)).expect("it is there");
    }
    for (bench, text) in BENCHES {
        fs::write(top.join("benches").join(format!("{bench}.rs")), text).expect("the folder is new");
    }
    write_program(&top.join("bin/cargo"), CARGO);
    Some(top)
}

fn write_program(path: &Path, text: &str) {
    fs::write(path, text).expect("the folder is ours");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
}

/// Exit code of `.ci/run`, what was said, and how cargo was called.
fn run(top: &Path, environment: &[(&str, &str)]) -> (Option<i32>, String, Vec<String>) {
    script(top, ".ci/run", environment)
}

fn script(top: &Path, name: &str, environment: &[(&str, &str)]) -> (Option<i32>, String, Vec<String>) {
    let calls = top.join("calls");
    drop(fs::remove_file(&calls));
    let out = Command::new(top.join("bin/bash"))
        .arg(top.join(name))
        .env("PATH", top.join("bin"))
        .env("CALLS", &calls)
        .env_remove("CI")
        .env_remove("CI_STEPS")
        .env_remove("CI_SKIPPED")
        .env_remove("MYNAH_SKIPPED_FILE")
        .env_remove("MYNAH_SKIPS_EXPECTED")
        .env_remove("MYNAH_RECORDINGS")
        .env_remove("MYNAH_REFERENCES")
        .env_remove("MYNAH_TEST_PYTHON")
        .envs(environment.iter().copied())
        .output()
        .expect("there is a bash");
    let said = [out.stdout, out.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    let calls = fs::read_to_string(&calls).unwrap_or_default();
    (out.status.code(), said, calls.lines().map(str::to_owned).collect())
}

fn call<'a>(calls: &'a [String], start: &str) -> Vec<&'a String> {
    calls.iter().filter(|call| call.starts_with(start)).collect()
}

#[test]
fn with_nothing_beside_it_the_tests_run_as_the_readme_has_it_and_every_skip_is_listed() {
    let Some(top) = checkout("alone") else { return };
    let (code, said, calls) = run(&top, &[]);
    assert_eq!(code, Some(0), "{said}");
    let [tests] = call(&calls, "test --workspace | CI=1 recordings= references= expected=")[..] else {
        panic!("{calls:#?}")
    };
    let missing = "promtool prometheus script zsh fish groff shellcheck strace pulseaudio chromium prometheus_client MYNAH_RECORDINGS MYNAH_REFERENCES";
    for name in missing.split(' ') {
        assert!(tests.contains(&format!("{name} ")), "{name}: {tests}");
    }
    assert!(call(&calls, "test --no-fail-fast -p mynah --lib").is_empty(), "{calls:#?}");
    assert_eq!(call(&calls, "test -p mynah --bench edge |").len(), 1, "{calls:#?}");
    for line in ["skipped: promtool is not installed: a test", "not set: MYNAH_RECORDINGS: a test"] {
        assert_eq!(said.matches(line).count(), 1, "{said}");
    }
    assert!(said.contains("not run: .ci/full") && !said.contains("== setup"), "{said}");

    let (code, said, _) = run(&top, &[("FAILS", "test --workspace")]);
    assert!(code == Some(1) && said.contains("FAILED: tests\n"), "{said}");
    fs::write(top.join("README.md"), "```sh\ncargo run\n```\n").expect("it is ours");
    let (code, said, _) = run(&top, &[]);
    assert!(code == Some(1) && said.contains("FAILED: tests\n"), "{said}");
}

#[test]
fn recordings_beside_it_or_in_the_variables_are_asked_once_more() {
    let Some(top) = checkout("beside") else { return };
    let folder = |name: &str| top.with_file_name(name).display().to_string();
    let (speech, references) = (folder("shared/speech"), folder("shared/models"));
    let (mine, bin) = (folder("mine"), top.join("bin"));
    for path in [&speech, &references] {
        fs::create_dir_all(path).expect("the target folder can be written");
    }
    // A program that is there may not be missing.
    symlink(bin.join("bash"), bin.join("zsh")).expect("the folder is new");
    for (environment, recordings) in
        [(&[][..], speech.as_str()), (&[("MYNAH_RECORDINGS", mine.as_str())], mine.as_str())]
    {
        let (code, said, calls) = run(&top, environment);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(call(&calls, "test --workspace | CI=1 recordings= references= ").len(), 1, "{calls:#?}");
        for targets in [
            "--no-fail-fast -p mynah --test speech_labels --test vad_reference --test moonshine",
            "--workspace --lib -- recordings:: vad::",
        ] {
            let call = call(
                &calls,
                &format!("test {targets} | CI=1 recordings={recordings} references={references} "),
            );
            assert!(call.len() == 1 && !call[0].contains("MYNAH_"), "{targets}: {calls:#?}");
            assert!(!call[0].contains("zsh") && call[0].contains("fish"), "{call:?}");
        }
        assert!(!said.contains("not set:"), "it was asked: {said}");
        assert_eq!(said.matches("skipped: promtool is not installed: a test").count(), 1, "{said}");
    }
    let (code, said, _) = run(&top, &[("FAILS", "*--test moonshine")]);
    assert!(code == Some(1) && said.contains("FAILED: tests with recordings\n"), "{said}");
}

/// Rows of the table of steps: name, wall seconds, CPU seconds, and what stands behind the space left.
fn table(said: &str) -> Vec<(String, [u64; 2], String)> {
    let rows =
        said.lines().skip_while(|line| !(line.starts_with("step ") && line.ends_with("GB left"))).skip(1);
    rows.take_while(|line| !line.is_empty())
        .map(|line| {
            let (name, rest) = line.split_at(28);
            let words: Vec<&str> = rest.split_whitespace().collect();
            let seconds = [0, 1].map(|at| words[at].parse().expect("whole seconds"));
            (name.trim().to_owned(), seconds, words.get(3..).unwrap_or_default().join(" "))
        })
        .collect()
}

/// What every run goes through, but for the tests with recordings.
const STEPS: [&str; 10] = [
    "format",
    "lints",
    "tests",
    "mutations",
    "interleavings",
    "documentation",
    "benches",
    "benches once",
    "main job",
    "fresh seeds",
];

#[test]
fn the_time_of_every_step_stands_in_a_table() {
    let Some(top) = checkout("table") else { return };
    // A step that computes for a second or more, and one that waits as long.
    let costs =
        "case $* in doc*) for ((i = 0; i < 1500000; i++)); do :; done ;; *mutations) sleep 2 ;; esac\n";
    write_program(&top.join("bin/cargo"), &CARGO.replacen("given=", &format!("{costs}given="), 1));
    let (code, said, _) = run(&top, &[("FAILS", "build *")]);
    assert_eq!(code, Some(1), "{said}");
    let rows = table(&said);
    let names: Vec<&str> = rows.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, [&STEPS[..], &["total"]].concat(), "{said}");
    for (name, [wall, cpu], state) in &rows {
        let (waits, works) = (*name == "mutations" || *name == "total", *name == "documentation");
        assert!(*wall >= 1 || !(waits || works), "{name}: {said}");
        assert!(*cpu >= 1 || !works, "{name}: {said}");
        assert!(*cpu == 0 || name != "mutations", "{name}: {said}");
        assert_eq!(state == "FAILED", name == "benches", "{name}: {said}");
    }
    assert!(said.contains("FAILED: benches\n"), "{said}");
}

#[test]
fn in_ci_the_setup_comes_first_and_what_needs_more_than_cargo_last() {
    let Some(top) = checkout("ci") else { return };
    let steps = |said: &str| -> Vec<String> { table(said).into_iter().map(|(name, ..)| name).collect() };
    // Nothing is installed here, and no apt-get is there.
    let (code, said, calls) = run(&top, &[("CI", "true")]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(
        steps(&said),
        [&["setup"], &STEPS[..], &["bevy", "services", "serve", "total"]].concat(),
        "{said}"
    );
    assert!(said.contains("nothing is installed: there is no apt-get"), "{said}");
    assert_eq!(said.matches("valgrind is not installed").count(), 1, "{said}");
    assert!(!said.contains("not run:") && said.contains("all is well"), "{said}");
    assert!(call(&calls, "test --no-fail-fast -p mynah --test ci").is_empty(), "{calls:#?}");

    write_program(&top.join("bin/valgrind"), "#!/usr/bin/env bash\n");
    for (text, code) in [("exit 0\n", 0), ("exit 1\n", 1)] {
        write_program(&top.join("benches/instructions.sh"), &format!("#!/usr/bin/env bash\n{text}"));
        let (done, said, _) = run(&top, &[("CI", "true")]);
        assert_eq!(done, Some(code), "{said}");
        assert_eq!(
            steps(&said),
            [&["setup"], &STEPS[..], &["bevy", "services", "serve", "instructions", "total"]].concat(),
            "{said}"
        );
        assert_eq!(said.contains("FAILED: instructions\n"), code == 1, "{said}");
    }
}

#[test]
fn called_alone_the_full_script_asks_the_programs_that_are_there() {
    let Some(top) = checkout("full") else { return };
    symlink(top.join("bin/bash"), top.join("bin/fish")).expect("the folder is new");
    let (code, said, calls) = script(&top, ".ci/full", &[]);
    assert_eq!(code, Some(0), "{said}");
    let [tests] = call(&calls, "test --no-fail-fast -p mynah --test")[..] else { panic!("{calls:#?}") };
    assert!(tests.contains("| CI=1 ") && tests.contains(" zsh ") && !tests.contains("fish"), "{tests}");
    assert!(said.contains("skipped: valgrind is not installed"), "{said}");
    assert!(said.contains("skipped: numpy, gymnasium or pytest is not installed"), "{said}");
    // Nor is the library of ALSA, for the tests of sound devices.
    assert!(
        said.contains("skipped: libasound2-dev is not installed")
            && table(&said).iter().all(|(name, ..)| name != "sound"),
        "{said}"
    );
    write_program(&top.join("bin/pkg-config"), "#!/usr/bin/env bash\n");
    let (code, said, calls_with_sound) = script(&top, ".ci/full", &[]);
    assert_eq!(code, Some(0), "{said}");
    let [sound] = call(&calls_with_sound, "test --no-fail-fast -p mynah --features talk")[..] else {
        panic!("{calls_with_sound:#?}")
    };
    assert!(sound.contains("--test talk ") && sound.contains(" pulseaudio "), "{sound}");
    // Every test that asks a program is among them.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests");
    for entry in fs::read_dir(folder).expect("the tests are there").flatten() {
        let file = entry.file_name().to_string_lossy().into_owned();
        let Some(name) = file.strip_suffix(".rs") else { continue };
        let text = fs::read_to_string(entry.path()).expect("sources are text");
        // All machines that run these scripts have bash.
        let asks = text.replace("program(&[\"bash\"])", "");
        if asks.contains("program(&[") || asks.contains("Browser::find(") {
            assert!(tests.contains(&format!("--test {name} ")), "{name}: {tests}");
        }
    }
    let (code, said, _) = script(&top, ".ci/full", &[("FAILS", "test *")]);
    assert!(code == Some(1) && said.contains("FAILED: programs, sound, bevy, services, serve\n"), "{said}");
}

#[test]
fn the_scripts_are_free_of_what_shellcheck_finds() {
    let Some(shellcheck) = program(&["shellcheck"]) else { return };
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let scripts = [
        ".ci/run",
        ".ci/setup",
        ".ci/full",
        ".ci/steps",
        "benches/instructions.sh",
        "tests/interop/all",
        "tests/interop/served",
        "tests/interop/setup",
    ];
    let done = Command::new(shellcheck).arg("--external-sources").args(scripts).current_dir(top).output();
    let done = done.expect("it is installed");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
}

#[test]
fn a_skip_fails_where_ci_does_not_expect_it() {
    let absent = Skip::Absent("promtool");
    let not_set = Skip::NotSet("MYNAH_REFERENCES");
    let unusable = Skip::Unusable("script", "no pseudo terminal".into());
    let rows = [
        (&absent, None, None, false),
        (&absent, Some("0"), Some("fish"), false),
        (&absent, Some("1"), None, false),
        (&absent, Some("1"), Some("fish promtool"), false),
        (&absent, Some("1"), Some("prom tool promtools"), true),
        (&absent, Some("true"), Some(""), true),
        (&not_set, Some("true"), None, false),
        (&not_set, Some("1"), Some("MYNAH_RECORDINGS"), true),
        (&unusable, None, None, false),
        (&unusable, Some("1"), None, true),
        (&unusable, Some("true"), Some("script"), false),
    ];
    let wrong: Vec<_> = rows
        .iter()
        .filter(|(skip, ci, expected, fails)| skip.is_unexpected(*ci, *expected) != *fails)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
