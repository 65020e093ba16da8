//! The locator against random documents, and everything against random text: places are exact, nothing panics.
use super::*;
use crate::scene::language::locate::{Document, Step};
use proptest::prelude::*;

/// A document under construction, with the place of every value in it.
#[derive(Default)]
struct Draft {
    text: String,
    path: Vec<Step>,
    values: Vec<(Vec<Step>, std::ops::Range<usize>)>,
}

/// What a document is made of.
#[derive(Debug, Clone)]
enum Tree {
    Leaf(usize),
    Group(usize, Vec<(usize, Tree)>),
}

const LEAVES: [&str; 22] = [
    "12",
    "-3.5",
    "1e-5",
    "0x1F",
    "true",
    "None",
    "Sink",
    "()",
    "[]",
    "{}",
    "\"\"",
    "\"a, ) \\\" b\"",
    "\"// no\"",
    "r\"x \\\"",
    "r#\"x \" , )\"#",
    "'('",
    "'\\''",
    "'\\u{1F}'",
    "b\"(\"",
    "br#\"\"x)\"#",
    "b'x'",
    "\"äöü 漢字\"",
];
const BLANKS: [&str; 8] =
    ["", " ", "\n", " // a, ) \" (\n", " /* ] , /* x \" */ ( */ ", "\t\u{2028}", "/**/", "//\n"];
/// Opening, closing, and whether the entries have names.
const GROUPS: [(&str, &str, bool, bool); 7] = [
    ("Scene(", ")", true, false),
    ("Scene /* ( */ (", ")", true, false),
    ("(", ")", true, false),
    ("[", "]", false, false),
    ("(", ")", false, false),
    ("Kind(", ")", false, false),
    ("{", "}", true, true),
];

impl Draft {
    fn blank(&mut self, seed: usize) {
        self.text.push_str(BLANKS[seed % BLANKS.len()]);
    }

    fn write(&mut self, tree: &Tree) {
        let start = self.text.len();
        match tree {
            Tree::Leaf(which) => self.text.push_str(LEAVES[which % LEAVES.len()]),
            Tree::Group(which, items) => {
                let (open, close, named, quoted) = GROUPS[which % GROUPS.len()];
                self.text.push_str(open);
                for (index, (seed, item)) in items.iter().enumerate() {
                    self.blank(*seed);
                    let key = if quoted { format!("k \\\"{index}") } else { format!("f{index}_r") };
                    if named {
                        self.text.push_str(&if quoted { format!("\"{key}\"") } else { key.clone() });
                        self.blank(seed / 7);
                        self.text.push(':');
                        self.blank(seed / 11);
                    }
                    let name = key.replace("\\\"", "\"");
                    self.path.push(if named { Step::Field(name) } else { Step::Index(index) });
                    self.write(item);
                    self.path.pop();
                    self.blank(seed / 13);
                    if index + 1 < items.len() || seed % 2 == 0 {
                        self.text.push(',');
                    }
                }
                self.blank(which / 3);
                self.text.push_str(close);
            }
        }
        self.values.push((self.path.clone(), start..self.text.len()));
    }
}

fn tree() -> impl Strategy<Value = Tree> {
    any::<usize>().prop_map(Tree::Leaf).prop_recursive(5, 60, 5, |inner| {
        (any::<usize>(), prop::collection::vec((any::<usize>(), inner), 0..5))
            .prop_map(|(which, items)| Tree::Group(which, items))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn every_value_of_a_random_document_is_found_and_found_back(tree in tree(), lead in any::<usize>()) {
        let mut draft = Draft::default();
        draft.blank(lead);
        draft.write(&tree);
        let readable = crate::scene::language::catalogue::dialect().from_str::<serde::de::IgnoredAny>(&draft.text);
        prop_assert!(readable.is_ok(), "{readable:?}\n{}", draft.text);
        let document = Document::new(&draft.text);
        for (path, place) in &draft.values {
            let value = document.find(path);
            prop_assert_eq!(value.map(|value| value.span.clone()), Some(place.clone()), "{:?}\n{}", path, draft.text);
            let (back, _) = document.path_at(place.start);
            prop_assert!(back.starts_with(path), "{path:?} came back as {back:?}\n{}", draft.text);
        }
    }

    #[test]
    fn looks_do_not_change_the_canonical_text(tree in tree(), lead in any::<usize>()) {
        let write = |tree: &Tree, plain: bool| {
            let mut draft = Draft::default();
            draft.blank(if plain { 0 } else { lead });
            draft.write(&if plain { without_blanks(tree) } else { tree.clone() });
            Document::new(&draft.text).canonical()
        };
        prop_assert_eq!(write(&tree, true), write(&tree, false));
    }

    #[test]
    fn no_text_at_all_panics(text in "\\PC{0,60}|[(\\[{}\\]),:\"'/*#!rb\\\\ a-c0-9\n]{0,80}", set in "[a-z.]{1,12}=\\PC{1,12}") {
        exercise(&text, &[&set]);
    }

    #[test]
    fn no_mutated_scene_panics(
        at in any::<prop::sample::Index>(),
        length in 0_usize..40,
        new in "\\PC{0,6}|[(\\[{}\\]),:\"'/*#!r\\\\ a-c0-9\n]{0,12}|-1|0|99999999999|1e999|NaN|None|Some\\(1\\)",
        set in prop::sample::select(SETS.to_vec()),
        value in "\\PC{1,8}|[0-9.]{1,4}|None|\\([a-z]: 1\\)|\"x\"",
    ) {
        let starts: Vec<usize> = SCENE.char_indices().map(|(at, _)| at).collect();
        let start = *at.get(&starts);
        let end = (start + length).min(SCENE.len());
        let mut text = SCENE.to_owned();
        text.replace_range(start..end, &new);
        exercise(&text, &[]);
        exercise(&text, &[&format!("{set}={value}")]);
        exercise(SCENE, &[&format!("{set}={value}"), &format!("gate.model={new}x")]);
    }
}

const SETS: [&str; 16] = [
    "gate.threshold",
    "gate.model",
    "gate.model.gather_ms",
    "gate.label",
    "tts.x",
    "tts.capabilities.queue_capacity",
    "tick",
    "tick.shards",
    "session.output.pace.lead_ms",
    "services.asr.timing.latency",
    "services.asr.output.words",
    "limits.dropped_frames",
    "name",
    "transports.0",
    "gate.pads_ms.0",
    "asr.service",
];

/// Compiles, renders and draws; arguments that are no overrides are left out.
fn exercise(text: &str, sets: &[&str]) {
    let sets: Vec<Override> = sets.iter().filter_map(|set| Override::parse(set).ok()).collect();
    match compile(&Source::new("x.ron", text), &sets, None, &Fakes) {
        Ok((plan, warnings)) => {
            for form in [Form::Text, Form::Dot, Form::Mermaid] {
                assert!(draw(&plan, form).ends_with('\n'));
            }
            assert_eq!(Diagnostics(warnings).errors(), 0);
        }
        Err(found) => {
            assert!(found.errors() > 0, "refused without an error");
            assert!(found.render(Rendering::Plain).contains("error"));
            assert!(!found.render(Rendering::Styled).is_empty());
        }
    }
}

fn without_blanks(tree: &Tree) -> Tree {
    match tree {
        Tree::Leaf(which) => Tree::Leaf(*which),
        Tree::Group(which, items) => {
            // The same group with another seed for its blanks; the two spellings of `Scene(` count as one.
            let kind = if which % GROUPS.len() == 1 { 0 } else { which % GROUPS.len() };
            Tree::Group(kind, items.iter().map(|(_, item)| (0, without_blanks(item))).collect())
        }
    }
}

#[test]
fn deep_nesting_is_refused_and_does_not_overflow() {
    for open in ["[", "(", "{", "A(", "(a:", "/*", "#![", "Some("] {
        exercise(&open.repeat(100_000), &["name=x"]);
        exercise(&format!("(name: {}", open.repeat(5_000)), &["name=x"]);
    }
}
