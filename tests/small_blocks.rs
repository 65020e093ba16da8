//! Blocks of one sample, and of a few, before a gate: what it keeps leaves at an onset in as few frames as the queues
//! behind are told of, so that nothing of a word is lost, and every sample is the one that came.

#[path = "support/host.rs"]
mod host;

use host::{Host, TICK_US, one_shard, plan};
use mynah_engine::base::{frames_to_us, us_to_frames};
use mynah_engine::observe::Census;
use mynah_engine::scene::Format;
use mynah_engine::{DropReason, Event, NodeId, SessionSpec, Stamp};

const RATE_HZ: u32 = 16_000;
/// When the sound begins and ends, microseconds.
const SOUND_US: (u64, u64) = (800_000, 1_400_000);
/// Until then blocks are small, later 20 ms: while speech is forwarded as it comes, too, or only in what is kept before.
const SMALL_UNTIL_US: [u64; 2] = [1_000_000, 820_000];
const GATE: NodeId = NodeId(0);
const BEHIND: usize = 1;

/// Lengths of blocks in samples, over and over.
type Sizes = &'static [usize];

/// A session whose host pushes blocks as it likes.
struct Pusher {
    host: Host,
    /// Most frames that one step of the gate sends.
    max_out: usize,
    /// Most of its frames that stood outside at the end of a tick.
    outside_max: usize,
}

impl Pusher {
    fn new(gate: &str, before: &str, behind: &str) -> Self {
        let scene = format!(
            r#"(
    name: "small",
    session: (input: (rate_hz: {RATE_HZ}), output: (release: Immediately, pace: Burst)),
    nodes: [
        (id: "gate", kind: VadGate(vad: Energy, {gate}), capabilities: ({before})),
        (id: "behind", kind: Pass(), capabilities: ({behind})),
    ],
    edges: [("input", "gate"), ("gate", "behind"), ("behind", "output")],
)"#
        );
        let plan = plan(&scene, &[]);
        let input = Some(Format { rate_hz: RATE_HZ, channels: 1 });
        let max_out = plan.nodes[usize::from(GATE.0)].spec.max_out(input) as usize;
        let spec = SessionSpec { input, ..SessionSpec::named("caller") };
        Self { host: Host::of(plan, one_shard()).with(spec), max_out, outside_max: 0 }
    }

    fn tick(&mut self) {
        self.host.tick();
        for session in self.host.engine.sessions() {
            let outside = session.stalled(GATE).filter(|(_, frame)| frame.is_content()).count();
            self.outside_max = self.outside_max.max(outside);
        }
    }

    /// Pushes no sooner than a sample exists, and later while there is no room.
    fn hear(mut self, samples: &[f32], sizes: Sizes, small_until_us: u64) -> (Self, Census) {
        let (mut at, mut sizes) = (0, sizes.iter().cycle());
        let mut len = *sizes.next().expect("it goes round");
        while at < samples.len() {
            let due = us_to_frames(self.host.now_us() + TICK_US, RATE_HZ) as usize;
            let to = (at + len).min(samples.len());
            if to > due {
                self.tick();
                continue;
            }
            let session = &self.host.sessions[0];
            let mut block = session.lease(to - at);
            block.fill_from(&samples[at..to]);
            let media_us = frames_to_us(at as u64, RATE_HZ);
            let stamp = Stamp { pts_us: Some(media_us), ..Stamp::default() };
            if let Err(full) = session.push_stamped(block, stamp) {
                session.give_back(full.0);
                self.tick();
                continue;
            }
            at = to;
            len = if media_us < small_until_us { *sizes.next().expect("it goes round") } else { 320 };
        }
        self.host.sessions[0].finish();
        for _ in 0..20_000 {
            self.tick();
            if self.host.sessions[0].is_closed() {
                break;
            }
        }
        assert!(self.host.sessions[0].is_closed(), "the session ends");
        let census = self.host.census();
        (self, census)
    }
}

/// Next to nothing, a sound that is never twice the same, next to nothing.
fn talk() -> Vec<f32> {
    let at = |at: u64| {
        let us = frames_to_us(at, RATE_HZ);
        let s = us as f32 / 1e6;
        (s * s * 700.0).sin() * if (SOUND_US.0..SOUND_US.1).contains(&us) { 0.5 } else { 0.000_1 }
    };
    (0..us_to_frames(2_500_000, RATE_HZ)).map(at).collect()
}

/// What is wrong with a run in which nothing may be lost.
fn faults(pusher: &Pusher, census: &Census, samples: &[f32]) -> Vec<String> {
    let mut wrong = pusher.host.imbalances();
    for (at, node) in census.nodes.iter().enumerate().filter(|(_, node)| node.dropped_all() > 0) {
        wrong.push(format!("node {at}: {} frames dropped", node.dropped_all()));
    }
    if pusher.outside_max > pusher.max_out {
        wrong.push(format!("{} frames stood outside, of {}", pusher.outside_max, pusher.max_out));
    }
    let segments = pusher.host.events(|event| match event {
        Event::SegmentEnded { from_us, to_us, .. } => Some((*from_us, *to_us)),
        _ => None,
    });
    let [(.., (from_us, to_us))] = segments[..] else {
        wrong.push(format!("segments {segments:?}"));
        return wrong;
    };
    // To the nearest sample at both ends.
    let nearest = |us| us_to_frames(us + 40, RATE_HZ) as usize;
    let released = pusher.host.whole(0);
    if released != samples[nearest(from_us)..nearest(to_us)] {
        wrong.push(format!("{} samples, not those of {from_us} to {to_us}", released.len()));
    }
    // The pre-roll of 150 ms, and no more than a frame that reaches into it.
    let before_us = SOUND_US.0 - from_us.min(SOUND_US.0);
    if !(100_000..=200_000).contains(&before_us) {
        wrong.push(format!("{before_us} us before the sound"));
    }
    wrong
}

#[test]
fn nothing_of_a_word_is_lost_however_small_the_blocks() {
    const BLOCK: &str = "queue_capacity: 1, overflow_policy: Block";
    // The least that is accepted.
    const DROP: &str = "queue_capacity: 24, overflow_policy: DropOldest";
    // As many as come in a tick, and what is kept.
    const DROP_WIDE: &str = "queue_capacity: 110, overflow_policy: DropNewest";
    let [on, kept] = SMALL_UNTIL_US;
    let cases: [(Sizes, u64, &str, &str); 9] = [
        (&[1], on, BLOCK, BLOCK),
        // So many in a tick are more than the output holds.
        (&[1], kept, "queue_capacity: 200", DROP_WIDE),
        (&[1, 79], on, BLOCK, BLOCK),
        (&[1, 79], on, "", DROP),
        (&[30, 31, 32, 33], on, BLOCK, BLOCK),
        (&[48], on, "", DROP),
        (&[48], on, BLOCK, BLOCK),
        (&[1, 300], on, "", DROP),
        (&[320], on, "", DROP),
    ];
    let samples = talk();
    let mut wrong = Vec::new();
    for (sizes, until_us, before, behind) in cases {
        let (pusher, census) = Pusher::new("", before, behind).hear(&samples, sizes, until_us);
        let mut found = faults(&pusher, &census, &samples);
        let merged = census.nodes[usize::from(GATE.0)].merged;
        if (merged > 0) != (sizes != [320]) {
            found.push(format!("{merged} frames became one with another"));
        }
        wrong.extend(found.into_iter().map(|what| format!("blocks of {sizes:?}, behind ({behind}): {what}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A gate that decides first keeps its pre-roll and all of the time it decides in.
#[test]
fn a_gate_that_decides_first_loses_nothing_either() {
    const GATE: &str = "speculate: false, min_speech_ms: 150";
    let samples = talk();
    let mut wrong = Vec::new();
    for sizes in [&[1][..], &[1, 79], &[48]] {
        let (pusher, census) = Pusher::new(GATE, "queue_capacity: 200", "queue_capacity: 120").hear(
            &samples,
            sizes,
            SMALL_UNTIL_US[1],
        );
        wrong.extend(faults(&pusher, &census, &samples).into_iter().map(|what| format!("{sizes:?}: {what}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Small frames with gaps between them cannot become one: what stands outside is bounded all the same.
#[test]
fn a_gate_whose_own_queue_drops_sends_no_more_at_once() {
    let samples = talk();
    for sizes in [&[1][..], &[1, 7, 2], &[16]] {
        let (pusher, census) = Pusher::new(
            "",
            "queue_capacity: 3",
            "queue_capacity: 1, overflow_policy: Block",
        )
        .hear(&samples, sizes, SMALL_UNTIL_US[0]);
        let overflow = census.nodes[usize::from(self::GATE.0)].dropped[DropReason::Overflow as usize];
        assert!(overflow > 100, "{sizes:?}: the gate's queue drops: {overflow}");
        assert_eq!(pusher.host.imbalances(), [""; 0], "{sizes:?}");
        assert!(
            pusher.outside_max <= pusher.max_out,
            "{sizes:?}: {} of {}",
            pusher.outside_max,
            pusher.max_out
        );
        assert_eq!(census.nodes[BEHIND].dropped_all(), 0, "{sizes:?}");
    }
}
