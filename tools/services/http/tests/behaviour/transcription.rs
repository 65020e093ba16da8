//! `Transcription`: what is sent, and words by event or at once.

use mynah_engine::Block;
use mynah_engine::media::Sound;
use mynah_engine::scene::Format;
use mynah_engine::service::Call;

use crate::desk::{Desk, Told, call};
use crate::mock::{Asked, Mock, Wire};

/// A call about a tenth of a second.
fn spoken(part: u32) -> Call {
    let mut call = call("", part);
    let tone = |at: usize| (at as f32 * 0.1).sin() * 0.5;
    let samples: Vec<f32> = (0..1_600).map(tone).collect();
    let blocks = samples.chunks(320).map(Block::from_samples).collect();
    call.audio = Some(Sound { format: Format { rate_hz: 16_000, channels: 1 }, blocks });
    call
}

fn heard(more: &str, act: fn(&mut Wire)) -> (Told, Vec<Asked>) {
    let mock = Mock::new(move |_, wire| act(wire));
    let told = Desk::new("Transcription", &format!("({}{more})", mock.patient())).ask(spoken(0));
    (told, mock.asked())
}

fn json(wire: &mut Wire) {
    wire.answer(
        "200 OK",
        "Content-Type: application/json; charset=utf-8\r\n",
        r#"{"text":" My order is late. "}"#,
    );
}

#[test]
fn a_recording_is_sent_as_a_form_with_a_wav_file() {
    let (told, asked) = heard(", language: \"en\", prompt: \"Orders.\", path: \"/inference\"", json);
    assert_eq!(told.lines, ["\"My order is late.\"", "done"]);
    let Asked { line, body, .. } = &asked[0];
    assert_eq!(line, "POST /v1/inference HTTP/1.1");
    assert!(
        asked[0]
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("multipart/form-data; boundary="))
    );
    let text = String::from_utf8_lossy(body).into_owned();
    for (name, value) in [
        ("model", "m"),
        ("language", "en"),
        ("prompt", "Orders."),
        ("response_format", "json"),
        ("stream", "true"),
    ] {
        assert!(text.contains(&format!("name=\"{name}\"\r\n\r\n{value}\r\n--")), "{name}");
    }
    let at = body.windows(4).position(|four| four == b"RIFF").expect("there is a file");
    assert_eq!(&body[at + 24..at + 28], &16_000_u32.to_le_bytes());
    let data = body[at..].windows(4).position(|four| four == b"data").expect("there are samples");
    assert_eq!(&body[at + data + 4..at + data + 8], &3_200_u32.to_le_bytes());
}

#[test]
fn words_are_told_as_they_come_and_are_one_text_in_the_end() {
    let (told, _) = heard("", |wire| {
        wire.begin("text/event-stream");
        for delta in ["My ", "order ", "is…"] {
            let event = serde_json::json!({"type": "transcript.text.delta", "delta": delta});
            wire.chunk(format!("data: {event}\n\n"));
            crate::mock::rest(30);
        }
        wire.chunk("data: {\"type\":\"transcript.text.done\",\"text\":\"My order is late.\"}\n\n");
        wire.end();
    });
    assert_eq!(told.partials.last().map(String::as_str), Some("My order is…"));
    assert_eq!(told.partials[0], "My");
    assert_eq!(told.lines, ["\"My order is late.\"", "done"]);
}

/// What a server does, and what is told.
type Case = (&'static str, fn(&mut Wire), &'static str);

#[test]
fn other_answers_are_words_nothing_or_an_error() {
    let cases: [Case; 8] = [
        ("text", |wire| wire.answer("200 OK", "Content-Type: text/plain\r\n", "Hi.\n"), "\"Hi.\""),
        (
            "nothing said",
            |wire| wire.answer("200 OK", "Content-Type: application/json\r\n", r#"{"text":" "}"#),
            "done",
        ),
        (
            "silence of whisper.cpp",
            |wire| {
                wire.answer("200 OK", "Content-Type: application/json\r\n", r#"{"text":" [BLANK_AUDIO]\n"}"#)
            },
            "done",
        ),
        (
            "error at once",
            |wire| wire.answer("200 OK", "Content-Type: application/json\r\n", r#"{"error":"no audio"}"#),
            "the server reports an error: no audio",
        ),
        (
            "status",
            |wire| wire.answer("413 Payload Too Large", "", "too long"),
            "413 Payload Too Large: too long",
        ),
        ("page", |wire| wire.answer("200 OK", "Content-Type: text/html\r\n", "<html>"), "see `url`"),
        (
            "cut",
            |wire| {
                wire.begin("text/event-stream");
                wire.chunk("data: {\"type\":\"transcript.text.delta\",\"delta\":\"My\"}\n\n");
                wire.end();
            },
            "ended the transcript early",
        ),
        (
            "error in the middle",
            |wire| {
                wire.begin("text/event-stream");
                wire.chunk("event: error\ndata: {\"error\":{\"message\":\"out of memory\"}}\n\n");
                wire.end();
            },
            "error: out of memory",
        ),
    ];
    for (name, act, wanted) in cases {
        let (told, _) = heard("", act);
        assert!(told.lines[0].contains(wanted), "{name}: {told:?}");
    }
}

#[test]
fn a_call_without_audio_has_no_words_and_asks_nobody() {
    let mock = Mock::new(|_, wire| json(wire));
    let mut desk = Desk::new("Transcription", &format!("({}, stream: false)", mock.patient()));
    assert!(desk.rehearsal.service().wants_audio());
    assert_eq!(desk.ask(call("", 0)).lines, ["done"]);
    assert_eq!(desk.ask(spoken(1)).lines.len(), 2);
    let asked = mock.asked();
    assert_eq!(asked.len(), 1);
    assert!(!String::from_utf8_lossy(&asked[0].body).contains("name=\"stream\""));
}
