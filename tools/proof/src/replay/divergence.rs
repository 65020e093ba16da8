//! The first place where a log and its replay differ.

use serde::Serialize;
use serde_json::{Map, Value};

/// A line and its number in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Numbered {
    /// From 1.
    pub line: u64,
    /// What stands there.
    pub text: String,
}

/// One field of an event in which the two differ.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Name of the field.
    pub field: String,
    /// What the log says; `None`: it has no such field.
    pub expected: Option<Value>,
    /// What the replay says; `None`: it has no such field.
    pub got: Option<Value>,
}

/// Where they part.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Divergence {
    /// Number of the line in the log, from 1; one behind its last when the log has ended.
    pub line: u64,
    /// Engine time of the event: the log's, or the replay's where the log has ended.
    pub t_us: u64,
    /// Whose event it is, likewise; empty: nobody's.
    pub session: String,
    /// What kind of event, likewise.
    pub event: String,
    /// What this looks like.
    pub reading: String,
    /// In which fields they differ; empty where one of the two has ended.
    pub differences: Vec<Difference>,
    /// The log's line; `None`: it has ended.
    pub expected: Option<String>,
    /// The replay's line; `None`: it has ended.
    pub got: Option<String>,
    /// The lines before, in which both agree.
    pub before: Vec<Numbered>,
    /// What follows in the log.
    pub log_goes_on: Vec<String>,
    /// What follows in the replay.
    pub replay_goes_on: Vec<String>,
}

/// The two lines and what stands around them, as the comparison found them.
#[derive(Clone, Debug, Default)]
pub(super) struct Parting {
    pub(super) line: u64,
    pub(super) expected: Option<String>,
    pub(super) got: Option<String>,
    /// The log stops in the middle of a line.
    pub(super) cut: bool,
    pub(super) before: Vec<Numbered>,
    pub(super) log_goes_on: Vec<String>,
    pub(super) replay_goes_on: Vec<String>,
}

impl Parting {
    pub(super) fn conclude(self) -> Divergence {
        let object = |line: &Option<String>| -> Map<String, Value> {
            line.as_deref().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default()
        };
        let (expected, got) = (object(&self.expected), object(&self.got));
        let told = if expected.is_empty() { &got } else { &expected };
        let word = |field: &str| told.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (session, event) = (word("session"), word("event"));
        let t_us = told.get("t_us").and_then(Value::as_u64).unwrap_or_default();
        let both = !expected.is_empty() && !got.is_empty();
        let differences = if both { differences(&expected, &got) } else { Vec::new() };
        let reading = self.reading(&differences);
        let Self { line, expected, got, before, log_goes_on, replay_goes_on, .. } = self;
        Divergence {
            line,
            t_us,
            session,
            event,
            reading,
            differences,
            expected,
            got,
            before,
            log_goes_on,
            replay_goes_on,
        }
    }

    /// Lines that are missing, too many or in another order are the commonest of all divergences.
    fn reading(&self, differences: &[Difference]) -> String {
        let (Some(expected), Some(got)) = (&self.expected, &self.got) else {
            return match (&self.expected, self.cut) {
                (None, _) => "the log ends here, without its last line: it was cut off".into(),
                (_, true) => "the log stops in the middle of this line: it was cut off".into(),
                (..) => "the log goes on here; the replay is over".into(),
            };
        };
        if self.cut {
            return "the log stops in the middle of this line: it was cut off".into();
        }
        let in_log = self.log_goes_on.iter().position(|line| line == got).map(|at| at + 1);
        let in_replay = self.replay_goes_on.iter().position(|line| line == expected).map(|at| at + 1);
        let counted = |count| if count == 1 { "a line".to_string() } else { format!("{count} lines") };
        match (in_log, in_replay) {
            (Some(_), Some(_)) => "both have these lines, in another order".into(),
            (Some(count), None) => format!("the log has {} that the replay has not", counted(count)),
            (None, Some(count)) => format!("the replay has {} that the log has not", counted(count)),
            (None, None) => {
                let fields: Vec<&str> = differences.iter().map(|one| one.field.as_str()).collect();
                format!("the two differ in {}", fields.join(", "))
            }
        }
    }
}

/// The fields in which two events differ: those that all events have first, the others by name.
fn differences(expected: &Map<String, Value>, got: &Map<String, Value>) -> Vec<Difference> {
    const FIRST: [&str; 4] = ["t_us", "session", "turn", "event"];
    let others = expected.keys().chain(got.keys().filter(|key| !expected.contains_key(*key)));
    let mut others: Vec<&str> = others.map(String::as_str).filter(|key| !FIRST.contains(key)).collect();
    others.sort_unstable();
    let all = FIRST.into_iter().chain(others);
    all.filter(|field| expected.get(*field) != got.get(*field))
        .map(|field| Difference {
            field: field.into(),
            expected: expected.get(field).cloned(),
            got: got.get(field).cloned(),
        })
        .collect()
}
