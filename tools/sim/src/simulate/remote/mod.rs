//! A second engine behind a simulated link: what the scene puts out goes into the sessions of another scene, in one
//! process and on one clock.
//!
//! In virtual time both engines tick together: the first ticks, what it put out goes onto the link, the second gets
//! what is due by then and ticks, and its receipts go back. Files: `wire` has the two ends of a session,
//! `accounts` is what must hold between them, `report` what is said of it, `wall` the same on the wall clock.

pub mod accounts;
pub mod report;
mod wall;
pub mod wire;

use std::sync::Arc;

use hdrhistogram::Histogram;
use mynah_engine::record::latency_histogram;
use mynah_engine::scene::Source;
use mynah_engine::wire::delivery::OutgoingFigures;
use mynah_engine::wire::peer::Peer;
use mynah_engine::{Out, OutAudio, Record, ScenePlan, SessionId, SessionSpec};

use self::wire::{Link, Wire};
use super::callers::{CallerScript, Line};
use super::measure::{Measurement, SessionMeasurement};
use super::options::Options;
use super::side::Side;
use crate::observer::Observer;
use crate::scenes;
use crate::transport::LinkedScene;

/// The second engine, and all that lies between.
pub struct Remote {
    /// The engine that follows, with what is measured of it.
    pub(super) far: Side,
    link: LinkedScene,
    wires: Vec<Wire>,
    /// From a decision to the tick at the far end that applied it; of all messages, and of those that take back.
    to_last_consumer: Histogram<u32>,
    to_quiet: Histogram<u32>,
    /// On the wall clock: from the start of a tick of the first engine that decided to its end.
    in_process: Histogram<u32>,
    records: Vec<Record>,
    /// Messages that could not even be sent.
    refused: Vec<String>,
}

impl Remote {
    /// The engine at the other end of the link that `plan` names; `None` if it names none. `near`: the sessions whose
    /// output goes there.
    ///
    /// # Errors
    /// The other scene has errors, or does not fit.
    pub(super) fn new(
        plan: &ScenePlan,
        script: &Arc<CallerScript>,
        options: &Options,
        near: &[Line],
    ) -> Result<Option<Self>, String> {
        let Some(link) = LinkedScene::of(plan) else { return Ok(None) };
        let far_plan = far_plan(&link, options.linked.as_ref(), plan, script)?;
        let far = Side::new(far_plan, options.clone()).map_err(|refused| refused.to_string())?;
        let engine = far.engine.handle();
        let mut wires = Vec::with_capacity(near.len());
        for (line, session) in near.iter().zip(0u64..) {
            let name = line.handle.name();
            let handle = engine.open(SessionSpec::named(name)).map_err(|error| error.to_string())?;
            let link = Link::new(link.faults(), options.seed, session)?;
            wires.push(Wire::new(&line.handle, handle, link).map_err(|error| error.to_string())?);
        }
        let mut remote = Self {
            far,
            link,
            wires,
            to_last_consumer: latency_histogram(),
            to_quiet: latency_histogram(),
            in_process: latency_histogram(),
            records: Vec::new(),
            refused: Vec::new(),
        };
        remote.far.run.sessions = near.iter().map(|line| SessionMeasurement::new(line.offset_us)).collect();
        Ok(Some(remote))
    }

    /// Takes what the first engine put out for session number `at`.
    pub(super) fn take(&mut self, now_us: u64, at: usize, out: &Out) {
        let wire = &mut self.wires[at];
        match wire.take(now_us, out) {
            Ok(event) => {
                let record = |event| Record::new(now_us, SessionId(at as u32), 0, event);
                self.records.extend(event.map(record));
            }
            Err(stalled) => self.refused.push(format!("{} {stalled}", wire.far.session().name())),
        }
    }

    /// The rest of a tick: the link carries, the second engine ticks, receipts go back. `records` and `near` are the
    /// first engine's.
    pub(super) fn tick(
        &mut self,
        now_us: u64,
        records: &[Record],
        near: &mut Measurement,
        observer: &mut dyn Observer,
    ) {
        for record in records {
            if let Some(wire) = self.wires.get_mut(record.session.0 as usize) {
                wire.account.near(record);
            }
        }
        self.wires.iter_mut().for_each(|wire| wire.go_out(now_us));
        self.far.engine.tick(now_us);
        self.hear(now_us, observer);
        for (wire, session) in self.wires.iter_mut().zip(0..) {
            wire.come_back(now_us);
            while let Some(event) = wire.poll_fate() {
                self.records.push(Record::new(now_us, SessionId(session), 0, event));
            }
        }
        for record in &self.records {
            near.event(record);
        }
        observer.records(&self.records);
        self.records.clear();
        observer.link(now_us, &|| self.control_figures());
    }

    /// What has become of the first engine's control messages, over all sessions.
    pub(super) fn control_figures(&self) -> OutgoingFigures {
        together(self.wires.iter().map(|wire| &wire.near))
    }

    /// What the second engine did in this tick.
    fn hear(&mut self, now_us: u64, observer: &mut dyn Observer) {
        let Self { far, wires, to_last_consumer, to_quiet, .. } = self;
        for record in far.engine.records() {
            far.run.event(record);
            if let Some(wire) = wires.get_mut(record.session.0 as usize) {
                wire.account.far(record);
            }
        }
        observer.far_records(far.engine.records());
        for (at, wire) in wires.iter_mut().enumerate() {
            let heard = |audio: &OutAudio| {
                far.run.audio(at, audio);
                observer.far_audio(at, audio);
            };
            wire.listen(now_us, heard, |sent_us, stops| {
                to_last_consumer.saturating_record(now_us - sent_us);
                if stops {
                    to_quiet.saturating_record(now_us - sent_us);
                }
            });
        }
    }

    /// Whether every session at the far end is over.
    pub(super) fn is_closed(&self) -> bool {
        self.wires.iter().all(|wire| wire.far.session().is_closed())
    }
}

/// Counts of several ends.
fn together<'a>(ends: impl Iterator<Item = &'a Peer>) -> OutgoingFigures {
    ends.map(|end| end.figures().outgoing).fold(OutgoingFigures::default(), |all, one| OutgoingFigures {
        sent: all.sent + one.sent,
        retried: all.retried + one.retried,
        acked: all.acked + one.acked,
        applied: all.applied + one.applied,
        failed: all.failed + one.failed,
        overflowed: all.overflowed + one.overflowed,
        acks_stray: all.acks_stray + one.acks_stray,
        unwatched: all.unwatched + one.unwatched,
        sent_once: all.sent_once + one.sent_once,
    })
}

/// The compiled scene at the other end.
pub fn far_plan(
    link: &LinkedScene,
    source: Option<&Source>,
    plan: &ScenePlan,
    script: &Arc<CallerScript>,
) -> Result<Arc<ScenePlan>, String> {
    let input =
        plan.output.audio.ok_or("transports: no audio reaches the output, so there is none to send")?;
    let compiled = match source {
        Some(source) => {
            scenes::compile_source(source, &[], Some(input), &scenes::registry(Some(script.clone())))
        }
        None => scenes::compile(&link.scene, &[], Some(input), Some(script.clone())),
    };
    let (far, _) = compiled.map_err(|failure| format!("the scene behind the link: {}", failure.message))?;
    if !far.nodes.iter().any(|node| node.spec.follows_sender()) {
        return Err(format!(
            "transports: nothing in scene `{}` follows the gate of `{}`: put a node of kind Follow behind its input",
            link.scene, plan.scene.name
        ));
    }
    Ok(far)
}
