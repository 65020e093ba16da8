//! Reading markup as a browser's tokeniser would, as far as pages need it: tags with their attributes.

/// A start or end tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    /// Its name; an end tag's begins with `/`.
    pub(crate) name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    /// The value of an attribute; panics when there is none.
    pub(crate) fn value(&self, name: &str) -> &str {
        let found = self.attributes.iter().find(|(known, _)| known == name);
        found.map_or_else(|| panic!("{self:?} has no {name}"), |(_, value)| value.as_str())
    }

    /// Whether it has the attribute.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.attributes.iter().any(|(known, _)| known == name)
    }

    /// Names of its attributes.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = &str> {
        self.attributes.iter().map(|(name, _)| name.as_str())
    }
}

/// The tags of a page in order. Values are all in double quotes, as the pages write them.
pub(crate) fn tags(page: &str) -> impl Iterator<Item = Tag> {
    let mut rest = page;
    std::iter::from_fn(move || {
        loop {
            let from = rest.find('<')?;
            rest = &rest[from + 1..];
            if rest.starts_with('!') {
                continue;
            }
            let mut quoted = false;
            let end = rest.find(|c: char| {
                quoted ^= c == '"';
                c == '>' && !quoted
            })?;
            let inside = &rest[..end];
            rest = &rest[end + 1..];
            return Some(tag(inside));
        }
    })
}

fn tag(inside: &str) -> Tag {
    let (name, mut rest) = inside.split_once(char::is_whitespace).unwrap_or((inside, ""));
    let mut attributes = Vec::new();
    while let Some((before, after)) = rest.split_once("=\"") {
        let (value, behind) = after.split_once('"').expect("a value ends");
        let bare = before.split_whitespace().last().expect("a value has a name");
        attributes.push((bare.to_string(), value.to_string()));
        rest = behind;
    }
    Tag { name: name.trim_end_matches('/').to_string(), attributes }
}
