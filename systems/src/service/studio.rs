//! The studio: the thread on which the voice speaks beside the tick, and the samples it keeps of each speech.
//!
//! Speeches take turns. One turn makes one piece (a sentence, or a part of a long one), so a speech of an hour delays
//! others by no more than a piece, and a stopped speech ends within a piece.
//!
//! A speech is made once from beginning to end, however much faster than it is heard: its worker is free then, and
//! its length is known. Of the samples not handed out yet at most [`KEPT_MAX`] are kept; the rest is made again when
//! its time comes. The voice gives the same samples each time.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock};

use mynah_engine::base::frames_to_us;
use mynah_engine::media::SpokenTime;

use crate::speech::flite::{Flite, FliteError, RATE_HZ, VoiceStyle};

/// Most samples of a speech that wait to be handed out: 20 s, longer than nearly every sentence, so that only
/// monologues are made twice. 640 KB.
pub(crate) const KEPT_MAX: usize = 20 * RATE_HZ as usize;
/// Samples that were not kept are made again when no more than this many are left: making takes hundredths of the
/// time.
const AGAIN_AT: usize = KEPT_MAX / 2;
/// Memory for samples grows in steps of a second.
const KEPT_STEP: usize = RATE_HZ as usize;
/// Samples below this level are silence: -46 dBFS.
const AUDIBLE: f32 = 0.005;
/// Samples kept before the first audible one: 5 ms.
const LEAD: usize = RATE_HZ as usize / 200;

/// A speech in the making; shared by the thread that makes it and the service that hands it out.
#[derive(Debug)]
pub struct Speech {
    text: Arc<str>,
    style: VoiceStyle,
    made: Mutex<Made>,
    more: Condvar,
    stop: AtomicBool,
}

#[derive(Debug, Default)]
struct Made {
    /// Samples from number `from` on that are made and not read yet.
    kept: VecDeque<i16>,
    from: usize,
    /// Samples made so far, kept or not.
    length: usize,
    /// When words and phones sound, by the piece that they are in: with the number of its first sample.
    times: VecDeque<(usize, Arc<[SpokenTime]>)>,
    /// The place from which nothing was made yet.
    next: Place,
    /// The start of the piece that has the first sample that is not kept.
    missing: Place,
    complete: bool,
    failed: Option<Arc<str>>,
    /// Whether the studio has the speech, or will take a turn with it.
    queued: bool,
}

/// The beginning of a piece.
#[derive(Clone, Debug, Default)]
struct Place {
    /// Its byte in the text.
    byte: usize,
    /// The number of its first sample.
    sample: usize,
    onset: Onset,
}

/// The samples of a speech from some number on.
#[derive(Debug, PartialEq)]
pub enum Readout {
    /// A whole block, or the rest of a complete speech; the number of samples copied.
    Block(usize),
    /// The samples are not made yet.
    NotYet,
    /// The speech is over.
    End,
    /// The speech could not be made.
    Failed(Arc<str>),
}

impl Made {
    fn kept_end(&self) -> usize {
        self.from + self.kept.len()
    }

    /// True if samples that were not kept are to be made again now.
    fn wants(&self) -> bool {
        self.missing.byte < self.next.byte && self.kept.len() <= AGAIN_AT && self.failed.is_none()
    }

    /// Takes samples that begin at number `at`.
    fn take(&mut self, at: usize, samples: &[i16]) {
        self.length = self.length.max(at + samples.len());
        let known = self.kept_end().checked_sub(at).filter(|known| *known < samples.len());
        let Some(known) = known else { return };
        let new = &samples[known..];
        let new = &new[..new.len().min(KEPT_MAX - self.kept.len())];
        if self.kept.capacity() - self.kept.len() < new.len() {
            self.kept.reserve_exact(KEPT_STEP.max(new.len()));
        }
        self.kept.extend(new);
    }
}

impl Speech {
    fn new(text: Arc<str>, style: VoiceStyle) -> Arc<Self> {
        let (made, more, stop) = (Mutex::new(Made::default()), Condvar::new(), AtomicBool::new(false));
        Arc::new(Self { text, style, made, more, stop })
    }

    /// Begins to speak `text`; the error says why that is impossible.
    pub(super) fn begin(text: Arc<str>, style: VoiceStyle) -> Result<Arc<Self>, String> {
        let speech = Self::new(text, style);
        speech.made().queued = true;
        studio()?.send(Arc::clone(&speech)).map_err(|_| "the voice has no thread any more".to_string())?;
        Ok(speech)
    }

    fn made(&self) -> MutexGuard<'_, Made> {
        self.made.lock().expect("synthesis does not panic while it holds its samples")
    }

    /// Copies samples from `at` on into `out`, at most as many as are kept; earlier samples are dropped, so `at` must
    /// only grow. `wait`: until the block is whole.
    pub fn read(self: &Arc<Self>, at: usize, out: &mut [f32], wait: bool) -> Readout {
        let mut made = self.made();
        let passed = at.saturating_sub(made.from).min(made.kept.len());
        made.kept.drain(..passed);
        made.from += passed;
        let whole = out.len().min(AGAIN_AT);
        loop {
            let there = made.kept.len();
            if !made.queued && made.wants() {
                made.queued = true;
                if studio().map(|studio| studio.send(Arc::clone(self))).is_err() {
                    made.failed = Some("the voice has no thread any more".into());
                }
            }
            let all = made.complete && made.kept_end() == made.length;
            if there >= whole || (all && there > 0) {
                let n = there.min(whole);
                for (to, from) in out.iter_mut().zip(made.kept.iter().take(n)) {
                    *to = self.style.scaled(*from);
                }
                return Readout::Block(n);
            }
            if let Some(reason) = &made.failed {
                return Readout::Failed(Arc::clone(reason));
            }
            if all || self.stop.load(Ordering::Acquire) {
                return Readout::End;
            }
            if !wait {
                return Readout::NotYet;
            }
            made = self.more.wait(made).expect("synthesis does not panic while it holds its samples");
        }
    }

    /// The length in samples, if the whole speech has at most `samples`. `wait`: until this is known.
    pub fn length_within(&self, samples: usize, wait: bool) -> Option<usize> {
        let mut made = self.made();
        loop {
            let length = made.length;
            if made.complete || length > samples || !wait {
                return (made.complete && length <= samples).then_some(length);
            }
            made = self.more.wait(made).expect("synthesis does not panic while it holds its samples");
        }
    }

    /// True if everything up to `at` samples was made and nothing follows.
    #[cfg(test)]
    fn ends_at(&self, at: usize) -> bool {
        let made = self.made();
        made.complete && made.length <= at
    }

    /// Takes out when words and phones sound, of the next piece that has begun before sample number `to`, if these samples
    /// were read.
    pub(crate) fn take_times(&self, to: usize) -> Option<Arc<[SpokenTime]>> {
        let mut made = self.made();
        let begun = made.times.front().is_some_and(|(from, _)| *from < to);
        made.times.pop_front_if(|_| begun).map(|(_, times)| times)
    }

    /// Stops the synthesis within one piece, and within one block if the piece is already analysed.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    /// Makes one piece; true if a further turn is needed.
    fn turn(&self, voice: &Flite) -> bool {
        let (place, again) = {
            let made = self.made();
            let again = made.wants();
            (if again { made.missing.clone() } else { made.next.clone() }, again)
        };
        let (mut at, mut onset, mut broken) = (place.sample, place.onset.clone(), false);
        let (timed, mut raw) = (RefCell::new(Vec::new()), 0);
        let stopped = || self.stop.load(Ordering::Acquire);
        let mut sink = |samples: &[i16]| {
            broken = stopped();
            if !broken {
                let (lead, rest) = onset.trim(samples, self.style);
                let mut made = self.made();
                raw += samples.len();
                if !again && lead.len() + rest.len() > 0 && !timed.borrow().is_empty() {
                    // Of what comes before the first audible sample nothing is kept.
                    let skipped = raw - lead.len() - rest.len();
                    made.times.push_back((at, placed(timed.take(), at, skipped)));
                }
                for part in [&lead[..], rest] {
                    made.take(at, part);
                    at += part.len();
                }
                broken = again && made.kept.len() == KEPT_MAX;
                self.more.notify_all();
            }
            if broken { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let spoken = if stopped() {
            Ok(None)
        } else {
            voice.speak_piece(
                &self.text,
                place.byte,
                self.style,
                &mut |times| *timed.borrow_mut() = times,
                &mut sink,
            )
        };
        let end = spoken.map(|end| end.filter(|_| !broken).map(|byte| Place { byte, sample: at, onset }));
        self.turn_ended(&place, again, end)
    }

    /// Notes that the piece at `place` was spoken up to `end`; `None`: it was not spoken to its end, or there was
    /// none.
    fn turn_ended(&self, place: &Place, again: bool, end: Result<Option<Place>, FliteError>) -> bool {
        let stopped = self.stop.load(Ordering::Acquire);
        let mut made = self.made();
        match end {
            Ok(Some(end)) => {
                if made.missing.byte == place.byte && made.kept_end() >= end.sample {
                    made.missing = end.clone();
                }
                if !again {
                    made.complete = end.byte == self.text.len();
                    made.next = end;
                }
            }
            Ok(None) => made.complete |= !again,
            Err(error) => made.failed = Some(error.to_string().into()),
        }
        made.complete |= stopped || made.failed.is_some();
        made.queued = !stopped && (!made.complete || made.wants());
        self.more.notify_all();
        made.queued
    }

    fn fail(&self, reason: &str) {
        let mut made = self.made();
        (made.complete, made.failed, made.queued) = (true, Some(reason.into()), false);
        self.more.notify_all();
    }
}

/// Times of a piece as times of its speech: the piece begins with sample number `at`, and of its own samples the first
/// `skipped` are left out.
fn placed(times: Vec<SpokenTime>, at: usize, skipped: usize) -> Arc<[SpokenTime]> {
    let us = |samples: usize| frames_to_us(samples as u64, RATE_HZ);
    let place = |own_us: u64| (us(at) + own_us).saturating_sub(us(skipped));
    let placed = |time: SpokenTime| SpokenTime {
        from_us: place(time.from_us),
        until_us: place(time.until_us),
        ..time
    };
    // A pause of which nothing is kept is none.
    times.into_iter().map(placed).filter(|time| time.from_us < time.until_us).collect()
}

/// Removes the silence at the start of a speech. The voice begins every utterance with 200 to 300 ms of silence, and
/// a first sample that nobody can hear is no answer.
#[derive(Clone, Debug, Default)]
struct Onset {
    /// The last silence, at most [`LEAD`].
    held: Vec<i16>,
    open: bool,
}

impl Onset {
    /// The audible part of a block from the onset on: the held silence before it, and a part of the block.
    fn trim<'a>(&mut self, samples: &'a [i16], style: VoiceStyle) -> (Vec<i16>, &'a [i16]) {
        if self.open {
            return (Vec::new(), samples);
        }
        match samples.iter().position(|s| style.scaled(*s).abs() >= AUDIBLE) {
            Some(first) => {
                self.open = true;
                let mut lead = std::mem::take(&mut self.held);
                lead.drain(..lead.len().saturating_sub(LEAD.saturating_sub(first)));
                (lead, &samples[first.saturating_sub(LEAD)..])
            }
            None => {
                self.held.extend_from_slice(samples);
                self.held.drain(..self.held.len().saturating_sub(LEAD));
                (Vec::new(), &[])
            }
        }
    }
}

/// All audible samples of `text`, made at once on this thread.
pub(super) fn speech(text: &str, style: VoiceStyle) -> Result<Vec<f32>, FliteError> {
    let (mut onset, mut heard, mut from) = (Onset::default(), Vec::new(), 0);
    let mut sink = |samples: &[i16]| {
        let (lead, rest) = onset.trim(samples, style);
        heard.extend(lead.iter().chain(rest).map(|sample| style.scaled(*sample)));
        ControlFlow::Continue(())
    };
    while let Some(end) = voice().speak_piece(text, from, style, &mut |_| {}, &mut sink)? {
        from = end;
    }
    Ok(heard)
}

/// The voice: one for the process, made at first use.
pub(super) fn voice() -> &'static Flite {
    static VOICE: OnceLock<Flite> = OnceLock::new();
    VOICE.get_or_init(|| Flite::new().expect("the voice is part of the program"))
}

/// The channel to the studio's thread, one for the process. The error says why there is none; the next call tries
/// again.
pub(super) fn studio() -> Result<Sender<Arc<Speech>>, String> {
    static STUDIO: Mutex<Option<Sender<Arc<Speech>>>> = Mutex::new(None);
    let mut studio = STUDIO.lock().map_err(|_| "the voice could not begin".to_string())?;
    if let Some(studio) = &*studio {
        return Ok(studio.clone());
    }
    let (sender, speeches) = channel();
    let again = sender.clone();
    let thread = std::thread::Builder::new().name("synthesis".into());
    thread
        .spawn(move || work(&speeches, &again))
        .map_err(|error| format!("no thread for the voice: {error}"))?;
    // The thread lives as long as the process.
    Ok(studio.insert(sender).clone())
}

/// Gives every speech its turn, one after the other.
fn work(speeches: &Receiver<Arc<Speech>>, again: &Sender<Arc<Speech>>) {
    while let Ok(speech) = speeches.recv() {
        // Nobody else has the speech, so nobody will hear it.
        if Arc::strong_count(&speech) == 1 {
            continue;
        }
        match catch_unwind(AssertUnwindSafe(|| speech.turn(voice()))) {
            Ok(true) => drop(again.send(speech)),
            Ok(false) => {}
            Err(_) => speech.fail("the voice cannot speak this text"),
        }
    }
}

#[cfg(test)]
mod tests;
