//! The end of a session's paths at the engine that follows: audio and control messages go into its session, receipts
//! come out.

use std::collections::VecDeque;
use std::sync::Arc;

use mynah_engine::edge::Tag;
use mynah_engine::wire::delivery::{Delivery, IncomingFigures, Receipt};
use mynah_engine::wire::message::{MessageIntake, MessageType, SegmentNames};
use mynah_engine::{Control, ControlError, ControlIn, OutAudio, SessionHandle, Stamp};

use super::near::{Datagram, decoded, encoded};

/// What goes over the ordered way.
#[derive(Clone, Debug)]
pub enum Carried {
    /// A block of audio with its place at the sender.
    Audio {
        /// Samples, interleaved.
        samples: Arc<[f32]>,
        /// Media time there.
        pts_us: u64,
        /// Where it belongs there.
        tag: Tag,
    },
    /// The stream has ended.
    End,
}

impl Carried {
    /// A block as the first engine put it out.
    pub fn of(audio: &OutAudio) -> Self {
        let OutAudio { pts_us, segment, revision, turn, .. } = *audio;
        Self::Audio {
            samples: Arc::from(audio.block.samples()),
            pts_us,
            tag: Tag { segment, revision, turn },
        }
    }
}

/// A message that is new.
#[derive(Clone, Copy, Debug)]
pub struct News {
    /// Id of the message.
    pub message_id: u64,
    /// When it was made, on the sender's clock.
    pub decided_us: u64,
    /// It takes something back.
    pub takes_back: bool,
}

/// The end of a session's paths at the engine that follows.
#[derive(Debug)]
pub struct FarEnd {
    /// The session at the second engine.
    pub handle: SessionHandle,
    delivery: Delivery,
    names: SegmentNames,
    intake: MessageIntake,
    bytes: Vec<u8>,
    /// Control messages that found no room; they keep their order, and nothing is dropped.
    waiting: VecDeque<ControlIn>,
    /// Audio that found no room.
    held: VecDeque<Carried>,
    /// Sample frames that the session has taken.
    pub frames_pushed: u64,
    /// Messages about segments that nobody here can know.
    pub unknown: u64,
}

impl FarEnd {
    /// For a session; `opening` is that of the sender's.
    pub fn new(handle: SessionHandle, opening: u32) -> Self {
        let name: Arc<str> = handle.name().into();
        Self {
            handle,
            delivery: Delivery::new(Arc::clone(&name), 0),
            names: SegmentNames::new(name, opening),
            intake: MessageIntake::default(),
            bytes: Vec::new(),
            waiting: VecDeque::new(),
            held: VecDeque::new(),
            frames_pushed: 0,
            unknown: 0,
        }
    }

    /// Takes a datagram: the engine gets the message, which is told, unless it was seen before.
    pub fn receive(&mut self, now_us: u64, datagram: &[u8]) -> Option<News> {
        let message = decoded(&mut self.intake, now_us, self.handle.name(), datagram)?;
        if self.delivery.received(now_us, &message) != Receipt::Process {
            return None;
        }
        let takes_back = matches!(
            message.message_type,
            MessageType::CancelSpeculation { .. } | MessageType::RetractEndOfSpeech { .. }
        );
        let news = News { message_id: message.message_id, decided_us: message.timestamp, takes_back };
        let message_id = message.message_id;
        match Control::from_message(&message, &mut self.names) {
            Some(control) => self.waiting.push_back(ControlIn { message_id, control }),
            None => {
                self.unknown += 1;
                self.applied(now_us, message_id);
            }
        }
        Some(news)
    }

    /// Takes audio, or its end.
    pub fn hear(&mut self, carried: Carried) {
        self.held.push_back(carried);
    }

    /// Hands the session what has arrived, as far as it takes it.
    pub fn hand_over(&mut self, now_us: u64) {
        while let Some(message) = self.waiting.pop_front() {
            match self.handle.control(message.clone()) {
                Ok(()) => {}
                Err(ControlError::Overflow) => {
                    self.waiting.push_front(message);
                    break;
                }
                // With the session everything it stops has stopped.
                Err(ControlError::Ended) => self.applied(now_us, message.message_id),
                // Never taken: nothing that it could stop is under way.
                Err(ControlError::TooLong { .. } | ControlError::BadClip { .. } | ControlError::NoVoice) => {
                    self.unknown += 1;
                    self.applied(now_us, message.message_id);
                }
            }
        }
        while let Some(carried) = self.held.pop_front() {
            let Carried::Audio { samples, pts_us, tag } = &carried else {
                self.handle.finish();
                continue;
            };
            self.names.heard_of(tag.segment);
            let mut block = self.handle.lease(samples.len());
            block.fill_from(samples);
            let stamp = Stamp { arrived_us: Some(now_us), pts_us: Some(*pts_us), tag: *tag };
            if let Err(full) = self.handle.push_stamped(block, stamp) {
                self.handle.give_back(full.0);
                self.held.push_front(carried);
                break;
            }
            self.frames_pushed += (samples.len() / usize::from(self.handle.input().channels)) as u64;
        }
    }

    /// The engine has worked a message off.
    pub fn applied(&mut self, now_us: u64, message_id: u64) {
        self.delivery.applied(now_us, message_id);
    }

    /// Hands what is to be sent by `now_us`, receipts, to `send`.
    pub fn transmit(&mut self, now_us: u64, mut send: impl FnMut(Datagram)) {
        while let Some(message) = self.delivery.poll_transmit(now_us) {
            send(encoded(message, &mut self.bytes));
        }
    }

    /// Counts so far.
    pub fn figures(&self) -> IncomingFigures {
        self.delivery.incoming().figures()
    }
}
