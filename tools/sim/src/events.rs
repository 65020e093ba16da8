//! Events as JSON Lines: one line a record, fields in a fixed order, names as the event log has them.

pub mod code;
pub mod header;
pub mod log;

use std::io;
use std::path::Path;

use mynah_engine::{Event, Record, ScenePlan};
use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter, Serializer};

use crate::observer::Observer;
use mynah_files::failure::Failure;
use mynah_files::outputs::Output;

/// One line: `t_us, session, turn`, then what belongs to the event.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Line<'a, E> {
    /// Engine time of the tick, microseconds.
    pub t_us: u64,
    /// The session's name.
    pub session: &'a str,
    /// In which turn; 0 = none.
    pub turn: u32,
    /// What happened: `event`, and its fields.
    #[serde(flatten)]
    pub event: E,
}

/// Writes `value` into `line`, in place of what was there, as one JSON object without a newline. `nodes`: see
/// [`node_names`].
pub fn write_json(line: &mut Vec<u8>, value: &impl Serialize, nodes: &[String]) {
    line.clear();
    value
        .serialize(&mut Serializer::with_formatter(line, LineFormat { nodes }))
        .expect("text and numbers are always JSON, and memory takes everything");
}

/// How values stand in lines.
struct LineFormat<'a> {
    nodes: &'a [String],
}

impl Formatter for LineFormat<'_> {
    /// A node, by its name: of all that is in a line only nodes are numbers of one byte.
    fn write_u8<W: ?Sized + io::Write>(&mut self, to: &mut W, node: u8) -> io::Result<()> {
        let name = self.nodes.get(usize::from(node)).map_or("?", String::as_str);
        Ok(serde_json::to_writer(to, name)?)
    }

    /// Without an exponent.
    fn write_f32<W: ?Sized + io::Write>(&mut self, to: &mut W, value: f32) -> io::Result<()> {
        write!(to, "{value}")
    }

    /// Control characters that most logs never see stand as their numbers, too.
    fn write_char_escape<W: ?Sized + io::Write>(&mut self, to: &mut W, escape: CharEscape) -> io::Result<()> {
        match escape {
            CharEscape::Backspace => to.write_all(b"\\u0008"),
            CharEscape::FormFeed => to.write_all(b"\\u000c"),
            other => CompactFormatter.write_char_escape(to, other),
        }
    }
}

/// Writes `{session, t_us, p}` for every probability that a gate tells.
#[derive(Debug)]
pub struct TraceWriter {
    file: Output,
    names: Vec<String>,
    line: Vec<u8>,
    failure: Option<Failure>,
}

/// A line of a trace; `t_us` is the media time of the hop's end, microseconds.
#[derive(Serialize)]
struct Traced<'a> {
    session: &'a str,
    t_us: u64,
    p: f32,
}

impl TraceWriter {
    /// Creates the file. `names`: of the sessions, by their numbers.
    ///
    /// # Errors
    /// It cannot be created.
    pub fn create(path: &Path, names: Vec<String>) -> Result<Self, Failure> {
        Ok(Self { file: Output::create(path)?, names, line: Vec::new(), failure: None })
    }

    /// The file is complete.
    ///
    /// # Errors
    /// A line cannot be written, the last or an earlier one.
    pub fn finish(self) -> Result<(), Failure> {
        self.failure.map_or(Ok(()), Err)?;
        self.file.finish()
    }
}

impl Observer for TraceWriter {
    fn records(&mut self, records: &[Record]) {
        for record in records {
            let (Event::Probability { at_us: t_us, p }, Some(session), None) =
                (&record.event, self.names.get(record.session.0 as usize), &self.failure)
            else {
                continue;
            };
            write_json(&mut self.line, &Traced { session, t_us: *t_us, p: *p }, &[]);
            self.line.push(b'\n');
            self.failure = self.file.put(&self.line).err();
        }
    }

    fn wants_more(&self) -> bool {
        self.failure.is_none()
    }
}

/// Ids of the nodes by their position; the session's output comes last.
pub fn node_names(plan: &ScenePlan) -> Vec<String> {
    plan.nodes.iter().map(|node| node.id.clone()).chain(["output".into()]).collect()
}

#[cfg(test)]
mod tests {
    use mynah_engine::record::FlushReason;
    use mynah_engine::speech::CancelReason;
    use mynah_engine::{DropReason, NodeId};

    use super::*;

    fn line(event: &Event) -> String {
        let (mut line, nodes) = (Vec::new(), ["gate".to_string(), "output".to_string()]);
        write_json(&mut line, &Line { t_us: 5_000, session: "a.wav", turn: 1, event }, &nodes);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn lines_are_json_with_the_fields_of_the_contract_in_order() {
        let node = NodeId(0);
        let cases = [
            (Event::SessionOpened, r#""session_opened"}"#),
            (Event::SegmentOpened { segment: 2, from_us: 7 }, r#""segment_opened","segment":2,"from_us":7}"#),
            (
                Event::SegmentCancelled {
                    segment: 2,
                    reason: CancelReason::NotSustained,
                    from_us: 1,
                    to_us: 9,
                },
                r#""segment_cancelled","segment":2,"reason":"not_sustained","from_us":1,"to_us":9}"#,
            ),
            (
                Event::Endpoint { segment: 2, revision: 1, at_us: 3, seen_us: 4 },
                r#""endpoint","segment":2,"revision":1,"at_us":3,"seen_us":4}"#,
            ),
            (
                Event::SegmentEnded {
                    segment: 2,
                    revision: 1,
                    from_us: 3,
                    to_us: 9,
                    speech_from_us: 4,
                    speech_to_us: 7,
                    split: false,
                },
                r#""segment_ended","segment":2,"revision":1,"from_us":3,"to_us":9,"speech_from_us":4,"speech_to_us":7,"split":false}"#,
            ),
            (
                Event::FrameDropped { node: NodeId(1), reason: DropReason::Overflow, samples: 320 },
                r#""frame_dropped","node":"output","reason":"overflow","samples":320}"#,
            ),
            (
                Event::Text { node, segment: 2, revision: 1, text: "say \"hi\"\n\\ \u{1}é".into() },
                r#""text","node":"gate","segment":2,"revision":1,"text":"say \"hi\"\n\\ \u0001é"}"#,
            ),
            (Event::Probability { at_us: 32_000, p: 1e-7 }, r#""probability","at_us":32000,"p":0.0000001}"#),
            (Event::Probability { at_us: 32_000, p: f32::NAN }, r#""probability","at_us":32000,"p":null}"#),
        ];
        for (event, want) in cases {
            let line = line(&event);
            assert_eq!(line, format!(r#"{{"t_us":5000,"session":"a.wav","turn":1,"event":{want}"#));
            serde_json::from_str::<serde_json::Value>(&line).unwrap();
        }
    }

    #[test]
    fn reasons_are_called_as_everywhere_else() {
        fn called<T: Serialize + Copy>(reasons: &[T], name: fn(T) -> &'static str) {
            for reason in reasons {
                assert_eq!(serde_json::to_value(reason).unwrap(), name(*reason));
            }
        }
        called(&DropReason::ALL, DropReason::name);
        called(
            &[FlushReason::Count, FlushReason::Timer, FlushReason::Full, FlushReason::Deadline],
            FlushReason::name,
        );
        let (sustained, silence) = (CancelReason::NotSustained, CancelReason::Silence);
        let cancelled = [sustained, silence, CancelReason::Closed, CancelReason::Elsewhere];
        called(&cancelled, CancelReason::name);
        called(&[CancelReason::NoVerdict, CancelReason::Shut, CancelReason::Discarded], CancelReason::name);
    }

    #[test]
    fn any_text_survives_the_way_through_json() {
        let all: String = (0..0x300).filter_map(char::from_u32).collect();
        let line = line(&Event::Text { node: NodeId(0), segment: 1, revision: 1, text: all.as_str().into() });
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap()["text"], all.as_str());
        let escaped = r#"\u0000\u0001\u0002\u0003\u0004\u0005\u0006\u0007\u0008\t\n\u000b\u000c\r\u000e"#;
        assert!(line.contains(escaped), "{line}");
    }
}
