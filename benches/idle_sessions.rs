//! Claim: a session that says nothing costs at most 6 KB and next to no time: 50,000 of them less than 300 MB and 5 %
//! of a core. `cargo bench --bench idle_sessions`.
//!
//! Each sends 300 ms of noise, one hundred at a time, and all are silent for two seconds before anything is measured.
//! Memory is what the allocator has given out, with the hosts' ends of the sessions; time is that of the ticks, against
//! the engine time they stand for.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    missing_docs,
    unused_crate_dependencies,
    reason = "a bench: it measures, it prints, nobody calls it"
)]

use cpu_time::ThreadTime;
use mynah_engine::{Engine, EngineConfig, SessionHandle, SessionSpec};
use mynah_sim::scenes;

#[global_allocator]
static ALLOCATOR: mynah_alloc::Counting = mynah_alloc::Counting;

const TICK_US: u64 = 5_000;
/// Engine time that is measured.
const SILENCE_US: u64 = 10_000_000;

fn main() {
    println!("scene              sessions   bytes each   MB in all   % of a core (base: none open)");
    for scene in ["passthrough", "gate_only"] {
        let base = idle(scene, 0);
        for sessions in [1_000, 10_000, 50_000] {
            let (bytes, share) = idle(scene, sessions);
            let each = (bytes - base.0) as f64 / f64::from(sessions);
            let all = bytes as f64 / 1e6;
            println!(
                "{scene:<18} {sessions:>8} {each:>12.0} {all:>11.1} {:>9.2} ({:.2})",
                share * 100.0,
                base.1 * 100.0
            );
        }
    }
}

/// Live bytes, and the share of a core that ticks take.
fn idle(scene: &str, sessions: u32) -> (i64, f64) {
    let (plan, _) = scenes::compile(scene, &[], None, None).expect("it is shipped");
    let before = mynah_alloc::live_bytes();
    let config = EngineConfig { sessions_max: sessions.max(1), ..EngineConfig::simulated() };
    let mut engine = Engine::new(plan, config);
    let door = engine.handle();
    let handles: Vec<SessionHandle> = (0..sessions)
        .map(|at| door.open(SessionSpec::named(format!("caller-{at}"))).expect("there is room"))
        .collect();
    let mut now_us = 0;
    let mut tick = |engine: &mut Engine| {
        now_us += TICK_US;
        engine.tick(now_us);
    };
    tick(&mut engine);
    let quiet: [f32; 320] = std::array::from_fn(|at| 0.002 * ((at * 7_919 % 641) as f32 / 320.0 - 1.0));
    for some in handles.chunks(100) {
        for _ in 0..15 {
            for handle in some {
                handle.try_push(&quiet).expect("there is credit");
            }
            tick(&mut engine);
            for handle in some {
                while let Some(mynah_engine::Out::Audio(audio)) = handle.poll() {
                    handle.give_back(audio.block);
                }
            }
        }
    }
    (0..400).for_each(|_| tick(&mut engine));
    let began = ThreadTime::now();
    (0..SILENCE_US / TICK_US).for_each(|_| tick(&mut engine));
    let share = began.elapsed().as_secs_f64() / (SILENCE_US as f64 / 1e6);
    (mynah_alloc::live_bytes() - before, share)
}
