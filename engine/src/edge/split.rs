//! Splits a session into its ends.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::edge::audio_in::AudioIn;
use crate::edge::audio_out::AudioOut;
use crate::edge::audio_ring::{AudioRings, InputRing, OutputRing};
use crate::edge::session_control::SessionControl;
use crate::edge::session_handle::SessionHandle;
use crate::edge::shard_inbox::Arriving;
use crate::scene::Format;

/// Format of the silence that a session without audio output gives.
const SILENCE: Format = Format { rate_hz: 48_000, channels: 1 };

/// Why a session was not split. The handle comes back.
#[derive(Debug)]
pub struct SplitError(pub SessionHandle);

impl fmt::Display for SplitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session `{}` has other handles: drop the clones first", self.0.name())
    }
}

impl std::error::Error for SplitError {}

pub(super) fn split(handle: SessionHandle) -> Result<(AudioIn, AudioOut, SessionControl), SplitError> {
    if Arc::strong_count(&handle.presence) > 1 {
        return Err(SplitError(handle));
    }
    let SessionHandle { port, presence } = handle;
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
    let ends = (
        AudioIn { presence: Arc::clone(&presence), samples },
        AudioOut {
            presence: Arc::clone(&presence),
            format,
            ring,
            at: 0,
            marks: 0,
            turn: 0,
            began_at: 0,
            flushed_to: 0,
        },
        SessionControl { presence, sent: 0 },
    );
    Ok(ends)
}
