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
    for name in [
        "engine",
        "cores",
        "cpu features",
        "memory",
        "clock",
        "sleep overshoot",
        "shared memory",
        "loopback",
        "terminal",
    ] {
        assert!(check(name)["value"].as_str().is_some_and(|value| !value.is_empty()), "{name}: {text}");
    }
    assert_eq!(check("engine")["standing"], "ok");
    assert_eq!((&check("metrics port")["standing"], &found["standing"]), (&"warn".into(), &"warn".into()));
    assert!(check("python")["value"].as_str().is_some_and(|v| v.contains("nothing in mynah needs it")));
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
    let (code, text) = mynah("completions ksh");
    assert!(code == Some(2) && text.contains("bash"), "{text}");
}

#[test]
fn the_manual_has_a_page_for_every_command_and_it_renders() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("surroundings").join("man");
    drop(fs::remove_dir_all(&folder));
    let (code, text) = mynah(&format!("man --output {}", folder.display()));
    assert_eq!(code, Some(0), "{text}");
    let pages = commands().into_iter().map(|name| format!("mynah-{name}.1")).chain(["mynah.1".to_owned()]);
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
    let (code, text) = mynah("man simulat");
    assert!(code == Some(2) && text.contains("no such command; expected one of check, graph"), "{text}");
}
