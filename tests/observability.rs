//! `tools/observability` works: the rules' own tests pass, and a real Prometheus that scrapes running engines answers
//! every expression of the dashboard and the rules, and sees an alert fire.
//!
//! Where Prometheus is not installed this says so and checks the dashboard's form alone.

#![allow(clippy::print_stdout, reason = "figures are printed for whoever runs this with --nocapture")]
#![allow(clippy::disallowed_methods, reason = "Prometheus lives on the wall clock")]

mod support;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::given::program;
use support::page::get;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(30);
/// Engines to look at: one that loses frames, one with a hub, one with a link.
const SCENES: [&str; 3] = ["overflow", "batched_tts", "remote_consumer"];
/// What nothing has to come of: as long as all is well, or in the first seconds.
const MAY_BE_EMPTY: [&str; 1] = ["MynahDown"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../observability")
}

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Title and expression of every panel's targets.
fn panels() -> Vec<(String, String)> {
    let text = fs::read_to_string(folder().join("dashboard.json")).expect("the dashboard is there");
    let dashboard: Value = serde_json::from_str(&text).expect("the dashboard is JSON");
    let panels = dashboard["panels"].as_array().expect("panels").iter();
    let mut found = Vec::new();
    for panel in panels.filter(|panel| panel["type"] != "row") {
        let title = panel["title"].as_str().expect("a title");
        assert!(panel["description"].as_str().is_some_and(|text| text.len() > 10), "{title}: no description");
        let targets = panel["targets"].as_array().expect("targets");
        found
            .extend(targets.iter().map(|t| (title.to_owned(), t["expr"].as_str().expect("expr").to_owned())));
    }
    found
}

#[test]
fn every_panel_reads_metrics_that_exist() {
    let families =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/src/metrics/families.rs"));
    let families = families.expect("the metrics are there");
    let served = Path::new(env!("CARGO_MANIFEST_DIR")).join("../serve/src/metrics.rs");
    let both = families + &fs::read_to_string(served).expect("a server's are there");
    let known: Vec<&str> = both.split('"').filter(|word| word.starts_with("mynah_")).collect();
    let read = |name: &str| fs::read_to_string(folder().join(name)).expect("the rules are there");
    let rules = read("rules.yml") + &read("serve_rules.yml");
    let mut seen = std::collections::BTreeSet::new();
    for text in panels().iter().map(|(_, expr)| expr).chain([&rules]) {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
        for word in words.filter(|word| word.starts_with("mynah_") && !word.contains(':')) {
            let bare = ["_bucket", "_sum", "_count", "_total", "_info"];
            let bare = bare.iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word);
            let group = word.ends_with("_recorded") || word.ends_with("_alerts");
            assert!(group || known.contains(&bare) || known.contains(&word), "no metric {word}");
            seen.insert(bare.to_owned());
        }
    }
    assert!(seen.len() > 15, "{seen:?}");
}

#[test]
fn the_rules_pass_their_own_tests() {
    let Some(promtool) = program(&["promtool"]) else { return };
    for line in [
        &["check", "config", "prometheus.yml"][..],
        &["check", "rules", "rules.yml"],
        &["check", "rules", "serve_rules.yml"],
        &["test", "rules", "rules_test.yml", "serve_rules_test.yml"],
    ] {
        let out = Command::new(&promtool).args(line).current_dir(folder()).output().expect("promtool starts");
        let said = [out.stdout, out.stderr].concat();
        assert!(out.status.success(), "promtool {line:?}: {}", String::from_utf8_lossy(&said));
    }
    for (rules, tests) in [("rules.yml", "rules_test.yml"), ("serve_rules.yml", "serve_rules_test.yml")] {
        let read = |name: &str| fs::read_to_string(folder().join(name)).expect("it is there");
        let (rules, tests) = (read(rules), read(tests));
        for alert in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
            assert!(tests.matches(alert).count() >= 2, "{alert}: tested when it comes and when it does not");
        }
    }
}

/// A simulation in real time, and where its metrics are.
fn engine(scene: &str) -> (Running, SocketAddr) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mynah"));
    command.args([
        "simulate",
        scene,
        "--sessions",
        "3",
        "--duration",
        "120s",
        "--clock",
        "wall",
        "--threads",
        "1",
    ]);
    command.args(["--metrics", "127.0.0.1:0"]).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut running = Running(command.spawn().expect("the program starts"));
    let mut stderr = BufReader::new(running.0.stderr.take().expect("asked for")).lines();
    let said = stderr.by_ref().map_while(Result::ok).find_map(|line| {
        let address = line.strip_prefix("metrics at http://")?.strip_suffix("/metrics")?.parse().ok()?;
        Some(address)
    });
    std::thread::spawn(move || stderr.for_each(drop));
    (running, said.expect("it says where"))
}

/// A Prometheus that scrapes `targets` every second by our own configuration.
fn prometheus(program: &Path, targets: &[SocketAddr]) -> (Running, SocketAddr) {
    let data = Path::new(env!("CARGO_TARGET_TMPDIR")).join("observability");
    drop(fs::remove_dir_all(&data));
    fs::create_dir_all(&data).expect("the target folder can be written");
    let shipped = fs::read_to_string(folder().join("prometheus.yml")).expect("it is there");
    let quoted: Vec<String> = targets.iter().map(|target| format!("\"{target}\"")).collect();
    let rules = folder().join("rules.yml").canonicalize().expect("it is there");
    let config = shipped
        .replace("15s", "1s")
        .replace("- rules.yml", &format!("- {}", rules.display()))
        // Of servers, which do not run here.
        .replace("  - serve_rules.yml\n", "")
        .replace("\"127.0.0.1:9464\"", &quoted.join(", "));
    assert!(config.contains(&quoted[0]) && config.contains("1s"), "{config}");
    fs::write(data.join("prometheus.yml"), config).expect("the folder is new");
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let address = free.expect("some port is free");
    let log = fs::File::create(data.join("log")).expect("the folder is new");
    let child = Command::new(program)
        .arg(format!("--config.file={}", data.join("prometheus.yml").display()))
        .arg(format!("--storage.tsdb.path={}", data.join("data").display()))
        .arg(format!("--web.listen-address={address}"))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn();
    (Running(child.expect("Prometheus starts")), address)
}

/// Asks until there is an answer that will do.
fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "after {PATIENCE:?}: {what}");
        sleep(Duration::from_millis(250));
    }
}

fn ask(prometheus: SocketAddr, path: &str) -> Value {
    // HTTP/1.0, so that the answer comes in one piece.
    let request = format!("GET {path} HTTP/1.0\r\nHost: {prometheus}\r\n\r\n");
    let body = support::page::exchange(prometheus, request.as_bytes()).body;
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"))
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// Name and expression of every rule, as Prometheus has read them.
fn rules(prometheus: SocketAddr) -> Vec<(String, String, String)> {
    let answer = ask(prometheus, "/api/v1/rules");
    let groups = answer["data"]["groups"].as_array().expect("groups").iter();
    let rules = groups.flat_map(|group| group["rules"].as_array().expect("rules"));
    let text = |rule: &Value, key: &str| rule[key].as_str().unwrap_or_default().to_owned();
    rules.map(|rule| (text(rule, "name"), text(rule, "query"), text(rule, "lastError"))).collect()
}

#[test]
fn a_real_prometheus_answers_every_expression_and_an_alert_fires() {
    let Some(program) = program(&["prometheus"]) else { return };
    let began = Instant::now();
    let engines: Vec<(Running, SocketAddr)> = SCENES.iter().map(|scene| engine(scene)).collect();
    let targets: Vec<SocketAddr> = engines.iter().map(|(_, address)| *address).collect();
    for target in &targets {
        assert_eq!(get(*target, "/healthz", "").body, "ok\n");
    }
    let (_running, prometheus) = prometheus(&program, &targets);
    until("Prometheus is ready", || {
        std::net::TcpStream::connect(prometheus).ok()?;
        (get(prometheus, "/-/ready", "").status == 200).then_some(())?;
        let up = ask(prometheus, "/api/v1/query?query=sum(up)");
        (up["data"]["result"][0]["value"][1] == "3").then_some(())
    });
    let query = |expr: &str| {
        let answer = ask(prometheus, &format!("/api/v1/query?query={}", encoded(expr)));
        assert_eq!(answer["status"], "success", "{expr}: {answer}");
        answer["data"]["result"].as_array().map_or(0, Vec::len)
    };
    for (title, expr) in panels() {
        let concrete =
            expr.replace("$__rate_interval", "10s").replace("$node", ".*").replace("$instance", ".*");
        assert!(!concrete.contains('$'), "{concrete}");
        let series = until(&format!("panel `{title}` has something: {concrete}"), || {
            Some(query(&concrete)).filter(|series| *series > 0)
        });
        println!("{title}: {series} series");
    }
    let rules = rules(prometheus);
    assert_eq!(rules.len(), 17, "{rules:?}");
    for (name, expr, error) in rules {
        assert_eq!(error, "", "{name}");
        let (left, compares) = match expr.rsplit_once([' ']) {
            Some((left, _)) if name.starts_with("Mynah") => {
                (left.trim_end_matches([' ', '>', '<', '=']), true)
            }
            _ => (expr.as_str(), false),
        };
        query(&expr);
        // An alert whose left side gives nothing never fires, whatever happens.
        let series = until(&format!("rule {name} has something to compare: {left}"), || {
            Some(query(left)).filter(|series| *series > 0 || MAY_BE_EMPTY.contains(&name.as_str()))
        });
        println!("{name}: {series} series{}", if compares { " compared" } else { "" });
    }
    let fired = until("an alert fires", || {
        let alerts = ask(prometheus, "/api/v1/alerts");
        let alerts = alerts["data"]["alerts"].as_array().expect("alerts").clone();
        let lost = |a: &Value| a["state"] == "firing" && a["labels"]["alertname"] == "MynahFramesLost";
        alerts.into_iter().find(lost)
    });
    assert_eq!(fired["labels"]["node"], "slow_audio", "{fired}");
    assert_eq!(fired["labels"]["reason"], "overflow", "{fired}");
    println!("fired after {:.0} s: {}", began.elapsed().as_secs_f64(), fired["annotations"]["summary"]);
}
