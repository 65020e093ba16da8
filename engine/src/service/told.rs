//! What each service was told of and has not heard the end of: so that each thing ends exactly once.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};

use crate::service::call::{CallKey, CallScope, SegmentRef, SessionKey};
use crate::speech::cancellation::{CancelScope, Cancellation};

/// A segment that a service has heard of.
#[derive(Clone, Copy, Debug)]
struct Segment {
    serial: u32,
    /// The last revision that calls were started for; 0 = none.
    revision: u32,
    /// Which instance of the service has heard of it: with a service that panicked everything has ended.
    instance: u32,
    /// The segment was cancelled, and its node is not told of such things: it ends with its last call.
    is_void: bool,
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
        at.is_some_and(|at| self.segments.swap_remove(at).instance == instance)
    }

    /// A node that is not told of what is taken back finishes what it works on: a cancelled segment ends with its last
    /// call. The serial of one that ends now.
    fn void(&mut self, scope: CancelScope, instance: u32) -> Option<u32> {
        let CancelScope::Segment { segment: serial } = scope else { return None };
        if self.calls.iter().any(|call| call.segment.serial == serial) {
            let mut segments = self.segments.iter_mut();
            segments.by_ref().filter(|segment| segment.serial == serial).for_each(|s| s.is_void = true);
            return None;
        }
        self.take(serial, instance).then_some(serial)
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
        told.segments.retain(|segment| segment.serial != serial || segment.instance == instance);
        let at = told.segments.iter().position(|segment| segment.serial == serial);
        let at = at.unwrap_or_else(|| {
            told.segments.push(Segment { serial, revision: 0, instance, is_void: false });
            told.segments.len() - 1
        });
        &mut told.segments[at]
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
    pub(crate) fn ends(&mut self, service: u8, call: &CallKey) -> Option<CallScope> {
        let instance = self.instance(service);
        let told = self.map.get_mut(&(service, call.of()))?;
        told.calls.retain(|other| other != call);
        let serial = call.segment.serial;
        let is_void = told.segments.iter().any(|segment| segment.serial == serial && segment.is_void);
        let is_last = !told.calls.iter().any(|other| other.segment.serial == serial);
        let ended = is_void && is_last && told.take(serial, instance);
        self.tidy(service, call.of());
        ended.then(|| CallScope::Segment(call.segment()))
    }

    /// The end of a segment holds, and its answer is settled; true if the service has heard of it.
    pub(crate) fn commits(&mut self, service: u8, segment: SegmentRef) -> bool {
        let instance = self.instance(service);
        let Some(told) = self.map.get_mut(&(service, segment.of)) else { return false };
        let heard = told.take(segment.serial, instance);
        self.tidy(service, segment.of);
        heard
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
            let ended = told.void(scope, instance);
            self.tidy(service, of);
            return ended.map(|serial| CallScope::Segment(SegmentRef { of, serial }));
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
                let origin = (serial, revision, instance);
                let heard = told.segments.iter().any(|s| (s.serial, s.revision, s.instance) == origin);
                heard.then_some(CallScope::Revision(SegmentRef { of, serial }, revision))
            }
            // The segment ends later; its calls are stopped one by one.
            CancelScope::Answer { .. } => None,
            CancelScope::Session => {
                let heard = told.segments.iter().any(|segment| segment.instance == instance);
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
