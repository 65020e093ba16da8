//! `bench`: what it costs here.

use std::io::Write as _;

use crate::args::{Bench, BenchWhat, Capacity};
use crate::bench::capacity::{self, Nature};
use crate::bench::{claims, show};
use crate::failure::{Exit, Failure};
use crate::scenes;
use crate::terminal::{self, Stdout};
use crate::transport::LinkedScene;

/// Runs the command.
///
/// # Errors
/// A scene that cannot be used, or nothing that could be measured.
pub fn run(args: &Bench) -> Result<Exit, Failure> {
    match &args.what {
        Some(BenchWhat::Capacity(capacity)) => find_capacity(capacity),
        None => tell_claims(args),
    }
}

fn tell_claims(args: &Bench) -> Result<Exit, Failure> {
    let claims = claims::measure(args.quick)?;
    let mut out = Stdout::lock();
    if args.json {
        out.line(&show::json(&claims))?;
    } else {
        out.write_all(show::text(&claims).as_bytes())?;
    }
    out.flush()?;
    Ok(Exit::Done)
}

fn find_capacity(args: &Capacity) -> Result<Exit, Failure> {
    let (plan, warnings) = scenes::compile(&args.scene, &args.sets.sets, None, None)?;
    scenes::warn(&warnings);
    if let Some(link) = LinkedScene::of(&plan) {
        return Err(Failure::unable(format_args!(
            "{}: its link leads to a second engine ({}); expected a scene without a link: measure each of the two",
            args.scene, link.scene
        )));
    }
    let nature = Nature {
        answers: plan.nodes.iter().any(|node| node.service.is_some()),
        gated: plan.nodes.iter().any(|node| node.spec.kind() == "VadGate"),
    };
    let result = capacity::find(args, nature)?;
    let mut out = Stdout::lock();
    if args.json {
        out.line(&capacity::json(&result))?;
    } else {
        out.write_all(capacity::text(&result, terminal::stdout_look()).as_bytes())?;
    }
    out.flush()?;
    Ok(if result.sessions > 0 { Exit::Done } else { Exit::Refused })
}
