//! What mynah says of the machine it runs on, and what it tells shells and the manual of itself.

#[path = "support/given.rs"]
mod given;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use clap::CommandFactory as _;
use given::program;
use mynah::args::Cli;
use mynah_sim::scenes::all;
use serde_json::Value;

fn mynah(line: &str) -> (Option<i32>, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_mynah"))
        .args(line.split(' '))
        .env("NO_COLOR", "1")
        .output()
        .expect("the program was built");
    assert!(
        out.stderr.is_empty() || out.status.code() != Some(0),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let bytes = if out.status.code() == Some(0) { out.stdout } else { out.stderr };
    (out.status.code(), String::from_utf8(bytes).expect("it is text"))
}

fn commands() -> Vec<String> {
    Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect()
}

/// Runs a program on a file: `None` if there is no such program.
fn outside(name: &str, arguments: &[&str]) -> Option<(bool, String)> {
    let out = Command::new(program(&[name])?).args(arguments).output().expect("it is installed");
    let text = [&out.stdout, &out.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    Some((out.status.success(), text))
}

/// What is said of a machine, in each way there is; `#` is a number, `*` any words.
const SHAPES: [(&str, &[&str]); 6] = [
    ("clock", &["steps of # ns, # ns a reading"]),
    ("sleep overshoot", &["P# # us, P# # us late (# sleeps of # us)"]),
    ("memory", &["# of # GiB free", "# of # GiB free, bounded to # GiB", "unknown on this system"]),
    (
        "shared memory",
        &[
            "/dev/shm, *; nothing in this build needs it",
            "there is no /dev/shm; nothing in this build needs it",
        ],
    ),
    ("loopback", &["a connection with itself works", "no connection with itself: *"]),
    // Both are taken by this test.
    ("terminal", &["stdout is no terminal, stderr is no terminal; no colours"]),
];

/// The numbers in a text, in order.
fn numbers(text: &str) -> Vec<f64> {
    let parts = text.split(|c: char| !c.is_ascii_digit() && c != '.');
    parts.filter_map(|part| part.parse().ok()).collect()
}

fn has_shape(text: &str, shape: &str) -> bool {
    let Some(at) = shape.find(['#', '*']) else { return text == shape };
    let (before, rest) = (&shape[..at], &shape[at + 1..]);
    let Some(text) = text.strip_prefix(before) else { return false };
    let is_part = |c: char| shape[at..].starts_with('*') || c.is_ascii_digit() || c == '.';
    let ends = text.char_indices().take_while(|(_, c)| is_part(*c)).map(|(at, c)| at + c.len_utf8());
    ends.into_iter().any(|end| has_shape(&text[end..], rest))
}

#[test]
fn the_machine_is_described_and_nothing_stands_in_the_way() {
    // Occupied while the doctor looks, whoever has it.
    let occupied = TcpListener::bind("127.0.0.1:9464");
    let (code, text) = mynah("doctor --json");
    drop(occupied);
    assert_eq!(code, Some(0), "{text}");
    let found: Value = serde_json::from_str(&text).expect("one JSON object");
    let checks = found["checks"].as_array().expect("a list of checks");
    let check = |name: &str| {
        checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("{name}: {text}"))
    };
    let value =
        |name: &str| check(name)["value"].as_str().unwrap_or_else(|| panic!("{name}: {text}")).to_owned();
    let begins = format!("mynah {}; scene gate_only compiles and ticks", env!("CARGO_PKG_VERSION"));
    assert!(value("engine").starts_with(&begins), "{text}");
    let cores = std::thread::available_parallelism().map(|count| count.to_string());
    assert_eq!(value("cores"), cores.expect("a test machine says how many it has"));
    for (name, shape) in SHAPES {
        let value = value(name);
        assert!(shape.iter().any(|shape| has_shape(&value, shape)), "{name}: {value:?} is none of {shape:?}");
    }
    assert!(!has_shape("steps of  ns, 28 ns a reading", SHAPES[0].1[0]), "a number is missing");
    let [late, free] = ["sleep overshoot", "memory"].map(|name| numbers(&value(name)));
    assert!(late[1] <= late[3], "P50 is at most P99: {late:?}");
    assert!(free.len() < 2 || (0.0 < free[0] && free[0] <= free[1]), "what is free is there: {free:?}");
    #[cfg(target_arch = "x86_64")]
    for (name, there) in [
        ("avx2", std::is_x86_feature_detected!("avx2")),
        ("fma", std::is_x86_feature_detected!("fma")),
        ("avx512f", std::is_x86_feature_detected!("avx512f")),
    ] {
        let said = value("cpu features");
        let named = !said.starts_with("none of ") && said.split(", ").any(|one| one == name);
        assert_eq!(named, there, "{name}: {said}");
    }
    assert_eq!(check("engine")["standing"], "ok");
    assert_eq!((&check("metrics port")["standing"], &found["standing"]), (&"warn".into(), &"warn".into()));
    assert!(check("python")["value"].as_str().is_some_and(|v| v.contains("nothing in this build needs it")));
    // Whatever is not as it should be says what helps.
    for check in checks {
        let fine = check["standing"] == "ok";
        assert_eq!(check["remedy"].as_str().map(str::is_empty), Some(fine), "{check}");
    }
    let (code, text) = mynah("doctor");
    assert!(code == Some(0) && text.contains("sleep overshoot  P50 "), "{text}");
}

#[test]
fn completions_of_every_shell_know_every_command_and_flag() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("surroundings");
    fs::create_dir_all(&folder).expect("the target folder can be written");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, text) = mynah(&format!("completions {shell}"));
        assert_eq!(code, Some(0), "{shell}: {text}");
        for word in commands().into_iter().chain(["fail-on-regression", "vad-trace"].map(Into::into)) {
            assert!(text.contains(&word), "{shell}: no {word}");
        }
        let path = folder.join(format!("mynah.{shell}"));
        fs::write(&path, text).expect("the folder can be written");
        let path = path.to_string_lossy().into_owned();
        let checked = match shell {
            "bash" | "zsh" => outside(shell, &["-n", &path]),
            "fish" => outside(shell, &["--no-execute", &path]),
            _ => None,
        };
        if let Some((fine, said)) = checked {
            assert!(fine && said.is_empty(), "{shell}: {said}");
        }
    }
    let names: Vec<&str> = all().map(|(name, _)| *name).collect();
    for shell in ["bash", "zsh", "fish"] {
        let (_, text) = mynah(&format!("completions {shell}"));
        for word in names.iter().copied().chain(["chaos", "churn"]) {
            assert!(text.contains(word), "{shell}: no {word}");
        }
    }
    let (code, text) = mynah("completions ksh");
    assert!(code == Some(2) && text.contains("bash"), "{text}");
}

/// Typed words (the last one half typed), and what bash offers.
const COMPLETED: &[(&str, &[&str])] = &[
    ("run specu", &["speculative_vad"]),
    ("check gate", &["gate_only"]),
    ("simulate voice", &["voice_assistant", "voice_assistant_cloud"]),
    ("graph pass", &["passthrough"]),
    ("bench capacity over", &["overflow"]),
    ("simulate --faults c", &["chaos", "churn"]),
    ("simulate --faults ./my", &[]),
    ("run ./my", &[]),
];

#[test]
fn bash_completes_scenes_and_presets() {
    let Some(bash) = given::program(&["bash"]) else { return };
    let (_, script) = mynah("completions bash");
    let mut wrong = Vec::new();
    for (typed, wanted) in COMPLETED {
        let words: Vec<&str> = std::iter::once("mynah").chain(typed.split(' ')).collect();
        let (last, before) = (words[words.len() - 1], words[words.len() - 2]);
        let call = format!(
            "\nCOMP_WORDS=({}); COMP_CWORD={}; _mynah mynah '{last}' '{before}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            words.join(" "),
            words.len() - 1
        );
        let out = Command::new(&bash).args(["-c", &(script.clone() + &call)]).output().expect("bash starts");
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let offered: Vec<&str> = text.split_whitespace().collect();
        if offered != *wanted {
            wrong.push(format!(
                "{typed}: {offered:?}, not {wanted:?} {}",
                String::from_utf8_lossy(&out.stderr)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn help_names_every_scene_and_every_command() {
    let (code, help) = mynah("--help");
    assert_eq!(code, Some(0), "{help}");
    for (name, _) in all() {
        assert!(help.split([' ', ',', '\n']).any(|word| word == *name), "no {name} in\n{help}");
    }
    for line in ["help", "help run", "help bench capacity", "version", "-V"] {
        let (code, text) = mynah(line);
        assert!(code == Some(0) && !text.is_empty(), "{line}: {code:?} {text}");
    }
    assert_eq!(mynah("help run"), mynah("run --help"));
    assert_eq!(mynah("version"), mynah("--version"));
}

#[test]
fn the_manual_has_a_page_for_every_command_and_it_renders() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("surroundings").join("man");
    drop(fs::remove_dir_all(&folder));
    let (code, text) = mynah(&format!("man --output {}", folder.display()));
    assert_eq!(code, Some(0), "{text}");
    let names = commands().into_iter().chain(["bench-capacity".to_owned()]);
    let pages = names.map(|name| format!("mynah-{name}.1")).chain(["mynah.1".to_owned()]);
    for page in pages {
        let path = folder.join(&page);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{page}: {error}"));
        for part in [".TH ", ".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION"] {
            assert!(text.contains(part), "{page}: no {part}");
        }
        let path = path.to_string_lossy().into_owned();
        if let Some((fine, said)) = outside("groff", &["-man", "-Tascii", "-ww", "-z", &path]) {
            assert!(fine && said.is_empty(), "{page}: {said}");
        }
    }
    let (code, page) = mynah("man");
    assert_eq!(code, Some(0));
    for name in commands() {
        assert!(page.contains(&format!("mynah\\-{name}(1)")), "no {name}");
    }
    let (code, page) = mynah("man simulate");
    assert!(code == Some(0) && page.contains("\\-\\-save\\-baseline"), "{page}");
    let (code, page) = mynah("man bench capacity");
    assert!(code == Some(0) && page.contains("\\-\\-p99\\-ms"), "{page}");
    let (code, text) = mynah("man bench capacty");
    assert!(code == Some(2) && text.contains("expected one of capacity"), "{text}");
    let (code, text) = mynah("man simulat");
    assert!(code == Some(2) && text.contains("no such command; expected one of check, graph"), "{text}");
}

#[test]
fn a_run_too_short_to_measure_says_so_and_is_no_missed_limit() {
    let line = "simulate gate_only --sessions 1 --duration 500ms";
    let (code, text) = mynah_both(line);
    assert_eq!(code, Some(2), "{text}");
    for part in
        ["nothing  to measure", "verdict: invalid (nothing to measure for ", "of 4 limits: run longer"]
    {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    assert!(!text.contains("OVER"), "{text}");
}

/// Both outputs together, whatever the exit code.
fn mynah_both(line: &str) -> (Option<i32>, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_mynah"))
        .args(line.split(' '))
        .env("NO_COLOR", "1")
        .output()
        .expect("the program was built");
    let text = [out.stdout, out.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (out.status.code(), text)
}
