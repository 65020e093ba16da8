//! `Resample`: converts the sample rate, without padding, artifacts, or delay beyond the filter's.
//!
//! A stream is what belongs together: the session's input up to its end; one segment behind a gate with those that go
//! on with it after a split; or one answer. A stream is flushed once, at its end, and comes out at exactly `round(n *
//! to / from)` frames; its start delay is trimmed, so that times stay true. A cancelled stream is forgotten without a
//! flush.

mod stream;

use bevy_platform::cell::SyncCell;
use mynah_engine::Frame;
use mynah_engine::media::{Mark, Payload};
use mynah_engine::node::{Advice, NodeContext, NodeKind, NodePlace, SessionContext, StepNode};
use mynah_engine::scene::{Format, Issue, NodeCapabilities, OverflowPolicy, Port, PortType, Tick};
use mynah_engine::speech::{CancelScope, Cancellation};
use serde::Deserialize;

use crate::dsp::downmix::Channels;
use crate::dsp::resampler::{self, Kernel, Mode, Quality, RATE_HZ, ResampleSpec};
pub use stream::{Progress, ResampleState};
use stream::{Seams, Stream};

const AUDIO: &[Port] = &[Port { name: "audio", kind: PortType::Audio }];

/// Configuration of the kind `Resample`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resample {
    /// Rate that leaves, 8000 to 192000 Hz. Audio that has this rate already passes unchanged.
    pub rate_hz: u32,
    /// Which channels leave; chosen or mixed before the filter.
    #[serde(default)]
    pub channels: Channels,
    /// Length of the filter.
    #[serde(default)]
    pub quality: Quality,
    /// `true`: output follows input at once. `false`: a fixed-chunk FFT of 1,024 frames, kept as the baseline.
    #[serde(default = "streaming")]
    pub streaming: bool,
    /// Which code runs the streaming filter.
    #[serde(default)]
    pub kernel: Kernel,
}

fn streaming() -> bool {
    true
}

impl Resample {
    fn output(&self, input: Format) -> Format {
        Format { rate_hz: self.rate_hz, channels: self.channels.leaving(input.channels) }
    }

    /// Requires that a kernel that was named can do the work, and that there is work.
    fn check_kernel(&self, input: Option<Format>, issues: &mut Vec<Issue>) {
        if self.kernel != Kernel::Batched {
            return;
        }
        if !self.streaming {
            let issue = Issue::warning("kernel", "`Batched` changes nothing while `streaming` is `false`");
            issues.push(issue.help("leave out `kernel`, or set `streaming: true`"));
            return;
        }
        let in_range = |hz: &u32| RATE_HZ.contains(hz) && RATE_HZ.contains(&self.rate_hz);
        if let Some(from_hz) = input.map(|input| input.rate_hz).filter(in_range)
            && !resampler::is_exact(from_hz, self.rate_hz, self.quality)
        {
            let text = format!("`Batched` has no bank for {from_hz} to {} Hz", self.rate_hz);
            issues.push(Issue::error("kernel", text).expected("`Auto` or `Rubato` for these rates"));
        }
    }

    fn spec(&self, input: Format, quality: Quality) -> ResampleSpec {
        let output = self.output(input);
        ResampleSpec {
            from_hz: input.rate_hz,
            to_hz: output.rate_hz,
            channels: output.channels,
            quality,
            mode: if self.streaming { Mode::Streaming } else { Mode::FixedChunk { frames: 1024 } },
            kernel: self.kernel,
        }
    }
}

impl NodeKind for Resample {
    const NAME: &'static str = "Resample";
    type State = ResampleState;

    fn inputs(&self) -> &[Port] {
        AUDIO
    }
    fn outputs(&self) -> &[Port] {
        AUDIO
    }
    fn check(&self, input: Option<Format>, _: &Tick, issues: &mut Vec<Issue>) -> Option<Format> {
        if !(8_000..=192_000).contains(&self.rate_hz) {
            issues.push(
                Issue::error("rate_hz", format!("{} Hz is out of range", self.rate_hz))
                    .expected("8000 to 192000"),
            );
        }
        issues.extend(self.channels.issue(input.map(|input| input.channels)));
        self.check_kernel(input, issues);
        input.map(|input| self.output(input))
    }
    fn capabilities(&self) -> NodeCapabilities {
        NodeCapabilities {
            parallelizable: true,
            batch_aware: false,
            avg_processing_us: 3,
            queue_capacity: 120,
            overflow_policy: OverflowPolicy::DropOldest,
            supports_control_messages: true,
        }
    }
    fn lowers_quality(&self) -> bool {
        self.streaming && self.quality != Quality::Fast
    }
    fn keeps_length(&self) -> bool {
        true
    }
    fn mixes_channels(&self) -> bool {
        self.channels == Channels::Mono
    }
    fn max_out(&self, _: Option<Format>) -> u32 {
        // A block of 20 ms and its share of the filter's delay; a fixed chunk gives out two blocks at once.
        if self.streaming { 2 } else { 8 }
    }
    fn open(&self, context: &SessionContext) -> Result<ResampleState, String> {
        let input = context.input.ok_or("no audio arrives at this node")?;
        if let Some(issue) = self.channels.issue(Some(input.channels)) {
            return Err(issue.message);
        }
        let output = self.output(input);
        let filter = |quality| {
            let converter = resampler::build(self.spec(input, quality)).map_err(|e| e.to_string())?;
            Ok::<_, String>(Some(SyncCell::new(converter)))
        };
        let converts = input.rate_hz != output.rate_hz;
        let converter = if converts { filter(self.quality)? } else { None };
        let spare = if converts && context.lowers_quality { filter(Quality::Fast)? } else { None };
        let mut filters = [converter, spare];
        let delays = filters.iter_mut().flatten().map(|filter| filter.get().delay_us());
        let delay_us = delays.max().unwrap_or(0);
        let [converter, spare] = filters;
        Ok(ResampleState {
            converter,
            spare,
            hurried: false,
            is_spare: false,
            block_max: (output.rate_hz * 21 / 1_000) as usize * usize::from(output.channels),
            converted: Vec::new(),
            mixed: Vec::new(),
            stream: None,
            seams: Seams::new(),
            seq: 0,
            ended: None,
            rates_hz: (input.rate_hz, output.rate_hz),
            delay_us,
        })
    }
}

impl StepNode for Resample {
    fn step(&self, state: &mut ResampleState, frame: Frame, cx: &mut NodeContext<'_>, _: NodePlace) {
        match &frame.payload {
            Payload::Audio(_) => self.convert(state, frame, cx),
            Payload::Text(_) | Payload::Clip(_) | Payload::Caption(_) => cx.send(0, frame),
            Payload::Mark(Mark::Split) => state.split(frame, cx),
            Payload::Mark(mark) => {
                if matches!(mark, Mark::AnswerEnd | Mark::SegmentEnd | Mark::StreamEnd) {
                    state.end(&frame, cx);
                }
                state.tell_splits(cx);
                cx.send(0, frame);
            }
        }
    }

    fn keeps(&self, state: &ResampleState) -> bool {
        state.stream.is_some()
    }

    fn advise(&self, state: &mut ResampleState, advice: Advice, _: &mut NodeContext<'_>, _: NodePlace) {
        match advice {
            Advice::DeadlineNear { .. } => state.hurried = true,
        }
    }

    fn control(
        &self,
        state: &mut ResampleState,
        cancellation: &Cancellation,
        cx: &mut NodeContext<'_>,
        _: NodePlace,
    ) {
        if cancellation.scope == CancelScope::Session {
            return state.drop_all();
        }
        let count_cancelled = state.stream.is_some_and(|s| match cancellation.scope {
            CancelScope::Segment { segment } => s.segment == segment,
            CancelScope::Revision { segment, revision } => s.segment == segment && s.revision == revision,
            CancelScope::Answer { segment } => s.segment == segment && s.revision > 0,
            CancelScope::Session => false,
        });
        if count_cancelled {
            state.forget(cx);
        }
    }
}

impl Resample {
    fn convert(&self, state: &mut ResampleState, frame: Frame, cx: &mut NodeContext<'_>) {
        let input = cx.lane.input.expect("a lane that got audio has a format");
        let folds = self.channels.leaving(input.channels) != input.channels;
        let Payload::Audio(block) = &frame.payload else { return };
        if state.converter.is_none() && !folds {
            cx.send(0, frame);
            return;
        }
        state.join(&frame, cx);
        if state.stream.is_none() {
            state.choose_filter();
        }
        let identity = (frame.segment.serial, frame.revision);
        let stream = state.stream.get_or_insert(Stream::new(identity, frame.pts_us));
        stream.frames_in += (block.len() / usize::from(input.channels)) as u64;
        let samples = if folds {
            state.mixed.clear();
            state.mixed.extend_from_slice(block.samples());
            self.channels.fold(&mut state.mixed, input.channels);
            &state.mixed[..]
        } else {
            block.samples()
        };
        state.converted.clear();
        match &mut state.converter {
            Some(converter) => converter.get().push(samples, &mut state.converted),
            None => state.converted.extend_from_slice(samples),
        }
        state.emit(&frame, cx);
        cx.discard(frame);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONO_48K: Format = Format { rate_hz: 48_000, channels: 1 };

    fn to_16k(kernel: Kernel) -> Resample {
        let (channels, quality) = (Channels::Mono, Quality::Standard);
        Resample { rate_hz: 16_000, channels, quality, streaming: true, kernel }
    }

    #[test]
    fn channels_and_rate_of_the_output_follow_the_configuration() {
        let stereo = Format { rate_hz: 48_000, channels: 2 };
        let mut node = to_16k(Kernel::Auto);
        assert_eq!(node.output(stereo), Format { rate_hz: 16_000, channels: 1 });
        node.channels = Channels::Keep;
        assert_eq!(node.output(stereo), Format { rate_hz: 16_000, channels: 2 });
    }

    #[test]
    fn a_kernel_asked_for_by_name_must_be_able_to_do_the_work() {
        let inexact = Resample { rate_hz: 15_999, ..to_16k(Kernel::Batched) };
        let fixed = Resample { streaming: false, ..to_16k(Kernel::Batched) };
        let equal = Resample { rate_hz: 48_000, ..to_16k(Kernel::Batched) };
        let beyond = Resample { rate_hz: 0, ..to_16k(Kernel::Batched) };
        let no_bank = "`Batched` has no bank for 48000 to 15999 Hz";
        let no_use = "`Batched` changes nothing while `streaming` is `false`";
        let cases = [
            (to_16k(Kernel::Batched), Some(MONO_48K), None),
            (inexact, Some(MONO_48K), Some(("kernel", no_bank))),
            (inexact, None, None),
            (Resample { kernel: Kernel::Auto, ..inexact }, Some(MONO_48K), None),
            (Resample { kernel: Kernel::Rubato, ..inexact }, Some(MONO_48K), None),
            (fixed, Some(MONO_48K), Some(("kernel", no_use))),
            (Resample { kernel: Kernel::Rubato, ..fixed }, Some(MONO_48K), None),
            (equal, Some(MONO_48K), None),
            (beyond, Some(MONO_48K), Some(("rate_hz", "0 Hz is out of range"))),
        ];
        for (node, input, expected) in cases {
            let mut issues = Vec::new();
            node.check(input, &Tick::default(), &mut issues);
            let found: Vec<(&str, &str)> = issues.iter().map(|i| (&i.field[..], &i.message[..])).collect();
            assert_eq!(found, Vec::from_iter(expected), "{node:?}");
        }
    }
}
