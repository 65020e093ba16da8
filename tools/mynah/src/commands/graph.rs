//! `mynah graph`: the compiled scene as a drawing.

use std::io::Write as _;

use mynah_engine::scene::{Form, draw};

use crate::args::{Graph, GraphFormat};
use mynah_files::failure::{Exit, Failure};
use mynah_files::terminal::Stdout;
use mynah_sim::scenes;

/// Draws the scene to stdout.
///
/// # Errors
/// An invalid scene, or none.
pub fn run(args: &Graph) -> Result<Exit, Failure> {
    let (plan, warnings) = scenes::compile(&args.scene, &args.sets.sets, None, None)?;
    scenes::warn(&warnings);
    let form = match args.format {
        GraphFormat::Text => Form::Text,
        GraphFormat::Dot => Form::Dot,
        GraphFormat::Mermaid => Form::Mermaid,
    };
    let mut out = Stdout::lock();
    out.write_all(draw(&plan, form).as_bytes())?;
    out.flush()?;
    Ok(Exit::Done)
}
