//! One call: its audio on the way to a session, its host, and what both have seen in the end.

use mynah_engine::{ScenePlan, SessionHandle, SessionId};

use super::controls::Controls;
use super::edge::deliver;
use super::ends::Ends;
use super::host::{Heard, Host};
use super::network::Network;
use super::plan::{Dice, Hazard};
use super::pushed::Pushed;
use super::sender::Sender;
use super::site::Site;
use super::split::Split;
use super::totals::Totals;
use mynah_load::load::Stream;
use mynah_sim::simulate::Observer;
use mynah_sim::transport::LinkedScene;

/// A caller's call.
#[derive(Debug)]
pub(super) struct Call {
    /// Dropped when its host is gone.
    ends: Option<Ends>,
    /// The engine's number for its session.
    pub(super) id: SessionId,
    told: bool,
    sender: Sender,
    /// Until then the microphone delivers nothing, engine time.
    muted_until_us: u64,
    network: Network,
    host: Host,
    controls: Controls,
    dice: Dice,
    pushed: Pushed,
    /// The engine has said that the session is closed.
    pub(super) closed: bool,
}

impl Call {
    /// Begins on a session that was just opened.
    pub(super) fn new(
        handle: SessionHandle,
        told: bool,
        stream: Stream,
        plan: &ScenePlan,
        mut dice: Dice,
        hazard: &mut Hazard<'_>,
        totals: &mut Totals,
    ) -> Self {
        let chunk_us = u64::from(plan.scene.session.input.chunk_ms) * 1_000;
        let sender = Sender::new(stream, handle.input(), chunk_us, hazard, &mut dice);
        let host = Host::new(hazard, &mut dice);
        let (network, controls, pushed) = (Network::default(), Controls::default(), Pushed::default());
        let id = handle.id();
        Self {
            ends: Some(begin(handle, plan, &mut dice, hazard, totals)),
            id,
            told,
            sender,
            muted_until_us: 0,
            network,
            host,
            controls,
            dice,
            pushed,
            closed: false,
        }
    }

    /// So many samples were pushed before it began.
    pub(super) fn has_pushed(&mut self, samples: usize) {
        if let Some(ends) = &self.ends {
            self.pushed.frames += (samples / usize::from(ends.input().channels)) as u64;
        }
    }

    /// Whether no packet is under way.
    pub(super) fn all_has_arrived(&self) -> bool {
        self.network.is_empty()
    }

    /// The host looks at what came out; `take` sees each thing.
    pub(super) fn listen(
        &mut self,
        hazard: &mut Hazard<'_>,
        totals: &mut Totals,
        take: impl FnMut(Heard<'_>),
    ) {
        let Self { ends: Some(ends), host, controls, dice, .. } = self else { return };
        let is_line = |message| controls.is_line(message);
        host.poll(ends, &is_line, hazard, dice, &mut totals.wrong, take);
    }

    /// The host is gone without a word.
    pub(super) fn vanish(&mut self) {
        self.ends = None;
    }

    /// Sends the packets that are full by now.
    pub(super) fn talk(&mut self, hazard: &mut Hazard<'_>, totals: &mut Totals) {
        if hazard.is_over() {
            self.sender.heal();
        }
        while self.sender.due_us() <= hazard.now_us {
            let packet = self.sender.send(hazard, &mut self.dice);
            if !self.is_muted(hazard) {
                self.network.send(packet, hazard, &mut self.dice);
            }
        }
        if let Some(ends) = &mut self.ends {
            self.controls.speak(ends, &self.host, hazard, &mut self.dice, &mut totals.wrong);
        }
    }

    /// Whether what is said now is heard by nobody.
    fn is_muted(&mut self, hazard: &mut Hazard<'_>) -> bool {
        if hazard.now_us >= self.muted_until_us && hazard.strikes(Site::Mute, &mut self.dice).is_some() {
            self.muted_until_us = hazard.now_us + hazard.up_to_us(Site::Mute, &mut self.dice);
        }
        hazard.now_us < self.muted_until_us && !hazard.is_over()
    }

    /// Hands the engine what has arrived.
    pub(super) fn carry(&mut self, hazard: &mut Hazard<'_>, totals: &mut Totals) {
        while let Some(packet) = self.network.receive(hazard.now_us) {
            if let Some(ends) = &mut self.ends {
                deliver(ends, packet, hazard, &mut self.dice, &mut self.pushed, &mut totals.wrong);
            }
        }
    }

    pub(super) fn finish(&mut self, observer: &mut dyn Observer) {
        if let Some(ends) = &mut self.ends {
            ends.finish(&mut self.pushed);
            let (id, generation) = ends.id();
            observer.fed(id, generation, self.pushed.frames);
        }
    }

    pub(super) fn hang_up(&self) {
        if let Some(ends) = &self.ends {
            ends.close();
        }
    }

    /// What is known at the end.
    pub(super) fn settle(&self, totals: &mut Totals) {
        let (host, controls) = (&self.host, &self.controls);
        totals.closed += 1;
        totals.pushed.add(&self.pushed);
        totals.blocks += host.blocks;
        totals.samples += host.samples;
        totals.controls.0 += controls.taken;
        totals.controls.1 += controls.overflown;
        let Some(ends) = &self.ends else {
            totals.unheard = true;
            return;
        };
        if let Ends::Split(split) = ends {
            totals.beside += split.skipped + split.unread();
        }
        let name = ends.name();
        if !ends.is_closed() {
            totals.wrong.push(format!("{name}: closed in the log, open for its host"));
        }
        let told = self.told || matches!(ends, Ends::Split(_));
        if told && !host.closed {
            totals.wrong.push(format!("{name}: its host was never told that it is closed"));
        }
        if host.applied > controls.taken {
            let text = format!("{} messages applied, {} sent", host.applied, controls.taken);
            totals.wrong.push(format!("{name}: {text}"));
        }
        if host.after_closed > 0 {
            totals.wrong.push(format!("{name}: {} outputs after the last", host.after_closed));
        }
    }
}

/// How the host has its session; where something lies between two engines, it is whole.
fn begin(
    handle: SessionHandle,
    plan: &ScenePlan,
    dice: &mut Dice,
    hazard: &mut Hazard<'_>,
    totals: &mut Totals,
) -> Ends {
    if LinkedScene::of(plan).is_some() {
        return Ends::Whole(handle);
    }
    let Some(drawn) = hazard.strikes(Site::Split, dice) else { return Ends::Whole(handle) };
    match Split::new(handle, drawn.amount as u64, hazard.now_us) {
        Ok(split) => Ends::Split(Box::new(split)),
        Err(error) => {
            totals.wrong.push(error.to_string());
            Ends::Whole(error.0)
        }
    }
}
