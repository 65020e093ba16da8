//! The same scene, load and seed give the same events and samples on any number of threads and shards.

use super::checker::Violation;
use super::digests::Digests;
use mynah_engine::SessionId;

pub(super) const NAME: &str = "determinism";

/// What is different in runs that must be the same; each comes with its name. The first session that differs is named
/// for each run that is not like the first one.
pub fn determinism(runs: &[(&str, &Digests)]) -> Vec<Violation> {
    let Some(((name, first), others)) = runs.split_first() else { return Vec::new() };
    let differs = |(other, digests): &(&str, &Digests)| {
        let here = first.iter().find(|(key, digest)| digests.get(key) != Some(digest));
        let there = digests.iter().find(|(key, _)| !first.contains_key(key));
        let ((id, opening), _) = here.or(there)?;
        Some(Violation {
            invariant: NAME,
            t_us: 0,
            session: Some(SessionId(*id)),
            what: format!("opening {opening} differs between {name} and {other}"),
        })
    };
    others.iter().filter_map(differs).collect()
}
