//! The end of a session for the thread that has the loudspeaker.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::edge::audio_ring::OutputEnd;
use crate::edge::presence::Presence;
use crate::scene::Format;

/// What one [`AudioOut::read`] gave.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Read {
    /// Sample frames of sound; they come first, and silence fills the rest.
    pub frames: usize,
    /// The turn whose answer the last of them belongs to; 0 = none, or the caller's own audio.
    pub turn: u32,
    /// An answer began among them.
    pub began: bool,
    /// An answer ended among them: all of it was read.
    pub ended: bool,
    /// What sounded, or was to sound, was withdrawn before the first of them: the sound before breaks off.
    pub cut: bool,
    /// Sample frames that were withdrawn and are skipped: they came before the first of them.
    pub skipped: usize,
    /// Root mean square of the sound, 0 to 1.
    pub level: f32,
}

/// Gives a session's audio out. Every call is wait-free, whatever the length: no lock, no heap, no system call.
///
/// One of the ends of [`SessionHandle::split`](crate::SessionHandle::split). What was read counts as heard
/// [`latency_ms`](crate::SessionSpec::latency_ms) later.
#[derive(Debug)]
pub struct AudioOut {
    pub(super) presence: Arc<Presence>,
    pub(super) format: Format,
    pub(super) ring: OutputEnd,
    /// Position of the next sample.
    pub(super) at: u64,
    /// Marks read so far.
    pub(super) marks: u64,
    /// The turn that is answered at present.
    pub(super) turn: u32,
    /// Everything before this was withdrawn, as far as is known.
    pub(super) flushed_to: u64,
}

impl AudioOut {
    /// Format of the audio that is read.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Whether the session is closed; what it released before can still be read.
    pub fn is_closed(&self) -> bool {
        self.presence.port().is_closed()
    }

    /// Sample frames that are there.
    pub fn available(&self) -> usize {
        self.ring.samples.slots() / usize::from(self.format.channels)
    }

    /// Fills `out` with interleaved samples: sound as far as there is any, then silence. Of a sample frame that does
    /// not fit wholly nothing is read.
    pub fn read(&mut self, out: &mut [f32]) -> Read {
        let mut read = Read::default();
        if self.is_withdrawn() {
            self.take_flush(0, &mut read);
        }
        let channels = usize::from(self.format.channels);
        let whole = out.len() - out.len() % channels;
        let (taken, mut void) = (self.take(&mut out[..whole]), 0);
        // Who has samples from behind a withdrawal sees it by now, and those before it do not leave.
        if self.is_withdrawn() {
            void = self.take_flush(taken, &mut read).min(taken);
            out.copy_within(void..taken, 0);
        }
        let (sound, rest) = out.split_at_mut(taken - void);
        rest.fill(0.0);
        read.frames = sound.len() / channels;
        read.level = level(sound);
        self.at += sound.len() as u64;
        self.ring.positions.read_to.store(self.at, Ordering::Release);
        self.pass_marks(&mut read);
        read
    }

    /// Copies samples out of the ring, as many as are there; returns how many.
    fn take(&mut self, out: &mut [f32]) -> usize {
        let there = self.ring.samples.slots().min(out.len());
        let Ok(chunk) = self.ring.samples.read_chunk(there) else { return 0 };
        let (first, second) = chunk.as_slices();
        let (to_first, to_second) = out[..there].split_at_mut(first.len());
        to_first.copy_from_slice(first);
        // Seldom: where the ring begins again.
        if !second.is_empty() {
            to_second.copy_from_slice(second);
        }
        chunk.commit_all();
        there
    }

    /// Whether something was withdrawn that is not skipped yet.
    fn is_withdrawn(&self) -> bool {
        self.ring.positions.flush_to.load(Ordering::Acquire) > self.flushed_to
    }

    /// Skips what was withdrawn, of which the first `taken` samples are out of the ring already; returns how many samples
    /// are void. A sound that breaks off is noted in `read`.
    #[cold]
    fn take_flush(&mut self, taken: usize, read: &mut Read) -> usize {
        self.flushed_to = self.ring.positions.flush_to.load(Ordering::Acquire);
        let void = self.flushed_to.saturating_sub(self.at) as usize;
        if let Ok(chunk) = self.ring.samples.read_chunk(void.saturating_sub(taken)) {
            chunk.commit_all();
        }
        self.at += void as u64;
        if void > 0 {
            self.pass_marks(&mut Read::default());
        }
        let sounded = std::mem::take(&mut self.turn) != 0;
        read.skipped += void / usize::from(self.format.channels);
        read.cut |= void > 0 || sounded;
        void
    }

    /// Takes the marks up to the present position.
    fn pass_marks(&mut self, read: &mut Read) {
        read.turn = self.turn;
        while let Ok(&mark) = self.ring.marks.peek() {
            if mark.at > self.at || (!mark.ends && mark.at == self.at) {
                break;
            }
            let _seen = self.ring.marks.pop();
            self.marks += 1;
            self.ring.positions.marks_read.store(self.marks, Ordering::Release);
            read.turn = mark.turn;
            if mark.ends {
                (read.ended, self.turn) = (true, 0);
            } else {
                (read.began, self.turn) = (true, mark.turn);
            }
        }
    }
}

/// Root mean square.
fn level(samples: &[f32]) -> f32 {
    if samples.is_empty() {
        return 0.0;
    }
    let sum = pulp::Arch::new().dispatch(SquareSum(samples));
    (sum / samples.len() as f32).sqrt()
}

/// The sum of squares, by the widest lanes that the processor has: a callback should hardly notice.
struct SquareSum<'a>(&'a [f32]);

impl pulp::WithSimd for SquareSum<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, simd: S) -> f32 {
        let (whole, rest) = S::as_simd_f32s(self.0);
        let (pairs, odd) = whole.as_chunks::<2>();
        let (mut one, mut two) = (simd.splat_f32s(0.0), simd.splat_f32s(0.0));
        for [first, second] in pairs {
            one = simd.mul_add_e_f32s(*first, *first, one);
            two = simd.mul_add_e_f32s(*second, *second, two);
        }
        for last in odd {
            one = simd.mul_add_e_f32s(*last, *last, one);
        }
        let sum = simd.reduce_sum_f32s(simd.add_f32s(one, two));
        sum + rest.iter().map(|sample| sample * sample).sum::<f32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_is_the_root_mean_square() {
        assert_eq!((level(&[]), level(&[0.5; 19])), (0.0, 0.5));
        let sine: Vec<f32> = (0..480).map(|at| (at as f32 / 48.0 * std::f32::consts::TAU).sin()).collect();
        assert!((level(&sine) - 0.5_f32.sqrt()).abs() < 1e-3);
    }
}
