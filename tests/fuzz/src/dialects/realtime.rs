//! OpenAI Realtime: whatever its client sends, the order that clients rely on holds.

use mynah_dialects::realtime::{Realtime, RealtimeConfig};
use mynah_dialects::{Dialect, Ending, SceneFacts};

use crate::bytes::Bytes;

use super::client::{Client, Sent, audio, resampling};
use super::law::Law;

/// Most steps of one input.
const STEPS_MAX: usize = 200;
const MESSAGES: [&str; 16] = [
    r#"{"type":"session.update","session":{"type":"realtime","audio":{"input":{"turn_detection":{"type":"server_vad","threshold":0.9}}}}}"#,
    r#"{"type":"session.update","session":{"audio":{"input":{"turn_detection":null}}}}"#,
    r#"{"type":"session.update","session":{"instructions":7}}"#,
    r#"{"type":"response.create"}"#,
    r#"{"type":"response.cancel","event_id":"e1"}"#,
    r#"{"type":"input_audio_buffer.commit"}"#,
    r#"{"type":"input_audio_buffer.clear"}"#,
    r#"{"type":"conversation.item.create","item":{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]}}"#,
    r#"{"type":"conversation.item.create","item":{"id":"a","type":"message","role":"assistant","content":[{"type":"output_text","text":"ho"}]}}"#,
    r#"{"type":"conversation.item.create","item":{"type":"function_call_output","call_id":"c","output":"{}"}}"#,
    r#"{"type":"conversation.item.truncate","item_id":"item_3","content_index":0,"audio_end_ms":120}"#,
    r#"{"type":"conversation.item.retrieve","item_id":"a"}"#,
    r#"{"type":"conversation.item.delete","item_id":"item_1"}"#,
    r#"{"type":"output_audio_buffer.clear"}"#,
    r#"{"type":"input_audio_buffer.append","audio":"AAA"}"#,
    r#"{"type":"hello"}"#,
];

/// Steps: messages, audio, time.
///
/// # Panics
/// When anything that a client sends panics, events come out of order, something follows the end, a driver would spin, or a
/// connection never ends.
pub fn dialect_realtime(data: &[u8]) {
    let mut bytes = Bytes(data);
    let plan = resampling();
    let config =
        RealtimeConfig { model: "m".into(), scene: SceneFacts::of(&plan), ..RealtimeConfig::default() };
    let mut client = Client::in_scene(plan, Realtime::new(config));
    client.refuses = bytes.u8() % 16 == 15;
    let mut law = Law::default();
    let mut take = |sent: Sent| match sent {
        Sent::Text(event) => law.check(&event).unwrap_or_else(|broken| panic!("{broken}: {event}")),
        Sent::Audio(_) => panic!("sound comes in events"),
        Sent::Close => {}
    };
    client.poll(&mut take);
    for _ in 0..STEPS_MAX {
        if bytes.is_empty() {
            break;
        }
        step(&mut client, &mut bytes);
        client.poll(&mut take);
    }
    client.dialect.end(client.now_us, Ending::Now);
    for _ in 0..40 {
        client.tick();
        client.poll(&mut take);
    }
    assert!(client.closed, "it never ends");
    assert_eq!(law.open_response(), None, "a response was left open");
}

fn step(client: &mut Client<Realtime>, bytes: &mut Bytes<'_>) {
    let now_us = client.now_us;
    match bytes.u8() % 12 {
        0 => {
            let length = usize::from(bytes.u8());
            client.dialect.text(now_us, &String::from_utf8_lossy(&bytes.take(length)));
        }
        1..=3 => {
            let message = bytes.pick(&MESSAGES);
            client.dialect.text(now_us, message);
        }
        4 => {
            let length = usize::from(bytes.u8());
            client.dialect.binary(now_us, &bytes.take(length));
        }
        kind @ 5..=7 => {
            // 16 kHz of noise is noise at 24 kHz, too.
            let sound = base64(&audio(usize::from(bytes.u8()) * 3, kind < 7));
            client
                .dialect
                .text(now_us, &format!(r#"{{"type":"input_audio_buffer.append","audio":"{sound}"}}"#));
        }
        8 => client.now_us += u64::from(bytes.u16()) * 1_000,
        9 if bytes.u8().is_multiple_of(8) => client.dialect.end(now_us, Ending::AfterTurn),
        _ => {
            for _ in 0..bytes.u8() % 64 {
                client.tick();
            }
        }
    }
}

/// Bytes as the protocol has them, padded.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits =
            three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= three.len() { char::from(digit) } else { '=' });
        }
    }
    text
}
