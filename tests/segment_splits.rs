//! A segment that was split because it grew too long goes on without a seam: what comes out of the nodes behind the gate
//! is the same to the bit as without the split, and each segment has the samples of its own time.

#[path = "support/host.rs"]
mod host;

use std::collections::BTreeMap;
use std::sync::Arc;

use host::{Host, compiled, one_shard, plan};
use mynah_engine::base::frames_to_us;
use mynah_engine::scene::Format;
use mynah_engine::service::{
    Call, CallKey, CallScope, Replies, ReplyPart, SegmentRef, Service, ServiceKind, ServiceSite,
};
use mynah_engine::{Block, Control, Event, SessionSpec};

/// A session with a scene in which `behind` follows `first`, and stands before the output.
fn chain(first: &str, behind: &[&str], rate_hz: u32) -> Host {
    let ids: Vec<String> = (0..behind.len()).map(|at| format!("n{at}")).collect();
    let nodes: Vec<String> =
        ids.iter().zip(behind).map(|(id, kind)| format!("(id: \"{id}\", kind: {kind})")).collect();
    let way: Vec<&str> =
        ["input", "first"].into_iter().chain(ids.iter().map(String::as_str)).chain(["output"]).collect();
    let edges: Vec<String> = way.windows(2).map(|to| format!("({:?}, {:?})", to[0], to[1])).collect();
    let scene = format!(
        r#"(
    name: "split",
    session: (input: (rate_hz: {rate_hz}), output: (release: Immediately, pace: Burst)),
    nodes: [(id: "first", kind: {first}), {}],
    edges: [{}],
)"#,
        nodes.join(", "),
        edges.join(", ")
    );
    let input = Some(Format { rate_hz, channels: 1 });
    Host::new(&scene, &[]).with(SessionSpec { input, ..SessionSpec::named("caller") })
}

impl Host {
    fn finished(mut self) -> Self {
        self.finish_within(1_000);
        self
    }

    fn samples_of(&self, segment: u32) -> u64 {
        let mine = self.sounds.iter().filter(|sound| sound.segment == segment);
        mine.map(|sound| sound.samples.len() as u64).sum()
    }

    fn splits(&self) -> usize {
        self.count(|event| matches!(event, Event::SegmentEnded { split: true, .. }))
    }

    /// Milliseconds of the sender's segment from there on.
    fn tagged(&mut self, segment: u32, from_ms: u64, ms: u64) {
        let samples = &talk(16_000)[(1_000 + from_ms as usize) * 16..][..ms as usize * 16];
        self.push_tagged(0, segment, 1_000_000 + from_ms * 1_000, samples);
    }

    fn confirm(&mut self, segment: u32) {
        self.say(0, Control::ConfirmSpeculation { segment, turn: 1, from_us: 0, to_us: 1 });
    }

    /// Says that a segment ended there; revision 0: that it was split.
    fn ended(&mut self, segment: u32, revision: u32, at_ms: u64) {
        let at_us = 1_000_000 + at_ms * 1_000;
        self.say(0, Control::EndOfSpeech { segment, revision, at_us, last: true });
    }
}

/// A second of next to nothing, four and a half of a sound that is never twice the same, a second of nothing.
fn talk(rate_hz: u32) -> Vec<f32> {
    let at = |at: u32| {
        let s = at as f32 / rate_hz as f32;
        let loud = (1.0..5.5).contains(&s);
        (s * s * 700.0).sin() * if loud { 0.5 } else { 0.0001 }
    };
    (0..rate_hz * 13 / 2).map(at).collect()
}

/// Through a gate that splits after so long, in chunks of `chunk` samples.
fn gated(max_segment_ms: u32, behind: &[&str], rate_hz: u32, chunk: usize) -> Host {
    let gate = format!(
        "VadGate(vad: Energy, min_speech_ms: 60, min_silence_ms: 300, max_segment_ms: {max_segment_ms})"
    );
    let mut host = chain(&gate, behind, rate_hz);
    for piece in talk(rate_hz).chunks(chunk) {
        host.sessions[0].try_push(piece).expect("there is room");
        host.tick();
    }
    host.finished()
}

/// What is wrong with the segments of a split run whose audio leaves at `rate_hz`.
fn faults(host: &Host, rate_hz: u32) -> Vec<String> {
    let mut faults = Vec::new();
    for record in &host.records {
        if let Event::SegmentEnded { segment, from_us, to_us, .. } = record.event {
            let (due_us, came_us) = (to_us - from_us, frames_to_us(host.samples_of(segment), rate_hz));
            // To the nearest sample at both ends.
            if due_us.abs_diff(came_us) > 1_000_000 / u64::from(rate_hz) + 2 {
                faults.push(format!("segment {segment}: {due_us} us of speech, {came_us} us came"));
            }
        }
    }
    for pair in host.sounds.windows(2) {
        let end_us = pair[0].pts_us + frames_to_us(pair[0].samples.len() as u64, rate_hz);
        if pair[1].segment < pair[0].segment || pair[1].pts_us.abs_diff(end_us) > 2 {
            let (before, behind) = ((pair[0].segment, end_us), (pair[1].segment, pair[1].pts_us));
            faults.push(format!("(segment, time) {behind:?} follows {before:?}"));
        }
    }
    faults
}

#[test]
fn what_is_split_comes_out_as_if_it_were_not() {
    let up = "Resample(rate_hz: 48000)";
    let merging = "Resample(rate_hz: 48000), capabilities: (queue_capacity: 30, overflow_policy: MergeOnOverflow), \
                   buffering: (merge: ConcatenateAudio(ensure_continuity: true))";
    let narrow =
        "Throttle(carries: Audio, per_s: 190), capabilities: (queue_capacity: 4, overflow_policy: Block)";
    let cases: [(&str, &[&str], u32, u32); 11] = [
        ("as it is", &[], 16_000, 16_000),
        ("up", &[up], 16_000, 48_000),
        ("up by the other kernel", &["Resample(rate_hz: 48000, kernel: Rubato)"], 16_000, 48_000),
        ("up in fixed chunks", &["Resample(rate_hz: 48000, streaming: false)"], 16_000, 48_000),
        ("down in fixed chunks", &["Resample(rate_hz: 8000, streaming: false)"], 8_001, 8_000),
        ("down", &["Resample(rate_hz: 16000, quality: High)"], 44_100, 16_000),
        ("to no customary rate", &["Resample(rate_hz: 22051)"], 44_100, 22_051),
        ("twice", &[up, "Resample(rate_hz: 11025)"], 16_000, 11_025),
        (
            "behind others",
            &[
                "Pass(gain: 0.5)",
                "Throttle(carries: Audio, per_s: 2000), capabilities: (queue_capacity: 100)",
                up,
            ],
            16_000,
            48_000,
        ),
        ("where frames merge", &[merging, narrow], 16_000, 48_000),
        (
            "fixed twice",
            &["Resample(rate_hz: 48000, streaming: false)", "Resample(rate_hz: 8000, streaming: false)"],
            16_000,
            8_000,
        ),
    ];
    let mut wrong = Vec::new();
    for (name, behind, from_hz, to_hz) in cases {
        // Only small frames become one.
        let chunks_ms: &[usize] = if behind.contains(&merging) { &[5] } else { &[5, 13, 20] };
        for chunk_ms in chunks_ms {
            let chunk = from_hz as usize * chunk_ms / 1_000;
            let one = gated(60_000, behind, from_hz, chunk);
            let whole = one.whole(0);
            assert!(one.splits() == 0 && whole.len() as u32 > to_hz * 4, "{name}: {} samples", whole.len());
            for max_ms in [200, 320, 1_000] {
                let many = gated(max_ms, behind, from_hz, chunk);
                let what = format!("{name}, chunks of {chunk_ms} ms, split after {max_ms} ms");
                assert!(many.splits() as u32 >= 4_000 / max_ms, "{what}: {} splits", many.splits());
                let split = many.whole(0);
                if split != whole {
                    let at = split.iter().zip(&whole).position(|(a, b)| a != b);
                    let (got, want) = (split.len(), whole.len());
                    wrong.push(format!("{what}: {got} samples of {want}, first difference {at:?}"));
                }
                wrong.extend(faults(&many, to_hz).into_iter().map(|fault| format!("{what}: {fault}")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Half a second that another engine's gate has split into pieces that end there, milliseconds.
fn followed(behind: &str, ends_ms: &[u64]) -> Host {
    let mut host = chain("Follow()", &[behind], 16_000);
    let mut from_ms = 0;
    for (segment, end_ms) in (1..).zip(ends_ms) {
        while from_ms < *end_ms {
            let ms = (end_ms - from_ms).min(10);
            host.tagged(segment, from_ms, ms);
            from_ms += ms;
            host.tick();
        }
        host.confirm(segment);
        host.ended(segment, u32::from(*end_ms == 500), *end_ms);
        host.tick();
    }
    host.finished()
}

#[test]
fn what_another_engine_split_comes_out_as_if_it_were_not() {
    let mut wrong = Vec::new();
    for behind in
        ["Resample(rate_hz: 48000)", "Resample(rate_hz: 44100, streaming: false)", "Resample(rate_hz: 8000)"]
    {
        let whole = followed(behind, &[500]).whole(0);
        assert!(whole.len() >= 4_000, "{behind}: {} samples", whole.len());
        let ends: [&[u64]; 4] =
            [&[240, 500], &[3, 500], &[200, 201, 202, 203, 500], &[100, 200, 300, 400, 500]];
        for ends in ends {
            let host = followed(behind, ends);
            if (host.splits() + 1, host.whole(0).len()) != (ends.len(), whole.len()) || host.whole(0) != whole
            {
                wrong.push(format!("{behind}, {ends:?}: {} of {} samples", host.whole(0).len(), whole.len()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_segment_that_goes_on_and_is_taken_back_leaves_the_one_before_whole() {
    for behind in ["Resample(rate_hz: 48000)", "Resample(rate_hz: 48000, streaming: false)"] {
        let mut host = chain("Follow()", &[behind], 16_000);
        for from_ms in (0..100).step_by(10) {
            host.tagged(1, from_ms, 10);
        }
        host.confirm(1);
        host.ended(1, 0, 100);
        host.tick();
        // Too little to drive out what the filter holds of the first.
        host.tagged(2, 100, 1);
        host.tick();
        host.say(0, Control::CancelSpeculation { segment: 2, from_us: 0, to_us: 1, late: false });
        host.tick();
        let host = host.finished();
        let came = (host.samples_of(1), host.samples_of(2));
        assert_eq!(came, (4_800, 0), "{behind}: {:?}", host.records);
    }
}

#[test]
fn a_segment_that_begins_elsewhere_is_no_continuation() {
    let mut host = chain("Follow()", &["Resample(rate_hz: 48000)"], 16_000);
    for (segment, at_ms) in [(1, 0), (1, 10), (2, 40), (2, 50)] {
        host.tagged(segment, at_ms, 10);
    }
    host.confirm(1);
    host.ended(1, 0, 20);
    host.confirm(2);
    host.ended(2, 1, 60);
    host.ticks(4);
    let host = host.finished();
    assert_eq!((host.samples_of(1), host.samples_of(2)), (960, 960));
    let second = host.sounds.iter().find(|sound| sound.segment == 2).expect("it came");
    assert_eq!(second.pts_us, 1_040_000, "where it was said to begin");
}

/// A service that hears audio: what it answers is how much, of the segment it is asked about and those before it.
struct Listener {
    heard: BTreeMap<u32, u64>,
    asked: Vec<CallKey>,
}

struct Listening;

impl ServiceKind for Listening {
    fn start(&self, _: ServiceSite<'_>) -> Box<dyn Service> {
        Box::new(Listener { heard: BTreeMap::new(), asked: Vec::new() })
    }
    fn modelled(&self) -> bool {
        true
    }
    fn kind(&self) -> &'static str {
        "Listening"
    }
}

impl Service for Listener {
    fn wants_audio(&self) -> bool {
        true
    }
    fn hear(&mut self, segment: SegmentRef, block: Block) {
        *self.heard.entry(segment.serial).or_default() += block.len() as u64;
    }
    fn goes_on(&mut self, before: SegmentRef, segment: SegmentRef) {
        let heard = self.heard.remove(&before.serial).unwrap_or(0);
        *self.heard.entry(segment.serial).or_default() += heard;
    }
    fn start(&mut self, batch: &mut Vec<Call>, _: u64) {
        self.asked.extend(batch.drain(..).map(|call| call.key));
    }
    fn cancel(&mut self, scope: CallScope, _: u64) {
        self.asked.retain(|asked| !scope.covers(asked));
    }
    fn poll(&mut self, _: u64, replies: &mut Replies<'_>) {
        for key in self.asked.drain(..) {
            let text = self.heard.get(&key.segment.serial).copied().unwrap_or(0).to_string();
            for part in [ReplyPart::Text(text.into()), ReplyPart::Done { busy_us: 0 }] {
                replies.give(key, part).expect("one call at a time");
            }
        }
    }
}

/// What a listening service has heard of everything said.
fn listened(max_segment_ms: u32) -> Vec<String> {
    let scene = format!(
        r#"(
    name: "listened",
    session: (input: (rate_hz: 16000), output: (release: OnConfirm, pace: Burst)),
    nodes: [
        (id: "gate", kind: VadGate(vad: Energy, min_speech_ms: 60, max_segment_ms: {max_segment_ms})),
        (id: "asr", kind: Service(service: "asr", task: Transcribe)),
    ],
    edges: [("input", "gate"), ("gate", "asr"), ("asr", "output")],
    services: {{"asr": (output: Listening, timing: (latency: Fixed(ms: 1)))}},
)"#
    );
    let mut registry = mynah_systems::registry(None);
    registry.add_service("Listening", |_| Ok(Arc::new(Listening) as Arc<dyn ServiceKind>));
    let plan = compiled(&scene, &[], &registry).expect("it is right");
    let mut host = Host::of(plan, one_shard()).with(SessionSpec::named("caller"));
    for piece in talk(16_000).chunks(320) {
        host.sessions[0].try_push(piece).expect("there is room");
        host.ticks(4);
    }
    host.texts.into_iter().map(|said| said.text).collect()
}

#[test]
fn a_service_that_hears_audio_hears_what_was_split_as_one() {
    let whole = listened(60_000);
    let [text] = &whole[..] else { panic!("one utterance: {whole:?}") };
    assert!(text.parse::<u64>().expect("a number") > 16_000 * 4, "{text} samples");
    for max_ms in [200, 1_000, 2_000] {
        assert_eq!(listened(max_ms), whole, "split after {max_ms} ms");
    }
}

#[test]
fn speech_that_is_split_interrupts_as_if_it_were_not() {
    let interrupted = |max_segment_ms: u32| {
        let sets = [
            "gate.vad=Energy",
            "session.output.interrupt_min_ms=600",
            &format!("gate.max_segment_ms={max_segment_ms}"),
        ];
        let mut host = Host::of(plan("barge_in", &sets), one_shard()).with(SessionSpec::named("caller"));
        let rate_hz = host.sessions[0].input().rate_hz;
        // A question of 600 ms, and three seconds later a sound that lasts.
        for at_ms in (0..6_000).step_by(20) {
            let loud = (500..1_100).contains(&at_ms) || at_ms >= 4_000;
            let level = if loud { 0.5 } else { 0.000_1 };
            let samples: Vec<f32> = (0..rate_hz / 50).map(|at| level * (at as f32 * 0.3).sin()).collect();
            host.sessions[0].try_push(&samples).expect("there is room");
            host.ticks(4);
        }
        let at = host.events(|event| matches!(event, Event::AnswerInterrupted { .. }).then_some(()));
        at.first().map(|(_, t_us, ())| *t_us)
    };
    let whole = interrupted(30_000);
    assert!(whole.is_some_and(|us| (4_550_000..4_800_000).contains(&us)), "{whole:?}");
    for max_ms in [200, 400] {
        assert_eq!(interrupted(max_ms), whole, "split after {max_ms} ms");
    }
}
