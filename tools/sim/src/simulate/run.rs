//! Runs a simulation from its first tick to its report.

use super::options::RunClock;
use super::simulation::Simulation;
use crate::observer::{Ending, Observer};
use crate::report::Report;

impl Simulation {
    /// Runs to the end and reports.
    pub fn run(mut self, observer: &mut dyn Observer) -> Report {
        match self.near.options.clock {
            RunClock::Virtual => self.run_virtual(observer),
            RunClock::Wall if self.remote.is_some() => self.run_linked(observer),
            RunClock::Wall => self.run_wall(observer),
        }
        if let Some(remote) = &self.remote {
            observer.link(u64::MAX, &|| remote.control_figures());
        }
        observer.over(&self.near.engine);
        let report = self.conclude();
        observer.reported(Ending { report: &report, measured: &self.near.run });
        report
    }
}
