//! Compares each line of a run with the next one of its log.

use std::collections::VecDeque;

use super::divergence::{Divergence, Numbered, Parting};
use super::lines::LogLines;
use mynah_files::failure::Failure;
use mynah_sim::events::log::{END, LineSink};
use serde_json::{Map, Value};

/// Lines kept from before a divergence.
const BEFORE: usize = 3;
/// Lines looked at behind one, on both sides, to tell what happened.
const BEHIND: usize = 8;

/// Takes the lines of a replay.
pub struct Comparison {
    log: LogLines,
    /// The first line is still to come; both have it, as the replay is made from it.
    begins: bool,
    agreeing: u64,
    before: VecDeque<Numbered>,
    parting: Option<Parting>,
}

/// How two lines compare.
enum Verdict {
    /// They say the same.
    Same,
    /// The log's line stops in the middle.
    Cut,
    /// They do not.
    Other,
}

impl Comparison {
    /// With a log whose first line has been read.
    pub fn new(log: LogLines) -> Self {
        Self { log, begins: true, agreeing: 0, before: VecDeque::new(), parting: None }
    }

    /// Lines that agree, where they part, and whether the log was changed after it was written.
    ///
    /// # Errors
    /// The rest of the log cannot be read.
    pub fn conclude(self) -> Result<(u64, Option<Divergence>, bool), Failure> {
        // A log that was cut off has no hash to fit.
        let cut = self.parting.as_ref().is_some_and(|parting| parting.cut || parting.expected.is_none());
        let fits = cut || self.log.fits_its_hash()?;
        Ok((self.agreeing, self.parting.map(Parting::conclude), !fits))
    }

    fn agree(&mut self, line: &str) {
        self.agreeing += 1;
        // The oldest one's memory is used again.
        let oldest = if self.before.len() < BEFORE { None } else { self.before.pop_front() };
        let mut kept = oldest.unwrap_or(Numbered { line: 0, text: String::new() });
        kept.line = self.log.number();
        kept.text.clear();
        kept.text.push_str(line);
        self.before.push_back(kept);
    }

    fn part(&mut self, expected: Option<String>, got: Option<&str>, cut: bool) -> Result<(), Failure> {
        let line = self.log.number() + u64::from(expected.is_none());
        let mut log_goes_on = Vec::new();
        if expected.is_some() {
            while log_goes_on.len() < BEHIND && self.log.advance()? {
                log_goes_on.push(self.log.line().to_owned());
            }
        }
        self.parting = Some(Parting {
            line,
            expected,
            got: got.map(Into::into),
            cut,
            before: self.before.drain(..).collect(),
            log_goes_on,
            replay_goes_on: Vec::new(),
        });
        Ok(())
    }

    /// How the log's line compares with `line`: byte by byte, and if that fails, by what they say.
    fn verdict(&self, line: &str) -> Result<Verdict, Failure> {
        let whole = self.log.is_whole();
        if self.log.line() == line {
            return Ok(Verdict::Same);
        }
        let expected = match self.log.object() {
            Ok(expected) => expected,
            Err(_) if !whole => return Ok(Verdict::Cut),
            Err(failure) => return Err(failure),
        };
        let got: Map<String, Value> = serde_json::from_str(line).unwrap_or_default();
        // The hash of a log that somebody wrote anew (`jq`) is another one; see `LogLines::fits_its_hash`.
        let last = expected.get("event").is_some_and(|event| event == END);
        let same = expected.iter().all(|(key, value)| {
            (last && key == "log_hash" && got.contains_key(key)) || got.get(key) == Some(value)
        });
        Ok(if same && expected.len() == got.len() { Verdict::Same } else { Verdict::Other })
    }
}

impl LineSink for Comparison {
    fn take(&mut self, line: &str) -> Result<(), Failure> {
        if let Some(parting) = &mut self.parting {
            if parting.replay_goes_on.len() < BEHIND {
                parting.replay_goes_on.push(line.into());
            }
            return Ok(());
        }
        if std::mem::take(&mut self.begins) {
            self.agreeing += 1;
            return Ok(());
        }
        if !self.log.advance()? {
            return self.part(None, Some(line), false);
        }
        match self.verdict(line)? {
            Verdict::Same => {
                self.agree(line);
                Ok(())
            }
            Verdict::Cut => self.part(Some(self.log.line().to_owned()), Some(line), true),
            Verdict::Other => self.part(Some(self.log.line().to_owned()), Some(line), false),
        }
    }

    fn finish(&mut self) -> Result<(), Failure> {
        if self.parting.is_none() && self.log.advance()? {
            self.log.object()?;
            return self.part(Some(self.log.line().to_owned()), None, false);
        }
        Ok(())
    }

    fn awaits_interruption(&mut self, now_us: u64) -> bool {
        self.parting.is_none() && self.log.is_interrupted_next(now_us)
    }

    fn wants_more(&self) -> bool {
        self.parting.as_ref().is_none_or(|parting| parting.replay_goes_on.len() < BEHIND)
    }
}
