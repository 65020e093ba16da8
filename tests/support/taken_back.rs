//! Whether anything left after it was taken back, from events and released blocks alone.

use std::collections::BTreeMap;

use mynah_engine::Event;
use mynah_engine::speech::CancelScope;

use super::stage::{Outcome, Part};

/// (segment, revision); 0 = the caller's own audio.
type Origin = (u32, u32);

/// What is void from which moment on, as an event says it.
pub(crate) fn scope(event: &Event) -> Option<CancelScope> {
    match *event {
        Event::SegmentCancelled { segment, .. } => Some(CancelScope::Segment { segment }),
        Event::EndpointRetracted { segment, revision, .. } => {
            Some(CancelScope::Revision { segment, revision })
        }
        Event::AnswerWithdrawn { segment } => Some(CancelScope::Answer { segment }),
        _ => None,
    }
}

fn covers(scope: CancelScope, (segment, revision): Origin) -> bool {
    match scope {
        CancelScope::Segment { segment: s } => s == segment,
        CancelScope::Revision { segment: s, revision: r } => (s, r) == (segment, revision),
        CancelScope::Answer { segment: s } => s == segment && revision > 0,
        CancelScope::Session => true,
    }
}

/// What left after it was taken back, and what was taken back twice, of one session. Audio is known by its content,
/// too: `forwarded` says that what leaves is the caller's own, so that a copy under another name is found.
pub(crate) fn after_the_fact(outcome: &Outcome, forwarded: Option<&Part>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut covers: Vec<(u64, CancelScope)> = Vec::new();
    for (t_us, event) in outcome.events() {
        let Some(scope) = scope(event) else { continue };
        if covers.iter().any(|(_, before)| *before == scope) {
            wrong.push(format!("at {t_us}: {scope:?} a second time"));
        }
        covers.push((t_us, scope));
    }
    for block in &outcome.audio {
        let origin = (block.segment, block.revision);
        for (t_us, scope) in
            covers.iter().filter(|(t_us, scope)| covers(*scope, origin) && block.released_us >= *t_us)
        {
            wrong.push(format!("{origin:?} left at {}, {scope:?} since {t_us}", block.released_us));
        }
    }
    for (t_us, event) in outcome.events() {
        let origin = match *event {
            Event::OutputStarted { segment, revision } | Event::OutputEnded { segment, revision, .. } => {
                (segment, revision)
            }
            _ => continue,
        };
        if covers.iter().any(|(since_us, scope)| covers(*scope, origin) && t_us > *since_us) {
            wrong.push(format!("at {t_us}: {event:?} of what was taken back"));
        }
    }
    if let Some(part) = forwarded {
        wrong.extend(smuggled(outcome, part));
    }
    wrong
}

/// Blocks that are not the stretch of the caller's audio that they say they are.
fn smuggled(outcome: &Outcome, part: &Part) -> Vec<String> {
    let rate = u64::from(part.audio.rate);
    let mut wrong = Vec::new();
    let mut last: BTreeMap<u32, u64> = BTreeMap::new();
    for block in &outcome.audio {
        let from = (block.pts_us * rate).div_ceil(1_000_000) as usize;
        let own = part.audio.samples.get(from..from + block.samples.len());
        if own != Some(&block.samples[..]) {
            wrong.push(format!("segment {} at {}: not what was said there", block.segment, block.pts_us));
        }
        // Within a segment time only goes on.
        let end_us = last.entry(block.segment).or_default();
        if block.pts_us + 1 < *end_us {
            wrong.push(format!("segment {}: {} again after {end_us}", block.segment, block.pts_us));
        }
        *end_us = block.pts_us + block.samples.len() as u64 * 1_000_000 / rate;
    }
    // A stretch that was taken back may begin the next segment, as its pre-roll: then the segment's range says so.
    let ranges: BTreeMap<u32, (u64, u64)> = outcome
        .events()
        .filter_map(|(_, event)| match *event {
            Event::SegmentEnded { segment, from_us, to_us, .. }
            | Event::SegmentCancelled { segment, from_us, to_us, .. } => Some((segment, (from_us, to_us))),
            _ => None,
        })
        .collect();
    for block in &outcome.audio {
        let fits = ranges
            .get(&block.segment)
            .is_some_and(|(from_us, to_us)| (*from_us..*to_us).contains(&block.pts_us));
        if !fits {
            wrong.push(format!("segment {}: {} is outside of it", block.segment, block.pts_us));
        }
    }
    wrong
}
