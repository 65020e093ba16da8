//! `mynah run` with services of other processes, in a build that has them: a recording is answered by a server behind HTTP and by a
//! worker in Python, and both runs are repeated from their logs with nobody there.

#[path = "support/given.rs"]
mod given;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use given::Skip;

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("models_outside").join(name);
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).expect("the target folder can be written");
    folder
}

fn checkout() -> PathBuf {
    given::own().ancestors().nth(2).expect("tests/recordings lies in the checkout").to_path_buf()
}

fn mynah(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mynah"));
    command.args(words).current_dir(checkout()).env("NO_COLOR", "1");
    command.env("MYNAH_IPC_PREFIX", format!("mynah_test_{}_", std::process::id()));
    command.env("PYTHONPATH", checkout().join("tools/python/src"));
    command.output().expect("the program was built")
}

fn words(out: &Output) -> String {
    [&out.stdout, &out.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

/// A server of chat completions that counts what it is asked and says the same to everybody.
struct Server {
    address: std::net::SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback works");
        let address = listener.local_addr().expect("it is bound");
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let count = Arc::clone(&count);
                std::thread::spawn(move || answer(stream, &count));
            }
        });
        Self { address, asked }
    }
}

/// Answers the requests of one connection.
fn answer(stream: TcpStream, asked: &AtomicUsize) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let number = asked.fetch_add(1, Ordering::Relaxed);
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
        writer.write_all(head.as_bytes()).ok()?;
        let said = ["Certainly", ", ", "this is ", "answer ", "number ", &number.to_string(), "."];
        let delta = |text: &str| {
            format!(
                "data: {}\n\n",
                serde_json::json!({"choices": [{"index": 0, "delta": {"content": text}}]})
            )
        };
        let end =
            "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
        for piece in said.map(delta).iter().map(String::as_str).chain([end]) {
            write!(writer, "{:x}\r\n{piece}\r\n", piece.len()).ok()?;
        }
        writer.write_all(b"0\r\n\r\n").ok()?;
    }
}

/// Runs a scene over a recording twice with a log, and repeats it from the log: what the first run said.
fn told_twice(name: &str, scene: &[&str]) -> String {
    let folder = folder(name);
    let (log, clip) = (folder.join("events.jsonl"), given::own().join("two_cities_48k.wav"));
    let (log, clip) = (log.to_str().expect("it is text"), clip.to_str().expect("it is text"));
    let run = mynah(&[&["run"], scene, &["--input", clip, "--events", log]].concat());
    assert_eq!(run.status.code(), Some(0), "{}", words(&run));
    words(&run)
}

#[test]
fn a_server_behind_http_answers_and_its_run_is_repeated_without_it() {
    let server = Server::start();
    let output = format!("services.reply.output=Chat(url: \"http://{}/v1\", model: \"any\")", server.address);
    let check = mynah(&["check", "chat", "--set", &output]);
    assert_eq!(check.status.code(), Some(0), "{}", words(&check));
    let said = told_twice("http", &["chat", "--set", &output]);
    assert!(said.contains("Certainly, this is answer number"), "{said}");
    let asked = server.asked.load(Ordering::Relaxed);
    assert!(asked > 0);
    let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join("models_outside/http/events.jsonl");
    let replay = mynah(&["replay", log.to_str().expect("it is text")]);
    assert_eq!(replay.status.code(), Some(0), "{}", words(&replay));
    assert_eq!(server.asked.load(Ordering::Relaxed), asked, "a replay asks nobody");
}

#[test]
fn a_worker_in_python_answers_and_its_run_is_repeated_without_it() {
    let python = std::env::var("MYNAH_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let has = Command::new(&python).args(["-c", "import iceoryx2"]).output();
    if !has.is_ok_and(|out| out.status.success()) {
        return Skip::Absent("iceoryx2").say();
    }
    let worker = checkout().join("tools/python/examples/workers/echo.py");
    let command = format!("services.reply.output=Worker(command: [{python:?}, {worker:?}])");
    let said = told_twice("worker", &["python_worker", "--set", &command]);
    assert!(said.contains("answer"), "{said}");
    let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join("models_outside/worker/events.jsonl");
    let text = fs::read_to_string(&log).expect("the log was written");
    assert!(text.contains("outside_answer") && !text.contains("service_failed"), "{said}");
    let replay = mynah(&["replay", log.to_str().expect("it is text")]);
    assert_eq!(replay.status.code(), Some(0), "{}", words(&replay));
}

#[test]
fn what_is_wrong_with_a_service_is_said_before_anybody_is_asked() {
    for (output, wanted) in [
        ("Chat(url: \"ftp://127.0.0.1/v1\", model: \"any\")", "ftp"),
        ("Chat(url: \"http://127.0.0.1/v1\", model: \"\")", "model"),
        (
            "Chat(url: \"http://127.0.0.1/v1\", model: \"any\", key_env: \"MYNAH_NO_SUCH_KEY\")",
            "MYNAH_NO_SUCH_KEY",
        ),
        // As the `output: Speech(..)` and `output: Transcription(..)` of a scene.
        ("Speech(url: \"http://127.0.0.1/v1\", model: \"any\", voice: \"\")", "voice"),
        ("Transcription(url: \"\", model: \"any\")", "url"),
        ("Worker(command: [])", "command"),
        ("Worker(command: [\"no-such-program-of-anybody\"])", "no-such-program-of-anybody"),
    ] {
        let out = mynah(&["check", "chat", "--set", &format!("services.reply.output={output}")]);
        let said = words(&out);
        assert!(out.status.code() == Some(1) && said.contains(wanted), "{output}: {said}");
    }
}
