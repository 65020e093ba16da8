//! A simulation and the first line of its event log: one from the other, both ways.

use mynah_engine::scene::{Override, Source};

use super::options::{Options, RunClock};
use crate::events::header::{ContentOf, Header, Inputs, LoadInput, SimulateInputs};
use mynah_files::failure::Failure;

/// The first line of a log of this simulation. `sets`: the overrides that the scene was compiled with.
///
/// # Errors
/// The recordings cannot be read.
pub fn header(scene: &Source, sets: &[Override], options: &Options) -> Result<Header, Failure> {
    let load = match &options.recordings {
        None => LoadInput::Synthesized,
        Some(path) => LoadInput::Recordings(
            ContentOf::labels(path)
                .map_err(|error| Failure::unable(format_args!("--load {}: {error}", path.display())))?,
        ),
    };
    let inputs = SimulateInputs {
        sessions: options.sessions,
        duration_us: options.duration_us,
        phase: options.phase,
        load,
        faults: None,
    };
    let sets = sets.iter().map(ToString::to_string).collect();
    let mut header = Header::new(scene, sets, options.seed, options.clock, Inputs::Simulate(inputs));
    header.linked = options.linked.as_ref().map(Into::into);
    Ok(header)
}

/// The simulation that such a line is of, in virtual time.
pub fn options(header: &Header, inputs: &SimulateInputs, threads: usize, shards: Option<u32>) -> Options {
    let recordings = match &inputs.load {
        LoadInput::Synthesized => None,
        LoadInput::Recordings(content) => Some(content.path.clone()),
    };
    Options {
        sessions: inputs.sessions,
        duration_us: inputs.duration_us,
        seed: header.seed,
        clock: RunClock::Virtual,
        threads,
        shards,
        recordings,
        phase: inputs.phase,
        set: header.set.clone(),
        linked: header.linked.as_ref().map(Into::into),
    }
}
