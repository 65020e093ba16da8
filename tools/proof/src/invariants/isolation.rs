//! The input of one session changes nothing for any other.
//!
//! Two runs of the same load differ only in what the sick sessions send; of every other session events and samples are
//! the same, bit for bit. Where sessions meet at one service, one that asks for more makes the others wait: that is
//! load, not illness. So in scenes with a service shared by all, the sick session must ask for the same in both runs:
//! it is one in which nobody speaks.

use super::checker::Violation;
use super::digests::Digests;
use mynah_engine::SessionId;

pub(super) const NAME: &str = "isolation";

/// What is different in `poisoned`, a run in which the sessions of `sick` ids sent something else, from the run that was
/// `clean`.
pub fn isolation(clean: &Digests, poisoned: &Digests, sick: &[u32]) -> Vec<Violation> {
    let healthy = |((id, _), _): &(&(u32, u32), &u64)| !sick.contains(id);
    let found = |(id, _): (u32, u32), what: String| Violation {
        invariant: NAME,
        t_us: 0,
        session: Some(SessionId(id)),
        what,
    };
    let mut violations = Vec::new();
    for (key, digest) in clean.iter().filter(healthy) {
        match poisoned.get(key) {
            Some(other) if other == digest => {}
            Some(other) => violations.push(found(
                *key,
                format!("{digest:016x} alone, {other:016x} beside sessions {sick:?} that are sick"),
            )),
            None => violations.push(found(*key, format!("not there beside sessions {sick:?} that are sick"))),
        }
    }
    for (key, _) in poisoned.iter().filter(healthy).filter(|(key, _)| !clean.contains_key(key)) {
        violations.push(found(*key, "only there beside sick sessions".into()));
    }
    violations
}
