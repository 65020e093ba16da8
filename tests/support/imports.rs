//! Which source file of a crate uses which: from its `use` lines and the paths in its code.
#![allow(dead_code, reason = "every test uses its own part of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// For each file of a crate, by its path below `src/`, the files that it uses.
pub(crate) type Imports = BTreeMap<String, BTreeSet<String>>;

/// Reads the imports of one crate. `sources`: path below `src/` and text; files of tests are left out, and so is what
/// stands in a file's module of tests. What a module passes on of its own children, and does not take itself, is no use of
/// them.
pub(crate) fn imports(sources: &[(String, String)]) -> Imports {
    let product: BTreeMap<&str, &str> = sources
        .iter()
        .filter(|(name, _)| !name.split('/').any(|part| part == "tests" || part.ends_with("tests.rs")))
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let names: BTreeSet<&str> = product.keys().copied().collect();
    let used = |name: &str, text: &str| {
        let found = paths(name, text).into_iter().filter_map(|path| file(&names, &path));
        found.filter(|other| other != name).collect()
    };
    product.iter().map(|(name, text)| ((*name).to_owned(), used(name, text))).collect()
}

/// Files that use each other in a circle, each circle once.
pub(crate) fn circles(imports: &Imports) -> Vec<Vec<String>> {
    let reach: BTreeMap<&str, BTreeSet<&str>> =
        imports.keys().map(|from| (from.as_str(), reached(imports, from))).collect();
    let mut found: Vec<Vec<String>> = Vec::new();
    for (name, far) in &reach {
        if !far.contains(name) || found.iter().flatten().any(|one| one == name) {
            continue;
        }
        let back = |other: &&&str| reach.get(**other).is_some_and(|way| way.contains(name));
        found.push(far.iter().filter(back).map(|other| (*other).to_owned()).collect());
    }
    found
}

/// What can be reached from a file, itself only over others.
fn reached<'a>(imports: &'a Imports, from: &str) -> BTreeSet<&'a str> {
    let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(at) = next.pop() {
        for other in imports.get(at).into_iter().flatten() {
            if seen.insert(other.as_str()) {
                next.push(other);
            }
        }
    }
    seen
}

/// The file of the longest beginning of a path that is a module.
fn file(names: &BTreeSet<&str>, path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split("::").filter(|part| !part.is_empty()).collect();
    (1..=parts.len()).rev().find_map(|len| {
        let module = parts[..len].join("/");
        [format!("{module}.rs"), format!("{module}/mod.rs")]
            .into_iter()
            .find(|name| names.contains(name.as_str()))
    })
}

/// Paths from the crate's root that a file's code names.
fn paths(name: &str, text: &str) -> Vec<String> {
    let own = module(name);
    let mut code = String::new();
    for line in text.lines().take_while(|line| *line != "mod tests {") {
        let line = line.split("//").next().unwrap_or("");
        code.push_str(line);
        code.push('\n');
    }
    let mut found = Vec::new();
    let passed_on = |start: usize| {
        let begun = code[..start].rfind([';', '}']).map_or(0, |end| end + 1);
        let before = code[begun..start].trim();
        let only = before.starts_with("pub") && before.ends_with("use") && !before.contains('{');
        let end = code[start..].find(';').map_or(code.len(), |end| start + end);
        only && !used_beside(&code, start..end)
    };
    for (word, up) in [("crate::", None), ("self::", Some(0)), ("super::", Some(1))] {
        for (start, _) in code.match_indices(word) {
            let before = code[..start].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':' || c == '$')
                || code[..start].ends_with("pub(in ")
                || passed_on(start)
            {
                continue;
            }
            let mut base: Vec<&str> = up.map_or_else(Vec::new, |_| own.clone());
            let mut rest = &code[start..];
            rest = rest.strip_prefix("crate::").or_else(|| rest.strip_prefix("self::")).unwrap_or(rest);
            while let Some(shorter) = rest.strip_prefix("super::") {
                base.pop();
                rest = shorter;
            }
            spread(&base.join("::"), rest, &mut found);
        }
    }
    for child in children(&code) {
        for (start, _) in code.match_indices(&format!("{child}::")) {
            let before = code[..start].chars().next_back();
            if !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') && !passed_on(start) {
                spread(&own.join("::"), &code[start..], &mut found);
            }
        }
    }
    found
}

/// Whether code outside of a `pub use` takes one of the names that it passes on.
fn used_beside(code: &str, passed: Range<usize>) -> bool {
    fn words(text: &str) -> impl Iterator<Item = &str> {
        text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
    }
    let names: BTreeSet<&str> =
        words(&code[passed.clone()]).filter(|word| word.starts_with(char::is_uppercase)).collect();
    words(&code[..passed.start]).chain(words(&code[passed.end..])).any(|word| names.contains(word))
}

/// The modules that a file declares and that have a file: it may name them without saying where they are.
fn children(code: &str) -> Vec<&str> {
    let declared = code.lines().filter_map(|line| {
        let line = line.strip_suffix(';')?;
        line.rsplit_once("mod ")
            .filter(|(before, _)| before.is_empty() || before.starts_with("pub"))
            .map(|(_, name)| name)
    });
    declared.collect()
}

/// The modules that lead to a file.
fn module(name: &str) -> Vec<&str> {
    let path = name.trim_end_matches(".rs").trim_end_matches("/mod");
    path.split('/').filter(|part| *part != "lib" && *part != "main" && *part != "mod").collect()
}

/// Adds the paths that begin at `rest`: one, or one for each branch of a tree in braces.
fn spread(base: &str, rest: &str, found: &mut Vec<String>) {
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').unwrap_or(rest.len());
    let path = format!("{base}::{}", rest[..end].trim_end_matches(':'));
    if rest[end..].starts_with('{') && rest[..end].ends_with("::") || (end == 0 && rest.starts_with('{')) {
        let close = rest[end..].find('}').map_or(rest.len(), |close| end + close);
        let branches = rest[end + 1..close].split(',').map(str::trim).filter(|branch| !branch.is_empty());
        found.extend(branches.map(|branch| format!("{path}::{branch}")));
    } else {
        found.push(path);
    }
}
