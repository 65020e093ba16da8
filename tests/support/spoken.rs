//! Sentences as a voice says them.

use std::ops::ControlFlow;

use mynah_systems::speech::flite::{Flite, VoiceStyle};

/// Two sentences with a pause between them, at the rate of the session by repeating samples.
pub(crate) fn speech(rate_hz: u32, text: &str) -> Vec<f32> {
    let mut sound = vec![0.0; 6_000];
    let flite = Flite::new().expect("the voice is part of the program");
    for sentence in text.split('.') {
        let spoken = flite.synthesize(sentence, VoiceStyle::default(), &mut |piece: &[f32]| {
            sound.extend_from_slice(piece);
            ControlFlow::Continue(())
        });
        assert!(spoken.is_ok(), "the natural style is in range");
        sound.resize(sound.len() + 3_200, 0.0);
    }
    sound.resize(sound.len() + 9_600, 0.0);
    let times = rate_hz as usize / 16_000;
    sound.iter().flat_map(|s| std::iter::repeat_n(*s, times)).collect()
}
