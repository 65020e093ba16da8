//! One service on the wall clock, without an engine.

use std::sync::Arc;

use mynah_engine::scene::{Catalogue, Format};
use mynah_engine::service::{
    Call, CallScope, Rehearsal, ReplyPart, ServiceKind, ServiceSite, ServiceWaker, SessionRef, TimeMode,
};
use mynah_host::clock::Epoch;

use crate::mock::rest;

/// Longer than any of these takes, however slow the machine is.
const PATIENCE_US: u64 = 120_000_000;

/// A kind of service with this configuration.
pub(crate) fn kind(name: &str, config: &str) -> Arc<dyn ServiceKind> {
    let mut registry = mynah_systems::registry(None);
    mynah_http::register(&mut registry);
    registry.parse_service(name, config).unwrap_or_else(|wrong| panic!("{config}: {wrong}"))
}

/// A service, and the time since it began.
pub(crate) struct Desk {
    pub(crate) rehearsal: Rehearsal,
    epoch: Epoch,
}

/// What of an answer was told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Text, tool calls and the end, a line each but text that follows text.
    pub(crate) lines: Vec<String>,
    /// All audio.
    pub(crate) audio: Vec<f32>,
    /// The last partial transcript.
    pub(crate) partials: Vec<String>,
    is_over: bool,
}

impl Told {
    fn take(&mut self, part: ReplyPart) {
        let line = match part {
            ReplyPart::Text(text) => {
                match self.lines.last_mut().filter(|line| line.starts_with('"')) {
                    Some(line) => {
                        line.pop();
                        *line += &format!("{text}\"");
                    }
                    None => self.lines.push(format!("\"{text}\"")),
                }
                return;
            }
            ReplyPart::Audio(block) => return self.audio.extend_from_slice(block.samples()),
            ReplyPart::Partial(text) => return self.partials.push(text.to_string()),
            ReplyPart::ToolCall { call_id, name, arguments } => format!("{call_id}: {name}({arguments})"),
            ReplyPart::Done { .. } => "done".into(),
            ReplyPart::Failed(why) => format!("failed: {why}"),
            ReplyPart::Stopped { .. } => "stopped".into(),
            other => panic!("{other:?}"),
        };
        self.is_over |= matches!(line.as_str(), "done" | "stopped") || line.starts_with("failed");
        self.lines.push(line);
    }

    /// How it ended.
    pub(crate) fn end(&self) -> &str {
        self.lines.last().map_or("", String::as_str)
    }
}

impl Desk {
    pub(crate) fn new(name: &str, config: &str) -> Self {
        let (timing, time, waker) = (None, TimeMode::Wall, ServiceWaker::default());
        let service = kind(name, config).start(ServiceSite { name: "desk", timing, seed: 1, time, waker });
        Self { rehearsal: Rehearsal::of(service), epoch: Epoch::start() }
    }

    /// Opens the session of `call`, which hears and speaks at these rates.
    pub(crate) fn open(&mut self, call: &Call, hears_hz: u32, speaks_hz: u32) {
        let format = |rate_hz| Some(Format { rate_hz, channels: 1 });
        self.rehearsal.service().open(SessionRef {
            key: call.key.of(),
            name: "caller".into(),
            hears: format(hears_hz),
            speaks: format(speaks_hz),
            params: Arc::default(),
        });
    }

    pub(crate) fn start(&mut self, call: Call) {
        let now_us = self.epoch.now_us();
        self.rehearsal.start(vec![call], now_us);
    }

    /// Takes what comes until `enough` is told.
    pub(crate) fn until(&mut self, told: &mut Told, enough: impl Fn(&Told) -> bool) {
        while !told.is_over && !enough(told) {
            let now_us = self.epoch.now_us();
            assert!(now_us < PATIENCE_US, "nothing more comes after {told:?}");
            self.rehearsal.poll(now_us).into_iter().for_each(|reply| told.take(reply.part));
            rest(1);
        }
    }

    /// What is answered to `call`, to its end.
    pub(crate) fn ask(&mut self, call: Call) -> Told {
        self.start(call);
        let mut told = Told::default();
        self.until(&mut told, |_| false);
        told
    }

    pub(crate) fn cancel(&mut self, scope: CallScope) {
        let now_us = self.epoch.now_us();
        self.rehearsal.cancel(scope, now_us);
    }

    pub(crate) fn now_us(&self) -> u64 {
        self.epoch.now_us()
    }
}

/// A call about `text`, number `part` of its revision.
pub(crate) fn call(text: &str, part: u32) -> Call {
    let mut call = Call::about(text);
    call.key.part = part;
    call
}
