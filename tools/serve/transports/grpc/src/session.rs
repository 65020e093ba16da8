//! The far end of a session: what its client sends goes in, what it is to be told comes out as parts of a stream. No
//! socket and no clock; what takes time has it as an argument.

use mynah_dialects::native::{Complaints, NoteQueue, Opening, UserSpeech, sound_us};
use mynah_dialects::pcm::Encoding;
use mynah_dialects::{Closing, Ending, Figures, Opened, Refusal, Tap, TurnTimes, WantedRecords};
use mynah_engine::edge::{CloseReason, OutAudio, Tag};
use mynah_engine::uuid::Uuid;
use mynah_engine::wire::message::{Arrival, MessageError, MessageType, segment_id};
use mynah_engine::wire::peer::{MessageForm, Output, PeerConfig, PeerError, SessionPeer};
use mynah_engine::{Event, Out, PushError, Record, SessionEvent, Stamp};

use crate::proto::{self, ClientPart, ServerPart, server_part::Part};
use crate::wire;

/// What a session wants done.
#[derive(Debug)]
pub(crate) enum Said {
    /// Tell the client this; it must not be lost.
    Part(ServerPart),
    /// Tell the client this behind everything else.
    Last(ServerPart),
    /// Send the client this; its length, microseconds.
    Sound(ServerPart, u32),
    /// The session is over, and the client was told. Comes once, and nothing but `Wait` follows.
    Closed(Closing),
    /// Nothing to do until then on the engine's clock, or until something is handed in or the session's waker rings.
    Wait(Option<u64>),
}

/// One session. It ends with its client.
pub(crate) struct VoiceSession {
    peer: SessionPeer,
    scene: String,
    input: Encoding,
    output: Encoding,
    tap: Option<Box<dyn Tap>>,
    notes: NoteQueue,
    complaints: Complaints,
    speech: UserSpeech,
    ending: Option<Ending>,
    over: bool,
    /// Serial and name of the segment that was named last.
    named: (u32, String),
    samples: Vec<f32>,
}

impl VoiceSession {
    /// A session that was opened so. `epoch_us`: time of messages when the engine's clock shows 0, microseconds since the
    /// Unix epoch.
    ///
    /// # Errors
    /// `bad_request`: the session's name fits into no message.
    pub(crate) fn new(opened: Opened, opening: &Opening, epoch_us: u64) -> Result<Self, Refusal> {
        let Opened { session, scene, token: _, tap } = opened;
        let config = PeerConfig {
            epoch_us,
            form: MessageForm::Own,
            ..PeerConfig::new(session.name().into(), session.generation())
        };
        let peer = SessionPeer::new(session, config);
        let peer = peer.map_err(|error| Refusal::new("bad_request", error.to_string()))?;
        Ok(Self {
            peer,
            scene,
            input: opening.input,
            output: opening.output,
            tap,
            notes: NoteQueue::new(opening.notes),
            complaints: Complaints::default(),
            speech: UserSpeech::default(),
            ending: None,
            over: false,
            named: (0, String::new()),
            samples: Vec::new(),
        })
    }

    /// What the client is told first.
    pub(crate) fn opened(&self) -> ServerPart {
        let session = self.peer.session();
        let format = |format: mynah_engine::scene::Format, encoding: Encoding| proto::Format {
            rate_hz: format.rate_hz,
            channels: format.channels.into(),
            encoding: match encoding {
                Encoding::S16 => proto::Encoding::S16.into(),
                Encoding::F32 => proto::Encoding::F32.into(),
            },
        };
        part(Part::Opened(proto::Opened {
            session: session.name().into(),
            generation: session.generation(),
            scene: self.scene.clone(),
            input: Some(format(session.input(), self.input)),
            output: session.output().map(|output| format(output, self.output)),
        }))
    }

    /// Whether audio that comes now is taken.
    pub(crate) fn has_room(&self) -> bool {
        self.peer.has_room()
    }

    /// Takes a control message of the client, or why there is none in its part.
    pub(crate) fn control(&mut self, now_us: u64, arrival: Result<Arrival, MessageError>) {
        if let Err(error) = self.peer.handle_decoded(now_us, arrival) {
            let code = match &error {
                PeerError::Rejected { .. } => "bad_message",
                PeerError::Overflow => "control_overflow",
            };
            self.complaints.take(now_us, &Refusal::new(code, error.to_string()));
        }
    }

    /// Takes audio of the client: whole sample frames, at most a second. Where the client says to which of its segments it
    /// belongs, the scene may follow that.
    pub(crate) fn audio(&mut self, now_us: u64, audio: &proto::Audio, beside: &ClientPart) {
        let stamp = match self.stamp(audio, beside) {
            Ok(stamp) => stamp,
            Err(refusal) => return self.complaints.take(now_us, &refusal),
        };
        let bytes = &audio.samples;
        let format = self.peer.session().input();
        let frame = self.input.sample_bytes() * usize::from(format.channels);
        let most = frame * format.rate_hz as usize;
        if !bytes.len().is_multiple_of(frame) || bytes.len() > most {
            let length = bytes.len();
            let what = format!(
                "audio of {length} bytes: expected whole sample frames of {frame} bytes, at most {most} bytes"
            );
            return self.complaints.take(now_us, &Refusal::new("bad_audio", what));
        }
        self.samples.clear();
        self.input.decode(bytes, &mut self.samples);
        match self.peer.push(now_us, &self.samples, stamp) {
            Ok(()) => {
                if let Some(tap) = &mut self.tap {
                    tap.heard(now_us, &self.samples);
                }
            }
            // The server has ended the input: the client could not know.
            Err(PushError::Ended) if self.ending.is_some() => self.complaints.pass_over(),
            Err(PushError::Ended) => {
                let what = "the input has ended: open another session for more";
                self.complaints.take(now_us, &Refusal::new("bad_audio", what));
            }
            Err(error) => self.complaints.take(now_us, &Refusal::new("bad_audio", error.to_string())),
        }
    }

    /// Where audio belongs at its sender.
    fn stamp(&mut self, audio: &proto::Audio, beside: &ClientPart) -> Result<Stamp, Refusal> {
        let Some(name) = &beside.target_segment_id else { return Ok(Stamp::default()) };
        let segment = Uuid::try_parse(name).ok().and_then(|id| self.peer.serial(id)).ok_or_else(|| {
            let name: String = name.chars().take(36).collect();
            let what = format!(
                "audio of segment {name:?}: expected the UUID of a segment of this session near the newest one, or none"
            );
            Refusal::new("bad_audio", what)
        })?;
        let (revision, turn) = (beside.revision.unwrap_or(0), beside.turn.unwrap_or(0));
        Ok(Stamp { pts_us: Some(audio.pts_us), tag: Tag { segment, revision, turn }, ..Stamp::default() })
    }

    /// Takes that the client has opened a session again.
    pub(crate) fn opened_again(&mut self, now_us: u64) {
        let what = "the session is open already: open another one in a stream of its own";
        self.complaints.take(now_us, &Refusal::new("bad_message", what));
    }

    /// The input ends.
    pub(crate) fn finish(&mut self, now_us: u64) {
        self.peer.finish(now_us);
    }

    /// The client hangs up.
    pub(crate) fn hang_up(&self) {
        self.peer.session().close();
    }

    /// The server wants the session to end. Repeating it, or going from soon to at once, is fine.
    pub(crate) fn end(&mut self, ending: Ending) {
        self.ending = self.ending.max(Some(ending));
        if ending == Ending::Now {
            self.peer.session().close();
        }
    }

    /// What is to be handed in from the server's records.
    pub(crate) fn wants(opening: &Opening) -> WantedRecords {
        NoteQueue::new(opening.notes).wants()
    }

    /// Takes a record of the session; those that nobody asked for are ignored.
    pub(crate) fn record(&mut self, record: &Record) {
        if let Event::Probability { at_us, p } = record.event {
            self.notes.probability(at_us, p);
        }
    }

    /// Takes the times of an answer that has begun to sound.
    pub(crate) fn turn(&mut self, times: &TurnTimes<'_>) {
        self.notes.turn(times);
    }

    /// Counts of control messages.
    pub(crate) fn figures(&self) -> Figures {
        let outgoing = self.peer.peer().figures().outgoing;
        Figures {
            sent: outgoing.sent,
            acked: outgoing.acked,
            retried: outgoing.retried,
            failed: outgoing.failed,
        }
    }

    /// What is to be done next.
    pub(crate) fn poll(&mut self, now_us: u64) -> Said {
        if self.over {
            return Said::Wait(None);
        }
        if self.ending == Some(Ending::AfterTurn) && !self.speech.is_open() {
            self.peer.finish(now_us);
        }
        self.peer.hand_over(now_us);
        loop {
            let until_us = match self.told(now_us) {
                Ok(said) => return said,
                Err(until_us) => until_us,
            };
            let Some(out) = self.peer.session().poll() else {
                let end = self.peer.poll_end();
                return end.map_or(Said::Wait(until_us), |reason| self.closed(reason.as_ref()));
            };
            if let Some(said) = self.out(now_us, out) {
                return said;
            }
        }
    }

    /// What waits to be told, or until when nothing does.
    fn told(&mut self, now_us: u64) -> Result<Said, Option<u64>> {
        if let Some((refusal, silent)) = self.complaints.pop() {
            let complaint = proto::Complaint { code: refusal.code.into(), message: refusal.message, silent };
            return Ok(Said::Part(part(Part::Error(complaint))));
        }
        if let Some((kind, json)) = self.notes.pop(now_us) {
            return Ok(Said::Part(part(Part::Note(proto::Note { kind: kind.into(), json }))));
        }
        loop {
            match self.peer.poll_connection(now_us) {
                Output::Transmit(_) => {
                    let Some(message) = self.peer.peer().transmitted() else { continue };
                    let last = matches!(message.message_type, MessageType::Closed { .. });
                    let part = wire::to_client(message);
                    return Ok(if last { Said::Last(part) } else { Said::Part(part) });
                }
                Output::Wait { until_us } => {
                    return Err([until_us, self.notes.due_us()].into_iter().flatten().min());
                }
                // What has become of messages is counted, and nothing that has arrived is among it.
                Output::Delivery(_) | Output::Control(_) | Output::Event { .. } => {}
            }
        }
    }

    /// Takes what the session puts out.
    fn out(&mut self, now_us: u64, out: Out) -> Option<Said> {
        if let Out::Event(event) = &out {
            self.follow(now_us, event);
        }
        match self.peer.take(now_us, out)? {
            Out::Audio(audio) => Some(self.sound(now_us, audio)),
            Out::Text { text, segment, revision, turn } => {
                let text = Part::Text(proto::Text { text: text.to_string() });
                Some(Said::Part(self.derived(text, segment, revision, turn)))
            }
            Out::Control(_) | Out::Event(_) => None,
        }
    }

    /// Notes what happens, and who else wants to know.
    fn follow(&mut self, now_us: u64, event: &SessionEvent) {
        if let Some(tap) = &mut self.tap {
            tap.told(now_us, event);
        }
        self.speech.follow(event);
        let (name, generation) = (self.peer.session().name(), self.peer.session().generation());
        self.notes.event(event, |serial| segment_id(name, generation, serial));
    }

    fn sound(&mut self, now_us: u64, audio: OutAudio) -> Said {
        if let Some(tap) = &mut self.tap {
            tap.said(now_us, &audio);
        }
        let session = self.peer.session();
        let us = sound_us(session.output().unwrap_or(session.input()), &audio);
        let mut samples = Vec::with_capacity(audio.block.len() * self.output.sample_bytes());
        self.output.encode(audio.block.samples(), &mut samples);
        let sound = Part::Audio(proto::Audio { samples: samples.into(), pts_us: audio.pts_us });
        let said = self.derived(sound, audio.segment, audio.revision, audio.turn);
        self.peer.session().give_back(audio.block);
        Said::Sound(said, us)
    }

    /// A part with whose it is.
    fn derived(&mut self, what: Part, segment: u32, revision: u32, turn: u32) -> ServerPart {
        if self.named.0 != segment {
            let session = self.peer.session();
            let name = segment_id(session.name(), session.generation(), segment).to_string();
            self.named = (segment, name);
        }
        ServerPart {
            target_segment_id: (segment != 0).then(|| self.named.1.clone()),
            revision: Some(revision),
            turn: Some(turn),
            ..part(what)
        }
    }

    fn closed(&mut self, reason: Option<&CloseReason>) -> Said {
        self.over = true;
        Said::Closed(Closing::of_session(reason, self.ending.is_some()))
    }
}

fn part(what: Part) -> ServerPart {
    ServerPart { part: Some(what), ..ServerPart::default() }
}
