//! `--set`: whatever somebody types ends with a scene that holds or with errors that point at what was typed.

use mynah_engine::scene::{Override, Source, compile};
use mynah_sim::scenes::SHIPPED;

use crate::accepted;
use crate::scene::text_of;

/// Most settings at once.
const SETS_MAX: usize = 6;

/// A byte that picks a shipped scene, and settings for it, one a line.
///
/// # Panics
/// When settings panic the compiler, an error names neither a setting nor a place in the scene, or a scene that they
/// made does not run.
pub fn set(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let (name, text) = SHIPPED[usize::from(*first) % SHIPPED.len()];
    let file = format!("scenes/{name}.ron");
    let mut sets = Vec::new();
    for line in text_of(rest).split('\n').take(SETS_MAX) {
        match Override::parse(line) {
            Ok(set) => {
                assert_eq!(set.text(), line);
                assert!(line.starts_with(set.path()));
                sets.push(set);
            }
            Err(error) => {
                let said = error.to_string();
                assert!(said.contains("expected PATH=VALUE"), "no remedy: {said}");
                assert!(!said.contains(char::is_control), "control characters reach the terminal: {said:?}");
            }
        }
    }
    let registry = mynah_sim::scenes::registry(None);
    match compile(&Source::new(file.as_str(), text), &sets, None, &registry) {
        Ok((plan, warnings)) => {
            if sets.is_empty() {
                assert_eq!(plan.scene.name, name);
            }
            // Of several the last counts.
            let described = sets.iter().rfind(|set| set.path() == "description");
            if let Some(text) = described.and_then(free_text) {
                assert_eq!(text, plan.scene.description, "not what was typed");
            }
            accepted::holds(plan, &warnings);
        }
        Err(found) => {
            assert!(!sets.iter().all(|set| free_text(set).is_some()), "any text will do there: {found}");
            accepted::is_refused_well(&found);
            for one in &found.0 {
                let place = one.place.to_string();
                let typed = sets.iter().any(|set| place == format!("--set {set}"));
                assert!(typed || place.starts_with(&format!("{file}:")), "nobody knows `{place}`");
            }
        }
    }
}

/// What was typed for the description, where it is neither a string of RON nor an option.
fn free_text(set: &Override) -> Option<&str> {
    let (path, value) = set.text().split_once('=')?;
    let value = value.trim();
    let read = ["\"", "r\"", "r#", "None", "Some", "b\"", "/"].iter().any(|start| value.starts_with(start));
    (path == "description" && !read).then_some(value)
}
