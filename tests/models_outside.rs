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

/// What a server does with its request of this number: true if it goes on with the connection.
type Deed = fn(usize, &mut TcpStream) -> Option<()>;

impl Server {
    fn start(deed: Deed) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback works");
        let address = listener.local_addr().expect("it is bound");
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let count = Arc::clone(&count);
                std::thread::spawn(move || serve(stream, &count, deed));
            }
        });
        Self { address, asked }
    }
}

/// Reads the requests of one connection.
fn serve(stream: TcpStream, asked: &AtomicUsize, deed: Deed) -> Option<()> {
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
        deed(asked.fetch_add(1, Ordering::Relaxed), &mut writer)?;
    }
}

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

/// A whole answer.
fn answer(number: usize, writer: &mut TcpStream) -> Option<()> {
    writer.write_all(HEAD.as_bytes()).ok()?;
    let said = ["Certainly", ", ", "this is ", "answer ", "number ", &number.to_string(), "."];
    let delta = |text: &str| {
        format!("data: {}\n\n", serde_json::json!({"choices": [{"index": 0, "delta": {"content": text}}]}))
    };
    let end =
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    for piece in said.map(delta).iter().map(String::as_str).chain([end]) {
        write!(writer, "{:x}\r\n{piece}\r\n", piece.len()).ok()?;
    }
    writer.write_all(b"0\r\n\r\n").ok()
}

/// Half a character, and then nothing more.
const HALF: &[u8] = b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Half a character: \xc3";

/// Everything that goes wrong with servers, in turn.
fn trouble(number: usize, writer: &mut TcpStream) -> Option<()> {
    match number % 7 {
        0 | 4 => return answer(number, writer),
        1 => {
            let busy = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n";
            return writer.write_all(busy.as_bytes()).ok();
        }
        2 => {}
        3 => {
            writer.write_all(HEAD.as_bytes()).ok()?;
            write!(writer, "{:x}\r\n", HALF.len()).ok()?;
            writer.write_all(&[HALF, b"\r\n"].concat()).ok()?;
        }
        5 => {
            writer.write_all(HEAD.as_bytes()).ok()?;
            writer.write_all(b"10\r\ndata: {\"choices\"\r\n0\r\n\r\n").ok()?;
        }
        // Longer than the scene waits for a first byte.
        _ => {
            let mut nothing = [0];
            writer.set_read_timeout(Some(std::time::Duration::from_secs(5))).ok()?;
            let _closed = writer.read(&mut nothing).ok()?;
        }
    }
    None
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
    let server = Server::start(answer);
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
fn a_server_in_trouble_ends_turns_with_a_reason_and_no_call_is_lost_in_the_books() {
    let server = Server::start(trouble);
    let output = format!(
        "services.reply.output=Chat(url: \"http://{}/v1\", model: \"any\", first_byte_ms: 300)",
        server.address
    );
    let run = "simulate voice_assistant --sessions 6 --duration 20s --check --json --set services.reply.fallback=\"Sorry?\" \
               --set services.reply.filler=\"Hm.\" --set services.reply.filler_ms=60 --set services.reply.retries=1 \
               --set services.reply.timing.latency=Fixed(ms:90)";
    let out = mynah(&[&run.split_whitespace().collect::<Vec<_>>()[..], &["--set", &output]].concat());
    let said = words(&out);
    let report: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap_or_else(|_| panic!("{said}"));
    let reply = report["services"]
        .as_array()
        .and_then(|all| all.iter().find(|one| one["id"] == "reply"))
        .expect("it is there");
    for count in ["failed", "retried", "fallbacks", "fillers"] {
        assert!(reply[count].as_u64().is_some_and(|count| count > 0), "{count}: {reply}");
    }
    assert_eq!(report["frames"]["balanced"], true, "{said}");
    assert_eq!(report["segments"]["open_at_end"], 0, "{said}");
    assert!(!said.contains("violat"), "{said}");
    assert!(server.asked.load(Ordering::Relaxed) > 20, "{reply}");
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
fn the_scenes_with_services_outside_are_sound() {
    let out = mynah(&["check", "--deny-warnings", "chat", "remote_models", "python_worker"]);
    assert_eq!(out.status.code(), Some(0), "{}", words(&out));
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
