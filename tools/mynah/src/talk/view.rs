//! Where the conversation is shown: a line or an object for each event on standard output, and the live view on standard
//! error where that is a terminal.

use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mynah_engine::scene::Rendering;
use mynah_files::failure::Failure;
use mynah_files::terminal::{self, Stdout};
use std::io::Write as _;

use super::draw::{Sight, draw};
use super::told::{Entry, Told, ms};

/// Time between two pictures, microseconds.
const REDRAW_US: u64 = 100_000;

/// Both places.
pub(super) struct View {
    out: Stdout,
    json: bool,
    screen: Option<(ProgressBar, Term, Rendering)>,
    drawn_us: Option<u64>,
}

impl View {
    pub(super) fn new(json: bool) -> Self {
        let screen = terminal::stderr_draws().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(20));
            bar.set_style(ProgressStyle::with_template("{msg}").expect("the template is right"));
            (bar, Term::stderr(), terminal::stderr_look())
        });
        Self { out: Stdout::lock(), json, screen, drawn_us: None }
    }

    /// Says what happened at `now_us`.
    pub(super) fn tell(&mut self, told: &Told, now_us: u64) -> Result<(), Failure> {
        let line = if self.json {
            let entry = Entry { t_ms: ms(now_us), told };
            serde_json::to_string(&entry).map_err(std::io::Error::from)?
        } else {
            let Some(words) = told.words() else { return Ok(()) };
            format!("{:7.2} s  {words}", now_us as f64 / 1e6)
        };
        self.line(&line)
    }

    /// Prints a line above the picture, at once.
    pub(super) fn line(&mut self, text: &str) -> Result<(), Failure> {
        let out = &mut self.out;
        let mut print = || out.line(text).and_then(|()| out.flush());
        match &self.screen {
            Some((bar, ..)) => bar.suspend(print)?,
            None => print()?,
        }
        Ok(())
    }

    /// Draws what `sight` sees, unless it is too soon for that, or nobody looks.
    pub(super) fn draw(&mut self, now_us: u64, sight: impl FnOnce() -> Sight) {
        let Some((bar, term, look)) = &self.screen else { return };
        if self.drawn_us.is_none_or(|us| now_us >= us + REDRAW_US) {
            self.drawn_us = Some(now_us);
            // The `^C` that a terminal echoes moves the picture up by a line: the first one, which stays, is empty.
            let lines = draw(&sight(), usize::from(term.size().1), *look);
            bar.set_message(format!("\n{}", lines.join("\n")));
        }
    }

    /// Takes the picture away.
    pub(super) fn clear(&mut self) {
        if let Some((bar, ..)) = self.screen.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for View {
    /// Whatever ends the conversation, what is said of it starts on a clean line.
    fn drop(&mut self) {
        self.clear();
    }
}
