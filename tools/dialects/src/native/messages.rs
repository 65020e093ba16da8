//! Messages about the connection, as JSON.

use mynah_engine::SessionHandle;
use mynah_engine::scene::Format;
use mynah_engine::uuid::Uuid;
use serde::Serialize;

use crate::pcm::Encoding;

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Message<'a> {
    Opened {
        session: &'a str,
        generation: u32,
        token: Option<&'a str>,
        resume_ms: u32,
        scene: &'a str,
        input: FormatObject,
        output: Option<FormatObject>,
    },
    Resumed {
        newest_id: u64,
    },
    Text {
        text: &'a str,
        segment: Option<String>,
        revision: u32,
        turn: u32,
    },
}

#[derive(Serialize)]
struct FormatObject {
    rate_hz: u32,
    channels: u8,
    encoding: Encoding,
}

/// A message as JSON.
pub(super) fn json(message: &impl Serialize) -> String {
    serde_json::to_string(message).expect("texts and numbers can always be written")
}

/// How a session was opened. `encodings`: of the audio up and down.
pub(super) fn opened(
    session: &SessionHandle,
    token: Option<&str>,
    resume_ms: u32,
    scene: &str,
    encodings: (Encoding, Encoding),
) -> String {
    let format = |format: Format, encoding| FormatObject {
        rate_hz: format.rate_hz,
        channels: format.channels,
        encoding,
    };
    json(&Message::Opened {
        session: session.name(),
        generation: session.generation(),
        token,
        resume_ms,
        scene,
        input: format(session.input(), encodings.0),
        output: session.output().map(|output| format(output, encodings.1)),
    })
}

/// How far the client's messages have come.
pub(super) fn resumed(newest_id: u64) -> String {
    json(&Message::Resumed { newest_id })
}

/// Text that leaves at the output.
pub(super) fn text(text: &str, segment: Option<Uuid>, revision: u32, turn: u32) -> String {
    json(&Message::Text { text, segment: segment.map(|id| id.to_string()), revision, turn })
}
