//! `Speech`: samples as they come, at the rate of the session, and answers that are no speech.

use std::sync::mpsc::channel;
use std::time::Duration;

use mynah_engine::Params;
use mynah_engine::service::CallScope;

use crate::desk::{Desk, Told, call};
use crate::mock::{Mock, Wire, rest};

/// A tone, 16 bits little endian.
fn tone(frames: usize, rate_hz: usize) -> Vec<u8> {
    let sample = |at: usize| (at as f32 * 440.0 * std::f32::consts::TAU / rate_hz as f32).sin() * 8_192.0;
    (0..frames).flat_map(|at| (sample(at) as i16).to_le_bytes()).collect()
}

/// How often a wave crosses zero upwards, which is its frequency in a second.
fn crossings(samples: &[f32]) -> usize {
    samples.windows(2).filter(|two| two[0] < 0.0 && two[1] >= 0.0).count()
}

fn spoken(act: impl Fn(&mut Wire) + Send + Sync + 'static, speaks_hz: u32) -> (Told, Mock) {
    let mock = Mock::new(move |_, wire| act(wire));
    let config = format!("({}, voice: \"v\", speed: 1.5, instructions: \"Be calm.\")", mock.patient());
    let mut desk = Desk::new("Speech", &config);
    let call = call("Hello there.", 0);
    desk.open(&call, 16_000, speaks_hz);
    (desk.ask(call), mock)
}

fn pcm(wire: &mut Wire, pieces: usize) {
    wire.begin("audio/pcm");
    tone(24_000, 24_000).chunks(pieces).for_each(|piece| wire.chunk(piece));
    wire.end();
}

#[test]
fn a_second_of_samples_is_a_second_at_the_rate_of_the_session() {
    for (speaks_hz, pieces) in [(24_000, 999), (16_000, 1_001), (48_000, 4_096), (44_100, 20_001)] {
        let (told, mock) = spoken(move |wire| pcm(wire, pieces), speaks_hz);
        assert_eq!(told.lines, ["done"], "{speaks_hz}");
        assert_eq!(told.audio.len(), speaks_hz as usize);
        let waves = crossings(&told.audio);
        assert!((438..=442).contains(&waves), "{speaks_hz}: {waves}");
        let loudest = told.audio.iter().fold(0.0_f32, |most, sample| most.max(sample.abs()));
        assert!((0.2..0.3).contains(&loudest), "{speaks_hz}: {loudest}");
        let json = mock.asked()[0].json();
        assert_eq!(mock.asked()[0].line, "POST /v1/audio/speech HTTP/1.1");
        let wanted = serde_json::json!({
            "model": "m", "voice": "v", "input": "Hello there.", "response_format": "pcm", "speed": 1.5,
            "instructions": "Be calm.",
        });
        assert_eq!(json, wanted);
    }
}

#[test]
fn speech_is_heard_while_it_is_made() {
    let (sender, heard) = channel::<()>();
    let heard = std::sync::Mutex::new(heard);
    let mock = Mock::new(move |_, wire| {
        wire.begin("audio/pcm");
        wire.chunk(tone(4_800, 24_000));
        // The rest is made once the beginning was heard.
        let patience = Duration::from_secs(20);
        let began = heard.lock().expect("one request").recv_timeout(patience).is_ok();
        wire.chunk(tone(if began { 4_800 } else { 0 }, 24_000));
        wire.end();
    });
    let mut desk = Desk::new("Speech", &format!("({}, voice: \"v\")", mock.patient()));
    let call = call("Hello.", 0);
    desk.open(&call, 16_000, 24_000);
    desk.start(call);
    let mut told = Told::default();
    desk.until(&mut told, |told| told.audio.len() >= 2_400);
    sender.send(()).expect("the server waits");
    desk.until(&mut told, |_| false);
    assert_eq!((told.audio.len(), told.end()), (9_600, "done"));
}

#[test]
fn a_cancel_stops_the_server_in_the_middle_of_a_word() {
    let (sender, closed) = channel();
    let mock = Mock::new(move |_, wire| {
        wire.begin("audio/pcm");
        wire.chunk(tone(4_800, 24_000));
        sender.send(wire.closed_within(Duration::from_secs(20))).expect("the test waits");
    });
    let mut desk = Desk::new("Speech", &format!("({}, voice: \"v\")", mock.patient()));
    let asked = call("Hello.", 0);
    desk.open(&asked, 16_000, 24_000);
    let scope = CallScope::Segment(asked.key.segment());
    desk.start(asked);
    let mut told = Told::default();
    desk.until(&mut told, |told| !told.audio.is_empty());
    desk.cancel(scope);
    desk.until(&mut told, |_| false);
    assert_eq!(told.lines, ["stopped"]);
    assert!(closed.recv_timeout(Duration::from_secs(20)).expect("the server sees it").is_some());
}

#[test]
fn a_wav_file_is_heard_at_its_own_rate_and_without_its_head() {
    let (told, _mock) = spoken(
        |wire| {
            let samples = tone(16_000, 16_000);
            let mut file = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0\0\x7d\0\0\x02\0\x10\0data\xff\xff\xff\xff".to_vec();
            file.extend(samples);
            wire.begin("audio/wav");
            file.chunks(700).for_each(|piece| wire.chunk(piece));
            wire.end();
        },
        48_000,
    );
    assert_eq!((told.audio.len(), told.end()), (48_000, "done"));
    assert!((438..=442).contains(&crossings(&told.audio)));
}

/// What a server does, and what the end says.
type Case = (&'static str, fn(&mut Wire), &'static str);

#[test]
fn what_is_no_speech_fails_with_what_helps() {
    let cases: [Case; 7] = [
        (
            "JSON",
            |wire| {
                wire.answer(
                    "200 OK",
                    "Content-Type: application/json\r\n",
                    r#"{"error":{"message":"no voice v"}}"#,
                )
            },
            "the server reports an error: no voice v",
        ),
        (
            "status",
            |wire| {
                wire.answer(
                    "400 Bad Request",
                    "Content-Type: application/json\r\n",
                    r#"{"detail":"no voice v"}"#,
                )
            },
            "400 Bad Request: no voice v",
        ),
        ("MP3", |wire| wire.answer("200 OK", "Content-Type: audio/mpeg\r\n", "xx"), "response_format"),
        ("Ogg", |wire| wire.answer("200 OK", "", "OggS............"), "the server sent Ogg"),
        ("nothing", |wire| wire.answer("200 OK", "Content-Type: audio/pcm\r\n", ""), "no audio"),
        ("odd", |wire| wire.answer("200 OK", "Content-Type: audio/pcm\r\n", [0; 101]), "within a sample"),
        (
            "cut",
            |wire| (wire.begin("audio/pcm"), wire.chunk([0; 1_000]), wire.closes()).2,
            "ended the answer early",
        ),
    ];
    for (name, act, end) in cases {
        let (told, _mock) = spoken(act, 24_000);
        assert!(told.end().starts_with("failed: http://") && told.end().contains(end), "{name}: {told:?}");
    }
}

#[test]
fn a_session_has_its_own_voice_and_silence_is_not_asked_for() {
    let mock = Mock::new(|_, wire| pcm(wire, 9_000));
    let mut desk = Desk::new("Speech", &format!("({}, voice: \"v\")", mock.patient()));
    let mut own = call("Hello.", 0);
    own.params = Params::default().with("voice", "low").into();
    desk.open(&own, 16_000, 24_000);
    assert_eq!(desk.ask(own).end(), "done");
    assert_eq!(desk.ask(call("  ", 1)).lines, ["done"]);
    let asked = mock.asked();
    assert_eq!((asked.len(), &asked[0].json()["voice"]), (1, &"low".into()));
}

#[test]
fn audio_that_pauses_for_longer_than_it_may_fails() {
    let mock = Mock::new(|_, wire| {
        wire.begin("audio/pcm");
        wire.chunk(tone(4_800, 24_000));
        rest(20_000);
    });
    let mut desk = Desk::new(
        "Speech",
        &format!("({}, voice: \"v\", connect_ms: 20000, first_byte_ms: 20000, idle_ms: 600)", mock.at()),
    );
    let call = call("Hello.", 0);
    desk.open(&call, 16_000, 24_000);
    let told = desk.ask(call);
    assert!(told.end().contains("silent for `idle_ms`, 600 ms"), "{told:?}");
    assert!(!told.audio.is_empty(), "what was made before is heard");
}
