//! Senders' times that are coarse, jitter, drift, begin anywhere or come in another order put no silence into audio that
//! has no gap; what is lost is filled to the sample all the same.

#[path = "support/host.rs"]
mod host;

use host::Host;
use mynah_engine::base::rng::Rng;
use mynah_engine::scene::Format;
use mynah_engine::{Block, SessionSpec, Stamp};

const MS: i64 = 1_000;

/// What a sender sends: for each packet its number, counted from the first that was recorded, and its time, microseconds.
type Packets = Vec<(u64, i64)>;

/// Before which packet silence came, and how much.
type Gaps = Vec<(u64, u64)>;

/// A stream of equal packets.
#[derive(Clone, Copy)]
struct Stream {
    rate_hz: u32,
    /// Sample frames in a packet.
    frames: u32,
    seconds: u64,
}

const USUAL: Stream = Stream { rate_hz: 48_000, frames: 960, seconds: 60 };

impl Stream {
    fn packets(self) -> Packets {
        let count = self.seconds * u64::from(self.rate_hz) / u64::from(self.frames);
        (0..count).map(|number| (number, self.media_us(number) as i64)).collect()
    }

    fn media_us(self, packets: u64) -> u64 {
        mynah_engine::base::frames_to_us(packets * u64::from(self.frames), self.rate_hz)
    }
}

/// What became of the packets.
#[derive(Debug, PartialEq, Eq)]
struct Heard {
    filled: u64,
    steps: u64,
    /// The numbers of the packets before which silence came, and of how many frames.
    gaps: Gaps,
}

fn hear(stream: Stream, tolerance_ms: u32, packets: &Packets) -> Heard {
    let scene = format!(
        r#"(
    name: "times",
    session: (
        input: (rate_hz: {}, pts_tolerance_ms: {tolerance_ms}),
        output: (release: Immediately, pace: Burst),
    ),
    nodes: [(id: "pass", kind: Pass(), capabilities: (queue_capacity: 1000))],
    edges: [("input", "pass"), ("pass", "output")],
)"#,
        stream.rate_hz
    );
    let input = Some(Format { rate_hz: stream.rate_hz, channels: 1 });
    let mut host = Host::new(&scene, &[]).with(SessionSpec { input, ..SessionSpec::named("caller") });
    let (mut gaps, mut silence) = (Gaps::new(), 0);
    let mut hear = |host: &mut Host, number: u64| {
        for sound in host.sounds.drain(..) {
            // Every packet is loud.
            match sound.samples[..] {
                [0.0, ..] => silence += sound.samples.len() as u64,
                _ if silence > 0 => gaps.push((number, std::mem::take(&mut silence))),
                _ => {}
            }
        }
        silence
    };
    for (number, pts_us) in packets {
        let block = Block::from_samples(&vec![0.5; stream.frames as usize]);
        let stamp = Stamp { pts_us: Some(*pts_us as u64), ..Stamp::default() };
        host.sessions[0].push_stamped(block, stamp).expect("there is room");
        host.tick();
        hear(&mut host, *number);
    }
    host.finish_within(100);
    let at_the_end = hear(&mut host, 0);
    if at_the_end > 0 {
        gaps.push((packets.len() as u64, at_the_end));
    }
    let edge = host.census().edge;
    let heard = Heard { filled: edge.concealed_frames, steps: edge.discontinuities, gaps };
    assert_eq!(heard.gaps.iter().map(|(_, frames)| frames).sum::<u64>(), heard.filled, "{heard:?}");
    heard
}

fn moved(mut packets: Packets, by_us: impl Fn(u64) -> i64) -> Packets {
    packets.iter_mut().for_each(|(number, us)| *us += by_us(*number));
    packets
}

/// Each time is off by up to so much, either way.
fn jittered(packets: Packets, most_us: i64, seed: u64) -> Packets {
    let off = |number| Rng::new(seed, number, 1).range_u64(0..2 * most_us as u64 + 1) as i64 - most_us;
    moved(packets, off)
}

/// Times are cut down to whole milliseconds.
fn coarse(packets: Packets) -> Packets {
    packets.into_iter().map(|(number, us)| (number, us.div_euclid(MS) * MS)).collect()
}

/// As a clock says that is off by so many millionths.
fn drifting(packets: Packets, ppm: i64) -> Packets {
    packets.into_iter().map(|(number, us)| (number, us + us * ppm / 1_000_000)).collect()
}

/// Of every `every` packets one arrives behind the `by` that follow it.
fn overtaken(mut packets: Packets, every: usize, by: usize) -> Packets {
    packets.chunks_mut(every).filter(|group| group.len() > by).for_each(|group| group[..=by].rotate_left(1));
    packets
}

/// As 32-bit ticks of the sample clock count that go round after `before_s` seconds.
fn ticks_32(packets: Packets, rate_hz: i64, before_s: i64) -> Packets {
    let begin = (1 << 32) - before_s * rate_hz;
    let ticks = |us: i64| (begin + us * rate_hz / 1_000_000) % (1 << 32);
    packets.into_iter().map(|(number, us)| (number, ticks(us) * 1_000_000 / rate_hz)).collect()
}

#[test]
fn times_that_are_not_exact_put_no_silence_into_whole_audio() {
    let p = USUAL.packets();
    let short = Stream { frames: 480, ..USUAL };
    let tiny = Stream { frames: 128, seconds: 32, ..USUAL };
    let cd = Stream { rate_hz: 44_100, frames: 512, seconds: 35 };
    let hours = Stream { seconds: 600, ..USUAL };
    let mut cases: Vec<(String, Stream, Packets, u64)> = vec![
        ("exact".into(), USUAL, p.clone(), 0),
        ("44.1 kHz in 512, whole ms".into(), cd, coarse(cd.packets()), 0),
        ("48 kHz in 128, whole ms".into(), tiny, coarse(tiny.packets()), 0),
        ("48 kHz in 128, +-10 ms".into(), tiny, jittered(tiny.packets(), 10 * MS, 3), 0),
        ("every third late".into(), USUAL, moved(p.clone(), |n| i64::from(n % 3 == 2) * 10 * MS), 0),
        ("the first of three late".into(), USUAL, moved(p.clone(), |n| i64::from(n % 3 == 0) * 10 * MS), 0),
        ("every third early".into(), USUAL, moved(p.clone(), |n| -i64::from(n % 3 == 1) * 10 * MS), 0),
        ("10 ms to and fro".into(), USUAL, moved(p.clone(), |n| (n as i64 % 2 * 2 - 1) * 10 * MS), 0),
        ("all pairs swapped".into(), USUAL, overtaken(p.clone(), 2, 1), 0),
        ("a pair in ten swapped".into(), USUAL, overtaken(p.clone(), 10, 1), 0),
        ("one in 50 overtaken by two".into(), USUAL, overtaken(p.clone(), 50, 2), 0),
        ("pairs of 10 ms swapped".into(), short, overtaken(short.packets(), 7, 1), 0),
        ("from 0.7 s".into(), USUAL, moved(p.clone(), |_| 700 * MS), 0),
        ("from the end of time".into(), USUAL, moved(p.clone(), |_| -30_000 * MS), 0),
        ("a word of late packets".into(), USUAL, moved(p.clone(), |n| i64::from(n % 500 < 2) * 30 * MS), 0),
        ("32-bit ticks go round".into(), USUAL, ticks_32(p.clone(), 48_000, 10), 1),
    ];
    for ms in [1, 2, 3, 5, 8, 10] {
        for seed in 0..4 {
            cases.push((format!("+-{ms} ms, {seed}"), USUAL, jittered(p.clone(), ms * MS, seed), 0));
            let name = format!("+-{ms} ms in 10 ms, {seed}");
            cases.push((name, short, jittered(short.packets(), ms * MS, seed), 0));
        }
    }
    for ppm in [-1_500, -500, -100, 100, 500, 1_500] {
        cases.push((format!("{ppm} ppm"), hours, drifting(hours.packets(), ppm), 0));
        let rough = jittered(drifting(hours.packets(), ppm), 5 * MS, 1);
        cases.push((format!("{ppm} ppm and +-5 ms"), hours, rough, 0));
        cases.push((format!("{ppm} ppm, whole ms"), cd, coarse(drifting(cd.packets(), ppm)), 0));
    }
    let mut wrong = Vec::new();
    for (name, stream, packets, steps) in cases {
        let heard = hear(stream, 40, &packets);
        if (heard.filled, heard.steps) != (0, steps) {
            wrong.push(format!("{name}: {heard:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Loses 60 packets, 1.2 s in pieces of one to nine, none of them the first and some of them the second last.
fn lossy(packets: Packets) -> Packets {
    let pieces = [1, 2, 1, 5, 9, 1, 3, 1, 1, 8, 2, 1, 6, 1, 4, 1, 7, 1, 3, 1, 1];
    assert_eq!(pieces.iter().sum::<u64>(), 60);
    let last = packets.len() as u64 - 2;
    let mut lost = Vec::new();
    for (at, piece) in (0u64..).zip(pieces) {
        let from = if at == 20 { last } else { 140 + at * 137 };
        lost.extend(from..from + piece);
    }
    packets.into_iter().filter(|(number, _)| !lost.contains(number)).collect()
}

#[test]
fn what_is_lost_is_filled_to_the_sample() {
    let p = lossy(USUAL.packets());
    let cd = Stream { rate_hz: 44_100, frames: 882, ..USUAL };
    let short = Stream { frames: 480, ..USUAL };
    let mut cases = vec![
        ("exact".to_string(), USUAL, p.clone()),
        ("44.1 kHz".into(), cd, lossy(cd.packets())),
        ("in 10 ms".into(), short, lossy(short.packets())),
        ("whole ms".into(), cd, coarse(lossy(cd.packets()))),
        ("from 0.7 s".into(), USUAL, moved(p.clone(), |_| 700 * MS)),
        ("swapped pairs".into(), USUAL, lossy(overtaken(USUAL.packets(), 30, 1))),
        ("+100 ppm".into(), USUAL, drifting(p.clone(), 100)),
        ("-300 ppm".into(), USUAL, drifting(p.clone(), -300)),
        ("every third late".into(), USUAL, moved(p.clone(), |n| i64::from(n % 3 == 2) * 5 * MS)),
    ];
    for (ms, seed) in [(1, 0), (2, 1), (3, 2), (5, 3), (5, 4)] {
        cases.push((format!("+-{ms} ms, {seed}"), USUAL, jittered(p.clone(), ms * MS, seed)));
    }
    let mut wrong = Vec::new();
    for (name, stream, packets) in cases {
        let (heard, due) = (hear(stream, 40, &packets), 60 * u64::from(stream.frames));
        if (heard.filled, heard.steps) != (due, 0) {
            wrong.push(format!("{name}: {due} frames are lost, {heard:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_loss_within_the_tolerance_is_filled_once_it_has_lasted_so_long() {
    let without = |lost: std::ops::Range<u64>| -> Packets {
        USUAL.packets().into_iter().filter(|(number, _)| !lost.contains(number)).collect()
    };
    // Packets 100 and so on are lost; before which packet silence comes, and of how many packets.
    let cases: [(&str, u32, Packets, Gaps); 6] = [
        ("a packet", 40, without(100..101), vec![(103, 1)]),
        ("two packets", 40, without(100..102), vec![(104, 2)]),
        ("more than the tolerance", 40, without(100..103), vec![(103, 3)]),
        ("600 ms", 40, without(100..130), vec![(130, 30)]),
        ("no tolerance", 0, without(100..101), vec![(101, 1)]),
        ("half a second of it", 500, without(100..101), vec![(126, 1)]),
    ];
    let mut wrong = Vec::new();
    for (name, tolerance_ms, packets, gaps) in cases {
        let heard = hear(USUAL, tolerance_ms, &packets);
        let want: Vec<(u64, u64)> = gaps.iter().map(|(at, packets)| (*at, packets * 960)).collect();
        if heard.gaps != want {
            wrong.push(format!("{name}: {heard:?}, expected {want:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_gap_that_is_no_whole_packet_is_filled_as_it_is() {
    // 7 ms and 63 ms, seen by exact clocks; and one of more than a second, which only moves the origin.
    let off =
        |n: u64| [0, 7, 70, 5_070][usize::from(n >= 500) + usize::from(n >= 1_000) + usize::from(n >= 2_000)];
    let heard = hear(USUAL, 40, &moved(USUAL.packets(), |n| off(n) * MS));
    assert_eq!((heard.filled, heard.steps), (70 * 48, 1), "{heard:?}");
}
