//! Works `--set PATH=VALUE` into the scene's text, so that the result is checked like the file itself.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::IgnoredAny;

use crate::scene::language::catalogue::dialect;
use crate::scene::language::diagnostic::{Diagnostic, Diagnostics, Place, printable};
use crate::scene::language::finder::{is_name, path_name};
use crate::scene::language::locate::{Document, Step, is_string};
use crate::scene::language::source::{Edited, Origin, Source};
use crate::scene::language::suggest;
use crate::scene::language::tree::Value;

/// Sections of a scene that a path can begin with; ids of nodes must differ from them.
pub(crate) const SECTIONS: [&str; 8] =
    ["name", "description", "tick", "session", "services", "transports", "metrics", "limits"];
/// Sections that only the file can change.
pub(crate) const FIXED: [&str; 2] = ["nodes", "edges"];
/// Fields of a node itself; any other belongs to its kind.
const OF_NODE: [&str; 4] = ["capabilities", "buffering", "deadline", "optional"];
/// The variant that an absent enum stands for, if a path leads into it.
const DEFAULT_VARIANTS: [(&[&str], &str); 1] = [(&["session", "output", "pace"], "RealTime")];

/// One `--set`: `gate.threshold=0.5`, `tick.period_ms=10`, `services.asr.timing.latency=Fixed(ms: 30)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    text: Arc<str>,
    /// Ranges of the path's names in `text`.
    names: Vec<Range<usize>>,
    value: Range<usize>,
}

/// Why an argument is no override.
#[derive(Clone, PartialEq, Eq)]
pub struct OverrideError(String);

/// Same text as `Display`.
impl fmt::Debug for OverrideError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for OverrideError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for OverrideError {}

impl Override {
    /// Splits `PATH=VALUE`; whether the path exists is checked against a scene.
    ///
    /// # Errors
    /// No `=`, an empty name in the path, an odd character in it, or no value.
    pub fn parse(text: &str) -> Result<Self, OverrideError> {
        let refuse = |why: &str| {
            let shown = printable(text);
            Err(OverrideError(format!(
                "`--set {shown}`: {why}; expected PATH=VALUE, like gate.threshold=0.5"
            )))
        };
        let Some((path, value)) = text.split_once('=') else { return refuse("there is no `=`") };
        let trimmed = value.trim();
        if trimmed.is_empty() {
            return refuse("there is no value");
        }
        let (mut names, mut at) = (Vec::new(), 0);
        for name in path.split('.') {
            if name.is_empty() {
                return refuse("a name in the path is empty");
            }
            if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
                return refuse("a name has letters, digits, `_` and `-` only");
            }
            names.push(at..at + name.len());
            at += name.len() + 1;
        }
        let start = path.len() + 1 + (value.len() - value.trim_start().len());
        Ok(Self { text: text.into(), names, value: start..start + trimmed.len() })
    }

    /// The path: `gate.threshold`.
    pub fn path(&self) -> &str {
        self.text.split('=').next().unwrap_or("")
    }

    /// The argument as given: `gate.threshold=0.5`.
    pub fn text(&self) -> &str {
        &self.text
    }

    fn name(&self, index: usize) -> &str {
        &self.text[self.names[index].clone()]
    }

    fn refused(&self, part: Range<usize>, title: String, label: &str) -> Diagnostic {
        Diagnostic::error(Place::argument(&self.text, part), title, label)
    }
}

impl FromStr for Override {
    type Err = OverrideError;

    fn from_str(text: &str) -> Result<Self, OverrideError> {
        Self::parse(text)
    }
}

impl fmt::Display for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The scene's text with the overrides in it; of several with one path the last counts.
pub(crate) fn apply(source: &Source, overrides: &[Override]) -> Result<Edited, Diagnostics> {
    let mut edited = Edited::new(source);
    if dialect().from_str::<IgnoredAny>(&source.text).is_err() {
        // Errors of the file itself come first.
        return Ok(edited);
    }
    let mut found = Vec::new();
    for (index, one) in overrides.iter().enumerate() {
        if overrides[index + 1..].iter().any(|later| later.path() == one.path()) {
            continue;
        }
        let edit = edit(&Document::new(&edited.text), one);
        match edit {
            Ok((range, pieces)) => edited.replace(range, pieces),
            Err(Diagnostics(more)) => found.extend(more),
        }
    }
    if found.is_empty() { Ok(edited) } else { Err(Diagnostics(found)) }
}

type Edit = (Range<usize>, Vec<(String, Origin)>);

/// The text to insert, and its place.
fn edit(document: &Document<'_>, one: &Override) -> Result<Edit, Diagnostics> {
    let (mut path, mut next) = start(document, one)?;
    let mut value = document.find(&path).unwrap_or(&document.root);
    while next < one.names.len() {
        let name = one.name(next);
        let within = document.within(value);
        let in_list = within.group.as_ref().is_some_and(|group| group.bracket == b'[');
        let step = match name.parse() {
            Ok(index) if in_list => Step::Index(index),
            _ => Step::from(name),
        };
        let Some(item) = document.step(within, &step) else {
            return insert(document, one, &path, within, next);
        };
        value = &item.value;
        path.push(step);
        next += 1;
    }
    let old = &document.text[document.within(value).span.clone()];
    Ok((value.span.clone(), vec![new_value(one, Some(old))?]))
}

/// The part of the scene that the path begins in, and how many of its names lead there.
fn start(document: &Document<'_>, one: &Override) -> Result<(Vec<Step>, usize), Diagnostics> {
    let first = one.name(0);
    if SECTIONS.contains(&first) {
        return Ok((Vec::new(), 0));
    }
    if FIXED.contains(&first) {
        let title = format!("`{first}` cannot be set from outside");
        return Err(one
            .refused(one.names[0].clone(), title, "change it in the file")
            .help("a node's field is set by the node's id: `gate.threshold=0.5`")
            .into());
    }
    let nodes = document.find(&["nodes".into()]).and_then(|nodes| nodes.group.as_ref());
    let ids: Vec<String> = nodes
        .map_or(&[][..], |group| &group.items)
        .iter()
        .map(|item| document.step(&item.value, &"id".into()).and_then(|id| document.string(&id.value)))
        .map(Option::unwrap_or_default)
        .collect();
    let Some(index) = ids.iter().position(|id| id == first) else {
        let known: Vec<&str> =
            ids.iter().map(String::as_str).chain(SECTIONS).filter(|id| !id.is_empty()).collect();
        return Err(one
            .refused(
                one.names[0].clone(),
                format!("the scene has no node or section `{first}`"),
                "unknown name",
            )
            .help(suggest::help(first, "nodes and sections are", &known))
            .into());
    };
    if one.names.len() == 1 {
        let title = format!("`{first}` is a node, only its fields can be set");
        return Err(one.refused(one.names[0].clone(), title, "a field is missing: `.FIELD`").into());
    }
    let mut path = vec![Step::from("nodes"), Step::from(index)];
    if !OF_NODE.contains(&one.name(1)) {
        path.push("kind".into());
    }
    Ok((path, 1))
}

/// Puts the rest of the path and the value into a struct that has no such field yet.
fn insert(
    document: &Document<'_>,
    one: &Override,
    path: &[Step],
    owner: &Value,
    next: usize,
) -> Result<Edit, Diagnostics> {
    let text = &document.text[owner.span.clone()];
    let here =
        || if path.is_empty() { "the scene".into() } else { format!("`{}`", path_name(document, path)) };
    let name = one.name(next);
    if path == ["services".into()] || owner.group.as_ref().is_some_and(|group| group.bracket == b'{') {
        let items = owner.group.as_ref().map_or(&[][..], |group| &group.items);
        let keys: Vec<String> = items.iter().filter_map(|item| document.key(item)).collect();
        let known: Vec<&str> = keys.iter().map(String::as_str).collect();
        let title = format!("{} has no entry `{name}`", here());
        return Err(one
            .refused(one.names[next].clone(), title, "unknown name")
            .help(suggest::help(name, "its entries are", &known))
            .into());
    }
    if let Some(odd) = (next..one.names.len()).find(|&index| !is_name(one.name(index))) {
        let title = format!("`{}` is no name of a field", one.name(odd));
        return Err(one.refused(one.names[odd].clone(), title, "not a field").into());
    }
    let fields = owner.group.as_ref().filter(|group| group.bracket == b'(');
    let of_fields = fields.is_some_and(|group| group.items.iter().all(|item| item.key.is_some()));
    let rest = |prefix, suffix| nested(one, path, next, prefix, suffix);
    match fields {
        Some(group) if of_fields => {
            let behind = group.items.last().map(|item| item.value.span.end);
            let at = behind.unwrap_or(group.span.start + 1);
            Ok((at..at, rest(if behind.is_some() { ", " } else { "" }, "")?))
        }
        None if text == "None" => Ok((owner.span.clone(), rest("(", ")")?)),
        None if is_name(text) => Ok((owner.span.end..owner.span.end, rest("(", ")")?)),
        _ => {
            let title = format!("{} has no fields, it is `{}`", here(), text.lines().next().unwrap_or(""));
            Err(one.refused(one.names[next].clone(), title, "no such field").into())
        }
    }
}

/// `a: (b: (c: VALUE))`, each name standing for its part of the argument.
fn nested(
    one: &Override,
    path: &[Step],
    next: usize,
    prefix: &str,
    suffix: &str,
) -> Result<Vec<(String, Origin)>, Diagnostics> {
    let standin = |index: usize| Origin::Standin { text: one.text.clone(), part: one.names[index].clone() };
    let mut names: Vec<String> = path.iter().map(ToString::to_string).collect();
    let mut pieces = vec![(prefix.to_owned(), standin(next))];
    let last = one.names.len() - 1;
    for index in next..=last {
        let name = one.name(index);
        names.push(name.to_owned());
        pieces.push((
            name.to_owned(),
            Origin::Argument { text: one.text.clone(), from: one.names[index].start },
        ));
        let variant =
            DEFAULT_VARIANTS.iter().find(|(path, _)| names == *path).map_or("", |(_, variant)| variant);
        let open = if index == last { String::new() } else { format!("{variant}(") };
        pieces.push((format!(": {open}"), standin(index)));
    }
    pieces.push(new_value(one, None)?);
    pieces.push((")".repeat(last - next) + suffix, standin(last)));
    Ok(pieces)
}

/// The value as RON; bare words become strings where a string stands, or where they can be nothing else.
fn new_value(one: &Override, old: Option<&str>) -> Result<(String, Origin), Diagnostics> {
    let raw = &one.text[one.value.clone()];
    let inner = Document::new(raw).root.span;
    let readable = dialect().from_str::<IgnoredAny>(raw).is_ok() && !inner.is_empty();
    let plain = readable && raw != "None" && !is_string(raw) && !raw.starts_with("Some");
    let always_text = matches!(one.path(), "name" | "description" | "metrics.address");
    let wants_text = old.map_or(always_text, is_string);
    if (wants_text && (plain || !readable)) || (!readable && old.is_none()) {
        let part = one.value.clone();
        return Ok((quote(raw), Origin::Standin { text: one.text.clone(), part }));
    }
    if !readable {
        let title = format!("`{raw}` is no value: it is not RON");
        let help = format!("the scene has `{}` there", old.unwrap_or("").lines().next().unwrap_or(""));
        return Err(one
            .refused(one.value.clone(), title, "not a number, name, string or group")
            .help(help)
            .into());
    }
    let from = one.value.start + inner.start;
    Ok((raw[inner].to_owned(), Origin::Argument { text: one.text.clone(), from }))
}

fn quote(raw: &str) -> String {
    let mut out = String::from("\"");
    for c in raw.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out + "\""
}
