//! `bench`: measures the cost on this machine.

use std::io::Write as _;

use crate::args::{Bench, BenchWhat, Capacity};
use crate::bench::capacity::{self, Nature};
use crate::bench::{claims, show};
use mynah_files::failure::{Exit, Failure};
use mynah_files::outputs;
use mynah_files::terminal::{self, Stdout};
use mynah_sim::interrupt;
use mynah_sim::scenes;
use mynah_sim::transport::{GrpcScene, LinkedScene};

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
    if args.scene == outputs::DASH {
        let what = "each run reads the scene anew; expected a file, or the name of a scene";
        return Err(Failure::unable(format_args!("-: {what}")));
    }
    let (plan, warnings) = scenes::compile(&args.scene, &args.sets.sets, None, None)?;
    scenes::warn(&warnings);
    if let Some(link) = LinkedScene::of(&plan) {
        return Err(Failure::unable(format_args!(
            "{}: its link leads to a second engine ({}); expected a scene without a link: measure each of the two",
            args.scene, link.scene
        )));
    }
    if let Some(GrpcScene { address, .. }) = GrpcScene::of(&plan) {
        return Err(Failure::unable(format_args!(
            "{}: its output goes to another process ({address}); expected a scene without a transport: measure each of \
             the two",
            args.scene
        )));
    }
    let nature = Nature {
        answers: plan.nodes.iter().any(|node| node.service.is_some()),
        gated: plan.nodes.iter().any(|node| node.spec.decides_speech()),
    };
    interrupt::listen()?;
    interrupt::run_begins();
    let result = capacity::find(args, nature)?;
    let mut out = Stdout::lock();
    if args.json {
        out.line(&capacity::json(&result))?;
    } else {
        out.write_all(capacity::text(&result, terminal::stdout_look()).as_bytes())?;
    }
    out.flush()?;
    Ok(interrupt::exit(match result.sessions {
        // The runs are told of Ctrl-C at a terminal, too, perhaps before this process.
        _ if result.interrupted => Exit::Interrupted,
        0 => Exit::Refused,
        _ => Exit::Done,
    }))
}
