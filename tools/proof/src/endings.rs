//! The law of endings: whatever a service hears of ends exactly once. A service that keeps its books while another one
//! works.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mynah_engine::service::{
    Call, CallKey, CallScope, Replies, ReplyPart, SegmentRef, Service, ServiceKind, ServiceSite, SessionKey,
    SessionRef,
};
use mynah_engine::speech::Heard;
use mynah_engine::{Block, SessionId};

/// What services hear of, and how it ends. Clones share one book.
#[derive(Clone, Debug, Default)]
pub struct Endings(Arc<Mutex<Book>>);

/// What one instance of a service knows of one session.
#[derive(Debug, Default)]
struct Story {
    /// Segments that have not ended.
    segments: BTreeSet<u32>,
    ended: BTreeSet<u32>,
    /// Calls that have not ended.
    calls: Vec<CallKey>,
    /// Calls that were taken back and have not stopped.
    stopping: Vec<CallKey>,
}

#[derive(Debug, Default)]
struct Book {
    instances: u64,
    stories: BTreeMap<(u64, SessionKey), Story>,
    wrong: Vec<String>,
    /// Endings so far: committed, cancelled.
    ends: (u64, u64),
    /// Most segments and calls that were open at once.
    most: usize,
}

/// Most faults that are kept.
const WRONG_MAX: usize = 20;

impl Endings {
    /// A kind whose services are watched. `listens`: they get audio, whether they want any or not.
    pub fn watch(&self, kind: Arc<dyn ServiceKind>, listens: bool) -> Arc<dyn ServiceKind> {
        Arc::new(WatchedKind { kind, endings: self.clone(), listens })
    }

    /// `service`, watched from its first moment on.
    pub fn watched(&self, service: Box<dyn Service>) -> Box<dyn Service> {
        self.begin(service, false)
    }

    fn begin(&self, service: Box<dyn Service>, listens: bool) -> Box<dyn Service> {
        let mut book = self.book();
        book.instances += 1;
        Box::new(Watched { service, instance: book.instances, endings: self.clone(), listens })
    }

    /// What was wrong, in words.
    pub fn wrong(&self) -> Vec<String> {
        self.book().wrong.clone()
    }

    /// Segments that ended with a commit, and with a cancellation.
    pub fn ends(&self) -> (u64, u64) {
        self.book().ends
    }

    /// Sessions, segments and calls that have not ended.
    pub fn open(&self) -> (usize, usize, usize) {
        let book = self.book();
        let count = |of: fn(&Story) -> usize| book.stories.values().map(of).sum();
        (book.stories.len(), count(|story| story.segments.len()), count(|story| story.calls.len()))
    }

    /// Most segments and calls that were open at once.
    pub fn most(&self) -> usize {
        self.book().most
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn complain(&mut self, what: String) {
        if self.wrong.len() < WRONG_MAX {
            self.wrong.push(what);
        }
    }

    /// The story of a session that must be open.
    fn story(&mut self, instance: u64, of: SessionKey, why: &str) -> Option<&mut Story> {
        if !self.stories.contains_key(&(instance, of)) {
            self.complain(format!("{why}: {of:?} is not open"));
        }
        self.stories.get_mut(&(instance, of))
    }

    fn begins(&mut self, instance: u64, segment: SegmentRef, why: &str) {
        let Some(story) = self.story(instance, segment.of, why) else { return };
        let is_late = story.ended.contains(&segment.serial);
        story.segments.insert(segment.serial);
        if is_late {
            self.complain(format!("{why}: {segment:?} had ended"));
        }
        let open = self.stories.values().map(|story| story.segments.len() + story.calls.len()).sum();
        self.most = self.most.max(open);
    }

    fn ends(&mut self, instance: u64, segment: SegmentRef, why: &str) {
        let Some(story) = self.story(instance, segment.of, why) else { return };
        let was_open = story.segments.remove(&segment.serial);
        story.ended.insert(segment.serial);
        if !was_open {
            self.complain(format!("{why}: {segment:?} was not open"));
        }
    }

    fn cancel(&mut self, instance: u64, scope: CallScope) {
        let (of, segment) = match scope {
            CallScope::Call(call) => (call.of(), None),
            CallScope::Revision(segment, _) => (segment.of, None),
            CallScope::Segment(segment) => (segment.of, Some(segment)),
            CallScope::Session(of) => (of, None),
        };
        let Some(story) = self.story(instance, of, "cancel") else { return };
        let before = story.calls.len();
        let covered: Vec<CallKey> = story.calls.extract_if(.., |call| scope.covers(call)).collect();
        story.stopping.extend(covered);
        let stops = before > story.calls.len();
        match scope {
            CallScope::Call(call) if !stops => self.complain(format!("cancel: {call:?} was over")),
            CallScope::Revision(segment, _) if !story.segments.contains(&segment.serial) => {
                self.complain(format!("cancel of a revision: {segment:?} was not open"));
            }
            CallScope::Session(_) => {
                let all = std::mem::take(&mut story.segments);
                let count = all.len() as u64;
                story.ended.extend(all);
                self.ends.1 += count;
            }
            _ => {}
        }
        if let Some(segment) = segment {
            self.ends(instance, segment, "cancel");
            self.ends.1 += 1;
        }
    }

    fn starts(&mut self, instance: u64, call: CallKey) {
        if call.segment.is_some() {
            self.begins(instance, call.segment(), "start");
        }
        let Some(story) = self.story(instance, call.of(), "start") else { return };
        let twice = story.calls.contains(&call);
        story.calls.push(call);
        if twice {
            self.complain(format!("start: {call:?} is under way"));
        }
    }

    fn replied(&mut self, instance: u64, call: CallKey, part: &ReplyPart) {
        let Some(story) = self.stories.get_mut(&(instance, call.of())) else { return };
        match part {
            ReplyPart::Done { .. } | ReplyPart::Failed(_) => story.calls.retain(|open| *open != call),
            ReplyPart::Stopped { .. } => {
                let at = story.stopping.iter().position(|open| *open == call);
                if at.map(|at| story.stopping.swap_remove(at)).is_none() {
                    self.complain(format!("stopped: {call:?} was not taken back"));
                }
            }
            _ => {}
        }
    }

    fn closes(&mut self, instance: u64, of: SessionKey) {
        let Some(story) = self.stories.remove(&(instance, of)) else {
            return self.complain(format!("close: {of:?} was not open"));
        };
        if !story.segments.is_empty() || !story.calls.is_empty() {
            self.complain(format!("close: {of:?} with {:?} and {:?}", story.segments, story.calls));
        }
    }
}

struct WatchedKind {
    kind: Arc<dyn ServiceKind>,
    endings: Endings,
    listens: bool,
}

impl ServiceKind for WatchedKind {
    fn start(&self, site: ServiceSite<'_>) -> Box<dyn Service> {
        self.endings.begin(self.kind.start(site), self.listens)
    }
    fn modelled(&self) -> bool {
        self.kind.modelled()
    }
    fn keeps_timing(&self) -> bool {
        self.kind.keeps_timing()
    }
    fn kind(&self) -> &'static str {
        self.kind.kind()
    }
}

struct Watched {
    service: Box<dyn Service>,
    instance: u64,
    endings: Endings,
    listens: bool,
}

impl Drop for Watched {
    fn drop(&mut self) {
        // With the service everything ends that it has heard of.
        let mut book = self.endings.book();
        let instance = self.instance;
        book.stories.retain(|(of, _), _| *of != instance);
    }
}

impl Service for Watched {
    fn open(&mut self, session: SessionRef) {
        let (instance, key) = (self.instance, session.key);
        let mut book = self.endings.book();
        if book.stories.insert((instance, key), Story::default()).is_some() {
            book.complain(format!("open: {key:?} is open"));
        }
        drop(book);
        self.service.open(session);
    }
    fn close(&mut self, session: SessionKey) {
        self.endings.book().closes(self.instance, session);
        self.service.close(session);
    }
    fn wants_audio(&self) -> bool {
        self.listens || self.service.wants_audio()
    }
    fn hear(&mut self, segment: SegmentRef, audio: Block) {
        self.endings.book().begins(self.instance, segment, "hear");
        if self.service.wants_audio() {
            self.service.hear(segment, audio);
        }
    }
    fn goes_on(&mut self, before: SegmentRef, segment: SegmentRef) {
        self.endings.book().begins(self.instance, segment, "goes on");
        if self.service.wants_audio() {
            self.service.goes_on(before, segment);
        }
    }
    fn start(&mut self, batch: &mut Vec<Call>, now_us: u64) {
        for call in &*batch {
            self.endings.book().starts(self.instance, call.key);
        }
        self.service.start(batch, now_us);
    }
    fn room(&self) -> usize {
        self.service.room()
    }
    fn hold(&mut self, call: CallKey, held: bool) {
        self.service.hold(call, held);
    }
    fn cancel(&mut self, scope: CallScope, now_us: u64) {
        self.endings.book().cancel(self.instance, scope);
        self.service.cancel(scope, now_us);
    }
    fn commit(&mut self, segment: SegmentRef, revision: u32, heard: &Heard) {
        let mut book = self.endings.book();
        book.ends(self.instance, segment, "commit");
        book.ends.0 += 1;
        drop(book);
        self.service.commit(segment, revision, heard);
    }
    fn tool_result(&mut self, session: SessionId, call_id: &str, result: &str, now_us: u64) {
        self.service.tool_result(session, call_id, result, now_us);
    }
    fn reply_to(&mut self, session: SessionId, request: u64, text: &Arc<str>, last: bool) {
        self.service.reply_to(session, request, text, last);
    }
    fn poll(&mut self, now_us: u64, replies: &mut Replies<'_>) {
        let before = replies.given().len();
        self.service.poll(now_us, replies);
        let mut book = self.endings.book();
        for reply in &replies.given()[before..] {
            book.replied(self.instance, reply.key, &reply.part);
        }
    }
    fn next_due_us(&self) -> Option<u64> {
        self.service.next_due_us()
    }
}
