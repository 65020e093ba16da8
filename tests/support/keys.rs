//! A key that is pressed and let go while a microphone is open: a scene with nothing but a gate, what is sent and when,
//! and what came of it in words.
#![allow(dead_code, reason = "every test uses its own part of it")]

use mynah_engine::speech::{GateMode, GateOverrides};
use mynah_engine::{Control, Event, SessionSpec};

use crate::host::Host;

const FRAME_MS: u64 = 20;

/// A gate and nothing else; what it forwards leaves at once.
pub(crate) fn gate(settings: &str) -> String {
    format!(
        r#"(
    name: "key",
    session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
    nodes: [(id: "gate", kind: VadGate({settings}))],
    edges: [("input", "gate"), ("gate", "output")],
)"#
    )
}

pub(crate) fn caller(mode: GateMode) -> SessionSpec {
    SessionSpec { gate: GateOverrides { mode, ..GateOverrides::default() }, ..SessionSpec::named("caller") }
}

pub(crate) fn quiet(ms: u64) -> Vec<f32> {
    (0..ms * 16).map(|at| 1e-4 * (at as f32 * 0.37).sin()).collect()
}

/// A sound that the energy detector takes for speech.
pub(crate) fn tone(ms: u64) -> Vec<f32> {
    (0..ms * 16).map(|at| 0.4 * (at as f32 * 0.3).sin()).collect()
}

impl Host {
    /// Sends in real time, in pieces of so many samples, with the messages at their times (ms of engine time), each
    /// in a tick without audio, behind that of the audio up to there.
    pub(crate) fn sends(&mut self, samples: &[f32], piece: usize, messages: &[(u64, Control)]) {
        let from_us = self.now_us();
        let mut sent = 0;
        let mut messages = messages.iter().peekable();
        while sent < samples.len() || messages.peek().is_some() {
            let passed_us = self.now_us() - from_us;
            while sent < samples.len() && (sent + piece) as u64 * 1_000 / 16 <= passed_us {
                let to = samples.len().min(sent + piece);
                self.sessions[0].try_push(&samples[sent..to]).expect("there is room");
                sent = to;
            }
            self.tick();
            while let Some((_, control)) = messages.next_if(|(ms, _)| ms * 1_000 <= passed_us) {
                self.say(0, control.clone());
                self.tick();
            }
        }
    }

    /// Media of the usual length in the usual pieces.
    pub(crate) fn hears(&mut self, samples: &[f32], messages: &[(u64, Control)]) {
        self.sends(samples, FRAME_MS as usize * 16, messages);
    }

    /// What happened to segments, in words, with the millisecond of engine time.
    pub(crate) fn told(&self) -> Vec<String> {
        let told = self.records.iter().filter_map(|record| {
            let ms = record.t_us / 1_000;
            Some(match &record.event {
                Event::SegmentOpened { segment, from_us } => {
                    format!("{ms} open {segment} from {}", from_us / 1_000)
                }
                Event::SegmentConfirmed { segment, .. } => format!("{ms} speech {segment}"),
                Event::SegmentCancelled { segment, reason, .. } => {
                    format!("{ms} {} {segment}", reason.name())
                }
                Event::Endpoint { segment, revision, at_us, .. } => {
                    format!("{ms} end {segment}.{revision} at {}", at_us / 1_000)
                }
                Event::EndpointRetracted { segment, revision, .. } => {
                    format!("{ms} goes on {segment}.{revision}")
                }
                Event::SegmentEnded { segment, revision, split, .. } => {
                    format!("{ms} {} {segment}.{revision}", if *split { "split" } else { "over" })
                }
                _ => return None,
            })
        });
        told.collect()
    }

    /// The same without the times.
    pub(crate) fn told_in_order(&self) -> Vec<String> {
        self.told().iter().map(|told| told.split_once(' ').expect("a time").1.into()).collect()
    }

    pub(crate) fn at(&self, wanted: impl Fn(&Event) -> bool) -> Option<u64> {
        self.records.iter().find(|record| wanted(&record.event)).map(|record| record.t_us / 1_000)
    }
}

pub(crate) fn key(mode: GateMode) -> Control {
    Control::Gate { mode }
}

pub(crate) const DOWN: Control = Control::Gate { mode: GateMode::Open };
pub(crate) const UP: Control = Control::Gate { mode: GateMode::Shut };
