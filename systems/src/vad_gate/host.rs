//! What a host decides in place of the detector: push to talk, the end of a turn, and what is to be forgotten.
//!
//! A message applies behind all audio that came in earlier ticks, even if the gate had not worked on it yet, and before
//! the audio that comes in the same tick: a key that is let go ends the segment behind the last block of the tick
//! before, and what comes with the message is not in it. A key that is pressed has that block, and the pre-roll.

use mynah_engine::node::SegmentWriter;
use mynah_engine::speech::{CancelReason, GateMode};

use crate::vad_gate::asked::Asked;
use crate::vad_gate::decision::Decision;
use crate::vad_gate::lane::GateLane;
use crate::vad_gate::settings::Settings;

impl GateLane {
    /// Does what the host asks, now that all audio before it was taken; false if that changes nothing.
    pub(super) fn obey(
        &mut self,
        asked: Asked,
        scene: &Settings,
        decisions: &mut Vec<Decision>,
        gate: &mut SegmentWriter<'_, '_, '_, '_>,
    ) -> bool {
        if self.has_paused(gate.cx.now.us) {
            // What was kept before the pause is no pre-roll.
            self.pause(gate);
        }
        self.segment.renew_turn(gate);
        match asked {
            Asked::Mode(mode) if mode == self.mode => false,
            Asked::Mode(mode) => {
                self.mode = mode;
                match mode {
                    GateMode::Auto => self.machine.release(),
                    GateMode::Open if self.is_open() || self.keeps_from(self.end_us) => {
                        self.hold(self.end_us, scene, decisions, gate);
                    }
                    // Without any audio there is nothing to open yet: the first frame does.
                    GateMode::Open => {}
                    GateMode::Shut => {
                        self.end_now(decisions, gate);
                    }
                }
                true
            }
            Asked::EndTurn => self.end_now(decisions, gate),
            Asked::Discard => self.forget(gate),
        }
    }

    /// Takes everything from the media time `at_us` on for speech: what is open goes on and is confirmed, otherwise a
    /// segment opens with the pre-roll, if one is free.
    pub(super) fn hold(
        &mut self,
        at_us: u64,
        scene: &Settings,
        decisions: &mut Vec<Decision>,
        gate: &mut SegmentWriter<'_, '_, '_, '_>,
    ) {
        self.shed_echo(decisions);
        let settings = self.own.as_deref().unwrap_or(scene);
        self.machine.hold(at_us, settings, decisions);
        self.apply(decisions, gate);
        if self.segment.is_open() {
            // An answer that sounds waits from here on, and not only from the next hop.
            self.segment.voiced((at_us, at_us), gate);
        }
    }

    /// Ends what is open without waiting for silence: a confirmed segment behind its last sample, or where the detector
    /// heard silence begin; a speculative one is cancelled. False if nothing is open.
    fn end_now(&mut self, decisions: &mut Vec<Decision>, gate: &mut SegmentWriter<'_, '_, '_, '_>) -> bool {
        let was_open = self.is_open();
        let to_us = self.segment.to_us();
        let undecided = self.machine.finish(to_us, decisions).is_none();
        if undecided && self.segment.is_open() {
            self.segment.cancel(CancelReason::Shut, gate);
        }
        for decision in decisions.drain(..) {
            match decision {
                Decision::Endpoint { revision, at_us } => {
                    self.segment.endpoint(revision, (at_us, to_us.max(at_us)), gate);
                }
                _ => self.segment.end(gate),
            }
        }
        was_open
    }

    /// Forgets what was said and not answered: the open segment gets no answer, and nothing kept before is forwarded
    /// with the next. The detector hears what follows as a new stream. False if there was nothing.
    fn forget(&mut self, gate: &mut SegmentWriter<'_, '_, '_, '_>) -> bool {
        let had = self.is_open() || !self.lookback.is_bare();
        if self.segment.is_confirmed() {
            if self.segment.ending() > 0 {
                self.segment.retract(gate);
            }
            // No end was announced: there is nothing to answer.
            self.segment.end(gate);
        } else if self.segment.is_open() {
            self.segment.cancel(CancelReason::Discarded, gate);
        }
        self.pause(gate);
        had
    }
}
