//! Sound both ways costs a connection no allocation once it is warm: neither the client's audio on its way in, nor the
//! answer on its way out. Alone in its program, so that nobody else's allocations are counted.

#[path = "support/law.rs"]
#[expect(dead_code, reason = "nothing is judged here")]
mod law;
#[path = "support/realtime_call.rs"]
mod realtime_call;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mynah_dialects::pcm::Encoding;
use mynah_dialects::realtime::{Realtime, RealtimeConfig};
use mynah_dialects::{Dialect, Opened, Output};
use mynah_engine::{Engine, EngineConfig};
use realtime_call::{TICK_US, assistant, spoken, voice_assistant};

#[global_allocator]
static ALLOCATOR: mynah_alloc::Counting = mynah_alloc::Counting;

/// Messages with 40 ms of audio each.
fn messages(samples: &[f32]) -> Vec<String> {
    let message = |piece: &[f32]| {
        let mut bytes = Vec::new();
        Encoding::S16.encode(piece, &mut bytes);
        format!(r#"{{"type":"input_audio_buffer.append","audio":"{}"}}"#, STANDARD.encode(bytes))
    };
    samples.chunks(960).map(message).collect()
}

/// A connection, and what its polls have brought.
struct Connection {
    engine: Engine,
    client: Realtime,
    now_us: u64,
    sounds: u64,
    texts: u64,
    /// Allocations of messages with sound, both ways.
    allocations: u64,
}

impl Connection {
    fn poll(&mut self) {
        loop {
            let before = mynah_alloc::of_thread().allocations;
            let spec = match self.client.poll(self.now_us) {
                Output::Open(spec) => spec,
                Output::Text { sound_us: 1.., .. } => {
                    self.sounds += 1;
                    self.allocations += mynah_alloc::of_thread().allocations - before;
                    continue;
                }
                Output::Text { .. } => {
                    self.texts += 1;
                    continue;
                }
                Output::Wait { .. } => return,
                Output::Binary { .. } | Output::Resume { .. } | Output::Close(_) => {
                    panic!("nothing of that is due")
                }
            };
            let session = self.engine.handle().open(*spec).expect("there is room");
            let opened = Opened { session, scene: "voice_assistant".into(), token: None, tap: None };
            self.client.opened(self.now_us, Ok(opened));
        }
    }

    fn hear(&mut self, messages: &[String]) {
        for message in messages {
            let before = mynah_alloc::of_thread().allocations;
            self.client.text(self.now_us, message);
            self.allocations += mynah_alloc::of_thread().allocations - before;
            for _ in 0..8 {
                self.poll();
                self.now_us += TICK_US;
                self.engine.tick(self.now_us);
            }
        }
    }
}

#[test]
fn sound_allocates_nothing_once_it_is_warm() {
    let engine = Engine::new(
        voice_assistant(&[], None),
        EngineConfig { shards: Some(1), ..EngineConfig::simulated() },
    );
    let config =
        RealtimeConfig { session_name: "caller".into(), scene: assistant(), ..RealtimeConfig::default() };
    let client = Realtime::new(config);
    let mut call = Connection { engine, client, now_us: 0, sounds: 0, texts: 0, allocations: 0 };
    let question = messages(&spoken("there is a dragon behind the gate"));
    let silence = messages(&[0.0; 24_000]);
    call.hear(&question);
    call.hear(&silence);
    assert!(call.sounds > 10, "an answer sounds");
    (call.sounds, call.allocations) = (0, 0);
    let texts = call.texts;
    call.hear(&silence);
    assert!(call.sounds > 40 && call.texts < texts + 3, "{} {}", call.sounds, call.texts - texts);
    assert_eq!(call.allocations, 0, "of {} messages up and {} down", silence.len(), call.sounds);
}
