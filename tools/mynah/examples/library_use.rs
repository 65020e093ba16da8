//! One session through a scene, from a program of your own. README.md shows these lines.
#![expect(clippy::print_stdout, reason = "an example prints its result")]

use mynah_engine::{Engine, EngineConfig, Out, SessionSpec, scene};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // README: begin
    let source = scene::Source::new("gate_only.ron", include_str!("../../../scenes/gate_only.ron"));
    let (plan, _warnings) = scene::compile(&source, &[], None, &mynah_systems::registry(None))?;
    let mut engine = Engine::new(plan.into(), EngineConfig::default());
    let session = engine.handle().open(SessionSpec::named("caller"))?;
    for tick in 0..200 {
        session.try_push(&[0.0; 80])?; // the 5 ms that arrived: f32, 16 kHz, mono
        engine.tick(tick * 5_000); // the time in microseconds, from whatever clock you have
        while let Some(Out::Audio(speech)) = session.poll() {
            println!("{} samples of speech from {} us on", speech.block.len(), speech.pts_us);
            session.give_back(speech.block);
        }
    }
    // README: end
    session.close();
    Ok(())
}
