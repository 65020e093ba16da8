//! A key that is pressed, held and let go costs no allocation once warm, nor do the ticks in which it is held.
//! Alone in its program, so that nobody else's allocations are counted.

use std::sync::Arc;

use mynah_engine::scene::{Source, compile};
use mynah_engine::speech::{GateMode, GateOverrides};
use mynah_engine::{Control, ControlIn, Engine, EngineConfig, Out, SessionSpec};

#[global_allocator]
static ALLOCATOR: mynah_alloc::Counting = mynah_alloc::Counting;

const SCENE: &str = r#"(
    name: "key",
    session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
    nodes: [(id: "gate", kind: VadGate(pad_ms: 100))],
    edges: [("input", "gate"), ("gate", "output")],
)"#;

#[test]
fn warm_ticks_of_a_key_allocate_nothing() {
    let compiled = compile(&Source::new("key.ron", SCENE), &[], None, &mynah_systems::registry(None));
    let (plan, _) = compiled.expect("the scene is right");
    let mut engine =
        Engine::new(Arc::new(plan), EngineConfig { shards: Some(1), ..EngineConfig::simulated() });
    let none = GateOverrides { mode: GateMode::Shut, ..GateOverrides::default() };
    let own = GateOverrides { min_silence_ms: Some(500.0), ..none };
    let spec = |name: &str, gate| SessionSpec { gate, ..SessionSpec::named(name) };
    let handles =
        [spec("scene's", none), spec("own", own)].map(|spec| engine.handle().open(spec).expect("room"));
    let samples: Vec<f32> = (0..320).map(|at| 0.3 * (at as f32 * 0.3).sin()).collect();
    let (mut cold, mut warm, mut heard) = (0, [0; 3], 0);
    for frame in 0..2_000_u64 {
        for handle in &handles {
            handle.try_push(&samples).expect("there is credit");
            // Shut at rest, held for 300 ms of 400; every other time the turn ends with the key held.
            let control = match frame % 40 {
                0 | 20 => Some(Control::Gate { mode: GateMode::Open }),
                15 | 35 => Some(Control::Gate { mode: GateMode::Shut }),
                30 => Some(Control::EndTurn),
                _ => None,
            };
            if let Some(control) = control {
                handle.control(ControlIn { message_id: frame + 1, control }).expect("there is room");
            }
        }
        for tick in 1..=4 {
            let before = mynah_alloc::allocations();
            engine.tick(frame * 20_000 + tick * 5_000);
            let made = mynah_alloc::allocations() - before;
            match frame / 500 {
                0 => cold += made,
                third => warm[third as usize - 1] += made,
            }
        }
        for handle in &handles {
            while let Some(out) = handle.poll() {
                if let Out::Audio(audio) = out {
                    heard += audio.block.len();
                    handle.give_back(audio.block);
                }
            }
        }
    }
    assert!(cold > 0 && heard > 16_000 * 20, "the allocator counts, and {heard} samples were heard");
    // What the test's own program allocates beside it falls into one of three.
    let none = warm.iter().filter(|allocations| **allocations == 0).count();
    assert!(none >= 2, "allocations in ten seconds, three times: {warm:?} ({cold} in the first)");
}
