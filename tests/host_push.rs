//! The way in: whatever the size of the pieces, what was taken comes out once, in order, sample for sample; what
//! does not fit is given back.

#[path = "support/host.rs"]
mod host;

use std::sync::mpsc;

use host::{Host, one_shard, plan};
use mynah_engine::edge::Full;
use mynah_engine::scene::Format;
use mynah_engine::{Block, EngineConfig, Event, Out, PushError, SessionHandle, SessionSpec};

/// Two nodes, so that frames really move; the first queue holds a second in the smallest arrivals.
const SCENE: &str = r#"(
    name: "push",
    session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
    nodes: [
        (id: "first", kind: Pass(), capabilities: (queue_capacity: 1000)),
        (id: "second", kind: Pass(), capabilities: (queue_capacity: 1000)),
    ],
    edges: [("input", "first"), ("first", "second"), ("second", "output")],
)"#;

fn passing(config: EngineConfig) -> Host {
    Host::of(plan(SCENE, &[]), config)
}

fn open(host: &Host, name: &str, rate_hz: u32, channels: u8) -> SessionHandle {
    host.open(SessionSpec { input: Some(Format { rate_hz, channels }), ..SessionSpec::named(name) })
}

/// Ticks until `session` is closed, and collects what leaves.
fn until_closed(host: &mut Host, session: &SessionHandle, heard: &mut Vec<f32>) {
    for _ in 0..1_000 {
        host.tick();
        hear(session, heard);
        if session.is_closed() {
            return;
        }
    }
    panic!("`{}` was finished and never closed", session.name());
}

/// Appends what has left; the pts must go on where the last block ended.
fn hear(session: &SessionHandle, heard: &mut Vec<f32>) {
    let Format { rate_hz, channels } = session.input();
    while let Some(out) = session.poll() {
        let Out::Audio(audio) = out else { panic!("{out:?} out of a scene without text or speech") };
        let frames = heard.len() as u64 / u64::from(channels);
        assert_eq!(audio.pts_us, mynah_engine::base::frames_to_us(frames, rate_hz), "the stream has a gap");
        heard.extend_from_slice(audio.block.samples());
        session.give_back(audio.block);
    }
}

/// Sample `i` says that it is sample `i` (exact in f32).
fn signal(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i + 1) as f32 / 16_777_216.0).collect()
}

/// Pushes `samples` in pieces, ticking after every 20 ms or when the edge is full; what came out.
fn through(
    format: (u32, u8),
    piece: usize,
    push: impl Fn(&SessionHandle, &[f32]) -> Result<(), PushError>,
) -> Vec<f32> {
    let (rate_hz, channels) = format;
    let mut host = passing(one_shard());
    let session = open(&host, "caller", rate_hz, channels);
    let samples = signal((rate_hz as usize * 3 / 2) * usize::from(channels));
    let mut heard = Vec::new();
    let (mut since_tick, per_tick) = (0, rate_hz as usize / 50 * usize::from(channels));
    for piece in samples.chunks(piece * usize::from(channels)) {
        while let Err(refused) = push(&session, piece) {
            assert_eq!(refused, PushError::Full, "{format:?}");
            assert!(since_tick > 0, "{format:?}: refused although nothing waits");
            host.tick();
            hear(&session, &mut heard);
            since_tick = 0;
        }
        since_tick += piece.len();
        if since_tick >= per_tick {
            host.tick();
            hear(&session, &mut heard);
            since_tick = 0;
        }
    }
    session.finish();
    until_closed(&mut host, &session, &mut heard);
    heard
}

#[test]
fn every_size_of_piece_gives_the_same_stream() {
    let formats = [(16_000, 1), (48_000, 1), (44_100, 2), (11_025, 1), (8_001, 1), (48_000, 3), (192_000, 8)];
    let mut wrong = Vec::new();
    for (rate_hz, channels) in formats {
        let second = rate_hz as usize;
        let ms = |ms: usize| second * ms / 1_000;
        let sizes = [1, 7, ms(2), ms(3), ms(10) - 1, ms(20), ms(20) + 1, ms(63), ms(500), second - 1, second];
        let want = signal((rate_hz as usize * 3 / 2) * usize::from(channels));
        for piece in sizes {
            if piece == 1 && rate_hz > 16_000 {
                continue;
            }
            let heard = through((rate_hz, channels), piece, SessionHandle::try_push);
            if heard != want {
                let at = heard.iter().zip(&want).position(|(a, b)| a != b);
                wrong.push(format!(
                    "{rate_hz} Hz x {channels}, pieces of {piece}: {} of {} samples, first difference {at:?}",
                    heard.len(),
                    want.len()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_way_to_push_gives_the_same_stream() {
    let format = (16_000, 1);
    let want = signal(24_000);
    let written = through(format, 311, |session, piece| {
        session.try_push_with(piece.len(), None, |at, out| out.copy_from_slice(&piece[at..at + out.len()]))
    });
    assert_eq!(written, want, "try_push_with");
    let leased = through(format, 311, |session, piece| {
        let mut block = session.lease(piece.len());
        block.fill_from(piece);
        session.push(block).map_err(|_| PushError::Full)
    });
    assert_eq!(leased, want, "lease and push");
    // Pieces that are put together first must not be overtaken by a block that needs no putting together.
    let mixed = through(format, 39, |session, piece| {
        if ((piece[0] * 16_777_216.0) as usize).is_multiple_of(2) {
            return session.try_push(piece);
        }
        session.push(Block::from_samples(piece)).map_err(|_| PushError::Full)
    });
    assert_eq!(mixed, want, "try_push and push by turns");
    let mut host = passing(one_shard());
    let session = open(&host, "i16", 16_000, 1);
    let sixteen: Vec<i16> = (0..16_000).map(|i| (i * 7 - 32_768 + i % 5) as i16).collect();
    let mut heard = Vec::new();
    for piece in sixteen.chunks(123) {
        session.try_push_i16(piece).expect("fits");
        host.tick();
        hear(&session, &mut heard);
    }
    session.finish();
    until_closed(&mut host, &session, &mut heard);
    let want: Vec<f32> = sixteen.iter().map(|s| f32::from(*s) / 32_768.0).collect();
    assert_eq!(heard, want, "try_push_i16");
}

#[test]
fn what_is_no_piece_of_audio_is_refused() {
    let host = passing(one_shard());
    let mono = open(&host, "mono", 16_000, 1);
    let stereo = open(&host, "stereo", 16_000, 2);
    assert_eq!(mono.try_push(&[0.0; 16_001]), Err(PushError::BadLength { samples: 16_001 }), "over a second");
    assert_eq!(
        stereo.try_push(&[0.0; 32_002]),
        Err(PushError::BadLength { samples: 32_002 }),
        "over a second"
    );
    assert_eq!(stereo.try_push(&[0.0; 3]), Err(PushError::BadLength { samples: 3 }), "half a frame");
    assert_eq!(stereo.try_push_i16(&[0; 641]), Err(PushError::BadLength { samples: 641 }), "half a frame");
    assert_eq!(mono.try_push(&[]), Ok(()), "nothing is nothing");
    for (session, samples) in [(&mono, 321), (&stereo, 642), (&stereo, 319)] {
        let Full(block) = session.push(Block::zeroed(samples)).expect_err("not a block of at most 20 ms");
        assert_eq!(block.len(), samples, "the block comes back");
    }
    mono.finish();
    assert_eq!(mono.try_push(&[0.0]), Err(PushError::Ended));
    assert!(mono.push(Block::zeroed(320)).is_err());
}

#[test]
fn a_block_without_a_sample_comes_to_nothing() {
    let mut host = passing(one_shard());
    let session = open(&host, "caller", 16_000, 1);
    for block in [Block::zeroed(0), Block::zeroed(160), Block::zeroed(0)] {
        session.push(block).expect("there is room");
        host.tick();
    }
    let mut blocks = Vec::new();
    while let Some(Out::Audio(audio)) = session.poll() {
        blocks.push(audio.block.len());
    }
    assert_eq!((blocks, host.census().edge.blocks), (vec![160], 1));
}

#[test]
fn a_full_edge_gives_the_block_back_and_a_tick_makes_room() {
    let mut host = passing(one_shard());
    let session = open(&host, "caller", 16_000, 1);
    let samples = signal(16_000 * 3);
    let mut blocks = samples.chunks(320);
    let mut heard = Vec::new();
    for round in 0..3 {
        for _ in 0..50 {
            let block = Block::from_samples(blocks.next().expect("three seconds"));
            session.push(block).unwrap_or_else(|_| panic!("round {round}: a second fits"));
        }
        let Full(back) = session.push(Block::from_samples(&[0.25; 320])).expect_err("a second waits");
        assert_eq!(back.samples(), [0.25; 320], "round {round}");
        assert_eq!(session.try_push(&[0.5; 320]), Err(PushError::Full), "round {round}");
        host.tick();
        hear(&session, &mut heard);
    }
    session.finish();
    until_closed(&mut host, &session, &mut heard);
    assert_eq!(heard, samples);
}

#[test]
fn tiny_blocks_cost_what_their_place_is_worth() {
    let mut host = passing(one_shard());
    let session = open(&host, "drip", 16_000, 1);
    let samples = signal(100);
    for sample in &samples {
        session.push(Block::from_samples(&[*sample])).expect("an arrival costs 10 ms of credit");
    }
    assert!(session.push(Block::zeroed(1)).is_err(), "a hundred of them are a second");
    session.finish();
    let mut heard = Vec::new();
    until_closed(&mut host, &session, &mut heard);
    assert_eq!(heard, samples);
}

#[test]
fn the_last_crumbs_are_taken_even_when_a_second_waits() {
    let mut host = passing(one_shard());
    let session = open(&host, "caller", 16_000, 1);
    let samples = signal(16_000 + 13);
    session.try_push(&samples[..16_000]).expect("a second fits");
    session.try_push(&samples[16_000..]).expect("put together first");
    session.finish();
    let mut heard = Vec::new();
    until_closed(&mut host, &session, &mut heard);
    assert_eq!(heard.len(), samples.len());
    assert_eq!(heard, samples);
}

/// Otherwise the memory of a session would grow for as long as it lasts.
#[test]
fn blocks_are_used_again_whatever_the_size_of_the_pieces() {
    let mut host = passing(EngineConfig { shards: Some(1), sessions_max: 4, ..EngineConfig::simulated() });
    let formats = [(16_000, 1), (48_000, 1), (44_100, 2), (16_000, 1)];
    let opened =
        |(n, (rate_hz, channels)): (usize, (u32, u8))| open(&host, &format!("s{n}"), rate_hz, channels);
    let sessions: Vec<_> = formats.into_iter().enumerate().map(opened).collect();
    let mut live_pieces = |pieces_ms: usize, seconds: usize| {
        let mut addresses = std::collections::BTreeSet::new();
        for _ in 0..seconds * 1_000 / pieces_ms {
            for session in &sessions {
                let Format { rate_hz, channels } = session.input();
                let samples = rate_hz as usize * pieces_ms / 1_000 * usize::from(channels);
                session.try_push(&vec![0.1; samples]).expect("fits");
            }
            host.tick();
            for session in &sessions {
                while let Some(Out::Audio(audio)) = session.poll() {
                    addresses.insert(audio.block.samples().as_ptr() as usize);
                    session.give_back(audio.block);
                }
            }
        }
        addresses.len()
    };
    for pieces_ms in [10, 20, 5, 40] {
        live_pieces(pieces_ms, 10);
        let blocks = live_pieces(pieces_ms, 20);
        assert!(blocks <= 100, "{blocks} blocks for pieces of {pieces_ms} ms");
    }
}

#[test]
fn one_session_cannot_starve_another() {
    let mut host = passing(EngineConfig { shards: Some(1), sessions_max: 6, ..EngineConfig::simulated() });
    let sessions: Vec<_> = (0..6).map(|n| open(&host, &format!("s{n}"), 16_000, 1)).collect();
    let samples = signal(100);
    // All but the last fill their credit with the dearest arrivals, hang up often and go on knocking.
    for session in &sessions[..5] {
        while session.push(Block::zeroed(1)).is_ok() {}
    }
    for _ in 0..1_000 {
        sessions[0].close();
        sessions[1].finish();
    }
    for sample in &samples {
        let pushed = sessions[5].push(Block::from_samples(&[*sample]));
        assert!(pushed.is_ok(), "the place of a session is its own");
    }
    sessions[5].finish();
    let mut heard = Vec::new();
    until_closed(&mut host, &sessions[5], &mut heard);
    assert_eq!(heard, samples);
    assert_eq!(host.census().edge.homeless, 0, "closing twice is closing once");
}

#[test]
fn what_is_no_number_becomes_silence_and_disturbs_nobody() {
    let mut host = passing(one_shard());
    let (sick, well) = (open(&host, "sick", 16_000, 1), open(&host, "well", 16_000, 1));
    let clean = signal(3_200);
    let mut broken = clean.clone();
    for (at, value) in [(0, f32::NAN), (319, f32::INFINITY), (320, f32::NEG_INFINITY), (3_199, -f32::NAN)] {
        broken[at] = value;
    }
    sick.try_push(&broken).expect("fits");
    // A block that somebody else owns too is no way around it.
    let shared = Block::from_samples(&[1.0, f32::NAN]);
    sick.push(shared.share()).expect("fits");
    well.try_push(&clean).expect("fits");
    host.tick();
    let non_finite: Vec<_> = host
        .engine
        .records()
        .iter()
        .filter_map(|r| match r.event {
            Event::NonFinite { samples } => Some((r.session, samples)),
            _ => None,
        })
        .collect();
    let total: u64 = non_finite.iter().map(|(_, samples)| samples).sum();
    assert_eq!((total, host.census().edge.non_finite), (5, 5));
    assert!(non_finite.iter().all(|(session, _)| *session == sick.id()), "{non_finite:?}");
    let (mut heard_sick, mut heard_well) = (Vec::new(), Vec::new());
    hear(&sick, &mut heard_sick);
    hear(&well, &mut heard_well);
    let want: Vec<f32> =
        broken.iter().map(|s| if s.is_finite() { *s } else { 0.0 }).chain([1.0, 0.0]).collect();
    assert_eq!(heard_sick, want);
    assert_eq!(heard_well, clean);
}

#[test]
fn pushing_from_other_threads_while_ticking_loses_nothing() {
    for (threads, shards) in [(1, 1), (2, 3)] {
        let config = EngineConfig { threads, shards: Some(shards), ..EngineConfig::simulated() };
        let mut host = passing(config);
        let sessions: Vec<_> = (0..7).map(|n| open(&host, &format!("s{n}"), 16_000, 1)).collect();
        let samples = signal(32_000);
        let mut heard = vec![Vec::new(); sessions.len()];
        std::thread::scope(|scope| {
            for (n, session) in sessions.iter().enumerate() {
                let (session, samples) = (session.clone(), &samples);
                scope.spawn(move || {
                    for piece in samples.chunks(97 * (n + 1)) {
                        while session.try_push(piece) == Err(PushError::Full) {
                            std::thread::yield_now();
                        }
                    }
                    session.finish();
                });
            }
            while !sessions.iter().all(SessionHandle::is_closed) {
                host.tick();
                for (session, heard) in sessions.iter().zip(&mut heard) {
                    hear(session, heard);
                }
                std::thread::yield_now();
            }
        });
        for (session, heard) in sessions.iter().zip(&mut heard) {
            hear(session, heard);
            assert!(
                *heard == samples,
                "{threads} threads, {shards} shards, `{}`: {} samples",
                session.name(),
                heard.len()
            );
        }
    }
}

/// Waits for the other side without a limit in time: if the tick waited for the pusher, this would never end.
#[test]
fn a_pusher_that_stands_still_in_the_middle_of_a_push_stops_no_tick() {
    let mut host = passing(one_shard());
    let (slow, quick) = (open(&host, "slow", 16_000, 1), open(&host, "quick", 16_000, 1));
    let (inside, is_inside) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let mut heard = Vec::new();
    std::thread::scope(|scope| {
        let pusher = slow.clone();
        scope.spawn(move || {
            let pushed = pusher.try_push_with(320, None, |_, out| {
                inside.send(()).expect("the test listens");
                may_go_on.recv().expect("the test says so");
                out.fill(0.5);
            });
            pushed.expect("20 ms fit");
        });
        is_inside.recv().expect("the pusher begins");
        quick.try_push(&signal(320)).expect("fits");
        host.ticks(10);
        hear(&quick, &mut heard);
        // Hanging up does not wait for the push either.
        quick.close();
        slow.poll();
        go_on.send(()).expect("the pusher waits");
    });
    assert_eq!(heard, signal(320));
    host.tick();
    let mut late = Vec::new();
    hear(&slow, &mut late);
    assert_eq!(late, [0.5; 320]);
}
