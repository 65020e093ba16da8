//! Voices among the diagnostics of the game.

use bevy_app::{App, Last, Plugin};
use bevy_diagnostic::{Diagnostic, DiagnosticPath, Diagnostics, RegisterDiagnostic};
use bevy_ecs::system::{Query, Res};

use crate::components::VoiceSession;
use crate::cost::{Totals, VoiceCost};

/// Measures voices once a frame, under the paths below.
#[derive(Clone, Copy, Debug, Default)]
pub struct VoiceDiagnosticsPlugin;

impl VoiceDiagnosticsPlugin {
    /// What all systems of the voices took in the frame, microseconds.
    pub const FRAME_US: DiagnosticPath = DiagnosticPath::const_new("voice/frame_us");
    /// What the ticks took in the frame, microseconds; where engines have threads of their own, since the last frame, and
    /// beside it.
    pub const TICK_US: DiagnosticPath = DiagnosticPath::const_new("voice/tick_us");
    /// Times that a listener heard a hole in an answer, since the start.
    pub const HOLES: DiagnosticPath = DiagnosticPath::const_new("voice/holes");
    /// Pushes that characters had no room for, since the start.
    pub const REFUSED: DiagnosticPath = DiagnosticPath::const_new("voice/refused");
    /// Open sessions.
    pub const SESSIONS: DiagnosticPath = DiagnosticPath::const_new("voice/sessions");
}

impl Plugin for VoiceDiagnosticsPlugin {
    fn build(&self, app: &mut App) {
        app.register_diagnostic(Diagnostic::new(Self::FRAME_US).with_suffix(" us"))
            .register_diagnostic(Diagnostic::new(Self::TICK_US).with_suffix(" us"))
            .register_diagnostic(Diagnostic::new(Self::HOLES))
            .register_diagnostic(Diagnostic::new(Self::REFUSED))
            .register_diagnostic(Diagnostic::new(Self::SESSIONS))
            .add_systems(Last, measure);
    }
}

fn measure(
    mut diagnostics: Diagnostics<'_, '_>,
    sessions: Query<'_, '_, &VoiceSession>,
    cost: Res<'_, VoiceCost>,
    over: Res<'_, Totals>,
) {
    let open = |count: fn(&VoiceSession) -> u64| sessions.iter().map(count).sum::<u64>();
    diagnostics.add_measurement(&VoiceDiagnosticsPlugin::FRAME_US, || cost.frame_us());
    diagnostics.add_measurement(&VoiceDiagnosticsPlugin::TICK_US, || cost.tick_us());
    diagnostics
        .add_measurement(&VoiceDiagnosticsPlugin::HOLES, || (over.holes + open(VoiceSession::holes)) as f64);
    diagnostics.add_measurement(&VoiceDiagnosticsPlugin::REFUSED, || {
        (over.refused + open(VoiceSession::refused)) as f64
    });
    diagnostics.add_measurement(&VoiceDiagnosticsPlugin::SESSIONS, || sessions.iter().len() as f64);
}
