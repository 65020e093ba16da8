//! Folds interleaved channels into one, in place.

/// Replaces each frame of `interleaved` by the mean of its `channels` samples; afterwards there is one sample
/// per frame. Capacity is kept, nothing is allocated. The mean (rather than the sum) cannot exceed full scale.
///
/// # Panics
/// If `channels` is 0, or the samples are not whole frames.
pub fn downmix(interleaved: &mut Vec<f32>, channels: u8) {
    let width = usize::from(channels);
    assert!(width > 0, "a frame has at least one channel");
    assert!(interleaved.len().is_multiple_of(width), "samples must be whole frames of {width} channels");
    if width == 1 {
        return;
    }
    let frames = interleaved.len() / width;
    let share = 1.0 / f32::from(channels);
    for frame in 0..frames {
        let start = frame * width;
        interleaved[frame] = interleaved[start..start + width].iter().sum::<f32>() * share;
    }
    interleaved.truncate(frames);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stereo_becomes_the_mean_of_both_sides() {
        let mut samples = vec![1.0, 0.0, -0.5, -0.25, 1.0, 1.0];
        downmix(&mut samples, 2);
        assert_eq!(samples, [0.5, -0.375, 1.0]);
    }

    #[test]
    fn mono_and_nothing_stay_as_they_are() {
        let mut samples = vec![0.25, -1.0];
        downmix(&mut samples, 1);
        assert_eq!(samples, [0.25, -1.0]);
        samples.clear();
        downmix(&mut samples, 2);
        assert!(samples.is_empty());
    }

    #[test]
    #[should_panic(expected = "whole frames of 2 channels")]
    fn half_a_frame_is_refused() {
        downmix(&mut vec![0.0; 3], 2);
    }
}
