//! The frozen encoding of events that the event hash folds: names and fields as the event log had them when hashes were
//! first compared between versions.
//!
//! Renaming a type, adding a variant or a field changes no hash. What is new is left out here, or added where it happens only
//! in courses that could not be run before; what is here stays.

use mynah_engine::{Event, NodeId, Record};

/// Writes the code of `record` into `code`, in place of what was there: engine time, turn, name, fields. False for events that
/// the hash leaves out.
pub fn encode(record: &Record, code: &mut Vec<u8>) -> bool {
    code.clear();
    code.extend(record.t_us.to_le_bytes());
    code.extend(record.turn.to_le_bytes());
    let head = code.len();
    let mut fields = Fields(code);
    // A trace adds to the log and changes nothing: the hash is the same with and without it, so `Probability` has no code.
    for group in [segment, output, service, line, rest] {
        group(&record.event, &mut fields);
    }
    code.len() > head
}

struct Fields<'a>(&'a mut Vec<u8>);

impl Fields<'_> {
    fn put(&mut self, name: &str, numbers: &[u64]) {
        self.text(name);
        numbers.iter().for_each(|number| self.0.extend(number.to_le_bytes()));
    }

    fn text(&mut self, text: &str) {
        self.0.extend((text.len() as u32).to_le_bytes());
        self.0.extend(text.as_bytes());
    }

    fn call(&mut self, name: &str, node: NodeId, call: [u32; 3], numbers: &[u64]) {
        let [segment, revision, part] = call.map(u64::from);
        self.put(name, &[node.0.into(), segment, revision, part]);
        numbers.iter().for_each(|number| self.0.extend(number.to_le_bytes()));
    }
}

fn segment(event: &Event, to: &mut Fields<'_>) {
    let n = u64::from;
    match *event {
        Event::SegmentOpened { segment, from_us } => to.put("segment_opened", &[n(segment), from_us]),
        Event::SegmentConfirmed { segment, from_us, to_us } => {
            to.put("segment_confirmed", &[n(segment), from_us, to_us]);
        }
        Event::SegmentCancelled { segment, reason, from_us, to_us } => {
            to.put("segment_cancelled", &[n(segment), from_us, to_us]);
            to.text(reason.name());
        }
        Event::Endpoint { segment, revision, at_us, seen_us } => {
            to.put("endpoint", &[n(segment), n(revision), at_us, seen_us]);
        }
        Event::EndpointRetracted { segment, revision, at_us } => {
            to.put("endpoint_retracted", &[n(segment), n(revision), at_us]);
        }
        Event::SegmentEnded {
            segment,
            revision,
            from_us,
            to_us,
            speech_from_us,
            speech_to_us,
            split,
            ..
        } => {
            let times = [from_us, to_us, speech_from_us, speech_to_us];
            to.put("segment_ended", &[n(segment), n(revision), split.into()]);
            times.iter().for_each(|us| to.0.extend(us.to_le_bytes()));
        }
        _ => {}
    }
}

fn output(event: &Event, to: &mut Fields<'_>) {
    let n = u64::from;
    match *event {
        Event::OutputStarted { segment, revision } => to.put("output_started", &[n(segment), n(revision)]),
        Event::OutputEnded { segment, revision, samples } => {
            to.put("output_ended", &[n(segment), n(revision), samples]);
        }
        Event::OutputDropped { segment, revision, reason, samples } => {
            to.put("output_dropped", &[n(segment), n(revision), samples]);
            to.text(reason.name());
        }
        Event::FrameDropped { node, reason, samples } => {
            to.put("frame_dropped", &[node.0.into(), samples]);
            to.text(reason.name());
        }
        Event::AnswerPaused { segment, quiet_us } => to.put("answer_paused", &[n(segment), quiet_us]),
        Event::AnswerResumed { segment, ignored } => to.put("answer_resumed", &[n(segment), ignored.into()]),
        Event::AnswerInterrupted { turn, segment, heard_us } => {
            to.put("answer_interrupted", &[n(turn), n(segment), heard_us]);
        }
        Event::AnswerWithdrawn { segment } => to.put("answer_withdrawn", &[n(segment)]),
        Event::LateCancelled { segment, revision } => to.put("late_cancelled", &[n(segment), n(revision)]),
        _ => {}
    }
}

fn service(event: &Event, to: &mut Fields<'_>) {
    match event {
        Event::ServiceSubmitted { node, segment, revision, part } => {
            to.call("service_submitted", *node, [*segment, *revision, *part], &[]);
        }
        Event::ServiceDone { node, segment, revision, part, samples, busy_us } => {
            to.call("service_done", *node, [*segment, *revision, *part], &[*samples, *busy_us]);
        }
        Event::ServiceCancelled { node, segment, revision, part, wasted_us } => {
            to.call("service_cancelled", *node, [*segment, *revision, *part], &[*wasted_us]);
        }
        Event::ServiceFailed { node, segment, revision, part, reason } => {
            to.call("service_failed", *node, [*segment, *revision, *part], &[]);
            to.text(reason);
        }
        Event::ServiceRetried { node, segment, revision, part, reason } => {
            to.call("service_retried", *node, [*segment, *revision, *part], &[]);
            to.text(reason);
        }
        Event::FirstOut { node, segment, revision } => {
            to.call("first_out", *node, [*segment, *revision, 0], &[]);
        }
        Event::Text { node, segment, revision, text } => {
            to.call("text", *node, [*segment, *revision, 0], &[]);
            to.text(text);
        }
        Event::Batch { node, size, reason } => {
            to.put("batch", &[node.0.into(), (*size).into()]);
            to.text(reason.name());
        }
        Event::DeadlineNear { node, left_us } => to.put("deadline_warning", &[node.0.into(), *left_us]),
        Event::DeadlineMissed { node, late_us } => to.put("deadline_missed", &[node.0.into(), *late_us]),
        _ => {}
    }
}

/// What hosts have a session say, and what services ask of hosts.
fn line(event: &Event, to: &mut Fields<'_>) {
    match event {
        Event::LineOpened { segment, line } => to.put("line_opened", &[(*segment).into(), *line]),
        Event::LineDropped { line, reason } => {
            to.put("line_dropped", &[*line]);
            to.text(reason.name());
        }
        Event::ToolCall { node, segment, revision, call_id, name, arguments } => {
            to.call("tool_call", *node, [*segment, *revision, 0], &[]);
            [call_id, name, arguments].into_iter().for_each(|text| to.text(text));
        }
        Event::PartialText { node, segment, text } => {
            to.call("partial_text", *node, [*segment, 0, 0], &[]);
            to.text(text);
        }
        Event::ReplyRequested { node, segment, revision, request, text } => {
            to.call("reply_requested", *node, [*segment, *revision, 0], &[*request]);
            to.text(text);
        }
        Event::ReplyOver { node, segment, request } => {
            to.call("reply_over", *node, [*segment, 0, 0], &[*request]);
        }
        _ => {}
    }
}

fn rest(event: &Event, to: &mut Fields<'_>) {
    match event {
        Event::SessionOpened => to.put("session_opened", &[]),
        Event::SessionClosed => to.put("session_closed", &[]),
        Event::SessionRefused { node, reason } => {
            to.put("session_refused", &[node.0.into()]);
            to.text(reason);
        }
        Event::SessionFailed { node, reason } => {
            to.put("session_failed", &[node.map_or(u64::MAX, |node| node.0.into())]);
            to.text(reason);
        }
        Event::NonFinite { samples } => to.put("non_finite", &[*samples]),
        Event::ControlSent { message_id, kind, segment, revision } => {
            to.put("control_sent", &[*message_id, (*segment).into(), (*revision).into()]);
            to.text(kind);
        }
        Event::ControlAcked { message_id, applied } => {
            to.put("control_acked", &[*message_id, (*applied).into()]);
        }
        Event::ControlFailed { message_id } => to.put("control_failed", &[*message_id]),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use mynah_engine::SessionId;

    use super::*;

    /// Bytes that stay: whoever changes them changes every hash.
    #[test]
    fn the_code_of_an_event_stays_as_it_is() {
        let mut code = Vec::new();
        let record = |event| Record::new(7, SessionId(3), 2, event);
        assert!(encode(&record(Event::SegmentOpened { segment: 5, from_us: 9 }), &mut code));
        let expected: Vec<u8> =
            [&7u64.to_le_bytes()[..], &2u32.to_le_bytes(), &14u32.to_le_bytes(), b"segment_opened"]
                .concat()
                .into_iter()
                .chain([5u64, 9].into_iter().flat_map(u64::to_le_bytes))
                .collect();
        assert_eq!(code, expected);
        assert!(!encode(&record(Event::Probability { at_us: 1, p: 0.5 }), &mut code));
    }
}
