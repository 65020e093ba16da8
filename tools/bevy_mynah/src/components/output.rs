//! Where a character sounds.

use std::borrow::Cow;
use std::sync::Arc;

use bevy_ecs::component::Component;
use mynah_engine::scene::Format;

use crate::reader::{Outlet, VoiceReader};

/// Where a character sounds. So long as nobody has [taken the reader](Self::take_reader), and without this component,
/// what it says passes unheard at the pace of real time.
#[derive(Component, Debug)]
pub struct VoiceOutput {
    /// Whether the sound comes from where the entity stands. With the feature `bevy_audio` it does; a mixer of the
    /// game's own reads it here.
    pub spatial: bool,
    /// Which bus of the game's mixer it goes to. For that mixer to read.
    pub bus: Cow<'static, str>,
    /// What the device reads at once, ms. Read when the session opens, as is the next.
    pub buffer_ms: u32,
    /// Time from a read until its sound, ms: headphones without wire have 200. What counts as heard follows it.
    pub latency_ms: u32,
    outlet: Arc<Outlet>,
}

/// What sound devices usually read at once, ms.
const BUFFER_MS: u32 = 10;

impl VoiceOutput {
    /// For a device of this format: 8,000 to 192,000 Hz, 1 to 8 channels.
    pub fn new(device: Format) -> Self {
        Self {
            spatial: false,
            bus: Cow::Borrowed("voice"),
            buffer_ms: BUFFER_MS,
            latency_ms: 0,
            outlet: Arc::new(Outlet::new(device)),
        }
    }

    /// The same, from where the entity stands.
    #[must_use]
    pub fn spatial(mut self) -> Self {
        self.spatial = true;
        self
    }

    /// The end that a mixer reads, once; before or after the session opens, as it likes.
    pub fn take_reader(&self) -> Option<VoiceReader> {
        self.outlet.take()
    }

    /// Format of the device.
    pub fn format(&self) -> Format {
        self.outlet.format()
    }

    pub(crate) fn outlet(&self) -> &Arc<Outlet> {
        &self.outlet
    }
}
