//! Events as JSON Lines: one line a record, fields in a fixed order, names as the event log has them.

pub mod code;
pub mod header;
pub mod log;

use std::fmt::Write as _;
use std::path::Path;

use mynah_engine::{Event, NodeId, Record, ScenePlan};

use mynah_files::failure::Failure;
use mynah_files::outputs::Output;

/// Writes `{session, t_us, p}` for every probability that a gate tells.
#[derive(Debug)]
pub struct TraceWriter {
    file: Output,
    line: String,
}

impl TraceWriter {
    /// Creates the file.
    ///
    /// # Errors
    /// It cannot be created.
    pub fn create(path: &Path) -> Result<Self, Failure> {
        Ok(Self { file: Output::create(path)?, line: String::new() })
    }

    /// Appends one line if the record is a probability; `t_us` is the media time of the hop's end.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&mut self, record: &Record, session: &str) -> Result<(), Failure> {
        let Event::Probability { at_us, p } = record.event else { return Ok(()) };
        self.line.clear();
        self.line.push_str("{\"session\":");
        push_string(&mut self.line, session);
        push(&mut self.line, format_args!(",\"t_us\":{at_us},\"p\":"));
        push_probability(&mut self.line, p);
        self.line.push_str("}\n");
        self.file.put(self.line.as_bytes())
    }

    /// The file is complete.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(self) -> Result<(), Failure> {
        self.file.finish()
    }
}

/// Ids of the nodes by [`NodeId`]; the session's output comes last.
pub fn node_names(plan: &ScenePlan) -> Vec<String> {
    plan.nodes.iter().map(|node| node.id.clone()).chain(["output".into()]).collect()
}

/// A record with its session's name.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Engine time of the tick.
    pub t_us: u64,
    /// The session's name.
    pub session: &'a str,
    /// In which turn; 0 = none.
    pub turn: u32,
    /// What happened.
    pub event: &'a Event,
}

/// Appends the entry as one JSON object, without a newline: `t_us, session, turn, event`, then what belongs to the
/// event. `nodes`: see [`node_names`].
pub fn json_line(line: &mut String, entry: &Entry<'_>, nodes: &[String]) {
    push(line, format_args!("{{\"t_us\":{},\"session\":", entry.t_us));
    push_string(line, entry.session);
    push(line, format_args!(",\"turn\":{},\"event\":\"{}\"", entry.turn, event_name(entry.event)));
    Fields { line, nodes }.push_all(entry.event);
    line.push('}');
}

/// The event's name in the log.
pub fn event_name(event: &Event) -> &'static str {
    match event {
        Event::SessionOpened => "session_opened",
        Event::SegmentOpened { .. } => "segment_opened",
        Event::SegmentConfirmed { .. } => "segment_confirmed",
        Event::SegmentCancelled { .. } => "segment_cancelled",
        Event::Endpoint { .. } => "endpoint",
        Event::EndpointRetracted { .. } => "endpoint_retracted",
        Event::SegmentEnded { .. } => "segment_ended",
        Event::ServiceSubmitted { .. } => "service_submitted",
        Event::ServiceDone { .. } => "service_done",
        Event::ServiceCancelled { .. } => "service_cancelled",
        Event::ServiceFailed { .. } => "service_failed",
        Event::FirstOut { .. } => "first_out",
        Event::OutputStarted { .. } => "output_started",
        Event::OutputEnded { .. } => "output_ended",
        Event::OutputDropped { .. } => "output_dropped",
        Event::FrameDropped { .. } => "frame_dropped",
        Event::Probability { .. } => "probability",
        Event::NonFinite { .. } => "non_finite",
        Event::Text { .. } => "text",
        Event::Batch { .. } => "batch",
        Event::DeadlineNear { .. } => "deadline_warning",
        Event::DeadlineMissed { .. } => "deadline_missed",
        Event::AnswerPaused { .. } => "answer_paused",
        Event::AnswerResumed { .. } => "answer_resumed",
        Event::AnswerInterrupted { .. } => "answer_interrupted",
        Event::AnswerWithdrawn { .. } => "answer_withdrawn",
        Event::LateCancelled { .. } => "late_cancelled",
        Event::SessionRefused { .. } => "session_refused",
        Event::ControlSent { .. } => "control_sent",
        Event::ControlAcked { .. } => "control_acked",
        Event::ControlFailed { .. } => "control_failed",
        Event::SessionClosed => "session_closed",
    }
}

struct Fields<'a> {
    line: &'a mut String,
    nodes: &'a [String],
}

impl Fields<'_> {
    fn push_all(&mut self, event: &Event) {
        match event {
            Event::SessionOpened | Event::SessionClosed => {}
            Event::SegmentOpened { .. }
            | Event::SegmentConfirmed { .. }
            | Event::SegmentCancelled { .. }
            | Event::SegmentEnded { .. } => self.push_segment(event),
            Event::Endpoint { segment, revision, at_us, seen_us } => {
                self.revision(*segment, *revision).number("at_us", *at_us).number("seen_us", *seen_us);
            }
            Event::EndpointRetracted { segment, revision, at_us } => {
                self.revision(*segment, *revision).number("at_us", *at_us);
            }
            Event::OutputStarted { segment, revision } | Event::LateCancelled { segment, revision } => {
                self.revision(*segment, *revision);
            }
            Event::OutputEnded { segment, revision, samples } => {
                self.revision(*segment, *revision).number("samples", *samples);
            }
            Event::OutputDropped { segment, revision, reason, samples } => {
                self.revision(*segment, *revision).word("reason", reason.name()).number("samples", *samples);
            }
            Event::FrameDropped { node, reason, samples } => {
                self.node(*node).word("reason", reason.name()).number("samples", *samples);
            }
            Event::Probability { at_us, p } => {
                self.number("at_us", *at_us);
                self.line.push_str(",\"p\":");
                push_probability(self.line, *p);
            }
            Event::NonFinite { samples } => {
                self.number("samples", *samples);
            }
            Event::SessionRefused { node, reason } => {
                self.node(*node).word("reason", reason);
            }
            Event::ControlSent { .. } | Event::ControlAcked { .. } | Event::ControlFailed { .. } => {
                self.push_control(event);
            }
            Event::AnswerPaused { .. }
            | Event::AnswerResumed { .. }
            | Event::AnswerInterrupted { .. }
            | Event::AnswerWithdrawn { .. } => self.push_answer(event),
            Event::Batch { .. }
            | Event::DeadlineNear { .. }
            | Event::DeadlineMissed { .. }
            | Event::ServiceSubmitted { .. }
            | Event::ServiceDone { .. }
            | Event::ServiceCancelled { .. }
            | Event::ServiceFailed { .. }
            | Event::FirstOut { .. }
            | Event::Text { .. } => self.push_service(event),
        }
    }

    fn push_segment(&mut self, event: &Event) {
        match event {
            Event::SegmentOpened { segment, from_us } => {
                self.number("segment", *segment).number("from_us", *from_us);
            }
            Event::SegmentConfirmed { segment, from_us, to_us } => {
                self.number("segment", *segment).number("from_us", *from_us).number("to_us", *to_us);
            }
            Event::SegmentCancelled { segment, reason, from_us, to_us } => {
                self.number("segment", *segment).word("reason", reason.name());
                self.number("from_us", *from_us).number("to_us", *to_us);
            }
            Event::SegmentEnded {
                segment,
                revision,
                from_us,
                to_us,
                speech_from_us,
                speech_to_us,
                split,
            } => {
                self.revision(*segment, *revision).number("from_us", *from_us).number("to_us", *to_us);
                self.number("speech_from_us", *speech_from_us).number("speech_to_us", *speech_to_us);
                push(self.line, format_args!(",\"split\":{split}"));
            }
            _ => {}
        }
    }

    fn push_control(&mut self, event: &Event) {
        match event {
            Event::ControlSent { message_id, kind, segment, revision } => {
                self.number("message_id", *message_id).word("type", kind).revision(*segment, *revision);
            }
            Event::ControlAcked { message_id, applied } => {
                let stage = if *applied { "Applied" } else { "Delivered" };
                self.number("message_id", *message_id).word("stage", stage);
            }
            Event::ControlFailed { message_id } => {
                self.number("message_id", *message_id);
            }
            _ => {}
        }
    }

    fn push_answer(&mut self, event: &Event) {
        match event {
            Event::AnswerPaused { segment, quiet_us } => {
                self.number("segment", *segment).number("quiet_us", *quiet_us);
            }
            Event::AnswerResumed { segment, ignored } => {
                self.number("segment", *segment);
                push(self.line, format_args!(",\"ignored\":{ignored}"));
            }
            Event::AnswerInterrupted { turn, segment, heard_us } => {
                self.number("answer_turn", *turn).number("segment", *segment).number("heard_us", *heard_us);
            }
            Event::AnswerWithdrawn { segment } => {
                self.number("segment", *segment);
            }
            _ => {}
        }
    }

    fn push_service(&mut self, event: &Event) {
        match event {
            Event::Batch { node, size, reason } => {
                self.node(*node).number("size", *size).word("reason", reason.name());
            }
            Event::DeadlineNear { node, left_us } => {
                self.node(*node).number("left_us", *left_us);
            }
            Event::DeadlineMissed { node, late_us } => {
                self.node(*node).number("late_us", *late_us);
            }
            Event::ServiceSubmitted { node, segment, revision, part } => {
                self.node(*node).revision(*segment, *revision).number("part", *part);
            }
            Event::ServiceDone { node, segment, revision, part, samples, busy_us } => {
                self.node(*node).revision(*segment, *revision).number("part", *part);
                self.number("samples", *samples).number("busy_us", *busy_us);
            }
            Event::ServiceCancelled { node, segment, revision, part, wasted_us } => {
                self.node(*node).revision(*segment, *revision).number("part", *part);
                self.number("wasted_us", *wasted_us);
            }
            Event::ServiceFailed { node, segment, revision, part, reason } => {
                self.node(*node).revision(*segment, *revision).number("part", *part).word("reason", reason);
            }
            Event::FirstOut { node, segment, revision } => {
                self.node(*node).revision(*segment, *revision);
            }
            Event::Text { node, segment, revision, text } => {
                self.node(*node).revision(*segment, *revision).word("text", text);
            }
            _ => {}
        }
    }

    fn number(&mut self, key: &str, value: impl Into<u64>) -> &mut Self {
        push(self.line, format_args!(",\"{key}\":{}", value.into()));
        self
    }

    fn word(&mut self, key: &str, value: &str) -> &mut Self {
        push(self.line, format_args!(",\"{key}\":"));
        push_string(self.line, value);
        self
    }

    fn node(&mut self, node: NodeId) -> &mut Self {
        let nodes = self.nodes;
        self.word("node", nodes.get(node.index()).map_or("?", String::as_str))
    }

    fn revision(&mut self, segment: u32, revision: u32) -> &mut Self {
        self.number("segment", segment).number("revision", revision)
    }
}

fn push(line: &mut String, what: std::fmt::Arguments<'_>) {
    line.write_fmt(what).expect("a string takes everything");
}

fn push_probability(line: &mut String, p: f32) {
    if p.is_finite() { push(line, format_args!("{p}")) } else { line.push_str("null") }
}

/// A JSON string with its quotes (RFC 8259, section 7).
fn push_string(line: &mut String, text: &str) {
    line.push('"');
    for c in text.chars() {
        match c {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            c if u32::from(c) < 0x20 => push(line, format_args!("\\u{:04x}", u32::from(c))),
            c => line.push(c),
        }
    }
    line.push('"');
}

#[cfg(test)]
mod tests {
    use mynah_engine::DropReason;
    use mynah_engine::speech::CancelReason;

    use super::*;

    fn line(event: &Event) -> String {
        let (mut line, nodes) = (String::new(), ["gate".to_string(), "output".to_string()]);
        json_line(&mut line, &Entry { t_us: 5_000, session: "a.wav", turn: 1, event }, &nodes);
        line
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
    fn any_text_survives_the_way_through_json() {
        let all: String = (0..0x300).filter_map(char::from_u32).collect();
        let mut quoted = String::new();
        push_string(&mut quoted, &all);
        assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), all);
    }
}
