//! What a lane makes of hops in which its session's own answer may be heard.

use bevy_ecs::prelude::Query;
use mynah_engine::base::frames_to_us;
use mynah_engine::node::SegmentWriter;
use mynah_engine::session::Intake;

use crate::vad::SAMPLE_RATE_HZ;
use crate::vad_gate::decision::{BesideAnswer, Decision};
use crate::vad_gate::echo::{Counts, Echo};
use crate::vad_gate::lane::GateLane;

impl GateLane {
    /// What counts of the probability `p` of the next hop, of `hop` samples, if an answer is heard in it.
    pub(super) fn beside_answer(
        &mut self,
        p: f32,
        hop: usize,
        echo: Echo,
        intakes: &Query<'_, '_, &'static Intake>,
        gate: &SegmentWriter<'_, '_, '_, '_>,
    ) -> Option<BesideAnswer> {
        let later = frames_to_us((self.heard.len() - hop) as u64, SAMPLE_RATE_HZ);
        let to_us = self.end_us.saturating_sub(later);
        let now_us = gate.cx.now.us;
        let recorded_us = intakes.get(gate.cx.lane.owner).map_or(now_us, |intake| intake.recorded_us(to_us));
        let from_us = recorded_us.saturating_sub(self.hop_us);
        let playout = gate.cx.playout();
        let Some(quiet_us) = playout.quiet_from_us(from_us, recorded_us, echo.tail_us) else {
            // An answer may have been cut short.
            self.echo.deaf_until_us = self.echo.deaf_until_us.min(to_us.saturating_sub(self.hop_us));
            return None;
        };
        let open = self.segment.key().serial;
        if playout.sounds() && playout.segment == open {
            self.echo.answered = open;
        }
        let counts = match echo.counts {
            Counts::Nothing => {
                self.echo.deaf_until_us = (to_us + quiet_us).saturating_sub(recorded_us);
                false
            }
            Counts::Louder { factor } => self.echo.is_louder(factor, &self.heard[..hop], self.hop_us),
        };
        let answers_open = open != 0 && self.echo.answered == open;
        Some(BesideAnswer { p: if counts { p } else { 0.0 }, answers_open })
    }

    /// Gives up an open segment in which nothing was heard (`forward: Always`) if it began while nothing counted, so that
    /// the speech that follows has a segment of its own.
    pub(super) fn shed_echo(&mut self, decisions: &mut Vec<Decision>) {
        if self.segment.is_open() && self.segment.from_us() < self.echo.deaf_until_us {
            self.machine.give_up(decisions);
        }
    }
}
