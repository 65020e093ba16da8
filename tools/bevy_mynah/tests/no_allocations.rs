//! A sound device's thread allocates nothing and frees nothing: while characters come, hear, speak and go.

mod support;

use bevy_mynah::{Feed, Format, Run, Say, Voice, VoiceCommands, VoiceInput, VoiceOutput};
use support::{GUARD, MONO, add_scene, app, recording, settings};

#[global_allocator]
static ALLOCATOR: mynah_alloc::Counting = mynah_alloc::Counting;

const DEVICE: Format = Format { rate_hz: 48_000, channels: 2 };
/// Sample frames of the device in a frame of the game.
const PIECE: usize = 768;

#[test]
fn a_devices_thread_allocates_and_frees_nothing() {
    let mut app = app(settings(Run::InFrame));
    let scene = add_scene(&mut app, GUARD);
    let (mut microphone, feed) = Feed::new(MONO);
    let (mut readers, mut npcs) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        let output = VoiceOutput::new(DEVICE);
        readers.extend(output.take_reader());
        let npc =
            app.world_mut().spawn((Voice::new(scene.clone()), VoiceInput::always(feed.clone()), output)).id();
        app.world_mut().commands().entity(npc).say("Halt! Who goes there?", Say::default());
        npcs.push(npc);
    }
    let (mut out, mut sounded, mut heard) = (vec![0.0; 2 * PIECE], 0, 0);
    for (at, frame) in recording("turns.wav", 100).iter().enumerate() {
        match at {
            100 => drop(app.world_mut().despawn(npcs[0])),
            150 => drop(app.world_mut().entity_mut(npcs[1]).remove::<bevy_mynah::VoiceSession>()),
            200 => drop(app.world_mut().entity_mut(npcs[2]).remove::<VoiceInput>()),
            _ => {}
        }
        app.update();
        let before = mynah_alloc::of_thread();
        heard += microphone.push(frame).expect("whole frames").heard;
        for reader in &mut readers {
            sounded += reader.read(&mut out).frames;
        }
        let after = mynah_alloc::of_thread();
        assert_eq!(before, after, "frame {at}");
    }
    assert!(sounded > 48_000 && heard > 400, "{sounded} {heard}");
}
