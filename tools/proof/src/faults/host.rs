//! The reading side of a call: takes what the engine puts out, some hosts only now and then, some not at all for a while.

use mynah_engine::{Control, Out, SessionHandle};

use super::ends::Ends;
use super::plan::{Dice, Hazard};
use super::site::Site;
use super::split::Split;

/// What a host has heard of its session.
#[derive(Clone, Debug, Default)]
pub(super) struct Host {
    /// Looks only so often; 0: at every tick.
    every_us: u64,
    next_us: u64,
    /// Until then nothing is read: audio, and events.
    rests_us: (u64, u64),
    /// Blocks received.
    pub blocks: u64,
    /// Samples received.
    pub samples: u64,
    /// The newest turn, segment and revision heard of.
    pub turn: u32,
    /// See `turn`.
    pub segment: u32,
    /// See `turn`.
    pub revision: u32,
    /// Its own messages that came back as applied.
    pub applied: u64,
    /// It was told that the session is over.
    pub closed: bool,
    /// What came after that.
    pub after_closed: u64,
}

/// What a host hears.
pub(super) enum Heard<'a> {
    /// Something from a handle.
    Out(&'a Out),
    /// Sound that an audio callback has read.
    Sound(&'a [f32]),
}

impl Host {
    /// Of a new session; some are slow.
    pub(super) fn new(hazard: &mut Hazard<'_>, dice: &mut Dice) -> Self {
        let every_us = hazard.strikes(Site::SlowHost, dice).map_or(0, |drawn| drawn.amount_us());
        Self { every_us, ..Self::default() }
    }

    /// Takes what there is, if it is time to look; `is_line` says of a message whether it may become a line, and `take` gets
    /// each thing. What is left of a session that is over is
    /// read at once. What should not be goes into `wrong`.
    pub(super) fn poll(
        &mut self,
        ends: &mut Ends,
        is_line: &dyn Fn(u64) -> bool,
        hazard: &mut Hazard<'_>,
        dice: &mut Dice,
        wrong: &mut Vec<String>,
        mut take: impl FnMut(Heard<'_>),
    ) {
        let now_us = hazard.now_us;
        let at_once = hazard.is_over() || ends.is_closed();
        self.perhaps_rests(hazard, dice);
        if self.every_us > 0 && !at_once {
            if now_us < self.next_us {
                return;
            }
            self.next_us = now_us + self.every_us;
        }
        let rests = |until_us: u64| !at_once && now_us < until_us;
        let (audio, events) = (rests(self.rests_us.0), rests(self.rests_us.1));
        match ends {
            Ends::Whole(handle) if !audio => self.poll_handle(handle, &mut take),
            Ends::Whole(_) => {}
            Ends::Split(split) => {
                if !events {
                    self.poll_events(split, is_line, wrong);
                }
                if audio {
                    split.skips_to(now_us);
                } else {
                    let mut sound = |samples: &[f32]| take(Heard::Sound(samples));
                    split.listen(now_us, at_once, dice.of(Site::Split), &mut sound, wrong);
                }
                self.samples = split.read;
            }
        }
    }

    /// Some hosts stop reading for a while: audio, events, or both.
    fn perhaps_rests(&mut self, hazard: &mut Hazard<'_>, dice: &mut Dice) {
        if hazard.strikes(Site::StopReading, dice).is_none() {
            return;
        }
        let until_us = hazard.now_us + hazard.up_to_us(Site::StopReading, dice);
        match dice.of(Site::StopReading).below(3) {
            0 => self.rests_us.0 = until_us,
            1 => self.rests_us.1 = until_us,
            _ => self.rests_us = (until_us, until_us),
        }
    }

    fn poll_handle(&mut self, handle: &SessionHandle, take: &mut impl FnMut(Heard<'_>)) {
        while let Some(out) = handle.poll() {
            self.hear(&out);
            take(Heard::Out(&out));
            if let Out::Audio(audio) = out {
                handle.give_back(audio.block);
            }
        }
    }

    fn poll_events(&mut self, split: &mut Split, is_line: &dyn Fn(u64) -> bool, wrong: &mut Vec<String>) {
        while let Some(event) = split.control.poll() {
            if let Some(what) = split.events.take(&event, is_line) {
                wrong.push(format!("{}: {event:?}: {what}", split.control.name()));
            }
        }
        let events = &split.events;
        (self.turn, self.segment) = (events.turn, events.segment);
        (self.applied, self.closed, self.after_closed) = (events.effects, events.closed, events.after_closed);
    }

    fn hear(&mut self, out: &Out) {
        self.after_closed += u64::from(self.closed);
        match out {
            Out::Audio(audio) => {
                self.blocks += 1;
                self.samples += audio.block.len() as u64;
                (self.turn, self.segment) = (audio.turn, audio.segment);
                self.revision = audio.revision;
            }
            Out::Text { segment, revision, turn, .. } => {
                (self.turn, self.segment, self.revision) = (*turn, *segment, *revision);
            }
            Out::Control(control) => match *control {
                Control::Applied { .. } => self.applied += 1,
                Control::Closed => self.closed = true,
                Control::ConfirmSpeculation { segment, turn, .. } => {
                    (self.segment, self.turn) = (segment, turn);
                }
                Control::EndOfSpeech { segment, revision, .. } => {
                    (self.segment, self.revision) = (segment, revision);
                }
                _ => {}
            },
            Out::Event(_) => {}
        }
    }
}
