//! Hands a caller's packets to the engine, some of them wrong: the engine has to refuse those.

use mynah_engine::edge::BLOCK_MS_MAX;
use mynah_engine::{PushError, SessionHandle, Stamp};

use super::ends::Ends;
use super::plan::{Dice, Hazard};
use super::pushed::Pushed;
use super::sender::Packet;
use super::site::Site;

/// Pushes a packet. What the engine should not have done goes into `wrong`.
pub(super) fn deliver(
    ends: &mut Ends,
    mut packet: Packet,
    hazard: &mut Hazard<'_>,
    dice: &mut Dice,
    pushed: &mut Pushed,
    wrong: &mut Vec<String>,
) {
    if hazard.strikes(Site::Malformed, dice).is_some() {
        match ends {
            Ends::Whole(handle) => malformed(handle, pushed, wrong),
            Ends::Split(split) => split.push_malformed(pushed, wrong),
        }
    }
    if hazard.strikes(Site::Oversized, dice).is_some() {
        match ends {
            Ends::Whole(handle) => oversized(handle, pushed, wrong),
            Ends::Split(split) => split.push_oversized(pushed, wrong),
        }
    }
    let channels = usize::from(ends.input().channels);
    if hazard.strikes(Site::Truncated, dice).is_some() {
        let frames = (packet.samples.len() / channels) as u64;
        packet.samples.truncate(dice.of(Site::Truncated).below(frames) as usize * channels);
    }
    let handle = match ends {
        Ends::Whole(handle) => handle,
        Ends::Split(split) => return split.push(&packet.samples, dice.of(Site::Split), pushed),
    };
    let whole = packet.samples.len().is_multiple_of(channels);
    match packet.pts_us {
        Some(pts_us) if whole => stamped(handle, &packet.samples, pts_us, pushed),
        _ => count(handle, packet.samples.len(), handle.try_push(&packet.samples), pushed),
    }
}

fn count(handle: &SessionHandle, samples: usize, result: Result<(), PushError>, pushed: &mut Pushed) {
    match result {
        Ok(()) => pushed.frames += (samples / usize::from(handle.input().channels)) as u64,
        Err(PushError::Full) => pushed.full += 1,
        Err(PushError::Ended) => pushed.late += 1,
        Err(PushError::BadLength { .. }) => pushed.bad += 1,
    }
}

/// In blocks, each with its own time.
fn stamped(handle: &SessionHandle, samples: &[f32], pts_us: u64, pushed: &mut Pushed) {
    let (rate_hz, channels) = (handle.input().rate_hz, usize::from(handle.input().channels));
    let longest = (rate_hz * BLOCK_MS_MAX / 1_000) as usize;
    for (at, piece) in samples.chunks(longest * channels).enumerate() {
        let mut block = handle.lease(piece.len());
        block.fill_from(piece);
        let later_us = (at * longest) as u64 * 1_000_000 / u64::from(rate_hz);
        let stamp = Stamp { pts_us: Some(pts_us + later_us), ..Stamp::default() };
        match handle.push_stamped(block, stamp) {
            Ok(()) => pushed.frames += (piece.len() / channels) as u64,
            Err(full) => {
                handle.give_back(full.0);
                pushed.full += 1;
                return;
            }
        }
    }
}

fn malformed(handle: &SessionHandle, pushed: &mut Pushed, wrong: &mut Vec<String>) {
    let channels = usize::from(handle.input().channels);
    if let Err(error) = handle.try_push(&[])
        && !matches!(error, PushError::Ended | PushError::Full)
    {
        wrong.push(format!("{}: an empty push is refused: {error}", handle.name()));
    }
    if channels == 1 {
        return;
    }
    match handle.try_push(&[0.5; 321]) {
        Err(PushError::BadLength { samples: 321 }) => pushed.bad += 1,
        other => wrong.push(format!("{}: half a sample frame: {other:?}", handle.name())),
    }
    let block = handle.lease(321);
    match handle.push(block) {
        Err(full) => handle.give_back(full.0),
        Ok(()) => wrong.push(format!("{}: a block with half a sample frame was taken", handle.name())),
    }
}

fn oversized(handle: &SessionHandle, pushed: &mut Pushed, wrong: &mut Vec<String>) {
    let (rate_hz, channels) = (handle.input().rate_hz as usize, usize::from(handle.input().channels));
    let samples = (rate_hz + 1) * channels;
    match handle.try_push_with(samples, None, |_, out| out.fill(0.1)) {
        Err(PushError::BadLength { .. }) => pushed.bad += 1,
        other => wrong.push(format!("{}: {samples} samples at once: {other:?}", handle.name())),
    }
    let block = handle.lease((rate_hz * BLOCK_MS_MAX as usize / 1_000 + 1) * channels);
    match handle.push(block) {
        Err(full) => handle.give_back(full.0),
        Ok(()) => wrong.push(format!("{}: a block of more than 20 ms was taken", handle.name())),
    }
}
