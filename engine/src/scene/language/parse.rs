//! Reads a [`Scene`] from its text, and turns ron's errors into diagnostics: which field, what was expected, what was
//! found.

use std::ops::Range;

use crate::scene::language::catalogue::dialect;
use crate::scene::language::diagnostic::{Diagnostic, Diagnostics};
use crate::scene::language::finder::{is_name, short_span};
use crate::scene::language::locate::{Document, Step};
use crate::scene::language::model::{Entry, Scene};
use crate::scene::language::repair;
use crate::scene::language::source::Edited;
use crate::scene::language::tree::Value;

/// Most nodes of a scene; also most services and transports.
pub(crate) const NODES_MAX: usize = 64;
/// Most edges: four from every node, and one from the input to every node.
const EDGES_MAX: usize = NODES_MAX * 5;

/// Reads the scene, and collects errors in fields that could be left out. An error after which nothing can be trusted
/// stops the reading.
pub(crate) fn parse(
    edited: &Edited,
    document: &Document<'_>,
) -> Result<(Scene, Vec<Diagnostic>), Diagnostics> {
    let read = repair::read(edited, document, 0..edited.text.len(), |text| dialect().from_str::<Scene>(text));
    let Some(mut scene) = read.value else { return Err(Diagnostics(read.found)) };
    sizes(edited, document, &scene)?;
    let entry =
        |path: &[Step]| document.find(path).map(|value| entry_at(document, value)).unwrap_or_default();
    for (index, node) in scene.nodes.iter_mut().enumerate() {
        node.kind = entry(&["nodes".into(), index.into(), "kind".into()]);
    }
    for (name, service) in &mut scene.services {
        service.output = entry(&["services".into(), name.as_str().into(), "output".into()]);
    }
    for (index, transport) in scene.transports.iter_mut().enumerate() {
        *transport = entry(&["transports".into(), index.into()]);
    }
    Ok((scene, read.found))
}

/// Refuses lists longer than any scene needs, before every entry is checked on its own.
fn sizes(edited: &Edited, document: &Document<'_>, scene: &Scene) -> Result<(), Diagnostics> {
    let lists = [
        ("nodes", scene.nodes.len(), NODES_MAX),
        ("edges", scene.edges.len(), EDGES_MAX),
        ("services", scene.services.len(), NODES_MAX),
        ("transports", scene.transports.len(), NODES_MAX),
    ];
    let Some((name, count, most)) = lists.into_iter().find(|(_, count, most)| count > most) else {
        return Ok(());
    };
    let group = document.find(&[name.into()]).and_then(|value| value.group.as_ref());
    let beyond = group.and_then(|group| group.items.get(most));
    let span = beyond.map(|item| item.key.clone().unwrap_or_else(|| short_span(&item.value)));
    let title = format!("the scene has {count} {name}, at most {most} are possible");
    Err(Diagnostic::error(edited.place(span.unwrap_or(0..0)), title, "one too many").into())
}

/// `Name` or `Name(fields)`; anything else has an empty name.
fn entry_at(document: &Document<'_>, value: &Value) -> Entry {
    let value = document.within(value);
    let text = |range: &Range<usize>| document.text[range.clone()].to_owned();
    let Some(head) = &value.head else { return Entry::default() };
    let name = text(head);
    if !is_name(&name) {
        return Entry::default();
    }
    let config = value.group.as_ref().map_or("()".into(), |group| text(&group.span));
    Entry { name: name.strip_prefix("r#").unwrap_or(&name).to_owned(), config }
}
