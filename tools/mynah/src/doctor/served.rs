//! Asks a server of models what it can do.

use super::finding::Finding;
use crate::args::Doctor;
use mynah_files::failure::Failure;

/// What was found out about the server at `url`.
///
/// # Errors
/// This build has no services behind HTTP: exit code 2.
#[cfg(not(feature = "http"))]
pub fn examine(url: &str, _: &Doctor) -> Result<Vec<Finding>, Failure> {
    let remedy = "build it with `cargo build --release --features http`, or `tls` for https addresses";
    Err(Failure::unable(format_args!("--service {url}: this build asks no servers: {remedy}")))
}

/// What was found out about the server at `url`.
///
/// # Errors
/// None in this build.
#[cfg(feature = "http")]
pub fn examine(url: &str, args: &Doctor) -> Result<Vec<Finding>, Failure> {
    use crate::args::ServedKind;
    use mynah_http::probe::{Probe, ProbeKind, ProbeRow, ProbeStep, ProbeVerdict, probe};

    let kind = match args.kind {
        ServedKind::Chat => ProbeKind::Chat,
        ServedKind::Speech => ProbeKind::Speech,
        ServedKind::Transcription => ProbeKind::Transcription,
    };
    let report = probe(&Probe {
        url: url.into(),
        model: args.model.clone(),
        key_env: args.key_env.clone(),
        kind,
        voice: args.voice.clone(),
    });
    let finding = |ProbeRow { step, verdict, says, .. }: ProbeRow| {
        let name = match step {
            ProbeStep::Asking => "request",
            ProbeStep::Reachable => "reachable",
            ProbeStep::Models => "models",
            ProbeStep::FirstByte => "first answer",
            ProbeStep::Pace => "pace",
            ProbeStep::Quiet => "quiet after a cancel",
        };
        match verdict {
            ProbeVerdict::Fine => Finding::ok(name, says),
            ProbeVerdict::Bad => Finding::fail(name, says, ""),
            ProbeVerdict::Unknown => Finding::warn(name, says, ""),
        }
    };
    Ok(report.rows.into_iter().map(finding).collect())
}
