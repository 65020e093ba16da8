//! Checks what must hold between two engines, by both event logs, the released blocks and the fate of the messages
//! alone.

use std::collections::{BTreeMap, BTreeSet};

use mynah_engine::speech::CancelReason;
use mynah_engine::wire::delivery::DeliveryEvent;
use mynah_engine::{Control, Event, OutAudio, Record};

/// What has become of one message.
#[derive(Clone, Debug)]
struct Told {
    at_us: u64,
    control: Control,
    delivered: bool,
    failed: bool,
    applied_far: bool,
}

/// Both ends of one session.
#[derive(Clone, Debug, Default)]
pub struct Account {
    near_cancelled: BTreeSet<u32>,
    near_retracted: BTreeSet<(u32, u32)>,
    /// The revision that holds, by segment.
    near_ended: BTreeMap<u32, u32>,
    far_opened: BTreeSet<u32>,
    far_cancelled: BTreeMap<u32, u64>,
    far_retracted: BTreeMap<(u32, u32), u64>,
    far_ended: BTreeMap<u32, u64>,
    /// Segments that the engine that follows gave up because no verdict came.
    pub no_verdict: u64,
    released: BTreeSet<(u32, u32)>,
    told: BTreeMap<u64, Told>,
}

/// What comes of the accounts.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Messages that take something back.
    pub cancels: u64,
    /// Those that are known to have arrived.
    pub cancels_delivered: u64,
    /// Those that are not.
    pub cancels_failed: u64,
    /// Most often that one of them took effect; 1 where all is well.
    pub effects_per_cancel_max: u64,
    /// Cancelled segments of which something was released after the message had been applied.
    pub cancelled_released: u64,
    /// Void revisions of which something was.
    pub void_released: u64,
    /// See [`Account::no_verdict`].
    pub no_verdict: u64,
    /// What contradicts the law, in words.
    pub broken: Vec<String>,
}

impl Account {
    /// Takes an event of the engine that gates.
    pub fn near(&mut self, record: &Record) {
        match record.event {
            Event::SegmentCancelled { segment, .. } => drop(self.near_cancelled.insert(segment)),
            Event::EndpointRetracted { segment, revision, .. } => {
                self.near_retracted.insert((segment, revision));
            }
            Event::SegmentEnded { segment, revision, split, .. } => {
                self.near_ended.insert(segment, if split { 0 } else { revision });
            }
            _ => {}
        }
    }

    /// Takes an event of the engine that follows.
    pub fn far(&mut self, record: &Record) {
        match record.event {
            Event::SegmentOpened { segment, .. } => drop(self.far_opened.insert(segment)),
            Event::SegmentCancelled { segment, reason, .. } => {
                *self.far_cancelled.entry(segment).or_default() += 1;
                self.no_verdict += u64::from(reason == CancelReason::NoVerdict);
            }
            Event::EndpointRetracted { segment, revision, .. } => {
                *self.far_retracted.entry((segment, revision)).or_default() += 1;
            }
            Event::SegmentEnded { segment, .. } => *self.far_ended.entry(segment).or_default() += 1,
            _ => {}
        }
    }

    /// Takes a released block of the engine that follows.
    pub fn released(&mut self, audio: &OutAudio) {
        self.released.insert((audio.segment, audio.revision));
    }

    /// A message was sent.
    pub fn sent(&mut self, message_id: u64, at_us: u64, control: Control) {
        let told = Told { at_us, control, delivered: false, failed: false, applied_far: false };
        self.told.insert(message_id, told);
    }

    /// The other end has it.
    pub fn delivered(&mut self, message_id: u64) {
        if let Some(told) = self.told.get_mut(&message_id) {
            told.delivered = true;
        }
    }

    /// It was given up.
    pub fn failed(&mut self, message_id: u64) {
        if let Some(told) = self.told.get_mut(&message_id) {
            told.failed = true;
        }
    }

    /// The engine that follows has worked a message off; when it was sent and whether it takes something back, once.
    pub fn applied(&mut self, message_id: u64) -> Option<(u64, bool)> {
        let told = self.told.get_mut(&message_id)?;
        let stops =
            matches!(told.control, Control::CancelSpeculation { .. } | Control::RetractEndOfSpeech { .. });
        (!std::mem::replace(&mut told.applied_far, true)).then_some((told.at_us, stops))
    }

    /// Takes over what another account has seen of the engine that follows.
    pub fn join(&mut self, far: Self) {
        self.far_opened = far.far_opened;
        self.far_cancelled = far.far_cancelled;
        self.far_retracted = far.far_retracted;
        self.far_ended = far.far_ended;
        self.no_verdict = far.no_verdict;
        self.released = far.released;
    }

    /// Checks one session once everything is over.
    pub fn conclude(&self, session: &str, findings: &mut Findings) {
        findings.no_verdict += self.no_verdict;
        for (id, told) in &self.told {
            self.fate(session, *id, told, findings);
        }
        for (segment, revision) in &self.released {
            let place = format!("{session} segment {segment} revision {revision}");
            if self.near_cancelled.contains(segment) {
                findings.cancelled_released += 1;
                findings.broken.push(format!("{place}: released at the far end, and cancelled"));
            } else if *revision > 0 && self.near_ended.get(segment) != Some(revision) {
                findings.void_released += 1;
                let held = self.near_ended.get(segment);
                findings.broken.push(format!("{place}: released at the far end, and {held:?} held"));
            }
        }
        for (segment, effects) in &self.far_cancelled {
            findings.effects_per_cancel_max = findings.effects_per_cancel_max.max(*effects);
            let ended = self.far_ended.get(segment).copied().unwrap_or(0);
            if effects + ended > 1 {
                let text = format!("cancelled {effects} times and ended {ended} times at the far end");
                findings.broken.push(format!("{session} segment {segment}: {text}"));
            }
        }
        let twice = self.far_retracted.iter().filter(|(_, effects)| **effects > 1);
        for ((segment, revision), effects) in twice {
            let place = format!("{session} segment {segment} revision {revision}");
            findings.broken.push(format!("{place}: retracted {effects} times at the far end"));
        }
    }

    fn fate(&self, session: &str, id: u64, told: &Told, findings: &mut Findings) {
        let place = format!("{session} message {id} ({:?})", told.control);
        if told.delivered == told.failed {
            let both =
                if told.failed { "acknowledged and given up" } else { "neither acknowledged nor given up" };
            findings.broken.push(format!("{place}: {both}"));
        }
        let Control::CancelSpeculation { segment, .. } = told.control else { return };
        findings.cancels += 1;
        findings.cancels_delivered += u64::from(told.delivered);
        findings.cancels_failed += u64::from(told.failed);
        // Audio that came after the cancel opens nothing: then there is nothing to take back.
        let took_effect = self.far_cancelled.contains_key(&segment) || !self.far_opened.contains(&segment);
        if told.delivered && !took_effect {
            findings.broken.push(format!("{place}: acknowledged, and without effect"));
        }
    }
}

/// What has become of a message, for the accounts and the log.
pub(super) fn fate(account: &mut Account, event: DeliveryEvent) -> Event {
    match event {
        DeliveryEvent::Delivered { message_id } => {
            account.delivered(message_id);
            Event::ControlAcked { message_id, applied: false }
        }
        DeliveryEvent::Applied { message_id } => Event::ControlAcked { message_id, applied: true },
        DeliveryEvent::Failed { message_id } => {
            account.failed(message_id);
            Event::ControlFailed { message_id }
        }
    }
}

/// The event of a message that was sent.
pub(super) fn sent(message_id: u64, control: &Control) -> Event {
    let (segment, revision) = match *control {
        Control::ConfirmSpeculation { segment, .. } | Control::CancelSpeculation { segment, .. } => {
            (segment, 0)
        }
        Control::EndOfSpeech { segment, revision, .. }
        | Control::RetractEndOfSpeech { segment, revision, .. } => (segment, revision),
        _ => (0, 0),
    };
    let kind = control.name();
    Event::ControlSent { message_id, kind, segment, revision }
}
