//! Deepgram Flux: whatever its client sends, turns are told in their order.

use mynah_dialects::flux::Flux;
use mynah_dialects::{Dialect, Ending};
use serde_json::Value;

use crate::bytes::Bytes;

use super::client::{Client, Sent, audio};

/// Most steps of one input.
const STEPS_MAX: usize = 200;
const QUERIES: [&str; 2] =
    ["encoding=linear16&sample_rate=16000", "encoding=linear16&sample_rate=16000&eager_eot_threshold=0.5"];
const MESSAGES: [&str; 6] = [
    r#"{"type":"ForceEndTurn"}"#,
    r#"{"type":"KeepAlive"}"#,
    r#"{"type":"CloseStream"}"#,
    r#"{"type":"Configure","thresholds":{"eager_eot_threshold":0.6}}"#,
    r#"{"type":"Configure","thresholds":{"eot_threshold":2},"keyterms":["a",["b"]]}"#,
    r#"{"type":"Hello"}"#,
];

/// What was told so far.
#[derive(Default)]
struct Order {
    sequence: u64,
    index: u64,
    begun: bool,
    /// Words of an eager end that holds.
    eager: Option<String>,
    failed: bool,
}

/// A query, then steps: messages, audio, time.
///
/// # Panics
/// When anything that a client sends panics, turns are told out of order, a number is left out, something follows an error
/// or the end, a driver would spin, or a connection never ends.
pub fn dialect_flux(data: &[u8]) {
    let mut bytes = Bytes(data);
    let length = usize::from(bytes.u8());
    let made_up = String::from_utf8_lossy(&bytes.take(length)).into_owned();
    let query = if length % 4 == 3 { made_up.as_str() } else { QUERIES[length % 2] };
    let Ok(flux) = Flux::new(query) else { return };
    let mut client = Client::new(flux);
    client.refuses = bytes.u8() % 16 == 15;
    let mut order = Order::default();
    client.poll(|sent| order.take(sent));
    for _ in 0..STEPS_MAX {
        if bytes.is_empty() {
            break;
        }
        step(&mut client, &mut bytes);
        client.poll(|sent| order.take(sent));
    }
    client.dialect.end(client.now_us, Ending::Now);
    for _ in 0..40 {
        client.tick();
        client.poll(|sent| order.take(sent));
    }
    assert!(client.closed, "it never ends");
    assert!(!order.begun, "a turn was left open");
}

fn step(client: &mut Client<Flux>, bytes: &mut Bytes<'_>) {
    let now_us = client.now_us;
    match bytes.u8() % 12 {
        0 => {
            let length = usize::from(bytes.u8());
            client.dialect.text(now_us, &String::from_utf8_lossy(&bytes.take(length)));
        }
        1 => {
            let message = bytes.pick(&MESSAGES);
            client.dialect.text(now_us, message);
        }
        2 => {
            let length = usize::from(bytes.u8());
            client.dialect.binary(now_us, &bytes.take(length));
        }
        kind @ 3..=6 => {
            let sound = audio(usize::from(bytes.u8()) * 4, kind < 5);
            // Cut anywhere.
            let piece = usize::from(bytes.u8()) * 16 + 1;
            for part in sound.chunks(piece) {
                client.dialect.binary(now_us, part);
            }
        }
        7 => client.now_us += u64::from(bytes.u16()) * 1_000,
        8 if bytes.u8().is_multiple_of(8) => client.dialect.end(now_us, Ending::AfterTurn),
        _ => {
            for _ in 0..bytes.u8() % 64 {
                client.tick();
            }
        }
    }
}

impl Order {
    fn take(&mut self, sent: Sent) {
        match sent {
            Sent::Text(message) => self.message(&message),
            Sent::Audio(_) => panic!("a client of Flux is sent no audio"),
            Sent::Close => {}
        }
    }

    fn message(&mut self, message: &Value) {
        assert!(!self.failed, "{message} behind an error");
        assert_eq!(message["sequence_id"], self.sequence, "{message}");
        self.sequence += 1;
        match message["type"].as_str() {
            Some("Error") => {
                assert!(!self.begun, "an error comes behind open turns");
                self.failed = true;
            }
            Some("TurnInfo") => self.turn(message),
            Some("Connected" | "ConfigureSuccess" | "ConfigureFailure" | "Warning") => {}
            _ => panic!("{message}"),
        }
    }

    fn turn(&mut self, message: &Value) {
        let text = message["transcript"].as_str().expect("a turn has words");
        assert_eq!(message["turn_index"], self.index, "{message}");
        match message["event"].as_str() {
            Some("StartOfTurn") => assert!(!std::mem::replace(&mut self.begun, true), "{message}"),
            Some("Update") => assert!(self.begun && self.eager.is_none(), "{message}"),
            Some("EagerEndOfTurn") => {
                assert!(self.begun && self.eager.is_none() && !text.is_empty(), "{message}");
                self.eager = Some(text.to_owned());
            }
            Some("TurnResumed") => assert!(self.begun && self.eager.take().is_some(), "{message}"),
            Some("EndOfTurn") => {
                assert!(std::mem::replace(&mut self.begun, false), "{message}");
                assert!(self.eager.take().is_none_or(|eager| eager == text), "{message}");
                self.index += 1;
            }
            _ => panic!("{message}"),
        }
    }
}
