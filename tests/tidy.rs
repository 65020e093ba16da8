//! What no lint can hold: sizes, names, places, and that everything that can be used is shown and described.

#[path = "support/imports.rs"]
mod imports;
#[path = "support/layers.rs"]
mod layers;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use imports::{Imports, circles, imports};
use layers::upward;
use mynah_engine::scene::{Catalogue as _, Source, compile};
use mynah_sim::answers::LoggedAnswers;
use mynah_sim::scenes::all;

/// Lines a source file has at most, and lines that nine of ten keep to.
const LINES_MAX: usize = 600;
const LINES_MOST: usize = 400;
/// Names that say nothing about what is inside.
const BANNED: [&str; 8] = ["util", "helper", "misc", "common", "manager", "handler", "wrapper", "factory"];
/// Words with one of those in them that are not ours.
const FOREIGN: [&str; 5] = ["wrappers", "CommandFactory", "set_handler", "port_factory", "PortFactory"];
/// Folders that no document of a checkout should name.
const MACHINE_PATHS: [&str; 4] = ["tmp", "work", "root", "home"];
/// What the top level consists of. Something new there wants a reason, and a line here.
const TOP_LEVEL: &str = ".cargo .ci .git .gitignore CHANGELOG.md Cargo.lock Cargo.toml LICENSE-APACHE LICENSE-MIT \
    README.md benches clippy.toml docs engine rustfmt.toml scenes systems target tests tools";

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every text file of the project with its path from the top, in order.
fn files() -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("the checkout can be read") {
            let path = entry.expect("the checkout can be read").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            // Git's own: a folder in a clone, a file in a work tree beside one.
            if name == ".git" || name == "target" {
                continue;
            }
            if path.is_dir() {
                walk(&path, found);
            } else if path.is_file() {
                found.push(path.clone());
            }
        }
    }
    let mut paths = Vec::new();
    walk(&top(), &mut paths);
    paths.sort();
    let text = |path: PathBuf| {
        let name = path.strip_prefix(top()).ok()?.to_string_lossy().replace('\\', "/");
        Some((name, fs::read_to_string(&path).ok()?))
    };
    paths.into_iter().filter_map(text).collect()
}

fn sources() -> Vec<(String, String)> {
    files().into_iter().filter(|(name, _)| name.ends_with(".rs")).collect()
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// Prints all findings at once.
fn none(findings: Vec<String>) {
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

#[test]
fn files_are_short() {
    let lines: Vec<(String, usize)> =
        sources().into_iter().map(|(name, text)| (name, text.lines().count())).collect();
    none(
        lines
            .iter()
            .filter(|(_, count)| *count > LINES_MAX)
            .map(|(n, c)| format!("{n}: {c} lines"))
            .collect(),
    );
    let long: Vec<_> = lines.iter().filter(|(_, count)| *count > LINES_MOST).collect();
    assert!(
        long.len() * 10 <= lines.len(),
        "more than one file in ten has over {LINES_MOST} lines: {long:?}"
    );
}

#[test]
fn names_say_what_is_inside() {
    let mut findings = Vec::new();
    let vague = |word: &str| {
        let parts = word.to_lowercase();
        BANNED.iter().any(|banned| parts.contains(banned)) && !FOREIGN.contains(&word)
    };
    for (name, _) in files() {
        findings.extend(words(&name).filter(|word| vague(word)).map(|word| format!("{name}: `{word}`")));
    }
    for (name, text) in sources().iter().filter(|(name, _)| name != "tests/tidy.rs") {
        let code = text.lines().enumerate().map(|(at, line)| (at, line.split("//").next().unwrap_or("")));
        // Names are what is declared; a path of somebody else's crate is not.
        for (at, line) in code.filter(|(_, line)| !line.trim_start().starts_with("use ")) {
            findings.extend(words(line).filter(|w| vague(w)).map(|w| format!("{name}:{}: `{w}`", at + 1)));
        }
    }
    none(findings);
}

#[test]
fn nothing_is_left_for_later_and_no_machine_is_named() {
    let mut findings = Vec::new();
    for (name, text) in files().iter().filter(|(name, _)| name != "tests/tidy.rs") {
        for (at, line) in text.lines().enumerate() {
            let path = MACHINE_PATHS.iter().any(|folder| {
                let folder = format!("/{folder}");
                line.match_indices(&folder).any(|(start, _)| {
                    // A path of a machine begins here and goes on behind the folder's name.
                    let before = line[..start].chars().next_back();
                    let after = line[start + folder.len()..].chars().next();
                    !before.is_some_and(|c| c.is_alphanumeric() || ".-_/}".contains(c))
                        && after.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '-')
                })
            });
            let later = words(line).any(|word| ["TODO", "FIXME", "XXX"].contains(&word));
            if path || later {
                findings.push(format!("{name}:{}: {}", at + 1, line.trim()));
            }
        }
    }
    none(findings);
}

/// A path that climbs leads to something of the checkout, from the file it stands in or from a crate: who has nothing but
/// the checkout has all that a test needs.
#[test]
fn no_source_looks_beside_the_checkout() {
    let top = top().canonicalize().expect("the checkout can be read");
    let mut findings = Vec::new();
    for (name, text) in sources().iter().filter(|(name, _)| name != "tests/tidy.rs") {
        let file = top.join(name);
        let crates = file.ancestors().filter(|folder| folder.join("Cargo.toml").is_file());
        let bases: Vec<PathBuf> = file.parent().into_iter().chain(crates).map(Path::to_path_buf).collect();
        // Tests and benches of the top level belong to this crate.
        let bases: Vec<PathBuf> = bases.into_iter().chain([top.join("tools/mynah")]).collect();
        for (at, line) in text.lines().enumerate() {
            // Every second piece stands in quotes.
            for path in line.split('"').skip(1).step_by(2) {
                let path = path.trim_start_matches('/').split('{').next().unwrap_or("");
                let inside = |base: &PathBuf| {
                    base.join(path).canonicalize().is_ok_and(|found| found.starts_with(&top))
                };
                if path.starts_with("../") && !bases.iter().any(inside) {
                    findings.push(format!("{name}:{}: {path}", at + 1));
                }
            }
        }
    }
    none(findings);
}

#[test]
fn the_top_level_has_what_was_agreed() {
    let agreed: BTreeSet<&str> = TOP_LEVEL.split_whitespace().collect();
    let entries = fs::read_dir(top()).expect("the checkout can be read");
    let names: Vec<String> =
        entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    none(names.into_iter().filter(|name| !agreed.contains(name.as_str())).collect());
}

#[test]
fn clocks_stay_in_tools() {
    let clippy = fs::read_to_string(top().join("clippy.toml")).expect("clippy.toml is there");
    let clocks = ["std::time::Instant::now", "std::time::SystemTime::now", "std::thread::sleep"];
    none(
        clocks
            .iter()
            .filter(|clock| !clippy.contains(*clock))
            .map(|c| format!("clippy.toml allows {c}"))
            .collect(),
    );
    let inner =
        sources().into_iter().filter(|(name, _)| name.starts_with("engine/") || name.starts_with("systems/"));
    let mut findings = Vec::new();
    for (name, text) in inner {
        for (at, line) in text.lines().enumerate() {
            let read = ["Instant::now", "SystemTime::now", "thread::sleep", "disallowed_methods"];
            if read.iter().any(|clock| line.contains(clock)) {
                findings.push(format!("{name}:{}: {}", at + 1, line.trim()));
            }
        }
    }
    none(findings);
}

#[test]
fn every_scene_is_embedded_sound_and_described() {
    let described = fs::read_to_string(top().join("docs/scenes.md")).expect("docs/scenes.md is there");
    let mut findings = Vec::new();
    // Services of other processes, too, whether or not this build has them.
    let registry = mynah_sim::scenes::registry_of_log(None, &LoggedAnswers::default());
    let files = files().into_iter().filter(|(name, _)| name.starts_with("scenes/"));
    let found: BTreeSet<String> = files
        .map(|(name, text)| {
            let bare = name.trim_start_matches("scenes/").trim_end_matches(".ron").to_owned();
            match compile(&Source::new(name.as_str(), text.as_str()), &[], None, &registry) {
                Ok((_, warnings)) => {
                    findings.extend(warnings.iter().map(|warning| format!("{name}: {}", warning.title)))
                }
                Err(errors) => findings.push(errors.to_string()),
            }
            let head: Vec<&str> = text.lines().take(3).filter(|line| line.starts_with("// ")).collect();
            if head.len() < 2 || !head.iter().any(|line| line.starts_with("// Run: mynah ")) {
                findings.push(format!(
                    "{name}: the first three lines do not say what it shows and how to run it"
                ));
            }
            if !described.contains(&format!("`{bare}`")) {
                findings.push(format!("{name}: docs/scenes.md does not name it"));
            }
            bare
        })
        .collect();
    let embedded: BTreeSet<String> = all().map(|(name, _)| (*name).to_owned()).collect();
    findings.extend(
        found.symmetric_difference(&embedded).map(|name| format!("{name}: a file or embedded, not both")),
    );
    none(findings);
}

#[test]
fn every_kind_has_a_scene_a_description_and_a_test() {
    let described = fs::read_to_string(top().join("docs/scenes.md")).expect("docs/scenes.md is there");
    let tests: Vec<_> = sources().into_iter().filter(|(name, _)| name.starts_with("tests/")).collect();
    // As the kind of a node or the output of a service, whole: a name that only begins so is another.
    let uses = |text: &str, kind: &str| {
        let places = ["kind: ", "output: ", "output="].iter().flat_map(|place| text.split(place).skip(1));
        let whole = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        places.into_iter().any(|behind| behind.strip_prefix(kind).is_some_and(whole))
    };
    assert!(uses("kind: Pas()", "Pas") && !uses("kind: Passage()", "Pas") && !uses("Pas", "Pas"));
    // What the program around an engine answers itself has its scene in an example, which a test runs.
    let run = fs::read_to_string(top().join("tests/service_examples.rs")).expect("the examples are run");
    let examples: Vec<_> = sources().into_iter().filter(|(name, _)| run.contains(name.as_str())).collect();
    let registry = mynah_sim::scenes::registry(None);
    let mut findings = Vec::new();
    for kind in registry.kinds().into_iter().chain(registry.service_outputs()) {
        let in_example = examples.iter().any(|(_, text)| uses(text, kind));
        let in_scene = all().any(|(_, text)| words(text).any(|word| word == kind)) || in_example;
        let in_docs = described.lines().any(|line| line.contains(&format!("`{kind}`")));
        let in_test = tests.iter().any(|(_, text)| uses(text, kind)) || in_example;
        for (there, what) in [(in_scene, "scene"), (in_docs, "line of docs/scenes.md"), (in_test, "test")] {
            if !there {
                findings.push(format!("{kind}: no {what} has it"));
            }
        }
    }
    none(findings);
}

/// Who opens a file for writing anywhere else could overwrite one that is read, or leave half of one.
#[test]
fn files_are_written_in_one_place() {
    let mut findings = Vec::new();
    let of_the_program = |name: &str| {
        name.starts_with("tools/")
            && !name.contains("/outputs/")
            && !name.contains("/tests/")
            && !name.ends_with("/build.rs")
    };
    for (name, text) in sources().iter().filter(|(name, _)| of_the_program(name)) {
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (at, line) in code.lines().enumerate() {
            let opens = [
                "File::create(",
                "File::options",
                "fs::write(",
                "fs::rename(",
                "OpenOptions",
                "WavWriter::create",
            ];
            let of_itself = |(start, _): (usize, &str)| !line[..start].ends_with(char::is_alphanumeric);
            if opens.iter().any(|call| line.match_indices(call).any(of_itself)) {
                findings.push(format!("{name}:{}: {}", at + 1, line.trim()));
            }
        }
    }
    none(findings);
}

/// Sources of a crate by their path below its `src/`.
fn crate_sources(src: &str) -> Vec<(String, String)> {
    let below = |(name, text): (String, String)| Some((name.strip_prefix(src)?.to_owned(), text));
    sources().into_iter().filter_map(below).collect()
}

fn made_up(files: &[(&str, &str)]) -> Imports {
    let owned: Vec<_> = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    imports(&owned)
}

#[test]
fn the_engine_is_built_in_layers() {
    none(upward(&imports(&crate_sources("engine/src/"))));
}

#[test]
fn an_import_of_a_folder_behind_is_found() {
    let files = [
        ("media/block.rs", "use crate::base::ids::NodeId;\nfn a() { crate::tick::shard::b(); }\n"),
        ("base/ids.rs", "pub struct NodeId;\n"),
        ("tick/shard.rs", "use crate::media::{block, frame};\n"),
    ];
    let imports = made_up(&files);
    assert_eq!(upward(&imports), ["media/block.rs uses tick/shard.rs, which stands behind it"]);
    let drawn = layers::drawn(&imports);
    assert!(drawn.contains("\nmedia         1  base 1, tick 1\n"), "{drawn}");
}

/// The `src/` folders of all crates: engine, systems, and those of tools.
fn crate_folders() -> Vec<String> {
    let tools = fs::read_dir(top().join("tools")).expect("the checkout can be read");
    let names = tools.flatten().map(|entry| format!("tools/{}/src/", entry.file_name().to_string_lossy()));
    let mut folders: Vec<String> = names.filter(|src| top().join(src).is_dir()).collect();
    folders.sort();
    folders.splice(0..0, ["engine/src/".to_owned(), "systems/src/".to_owned()]);
    folders
}

#[test]
fn no_two_files_use_each_other_in_a_circle() {
    let found = crate_folders().into_iter().flat_map(|src| {
        let circles = circles(&imports(&crate_sources(&src)));
        circles.into_iter().map(move |circle| format!("{src}: {}", circle.join(", ")))
    });
    none(found.collect());
}

#[test]
fn a_circle_is_found_and_what_a_module_passes_on_is_none() {
    let files = [
        ("a/mod.rs", "mod b;\npub use self::b::B;\npub struct A;\n"),
        ("a/b.rs", "use super::A;\npub struct B;\n"),
        ("c.rs", "use crate::{d, e};\n"),
        ("d.rs", "use super::e::E;\n"),
        ("e.rs", "fn e() { crate::c::c(); }\n#[cfg(test)]\nmod tests {\n    use crate::a::b::B;\n}\n"),
        ("f/mod.rs", "mod g;\nuse g::G;\npub struct F;\n"),
        ("f/g.rs", "use super::F;\npub(in super::super) struct G(F);\n"),
        ("h/mod.rs", "mod i;\npub use i::I;\npub struct H(I);\n"),
        ("h/i.rs", "use super::H;\npub struct I;\n"),
    ];
    let found = circles(&made_up(&files));
    assert_eq!(found, [vec!["c.rs", "d.rs", "e.rs"], vec!["f/g.rs", "f/mod.rs"], vec!["h/i.rs", "h/mod.rs"]]);
}

/// Literals in the product code of the tools that are the name of a node kind.
fn kinds_by_name(sources: &[(String, String)], kinds: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (name, text) in
        sources.iter().filter(|(name, _)| name.starts_with("tools/") && name.contains("/src/"))
    {
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (at, line) in code.lines().enumerate() {
            let code = line.split("//").next().unwrap_or("");
            if kinds.iter().any(|kind| code.contains(&format!("\"{kind}\""))) {
                found.push(format!("{name}:{}: {}", at + 1, line.trim()));
            }
        }
    }
    found
}

/// Who asks for a kind by its name leaves out the kinds of those who write their own: what a node is, its kind says
/// (`NodeKind`).
#[test]
fn tools_ask_what_a_kind_is_and_not_what_it_is_called() {
    none(kinds_by_name(&sources(), &mynah_sim::scenes::registry(None).kinds()));
}

#[test]
fn a_kind_asked_for_by_name_is_found() {
    let line = "    let gates = nodes.filter(|node| node.spec.kind() == \"VadGate\");\n";
    let sources = [
        ("tools/proof/src/a.rs", format!("fn a() {{\n{line}}}\n")),
        ("tools/proof/src/b.rs", format!("#[cfg(test)]\nmod tests {{\n{line}}}\n// \"VadGate\"\n")),
        ("tests/c.rs", line.to_owned()),
    ];
    let sources = sources.map(|(name, text)| (name.to_owned(), text));
    let found = kinds_by_name(&sources, &["VadGate"]);
    assert_eq!(found, [format!("tools/proof/src/a.rs:2: {}", line.trim())]);
}

/// Lines a function has at most: a screen.
const FUNCTION_MAX: usize = 70;

/// Functions that are longer than that, with their first line. Relies on the layout that rustfmt makes.
fn long_functions(text: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let mut words = code.split(' ').skip_while(|word| {
            word.starts_with("pub") || ["const", "async", "unsafe", "in", "extern"].contains(word)
        });
        if words.next() != Some("fn") || code.ends_with(';') {
            continue;
        }
        let end = format!("{}}}", " ".repeat(line.len() - code.len()));
        let length = lines[at..].iter().position(|line| *line == end).map_or(1, |count| count + 1);
        if length > FUNCTION_MAX {
            found.push((at + 1, length));
        }
    }
    found
}

#[test]
fn functions_fit_a_screen() {
    let found = sources().into_iter().flat_map(|(name, text)| {
        let long = long_functions(&text).into_iter();
        long.map(move |(line, length)| format!("{name}:{line}: {length} lines")).collect::<Vec<_>>()
    });
    none(found.collect());
}

#[test]
fn a_function_of_a_line_too_many_is_found() {
    let body = |lines: usize| {
        format!("impl A {{\n    pub fn a() {{\n{}    }}\n}}\n", "        b();\n".repeat(lines))
    };
    assert_eq!(long_functions(&body(FUNCTION_MAX - 2)), []);
    assert_eq!(long_functions(&body(FUNCTION_MAX - 1)), [(2, FUNCTION_MAX + 1)]);
}

/// Public type names that stand for more than one thing in engine and systems, each with the reason.
const NAMED_TWICE: [(&str, &str); 1] =
    [("Flite", "in builds without the voice a type of that name of which there is no value")];

/// Public types of engine and systems that are declared in more than one file.
fn named_twice(sources: &[(String, String)]) -> Vec<String> {
    let mut declared: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, text) in sources {
        for line in text.lines().take_while(|line| *line != "mod tests {") {
            let kinds = ["pub struct ", "pub enum ", "pub trait ", "pub type "];
            let Some(rest) = kinds.iter().find_map(|kind| line.strip_prefix(kind)) else { continue };
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            declared.entry(&rest[..end]).or_default().insert(name);
        }
    }
    let twice = declared.into_iter().filter(|(_, files)| files.len() > 1);
    twice
        .map(|(name, files)| format!("{name}: {}", files.into_iter().collect::<Vec<_>>().join(", ")))
        .collect()
}

#[test]
fn a_public_type_name_means_one_thing() {
    let of = |(name, _): &(String, String)| {
        (name.starts_with("engine/src/") || name.starts_with("systems/src/")) && !name.contains("tests")
    };
    let sources: Vec<_> = sources().into_iter().filter(of).collect();
    let excepted =
        |found: &String| NAMED_TWICE.iter().any(|(name, _)| found.starts_with(&format!("{name}: ")));
    none(named_twice(&sources).into_iter().filter(|found| !excepted(found)).collect());
}

#[test]
fn a_name_of_two_public_types_is_found() {
    let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let sources = [
        file("a.rs", "pub struct Row<T>(T);\nstruct Own;\n"),
        file("b.rs", "pub enum Row {}\nstruct Own;\n"),
    ];
    assert_eq!(named_twice(&sources), ["Row: a.rs, b.rs"]);
}
