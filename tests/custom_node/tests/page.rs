//! docs/adding-a-node.md and docs/adding-a-service.md show this crate; whoever changes one must change the other.

use std::path::Path;

const MARK: &str = "<!-- code of ";

/// The blocks of the page: the file that each names in the comment above it, and its text.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut named: Option<String> = None;
    let mut open: Option<(String, String)> = None;
    for line in page.lines() {
        match &mut open {
            Some(_) if line.starts_with("```") => blocks.extend(open.take()),
            Some((_, text)) => *text += &format!("{line}\n"),
            None => {
                if let Some(rest) = line.strip_prefix(MARK) {
                    named = rest.strip_suffix(" -->").map(str::to_owned);
                } else if line.starts_with("```rust")
                    || line.starts_with("```ron")
                    || (named.is_some() && line.starts_with("```"))
                {
                    let file =
                        named.take().unwrap_or_else(|| panic!("`{line}` without `{MARK}FILE -->` above"));
                    open = Some((file, String::new()));
                }
            }
        }
    }
    blocks
}

/// Every block of `page` stands in the file it names; gives back the files.
fn shown(page: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = std::fs::read_to_string(root.join(page)).unwrap_or_else(|e| panic!("{page}: {e}"));
    let blocks = blocks(&text);
    let mut wrong = Vec::new();
    for (file, text) in &blocks {
        let code = std::fs::read_to_string(root.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
        // Each piece between two lines of dots stands in the file as it is.
        for piece in text.split("// ...\n").filter(|piece| !piece.trim().is_empty()) {
            if !code.contains(piece) {
                wrong.push(format!("not in {file}:\n{piece}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{page} shows code that is not there\n{}", wrong.join("\n"));
    blocks.into_iter().map(|(file, _)| file).collect()
}

#[test]
fn the_pages_show_the_code_that_runs() {
    let pages = [
        (
            "docs/adding-a-node.md",
            &[
                "Cargo.toml",
                "src/limiter.rs",
                "src/lib.rs",
                "src/main.rs",
                "scenes/limiter.ron",
                "tests/kinds.rs",
            ] as &[&str],
        ),
        (
            "docs/adding-a-service.md",
            &["src/meter.rs", "src/parrot.rs", "src/chime.rs", "src/lib.rs", "scenes/meter.ron"],
        ),
    ];
    for (page, files) in pages {
        let shown = shown(page);
        for file in files {
            let file = format!("tests/custom_node/{file}");
            assert!(shown.contains(&file), "{page} does not show {file}: {shown:?}");
        }
    }
}

#[test]
fn four_steps_add_a_node() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/adding-a-node.md");
    let page = std::fs::read_to_string(page).expect("the page is there");
    for step in 1..=4 {
        assert!(page.contains(&format!("\n{step}. ")), "step {step} of four is missing");
    }
    assert!(!page.contains("\n5. "), "four steps are enough");
}
