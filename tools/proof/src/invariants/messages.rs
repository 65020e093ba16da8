//! Control messages over a link: each has one fate, acknowledged or given up; each takes effect at most once at the far
//! end, and one whose work is acknowledged has taken effect by then.

use std::collections::{BTreeMap, BTreeSet};

use mynah_engine::{Event, Record, SessionId};

use super::checker::Findings;

pub(super) const NAME: &str = "messages";

/// What has become of a message.
#[derive(Clone, Copy, Debug)]
struct Sent {
    kind: &'static str,
    segment: u32,
    delivered: bool,
    applied: bool,
    failed: bool,
}

/// Both ends of one session; serials are the same at both.
#[derive(Debug, Default)]
struct Ends {
    sent: BTreeMap<u64, Sent>,
    opened: BTreeSet<u32>,
    confirmed: BTreeSet<u32>,
    cancelled: BTreeSet<u32>,
    retracted: BTreeSet<(u32, u32)>,
}

#[derive(Debug, Default)]
pub(super) struct Messages {
    sessions: BTreeMap<SessionId, Ends>,
    /// Segments whose cancel was acknowledged as applied in this tick: on the wall clock the log of the far end comes
    /// after that of the near one.
    applied: Vec<(SessionId, u64, u32)>,
}

/// The messages of a session that are over are forgotten when there are more than this.
const REMEMBERED: usize = 4_096;
/// Segments that are remembered, counted back from the newest.
const SEGMENTS: u32 = 1_024;

impl Messages {
    /// An event of the engine that gates, or of what carries its messages.
    pub(super) fn near(&mut self, record: &Record, findings: &mut Findings) {
        let wrong = match record.event {
            Event::SessionOpened if findings.linked => {
                let ends = self.of(record);
                let unsettled = ends.unsettled();
                ends.sent.clear();
                unsettled
            }
            Event::ControlSent { message_id, kind, segment, .. } => {
                self.of(record).send(message_id, kind, segment);
                0
            }
            Event::ControlAcked { message_id, applied } => {
                match self.of(record).acknowledge(message_id, applied) {
                    Ok(None) => {}
                    Ok(Some(segment)) => self.applied.push((record.session, message_id, segment)),
                    Err(wrong) => {
                        findings.add(NAME, Some(record.session), || format!("message {message_id} {wrong}"));
                    }
                }
                0
            }
            Event::ControlFailed { message_id } => {
                if let Some(wrong) = self.of(record).fail(message_id) {
                    findings.add(NAME, Some(record.session), || format!("message {message_id} {wrong}"));
                }
                0
            }
            _ => 0,
        };
        if wrong > 0 {
            findings.add(NAME, Some(record.session), || format!("{wrong} messages without a fate"));
        }
    }

    fn of(&mut self, record: &Record) -> &mut Ends {
        self.sessions.entry(record.session).or_default()
    }

    /// An event of the engine that follows.
    pub(super) fn far(&mut self, record: &Record, findings: &mut Findings) {
        let ends = self.of(record);
        let first = match record.event {
            Event::SessionOpened => {
                ends.forget(u32::MAX);
                true
            }
            Event::SegmentOpened { segment, .. } => {
                ends.forget(segment.saturating_sub(SEGMENTS));
                ends.opened.insert(segment)
            }
            Event::SegmentConfirmed { segment, .. } => ends.confirmed.insert(segment),
            Event::SegmentCancelled { segment, .. } => ends.cancelled.insert(segment),
            Event::EndpointRetracted { segment, revision, .. } => ends.retracted.insert((segment, revision)),
            _ => true,
        };
        if !first {
            findings.add(NAME, Some(record.session), || {
                format!("{:?} a second time at the far end", record.event)
            });
        }
    }

    /// A tick is over, at both ends.
    pub(super) fn tick(&mut self, findings: &mut Findings) {
        for (session, message_id, segment) in self.applied.drain(..) {
            let Some(ends) = self.sessions.get(&session) else { continue };
            if ends.opened.contains(&segment) && !ends.cancelled.contains(&segment) {
                findings.add(NAME, Some(session), || {
                    format!("message {message_id} is acknowledged as applied, and segment {segment} stands")
                });
            }
        }
    }

    /// The run is over: every message has had its fate.
    pub(super) fn finish(&mut self, findings: &mut Findings) {
        for (session, ends) in &self.sessions {
            let unsettled = ends.unsettled();
            if unsettled > 0 {
                findings.add(NAME, Some(*session), || format!("{unsettled} messages without a fate"));
            }
        }
    }
}

impl Ends {
    /// Segments before `segment` are long over.
    fn forget(&mut self, segment: u32) {
        for kept in [&mut self.opened, &mut self.confirmed, &mut self.cancelled] {
            *kept = kept.split_off(&segment);
        }
        self.retracted = self.retracted.split_off(&(segment, 0));
    }

    fn send(&mut self, message_id: u64, kind: &'static str, segment: u32) {
        if self.sent.len() >= REMEMBERED {
            self.sent.retain(|_, sent| !sent.failed && !sent.applied);
        }
        let sent = Sent { kind, segment, delivered: false, applied: false, failed: false };
        self.sent.insert(message_id, sent);
    }

    /// Takes a receipt; the segment that must be cancelled by now.
    fn acknowledge(&mut self, message_id: u64, applied: bool) -> Result<Option<u32>, &'static str> {
        let sent = self.sent.get_mut(&message_id).ok_or("is acknowledged, and was not sent")?;
        let flag = if applied { &mut sent.applied } else { &mut sent.delivered };
        if std::mem::replace(flag, true) {
            return Err("is acknowledged a second time");
        }
        if sent.failed && !applied {
            return Err("is acknowledged, and was given up");
        }
        Ok((applied && sent.kind == "CancelSpeculation").then_some(sent.segment))
    }

    fn fail(&mut self, message_id: u64) -> Option<&'static str> {
        let Some(sent) = self.sent.get_mut(&message_id) else { return Some("is given up, and was not sent") };
        if std::mem::replace(&mut sent.failed, true) {
            return Some("is given up a second time");
        }
        sent.delivered.then_some("is given up, and was acknowledged")
    }

    fn unsettled(&self) -> usize {
        self.sent.values().filter(|sent| !sent.delivered && !sent.failed).count()
    }
}
