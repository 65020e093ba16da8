//! The plugins.

use bevy_app::{App, Plugin, PreStartup, PreUpdate};
use bevy_asset::{AssetApp, AssetEvent, AssetServer, Assets};
use bevy_ecs::schedule::{IntoScheduleConfigs, Schedules};
use bevy_ecs::world::World;
use bevy_time::{Real, Time};
use mynah_engine::Workers;

use crate::cost::{Totals, VoiceCost};
use crate::run::{VoiceEngines, embedded, in_frame, open, own_thread, upkeep};
use crate::scene::{VoiceKinds, VoiceScene};
use crate::schedule::VoiceSystems;
use crate::settings::{Run, VoiceSettings};
use crate::{messages, routing, tell};

bevy_app::plugin_group! {
    /// All that a game with voices needs. Add it behind `TimePlugin`, and behind `AssetPlugin` and `AudioPlugin` where
    /// the game has them.
    pub struct MynahPlugins {
        :VoicePlugin,
        #[cfg(feature = "asset")]
        crate::asset:::VoiceAssetPlugin,
        #[cfg(feature = "diagnostics")]
        crate::diagnostics:::VoiceDiagnosticsPlugin,
        #[cfg(feature = "bevy_audio")]
        crate::bevy_audio:::VoiceAudioPlugin,
    }
}

/// Voices, without files, diagnostics or sound devices.
///
/// # Panics
/// When the app starts without `TimePlugin`: the voices would stand still.
#[derive(Clone, Copy, Debug, Default)]
pub struct VoicePlugin;

impl Plugin for VoicePlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<VoiceSettings>()
            .init_resource::<VoiceKinds>()
            .init_resource::<VoiceCost>()
            .init_resource::<Totals>();
        messages::register(app);
        if app.world().contains_resource::<AssetServer>() {
            app.init_asset::<VoiceScene>();
        } else {
            // Scenes from memory alone.
            app.init_resource::<Assets<VoiceScene>>().add_message::<AssetEvent<VoiceScene>>();
        }
        app.configure_sets(PreUpdate, (VoiceSystems::Open, VoiceSystems::Tick, VoiceSystems::Tell).chain());
        app.add_systems(PreStartup, start);
        app.add_systems(
            PreUpdate,
            (
                |cost: bevy_ecs::system::Res<'_, VoiceCost>| cost.reset(),
                routing::address_nearest,
                (upkeep::reconnect, upkeep::forgive),
                open::open,
                (upkeep::retire, upkeep::route),
            )
                .chain()
                .in_set(VoiceSystems::Open),
        );
        app.add_systems(PreUpdate, (upkeep::pass_unheard, tell::tell).chain().in_set(VoiceSystems::Tell));
    }
}

/// Reads the settings, and adds the systems that they ask for.
fn start(world: &mut World) {
    assert!(
        world.contains_resource::<Time<Real>>(),
        "voices need the time: add `TimePlugin` (or `MinimalPlugins`, `DefaultPlugins`) before `MynahPlugins`"
    );
    let settings = *world.resource::<VoiceSettings>();
    // Where the system refuses threads, each engine has its own one alone, and says so when it starts.
    let workers = Workers::start(settings.threads).ok();
    world.insert_resource(VoiceEngines::new(settings, workers));
    let mut schedules = world.resource_mut::<Schedules>();
    match settings.run {
        Run::OwnThread => {
            schedules.add_systems(PreUpdate, own_thread::measure.in_set(VoiceSystems::Tick));
        }
        Run::InFrame => {
            schedules.add_systems(PreUpdate, in_frame::tick.in_set(VoiceSystems::Tick));
        }
        Run::Embedded => {
            let install = embedded::install.in_set(VoiceSystems::Open).before(open::open);
            let tick = embedded::tick.in_set(VoiceSystems::Tick);
            schedules.add_systems(PreUpdate, (install, tick, embedded::tell_kept.in_set(VoiceSystems::Tell)));
        }
    }
}
