//! `mynah graph`: the compiled scene as a drawing.

use std::io::Write as _;

use mynah_engine::scene::{Form, draw};
use mynah_engine::tick::{Stage, SystemView, systems};

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
    let mut out = Stdout::lock();
    if args.systems {
        out.write_all(table(&systems(&plan)).as_bytes())?;
        out.flush()?;
        return Ok(Exit::Done);
    }
    let form = match args.format {
        GraphFormat::Text => Form::Text,
        GraphFormat::Dot => Form::Dot,
        GraphFormat::Mermaid => Form::Mermaid,
    };
    out.write_all(draw(&plan, form).as_bytes())?;
    out.flush()?;
    Ok(Exit::Done)
}

/// The systems in columns; those of a shard stand under the system of the engine's own world that runs them.
fn table(systems: &[SystemView]) -> String {
    let mut rows = vec![["stage", "system", "reads", "writes"].map(str::to_owned)];
    for system in systems {
        let (reads, writes) = if system.is_exclusive {
            ("everything".to_owned(), "everything".to_owned())
        } else {
            (system.reads.join(" "), system.writes.join(" "))
        };
        rows.push([stage(system.stage), system.name.clone(), reads, writes]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths = [0, 1, 2].map(width);
    let line = |[stage, system, reads, writes]: &[String; 4]| {
        let [first, second, third] = widths;
        let line = format!("{stage:<first$}  {system:<second$}  {reads:<third$}  {writes}");
        format!("{}\n", line.trim_end())
    };
    rows.iter().map(line).collect()
}

fn stage(stage: Stage) -> String {
    match stage {
        Stage::Rotate
        | Stage::Deliver
        | Stage::FirstHalf
        | Stage::Batch
        | Stage::SecondHalf
        | Stage::Join
        | Stage::Observe => format!("{stage:?}"),
        Stage::Node(node) => format!("  Node({})", node.0),
        Stage::Cancel(node) => format!("  Cancel({})", node.0),
        stage => format!("  {stage:?}"),
    }
}
