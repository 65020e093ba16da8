//! The page around the drawings: one style for all pages, no script, nothing fetched, light, dark and on paper.

use crate::picture::svg::{Escaped, push};

const TEMPLATE: &str = include_str!("page.html");

/// A whole page. `body` is markup, `title` is text.
pub fn document(title: &str, body: &str) -> String {
    let mut text = String::with_capacity(TEMPLATE.len() + body.len());
    for (at, part) in TEMPLATE.split("{{").enumerate() {
        let (name, rest) = if at == 0 { ("", part) } else { part.split_once("}}").unwrap_or(("", part)) };
        match name {
            "title" => push(&mut text, format_args!("{}", Escaped(title))),
            "body" => text.push_str(body),
            _ => {}
        }
        text.push_str(rest);
    }
    text
}
