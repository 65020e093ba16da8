//! Answers from outside as lines of an event log.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use mynah_engine::Block;
use mynah_systems::service::{OutsideEnd, OutsidePart};
use serde::{Deserialize, Serialize};

use super::name::AnswerName;

/// The event's name.
pub const ANSWER: &str = "outside_answer";
/// Characters of parts in one line: a line of a log has its bound.
const LINE_CHARS: usize = 1 << 16;

/// How an answer ends in a replay of which the log knows no end: nothing behind what the log has was ever used.
pub(super) const NO_MORE: &str = "the log has no more of this answer";

/// A part of an answer, as a log has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum LoggedPart<'a> {
    Text(Cow<'a, str>),
    /// Samples as 32-bit floats, little-endian, in Base64.
    Audio(String),
    Partial(Cow<'a, str>),
    ToolCall {
        call_id: Cow<'a, str>,
        name: Cow<'a, str>,
        arguments: Cow<'a, str>,
    },
    AwaitHost,
}

impl<'a> LoggedPart<'a> {
    fn of(part: &'a OutsidePart) -> Self {
        match part {
            OutsidePart::Text(text) => Self::Text(Cow::Borrowed(text)),
            OutsidePart::Audio(block) => {
                let bytes: Vec<u8> = block.samples().iter().flat_map(|sample| sample.to_le_bytes()).collect();
                Self::Audio(BASE64_STANDARD.encode(bytes))
            }
            OutsidePart::Partial(text) => Self::Partial(Cow::Borrowed(text)),
            OutsidePart::ToolCall { call_id, name, arguments } => Self::ToolCall {
                call_id: Cow::Borrowed(call_id),
                name: Cow::Borrowed(name),
                arguments: Cow::Borrowed(arguments),
            },
            OutsidePart::AwaitHost => Self::AwaitHost,
        }
    }

    fn chars(&self) -> usize {
        match self {
            Self::Text(text) | Self::Partial(text) => text.len(),
            Self::Audio(text) => text.len(),
            Self::ToolCall { arguments, .. } => arguments.len() + 128,
            Self::AwaitHost => 16,
        }
    }

    /// `None`: it is none that a mynah has written.
    fn part(&self) -> Option<OutsidePart> {
        Some(match self {
            Self::Text(text) => OutsidePart::Text(Arc::from(&**text)),
            Self::Audio(text) => {
                let bytes = BASE64_STANDARD.decode(text).ok()?;
                let sample = |bytes: &[u8; 4]| f32::from_le_bytes(*bytes);
                let samples: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(sample).collect();
                OutsidePart::Audio(Block::from_samples(&samples))
            }
            Self::Partial(text) => OutsidePart::Partial(Arc::from(&**text)),
            Self::ToolCall { call_id, name, arguments } => OutsidePart::ToolCall {
                call_id: Arc::from(&**call_id),
                name: Arc::from(&**name),
                arguments: Arc::from(&**arguments),
            },
            Self::AwaitHost => OutsidePart::AwaitHost,
        })
    }
}

/// What a line says beside the time, the session and the turn.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AnswerLine<'a> {
    #[serde(skip)]
    pub(crate) session: Cow<'a, str>,
    #[serde(skip)]
    pub(crate) turn: u32,
    pub(crate) event: Cow<'a, str>,
    service: Cow<'a, str>,
    /// Numbers of one byte are nodes in a log; this one has no name there.
    node: u32,
    opening: u32,
    segment: u32,
    revision: u32,
    call: u32,
    attempt: u32,
    rate_hz: u32,
    parts: Vec<LoggedPart<'a>>,
    /// Whether another line has the parts that follow.
    more: bool,
    /// Whether it was complete when it was over.
    done: bool,
    /// Why it failed.
    #[serde(default)]
    failed: Option<Cow<'a, str>>,
}

/// Tells an answer in lines.
pub(crate) fn lines(
    name: &AnswerName,
    turn: u32,
    rate_hz: u32,
    parts: &[Option<OutsidePart>],
    end: Option<&OutsideEnd>,
    tell: &mut impl FnMut(&AnswerLine<'_>),
) {
    let mut parts = parts.iter().flatten().map(LoggedPart::of).peekable();
    loop {
        let (mut some, mut chars) = (Vec::new(), 0);
        while let Some(part) = parts.next_if(|part| some.is_empty() || chars + part.chars() <= LINE_CHARS) {
            chars += part.chars();
            some.push(part);
        }
        let more = parts.peek().is_some();
        let end = end.filter(|end| !more && !matches!(end, Err(reason) if **reason == *NO_MORE));
        tell(&AnswerLine {
            session: Cow::Borrowed(&name.session),
            turn,
            event: Cow::Borrowed(ANSWER),
            service: Cow::Borrowed(&name.service),
            node: u32::from(name.node),
            opening: name.opening,
            segment: name.call.0,
            revision: name.call.1,
            call: name.call.2,
            attempt: u32::from(name.attempt),
            rate_hz,
            parts: some,
            more,
            done: matches!(end, Some(Ok(()))),
            failed: end.and_then(|end| end.as_ref().err()).map(|reason| Cow::Borrowed(&**reason)),
        });
        if !more {
            return;
        }
    }
}

/// Answers that were read from a log, by the calls that they answer.
pub type Remembered = BTreeMap<AnswerName, LoggedAnswer>;

/// An answer that was read from a log.
#[derive(Debug, Default)]
pub struct LoggedAnswer {
    pub(super) rate_hz: u32,
    pub(super) parts: Vec<OutsidePart>,
    pub(super) end: Option<OutsideEnd>,
}

impl LoggedAnswer {
    /// Adds what a line of a log says to the answers read so far; lines of other events say nothing here.
    pub fn read(line: &str, answers: &mut Remembered) {
        #[derive(Deserialize)]
        struct Whose {
            session: String,
        }
        if !line.contains(ANSWER) {
            return;
        }
        let (Ok(said), Ok(whose)) =
            (serde_json::from_str::<AnswerLine<'_>>(line), serde_json::from_str::<Whose>(line))
        else {
            return;
        };
        if said.event != ANSWER {
            return;
        }
        let name = AnswerName {
            service: said.service.into_owned(),
            session: whose.session,
            opening: said.opening,
            node: said.node as u8,
            call: (said.segment, said.revision, said.call),
            attempt: said.attempt as u8,
        };
        let answer = answers.entry(name).or_default();
        answer.rate_hz = said.rate_hz;
        answer.parts.extend(said.parts.iter().filter_map(LoggedPart::part));
        answer.end = match (said.done, said.failed) {
            (true, _) => Some(Ok(())),
            (_, Some(reason)) => Some(Err(reason.as_ref().into())),
            _ => None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_as_it_was_written_however_long_it_is() {
        let call = |id: &str| OutsidePart::ToolCall {
            call_id: id.into(),
            name: "look".into(),
            arguments: "{}".into(),
        };
        let mut parts = vec![OutsidePart::Text("one \"two\"".into()), call("a"), OutsidePart::AwaitHost];
        let noise =
            |at: usize| Block::from_samples(&(0..320).map(|i| ((i * at) as f32).sin()).collect::<Vec<_>>());
        parts.extend((0..200).map(|at| OutsidePart::Audio(noise(at))));
        let parts: Vec<Option<OutsidePart>> = parts.into_iter().map(Some).collect();
        let name = AnswerName {
            service: "llm".into(),
            session: "a".into(),
            opening: 1,
            node: 3,
            call: (1, 2, 0),
            attempt: 1,
        };
        let mut text = Vec::new();
        let failed: OutsideEnd = Err("gone".into());
        lines(&name, 1, 16_000, &parts, Some(&failed), &mut |line| {
            let line = crate::events::Line { t_us: 5, session: &line.session, turn: line.turn, event: line };
            text.push(serde_json::to_string(&line).expect("numbers and text"));
        });
        assert!(text.len() > 3 && text.iter().all(|line| line.len() < 1 << 18), "{} lines", text.len());
        let mut read = Remembered::new();
        text.iter().for_each(|line| LoggedAnswer::read(line, &mut read));
        let answer = read.remove(&name).expect("it is there");
        assert_eq!(
            format!("{:?}", answer.parts),
            format!("{:?}", parts.iter().flatten().collect::<Vec<_>>())
        );
        assert_eq!((answer.rate_hz, answer.end), (16_000, Some(failed)));
    }
}
