//! What a server can do and how fast, found out by asking it: for `mynah doctor --service URL`.

mod busy;
mod report;
mod steps;

use std::sync::mpsc::sync_channel;

use crate::runtime::runtime;
pub use report::{Probe, ProbeKind, ProbeReport, ProbeRow, ProbeStep, ProbeVerdict};

/// Asks a server. Blocks the thread, two minutes and a half at the very most; one short answer is asked for, and one long
/// one that is dropped.
pub fn probe(probe: &Probe) -> ProbeReport {
    let mut report = ProbeReport {
        url: probe.url.clone(),
        kind: probe.kind,
        model: probe.model.clone(),
        rows: Vec::new(),
    };
    let asking = match (steps::Steps::new(probe), runtime()) {
        (Ok(steps), Ok(runtime)) => {
            let (sender, receiver) = sync_channel(1);
            let blank = report.clone();
            runtime.spawn(async move {
                let _nobody_waits = sender.send(steps.take(blank).await);
            });
            receiver.recv().map_err(|_| "the probe has ended early".to_string())
        }
        (Err(wrong), _) => {
            // An address may hold a password.
            report.url.clear();
            Err(wrong)
        }
        (_, Err(wrong)) => Err(wrong.to_string()),
    };
    asking.unwrap_or_else(|wrong| {
        report.add(ProbeStep::Asking, ProbeVerdict::Bad, None, wrong);
        report
    })
}
