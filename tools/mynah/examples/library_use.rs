//! One session through a scene, from a program of your own. README.md shows these lines.
#![expect(clippy::print_stdout, reason = "an example prints its result")]

use mynah_engine::{Engine, EngineConfig, Say, SessionEvent, SessionSpec, scene};

pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    // README: begin
    let source = scene::Source::new("barge_in.ron", include_str!("../../../scenes/barge_in.ron"));
    let (plan, _warnings) = scene::compile(&source, &[], None, &mynah_systems::registry(None))?;
    let mut engine = Engine::new(plan.into(), EngineConfig::simulated());
    let session = engine.handle().open(SessionSpec::named("npc"))?;
    let (mut microphone, mut loudspeaker, mut control) = session.split()?; // each may go to a thread of its own
    control.say("Halt! Who goes there?", Say::default())?;
    let (mut now_us, mut sounded) = (0, 0); // the time comes from whatever clock you have
    while now_us < 2_500_000 {
        microphone.push(&[0.0; 80])?; // what a sound device calls: 5 ms of f32, 16 kHz, mono
        sounded += loudspeaker.read(&mut [0.0; 80]).frames;
        engine.tick(now_us);
        now_us += 5_000;
        while let Some(event) = control.poll() {
            // But not when each word and phone of it sounds, for lips to move with.
            if !matches!(event, SessionEvent::Spoken { .. }) {
                println!("{event:?}"); // speech, transcripts, lines, answers, tools, the end
            }
        }
    }
    println!("{sounded} samples of the line were played");
    // README: end
    Ok(())
}
