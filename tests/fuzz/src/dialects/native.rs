//! The native protocol: whatever its client sends, and whenever its connection is lost.

use std::collections::BTreeSet;

use mynah_dialects::native::{Native, NativeConfig, NativeOutput, NativeSession, Opening, Resumption};
use mynah_dialects::{Dialect, Ending, Refusal, TurnTimes};
use mynah_engine::wire::message::AckStage;
use mynah_engine::{Event, Record, SessionId};
use serde_json::Value;

use crate::bytes::Bytes;

use super::client::{Client, Sent, TICK_US, audio};

/// Most steps of one input.
const STEPS_MAX: usize = 200;
const CONFIG: NativeConfig = NativeConfig { epoch_us: 0, resume_ms: 500 };
const FIRST: [&str; 4] = [
    r#"{"type":"open","session":"a"}"#,
    r#"{"type":"open","session":"a","notes":["speech","probability","partial","words","turns"],"output":{"rate_hz":8000}}"#,
    r#"{"type":"open","session":"a","input":{"rate_hz":16000,"encoding":"f32"},"interruption":"never","lead_ms":0}"#,
    r#"{"type":"resume","session":"a","token":"t"}"#,
];
const TYPES: [&str; 12] = [
    r#"{"Say":{"text":"Good morning."}}"#,
    r#"{"Say":{"text":"Stop.","wait":false,"interruptible":false}}"#,
    r#"{"Interrupt":{"mode":"Now"}}"#,
    r#"{"Gate":{"mode":"Open"}}"#,
    r#"{"Gate":{"mode":"Auto"}}"#,
    r#"{"EndTurn":{}}"#,
    r#"{"Discard":{}}"#,
    r#"{"Respond":{}}"#,
    r#"{"SendText":{"text":"What now?"}}"#,
    r#"{"Set":{"params":{"a":1}}}"#,
    r#"{"Heard":{"us":100000}}"#,
    r#"{"Transcript":{"text":"no","last":true}}"#,
];

/// What was told so far.
#[derive(Default)]
struct Order {
    /// Ids of messages, to be acknowledged.
    told: BTreeSet<u64>,
    error_us: Option<u64>,
    /// It was said whose the audio is.
    tagged: bool,
    begun: bool,
    over: bool,
}

/// A client and its messages.
struct Held {
    client: Client<Native>,
    order: Order,
    id: u64,
}

/// Objects that open and resume, then steps: messages, audio, time, connections lost and found, records.
///
/// # Panics
/// When anything that a client sends panics, an id is given twice, errors come more than once a second, audio comes without
/// its tag, something follows the end, a driver would spin, or a connection never ends.
pub fn dialect_native(data: &[u8]) {
    let mut bytes = Bytes(data);
    let length = usize::from(bytes.u8());
    let made_up = String::from_utf8_lossy(&bytes.take(length)).into_owned();
    for refusal in [Opening::parse(&made_up).err(), Resumption::parse(&made_up).err()].into_iter().flatten() {
        assert!(!refusal.message.is_empty() && !refusal.message.contains(char::is_control), "{refusal}");
    }
    let mut held = Held { client: Client::new(Native::new(0, CONFIG)), order: Order::default(), id: 0 };
    held.client.refuses = bytes.u8() % 16 == 15;
    let first = if length % 4 == 3 { made_up.as_str() } else { FIRST[length % FIRST.len()] };
    held.client.dialect.text(0, first);
    held.poll();
    for _ in 0..STEPS_MAX {
        if bytes.is_empty() {
            break;
        }
        held.step(&mut bytes);
        held.poll();
    }
    held.client.dialect.end(held.client.now_us, Ending::Now);
    // Messages that nobody acknowledges are given up before the end is told.
    for _ in 0..100 {
        held.client.tick();
        held.poll();
    }
    assert!(held.client.closed, "it never ends");
}

impl Held {
    fn step(&mut self, bytes: &mut Bytes<'_>) {
        let now_us = self.client.now_us;
        let dialect = &mut self.client.dialect;
        match bytes.u8() % 16 {
            0 => {
                let length = usize::from(bytes.u8());
                dialect.text(now_us, &String::from_utf8_lossy(&bytes.take(length)));
            }
            1 => dialect.text(now_us, bytes.pick(&[r#"{"type":"finish"}"#, r#"{"type":"close"}"#, FIRST[0]])),
            2 | 3 => self.control(bytes),
            4 => {
                let length = usize::from(bytes.u8());
                dialect.binary(now_us, &bytes.take(length));
            }
            kind @ 5..=8 => dialect.binary(now_us, &audio(usize::from(bytes.u8()) * 4, kind < 7)),
            9 => self.acknowledge(bytes),
            10 => self.client.now_us += u64::from(bytes.u16()) * 100,
            11 => self.lose(bytes),
            12 if bytes.u8().is_multiple_of(8) => dialect.end(now_us, Ending::AfterTurn),
            13 => {
                let event = Event::Probability { at_us: now_us, p: f32::from(bytes.u8()) / 255.0 };
                (0..bytes.u8()).for_each(|_| {
                    dialect.record(now_us, &Record::new(now_us, SessionId(0), 0, event.clone()))
                });
                let stages = [("a", 1.5); 3];
                dialect.turn(now_us, &TurnTimes { turn: 1, response_ms: 4.5, stages: &stages });
            }
            _ => {
                for _ in 0..bytes.u8() % 64 {
                    self.client.tick();
                    if bytes.u8().is_multiple_of(2) {
                        self.poll();
                    }
                }
            }
        }
    }

    /// Control messages, some of them again and some in floods.
    fn control(&mut self, bytes: &mut Bytes<'_>) {
        let (kind, count) = (bytes.pick(&TYPES), bytes.u8());
        let messages = if count > 250 { 600 } else { u32::from(count % 4) };
        for _ in 0..messages {
            self.id += u64::from(!count.is_multiple_of(3));
            let id = self.id;
            let text = format!(
                r#"{{"message_id":{id},"session_id":"a","timestamp":0,"turn":1,"message_type":{kind}}}"#
            );
            self.client.dialect.text(self.client.now_us, &text);
        }
    }

    fn acknowledge(&mut self, bytes: &mut Bytes<'_>) {
        let stage = bytes.pick(&["Delivered", "Applied"]);
        for message_id in std::mem::take(&mut self.order.told) {
            self.id += 1;
            let id = self.id;
            let text = format!(
                r#"{{"message_id":{id},"session_id":"a","timestamp":0,"message_type":{{"Ack":{{"message_id":{message_id},"stage":"{stage}"}}}}}}"#
            );
            self.client.dialect.text(self.client.now_us, &text);
        }
    }

    /// The connection is lost; for a while nobody listens, and requests come; then there is another one, or none.
    fn lose(&mut self, bytes: &mut Bytes<'_>) {
        let now_us = self.client.now_us;
        let lost = std::mem::replace(&mut self.client.dialect, Native::new(now_us, CONFIG));
        let mut parked = Box::new(lost).park(now_us);
        for _ in 0..bytes.u8() % 150 {
            self.client.tick();
            if let Some(session) = &mut parked {
                alone(session, self.client.now_us, bytes);
            }
        }
        let parked = parked.filter(|session| !session.is_over());
        (self.client.closed, self.client.resumes) = (false, false);
        self.order = Order { told: std::mem::take(&mut self.order.told), ..Order::default() };
        let now_us = self.client.now_us;
        // It waits for its first message from now on.
        self.client.dialect = Native::new(now_us, CONFIG);
        self.client.dialect.text(now_us, FIRST[3]);
        self.poll();
        let resumed = parked.ok_or_else(|| Refusal::new("not_found", "there is no such session: open one"));
        self.client.dialect.resumed(now_us, resumed);
    }

    fn poll(&mut self) {
        let now_us = self.client.now_us;
        self.client.poll(|sent| self.order.take(now_us, sent));
    }
}

/// A session that nobody listens to.
fn alone(session: &mut NativeSession, now_us: u64, bytes: &mut Bytes<'_>) {
    match bytes.u8() % 16 {
        0 => {
            let sound = audio(30, true);
            let taken = session.audio(now_us, &sound[..usize::from(bytes.u8())]);
            assert!(taken.is_err() || taken.is_ok_and(|taken| taken <= 255 && taken.is_multiple_of(2)));
        }
        1 => drop(session.acknowledge(now_us, u64::from(bytes.u8()), AckStage::Applied)),
        2 => drop(session.message(now_us, &format!("{{{}", bytes.u8()))),
        _ => {}
    }
    match session.poll(now_us) {
        NativeOutput::Wait { until_us } => {
            let within = until_us.is_none_or(|us| us > now_us && us <= now_us + 500_000 + TICK_US);
            assert!(within, "{until_us:?} at {now_us}");
        }
        other => panic!("nobody listens, and yet: {other:?}"),
    }
}

impl Order {
    fn take(&mut self, now_us: u64, sent: Sent) {
        match sent {
            Sent::Text(message) => self.message(now_us, &message),
            Sent::Audio(bytes) => assert!(self.tagged && self.begun && bytes > 0, "nobody knows whose audio"),
            Sent::Close => {}
        }
    }

    fn message(&mut self, now_us: u64, message: &Value) {
        let kind = message["message_type"].as_object().and_then(|kind| kind.keys().next());
        // A session that was flooded is over before the messages that waited for it: their receipts come behind its end.
        assert!(!self.over || kind.is_some_and(|kind| kind == "Ack"), "{message} behind the end");
        if let Some(kind) = kind {
            assert!(self.begun, "{message} before the session");
            let id = message["message_id"].as_u64().expect("a message has an id");
            self.over |= kind == "Closed";
            if kind != "Ack" {
                self.told.insert(id);
            }
            return;
        }
        match message["type"].as_str() {
            Some("opened" | "resumed") => assert!(!std::mem::replace(&mut self.begun, true), "{message}"),
            Some("error") => {
                // One that closes the connection comes when it has to.
                let again = self.begun && self.error_us.is_some_and(|us| now_us < us + 1_000_000);
                assert!(!again, "{message} at {now_us}, behind {:?}", self.error_us);
                self.error_us = Some(now_us);
            }
            Some("audio") => self.tagged = true,
            Some("text" | "speech_started" | "probability" | "partial_transcript" | "spoken" | "turn") => {
                assert!(self.begun, "{message}");
            }
            _ => panic!("{message}"),
        }
    }
}
