//! A conversation as a language model needs it: what the user said, what of the answers was heard, which tools were
//! called and what came of that.

use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

/// Most entries of a history; of more, the oldest go.
pub const HISTORY_ENTRIES_MAX: usize = 64;
/// Most characters in all entries of a history; of more, the oldest entries go.
pub const HISTORY_CHARS_MAX: usize = 16_384;
/// Stands where a text was cut.
const CUT: &str = "…";
/// Version of the JSON of a history.
const SCHEMA: u32 = 1;

/// Who said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// The user, aloud or in writing.
    User,
    /// The session: an answer, or a line of its host.
    Assistant,
}

/// One thing that was said or done in a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case", deny_unknown_fields)]
pub enum HistoryEntry {
    /// Words.
    Said {
        /// Who said them.
        by: Speaker,
        /// The turn in which they were said.
        turn: u32,
        /// The words; of the assistant's those that were heard.
        text: Arc<str>,
        /// There was more to say that nobody heard.
        interrupted: bool,
    },
    /// A service asked the host to do something.
    ToolCall {
        /// The turn in which it asked.
        turn: u32,
        /// Names the call.
        call_id: Arc<str>,
        /// The tool.
        name: Arc<str>,
        /// Its arguments, as the service gave them.
        arguments: Arc<str>,
    },
    /// What came of a tool call.
    ToolResult {
        /// The turn in which the service had asked.
        turn: u32,
        /// Names the call.
        call_id: Arc<str>,
        /// The result, as the host gave it.
        result: Arc<str>,
    },
}

/// The entries of a conversation in order, at most [`HISTORY_ENTRIES_MAX`] with [`HISTORY_CHARS_MAX`] characters in all.
/// A tool call and its result go together, and there is no result without its call.
///
/// As JSON: `{"schema": 1, "entries": [{"entry": "said", "by": "user", "turn": 1, "text": "…", "interrupted": false}, …]}`.
/// What is read is cut to the bounds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Document", into = "Document")]
pub struct History {
    entries: Vec<HistoryEntry>,
    chars: usize,
}

/// A history as JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    schema: u32,
    entries: Vec<HistoryEntry>,
}

impl From<History> for Document {
    fn from(history: History) -> Self {
        Self { schema: SCHEMA, entries: history.entries }
    }
}

impl TryFrom<Document> for History {
    type Error = String;

    fn try_from(document: Document) -> Result<Self, String> {
        if document.schema != SCHEMA {
            return Err(format!("a history of schema {}: expected {SCHEMA}", document.schema));
        }
        Ok(document.entries.into_iter().collect())
    }
}

impl FromIterator<HistoryEntry> for History {
    fn from_iter<T: IntoIterator<Item = HistoryEntry>>(entries: T) -> Self {
        let mut history = Self::default();
        entries.into_iter().for_each(|entry| history.push(entry));
        history
    }
}

impl HistoryEntry {
    /// The turn that it belongs to.
    pub fn turn(&self) -> u32 {
        match self {
            Self::Said { turn, .. } | Self::ToolCall { turn, .. } | Self::ToolResult { turn, .. } => *turn,
        }
    }

    /// Characters of all its texts.
    fn chars(&self) -> usize {
        let count = |text: &str| text.chars().count();
        match self {
            Self::Said { text, .. } => count(text),
            Self::ToolCall { call_id, name, arguments, .. } => {
                count(call_id) + count(name) + count(arguments)
            }
            Self::ToolResult { call_id, result, .. } => count(call_id) + count(result),
        }
    }

    /// Cuts its longest text so that it has at most `most` characters.
    fn cut(&mut self, most: usize) {
        let over = self.chars().saturating_sub(most);
        if over == 0 {
            return;
        }
        match self {
            Self::Said { text, .. }
            | Self::ToolCall { arguments: text, .. }
            | Self::ToolResult { result: text, .. } => {
                *text = cut(text, text.chars().count().saturating_sub(over));
            }
        }
    }
}

/// The first `most` characters of a text or fewer, up to the end of a word, with a sign that some are missing.
fn cut(text: &str, most: usize) -> Arc<str> {
    let Some(room) = most.checked_sub(CUT.chars().count()) else { return "".into() };
    let end = text.char_indices().nth(room).map_or(text.len(), |(at, _)| at);
    let words =
        text[..end].rfind(char::is_whitespace).filter(|_| !text[end..].starts_with(char::is_whitespace));
    let kept = text[..words.unwrap_or(end)].trim_end();
    format!("{kept}{CUT}").into()
}

impl History {
    /// An empty history, which is shared.
    pub fn empty() -> Arc<Self> {
        static EMPTY: LazyLock<Arc<History>> = LazyLock::new(Arc::default);
        Arc::clone(&EMPTY)
    }

    /// The entries, oldest first.
    pub fn entries(&self) -> &[HistoryEntry] {
        &self.entries
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Appends an entry. One that is too long is cut at a word, with a sign. A result without its call is left out.
    pub fn push(&mut self, entry: HistoryEntry) {
        self.insert(self.entries.len(), entry, |_| {});
    }

    /// Puts an entry before that at `at`, like [`push`](Self::push); `gone` gets the places of the entries that go for
    /// it, one after the other. False if the entry is left out.
    pub(crate) fn insert(&mut self, at: usize, mut entry: HistoryEntry, mut gone: impl FnMut(usize)) -> bool {
        let most = match &entry {
            HistoryEntry::Said { .. } => HISTORY_CHARS_MAX,
            // There is to be room for the result, too.
            HistoryEntry::ToolCall { .. } => HISTORY_CHARS_MAX / 2,
            HistoryEntry::ToolResult { call_id, .. } => match self.call(call_id) {
                Some(call) => HISTORY_CHARS_MAX.saturating_sub(call.chars()),
                None => return false,
            },
        };
        entry.cut(most);
        self.chars += entry.chars();
        self.entries.insert(at, entry);
        while self.entries.len() > HISTORY_ENTRIES_MAX || self.chars > HISTORY_CHARS_MAX {
            let HistoryEntry::ToolCall { call_id, .. } = self.remove(0, &mut gone) else { continue };
            let is_its = |entry: &HistoryEntry| matches!(entry, HistoryEntry::ToolResult { call_id: of, .. } if *of == call_id);
            if let Some(result) = self.entries.iter().position(is_its) {
                self.remove(result, &mut gone);
            }
        }
        true
    }

    /// The newest tool call of this name.
    fn call(&self, id: &str) -> Option<&HistoryEntry> {
        let calls = self.entries.iter().rev();
        calls
            .into_iter()
            .find(|entry| matches!(entry, HistoryEntry::ToolCall { call_id, .. } if **call_id == *id))
    }

    fn remove(&mut self, at: usize, gone: &mut impl FnMut(usize)) -> HistoryEntry {
        let entry = self.entries.remove(at);
        self.chars -= entry.chars();
        gone(at);
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(turn: u32, text: impl Into<Arc<str>>) -> HistoryEntry {
        HistoryEntry::Said { by: Speaker::User, turn, text: text.into(), interrupted: false }
    }

    fn call(id: &str) -> HistoryEntry {
        HistoryEntry::ToolCall { turn: 1, call_id: id.into(), name: "look".into(), arguments: "{}".into() }
    }

    fn result(id: &str, result: impl Into<Arc<str>>) -> HistoryEntry {
        HistoryEntry::ToolResult { turn: 1, call_id: id.into(), result: result.into() }
    }

    #[test]
    fn the_oldest_entries_go_first_by_number_and_by_length() {
        let many: History = (1..=100).map(|turn| said(turn, "word")).collect();
        assert_eq!((many.entries().len(), many.entries()[0].turn()), (HISTORY_ENTRIES_MAX, 37));
        let long: History = (1..=10).map(|turn| said(turn, "four".repeat(1_000))).collect();
        assert_eq!((long.entries().len(), long.entries()[0].turn()), (4, 7));
    }

    #[test]
    fn an_entry_longer_than_all_is_cut_at_a_word_with_a_sign() {
        let history: History = [said(1, "older words"), said(2, "word ".repeat(5_000))].into_iter().collect();
        let [HistoryEntry::Said { turn: 2, text, .. }] = history.entries() else { panic!("{history:?}") };
        assert!(text.ends_with("word word…"), "{}", &text[text.len() - 20..]);
        assert!(text.chars().count() <= HISTORY_CHARS_MAX && text.chars().count() > HISTORY_CHARS_MAX - 6);
        let solid: History = std::iter::once(said(1, "ü".repeat(20_000))).collect();
        assert_eq!(solid.entries()[0].chars(), HISTORY_CHARS_MAX);
    }

    #[test]
    fn a_tool_call_and_its_result_go_together() {
        let between = (0..HISTORY_ENTRIES_MAX - 2).map(|turn| said(turn as u32, "x"));
        let mut history: History =
            [call("a")].into_iter().chain(between).chain([result("a", "yes")]).collect();
        assert_eq!(history.entries().len(), HISTORY_ENTRIES_MAX);
        history.push(said(100, "y"));
        assert!(
            history.entries().iter().all(|entry| matches!(entry, HistoryEntry::Said { .. })),
            "{history:?}"
        );
        assert_eq!(history.entries().len(), HISTORY_ENTRIES_MAX - 1);
        history.push(result("a", "again"));
        assert_eq!(history.entries().len(), HISTORY_ENTRIES_MAX - 1, "its call has gone");
        let huge: History = [call("b"), result("b", "z ".repeat(20_000))].into_iter().collect();
        assert_eq!(huge.entries().len(), 2, "a result is cut so that its call stays");
    }

    #[test]
    fn json_is_read_as_it_was_written_and_cut_to_the_bounds() {
        let history: History = [said(1, "hi"), call("a"), result("a", "1")].into_iter().collect();
        let json = serde_json::to_string(&history).unwrap();
        assert_eq!(serde_json::from_str::<History>(&json).unwrap(), history);
        assert!(
            json.starts_with(r#"{"schema":1,"entries":[{"entry":"said","by":"user","turn":1,"text":"hi","#)
        );
        let newer = json.replace("\"schema\":1", "\"schema\":2");
        assert!(serde_json::from_str::<History>(&newer).unwrap_err().to_string().contains("expected 1"));
        let long = vec![said(1, "w"); 100];
        let json = serde_json::to_string(&Document { schema: 1, entries: long }).unwrap();
        assert_eq!(serde_json::from_str::<History>(&json).unwrap().entries().len(), HISTORY_ENTRIES_MAX);
    }
}
