//! What a synthesis sends: the audio of calls and recordings with their places in the answer, the words before it, and
//! when those sound.

use std::sync::Arc;

use mynah_engine::base::frames_to_us;
use mynah_engine::media::{Caption, Mark, Payload, SpokenTime};
use mynah_engine::node::NodeContext;
use mynah_engine::service::{CallKey, PARTS_PER_TICK};
use mynah_engine::{Block, Frame};

use crate::service::asked::Playing;
use crate::service::lane::{ServiceState, Speaking, answer, pass_on};

/// Plays the recording in front, some of it a tick, as a service hands out.
pub(super) fn play(state: &mut ServiceState, cx: &mut NodeContext<'_>) {
    pass_on(state, cx);
    let mut blocks = 0;
    while let Some(playing) = state.order.playing() {
        let Playing { frame, clip, at } = playing;
        let (origin, pts_us) = (frame.with(Payload::Mark(Mark::AnswerEnd)), frame.pts_us);
        let (begins, clip) = (*at == 0, Arc::clone(clip));
        let channels = usize::from(clip.format.channels);
        let longest = (clip.format.rate_hz / 50) as usize * channels;
        let piece = &clip.samples[*at..clip.samples.len().min(*at + longest)];
        *at += piece.len();
        if piece.is_empty() {
            state.order.played();
            pass_on(state, cx);
            continue;
        }
        let from_us =
            pts_us + frames_to_us((*at - piece.len()) as u64 / channels as u64, clip.format.rate_hz);
        if begins && cx.wants_captions() {
            let us = frames_to_us((clip.samples.len() / channels) as u64, clip.format.rate_hz);
            let text = Arc::clone(&clip.subtitle);
            let caption = Caption { text, us: Some(us), ..Caption::default() };
            send_played(state, &origin, from_us, Payload::Caption(Arc::new(caption)), cx);
        }
        let mut block = cx.pool.lease(piece.len());
        block.fill_from(piece);
        send_played(state, &origin, from_us, Payload::Audio(block), cx);
        blocks += 1;
        if blocks == PARTS_PER_TICK || cx.lane.has_stalled() {
            return;
        }
    }
}

fn send_played(
    state: &mut ServiceState,
    origin: &Frame,
    pts_us: u64,
    payload: Payload,
    cx: &mut NodeContext<'_>,
) {
    state.seq = state.seq.wrapping_add(1);
    let now_us = cx.now.us;
    let frame = origin.with(payload);
    cx.send(
        0,
        Frame { pts_us, arrived_us: now_us, queued_us: now_us, deadline_us: 0, seq: state.seq, ..frame },
    );
}

/// Sends a block of what a service speaks, at `rate_hz`, with its place in the answer; before the first one goes what it says.
pub(super) fn speak(
    state: &mut ServiceState,
    key: CallKey,
    block: Block,
    rate_hz: u32,
    cx: &mut NodeContext<'_>,
) {
    let Some(asked) = state.order.get_mut(key) else { return cx.pool.put(block) };
    let (first, from_us) = (asked.samples == 0, asked.from_us);
    asked.samples += block.len() as u64;
    if first && cx.wants_captions() {
        let (text, times) = (Arc::clone(&asked.text), Arc::clone(&asked.times));
        let caption = Caption { text, times, us: None };
        let frame = answer(state, key, 0, Payload::Caption(Arc::new(caption)), cx);
        cx.send(0, frame);
    }
    let origin = (key.segment.serial, key.revision);
    if state.speaking.origin != origin {
        state.speaking = Speaking { origin, from_us, frames_out: 0 };
    }
    let pts_us = state.speaking.from_us + frames_to_us(state.speaking.frames_out, rate_hz);
    state.speaking.frames_out += block.len() as u64;
    let frame = answer(state, key, pts_us, Payload::Audio(block), cx);
    cx.send(0, frame);
}

/// Notes when words sound: they go with the caption of the call, or after it, ahead of their audio.
pub(super) fn time(
    state: &mut ServiceState,
    key: CallKey,
    times: Arc<[SpokenTime]>,
    cx: &mut NodeContext<'_>,
) {
    let Some(asked) = state.order.get_mut(key).filter(|_| cx.wants_captions()) else { return };
    if asked.samples == 0 {
        asked.times =
            if asked.times.is_empty() { times } else { [&asked.times[..], &times[..]].concat().into() };
        return;
    }
    let caption = Caption { times, ..Caption::default() };
    let frame = answer(state, key, 0, Payload::Caption(Arc::new(caption)), cx);
    cx.send(0, frame);
}
