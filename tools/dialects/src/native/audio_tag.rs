//! Whose the audio is that is sent: said whenever it becomes somebody else's.

use mynah_engine::edge::OutAudio;
use mynah_engine::scene::Format;
use mynah_engine::uuid::Uuid;
use serde::Serialize;

/// Difference to the media time that was expected from which it counts as a jump, microseconds: blocks of whole
/// microseconds may be off by one each.
const JUMP_US: u64 = 1_000;

/// The audio that was sent last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AudioTag {
    /// Segment, revision, turn, and the media time that would follow; `None`: nothing was sent on this connection.
    last: Option<(u32, u32, u32, u64)>,
}

#[derive(Serialize)]
struct Message {
    #[serde(rename = "type")]
    kind: &'static str,
    segment: Option<String>,
    revision: u32,
    turn: u32,
    pts_us: u64,
}

/// How long a block sounds in that format, microseconds.
#[must_use]
pub fn sound_us(format: Format, audio: &OutAudio) -> u32 {
    let frames = audio.block.len() / usize::from(format.channels).max(1);
    u32::try_from(frames as u64 * 1_000_000 / u64::from(format.rate_hz).max(1)).unwrap_or(u32::MAX)
}

impl AudioTag {
    /// Whether it has to be said whose this audio is. Called once a block.
    pub(super) fn differs(&mut self, format: Format, audio: &OutAudio) -> bool {
        let origin = (audio.segment, audio.revision, audio.turn);
        let differs = self.last.is_none_or(|(segment, revision, turn, next_us)| {
            (segment, revision, turn) != origin || audio.pts_us.abs_diff(next_us) > JUMP_US
        });
        let next_us = audio.pts_us.saturating_add(u64::from(sound_us(format, audio)));
        self.last = Some((audio.segment, audio.revision, audio.turn, next_us));
        differs
    }

    /// Whose this audio is, as a message. `segment`: its name on the wire.
    pub(super) fn json(audio: &OutAudio, segment: Option<Uuid>) -> String {
        super::messages::json(&Message {
            kind: "audio",
            segment: segment.map(|id| id.to_string()),
            revision: audio.revision,
            turn: audio.turn,
            pts_us: audio.pts_us,
        })
    }
}

#[cfg(test)]
mod tests {
    use mynah_engine::Block;

    use super::*;

    #[test]
    fn a_jump_of_media_time_is_another_tag_and_rounding_is_none() {
        let format = Format { rate_hz: 44_100, channels: 2 };
        let audio = |pts_us, turn| OutAudio {
            // 10.0226 ms
            block: Block::zeroed(884),
            pts_us,
            released_us: 0,
            arrived_us: 0,
            segment: 1,
            revision: 1,
            turn,
        };
        let mut tag = AudioTag::default();
        let differs = [(0, 1), (10_022, 1), (20_045, 1), (31_000, 1), (43_000, 1), (53_022, 2), (20_000, 2)]
            .map(|(pts_us, turn)| tag.differs(format, &audio(pts_us, turn)));
        assert_eq!(differs, [true, false, false, false, true, true, true]);
    }
}
