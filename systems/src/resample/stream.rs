//! The stream in a resampler: how far it has come, and where in it one segment ended and the next went on.
//!
//! A split ends no stream. An output sample belongs to the segment in whose time it sounds: the frames that the
//! samples before the split become, rounded like a whole stream, are all the old segment's, whenever they come out.
//! Its `Split` mark leaves behind the last of them. If the new segment is cancelled before that, the filter is
//! emptied for them, and nothing of the new segment comes out.

use std::collections::VecDeque;

use bevy_ecs::prelude::Component;
use bevy_platform::cell::SyncCell;
use mynah_engine::Frame;
use mynah_engine::base::frames_to_us;
use mynah_engine::media::{Mark, Payload};
use mynah_engine::node::NodeContext;

use crate::dsp::resampler;

/// Splits that may lie in one filter's delay. With more, the stream ends at the last one: such segments last a few
/// milliseconds, and no gate makes them.
const SEAMS_MAX: usize = 8;
/// A segment that goes on begins where the one before ended; times of audio are rounded to microseconds by the sender
/// and by every resampler before this one.
const ROUNDING_US: u64 = 1_000;

/// The stream in the filter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stream {
    /// The segment of the samples that come.
    pub(super) segment: u32,
    pub(super) revision: u32,
    pub(super) from_us: u64,
    pub(super) frames_in: u64,
    pub(super) frames_out: u64,
    /// Whether the segment was split; the next one goes on with the stream.
    split: bool,
}

/// Where a segment in the filter ends and the next one goes on.
pub(super) struct Seam {
    /// Frames of the stream before the seam.
    at: u64,
    /// The mark of the segment before it, and whether that has left.
    mark: Frame,
    told: bool,
}

/// Seams whose frames have not all come out, oldest first.
pub(super) type Seams = VecDeque<Seam>;

impl Stream {
    pub(super) fn new((segment, revision): (u32, u32), from_us: u64) -> Self {
        Self { segment, revision, from_us, frames_in: 0, frames_out: 0, split: false }
    }
}

/// A filter, if the rates differ, and the position of its stream.
#[derive(Component)]
pub struct ResampleState {
    pub(super) converter: Option<SyncCell<Box<dyn resampler::RateConverter>>>,
    /// The short filter, for streams that begin while little time is left, and whether the next stream is one.
    pub(super) spare: Option<SyncCell<Box<dyn resampler::RateConverter>>>,
    pub(super) hurried: bool,
    /// Whether the two filters have changed places.
    pub(super) is_spare: bool,
    /// Longest block that leaves, in samples.
    pub(super) block_max: usize,
    pub(super) converted: Vec<f32>,
    pub(super) mixed: Vec<f32>,
    pub(super) stream: Option<Stream>,
    pub(super) seams: Seams,
    pub(super) seq: u32,
    /// The stream that ended last.
    pub(super) ended: Option<Progress>,
    /// The rates of its filters, from and to, and their longest delay.
    pub(super) rates_hz: (u32, u32),
    pub(super) delay_us: u32,
}

/// How far a stream has come, in sample frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Rate that arrives, Hz.
    pub from_hz: u32,
    /// Rate that leaves, Hz.
    pub to_hz: u32,
    /// Frames taken.
    pub taken: u64,
    /// Frames sent.
    pub given: u64,
    /// Most audio that the filter withholds, microseconds.
    pub delay_us: u32,
}

impl ResampleState {
    /// The stream in the filter.
    pub fn under_way(&self) -> Option<Progress> {
        self.stream.map(|stream| self.progress(&stream))
    }

    /// The stream that ended last.
    pub fn ended(&self) -> Option<Progress> {
        self.ended
    }

    fn progress(&self, stream: &Stream) -> Progress {
        let (from_hz, to_hz) = self.rates_hz;
        let (taken, given) = (stream.frames_in, stream.frames_out);
        Progress { from_hz, to_hz, taken, given, delay_us: self.delay_us }
    }
}

impl ResampleState {
    /// Begins a stream: with the short filter if time was near before it, otherwise with the configured one.
    pub(super) fn choose_filter(&mut self) {
        let hurried = std::mem::take(&mut self.hurried) && (self.spare.is_some() || self.is_spare);
        if hurried != self.is_spare && self.spare.is_some() {
            std::mem::swap(&mut self.converter, &mut self.spare);
            self.is_spare = hurried;
        }
    }
}

impl ResampleState {
    /// Makes `frame` part of the stream in the filter, after ending another stream.
    pub(super) fn join(&mut self, frame: &Frame, cx: &mut NodeContext<'_>) {
        let identity = (frame.segment.serial, frame.revision);
        let (from_hz, _) = self.rates_hz;
        let Some(stream) = &mut self.stream else { return };
        if (stream.segment, stream.revision) == identity {
            return;
        }
        let end_us = stream.from_us + frames_to_us(stream.frames_in, from_hz);
        match stream.split {
            true if frame.pts_us.abs_diff(end_us) <= ROUNDING_US => {
                (stream.segment, stream.revision) = identity;
                stream.split = false;
            }
            true => self.end(frame, cx),
            // The previous stream was left without an end: what the filter holds of it belongs to nobody.
            false => self.forget(cx),
        }
    }

    /// Splits the segment in the filter, as `mark` says.
    pub(super) fn split(&mut self, mark: Frame, cx: &mut NodeContext<'_>) {
        let Some(stream) = self.stream.filter(|stream| stream.segment == mark.segment.serial) else {
            return cx.send(0, mark);
        };
        if self.seams.len() >= SEAMS_MAX {
            self.end(&mark, cx);
            return cx.send(0, mark);
        }
        let at = self.due(stream.frames_in);
        if let Some(stream) = &mut self.stream {
            stream.split = true;
        }
        let like = mark.share();
        self.seams.push_back(Seam { at, mark, told: false });
        self.converted.clear();
        self.emit(&like, cx);
    }

    /// Sends the marks of earlier splits before another mark passes.
    pub(super) fn tell_splits(&mut self, cx: &mut NodeContext<'_>) {
        for seam in self.seams.iter_mut().filter(|seam| !seam.told) {
            seam.told = true;
            cx.send(0, seam.mark.share());
        }
    }

    /// Output frames that `frames_in` become, to the nearest.
    fn due(&self, frames_in: u64) -> u64 {
        let (from, to) = (u64::from(self.rates_hz.0), u64::from(self.rates_hz.1));
        (frames_in * to * 2 + from) / (from * 2)
    }

    /// Sends converted samples in blocks with the times of the stream, each to the segment it belongs to.
    pub(super) fn emit(&mut self, like: &Frame, cx: &mut NodeContext<'_>) {
        let output = cx.lane.output.expect("a lane that got audio has a format");
        let channels = usize::from(output.channels);
        let Self { stream: Some(stream), seams, converted, seq, block_max, .. } = self else { return };
        let mut rest = &converted[..];
        loop {
            let before = seams.front().map(|seam| seam.at.saturating_sub(stream.frames_out));
            if before == Some(0) {
                let seam = seams.pop_front().expect("it was just looked at");
                if !seam.told {
                    cx.send(0, seam.mark);
                }
                continue;
            }
            if rest.is_empty() {
                return;
            }
            let most = before.map_or(usize::MAX, |frames| (frames as usize).saturating_mul(channels));
            let (piece, later) = rest.split_at(rest.len().min(*block_max).min(most));
            rest = later;
            let mut block = cx.pool.lease(piece.len());
            block.fill_from(piece);
            let mut frame = seams.front().map_or(like, |seam| &seam.mark).with(Payload::Audio(block));
            frame.pts_us = stream.from_us + frames_to_us(stream.frames_out, output.rate_hz);
            *seq = seq.wrapping_add(1);
            frame.seq = *seq;
            stream.frames_out += (piece.len() / channels) as u64;
            cx.send(0, frame);
        }
    }

    /// Ends the stream: the content of the filter comes out. `like` gives the times.
    pub(super) fn end(&mut self, like: &Frame, cx: &mut NodeContext<'_>) {
        let Some(stream) = self.stream else { return };
        self.converted.clear();
        if let Some(converter) = &mut self.converter {
            converter.get().flush(&mut self.converted);
        }
        if cx.now.is_broken(mynah_engine::base::Mutation::DropTail) {
            self.converted.clear();
        }
        let mut like = like.with(Payload::Mark(Mark::StreamEnd));
        like.segment.serial = stream.segment;
        like.revision = stream.revision;
        self.emit(&like, cx);
        self.tell_splits(cx);
        self.seams.clear();
        self.ended = self.under_way();
        self.stream = None;
    }

    /// Drops the content of the filter, except frames of segments before the last split.
    pub(super) fn forget(&mut self, cx: &mut NodeContext<'_>) {
        if let (Some(stream), Some(last)) = (self.stream, self.seams.back()) {
            let wanted = last.at.saturating_sub(stream.frames_out) as usize;
            let like = last.mark.share();
            self.converted.clear();
            if let Some(converter) = &mut self.converter {
                converter.get().flush(&mut self.converted);
            }
            let channels = cx.lane.output.map_or(1, |output| usize::from(output.channels));
            self.converted.truncate(wanted * channels);
            self.emit(&like, cx);
            self.seams.clear();
        } else if let Some(converter) = &mut self.converter {
            converter.get().reset();
        }
        self.stream = None;
    }

    /// Drops the content of the filter: the session is over.
    pub(super) fn drop_all(&mut self) {
        self.seams.clear();
        if let Some(converter) = &mut self.converter {
            converter.get().reset();
        }
        self.stream = None;
    }
}
