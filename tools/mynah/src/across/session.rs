//! One session at the server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use hdrhistogram::Histogram;
use mynah_engine::Control;
use mynah_engine::record::latency_histogram;
use mynah_engine::wire::delivery::{DeliveryEvent, OutgoingFigures};
use mynah_serve_grpc::remote::{AudioPlace, RemoteError, RemoteSession, ServerSaid};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::afar::WordWindow;

/// What the engine's thread hands over.
pub(super) enum Carried {
    Audio(Arc<[f32]>, AudioPlace),
    /// What was decided, and when the tick that did was over.
    Control(Control, Instant),
    End,
}

/// What came of a session, or of several.
pub(super) struct Crossing {
    words: Option<WordWindow>,
    /// When a message was decided, by its id.
    decided: BTreeMap<u64, Instant>,
    pub(super) outgoing: OutgoingFigures,
    pub(super) takes_back: u64,
    pub(super) to_delivered: Histogram<u32>,
    pub(super) to_applied: Histogram<u32>,
    pub(super) sent_us: u64,
    pub(super) unsent_us: u64,
    pub(super) heard_us: u64,
    pub(super) events: u64,
    pub(super) lost: u32,
    pub(super) broken: Vec<String>,
}

/// Sound of so many samples, microseconds.
fn sound_us(samples: usize, format: Option<&mynah_serve_grpc::proto::Format>) -> u64 {
    let per_s = format.map_or(16_000, |format| u64::from(format.rate_hz) * u64::from(format.channels.max(1)));
    samples as u64 * 1_000_000 / per_s.max(1)
}

impl Crossing {
    pub(super) fn new(words: Option<WordWindow>) -> Self {
        Self {
            words,
            decided: BTreeMap::new(),
            outgoing: OutgoingFigures::default(),
            takes_back: 0,
            to_delivered: latency_histogram(),
            to_applied: latency_histogram(),
            sent_us: 0,
            unsent_us: 0,
            heard_us: 0,
            events: 0,
            lost: 0,
            broken: Vec::new(),
        }
    }

    /// Adds what came of another one.
    pub(super) fn add(&mut self, one: Self) {
        let (all, out) = (&mut self.outgoing, one.outgoing);
        all.sent += out.sent;
        all.acked += out.acked;
        all.applied += out.applied;
        all.retried += out.retried;
        all.failed += out.failed;
        self.takes_back += one.takes_back;
        self.to_delivered.add(one.to_delivered).expect("they have the same bounds");
        self.to_applied.add(one.to_applied).expect("they have the same bounds");
        self.sent_us += one.sent_us;
        self.unsent_us += one.unsent_us;
        self.heard_us += one.heard_us;
        self.events += one.events;
        self.lost += one.lost;
        self.broken.extend(one.broken);
    }

    /// A session was lost.
    pub(super) fn lose(&mut self, why: impl ToString) {
        self.lost += 1;
        self.broken.push(why.to_string());
    }

    /// Carries everything to the server until its stream ends.
    pub(super) async fn carry(
        mut self,
        mut session: RemoteSession,
        mut items: UnboundedReceiver<Carried>,
    ) -> Self {
        let (mut ending, mut finished) = (false, false);
        let ended = loop {
            // The server must know what was said before it hears that nothing follows. How a stream has ended comes below.
            if ending && !finished && session.unacknowledged() == 0 {
                finished = true;
                drop(session.finish());
            }
            tokio::select! {
                biased;
                said = session.next() => match said {
                    Ok(ServerSaid::Closed) if finished => break Ok(()),
                    Ok(ServerSaid::Closed) => break Err("the server has closed a session".to_owned()),
                    Ok(said) => self.hear(said, &mut session),
                    Err(error) => break Err(error.to_string()),
                },
                item = items.recv(), if !ending => match item {
                    Some(Carried::Audio(samples, place)) => self.send_audio(&mut session, &samples, place),
                    Some(Carried::Control(control, decided)) => self.tell(&mut session, &control, decided),
                    // A run that is cut short does not say so.
                    Some(Carried::End) | None => ending = true,
                },
            }
        };
        self.outgoing = session.figures().outgoing;
        if let Err(why) = ended {
            self.lose(why);
        }
        self
    }

    fn send_audio(&mut self, session: &mut RemoteSession, samples: &[f32], place: AudioPlace) {
        let us = sound_us(samples.len(), session.opened().input.as_ref());
        if let Some(params) = self.words.as_mut().and_then(|words| words.due(place.pts_us)) {
            // Words that do not arrive are words that are not recognised.
            drop(session.send(&Control::Set { params: params.into() }));
        }
        match session.push(samples, place) {
            Ok(()) => self.sent_us += us,
            Err(_) => self.unsent_us += us,
        }
    }

    fn tell(&mut self, session: &mut RemoteSession, control: &Control, decided: Instant) {
        match session.send(control) {
            Ok(Some(message_id)) => {
                let back =
                    matches!(control, Control::CancelSpeculation { .. } | Control::RetractEndOfSpeech { .. });
                self.takes_back += u64::from(back);
                self.decided.insert(message_id, decided);
            }
            Ok(None) | Err(RemoteError::Over) => {}
            Err(error) => self.broken.push(error.to_string()),
        }
    }

    fn hear(&mut self, said: ServerSaid, session: &mut RemoteSession) {
        let us = |since: &Instant| since.elapsed().as_micros() as u64;
        match said {
            ServerSaid::Audio(audio) => {
                self.heard_us += sound_us(audio.samples.len(), session.opened().output.as_ref());
            }
            ServerSaid::Delivery(DeliveryEvent::Delivered { message_id }) => {
                if let Some(decided) = self.decided.get(&message_id) {
                    self.to_delivered.saturating_record(us(decided));
                }
            }
            ServerSaid::Delivery(DeliveryEvent::Applied { message_id }) => {
                if let Some(decided) = self.decided.remove(&message_id) {
                    self.to_applied.saturating_record(us(&decided));
                }
            }
            ServerSaid::Control(message) => drop(session.applied(message.message_id)),
            ServerSaid::Event { .. } => self.events += 1,
            ServerSaid::Complaint(complaint) => {
                self.broken.push(format!("the server complains: {}", complaint.message));
            }
            ServerSaid::Delivery(_) | ServerSaid::Text(_) | ServerSaid::Note(_) | ServerSaid::Closed => {}
        }
    }
}
