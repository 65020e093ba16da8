//! The page of a simulation: the verdict first, then what it rests on, as drawings with their figures.
//!
//! Every figure of the JSON report that is shown is a `<data>` element that says where the report has it. In virtual
//! time everything but the section about the machine is the same whenever the run is repeated.

mod batches;
mod far_end;
mod head;
mod latency;
mod losses;
mod machine;
mod nodes;
mod one_session;
mod queues;
mod shown;
mod speculation;
mod stages;
mod verdict;

use self::shown::Shown;
use crate::picture::document::document;
use crate::picture::witness::Witness;
use mynah_sim::report::Report;

/// The whole page. `witness` has watched the run that `report` is about.
pub fn page(report: &Report, witness: &Witness) -> String {
    let sections: [fn(&mut String, Shown<'_>); 12] = [
        head::draw,
        verdict::draw,
        latency::draw,
        one_session::draw,
        stages::draw,
        speculation::draw,
        queues::draw,
        batches::draw,
        losses::draw,
        nodes::draw,
        far_end::draw,
        machine::draw,
    ];
    let mut body = String::new();
    for section in sections {
        section(&mut body, Shown { report, witness });
    }
    document(&format!("{}: {}", report.scene, report.verdict), &body)
}
