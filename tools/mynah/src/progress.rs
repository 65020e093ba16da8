//! Shows the progress of long work on standard error, and only on a terminal.

pub mod draw;
pub mod sight;

use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mynah_engine::Record;
use mynah_engine::scene::Rendering;

use mynah_files::terminal;
use mynah_host::clock::Epoch;
use mynah_sim::simulate::{Observer, TickView};
use sight::Spotter;

/// Time between two pictures, microseconds.
const REDRAW_US: u64 = 100_000;

/// Where it is drawn.
#[derive(Debug)]
struct Screen {
    bar: ProgressBar,
    term: Term,
    look: Rendering,
    epoch: Epoch,
    stage_since_us: u64,
    drawn_us: Option<u64>,
}

/// The live view: one stage of the work after the other, and what is known of the run. Nothing at all unless stderr is a
/// terminal.
#[derive(Debug)]
pub struct Progress {
    screen: Option<Screen>,
    spotter: Spotter,
}

impl Progress {
    /// Shows nothing unless stderr is a terminal.
    pub fn new() -> Self {
        let screen = terminal::stderr_draws().then(|| {
            let term = Term::stderr();
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(20));
            bar.set_style(ProgressStyle::with_template("{msg}").expect("the template is right"));
            let look = terminal::stderr_look();
            Screen { bar, term, look, epoch: Epoch::start(), stage_since_us: 0, drawn_us: None }
        });
        Self { screen, spotter: Spotter::default() }
    }

    /// `done` of `total` of a stage.
    pub fn at(&mut self, stage: &'static str, done: u64, total: u64) {
        let Some(screen) = &mut self.screen else { return };
        let sight = &mut self.spotter.sight;
        if sight.stage != stage {
            sight.stage = stage;
            screen.stage_since_us = screen.epoch.now_us();
            screen.drawn_us = None;
        }
        (sight.done, sight.total) = (done, total);
        if screen.is_due() {
            screen.show(&mut self.spotter);
        }
    }

    /// Takes it away: results follow.
    pub fn clear(&mut self) {
        if let Some(screen) = self.screen.take() {
            screen.bar.finish_and_clear();
        }
    }
}

impl Screen {
    fn is_due(&self) -> bool {
        self.drawn_us.is_none_or(|us| self.epoch.now_us() >= us + REDRAW_US)
    }

    fn show(&mut self, spotter: &mut Spotter) {
        let now_us = self.epoch.now_us();
        self.drawn_us = Some(now_us);
        spotter.sight.elapsed_s = now_us.saturating_sub(self.stage_since_us) as f64 / 1e6;
        let width = usize::from(self.term.size().1);
        self.bar.set_message(draw::draw(&spotter.sight, width, self.look).join("\n"));
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Progress {
    /// Whatever ends the work, what is said of it starts on a clean line.
    fn drop(&mut self) {
        self.clear();
    }
}

impl Observer for Progress {
    fn records(&mut self, records: &[Record]) {
        if self.screen.is_some() {
            self.spotter.records(records);
        }
    }

    fn tick(&mut self, view: TickView<'_>) {
        let Some(screen) = &self.screen else { return };
        self.spotter.tick(&view);
        if screen.is_due() {
            self.spotter.look(view.engine);
        }
    }

    fn progress(&mut self, what: &'static str, done: u64, total: u64) {
        self.at(what, done, total);
    }
}
