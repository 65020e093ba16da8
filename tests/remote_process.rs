//! A scene whose output goes to another process over gRPC: what the gate decides here is acknowledged there, and answers
//! come back. Both are programs of their own, with a real socket between them.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// `mynah serve` with gRPC, until this is dropped.
struct Served {
    child: Child,
    grpc: String,
}

impl Served {
    fn of(arguments: &[&str]) -> Self {
        let free = "127.0.0.1:0";
        let mut child = mynah()
            .args(["serve", "remote_answers", "--bind", free, "--ops", free, "--grpc", free])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let grpc = lines.by_ref().find_map(|line| {
            let line = line.expect("it is text");
            line.contains("gRPC").then(|| line.split(' ').next_back().unwrap_or_default().to_owned())
        });
        let grpc = grpc.expect("it says where it serves");
        Self { child, grpc: grpc.trim_start_matches("http://").to_owned() }
    }

    fn kill(&mut self) {
        self.child.kill().expect("it still runs");
        self.child.wait().expect("it is a child");
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn mynah() -> Command {
    Command::new(env!("CARGO_BIN_EXE_mynah"))
}

/// The scene with its output at this address.
fn simulate(address: &str, scene: &str, arguments: &[&str]) -> Command {
    let mut command = mynah();
    let transports = format!("transports=[Grpc(address: {address:?}, scene: {scene:?})]");
    command.args(["simulate", "remote_process", "--sessions", "4", "--set", &transports]).args(arguments);
    // A machine that does other things meanwhile is no reason to fail.
    command.args(["--set", "limits.frame_in_to_out_p99_ms=5000"]);
    command
}

/// Long enough for everybody to have said something.
const WALL: [&str; 6] = ["--clock", "wall", "--aligned", "--duration", "16s", "--json"];

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no count: {value}"))
}

#[test]
fn every_correction_is_acknowledged_by_another_process_and_answers_come_back() {
    let served = Served::of(&[]);
    let out = simulate(&served.grpc, "remote_answers", &WALL).output().expect("the program starts");
    let errors = String::from_utf8_lossy(&out.stderr);
    let report: Value =
        serde_json::from_slice(&out.stdout).unwrap_or_else(|error| panic!("{error}\n{errors}"));
    let across = &report["across"];
    let [sent, back, delivered, applied, failed] =
        ["sent", "takes_back", "delivered", "applied", "failed"].map(|name| count(&across[name]));
    assert!(back > 4 && sent > back, "{across:#}");
    assert_eq!((delivered, applied, failed), (sent, sent, 0), "{across:#}");
    assert_eq!((&across["sessions"], &across["lost"]), (&4.into(), &0.into()), "{across:#}");
    assert!(across["broken"].is_null() && report["verdict"] == "ok", "{report:#}");
    assert!(count(&report["segments"]["confirmed"]) >= 4, "{report:#}");
    // Somebody spoke, was understood over there, and was answered.
    assert!(across["sound_heard_s"].as_f64() > Some(2.0) && count(&across["events"]) > 8, "{across:#}");
    assert_eq!(out.status.code(), Some(0), "{errors}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "it dies while they talk")]
fn a_server_that_dies_is_told_as_lost_sessions() {
    let mut served = Served::of(&[]);
    let mut command = simulate(&served.grpc, "", &WALL);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the program starts");
    std::thread::sleep(Duration::from_secs(4));
    served.kill();
    let out = child.wait_with_output().expect("it is a child");
    let report: Value = serde_json::from_slice(&out.stdout).expect("it reports all the same");
    assert_eq!(report["across"]["lost"], 4, "{report:#}");
    assert!(report["across"]["broken"].as_array().is_some_and(|broken| !broken.is_empty()), "{report:#}");
    assert_eq!((report["verdict"].as_str(), out.status.code()), (Some("over"), Some(1)), "{report:#}");
}

#[test]
fn what_cannot_be_reached_is_said_with_what_would_help() {
    let said = |command: &mut Command| {
        let out = command.output().expect("the program starts");
        assert_eq!(out.status.code(), Some(2), "{out:?}");
        String::from_utf8_lossy(&out.stderr).into_owned()
    };
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = free.local_addr().expect("it is bound").to_string();
    drop(free);
    let nobody = said(&mut simulate(&address, "remote_answers", &WALL));
    assert!(nobody.contains(&format!("mynah serve remote_answers --grpc {address}")), "{nobody}");
    let timeless = said(&mut simulate(&address, "", &["--duration", "1s"]));
    assert!(timeless.contains("--clock wall"), "{timeless}");
    let served = Served::of(&["--max-sessions", "2"]);
    let full = said(&mut simulate(&served.grpc, "", &WALL));
    assert!(full.contains("capacity"), "{full}");
}
