//! Makes the ends of a session that is split.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::edge::audio_in::AudioIn;
use crate::edge::audio_out::AudioOut;
use crate::edge::audio_ring::{AudioRings, InputRing, OutputRing};
use crate::edge::presence::Presence;
use crate::edge::session_control::SessionControl;
use crate::edge::session_port::SessionPort;
use crate::edge::shard_inbox::Arriving;
use crate::scene::Format;

/// Format of the silence that a session without audio output gives.
const SILENCE: Format = Format { rate_hz: 48_000, channels: 1 };

/// The ends of the session of `port`; the tick gets its ends of the rings behind all that was pushed before.
pub(super) fn ends(port: &Arc<SessionPort>, presence: Arc<Presence>) -> (AudioIn, AudioOut, SessionControl) {
    let (samples, input) = InputRing::new(port.input);
    let format = port.output.unwrap_or(SILENCE);
    let lead_ms = (port.lead_us != u32::MAX).then_some(port.lead_us / 1_000);
    let (output, ring) = OutputRing::new(format, lead_ms);
    port.events.store(true, Ordering::Release);
    let mut staging = port.staging();
    port.send_all_staged(&mut staging);
    drop(staging);
    let output = port.output.map(|_| output);
    port.end(Arriving::Split(Box::new(AudioRings { input, output })));
    (
        AudioIn { presence: Arc::clone(&presence), samples },
        AudioOut { presence: Arc::clone(&presence), format, ring, at: 0, marks: 0, turn: 0, flushed_to: 0 },
        SessionControl { presence, sent: 0 },
    )
}
