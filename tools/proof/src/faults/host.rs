//! The reading side of a call: takes what the engine puts out, some hosts only now and then.

use mynah_engine::{Control, Out, SessionHandle};

use super::plan::{Dice, Hazard};
use super::site::Site;

/// What a host has heard of its session.
#[derive(Clone, Debug, Default)]
pub(super) struct Host {
    /// Looks only so often; 0: at every tick.
    every_us: u64,
    next_us: u64,
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

impl Host {
    /// Of a new session; some are slow.
    pub(super) fn new(hazard: &mut Hazard<'_>, dice: &mut Dice) -> Self {
        let every_us = hazard.strikes(Site::SlowHost, dice).map_or(0, |drawn| drawn.amount_us());
        Self { every_us, ..Self::default() }
    }

    /// Takes what there is, if it is time to look; `take` gets each thing. What is left of a session that is over is
    /// read at once.
    pub(super) fn poll(
        &mut self,
        handle: &SessionHandle,
        now_us: u64,
        healed: bool,
        mut take: impl FnMut(&Out),
    ) {
        if self.every_us > 0 && !healed && !handle.is_closed() {
            if now_us < self.next_us {
                return;
            }
            self.next_us = now_us + self.every_us;
        }
        while let Some(out) = handle.poll() {
            self.hear(&out);
            take(&out);
            if let Out::Audio(audio) = out {
                handle.give_back(audio.block);
            }
        }
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
