//! docs/deploying.md names every setting of `mynah serve`, with its variable, its flag and what holds without them, as the
//! program has them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What a setting is set to, to see that its variable is read.
const SAMPLES: [(&str, &str); 21] = [
    ("MYNAH_SCENES", "passthrough"),
    ("MYNAH_BIND", "127.0.0.1:8181"),
    ("PORT", "8181"),
    ("MYNAH_OPERATIONS", "127.0.0.1:9191"),
    ("MYNAH_GRPC", "127.0.0.1:7171"),
    ("MYNAH_PROTOCOLS", "native"),
    ("MYNAH_MAX_SESSIONS", "7"),
    ("MYNAH_THREADS", "3"),
    ("MYNAH_RECORD", "calls"),
    ("MYNAH_KEYS_FILE", "keys.txt"),
    ("MYNAH_SECRET", "sixteen bytes or more"),
    ("MYNAH_ALLOWED_ORIGINS", "https://app.example"),
    ("MYNAH_TLS_CERTIFICATE", "cert.pem"),
    ("MYNAH_TLS_KEY", "key.pem"),
    ("MYNAH_HEADER_TIMEOUT_MS", "700"),
    ("MYNAH_IDLE_TIMEOUT_S", "7"),
    ("MYNAH_RESUME_MS", "700"),
    ("MYNAH_MAX_CONNECTIONS", "7"),
    ("MYNAH_SESSIONS_PER_SECOND", "7"),
    ("MYNAH_DRAIN_GRACE_S", "2"),
    ("MYNAH_DRAIN_MAX_S", "200"),
];

/// A row of the table.
#[derive(Debug)]
struct Row {
    file: String,
    environment: Vec<String>,
    flag: String,
    default: String,
}

fn rows() -> Vec<Row> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/deploying.md");
    let page = fs::read_to_string(page).expect("the page is there");
    let table = page.lines().skip_while(|line| !line.starts_with("| file |")).skip(2);
    let bare = |cell: &str| cell.trim().trim_matches('`').to_string();
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
        Row {
            file: bare(cells[0]),
            environment: cells[1].split(',').map(bare).filter(|name| !name.is_empty()).collect(),
            flag: bare(cells[2]),
            default: bare(cells[3]),
        }
    };
    table.take_while(|line| line.starts_with('|')).map(row).collect()
}

/// What the program prints with these variables and no other of its own.
fn printed(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mynah"));
    command.arg("serve").args(arguments);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MYNAH_") || name == "PORT") {
        command.env_remove(name);
    }
    let out = command.envs(variables.iter().copied()).output().expect("the program starts");
    assert!(out.status.success(), "{arguments:?} {variables:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).expect("it is text")
}

/// Settings by name with their value and where it comes from; one without a value is `none`.
fn settings(printed: &str) -> BTreeMap<String, (String, String)> {
    let (mut table, mut found) = (String::new(), BTreeMap::new());
    for line in printed.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            table = format!("{name}.");
            if name == "models" {
                found.insert(name.to_string(), ("none".into(), "default".into()));
            }
        } else if let Some((name, value)) = line.strip_prefix("# ").and_then(|rest| rest.split_once(": ")) {
            // Secrets are said, not shown.
            let name = if name.starts_with("client secrets") { "client_secret_key_env" } else { name };
            let value = if value.contains("own") { "none" } else { value };
            found.insert(format!("{table}{name}"), (value.into(), "default".into()));
        } else if let Some((setting, origin)) = line.rsplit_once(" # ") {
            let (name, value) = setting.split_once(" = ").expect("a setting");
            found.insert(format!("{table}{name}"), (value.trim().into(), origin.into()));
        }
    }
    found
}

#[test]
fn the_table_has_every_setting_with_its_default() {
    let rows = rows();
    let found = settings(&printed(&["--print-config"], &[]));
    let named: Vec<&str> = rows.iter().map(|row| row.file.as_str()).collect();
    let missing: Vec<&String> = found.keys().filter(|name| !named.contains(&name.as_str())).collect();
    assert!(missing.is_empty(), "the table lacks {missing:?}");
    for row in &rows {
        let (value, origin) = found.get(&row.file).unwrap_or_else(|| panic!("`{}` is no setting", row.file));
        assert_eq!(origin, "default", "{row:?}");
        // As many as the machine has.
        if row.default != "cores" {
            assert_eq!(*value, row.default, "{row:?}");
        }
    }
}

#[test]
fn every_variable_of_the_table_is_read() {
    let rows = rows();
    let named: Vec<&String> = rows.iter().flat_map(|row| &row.environment).collect();
    for (name, _) in SAMPLES {
        assert!(named.iter().any(|one| *one == name), "the table lacks {name}");
    }
    let before = settings(&printed(&["--print-config"], &[]));
    for row in &rows {
        for name in &row.environment {
            let sample = SAMPLES.iter().find(|(one, _)| one == name);
            let (name, value) = sample.unwrap_or_else(|| panic!("no sample for {name}"));
            // A certificate is nothing without its key.
            let pair = [("MYNAH_TLS_CERTIFICATE", "c.pem"), ("MYNAH_TLS_KEY", "k.pem")];
            let with = pair.iter().filter(|(one, _)| name.starts_with("MYNAH_TLS") && one != name).copied();
            let variables: Vec<(&str, &str)> = with.chain([(*name, *value)]).collect();
            let after = settings(&printed(&["--print-config"], &variables));
            assert_ne!(before[&row.file], after[&row.file], "{name} changes nothing of `{}`", row.file);
        }
    }
}

#[test]
fn every_flag_of_the_table_is_one() {
    let help = printed(&["--help"], &[]);
    let mut flags = 0;
    for row in rows() {
        if row.flag.starts_with("--") {
            assert!(help.contains(&format!("{} <", row.flag)), "{}: no such flag:\n{help}", row.flag);
            flags += 1;
        }
    }
    assert_eq!(flags, 8, "flags of settings");
    let given = printed(
        &["passthrough", "--set", "pass_1.gain=1.0", "--max-sessions", "9", "--print-config"],
        &[("MYNAH_MAX_SESSIONS", "7"), ("MYNAH_SCENES", "gate_only")],
    );
    let given = settings(&given);
    assert_eq!(given["max_sessions"], ("9".into(), "flag".into()), "flags go before the environment");
    assert_eq!(given["scenes"], ("[\"passthrough\"]".into(), "flag".into()));
}
