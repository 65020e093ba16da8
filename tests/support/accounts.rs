//! The account of a session, kept from its events and its samples alone: nothing here knows a counter of the engine.

use std::collections::BTreeMap;

use mynah_engine::Event;

use super::stage::{Outcome, Part};

/// What a scene does to a session's samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Every sample comes out, at this rate.
    Plain { rate_hz: u32 },
    /// Speech comes out at this rate, the rest stays.
    Gated { rate_hz: u32 },
    /// Answers come out, made at one rate and released at the other.
    Answered { made_hz: u32, released_hz: u32 },
}

/// One segment by its events.
#[derive(Clone, Debug, Default)]
struct Entry {
    opened: u32,
    confirmed: u32,
    cancelled: u32,
    ended: u32,
    from_us: u64,
    to_us: u64,
    /// Revisions announced and not taken back, and the one that held.
    standing: Vec<u32>,
    held: u32,
    /// Calls submitted and not yet done, failed or cancelled, by (node, revision).
    calls: BTreeMap<(u8, u32), i32>,
    /// Samples made for a revision.
    made: BTreeMap<u32, u64>,
    /// Samples that the events say were released whole for a revision.
    told: BTreeMap<u32, u64>,
    /// The user interrupted the answer, or it was not wanted.
    withdrawn: bool,
}

/// Everything that does not add up, in words; empty = the session is settled and nothing is lost.
pub(crate) fn unsettled(part: &Part, outcome: &Outcome, flow: Flow) -> Vec<String> {
    let mut wrong = Vec::new();
    let entries = entries(outcome, &mut wrong);
    let hung_up = part.hang_up_us.is_some();
    life(outcome, &mut wrong);
    for (serial, entry) in &entries {
        verdict(*serial, entry, hung_up, &mut wrong);
    }
    match flow {
        Flow::Plain { rate_hz } => plain(part, outcome, rate_hz, &mut wrong),
        Flow::Gated { rate_hz } => gated(&entries, outcome, rate_hz, hung_up, &mut wrong),
        Flow::Answered { made_hz, released_hz } => {
            answered(&entries, outcome, (made_hz, released_hz), hung_up, &mut wrong);
        }
    }
    wrong
}

fn entries(outcome: &Outcome, wrong: &mut Vec<String>) -> BTreeMap<u32, Entry> {
    let mut entries: BTreeMap<u32, Entry> = BTreeMap::new();
    for (_, event) in outcome.events() {
        match event {
            Event::SegmentOpened { segment, from_us } => {
                let entry = entries.entry(*segment).or_default();
                entry.opened += 1;
                entry.from_us = *from_us;
            }
            Event::SegmentConfirmed { segment, .. } => entries.entry(*segment).or_default().confirmed += 1,
            Event::SegmentCancelled { segment, to_us, .. } => {
                let entry = entries.entry(*segment).or_default();
                entry.cancelled += 1;
                entry.to_us = *to_us;
            }
            Event::Endpoint { segment, revision, .. } => {
                entries.entry(*segment).or_default().standing.push(*revision)
            }
            Event::EndpointRetracted { segment, revision, .. } => {
                let standing = &mut entries.entry(*segment).or_default().standing;
                let before = standing.len();
                standing.retain(|r| r != revision);
                if standing.len() + 1 != before {
                    wrong.push(format!(
                        "segment {segment}: revision {revision} was retracted, never announced"
                    ));
                }
            }
            Event::SegmentEnded { segment, revision, to_us, .. } => {
                let entry = entries.entry(*segment).or_default();
                entry.ended += 1;
                (entry.held, entry.to_us) = (*revision, *to_us);
            }
            Event::ServiceSubmitted { node, segment, revision, .. } => {
                *entries.entry(*segment).or_default().calls.entry((node.0, *revision)).or_default() += 1;
            }
            Event::ServiceDone { node, segment, revision, samples, .. } => {
                let entry = entries.entry(*segment).or_default();
                *entry.calls.entry((node.0, *revision)).or_default() -= 1;
                if *samples > 0 {
                    *entry.made.entry(*revision).or_default() += *samples;
                }
            }
            Event::ServiceCancelled { node, segment, revision, .. }
            | Event::ServiceFailed { node, segment, revision, .. } => {
                *entries.entry(*segment).or_default().calls.entry((node.0, *revision)).or_default() -= 1;
            }
            Event::AnswerWithdrawn { segment } => entries.entry(*segment).or_default().withdrawn = true,
            Event::OutputEnded { segment, revision, samples } => {
                entries.entry(*segment).or_default().told.insert(*revision, *samples);
            }
            _ => {}
        }
    }
    entries
}

fn life(outcome: &Outcome, wrong: &mut Vec<String>) {
    let count = |wanted: &Event| outcome.events().filter(|(_, event)| *event == wanted).count();
    let (opened, closed) = (count(&Event::SessionOpened), count(&Event::SessionClosed));
    if (opened, closed) != (1, 1) {
        wrong.push(format!("opened {opened} times, closed {closed}"));
    }
    let closed_us = outcome.events().find(|(_, e)| **e == Event::SessionClosed).map_or(0, |(t, _)| t);
    if outcome.audio.iter().any(|block| block.released_us > closed_us) {
        wrong.push("audio left after the session was closed".into());
    }
}

fn verdict(serial: u32, entry: &Entry, hung_up: bool, wrong: &mut Vec<String>) {
    let place = format!("segment {serial}");
    if entry.opened != 1 || entry.cancelled + entry.ended != 1 || entry.confirmed != entry.ended {
        wrong.push(format!(
            "{place}: opened {} times, confirmed {}, cancelled {}, ended {}",
            entry.opened, entry.confirmed, entry.cancelled, entry.ended
        ));
    }
    if entry.ended == 1 && entry.held > 0 && !entry.standing.contains(&entry.held) {
        wrong.push(format!("{place}: revision {} held, standing are {:?}", entry.held, entry.standing));
    }
    // A call under way when the caller hangs up is cancelled; nobody is left to be told.
    for ((node, revision), open) in &entry.calls {
        if *open < 0 || (*open > 0 && !hung_up) {
            wrong.push(format!("{place} revision {revision}: {open} calls of node {node} without an end"));
        }
    }
}

fn plain(part: &Part, outcome: &Outcome, rate_hz: u32, wrong: &mut Vec<String>) {
    let (from, to) = (u64::from(part.audio.rate), u64::from(rate_hz));
    let pushed = outcome.samples_pushed;
    let due = (pushed * to * 2 + from) / (from * 2);
    let got: u64 = outcome.audio.iter().map(|block| block.samples.len() as u64).sum();
    // Who hangs up takes back what is under way: that much may be missing, and nothing may be added.
    let missing = due as i64 - got as i64;
    let under_way = if part.hang_up_us.is_some() { (rate_hz / 2) as i64 } else { 0 };
    if !(0..=under_way).contains(&missing) {
        wrong.push(format!("{pushed} samples pushed, {due} due, {got} released"));
    }
}

fn gated(
    entries: &BTreeMap<u32, Entry>,
    outcome: &Outcome,
    rate_hz: u32,
    hung_up: bool,
    wrong: &mut Vec<String>,
) {
    let samples = |us: u64| (us * u64::from(rate_hz)).div_ceil(1_000_000);
    let dropped =
        outcome.events().any(|(_, e)| matches!(e, Event::FrameDropped { .. } | Event::OutputDropped { .. }));
    for (serial, entry) in entries {
        let got = outcome.released(*serial, 0).len() as u64;
        let due = samples(entry.to_us).saturating_sub(samples(entry.from_us));
        // What is cancelled, or hung up on, may have left in part.
        let in_part = entry.cancelled > 0 || (hung_up && dropped);
        if got > due || (got < due && !in_part) {
            wrong.push(format!("segment {serial}: {due} samples in its range, {got} released"));
        }
    }
    let known = |segment: &u32| entries.contains_key(segment);
    if outcome.audio.iter().any(|block| !known(&block.segment)) {
        wrong.push("audio was released that belongs to no segment".into());
    }
}

fn answered(
    entries: &BTreeMap<u32, Entry>,
    outcome: &Outcome,
    (made_hz, released_hz): (u32, u32),
    hung_up: bool,
    wrong: &mut Vec<String>,
) {
    let (from, to) = (u64::from(made_hz), u64::from(released_hz));
    for (serial, entry) in entries {
        for (revision, made) in &entry.made {
            let due = (made * to * 2 + from) / (from * 2);
            let got = outcome.released(*serial, *revision).len() as u64;
            let holds = entry.ended == 1 && *revision == entry.held;
            if got > due || (holds && !hung_up && !entry.withdrawn && got != due) {
                wrong
                    .push(format!("segment {serial} revision {revision}: {due} samples due, {got} released"));
            }
            let told = entry.told.get(revision).copied();
            if told.is_some_and(|told| told != got) {
                wrong.push(format!("segment {serial} revision {revision}: {told:?} told, {got} released"));
            }
        }
    }
    for block in &outcome.audio {
        let made = entries.get(&block.segment).is_some_and(|e| e.made.contains_key(&block.revision));
        if !made && !hung_up {
            wrong
                .push(format!("segment {} revision {}: released, never made", block.segment, block.revision));
            break;
        }
    }
}
