//! The audio that a service has heard of segments whose end is not known yet.

use std::collections::BTreeMap;

use mynah_engine::Block;
use mynah_engine::media::Sound;
use mynah_engine::scene::Format;
use mynah_engine::service::{CallScope, SegmentRef, SessionKey, SessionRef};

/// Longest audio that is kept of a segment, microseconds: half a minute. What comes after that is not heard.
const KEPT_US: u64 = 30_000_000;

/// Audio by segment. What ends is forgotten; segments whose end does not come, with their session.
#[derive(Debug, Default)]
pub(super) struct HeardAudio {
    formats: BTreeMap<SessionKey, Format>,
    /// Each with its sample frames.
    segments: BTreeMap<SegmentRef, (Sound, u64)>,
}

impl HeardAudio {
    pub(super) fn open(&mut self, session: &SessionRef) {
        if let Some(format) = session.hears {
            self.formats.insert(session.key, format);
        }
    }

    pub(super) fn close(&mut self, session: SessionKey) {
        self.formats.remove(&session);
        self.end(CallScope::Session(session));
    }

    pub(super) fn hear(&mut self, segment: SegmentRef, audio: Block) {
        let Some(&format) = self.formats.get(&segment.of) else { return };
        let nothing = || (Sound { format, blocks: Vec::new() }, 0);
        let (sound, frames) = self.segments.entry(segment).or_insert_with(nothing);
        if *frames * 1_000_000 < KEPT_US * u64::from(format.rate_hz) {
            *frames += (audio.len() / usize::from(format.channels).max(1)) as u64;
            sound.blocks.push(audio);
        }
    }

    /// What was heard of `before` is the beginning of `segment`.
    pub(super) fn goes_on(&mut self, before: SegmentRef, segment: SegmentRef) {
        if let Some(sound) = self.segments.remove(&before) {
            self.segments.insert(segment, sound);
        }
    }

    /// What was heard of a segment so far. The copy shares the samples.
    pub(super) fn of(&self, segment: &SegmentRef) -> Option<Sound> {
        self.segments.get(segment).map(|(sound, _)| sound.clone())
    }

    /// Forgets what ends with `scope`.
    pub(super) fn end(&mut self, scope: CallScope) {
        self.segments.retain(|segment, _| !scope.ends(segment));
    }

    /// Forgets a segment.
    pub(super) fn forget(&mut self, segment: &SegmentRef) {
        self.segments.remove(segment);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mynah_engine::service::Call;

    use super::*;

    #[test]
    fn a_segment_is_heard_until_it_ends_and_for_half_a_minute() {
        let of = Call::about("").key.of();
        let format = Format { rate_hz: 16_000, channels: 1 };
        let session = SessionRef {
            key: of,
            name: "a".into(),
            hears: Some(format),
            speaks: None,
            params: Arc::default(),
        };
        let [first, second, third] = [1, 2, 3].map(|serial| SegmentRef { of, serial });
        let mut heard = HeardAudio::default();
        heard.hear(first, Block::zeroed(320));
        assert!(heard.of(&first).is_none(), "nobody has opened the session");
        heard.open(&session);
        heard.hear(first, Block::zeroed(320));
        heard.goes_on(first, second);
        heard.hear(second, Block::zeroed(320));
        assert_eq!(heard.of(&second).map(|sound| sound.frames()), Some(640));
        heard.end(CallScope::Revision(second, 1));
        heard.end(CallScope::Segment(first));
        assert!(heard.of(&second).is_some(), "neither ends it");
        heard.forget(&second);
        (0..2_000).for_each(|_| heard.hear(third, Block::zeroed(320)));
        assert_eq!(heard.of(&third).map(|sound| sound.frames()), Some(480_000));
        heard.close(of);
        assert!(heard.formats.is_empty() && heard.segments.is_empty());
    }
}
