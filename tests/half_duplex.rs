//! What counts while a host's line sounds: judged by when a sound was recorded, whatever brings it in; the host's word
//! wins; and whatever the settings, segments keep their law.

#[path = "support/ends.rs"]
mod ends;
#[path = "support/host.rs"]
mod host;

use std::sync::Arc;

use ends::Player;
use host::{Host, findings};
use mynah_engine::edge::Line;
use mynah_engine::media::Clip;
use mynah_engine::scene::{Format, Override, Source, compile};
use mynah_engine::speech::GateMode;
use mynah_engine::{Control, EngineConfig, Event, Say, ScenePlan, SessionSpec};
use mynah_systems::service::Script;

/// Lines of the host's own; what the caller says is heard, and not answered.
const SCENE: &str = r#"(
    name: "lines",
    session: (input: (rate_hz: 16000), output: (release: Immediately, pace: RealTime(lead_ms: 20))),
    nodes: [
        (id: "gate", kind: VadGate(vad: Energy, pad_ms: 100, half_duplex: true)),
        (id: "asr", kind: Service(service: "asr", task: Transcribe)),
        (id: "tts", kind: Service(service: "tts", task: Synthesize)),
    ],
    edges: [("input", "gate"), ("gate", "asr"), ("asr", "tts"), ("said", "tts"), ("tts", "output")],
    services: {
        "asr": (output: SimulatedTranscript, timing: (latency: Fixed(ms: 20))),
        "tts": (output: FliteVoice, timing: (latency: Fixed(ms: 20))),
    },
)"#;
const TAIL_MS: u64 = 300;

/// Nothing of what is heard is a word.
struct Wordless;

impl Script for Wordless {
    fn heard(&self, _: &str, _: u64, _: u64) -> Option<String> {
        Some(String::new())
    }
}

fn plan(sets: &[&str]) -> Arc<ScenePlan> {
    let sets: Vec<Override> = sets.iter().map(|set| Override::parse(set).expect("a setting")).collect();
    let registry = mynah_systems::registry(Some(Arc::new(Wordless)));
    let made = compile(&Source::new("lines.ron", SCENE), &sets, None, &registry);
    Arc::new(made.unwrap_or_else(|found| panic!("{found}")).0)
}

fn lines(sets: &[&str]) -> Host {
    Host::of(plan(sets), EngineConfig::simulated()).with(SessionSpec::named("caller"))
}

/// A recording that nothing interrupts.
fn line(ms: usize) -> Control {
    let format = Format { rate_hz: 16_000, channels: 1 };
    let samples: Vec<f32> = (0..ms * 16).map(|at| 0.3 * (at as f32 * 0.2).sin()).collect();
    let clip = Clip { subtitle: "La.".into(), format, samples: samples.into() };
    let say = Say { interruptible: false, wait: false, ..Say::default() };
    Control::Say(Line { words: clip.into(), say }.into())
}

/// A microphone that hears `(from_ms, to_ms)` as loud sounds, and a room.
fn sounds(ms: usize, loud: &[(usize, usize)]) -> Vec<f32> {
    let level =
        |at: usize| if loud.iter().any(|(from, to)| (*from..*to).contains(&(at / 16))) { 0.4 } else { 1e-4 };
    (0..ms * 16).map(|at| level(at) * (at as f32 * 0.37).sin()).collect()
}

/// Pushes `samples` in chunks of `chunk_ms`, in time; `at_ms` acts before each tick.
fn hear(host: &mut Host, samples: &[f32], chunk_ms: u64, mut at_ms: impl FnMut(&mut Host, u64)) {
    for chunk in samples.chunks(chunk_ms as usize * 16) {
        for _ in 0..chunk_ms * 1_000 / host.tick_us {
            let next_ms = (host.now_us() + host.tick_us) / 1_000;
            at_ms(host, next_ms);
            if next_ms.is_multiple_of(chunk_ms) {
                host.sessions[0].try_push(chunk).expect("there is room");
            }
            host.tick();
        }
    }
}

/// Where segments begin, in milliseconds of media time; those that go on with one that was too long are none.
fn opened(host: &Host) -> Vec<u64> {
    let mut splits = false;
    let opened = host.events(|event| match event {
        Event::SegmentOpened { from_us, .. } => Some(*from_us / 1_000),
        Event::SegmentEnded { split: true, .. } => Some(u64::MAX),
        _ => None,
    });
    let begun = opened.into_iter().filter(|(.., from_ms)| {
        let goes_on = std::mem::replace(&mut splits, *from_ms == u64::MAX);
        !goes_on && *from_ms != u64::MAX
    });
    begun.map(|(.., from_ms)| from_ms).collect()
}

/// When lines sound, in milliseconds.
fn sounding(host: &Host) -> Vec<(u64, u64)> {
    let mut stretches: Vec<(u64, u64)> = Vec::new();
    let mut until_us = 0;
    for sound in &host.sounds {
        let from_us = sound.t_us.max(until_us);
        until_us = from_us + sound.samples.len() as u64 * 1_000 / 16;
        match stretches.last_mut() {
            Some((_, until)) if from_us / 1_000 <= *until + 20 => *until = until_us / 1_000,
            _ => stretches.push((sound.t_us / 1_000, until_us / 1_000)),
        }
    }
    stretches
}

#[test]
fn a_sound_counts_by_when_it_was_recorded_however_it_comes() {
    let bursts: Vec<(usize, usize)> = (0..14).map(|at| (300 + at * 530, 500 + at * 530)).collect();
    let samples = sounds(8_000, &bursts);
    let run = |chunk_ms| {
        let mut host = lines(&[]);
        hear(&mut host, &samples, chunk_ms, |host, at_ms| match at_ms {
            1_000 => host.say(0, line(1_500)),
            4_000 => host.say(0, line(700)),
            _ => {}
        });
        host.finish();
        (opened(&host), sounding(&host))
    };
    let (opened, sounding) = run(20);
    assert_eq!(sounding.len(), 2, "{sounding:?}");
    let deaf = |at: usize| sounding.iter().any(|(from, to)| (*from..to + TAIL_MS).contains(&(at as u64)));
    let heard = bursts.iter().filter(|(from, to)| !deaf(*from) || !deaf(*to)).count();
    assert!(opened.len() == heard && heard < bursts.len() - 4, "{opened:?} {sounding:?}");
    for chunk_ms in [5, 10, 40, 100, 200, 500, 800] {
        let again = run(chunk_ms);
        assert_eq!(again.1, sounding, "{chunk_ms} ms");
        // A segment begins with a whole frame: 5 and 10 ms make shorter ones.
        let near = |(a, b): (&u64, &u64)| a.abs_diff(*b) < 20;
        let same = again.0.len() == opened.len() && again.0.iter().zip(&opened).all(near);
        assert!(same && (chunk_ms < 20 || again.0 == opened), "{chunk_ms} ms: {:?}, not {opened:?}", again.0);
    }
}

#[test]
fn what_is_open_when_a_line_begins_is_not_cut() {
    // With a pause of 200 ms in the first, and 500 ms between them.
    let samples = sounds(6_000, &[(800, 2_000), (2_200, 3_000), (3_500, 4_900)]);
    for sets in [&[][..], &["gate.speculate=false"], &["gate.forward=Always"]] {
        let mut host = lines(sets);
        hear(&mut host, &samples, 20, |host, at_ms| {
            if at_ms == 1_500 {
                host.say(0, line(2_500));
            }
        });
        host.finish();
        let ended = host.events(|event| match event {
            Event::SegmentEnded { speech_to_us, .. } => Some(*speech_to_us / 1_000),
            _ => None,
        });
        // The first goes on to its end, and the second is heard from the end of the tail on.
        let [(.., first), (.., second)] = ended[..] else { panic!("{sets:?}: {ended:?}") };
        assert!(first.abs_diff(3_000) < 60 && second.abs_diff(4_900) < 60, "{sets:?}: {ended:?}");
        let confirmed = host.events(|event| match event {
            Event::SegmentConfirmed { from_us, .. } => Some(*from_us / 1_000),
            _ => None,
        });
        let quiet_ms = sounding(&host)[0].1 + TAIL_MS;
        assert_eq!(confirmed.len(), 2, "{sets:?}");
        let (.., from_ms) = confirmed[1];
        assert!(
            (quiet_ms - 20..quiet_ms + 40).contains(&from_ms),
            "{sets:?}: {from_ms}, quiet at {quiet_ms}"
        );
    }
}

#[test]
fn the_hosts_word_wins() {
    let samples = sounds(5_000, &[(1_200, 4_000)]);
    for sets in [
        &[][..],
        &["gate.speculate=false"],
        &["gate.forward=Always"],
        &[
            "gate.half_duplex=false",
            "gate.raise_threshold_while_speaking=1",
            "gate.raise_level_while_speaking_db=40",
        ],
    ] {
        let mut host = lines(sets);
        hear(&mut host, &samples, 20, |host, at_ms| match at_ms {
            1_000 => host.say(0, line(3_000)),
            2_000 => host.say(0, Control::Gate { mode: GateMode::Open }),
            2_600 => host.say(0, Control::Gate { mode: GateMode::Shut }),
            _ => {}
        });
        host.finish();
        let held = host.events(|event| match event {
            Event::SegmentConfirmed { from_us, .. } => Some(*from_us / 1_000),
            _ => None,
        });
        let ended = host.events(|event| match event {
            Event::SegmentEnded { from_us, to_us, .. } => Some((*from_us / 1_000, *to_us / 1_000)),
            _ => None,
        });
        let [(_, t_us, _)] = held[..] else { panic!("{sets:?}: {held:?}") };
        let [(.., (from_ms, to_ms))] = ended[..] else { panic!("{sets:?}: {ended:?}") };
        assert!((2_000_000..2_025_000).contains(&t_us), "{sets:?}: {t_us}");
        // What was heard before the key is the line; where nothing is deaf, it is pre-roll.
        let from_least = if sets.len() == 3 { 1_880 } else { 1_980 };
        assert!(from_ms >= from_least && to_ms.abs_diff(2_600) <= 20, "{sets:?}: {ended:?}");
        findings(&host.imbalances());
        host.nothing_left();
    }
}

/// The line waits in the ring of an audio callback that has stopped, and is heard when it goes on.
#[test]
fn what_a_callback_has_not_read_is_still_to_be_heard() {
    let mut player =
        Player::of(plan(&[]), SessionSpec { lead_ms: Some(800), ..SessionSpec::named("caller") });
    player.ticks(100);
    let Control::Say(line) = line(700) else { panic!("it is a line") };
    player.control.say(line.words.clone(), line.say).expect("the scene plays it");
    player.ticks(40);
    player.reads = false;
    // Two seconds later, by the engine's clock, all of it is long over.
    player.ticks(400);
    player.reads = true;
    player.speak(&sounds(200, &[(0, 200)]));
    player.ticks(100);
    let opened = |player: &Player| {
        player.records.iter().filter(|record| matches!(record.event, Event::SegmentOpened { .. })).count()
    };
    assert_eq!(opened(&player), 0, "the rest of the line sounds");
    player.ticks(100);
    player.speak(&sounds(200, &[(0, 200)]));
    player.ticks(100);
    assert_eq!(opened(&player), 1);
}

/// Numbers from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// Settings, sounds, lines and messages of a host by chance; what is wrong with what came of it.
fn by_chance(seed: u64) -> Vec<String> {
    let mut dice = Dice(seed);
    let pick = |dice: &mut Dice, of: &[&str]| of[dice.below(of.len() as u64) as usize].to_owned();
    let forward = pick(&mut dice, &["OnOnset", "Always"]);
    let speculate = forward == "Always" || dice.below(2) == 0;
    let deaf = dice.below(3) > 0;
    let sets = [
        format!("gate.half_duplex={deaf}"),
        format!("gate.raise_threshold_while_speaking={}", pick(&mut dice, &["0", "0.95", "1"])),
        format!("gate.raise_level_while_speaking_db={}", pick(&mut dice, &["0", "6", "40"])),
        format!("gate.echo_tail_ms={}", pick(&mut dice, &["20", "300", "1000"])),
        format!("gate.forward={forward}"),
        format!("gate.speculate={speculate}"),
        format!("gate.max_segment_ms={}", pick(&mut dice, &["200", "30000"])),
        format!("session.output.release={}", pick(&mut dice, &["OnConfirm", "Immediately"])),
        format!("session.output.interrupt_min_ms={}", pick(&mut dice, &["None", "300"])),
    ];
    let tail_ms: u64 = sets[3].split_once('=').expect("it is set").1.parse().expect("a number");
    let mut at = 0;
    let loud: Vec<(usize, usize)> = std::iter::from_fn(|| {
        let from = at + dice.below(900) as usize;
        at = from + 20 + dice.below(700) as usize;
        (at < 8_000).then_some((from, at))
    })
    .collect();
    let messages = dice.below(2) == 0;
    let chunk_ms = [5, 20, 40, 100, 500][dice.below(5) as usize];
    let mut host = lines(&sets.iter().map(String::as_str).collect::<Vec<_>>());
    hear(&mut host, &sounds(8_000, &loud), chunk_ms, |host, _| {
        let control = match dice.below(300) {
            0 => {
                let say =
                    Say { interruptible: dice.below(2) == 0, wait: dice.below(2) == 0, ..Say::default() };
                let Control::Say(line) = line(100 + dice.below(2_000) as usize) else { return };
                Control::Say(Line { say, ..Line::clone(&line) }.into())
            }
            1 if messages => Control::Gate { mode: GateMode::Open },
            2 if messages => Control::Gate { mode: GateMode::Shut },
            3..5 if messages => Control::Gate { mode: GateMode::Auto },
            5 if messages => Control::EndTurn,
            6 if messages => Control::Discard,
            _ => return,
        };
        host.say(0, control);
    });
    host.finish_within(6_000);
    let mut wrong = lawless(&host);
    if deaf && !messages && forward == "OnOnset" {
        for from_ms in opened(&host) {
            let inside = |(from, until): &&(u64, u64)| {
                (from + 32..(until + tail_ms).saturating_sub(80)).contains(&from_ms)
            };
            wrong.extend(sounding(&host).iter().find(inside).map(|line| format!("{from_ms} in {line:?}")));
        }
    }
    wrong.extend(host.imbalances());
    host.nothing_left();
    wrong.into_iter().map(|what| format!("seed {seed} {sets:?}: {what}")).collect()
}

/// Every segment gets one verdict, and one end if that is speech; it opens before that, and one after the other.
fn lawless(host: &Host) -> Vec<String> {
    let mut wrong = Vec::new();
    // The segment that is open, whether it is speech, and the revision that is suspected to be its end.
    let mut open: Option<(u32, bool, u32)> = None;
    let mut last = 0;
    for record in &host.records {
        let right = match (&record.event, open) {
            (Event::SegmentOpened { segment, .. }, None) => {
                open = Some((*segment, false, 0));
                *segment == std::mem::replace(&mut last, *segment) + 1
            }
            (Event::SegmentConfirmed { segment, .. }, Some((of, false, 0))) => {
                open = Some((of, true, 0));
                of == *segment
            }
            (Event::SegmentCancelled { segment, .. }, Some((of, false, 0))) => {
                open = None;
                of == *segment
            }
            (Event::Endpoint { segment, revision, .. }, Some((of, true, 0))) => {
                open = Some((of, true, *revision));
                of == *segment && *revision > 0
            }
            (Event::EndpointRetracted { segment, revision, .. }, Some((of, true, ending))) => {
                open = Some((of, true, 0));
                of == *segment && *revision == ending && ending > 0
            }
            (Event::SegmentEnded { segment, revision, .. }, Some((of, true, ending))) => {
                open = None;
                of == *segment && *revision == ending
            }
            (
                Event::SegmentOpened { .. }
                | Event::SegmentConfirmed { .. }
                | Event::SegmentCancelled { .. }
                | Event::Endpoint { .. }
                | Event::EndpointRetracted { .. }
                | Event::SegmentEnded { .. },
                _,
            ) => false,
            _ => true,
        };
        if !right {
            wrong.push(format!("{record:?} while {open:?}"));
        }
    }
    wrong.extend(open.map(|open| format!("{open:?} never ends")));
    wrong
}

#[test]
fn whatever_the_settings_segments_keep_their_law() {
    findings(&(0..150).flat_map(by_chance).collect::<Vec<_>>());
}
