//! The engine behind a scene's simulated link, for sessions that come and go.

use mynah_engine::scene::Format;
use mynah_engine::wire::delivery::SendError;
use mynah_engine::workers::NoThreads;
use mynah_engine::{
    Engine, EngineConfig, EngineHandle, OpenError, Out, OutAudio, Record, ScenePlan, SessionHandle,
    SessionId, SessionSpec,
};
use std::sync::Arc;

use super::fingerprint::Fingerprint;
use super::plan::Hazard;
use super::site::{Site, Tally};
use mynah_load::link::LinkFaults;
use mynah_sim::observer::Observer;
use mynah_sim::simulate::remote::accounts::Findings;
use mynah_sim::simulate::remote::wire::{Link, Unsent, Wire};
use mynah_sim::transport::LinkedScene;

/// A session here, its session there, and what lies between.
struct Pair {
    near: SessionId,
    wire: Wire,
    /// The link broke or the near host is gone: nobody sends any more, and nobody hears.
    cut: bool,
}

/// The engine behind a simulated link, and the far ends of its sessions.
pub(super) struct Behind {
    /// The second engine.
    pub engine: Engine,
    door: EngineHandle,
    link: LinkedScene,
    pairs: Vec<Pair>,
    connected: u64,
    healed: bool,
    /// What must hold between the two ends, and does not.
    pub broken: Vec<String>,
}

impl Behind {
    /// The engine at the other end of the link that `near` names.
    ///
    /// # Errors
    /// The operating system refuses its threads.
    pub(super) fn new(
        link: LinkedScene,
        plan: Arc<ScenePlan>,
        config: EngineConfig,
    ) -> Result<Self, NoThreads> {
        // Answers to who has left may still sound there.
        let config = EngineConfig { sessions_max: config.sessions_max * 2, ..config };
        let engine = Engine::try_new(plan, config)?;
        let door = engine.handle();
        let (pairs, broken) = (Vec::new(), Vec::new());
        Ok(Self { engine, door, link, pairs, connected: 0, healed: false, broken })
    }

    /// Opens the session at the far end of one that takes `format` here.
    ///
    /// # Errors
    /// As [`EngineHandle::open`].
    pub(super) fn open(&self, name: &str, format: Format) -> Result<SessionHandle, OpenError> {
        // What the near scene puts out is what its callers send.
        self.door.open(SessionSpec { input: Some(format), ..SessionSpec::named(name) })
    }

    /// Joins a session here and one there.
    pub(super) fn connect(&mut self, near: &SessionHandle, far: SessionHandle, hazard: &mut Hazard<'_>) {
        let faults = disturbed(self.link.faults(), hazard);
        let link = Link::new(faults, hazard.plan.seed, self.connected);
        let wire = link.and_then(|link| Wire::new(near, far, link).map_err(|error| error.to_string()));
        match wire {
            Ok(wire) => self.pairs.push(Pair { near: near.id(), wire, cut: false }),
            Err(error) => return self.broken.push(error),
        }
        self.connected += 1;
    }

    /// Takes what the first engine put out for its session `near`. Returns whether the link holds; if not, the host
    /// has to hang up on that session.
    pub(super) fn take(&mut self, now_us: u64, near: SessionId, out: &Out) -> bool {
        // The newest: an older session of this number is over.
        let Some(pair) = self.pairs.iter_mut().rev().find(|pair| pair.near == near) else { return true };
        if pair.cut {
            return true;
        }
        match pair.wire.take(now_us, out) {
            Ok(_) => {}
            Err(Unsent { error: SendError::Overflow, .. }) => {
                pair.cut();
                return false;
            }
            Err(stalled) => self.broken.push(stalled.to_string()),
        }
        true
    }

    /// The host of session `near` is gone or its session is over: if it never said so, the link breaks.
    pub(super) fn gone(&mut self, near: SessionId) {
        let pair = self.pairs.iter_mut().rev().find(|pair| pair.near == near);
        if let Some(pair) = pair.filter(|pair| !pair.wire.over) {
            pair.cut();
        }
    }

    /// The rest of a tick; `records` are the first engine's.
    pub(super) fn tick(
        &mut self,
        records: &[Record],
        hazard: &mut Hazard<'_>,
        print: &mut Fingerprint,
        observer: &mut dyn Observer,
    ) {
        let now_us = hazard.now_us;
        if hazard.is_over() && !std::mem::replace(&mut self.healed, true) {
            let calm = self.link.faults();
            for Pair { wire, .. } in &mut self.pairs {
                for changed in [wire.link.out.change(calm), wire.link.back.change(calm)] {
                    self.broken.extend(changed.err());
                }
            }
        }
        for record in records {
            let pair = self.pairs.iter_mut().rev().find(|pair| pair.near == record.session);
            if let Some(pair) = pair {
                pair.wire.account.near(record);
            }
        }
        self.pairs.iter_mut().filter(|pair| !pair.cut).for_each(|pair| pair.wire.go_out(now_us));
        self.engine.tick(now_us);
        for record in self.engine.records() {
            print.event(record);
            let pair =
                self.pairs.iter_mut().rev().find(|pair| pair.wire.far.session().id() == record.session);
            if let Some(pair) = pair {
                pair.wire.account.far(record);
            }
        }
        observer.far_records(self.engine.records());
        for pair in &mut self.pairs {
            pair.listen(now_us, print, observer);
        }
        self.settle(hazard.tally);
    }

    /// Closes the accounts of the sessions that are over.
    fn settle(&mut self, tally: &mut Tally) {
        let broken = &mut self.broken;
        self.pairs.retain(|pair| {
            if !pair.wire.far.session().is_closed() {
                return true;
            }
            for figures in [pair.wire.link.out.figures(), pair.wire.link.back.figures()] {
                tally.add_many(Site::ControlLost, figures.lost);
                tally.add_many(Site::ControlTwice, figures.duplicated);
                tally.add_many(Site::ControlLate, figures.reordered);
            }
            if !pair.cut {
                let mut findings = Findings::default();
                pair.wire.account.conclude(pair.wire.far.session().name(), &mut findings);
                broken.extend(findings.broken);
            }
            false
        });
    }

    /// Whether every session there is over.
    pub(super) fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }
}

impl Pair {
    fn cut(&mut self) {
        self.cut = true;
        self.wire.far.session().close();
    }

    fn listen(&mut self, now_us: u64, print: &mut Fingerprint, observer: &mut dyn Observer) {
        let session = self.wire.far.session().id().0 as usize;
        let heard = |audio: &OutAudio| {
            print.audio(audio);
            observer.far_audio(session, audio);
        };
        self.wire.listen(now_us, heard, |_, _| {});
        if self.cut {
            return;
        }
        self.wire.come_back(now_us);
        while self.wire.poll_fate().is_some() {}
    }
}

/// The scene's link with the run's faults on top.
fn disturbed(mut link: LinkFaults, hazard: &Hazard<'_>) -> LinkFaults {
    if let Some(drawn) = hazard.acts(Site::ControlLost) {
        link.loss_ratio = link.loss_ratio.max(drawn.ratio);
    }
    if let Some(drawn) = hazard.acts(Site::ControlTwice) {
        link.duplicate_ratio = link.duplicate_ratio.max(drawn.ratio);
    }
    if let Some(drawn) = hazard.acts(Site::ControlLate) {
        link.reorder_ratio = link.reorder_ratio.max(drawn.ratio);
        link.reorder_extra_ms = link.reorder_extra_ms.max(drawn.amount);
    }
    link
}
