//! Audio of one session becomes one item where it goes on, and nowhere else.

use super::*;
use crate::base::time::{frames_to_us, us_to_frames};
use crate::media::block::Block;
use crate::media::sound::Sound;
use crate::scene::Format;

const WIDE: Format = Format { rate_hz: 16_000, channels: 1 };
const STEREO: Format = Format { rate_hz: 44_100, channels: 2 };

/// Name, merge, ranges in milliseconds, format, what goes.
type Row<'a> = (&'a str, Merge, &'a [(u64, u64)], Format, &'a str);
type Change = fn(&mut Call);

fn joining(ensure_continuity: bool, max_gap_ms: u64) -> Merge {
    Merge::Audio { ensure_continuity, max_gap_us: max_gap_ms * 1_000 }
}

/// What was heard of session 0 in these milliseconds: samples of `value`, in blocks of 20 ms.
fn heard(part: u32, (from_ms, to_ms): (u64, u64), format: Format) -> Call {
    let frames = us_to_frames((to_ms - from_ms) * 1_000, format.rate_hz) as usize;
    let samples = vec![(part + 1) as f32; frames * usize::from(format.channels)];
    let block = format.rate_hz as usize / 50 * usize::from(format.channels);
    let blocks = samples.chunks(block).map(Block::from_samples).collect();
    let from_us = from_ms * 1_000;
    let to_us = from_us + frames_to_us(frames as u64, format.rate_hz);
    let audio = Some(Sound { format, blocks });
    Call { text: "".into(), audio, from_us, to_us, ..call(0, part, 0) }
}

/// An item as runs of equal samples: part and sample frames, 0 = silence; and its range in milliseconds.
fn told(call: &Call) -> String {
    let sound = call.audio.as_ref().expect("it has audio");
    let channels = usize::from(sound.format.channels);
    let samples: Vec<f32> = sound.samples().collect();
    assert_eq!(sound.frames() as usize * channels, samples.len());
    let mut runs: Vec<(f32, usize)> = Vec::new();
    for sample in samples {
        match runs.last_mut() {
            Some((value, count)) if *value == sample => *count += 1,
            _ => runs.push((sample, 1)),
        }
    }
    let most = sound.format.rate_hz as usize / 50 * channels;
    assert!(sound.blocks.iter().all(|block| block.len() <= most), "blocks are of at most 20 ms");
    let runs: Vec<String> = runs.iter().map(|(value, n)| format!("{value}x{}", n / channels)).collect();
    format!("{}-{} {}", call.from_us / 1_000, call.to_us.div_ceil(1_000), runs.join("+"))
}

/// The items that go when all that wait may go.
fn items(merge: Merge, calls: Vec<Call>) -> String {
    let mut queue = BatchQueue::new(BatchPolicy { min: 1, max: 100, bound: 100, merge, ..policy() });
    let (mut batch, mut settled) = (Vec::new(), Vec::new());
    let count = calls.len();
    calls.into_iter().for_each(|call| queue.push(call, 0, &mut settled));
    queue.flush(0, 0, &mut batch, &mut settled);
    assert_eq!(batch.len() + settled.len(), count, "{settled:?}");
    batch.iter().map(told).collect::<Vec<_>>().join(" | ")
}

#[test]
fn audio_becomes_one_where_it_goes_on() {
    let pieces = |ranges: &[(u64, u64)], format| -> Vec<Call> {
        ranges.iter().zip(0..).map(|(range, part)| heard(part, *range, format)).collect()
    };
    let rows: [Row<'_>; 13] = [
        ("goes on", joining(true, 0), &[(0, 100), (100, 150)], WIDE, "0-150 1x1600+2x800"),
        ("three", joining(true, 0), &[(0, 100), (100, 150), (150, 160)], WIDE, "0-160 1x1600+2x800+3x160"),
        ("no gap allowed", joining(true, 0), &[(0, 100), (101, 150)], WIDE, "0-100 1x1600 | 101-150 2x784"),
        ("gap filled", joining(true, 20), &[(0, 100), (120, 150)], WIDE, "0-150 1x1600+0x320+2x480"),
        ("1 ms filled", joining(true, 20), &[(0, 100), (101, 150)], WIDE, "0-150 1x1600+0x16+2x784"),
        ("gap too long", joining(true, 20), &[(0, 100), (121, 150)], WIDE, "0-100 1x1600 | 121-150 2x464"),
        ("longest gap", joining(true, 100), &[(0, 100), (200, 220)], WIDE, "0-220 1x1600+0x1600+2x320"),
        (
            "gaps between all",
            joining(true, 50),
            &[(0, 100), (150, 200), (210, 220), (300, 310)],
            WIDE,
            "0-220 1x1600+0x800+2x800+0x160+3x160 | 300-310 4x160",
        ),
        ("overlap", joining(true, 100), &[(0, 100), (99, 150)], WIDE, "0-100 1x1600 | 99-150 2x816"),
        ("gaps do not matter", joining(false, 0), &[(0, 100), (900, 950)], WIDE, "0-950 1x1600+2x800"),
        ("nor overlaps", joining(false, 0), &[(0, 100), (50, 150)], WIDE, "0-150 1x1600+2x1600"),
        ("stereo, odd rate", joining(true, 0), &[(0, 100), (100, 150)], STEREO, "0-150 1x4410+2x2205"),
        (
            "stereo, gap filled",
            joining(true, 30),
            &[(0, 100), (110, 150)],
            STEREO,
            "0-150 1x4410+0x441+2x1764",
        ),
    ];
    let wrong: Vec<String> = rows
        .into_iter()
        .filter_map(|(name, merge, ranges, format, want)| {
            let got = items(merge, pieces(ranges, format));
            (got != want).then(|| format!("{name}: {got}\n  wanted {want}"))
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn audio_of_another_origin_stays_apart_however_near() {
    let follows = |change: Change| {
        let mut second = heard(1, (100, 150), WIDE);
        change(&mut second);
        vec![heard(0, (0, 100), WIDE), second]
    };
    let rows: [(&str, Change); 5] = [
        ("session", |call| call.key.session = SessionId(1)),
        ("opening", |call| call.key.generation = 2),
        ("node", |call| call.key.node = NodeId(1)),
        ("segment", |call| call.key.segment.serial = 2),
        ("revision", |call| call.key.revision = 2),
    ];
    for merge in [joining(true, 100), joining(false, 0)] {
        assert_eq!(items(merge.clone(), follows(|_| {})), "0-150 1x1600+2x800");
        for (name, change) in rows {
            let got = items(merge.clone(), follows(change));
            assert_eq!(got, "0-100 1x1600 | 100-150 2x800", "{name}");
        }
    }
    assert_eq!(items(Merge::Separate, follows(|_| {})), "0-100 1x1600 | 100-150 2x800");
}

#[test]
fn an_item_of_audio_has_half_a_minute_at_most() {
    let second = |part: u32| Call {
        audio: None,
        ..heard(part, (u64::from(part) * 1_000, 1_000 * u64::from(part + 1)), WIDE)
    };
    let mut queue =
        BatchQueue::new(BatchPolicy { min: 1, max: 100, bound: 100, merge: joining(true, 0), ..policy() });
    let (mut batch, mut settled) = (Vec::new(), Vec::new());
    (0..75).for_each(|part| queue.push(second(part), 0, &mut settled));
    queue.flush(0, 0, &mut batch, &mut settled);
    let ranges: Vec<_> =
        batch.iter().map(|call| (call.from_us / 1_000_000, call.to_us / 1_000_000)).collect();
    assert_eq!(ranges, [(0, 30), (30, 60), (60, 75)], "without audio of its own a call has its range");
    assert_eq!(SOUND_MAX_US, 30_000_000);
}

#[test]
fn at_the_bound_the_oldest_two_that_go_on_become_one() {
    let rows = [
        ("goes on", (100, 150), "0-150 1x1600+2x800 | 400-420 3x320", "Merged"),
        ("gap filled", (120, 150), "0-150 1x1600+0x320+2x480 | 400-420 3x320", "Merged"),
        // Nothing goes on: the oldest is lost, and said to be.
        ("gap too long", (200, 250), "200-250 2x800 | 400-420 3x320", "Dropped"),
    ];
    for (name, range, want, fate) in rows {
        let overflow = OverflowPolicy::MergeOnOverflow;
        let mut queue =
            BatchQueue::new(BatchPolicy { bound: 2, merge: joining(true, 20), overflow, ..policy() });
        let mut settled = Vec::new();
        let calls = [heard(0, (0, 100), WIDE), heard(1, range, WIDE), heard(2, (400, 420), WIDE)];
        calls.into_iter().for_each(|call| queue.push(call, 0, &mut settled));
        let mut batch = Vec::new();
        queue.flush(0, 0, &mut batch, &mut Vec::new());
        assert_eq!(batch.iter().map(told).collect::<Vec<_>>().join(" | "), want, "{name}");
        assert!(format!("{settled:?}").starts_with(&format!("[{fate}")), "{name}: {settled:?}");
    }
}

#[test]
fn a_copy_of_a_call_shares_its_samples() {
    let call = heard(0, (0, 20), WIDE);
    let copy = call.clone();
    let place = |call: &Call| call.audio.as_ref().expect("it has audio").blocks[0].samples().as_ptr();
    assert_eq!(place(&call), place(&copy));
}
