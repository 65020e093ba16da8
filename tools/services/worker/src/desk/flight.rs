//! A call that a worker works on: puts the parts of its answer in order.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use mynah_engine::scene::{Format, FormatConverter};
use mynah_systems::dsp::convert;
use mynah_systems::service::OutsidePart;

use super::asked::Asked;
use crate::wire::{AudioPart, DataPart};

/// Parts that may be ahead of one that is missing: as many as two lanes hold.
const EARLY_MAX: usize = 512;
/// Things that may wait for parts before them.
const ASIDES_MAX: usize = 64;

/// A call at a worker.
pub(crate) struct Flight {
    pub(crate) asked: Asked,
    /// The worker.
    pub(crate) peer: u64,
    /// When the worker was told to stop.
    pub(crate) cancelled: Option<u64>,
    /// When something was last heard of it.
    pub(crate) heard_us: u64,
    next_part: u32,
    early: BTreeMap<u32, DataPart>,
    /// What comes after so many parts.
    asides: VecDeque<(u32, OutsidePart)>,
    end: Option<(u32, Result<(), Arc<str>>)>,
    has_given: bool,
    converter: Option<(Format, Box<dyn FormatConverter>)>,
    converted: Vec<f32>,
}

/// What has become of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Course {
    /// More is to come.
    GoesOn,
    /// It is complete.
    Done,
    /// It has failed.
    Failed(Arc<str>),
}

impl Flight {
    pub(crate) fn new(asked: Asked, peer: u64, now_us: u64) -> Self {
        Self {
            asked,
            peer,
            cancelled: None,
            heard_us: now_us,
            next_part: 0,
            early: BTreeMap::new(),
            asides: VecDeque::new(),
            end: None,
            has_given: false,
            converter: None,
            converted: Vec::new(),
        }
    }

    /// Whether anything of the answer has gone out.
    pub(crate) fn has_given(&self) -> bool {
        self.has_given
    }

    /// A part has come. An error fails the call.
    pub(crate) fn part(&mut self, part: DataPart) -> Result<(), Arc<str>> {
        if part.part() < self.next_part {
            return Err(format!("part {} of the answer came twice", part.part()).into());
        }
        if self.early.len() >= EARLY_MAX {
            return Err(format!("part {} of the answer was lost", self.next_part).into());
        }
        self.early.insert(part.part(), part);
        self.release()
    }

    /// Something that stands after `parts` parts. An error fails the call.
    pub(crate) fn aside(&mut self, parts: u32, aside: OutsidePart) -> Result<(), Arc<str>> {
        if self.asides.len() >= ASIDES_MAX {
            return Err("too much waits for parts of the answer that do not come".into());
        }
        self.asides.push_back((parts, aside));
        self.release()
    }

    /// The worker says that this was all.
    pub(crate) fn ends(&mut self, parts: u32, end: Result<(), Arc<str>>) {
        self.end.get_or_insert((parts, end));
    }

    fn release(&mut self) -> Result<(), Arc<str>> {
        loop {
            while let Some((_, aside)) = self.asides.pop_front_if(|(parts, _)| *parts <= self.next_part) {
                self.has_given = true;
                self.asked.writer.part(aside);
            }
            let Some(part) = self.early.remove(&self.next_part) else { return Ok(()) };
            self.next_part += 1;
            self.has_given = true;
            match part {
                DataPart::Text(text) if self.asked.speaks_hz().is_none() => self.asked.writer.text(text.text),
                DataPart::Audio(audio) => self.say(&audio)?,
                DataPart::Text(_) => {
                    return Err("the worker answered with text where audio is asked: yield samples".into());
                }
            }
        }
    }

    /// Audio at the rate that the node speaks, mono.
    fn say(&mut self, audio: &AudioPart) -> Result<(), Arc<str>> {
        let Some(rate_hz) = self.asked.speaks_hz() else {
            return Err("the worker answered with audio where text is asked: yield text".into());
        };
        let channels = u8::try_from(audio.channels).unwrap_or(u8::MAX);
        let (from, to) = (Format { rate_hz: audio.rate_hz, channels }, Format { rate_hz, channels: 1 });
        if from == to && self.converter.is_none() {
            self.asked.writer.audio(&audio.samples);
            return Ok(());
        }
        if self.converter.as_ref().is_none_or(|(before, _)| *before != from) {
            self.flush();
            self.converter = Some((from, convert::build(from, to)?));
        }
        if let Some((_, converter)) = &mut self.converter {
            self.converted.clear();
            converter.push(&audio.samples, &mut self.converted);
            self.asked.writer.audio(&self.converted);
        }
        Ok(())
    }

    fn flush(&mut self) {
        if let Some((_, mut converter)) = self.converter.take() {
            self.converted.clear();
            converter.flush(&mut self.converted);
            self.asked.writer.audio(&self.converted);
        }
    }

    /// What has become of the call. `is_read`: all that the worker sent before its end was read by now.
    pub(crate) fn course(&mut self, is_read: bool) -> Course {
        let Some((parts, end)) = &self.end else { return Course::GoesOn };
        if *parts == self.next_part && self.asides.is_empty() {
            let end = end.clone();
            self.flush();
            return end.map_or_else(Course::Failed, |()| Course::Done);
        }
        match end {
            Err(reason) => Course::Failed(Arc::clone(reason)),
            Ok(()) if is_read => {
                let (missing, parts) = (self.next_part, *parts);
                Course::Failed(format!("part {missing} of {parts} of the answer was lost").into())
            }
            Ok(()) => Course::GoesOn,
        }
    }
}
