//! What a probe finds out, about servers that are in order and others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mynah_http::probe::{Probe, ProbeKind, ProbeReport, ProbeStep, ProbeVerdict, probe};

use crate::mock::{Mock, rest};

fn ask(mock: &Mock, model: Option<&str>, kind: ProbeKind) -> ProbeReport {
    let url = format!("http://127.0.0.1:{}/v1", mock.port);
    probe(&Probe { url, model: model.map(String::from), kind, ..Probe::default() })
}

fn verdicts(report: &ProbeReport) -> Vec<(ProbeStep, ProbeVerdict)> {
    report.rows.iter().map(|row| (row.step, row.verdict)).collect()
}

/// A server like llama.cpp's: it tells whether it is busy, and stops when nobody listens.
fn llama(stops: bool) -> Mock {
    let busy = Arc::new(AtomicBool::new(false));
    Mock::new(move |asked, wire| match asked.line.split(' ').nth(1) {
        Some("/v1/models") => wire.answer(
            "200 OK",
            "Content-Type: application/json\r\n",
            r#"{"data":[{"id":"tiny"},{"id":"large"}]}"#,
        ),
        Some("/slots") => {
            let slots = serde_json::json!([{"is_processing": busy.load(Ordering::SeqCst)}]);
            wire.answer("200 OK", "Content-Type: application/json\r\n", slots.to_string());
        }
        Some("/v1/chat/completions") => {
            busy.store(true, Ordering::SeqCst);
            wire.says(&[]);
            for _ in 0..30 {
                wire.word("word ");
                rest(20);
            }
            let closed = wire.closed_within(Duration::from_secs(20)).is_some();
            busy.store(!(closed && stops), Ordering::SeqCst);
        }
        _ => wire.answer("404 Not Found", "", ""),
    })
}

#[test]
fn a_server_in_order_is_measured_step_by_step() {
    let mock = llama(true);
    let report = ask(&mock, None, ProbeKind::Chat);
    let steps =
        [ProbeStep::Reachable, ProbeStep::Models, ProbeStep::FirstByte, ProbeStep::Pace, ProbeStep::Quiet];
    assert_eq!(verdicts(&report), steps.map(|step| (step, ProbeVerdict::Fine)), "{report:#?}");
    assert_eq!(report.model.as_deref(), Some("tiny"));
    assert!(report.is_fine() && report.rows[1].says.contains("tiny, large"));
    let json = serde_json::to_value(&report).expect("it is JSON");
    assert_eq!((&json["rows"][4]["step"], &json["rows"][4]["unit"]), (&"quiet".into(), &"ms".into()));
    let pace = report.rows[3].value.expect("there is a figure");
    assert!(pace > 0.0, "{pace}");
}

#[test]
fn a_server_that_goes_on_for_nobody_is_found_out() {
    let report = ask(&llama(false), Some("other"), ProbeKind::Chat);
    let rows = verdicts(&report);
    assert_eq!(rows[1], (ProbeStep::Models, ProbeVerdict::Unknown), "{report:#?}");
    assert_eq!(rows[4], (ProbeStep::Quiet, ProbeVerdict::Bad), "{report:#?}");
    assert!(!report.is_fine() && report.rows[4].says.contains("proxy"));
}

#[test]
fn what_cannot_be_found_out_says_how_it_could() {
    let mock = Mock::new(|asked, wire| match asked.line.contains("/chat/") {
        true => {
            wire.says(&["word "; 30]);
            wire.stops("stop");
        }
        false => wire.answer("404 Not Found", "", ""),
    });
    let report = ask(&mock, Some("m"), ProbeKind::Chat);
    let last = report.rows.last().expect("there are rows");
    assert_eq!((last.step, last.verdict), (ProbeStep::Quiet, ProbeVerdict::Unknown), "{report:#?}");
    assert!(last.says.contains("--slots") && report.is_fine());
    let nameless = ask(&mock, None, ProbeKind::Chat);
    assert_eq!(nameless.rows.last().map(|row| row.verdict), Some(ProbeVerdict::Unknown), "{nameless:#?}");
}

#[test]
fn voices_and_recognisers_are_measured_too() {
    let mock = Mock::new(|asked, wire| {
        if asked.line.contains("/audio/speech") {
            wire.begin("audio/pcm");
            for _ in 0..5 {
                wire.chunk([0; 48_000]);
                rest(5);
            }
            return wire.end();
        }
        wire.answer("200 OK", "Content-Type: application/json\r\n", r#"{"text":""}"#);
    });
    let report = ask(&mock, Some("m"), ProbeKind::Speech);
    assert_eq!(
        verdicts(&report)[2..],
        [(ProbeStep::FirstByte, ProbeVerdict::Fine), (ProbeStep::Pace, ProbeVerdict::Fine)],
        "{report:#?}"
    );
    let report = ask(&mock, Some("m"), ProbeKind::Transcription);
    assert_eq!(verdicts(&report)[2..], [(ProbeStep::FirstByte, ProbeVerdict::Fine)], "{report:#?}");
}

#[test]
fn what_cannot_be_asked_is_named() {
    let nowhere = Probe { url: "http://127.0.0.1:1/v1".into(), ..Probe::default() };
    let report = probe(&nowhere);
    assert_eq!(verdicts(&report), [(ProbeStep::Reachable, ProbeVerdict::Bad)], "{report:#?}");
    for (url, key_env, wanted) in
        [("nonsense", None, "`url`"), ("http://h/v1", Some("NO_SUCH_KEY_OF_MYNAH"), "NO_SUCH_KEY_OF_MYNAH")]
    {
        let wrong = Probe { url: url.into(), key_env: key_env.map(String::from), ..Probe::default() };
        let report = probe(&wrong);
        assert!(report.rows[0].says.contains(wanted) && !report.is_fine(), "{report:#?}");
    }
}
