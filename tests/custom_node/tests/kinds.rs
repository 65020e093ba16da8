//! Every kind of this crate in its scene: what goes in, and sample for sample what must come out.

use std::sync::Arc;

use mynah_engine::scene::{Source, compile};
use mynah_engine::{Engine, EngineConfig, Out, SessionHandle, SessionSpec};

struct Row {
    kind: &'static str,
    scene: &'static str,
    /// What must leave for what arrived; 16 kHz mono.
    expected: fn(&[f32]) -> Vec<f32>,
}

const ROWS: &[Row] = &[
    Row { kind: "Limiter", scene: include_str!("../scenes/limiter.ron"), expected: limited },
    Row { kind: "Tremolo", scene: include_str!("../scenes/tremolo.ron"), expected: swung },
];

/// At most 0.5; after that the gain recovers over 160 samples (10 ms).
fn limited(input: &[f32]) -> Vec<f32> {
    let mut gain = 1.0f32;
    let limit = |sample: &f32| {
        gain += (1.0 - gain) * (1.0 / 160.0);
        gain = if sample.abs() * gain > 0.5 { 0.5 / sample.abs() } else { gain };
        (sample * gain).clamp(-0.5, 0.5)
    };
    input.iter().map(limit).collect()
}

/// 4,000 samples a swing: full, a quarter in the middle, full.
fn swung(input: &[f32]) -> Vec<f32> {
    let swing = |(at, sample): (usize, &f32)| {
        let phase = (at as u64 * 1_073_741) as u32;
        let x = (phase >> 24) as f32 / 128.0 - 1.0;
        sample * (1.0 - 0.75 * (1.0 - x * x))
    };
    input.iter().enumerate().map(swing).collect()
}

/// A tone that grows from silence to full scale and falls again, one second.
fn swell() -> Vec<f32> {
    let tone = |i: i32| (i % 40 - 20) as f32 / 20.0;
    (0..16_000).map(|i| tone(i) * (8_000 - (i - 8_000).abs()) as f32 / 8_000.0).collect()
}

fn run(scene: &str, inputs: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let registry = mynah_custom_node::registry();
    let compiled = compile(&Source::new("row.ron", scene), &[], None, &registry);
    let (plan, warnings) = compiled.unwrap_or_else(|found| panic!("{found:?}"));
    assert!(warnings.is_empty(), "{warnings:?}");
    let mut engine =
        Engine::new(Arc::new(plan), EngineConfig { shards: Some(2), ..EngineConfig::simulated() });
    let open = |n: usize| engine.handle().open(SessionSpec::named(format!("s{n}"))).expect("there is room");
    let sessions: Vec<SessionHandle> = (0..inputs.len()).map(open).collect();
    let mut outputs = vec![Vec::new(); inputs.len()];
    for tick in 0..60 {
        for (session, input) in sessions.iter().zip(inputs) {
            match input.chunks(320).nth(tick) {
                Some(piece) => session.try_push(piece).expect("20 ms in 20 ms"),
                None => session.finish(),
            }
        }
        engine.tick(tick as u64 * 20_000);
        for (session, output) in sessions.iter().zip(&mut outputs) {
            while let Some(Out::Audio(audio)) = session.poll() {
                output.extend_from_slice(audio.block.samples());
            }
        }
    }
    assert!(sessions.iter().all(SessionHandle::is_closed), "the end of the stream got through");
    outputs
}

#[test]
fn every_kind_does_what_its_row_says() {
    let loud = swell();
    let soft: Vec<f32> = loud.iter().map(|s| s * 0.25).collect();
    // Three sessions, two in one shard: each has its own state.
    let inputs = [loud.clone(), soft, loud];
    let mut wrong = Vec::new();
    for row in ROWS {
        for (session, (output, input)) in run(row.scene, &inputs).iter().zip(&inputs).enumerate() {
            let expected = (row.expected)(input);
            if *output != expected {
                let at = output.iter().zip(&expected).position(|(a, b)| a != b);
                let lengths = (output.len(), expected.len());
                wrong
                    .push(format!("{}, session {session}: {lengths:?} samples, differs at {at:?}", row.kind));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_limiter_touches_only_what_is_too_loud() {
    let inputs = [swell()];
    let [output] = run(ROWS[0].scene, &inputs).try_into().expect("one session");
    let quiet = inputs[0].iter().position(|s| s.abs() > 0.5).expect("the swell is loud");
    assert_eq!(output[..quiet], inputs[0][..quiet]);
    assert!(output.iter().all(|s| s.abs() <= 0.5));
    assert!(output.contains(&0.5) || output.contains(&-0.5), "the ceiling is reached");
}

#[test]
fn settings_out_of_range_are_errors_with_the_range() {
    let cases = [
        ("ceiling: 0.5", "ceiling: 0.0", "above 0.0, at most 1.0"),
        ("recover_ms: 10", "recover_ms: 0.5", "1.0 to 1000.0"),
        ("ceiling: 0.5", "cieling: 0.5", "ceiling"),
    ];
    for (good, bad, expected) in cases {
        let scene = ROWS[0].scene.replace(good, bad);
        let source = Source::new("bad.ron", scene);
        let found = compile(&source, &[], None, &mynah_custom_node::registry()).expect_err(bad);
        let text = format!("{found:?}");
        assert!(text.contains(expected), "{bad}: {text}");
    }
}
