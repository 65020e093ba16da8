//! Compiles scenes with every kind that they may name.

use std::sync::{Arc, OnceLock};

use mynah_engine::scene::{Diagnostic, Diagnostics, Format, Override, Source};
use mynah_engine::{Registry, ScenePlan};
use mynah_systems::service::Script;

use crate::answers::{self, LoggedAnswers};
pub use crate::shipped::{OUTSIDE, SHIPPED, Shipped, all, find};
use crate::transport::{GrpcScene, LinkedScene};
use mynah_files::failure::Failure;
use mynah_files::terminal;

/// A compiled scene, and the warnings about it.
pub type Compiled = (Arc<ScenePlan>, Vec<Diagnostic>);

/// Kinds of the program's own, beside those of mynah. Of the process, as the kinds that are linked into it are: every
/// scene of a run, those behind links and those in logs, is compiled with the same ones.
static OWN: OnceLock<Registry> = OnceLock::new();

/// Adds node kinds, services, transports and merge strategies of the program's own to all scenes that it compiles from
/// now on. Once, before anything else; `own` has nothing of mynah's.
///
/// # Errors
/// One of them has a name that mynah's have, or something was added before (exit code 2).
pub fn add_own(own: Registry) -> Result<(), Failure> {
    if let Err(taken) = standard(None, LinkedScene::check).extend(&own) {
        return Err(Failure::unable(format_args!("kinds of this program: {taken}")));
    }
    let again = "kinds of this program: they are added once, all in one registry";
    OWN.set(own).map_err(|_| Failure::unable(again))
}

fn standard(
    script: Option<Arc<dyn Script>>,
    check: fn(&str) -> Result<(), mynah_engine::ron::error::SpannedError>,
) -> Registry {
    let mut registry = mynah_systems::registry(script);
    crate::outside::register(&mut registry);
    registry.add_transport(LinkedScene::NAME, check);
    registry.add_transport(GrpcScene::NAME, GrpcScene::check);
    registry
}

fn with_own(mut registry: Registry) -> Registry {
    if let Some(own) = OWN.get() {
        registry.extend(own).expect("names were compared when they were added");
    }
    registry
}

/// Every node kind, service and transport that scenes may name, with [the program's own](add_own). `script`: what
/// simulated callers say.
pub fn registry(script: Option<Arc<dyn Script>>) -> Registry {
    with_own(standard(script, LinkedScene::check))
}

/// The same where the scene behind a link is at hand, whether or not one of its name can be found.
pub fn registry_with_link(script: Option<Arc<dyn Script>>) -> Registry {
    with_own(standard(script, LinkedScene::check_settings))
}

/// The same for a replay: mynah's services outside the process answer what they answered in the log, and nobody else is
/// asked. Those of the program's own do after [`answers::remember`].
pub fn registry_of_log(script: Option<Arc<dyn Script>>, answers: &LoggedAnswers) -> Registry {
    let mut registry = registry_with_link(script);
    answers::register(&mut registry, answers);
    registry
}

/// Finds and compiles a scene with overrides. `input`: the format of a recording, in place of `session.input`;
/// `script`: what simulated callers say.
///
/// # Errors
/// All that is wrong with the scene, drawn for stderr (exit code 1), or that there is no such scene (2).
pub fn compile(
    name: &str,
    sets: &[Override],
    input: Option<Format>,
    script: Option<Arc<dyn Script>>,
) -> Result<Compiled, Failure> {
    compile_source(&find(name)?, sets, input, &registry(script))
}

/// Compiles the text of a scene with overrides; see [`compile`].
///
/// # Errors
/// All that is wrong with the scene, drawn for stderr (exit code 1).
pub fn compile_source(
    source: &Source,
    sets: &[Override],
    input: Option<Format>,
    registry: &Registry,
) -> Result<Compiled, Failure> {
    let compiled = mynah_engine::scene::compile(source, sets, input, registry);
    let (mut plan, warnings) = compiled.map_err(|found| refusal(source, &found))?;
    answers::keep(&mut plan);
    Ok((Arc::new(plan), warnings))
}

fn refusal(source: &Source, found: &Diagnostics) -> Failure {
    let errors = found.errors();
    let warnings = found.0.len() - errors;
    let all_set = found.0.iter().all(|one| one.place.is_argument());
    let place = if all_set { "--set" } else { &source.name };
    let mut count = format!("{place}: {}", counted(errors, "error"));
    if warnings > 0 {
        count += &format!(", {}", counted(warnings, "warning"));
    }
    Failure::refused(format!("{}\n\n{count}", found.render(terminal::stderr_look())))
}

/// `1 error`, `2 errors`.
pub fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Prints warnings to stderr.
pub fn warn(warnings: &[Diagnostic]) {
    for warning in warnings {
        terminal::notice(&format!("{}\n", warning.render(terminal::stderr_look())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mynah_files::failure::Exit;

    #[test]
    fn every_shipped_scene_compiles_under_its_name() {
        for (name, _) in SHIPPED {
            let (plan, _) = compile(name, &[], None, None).unwrap_or_else(|failure| panic!("{failure}"));
            assert_eq!(plan.scene.name, *name);
        }
    }

    #[test]
    fn what_a_program_adds_has_no_name_of_mynahs() {
        let (mut kind, mut service, mut transport) = (Registry::new(), Registry::new(), Registry::new());
        kind.add::<mynah_systems::Pass>();
        transport.add_transport(LinkedScene::NAME, LinkedScene::check);
        service.add_service("FliteVoice", |_| panic!("nobody asks"));
        let rows = [
            (kind, "node kind `Pass`"),
            (service, "service `FliteVoice`"),
            (transport, "transport `SimulatedLink`"),
        ];
        for (own, named) in rows {
            let refused = add_own(own).expect_err(named);
            assert_eq!(refused.exit, Exit::Unable);
            assert!(refused.message.contains(named) && refused.message.contains("its own"), "{refused}");
        }
    }

    #[test]
    fn all_errors_are_reported_at_once_with_exit_code_one() {
        let sets = ["gate.threshold=7", "gate.pad_ms=9000"].map(|text| Override::parse(text).unwrap());
        let failure = compile("gate_only", &sets, None, None).unwrap_err();
        assert_eq!(failure.exit, Exit::Refused);
        for part in ["--set gate.threshold=7", "--set gate.pad_ms=9000", "errors"] {
            assert!(failure.message.contains(part), "{part}: {failure}");
        }
    }
}
