//! Pages for people: the events of a run as drawings, each page one self-contained file.
//!
//! `document` is the page around them, `svg` and `plot` are the shapes, `lane` is one session over time (for
//! recordings and for simulated callers), `session` and `peaks` keep what it shows. `witness` collects what the report
//! of a simulation needs while it runs, `report` draws it.

pub mod document;
pub mod figure;
pub mod labels;
pub mod lane;
pub mod page;
pub mod player;
pub mod plot;
pub mod report;
pub mod scale;
pub mod session;
pub mod svg;
pub mod windows;
pub mod witness;
