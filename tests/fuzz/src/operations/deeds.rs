//! What hosts do, read from bytes and done.

use std::sync::Arc;

use mynah_engine::base::us_to_frames;
use mynah_engine::edge::Tag;
use mynah_engine::scene::Format;
use mynah_engine::{Block, Control, ControlIn, Out, PushError, ScenePlan, SessionId, SessionSpec, Stamp};

use super::laws::{Gate, Laws};
use super::pair::{Ends, Pair};
use crate::bytes::Bytes;

/// Ticks within which all sessions are closed when their hosts leave and listen.
const DRAIN_TICKS_MAX: u32 = 3_000;
const DRAIN_TICK_US: u64 = 20_000;
/// How far time goes in a tick, microseconds.
const STEPS_US: [u64; 8] = [5_000, 0, 1, 5_000, 20_000, 100_000, 1_000_000, 30_000_000];

struct Session {
    name: String,
    ends: Ends,
    laws: Laws,
    wants_controls: bool,
    /// Its host takes what comes after every tick.
    listens: bool,
    /// Sample frames of its audio up to now.
    frames: u64,
    messages: u64,
}

/// The hosts of both engines.
pub(super) struct Hosts {
    pair: Pair,
    sessions: Vec<Session>,
    /// Sessions whose hosts have dropped their ends.
    vanished: Vec<(SessionId, Laws)>,
    /// Something was released that nobody took.
    untaken: bool,
    /// Samples that were taken from sessions that are over.
    samples: u64,
    pushed: u64,
    hung_up: bool,
    gate: Gate,
}

impl Hosts {
    pub(super) fn new(plan: Arc<ScenePlan>, shards: u32) -> Self {
        let gates = plan.nodes.iter().map(|node| match node.spec.kind() {
            "VadGate" => Gate::Here,
            "Follow" => Gate::Elsewhere,
            _ => Gate::Nobody,
        });
        let gate = gates.fold(Gate::Nobody, |found, one| if one == Gate::Nobody { found } else { one });
        Self {
            pair: Pair::new(plan, shards),
            sessions: Vec::new(),
            vanished: Vec::new(),
            untaken: false,
            samples: 0,
            pushed: 0,
            hung_up: false,
            gate,
        }
    }

    /// One operation.
    pub(super) fn act(&mut self, bytes: &mut Bytes<'_>) {
        let what = bytes.u8();
        match what % 16 {
            0 => self.open(bytes),
            1 => drop(self.with(bytes, |host, _| host.ends.both(|end| end.finish()))),
            2 => {
                let hung_up = self.with(bytes, |host, _| {
                    host.laws.hung_up = true;
                    host.ends.both(|end| end.close());
                });
                self.hung_up |= hung_up.is_some();
            }
            3..=6 => {
                let pushed = self.with(bytes, push);
                self.pushed += pushed.unwrap_or(0);
            }
            7 | 8 => {
                let now_us = self.pair.now_us;
                let pushed = self.with(bytes, |host, bytes| push_block(host, bytes, now_us));
                self.pushed += pushed.unwrap_or(0);
            }
            9 => {
                let now_us = self.pair.now_us;
                self.with(bytes, |host, bytes| {
                    (0..bytes.u8()).all(|_| take(host, now_us));
                });
            }
            10 | 11 => drop(self.with(bytes, control)),
            12 => {
                let vanishes = self.with(bytes, |host, bytes| {
                    let how = bytes.u8();
                    host.listens = how & 1 > 0;
                    (how & 0x82 == 0x82).then(|| host.name.clone())
                });
                if let Some(name) = vanishes.flatten() {
                    self.vanish(&name);
                }
            }
            13 => drop(self.pair.balanced()),
            // Some ticks as they come.
            14 => {
                for _ in 0..=bytes.u8() % 32 {
                    self.tick(self.pair.now_us + 5_000);
                }
            }
            _ => {
                let step_us = bytes.pick(&STEPS_US);
                // Time that goes back.
                let back_us = if bytes.u8() & 0x80 > 0 { 50_000 } else { 0 };
                self.tick((self.pair.now_us + step_us).saturating_sub(back_us));
            }
        }
    }

    fn with<R>(
        &mut self,
        bytes: &mut Bytes<'_>,
        act: impl FnOnce(&mut Session, &mut Bytes<'_>) -> R,
    ) -> Option<R> {
        let which = usize::from(bytes.u8());
        let count = self.sessions.len();
        let session = self.sessions.get_mut(which % count.max(1))?;
        Some(act(session, bytes))
    }

    fn open(&mut self, bytes: &mut Bytes<'_>) {
        let how = bytes.u8();
        let name = match how % 8 {
            7 => String::new(),
            n => format!("s{n}"),
        };
        let input = match how >> 5 {
            0..=4 => None,
            5 => Some(Format { rate_hz: 8_000, channels: 1 }),
            6 => Some(Format { rate_hz: 48_000, channels: 2 }),
            _ => Some(Format { rate_hz: 7_000, channels: 3 }),
        };
        let wants_controls = how & 0x10 > 0;
        let listens = how & 8 == 0;
        let spec = SessionSpec { input, controls: wants_controls, ..SessionSpec::named(name.clone()) };
        let there = self.sessions.iter().any(|s| s.name == name && !s.laws.closed);
        let Some(ends) = self.pair.open(spec) else { return };
        assert!(!there && !name.is_empty(), "`{name}` is opened twice");
        let laws = Laws::new(self.gate);
        self.sessions.push(Session { name, ends, laws, wants_controls, listens, frames: 0, messages: 0 });
    }

    /// The host of that session drops everything it has of it.
    fn vanish(&mut self, name: &str) {
        let Some(at) = self.sessions.iter().position(|host| host.name == name) else { return };
        let Session { ends, mut laws, .. } = self.sessions.remove(at);
        laws.hung_up = true;
        (self.hung_up, self.untaken) = (true, true);
        if !laws.closed {
            self.vanished.push((ends.one.id(), laws));
        }
    }

    fn tick(&mut self, us: u64) {
        for record in self.pair.tick(us) {
            assert_eq!(record.t_us, self.pair.now_us, "{record:?}");
            self.hear(record.session, |laws| laws.hear(&record));
        }
        let now_us = self.pair.now_us;
        for host in self.sessions.iter_mut().filter(|host| host.listens) {
            while take(host, now_us) {}
        }
        // Whoever is over and has been heard to the end makes room.
        let samples = &mut self.samples;
        self.sessions.retain(|host| {
            let over = host.listens && host.laws.closed;
            if over {
                host.laws.over(host.wants_controls);
                *samples += host.laws.samples;
            }
            !over
        });
    }

    /// The session that lives under this id now.
    fn hear(&mut self, id: SessionId, hear: impl FnOnce(&mut Laws)) {
        if let Some((_, laws)) = self.vanished.iter_mut().find(|(of, _)| *of == id) {
            hear(laws);
            self.vanished.retain(|(_, laws)| !laws.closed);
            return;
        }
        let session = self.sessions.iter_mut().rfind(|host| host.ends.one.id() == id);
        let session = session.unwrap_or_else(|| panic!("{id:?} was never opened"));
        hear(&mut session.laws);
    }

    /// Everybody leaves, some in the middle of a sentence; then nothing may be left.
    pub(super) fn leave(&mut self) {
        for host in &mut self.sessions {
            host.listens = true;
            host.ends.both(|end| end.finish());
        }
        let mut ticks = 0;
        while !self.sessions.is_empty() || !self.vanished.is_empty() {
            ticks += 1;
            assert!(ticks <= DRAIN_TICKS_MAX, "still open: {:?}", self.names());
            self.tick(self.pair.now_us + DRAIN_TICK_US);
        }
        // One more, in which the last session's entities go.
        self.tick(self.pair.now_us + DRAIN_TICK_US);
        let (census, queued) = self.pair.balanced();
        assert_eq!((census.sessions_open, census.segments_active), (0, 0));
        assert!(queued.iter().all(|queued| *queued == 0), "{queued:?}");
        let released = census.nodes.last().map_or(0, |output| output.samples_out);
        let taken = self.samples == released || (self.untaken && self.samples < released);
        assert!(taken, "{released} samples released, {} received", self.samples);
        if !self.hung_up && census.edge.homeless == 0 {
            assert_eq!(census.edge.frames, self.pushed, "pushed and not taken, or the other way round");
        }
    }

    fn names(&self) -> Vec<&str> {
        self.sessions.iter().map(|host| host.name.as_str()).collect()
    }
}

/// Takes the next thing that left; whether there was one.
fn take(host: &mut Session, now_us: u64) -> bool {
    let Some(out) = host.ends.poll() else { return false };
    match out {
        Out::Audio(audio) => {
            host.laws.heard(&audio, now_us);
            host.ends.one.give_back(audio.block);
        }
        Out::Text { text, .. } => assert!(text.len() < 100_000),
        Out::Control(control) => host.laws.told(control, host.wants_controls),
        Out::Event(event) => panic!("no session here asks for events: {event:?}"),
    }
    true
}

/// A sample of one of the kinds there are.
fn sample(kind: u8, at: usize) -> f32 {
    match kind % 8 {
        0 => 0.0,
        1 => 0.001 * ((at * 7 % 13) as f32 - 6.0),
        2 | 3 => 0.6 * ((at % 32) as f32 / 16.0 - 1.0),
        4 if at.is_multiple_of(97) => f32::NAN,
        5 if at.is_multiple_of(31) => f32::NEG_INFINITY,
        6 => f32::from_bits(1 + at as u32),
        7 => 3e38 * (at % 3) as f32 - 3e38,
        _ => 0.5,
    }
}

/// Any number of samples at once; returns the sample frames that were taken.
fn push(host: &mut Session, bytes: &mut Bytes<'_>) -> u64 {
    let kind = bytes.u8();
    let Format { rate_hz, channels } = host.ends.one.input();
    let count = match kind >> 6 {
        0 => usize::from(bytes.u8()),
        1 => usize::from(bytes.u16()),
        // As a microphone would: 10 to 160 ms.
        _ => (rate_hz / 100) as usize * usize::from(channels) * (1 + usize::from(bytes.u8() % 16)),
    };
    let whole_second = rate_hz as usize * usize::from(channels);
    let pushed = host.ends.both(|end| {
        if kind & 0x20 > 0 {
            let samples: Vec<i16> = (0..count).map(|at| (sample(kind, at) * 20_000.0) as i16).collect();
            return end.try_push_i16(&samples);
        }
        let fill = |at: usize, out: &mut [f32]| {
            out.iter_mut().enumerate().for_each(|(n, out)| *out = sample(kind, at + n));
        };
        end.try_push_with(count, (kind & 0x10 > 0).then_some(1), fill)
    });
    let fits = count.is_multiple_of(usize::from(channels)) && count <= whole_second;
    assert_eq!(pushed == Err(PushError::BadLength { samples: count }), !fits);
    let frames = if pushed.is_ok() { (count / usize::from(channels)) as u64 } else { 0 };
    host.frames += frames;
    frames
}

/// One block with a stamp; returns its sample frames if it was taken.
fn push_block(host: &mut Session, bytes: &mut Bytes<'_>, now_us: u64) -> u64 {
    let (kind, how) = (bytes.u8(), bytes.u8());
    let Format { rate_hz, channels } = host.ends.one.input();
    let longest = (rate_hz / 50) as usize * usize::from(channels);
    let count = match kind >> 6 {
        0 | 1 => longest,
        2 => usize::from(bytes.u16()) % (longest + 2),
        _ => usize::from(bytes.u8()),
    };
    let media_us = mynah_engine::base::frames_to_us(host.frames, rate_hz);
    let pts_us = match how % 8 {
        0..=2 => None,
        3 => Some(media_us),
        4 => Some(media_us + u64::from(bytes.u16()) * 20),
        5 => Some(media_us.saturating_sub(u64::from(bytes.u16()) * 20)),
        6 => Some(bytes.u64()),
        _ => Some(u64::MAX),
    };
    let arrived_us = match (how >> 3) % 4 {
        0 | 1 => None,
        2 => Some(now_us.saturating_sub(u64::from(bytes.u16()))),
        _ => Some(u64::MAX),
    };
    let tag = match how >> 5 {
        0..=3 => Tag::default(),
        4..=6 => Tag { segment: u32::from(bytes.u8() % 4), revision: 0, turn: 0 },
        _ => Tag { segment: bytes.u32(), revision: u32::from(bytes.u8()), turn: bytes.u32() },
    };
    let stamp = Stamp { arrived_us, pts_us, tag };
    let taken = host.ends.both(|end| {
        let samples: Vec<f32> = (0..count).map(|at| sample(kind, at)).collect();
        end.push_stamped(Block::from_samples(&samples), stamp).is_ok()
    });
    let frames = (count / usize::from(channels)) as u64;
    assert!(!taken || (count <= longest && count.is_multiple_of(usize::from(channels))));
    if !taken {
        return 0;
    }
    host.frames += frames;
    if let (Some(pts_us), 0) = (pts_us, tag.segment) {
        // Roughly where a well-behaved sender goes on from.
        host.frames = host.frames.max(us_to_frames(pts_us.min(1 << 40), rate_hz));
    }
    frames
}

/// A control message about anything.
fn control(host: &mut Session, bytes: &mut Bytes<'_>) {
    let kind = bytes.u8();
    let number = |bytes: &mut Bytes<'_>| match bytes.u8() {
        0xff => bytes.u32(),
        n => u32::from(n % 8),
    };
    let (segment, revision) = (number(bytes), u32::from(bytes.u8() % 4));
    let media_us = match bytes.u16() {
        0xffff => u64::MAX,
        ms => u64::from(ms) * 1_000,
    };
    let end_us = media_us.saturating_add(100_000);
    let control = match kind % 9 {
        0 => Control::ConfirmSpeculation { segment, turn: revision, from_us: media_us, to_us: end_us },
        1 => Control::CancelSpeculation { segment, from_us: media_us, to_us: end_us, late: false },
        2 => Control::EndOfSpeech { segment, revision, at_us: media_us, last: kind & 0x10 > 0 },
        3 => Control::RetractEndOfSpeech { segment, revision, at_us: media_us },
        4 | 5 => Control::CancelAnswer { turn: segment },
        6 => Control::BatchHint { size: segment },
        7 => Control::DeadlineWarning { turn: segment, left_us: media_us },
        _ => Control::Applied { message_id: u64::from(segment) },
    };
    // One, or as many as nobody takes at once.
    for _ in 0..if kind & 0xe0 == 0xe0 { 300 } else { 1 } {
        let message = ControlIn { message_id: host.messages, control: control.clone() };
        if host.ends.both(|end| end.control(message.clone())).is_ok() {
            host.laws.sent.insert(host.messages);
            host.messages += 1;
        }
    }
}
