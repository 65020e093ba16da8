//! Chooses among interleaved channels, in place: one of them, their mean, or all.

use mynah_engine::scene::Issue;
use serde::Deserialize;

/// Most channels that audio may have.
const CHANNELS_MAX: u8 = 8;

/// The channels that are kept. Channels are counted from 1, as mixing desks and editors do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Channels {
    /// One channel: the mean of all.
    #[default]
    Mono,
    /// All channels that arrive.
    Keep,
    /// One channel: the first.
    Left,
    /// One channel: the second.
    Right,
    /// One channel: the one with this number, 1 to 8.
    Channel(u8),
}

impl Channels {
    /// The number of channels that leave where `arriving` arrive.
    pub fn leaving(self, arriving: u8) -> u8 {
        if self == Self::Keep { arriving } else { 1 }
    }

    /// The number of the one channel that is kept, counted from 1; `None`: no single one is.
    fn place(self) -> Option<u8> {
        match self {
            Self::Mono | Self::Keep => None,
            Self::Left => Some(1),
            Self::Right => Some(2),
            Self::Channel(place) => Some(place),
        }
    }

    /// What is wrong with the choice where `arriving` channels arrive (`None`: unknown yet), about the field
    /// `channels`.
    pub fn issue(self, arriving: Option<u8>) -> Option<Issue> {
        let place = self.place()?;
        if !(1..=CHANNELS_MAX).contains(&place) {
            let issue = Issue::error("channels", format!("there is no channel {place}"));
            return Some(issue.expected(format!("1 to {CHANNELS_MAX}, counted from 1")));
        }
        let arriving = arriving.filter(|arriving| place > *arriving)?;
        let (are, most) =
            if arriving == 1 { ("is", "1".into()) } else { ("are", format!("1 to {arriving}")) };
        let text = format!("channel {place} is asked for, there {are} {arriving}");
        Some(Issue::error("channels", text).expected(format!("`Mono`, or a channel that arrives: {most}")))
    }

    /// Leaves only the kept channels in each frame of `interleaved`. Capacity is kept, nothing is allocated.
    ///
    /// # Panics
    /// If `arriving` is 0 or less than the channel that is chosen, or the samples are not whole frames.
    pub fn fold(self, interleaved: &mut Vec<f32>, arriving: u8) {
        match self.place() {
            Some(place) => pick(interleaved, arriving, place),
            None if self == Self::Mono => downmix(interleaved, arriving),
            None => {}
        }
    }
}

/// Replaces each frame of `interleaved` by the mean of its `channels` samples; afterwards there is one sample
/// per frame. Capacity is kept, nothing is allocated. The mean (rather than the sum) cannot exceed full scale.
///
/// # Panics
/// If `channels` is 0, or the samples are not whole frames.
pub fn downmix(interleaved: &mut Vec<f32>, channels: u8) {
    let share = 1.0 / f32::from(channels);
    fold_frames(interleaved, channels, |frame| frame.iter().sum::<f32>() * share);
}

fn pick(interleaved: &mut Vec<f32>, channels: u8, place: u8) {
    assert!((1..=channels).contains(&place), "channel {place} is one of the {channels} that arrive");
    fold_frames(interleaved, channels, |frame| frame[usize::from(place) - 1]);
}

fn fold_frames(interleaved: &mut Vec<f32>, channels: u8, one: impl Fn(&[f32]) -> f32) {
    let width = usize::from(channels);
    assert!(width > 0, "a frame has at least one channel");
    assert!(interleaved.len().is_multiple_of(width), "samples must be whole frames of {width} channels");
    if width == 1 {
        return;
    }
    let frames = interleaved.len() / width;
    for frame in 0..frames {
        let start = frame * width;
        interleaved[frame] = one(&interleaved[start..start + width]);
    }
    interleaved.truncate(frames);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_choice_leaves_what_it_says() {
        let stereo = [1.0, 0.0, -0.5, -0.25, 1.0, 1.0];
        let six: Vec<f32> = (0..12).map(|at| at as f32).collect();
        let cases: [(Channels, u8, &[f32], &[f32]); 11] = [
            (Channels::Mono, 2, &stereo, &[0.5, -0.375, 1.0]),
            (Channels::Keep, 2, &stereo, &stereo),
            (Channels::Left, 2, &stereo, &[1.0, -0.5, 1.0]),
            (Channels::Right, 2, &stereo, &[0.0, -0.25, 1.0]),
            (Channels::Channel(2), 2, &stereo, &[0.0, -0.25, 1.0]),
            (Channels::Mono, 6, &six, &[2.5, 8.5]),
            (Channels::Left, 6, &six, &[0.0, 6.0]),
            (Channels::Channel(6), 6, &six, &[5.0, 11.0]),
            (Channels::Mono, 1, &stereo, &stereo),
            (Channels::Left, 1, &stereo, &stereo),
            (Channels::Right, 2, &[], &[]),
        ];
        for (choice, channels, before, after) in cases {
            let mut samples = before.to_vec();
            let capacity = samples.capacity();
            choice.fold(&mut samples, channels);
            assert_eq!(samples, after, "{choice:?} of {channels}");
            assert_eq!(samples.capacity(), capacity, "{choice:?} of {channels}");
            let leaving = before.len() / usize::from(channels) * usize::from(choice.leaving(channels));
            assert_eq!(samples.len(), leaving, "{choice:?} of {channels}");
        }
    }

    #[test]
    fn a_channel_that_is_not_there_is_named_with_those_that_are() {
        let cases = [
            (Channels::Mono, Some(8), None),
            (Channels::Keep, Some(1), None),
            (Channels::Left, Some(1), None),
            (Channels::Right, None, None),
            (Channels::Right, Some(2), None),
            (Channels::Channel(8), Some(8), None),
            (Channels::Right, Some(1), Some("channel 2 is asked for, there is 1")),
            (Channels::Channel(3), Some(2), Some("channel 3 is asked for, there are 2")),
            (Channels::Channel(0), None, Some("there is no channel 0")),
            (Channels::Channel(9), Some(2), Some("there is no channel 9")),
        ];
        for (choice, arriving, want) in cases {
            let issue = choice.issue(arriving);
            assert_eq!(issue.as_ref().map(|issue| &issue.message[..]), want, "{choice:?} of {arriving:?}");
            assert!(issue.is_none_or(|issue| issue.expected.is_some()), "{choice:?} of {arriving:?}");
        }
    }

    #[test]
    #[should_panic(expected = "whole frames of 2 channels")]
    fn half_a_frame_is_refused() {
        downmix(&mut vec![0.0; 3], 2);
    }
}
