//! One session through a scene, from a program of your own. README.md shows these lines.
#![expect(clippy::print_stdout, reason = "an example prints its result")]

use mynah_engine::{Engine, EngineConfig, Out, SessionSpec, scene};
use mynah_systems::speech::flite::{Flite, VoiceStyle};

pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    // README: begin
    let source = scene::Source::new("gate_only.ron", include_str!("../../../scenes/gate_only.ron"));
    let (plan, _warnings) = scene::compile(&source, &[], None, &mynah_systems::registry(None))?;
    let mut engine = Engine::new(plan.into(), EngineConfig::simulated());
    let session = engine.handle().open(SessionSpec { controls: true, ..SessionSpec::named("caller") })?;
    let voice = Flite::new()?.speak("Could you open the door?", VoiceStyle::default())?;
    let mut arriving = voice.chunks(80); // 5 ms each: f32, 16 kHz, mono
    let (mut now_us, mut forwarded) = (0, 0); // the time comes from whatever clock you have
    while !session.is_closed() {
        match arriving.next() {
            Some(samples) => session.try_push(samples)?,
            None => session.finish(),
        }
        engine.tick(now_us);
        now_us += 5_000;
        while let Some(out) = session.poll() {
            match out {
                Out::Audio(speech) => {
                    forwarded += speech.block.len();
                    session.give_back(speech.block);
                }
                Out::Text { text, .. } => println!("{text}"),
                Out::Control(what) => println!("{what:?}"), // confirmed, ended, cancelled, closed
                Out::Event(event) => println!("{event:?}"),
            }
        }
    }
    println!("{forwarded} of {} samples are speech", voice.len());
    // README: end
    Ok(())
}
