//! What each service was told of and has not heard the end of: so that each thing ends exactly once.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};

use crate::service::call::{CallKey, CallScope, SegmentRef, SessionKey};
use crate::speech::cancellation::{CancelScope, Cancellation};
use crate::speech::heard::Heard;

/// How a segment ends for a service.
#[derive(Clone, Debug)]
pub(crate) enum Ending {
    /// It was taken back.
    Cancelled(SegmentRef),
    /// The end of the revision holds, and so much of its answer was heard.
    Committed(SegmentRef, u32, Heard),
}

/// A segment that a service has heard of, or will.
#[derive(Debug)]
struct Segment {
    serial: u32,
    /// The last revision that calls were started for; 0 = none.
    revision: u32,
    /// Which instance of the service has heard of it: with a service that panicked everything has ended. `None`: the
    /// service has not, but calls about the segment wait.
    instance: Option<u32>,
    /// It is over but for the calls about it, which the service finishes first.
    over: Option<Ending>,
}

/// What one service was told of one session at one node.
#[derive(Debug, Default)]
struct Told {
    segments: Vec<Segment>,
    /// Calls asked for and not over, in the order of asking.
    calls: Vec<CallKey>,
}

impl Told {
    /// Takes out a segment that ends; true if this instance of the service has heard of it.
    fn take(&mut self, serial: u32, instance: u32) -> bool {
        let at = self.segments.iter().position(|segment| segment.serial == serial);
        at.is_some_and(|at| self.segments.swap_remove(at).instance == Some(instance))
    }

    fn has_calls(&self, serial: u32) -> bool {
        self.calls.iter().any(|call| call.segment.serial == serial)
    }

    /// A segment is over. The ending comes back if the service is to be told now: it has heard of the segment, and works
    /// on no call about it.
    fn end(&mut self, serial: u32, instance: u32, ending: Ending) -> Option<Ending> {
        if !self.has_calls(serial) {
            return self.take(serial, instance).then_some(ending);
        }
        match self.segments.iter_mut().find(|segment| segment.serial == serial) {
            Some(segment) => segment.over = Some(ending),
            None => {
                self.segments.push(Segment { serial, revision: 0, instance: None, over: Some(ending) });
            }
        }
        None
    }
}

/// What all services were told. Looked up by session; never iterated.
#[derive(Debug, Default)]
pub(crate) struct ToldTable {
    map: HashMap<(u8, SessionKey), Told, BuildHasherDefault<DefaultHasher>>,
    /// Emptied entries, whose storage is used again.
    spare: Vec<Told>,
    /// How often each service was made anew.
    instances: Vec<u32>,
}

/// Most emptied entries that are kept.
const SPARE_MAX: usize = 256;

impl ToldTable {
    fn entry(&mut self, service: u8, of: SessionKey) -> &mut Told {
        let spare = &mut self.spare;
        self.map.entry((service, of)).or_insert_with(|| spare.pop().unwrap_or_default())
    }

    /// The service hears audio of a segment, or of a segment that will go on.
    pub(crate) fn hears(&mut self, service: u8, segment: SegmentRef) {
        self.segment(service, segment);
    }

    fn segment(&mut self, service: u8, SegmentRef { of, serial }: SegmentRef) -> &mut Segment {
        let instance = self.instance(service);
        let told = self.entry(service, of);
        let at = told.segments.iter().position(|segment| segment.serial == serial);
        let at = at.unwrap_or_else(|| {
            told.segments.push(Segment { serial, revision: 0, instance: None, over: None });
            told.segments.len() - 1
        });
        let segment = &mut told.segments[at];
        if segment.instance != Some(instance) {
            (segment.instance, segment.revision) = (Some(instance), 0);
        }
        segment
    }

    fn instance(&self, service: u8) -> u32 {
        self.instances.get(usize::from(service)).copied().unwrap_or(0)
    }

    /// A service was dropped, which ends all that it has heard of; another one begins.
    pub(crate) fn anew(&mut self, service: u8) {
        let at = usize::from(service);
        if self.instances.len() <= at {
            self.instances.resize(at + 1, 0);
        }
        self.instances[at] += 1;
    }

    /// A node asks for a call.
    pub(crate) fn asks(&mut self, service: u8, call: CallKey) {
        self.entry(service, call.of()).calls.push(call);
    }

    /// The service begins to work on a call.
    pub(crate) fn starts(&mut self, service: u8, call: &CallKey) {
        if !call.segment.is_some() {
            return;
        }
        let segment = self.segment(service, call.segment());
        segment.revision = segment.revision.max(call.revision);
    }

    /// A call is over. The end of its segment, if that waited for it.
    pub(crate) fn ends(&mut self, service: u8, call: &CallKey) -> Option<Ending> {
        let instance = self.instance(service);
        let told = self.map.get_mut(&(service, call.of()))?;
        told.calls.retain(|other| other != call);
        let serial = call.segment.serial;
        let over = if told.has_calls(serial) {
            None
        } else {
            told.segments.iter_mut().find(|segment| segment.serial == serial).and_then(|s| s.over.take())
        };
        let ending = over.filter(|_| told.take(serial, instance));
        self.tidy(service, call.of());
        ending
    }

    /// The end of a segment holds, and its answer is settled. Gives the ending back where the service is to be told now.
    pub(crate) fn commits(
        &mut self,
        service: u8,
        segment: SegmentRef,
        revision: u32,
        heard: Heard,
    ) -> Option<Ending> {
        let instance = self.instance(service);
        let told = self.map.get_mut(&(service, segment.of))?;
        let ending = told.end(segment.serial, instance, Ending::Committed(segment, revision, heard));
        self.tidy(service, segment.of);
        ending
    }

    /// A cancellation of a session reaches the service at one node: `stop` gets the calls that it covers, which are not
    /// over. Returns what the service is told, if it has heard of anything of this. `hears`: the node is told of what is
    /// taken back.
    pub(crate) fn cancel(
        &mut self,
        service: u8,
        of: SessionKey,
        scope: CancelScope,
        hears: bool,
        mut stop: impl FnMut(CallKey),
    ) -> Option<CallScope> {
        let instance = self.instance(service);
        let told = self.map.get_mut(&(service, of))?;
        if !hears && scope != CancelScope::Session {
            // The node finishes what it works on.
            let CancelScope::Segment { segment: serial } = scope else { return None };
            let segment = SegmentRef { of, serial };
            let ended = told.end(serial, instance, Ending::Cancelled(segment)).is_some();
            self.tidy(service, of);
            return ended.then_some(CallScope::Segment(segment));
        }
        let cancellation = Cancellation { session: of.session, scope };
        let covers = |call: &CallKey| cancellation.covers(of.session, call.segment.serial, call.revision);
        told.calls.retain(|call| {
            let covered = covers(call);
            if covered {
                stop(*call);
            }
            !covered
        });
        let scope = match scope {
            CancelScope::Segment { segment: serial } => {
                let heard = told.take(serial, instance);
                heard.then_some(CallScope::Segment(SegmentRef { of, serial }))
            }
            CancelScope::Revision { segment: serial, revision } => {
                let origin = (serial, revision, Some(instance));
                let heard = told.segments.iter().any(|s| (s.serial, s.revision, s.instance) == origin);
                heard.then_some(CallScope::Revision(SegmentRef { of, serial }, revision))
            }
            // The segment ends later; its calls are stopped one by one.
            CancelScope::Answer { .. } => None,
            CancelScope::Session => {
                let heard = told.segments.iter().any(|segment| segment.instance == Some(instance));
                told.segments.clear();
                heard.then_some(CallScope::Session(of))
            }
        };
        self.tidy(service, of);
        scope
    }

    fn tidy(&mut self, service: u8, of: SessionKey) {
        let empty = |told: &Told| told.segments.is_empty() && told.calls.is_empty();
        if self.map.get(&(service, of)).is_some_and(empty)
            && let Some(told) = self.map.remove(&(service, of))
            && self.spare.len() < SPARE_MAX
        {
            self.spare.push(told);
        }
    }
}
