//! Progress of long work: on stderr, and only where somebody looks at it.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar that shows one stage of the work after the other.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    stage: &'static str,
}

impl Progress {
    /// Shows nothing unless stderr is a terminal.
    pub fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr_with_hz(10));
            let style = ProgressStyle::with_template("{msg:>12} {wide_bar} {percent:>3} %  {eta} left");
            bar.set_style(style.expect("the template is right"));
            bar
        });
        Self { bar, stage: "" }
    }

    /// `done` of `total` of a stage.
    pub fn at(&mut self, stage: &'static str, done: u64, total: u64) {
        let Some(bar) = &self.bar else { return };
        if self.stage != stage {
            self.stage = stage;
            bar.reset();
            bar.set_message(stage);
        }
        bar.set_length(total.max(1));
        bar.set_position(done);
    }

    /// Takes the bar away: results follow.
    pub fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}
