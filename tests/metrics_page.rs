//! The metrics page as others get it: whatever they send, however slowly they read, and whatever stands in a label.

mod support;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use mynah_host::metrics::exposition::{Exposition, Form, Kind, float};
use mynah_host::metrics::readers::READERS_MAX;
use mynah_host::metrics::{Board, Facts, Server, address};
use mynah_sim::scenes;
use proptest::prelude::*;
use support::given::program;
use support::page::{OPEN_METRICS, Samples, exchange, get, read, sample};

fn serving() -> Server {
    let (plan, _) = scenes::compile("passthrough", &[], None, None).expect("it is sound");
    let board = Arc::new(Board::new(Facts::of(&plan)));
    Server::start(SocketAddr::from(([127, 0, 0, 1], 0)), board).expect("some port is free")
}

#[test]
fn every_request_gets_the_status_it_deserves() {
    let server = serving();
    let long = format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "y".repeat(9_000));
    let many = format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "A: b\r\n".repeat(3_000));
    let target = format!("GET /metrics?{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "q".repeat(9_000));
    let cases: [(&[u8], u16); 34] = [
        (b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        (b"GET /metrics HTTP/1.0\r\n\r\n", 200),
        (b"GET /metrics HTTP/1.0\n\n", 200),
        (b"GET /metrics?a=b HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        (b"GET http://localhost:1/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        (b"GET /healthz HTTP/1.1\r\nhost:localhost\r\n\r\n", 200),
        (b"HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        (b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: \xff\xfe\r\n\r\n", 200),
        (b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc", 200),
        (b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\nGET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        (b"GET /metrics/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        (b"GET /../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        (b"POST /elsewhere HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        (b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}", 405),
        (b"DELETE /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        (b"BREW /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        (b"get /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        (b"GET /metrics HTTP/1.1\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: y\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n folded\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nA b: c\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nA: b\rc\r\n\r\n", 400),
        (b"GET metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET  /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /metrics\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
        (b"GET /metrics HTTP/11\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /metrics HTTP/2.0\r\nHost: localhost\r\n\r\n", 505),
        (long.as_bytes(), 431),
        (many.as_bytes(), 431),
        (target.as_bytes(), 431),
    ];
    let mut failed = Vec::new();
    for (request, wanted) in cases {
        let response = exchange(server.address(), request);
        let shown = String::from_utf8_lossy(&request[..request.len().min(70)]).into_owned();
        if response.status != wanted {
            failed.push(format!("{shown:?}: {} and not {wanted}", response.status));
        }
        if (wanted == 405) != response.fields.contains_key("allow") {
            failed.push(format!("{shown:?}: Allow belongs to 405"));
        }
        let said: usize = response.fields["content-length"].parse().expect("a length");
        let head_only = request.starts_with(b"HEAD");
        if said != response.body.len() && !(head_only && response.body.is_empty() && said > 0) {
            failed.push(format!("{shown:?}: {said} bytes announced, {} came", response.body.len()));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn the_form_is_the_one_that_is_liked_best() {
    let server = serving();
    let (open, text) = ("application/openmetrics-text; version=1.0.0", "text/plain; version=0.0.4");
    let cases = [
        (OPEN_METRICS, open),
        ("application/openmetrics-text", open),
        ("Application/OpenMetrics-Text; charset=utf-8; version=\"1.0.0\"", open),
        ("text/plain;q=0.5, application/openmetrics-text;version=1.0.0;q=0.6", open),
        ("application/openmetrics-text;version=1.0.0,text/plain", open),
        ("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;q=0.3", open),
        ("", text),
        ("*/*", text),
        ("text/html,application/xhtml+xml,*/*;q=0.8", text),
        ("text/plain;version=0.0.4", text),
        ("application/openmetrics-text;version=0.0.1", text),
        ("application/openmetrics-text;q=0", text),
        ("application/openmetrics-text;q=0.1,text/plain;q=0.9", text),
        ("application/openmetrics-text;q=what", text),
        (";;;,,=;q=", text),
    ];
    let mut failed = Vec::new();
    for (accept, wanted) in cases {
        let response = get(server.address(), "/metrics", accept);
        let is = &response.fields["content-type"];
        let ends = response.body.ends_with("# EOF\n");
        if !is.starts_with(wanted) || ends != (wanted == open) {
            failed.push(format!("{accept:?}: {is}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn only_this_machine_is_asked_for() {
    let server = serving();
    let ours = [
        "localhost",
        "LocalHost:9464",
        "127.0.0.1",
        "127.0.0.1:1",
        "127.1.2.3:65535",
        "[::1]",
        "[::1]:9464",
        "10.0.0.7:80",
        "[fe80::1]:80",
        "localhost:",
    ];
    let others = [
        "evil.example",
        "evil.example:9464",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "x@127.0.0.1",
        "localhost.",
        "127.0.0.1:9464:1",
        "127.0.0.1:a",
        "::1",
        "[::1",
        "[::1]x",
        "[127.0.0.1]",
        "[]",
        "",
        ":9464",
        "127.1",
        "2130706433",
        "0x7f.0.0.1",
        "l\u{f6}calhost",
    ];
    let cases = ours.map(|host| (host, 200)).into_iter().chain(others.map(|host| (host, 421)));
    let mut failed = Vec::new();
    for (host, wanted) in cases {
        // A target that is a whole address counts as much as the field.
        let as_field = format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let as_target = format!("GET http://{host}/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let as_old_field = format!("GET /healthz HTTP/1.0\r\nHost: {host}\r\n\r\n");
        for request in [as_field, as_target, as_old_field].iter().filter(|request| request.is_ascii()) {
            let response = exchange(server.address(), request.as_bytes());
            let says_why = response.body.contains("Host is neither localhost nor an IP address");
            if response.status != wanted || says_why != (wanted == 421) {
                failed.push(format!("{request:?}: {} {}", response.status, response.body));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn slow_readers_are_few_and_are_sent_away() {
    let server = serving();
    let head = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n";
    let slow: Vec<TcpStream> = (0..READERS_MAX)
        .map(|at| {
            let mut stream = TcpStream::connect(server.address()).expect("it listens");
            stream.write_all(&head[..at * 2]).expect("it is open");
            stream
        })
        .collect();
    assert_eq!(get(server.address(), "/healthz", "").status, 200, "a further reader has its turn");
    let told = slow.into_iter().enumerate().map(|(at, stream)| {
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a time can be set");
        if at == 0 { silent_end(stream) } else { read(stream).status }
    });
    let mut wanted = [408; READERS_MAX];
    wanted[0] = 503;
    assert_eq!(told.collect::<Vec<_>>(), wanted, "the first gave its place up, the others had their time");
}

/// What keeps a place busy, and comes again as soon as it is sent away.
#[derive(Clone, Copy, Debug)]
enum Nuisance {
    SaysNothing,
    StopsInTheHead,
    NeverHangsUp,
}

impl Nuisance {
    fn come(self, address: SocketAddr) -> std::io::Result<()> {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(match self {
            Self::SaysNothing => b"",
            Self::StopsInTheHead => b"GET /metrics HTTP/1.1\r\nHost: local",
            Self::NeverHangsUp => b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
        })?;
        stream.read_to_end(&mut Vec::new()).map(drop)
    }
}

#[test]
fn a_crowd_that_comes_again_keeps_no_scraper_out() {
    const CROWD: usize = 24;
    const SCRAPES: usize = 10;
    for nuisance in [Nuisance::SaysNothing, Nuisance::StopsInTheHead, Nuisance::NeverHangsUp] {
        let server = serving();
        let (address, over) = (server.address(), AtomicBool::new(false));
        let mut failed = Vec::new();
        thread::scope(|scope| {
            for _ in 0..CROWD {
                scope.spawn(|| {
                    while !over.load(Ordering::Acquire) {
                        // Sent away, with or without a word.
                        drop(nuisance.come(address));
                    }
                });
            }
            for number in 0..SCRAPES {
                match scrape(address) {
                    Ok(answer) if answer.starts_with("HTTP/1.1 200 ") => {}
                    other => failed.push(format!("scrape {number}: {other:?}")),
                }
            }
            over.store(true, Ordering::Release);
            drop(server);
        });
        assert!(failed.is_empty(), "{nuisance:?}, {} of {SCRAPES}:\n{}", failed.len(), failed.join("\n"));
    }
}

/// As Prometheus does it, with less patience than its ten seconds: a crowd that was heard out would take longer.
fn scrape(address: SocketAddr) -> std::io::Result<String> {
    let patience = Duration::from_secs(2);
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Who never said anything is told so all the same.
fn silent_end(mut stream: TcpStream) -> u16 {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the answer comes");
    answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
}

#[test]
fn a_server_that_is_dropped_gives_its_port_back() {
    // A port that is free belongs to whoever is first, and the tests beside this one ask for ports, too.
    let is_free = |_| {
        let server = serving();
        let address = server.address();
        assert!(TcpListener::bind(address).is_err(), "it is there as long as the server is");
        drop(server);
        TcpListener::bind(address).is_ok()
    };
    assert!((0..5).any(is_free), "five servers kept theirs");
}

#[test]
fn addresses_are_refused_with_a_remedy() {
    for good in ["127.0.0.1:9464", "127.0.0.2:0", "[::1]:9464", "localhost:0"] {
        assert!(address(good).is_ok_and(|address| address.ip().is_loopback()), "{good}");
    }
    let taken = TcpListener::bind("127.0.0.1:0").expect("some port is free");
    let taken = taken.local_addr().expect("it is bound").to_string();
    let _kept = TcpListener::bind(&taken);
    let listener = TcpListener::bind("127.0.0.1:0").expect("some port is free");
    let in_use = listener.local_addr().expect("it is bound").to_string();
    let cases = [
        (["--metrics", "0.0.0.0:9464"], ["no password", "127.0.0.1"]),
        (["--metrics", "[::]:0"], ["no password", "proxy"]),
        (["--metrics", "here"], ["no address", "HOST:PORT"]),
        (["--metrics", "127.0.0.1"], ["no address", "9464"]),
        (["--metrics", "127.0.0.1:99999"], ["no address", "HOST:PORT"]),
        (["--metrics", &in_use], ["in use", "another port"]),
        (["--set", "metrics=(enabled: true, address: \"0.0.0.0:1\")"], ["metrics.address", "no password"]),
    ];
    for (flags, parts) in cases {
        let mut mynah = Command::new(env!("CARGO_BIN_EXE_mynah"));
        let line = ["simulate", "passthrough", "--sessions", "1", "--duration", "100ms"];
        let out = mynah.args(line).args(flags).output().expect("the program starts");
        let errors = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(2), "{flags:?}: {errors}");
        assert!(parts.iter().all(|part| errors.contains(part)), "{flags:?}: {errors}");
    }
}

#[test]
fn the_scene_can_ask_for_the_page() {
    let mut mynah = Command::new(env!("CARGO_BIN_EXE_mynah"));
    let line = ["simulate", "passthrough", "--sessions", "1", "--duration", "100ms"];
    let set = ["--set", "metrics=(enabled: true, address: \"127.0.0.1:0\")"];
    let out = mynah.args(line).args(set).output().expect("the program starts");
    let errors = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(errors.contains("metrics at http://127.0.0.1:"), "{errors}");
    assert!(!errors.contains("warning"), "{errors}");
}

fn labelled(form: Form, value: &str) -> String {
    let mut page = Exposition::new(form);
    page.family("m", Kind::Gauge, "Help.");
    page.count(&[("a", value), ("b", "plain")], 7);
    page.finish()
}

proptest! {
    #[test]
    fn any_label_comes_back_as_it_was(value in prop_oneof![".*", "[\\\\\"\n\r{},= ]*", prop::collection::vec(any::<char>(), 0..40).prop_map(String::from_iter)]) {
        for form in [Form::Text, Form::OpenMetrics] {
            let page = labelled(form, &value);
            let end = if form == Form::OpenMetrics { "# EOF\n" } else { "" };
            let lines = page.strip_prefix("# HELP m Help.\n# TYPE m gauge\n").and_then(|p| p.strip_suffix(end));
            let line = lines.and_then(|lines| lines.strip_suffix('\n')).expect("the frame of a page");
            prop_assert!(!line.contains('\n'), "one sample, one line: {:?}", line);
            let found = sample(line).expect("a sample");
            prop_assert_eq!(found.labels, [("a".to_owned(), value.clone()), ("b".to_owned(), "plain".to_owned())]);
            prop_assert_eq!(found.value, 7.0);
        }
    }

    #[test]
    fn any_number_comes_back_as_it_was(bits in any::<u64>()) {
        let value = f64::from_bits(bits);
        let back: f64 = match float(value).as_str() { "+Inf" => f64::INFINITY, "-Inf" => f64::NEG_INFINITY, n => n.parse().expect("a number") };
        prop_assert!(back == value || (back.is_nan() && value.is_nan()), "{} became {}", value, back);
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(&b"GET /metrics HTTP/1.1\r\nHost: x:"[..])], 0..600)) {
        // A head is judged the same however it arrives: what was decided on a part stays.
        let all = mynah_host::metrics::http::parse(&bytes);
        let first = (0..=bytes.len()).map(|end| mynah_host::metrics::http::parse(&bytes[..end])).find(|found| *found != Ok(None));
        prop_assert_eq!(first.unwrap_or(Ok(None)), all);
    }
}

/// Prometheus's own judge and the other form's reference parser, on labels that need escapes.
#[test]
fn others_read_escaped_labels() {
    let value = "a\\b\"c\nd{},= é";
    if let Some(promtool) = program(&["promtool"]) {
        let (code, said) = support::page::feed(
            Command::new(promtool).args(["check", "metrics"]),
            &labelled(Form::Text, value),
        );
        assert_eq!(code, Some(0), "{said}");
    }
    assert_eq!(Samples::of(&labelled(Form::OpenMetrics, value)).iter().count(), 1);
}
