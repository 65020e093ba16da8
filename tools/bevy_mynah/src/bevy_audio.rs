//! Voices through Bevy's own audio.

use std::sync::Arc;
use std::time::Duration;

use bevy_app::{App, Plugin, PostUpdate};
use bevy_asset::{Asset, AssetServer, Assets};
use bevy_audio::{
    AddAudioSource, AudioPlayer, ChannelCount, Decodable, PlaybackSettings, Sample, SampleRate, Source,
};
use bevy_ecs::entity::Entity;
use bevy_ecs::query::{Added, With, Without};
use bevy_ecs::system::{Commands, Query, ResMut};
use bevy_reflect::TypePath;
use bevy_transform::components::Transform;

use crate::components::{Voice, VoiceOutput};
use crate::reader::{Outlet, VoiceReader};

/// Sample frames that are read at once: 5 ms at 48 kHz.
const PIECE: usize = 240;

/// Plays what characters with a [`VoiceOutput`] say through `AudioPlugin`: from where they stand if the output is
/// [spatial](VoiceOutput::spatial). Without `AudioPlugin` and `AssetPlugin` before it, it does nothing; without a sound
/// device what characters say passes unheard.
#[derive(Clone, Copy, Debug, Default)]
pub struct VoiceAudioPlugin;

impl Plugin for VoiceAudioPlugin {
    fn build(&self, app: &mut App) {
        let world = app.world();
        if world.contains_resource::<AssetServer>() && app.is_plugin_added::<bevy_audio::AudioPlugin>() {
            app.add_audio_source::<VoiceSound>().add_systems(PostUpdate, play);
        }
    }
}

/// A character's voice as a sound of Bevy's.
#[derive(Asset, TypePath, Clone, Debug)]
pub struct VoiceSound {
    outlet: Arc<Outlet>,
}

impl Decodable for VoiceSound {
    type Decoder = VoiceDecoder;

    /// The voice, for the first who asks and if nobody has taken the reader; others get a sound that is over.
    fn decoder(&self) -> VoiceDecoder {
        let format = self.outlet.format();
        let reader = self.outlet.take();
        let channels = ChannelCount::new(u16::from(format.channels)).unwrap_or(ChannelCount::MIN);
        let rate = SampleRate::new(format.rate_hz).unwrap_or(SampleRate::MIN);
        let piece = vec![0.0; PIECE * usize::from(format.channels.max(1))];
        VoiceDecoder { reader, at: piece.len(), piece, channels, rate }
    }
}

/// The samples of a [`VoiceSound`]: they never end.
#[derive(Debug)]
pub struct VoiceDecoder {
    reader: Option<VoiceReader>,
    piece: Vec<f32>,
    /// The next sample in the piece.
    at: usize,
    channels: ChannelCount,
    rate: SampleRate,
}

impl Iterator for VoiceDecoder {
    type Item = Sample;

    fn next(&mut self) -> Option<Sample> {
        let reader = self.reader.as_mut()?;
        if self.at == self.piece.len() {
            reader.read(&mut self.piece);
            self.at = 0;
        }
        self.at += 1;
        self.piece.get(self.at - 1).copied()
    }
}

impl Source for VoiceDecoder {
    fn current_span_len(&self) -> Option<usize> {
        None
    }

    fn channels(&self) -> ChannelCount {
        self.channels
    }

    fn sample_rate(&self) -> SampleRate {
        self.rate
    }

    fn total_duration(&self) -> Option<Duration> {
        None
    }
}

type New = (Added<VoiceOutput>, With<Voice>, Without<AudioPlayer<VoiceSound>>);

/// Gives characters with an output a player.
fn play(
    new: Query<'_, '_, (Entity, &VoiceOutput), New>,
    mut sounds: ResMut<'_, Assets<VoiceSound>>,
    mut commands: Commands<'_, '_>,
) {
    for (npc, output) in &new {
        let sound = sounds.add(VoiceSound { outlet: Arc::clone(output.outlet()) });
        let settings = PlaybackSettings::ONCE.with_spatial(output.spatial);
        let mut entity = commands.entity(npc);
        entity.try_insert((AudioPlayer(sound), settings));
        if output.spatial {
            entity.insert_if_new(Transform::default());
        }
    }
}
