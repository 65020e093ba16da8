//! Events as plain data.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use mynah_engine::SessionEvent;
use mynah_engine::media::{Spoken, SpokenTime};

use crate::opaque::SessionHandle;

/// Somebody seems to speak from `from_us` on; nothing is decided yet.
pub const MYNAH_SPEECH_STARTED: u32 = 1;
/// It is speech, from `from_us` to `until_us` as far as it was forwarded.
pub const MYNAH_SPEECH_CONFIRMED: u32 = 2;
/// It was no speech. `detail`: why. `MYNAH_LATE`: some of it had left already.
pub const MYNAH_SPEECH_CANCELLED: u32 = 3;
/// The speaker finished at `until_us`: so it seems, or with `MYNAH_LAST` for good.
pub const MYNAH_END_OF_SPEECH: u32 = 4;
/// The speaker went on after `until_us`: that revision is void.
pub const MYNAH_END_OF_SPEECH_RETRACTED: u32 = 5;
/// `text` was heard of the segment so far, in place of what was told before.
pub const MYNAH_PARTIAL_TRANSCRIPT: u32 = 6;
/// `text` was recognised of the segment. `MYNAH_LAST`: completely.
pub const MYNAH_TRANSCRIPT: u32 = 7;
/// `text` is being spoken, from `from_us` to `until_us` of the turn's answer; `until_us` 0: told again when it is known.
pub const MYNAH_LINE: u32 = 8;
/// When words and phones of the line at `from_us` sound: `spoken`, with times from there on.
pub const MYNAH_SPOKEN: u32 = 9;
/// The first sample of an answer leaves. `number`: that of the host's own line; 0: the scene answers.
pub const MYNAH_ANSWER_STARTED: u32 = 10;
/// The user speaks: the answer waits.
pub const MYNAH_ANSWER_PAUSED: u32 = 11;
/// The answer goes on.
pub const MYNAH_ANSWER_RESUMED: u32 = 12;
/// The answer is withdrawn after `until_us` of it were heard.
pub const MYNAH_ANSWER_INTERRUPTED: u32 = 13;
/// The answer was heard to its end: `until_us` of it.
pub const MYNAH_ANSWER_ENDED: u32 = 14;
/// The host's own line `number` is not spoken. `detail`: why.
pub const MYNAH_LINE_DROPPED: u32 = 15;
/// `text` leaves at the output, such as captions.
pub const MYNAH_TEXT: u32 = 16;
/// A service asks the host to do `detail` with the arguments `text`, JSON; `id` names the call.
pub const MYNAH_TOOL_CALL: u32 = 17;
/// The host is to answer `text`, by `mynah_reply` with this `number`.
pub const MYNAH_REPLY_REQUESTED: u32 = 18;
/// Nobody waits for the answer to `number` any more.
pub const MYNAH_REPLY_CANCELLED: u32 = 19;
/// The service `id` failed a call of the turn. `detail`: why.
pub const MYNAH_SERVICE_FAILED: u32 = 20;
/// Something of the turn has only `until_us` left.
pub const MYNAH_DEADLINE_WARNING: u32 = 21;
/// The host's own message `number` has taken effect. Those that are taken are numbered from 1 in each session.
pub const MYNAH_APPLIED: u32 = 22;
/// The session is over; nothing follows. `detail`: why. What has left can still be pulled; `mynah_session_close` gives its
/// memory back.
pub const MYNAH_CLOSED: u32 = 23;

/// Of `mynah_event.flags`: nothing of this kind follows for the segment and revision.
pub const MYNAH_LAST: u32 = 1;
/// Of `mynah_event.flags`: some of it had left already.
pub const MYNAH_LATE: u32 = 2;

/// Of `mynah_spoken.what`: a word, the bytes from `from_byte` to `until_byte` of the line's text.
pub const MYNAH_WORD: u32 = 0;
/// Of `mynah_spoken.what`: a phone, by its name.
pub const MYNAH_PHONE: u32 = 1;
/// Of `mynah_spoken.what`: a pause.
pub const MYNAH_PAUSE: u32 = 2;

/// Bytes of a phone's name, the zero behind it included.
pub const MYNAH_PHONE_BYTES: usize = 8;

/// Something that happened in a session. Times are media time of the session in microseconds, unless the kind says
/// otherwise. What a kind does not have is 0 or null. Texts are UTF-8, end with a zero, and live until the next call of
/// `mynah_events` for the engine, or until it is closed. Zeros inside of texts are left out.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Event {
    /// Which: `MYNAH_SPEECH_STARTED` to `MYNAH_CLOSED`; another number is of a newer library, and to be passed over.
    pub kind: u32,
    /// `MYNAH_LAST`, `MYNAH_LATE`.
    pub flags: u32,
    /// The session.
    pub session: *mut SessionHandle,
    /// What the session was opened with.
    pub user: *mut c_void,
    /// Engine time of the tick in which it was told.
    pub t_us: u64,
    /// Where it begins.
    pub from_us: u64,
    /// Where it ends, or how much of it there was.
    pub until_us: u64,
    /// A message of the host's, or a request to it.
    pub number: u64,
    /// Number of the segment within the session, from 1.
    pub segment: u32,
    /// How often its end was believed.
    pub revision: u32,
    /// The turn, from 1.
    pub turn: u32,
    /// Number of the session within the engine.
    pub session_id: u32,
    /// Words.
    pub text: *const c_char,
    /// Their length in bytes, without the zero.
    pub text_len: usize,
    /// A reason or a name.
    pub detail: *const c_char,
    /// Who it is about.
    pub id: *const c_char,
    /// Of `MYNAH_SPOKEN`: the parts of speech, in order of their ends.
    pub spoken: *const SpokenPart,
    /// How many.
    pub spoken_len: usize,
}

// SAFETY: plain data; its pointers are the host's own, handles, or into an arena behind the same lock.
unsafe impl Send for Event {}

/// A word, a phone or a pause, and when it sounds: microseconds from the beginning of its line.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SpokenPart {
    /// `MYNAH_WORD`, `MYNAH_PHONE` or `MYNAH_PAUSE`.
    pub what: u32,
    /// Shape of the mouth, 0 (rest) to 14 as `mynah_viseme_name` names them; -1: of words, and of unknown phones.
    pub viseme: i32,
    /// When it begins.
    pub from_us: u64,
    /// When it ends.
    pub until_us: u64,
    /// First byte of a word in the line's text.
    pub from_byte: u32,
    /// The byte after its last.
    pub until_byte: u32,
    /// Name of a phone, such as `aa` (ARPAbet); longer ones are cut. Ends with a zero.
    pub phone: [c_char; MYNAH_PHONE_BYTES],
}

/// An event that waits to be fetched.
pub(crate) struct Waiting {
    pub(crate) t_us: u64,
    pub(crate) session: usize,
    pub(crate) session_id: u32,
    pub(crate) user: usize,
    pub(crate) event: SessionEvent,
}

/// What the texts and parts of the events fetched last live in; used again for the next.
#[derive(Default)]
pub(crate) struct Arena {
    bytes: Vec<u8>,
    parts: Vec<SpokenPart>,
    places: Vec<Places>,
    events: Vec<Event>,
}

/// Where in the arena the texts of an event begin, each from 1 on; 0: it has none.
#[derive(Clone, Copy, Default)]
struct Places {
    text: usize,
    detail: usize,
    id: usize,
    parts: usize,
}

impl Arena {
    /// Forgets the events before.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.parts.clear();
        self.places.clear();
        self.events.clear();
    }

    /// Takes over an event.
    pub(crate) fn lay_out(&mut self, waiting: Waiting) {
        let Waiting { t_us, session, session_id, user, event } = waiting;
        let mut out = Event {
            kind: 0,
            flags: 0,
            session: std::ptr::without_provenance_mut(session),
            user: std::ptr::with_exposed_provenance_mut(user),
            t_us,
            from_us: 0,
            until_us: 0,
            number: 0,
            segment: 0,
            revision: 0,
            turn: 0,
            session_id,
            text: std::ptr::null(),
            text_len: 0,
            detail: std::ptr::null(),
            id: std::ptr::null(),
            spoken: std::ptr::null(),
            spoken_len: 0,
        };
        let mut places = Places::default();
        self.fill(&mut out, &mut places, event);
        self.places.push(places);
        self.events.push(out);
    }

    /// The events laid out since [`clear`](Self::clear), with pointers: from here on nothing in the arena moves.
    pub(crate) fn events(&mut self) -> &[Event] {
        let text = |at: usize| match at {
            0 => std::ptr::null(),
            at => self.bytes[at - 1..].as_ptr().cast::<c_char>(),
        };
        for (event, places) in self.events.iter_mut().zip(&self.places) {
            (event.text, event.detail, event.id) = (text(places.text), text(places.detail), text(places.id));
            if event.spoken_len > 0 {
                event.spoken = self.parts[places.parts..].as_ptr();
            }
        }
        &self.events
    }

    fn keep(&mut self, text: &str) -> usize {
        let at = self.bytes.len() + 1;
        self.bytes.extend(text.bytes().filter(|byte| *byte != 0));
        self.bytes.push(0);
        at
    }

    fn keep_text(&mut self, out: &mut Event, places: &mut Places, text: &Arc<str>) {
        places.text = self.keep(text);
        out.text_len = self.bytes.len() - places.text;
    }

    fn fill_speech(&mut self, out: &mut Event, places: &mut Places, event: SessionEvent) {
        match event {
            SessionEvent::SpeechStarted { segment, from_us } => {
                (out.segment, out.from_us) = (segment, from_us)
            }
            SessionEvent::SpeechConfirmed { segment, turn, from_us, to_us } => {
                (out.segment, out.turn, out.from_us, out.until_us) = (segment, turn, from_us, to_us);
            }
            SessionEvent::SpeechCancelled { segment, reason, from_us, to_us, late } => {
                (out.segment, out.from_us, out.until_us) = (segment, from_us, to_us);
                out.flags = if late { MYNAH_LATE } else { 0 };
                places.detail = self.keep(reason.name());
            }
            SessionEvent::EndOfSpeech { segment, revision, at_us, last } => {
                (out.segment, out.revision, out.until_us, out.flags) =
                    (segment, revision, at_us, u32::from(last));
            }
            SessionEvent::EndOfSpeechRetracted { segment, revision, at_us } => {
                (out.segment, out.revision, out.until_us) = (segment, revision, at_us);
            }
            _ => {}
        }
    }

    fn fill(&mut self, out: &mut Event, places: &mut Places, event: SessionEvent) {
        out.kind = kind(&event);
        match event {
            speech @ (SessionEvent::SpeechStarted { .. }
            | SessionEvent::SpeechConfirmed { .. }
            | SessionEvent::SpeechCancelled { .. }
            | SessionEvent::EndOfSpeech { .. }
            | SessionEvent::EndOfSpeechRetracted { .. }) => self.fill_speech(out, places, speech),
            SessionEvent::PartialTranscript { segment, text } => {
                out.segment = segment;
                self.keep_text(out, places, &text);
            }
            SessionEvent::Transcript { segment, revision, turn, text, last } => {
                (out.segment, out.revision, out.turn, out.flags) = (segment, revision, turn, u32::from(last));
                self.keep_text(out, places, &text);
            }
            SessionEvent::Text { segment, revision, turn, text } => {
                (out.segment, out.revision, out.turn) = (segment, revision, turn);
                self.keep_text(out, places, &text);
            }
            SessionEvent::Line { turn, text, from_us, until_us } => {
                (out.turn, out.from_us, out.until_us) = (turn, from_us, until_us.unwrap_or(0));
                self.keep_text(out, places, &text);
            }
            SessionEvent::Spoken { turn, from_us, times } => {
                (out.turn, out.from_us, out.spoken_len) = (turn, from_us, times.len());
                places.parts = self.parts.len();
                self.parts.extend(times.iter().map(part));
            }
            SessionEvent::AnswerStarted { turn, line } => (out.turn, out.number) = (turn, line),
            SessionEvent::AnswerPaused { turn } | SessionEvent::AnswerResumed { turn } => out.turn = turn,
            SessionEvent::AnswerInterrupted { turn, heard_us }
            | SessionEvent::AnswerEnded { turn, heard_us } => {
                (out.turn, out.until_us) = (turn, heard_us);
            }
            SessionEvent::LineDropped { line, reason } => {
                out.number = line;
                places.detail = self.keep(reason.name());
            }
            SessionEvent::ToolCall(call) => {
                out.turn = call.turn;
                self.keep_text(out, places, &call.arguments);
                (places.detail, places.id) = (self.keep(&call.name), self.keep(&call.call_id));
            }
            SessionEvent::ReplyRequested { request, turn, segment, revision, text } => {
                (out.number, out.turn, out.segment, out.revision) = (request, turn, segment, revision);
                self.keep_text(out, places, &text);
            }
            SessionEvent::ReplyCancelled { request } => out.number = request,
            SessionEvent::ServiceFailed { turn, service, reason } => {
                out.turn = turn;
                (places.detail, places.id) = (self.keep(&reason), self.keep(&service));
            }
            SessionEvent::DeadlineWarning { turn, left_us } => (out.turn, out.until_us) = (turn, left_us),
            SessionEvent::Applied { message_id } => out.number = message_id,
            SessionEvent::Closed { reason } => places.detail = self.keep(&reason.to_string()),
            _ => {}
        }
    }
}

fn part(time: &SpokenTime) -> SpokenPart {
    let viseme = time.what.viseme().map_or(-1, |viseme| viseme as i32);
    let (what, from_byte, until_byte) = match time.what {
        Spoken::Word { from, to } => (MYNAH_WORD, from, to),
        Spoken::Phone(_) => (MYNAH_PHONE, 0, 0),
        Spoken::Pause => (MYNAH_PAUSE, 0, 0),
    };
    let mut phone = [0; MYNAH_PHONE_BYTES];
    if let Spoken::Phone(name) = &time.what {
        // The last byte stays zero.
        for (to, from) in phone[..MYNAH_PHONE_BYTES - 1].iter_mut().zip(name.bytes()) {
            *to = from as c_char;
        }
    }
    let SpokenTime { from_us, until_us, .. } = *time;
    SpokenPart { what, viseme, from_us, until_us, from_byte, until_byte, phone }
}

fn kind(event: &SessionEvent) -> u32 {
    match event {
        SessionEvent::SpeechStarted { .. } => MYNAH_SPEECH_STARTED,
        SessionEvent::SpeechConfirmed { .. } => MYNAH_SPEECH_CONFIRMED,
        SessionEvent::SpeechCancelled { .. } => MYNAH_SPEECH_CANCELLED,
        SessionEvent::EndOfSpeech { .. } => MYNAH_END_OF_SPEECH,
        SessionEvent::EndOfSpeechRetracted { .. } => MYNAH_END_OF_SPEECH_RETRACTED,
        SessionEvent::PartialTranscript { .. } => MYNAH_PARTIAL_TRANSCRIPT,
        SessionEvent::Transcript { .. } => MYNAH_TRANSCRIPT,
        SessionEvent::Line { .. } => MYNAH_LINE,
        SessionEvent::Spoken { .. } => MYNAH_SPOKEN,
        SessionEvent::AnswerStarted { .. } => MYNAH_ANSWER_STARTED,
        SessionEvent::AnswerPaused { .. } => MYNAH_ANSWER_PAUSED,
        SessionEvent::AnswerResumed { .. } => MYNAH_ANSWER_RESUMED,
        SessionEvent::AnswerInterrupted { .. } => MYNAH_ANSWER_INTERRUPTED,
        SessionEvent::AnswerEnded { .. } => MYNAH_ANSWER_ENDED,
        SessionEvent::LineDropped { .. } => MYNAH_LINE_DROPPED,
        SessionEvent::Text { .. } => MYNAH_TEXT,
        SessionEvent::ToolCall(_) => MYNAH_TOOL_CALL,
        SessionEvent::ReplyRequested { .. } => MYNAH_REPLY_REQUESTED,
        SessionEvent::ReplyCancelled { .. } => MYNAH_REPLY_CANCELLED,
        SessionEvent::ServiceFailed { .. } => MYNAH_SERVICE_FAILED,
        SessionEvent::DeadlineWarning { .. } => MYNAH_DEADLINE_WARNING,
        SessionEvent::Applied { .. } => MYNAH_APPLIED,
        SessionEvent::Closed { .. } => MYNAH_CLOSED,
        // What a newer engine tells and this header has no number for.
        _ => 0,
    }
}
