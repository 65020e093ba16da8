//! A client at the other end of a connection: a `Peer` there, a `SessionPeer` beside the session, bytes between them, in
//! virtual time. The client is told what a host in the same program is told, hears the same samples, and what finds no
//! room is its sender's to keep.

#[path = "support/host.rs"]
mod host;

use std::collections::VecDeque;

use host::{TICK_US, one_shard, plan};
use mynah_engine::edge::{CONTROLS_MAX, CloseReason, Line, PushError, Tag, Words};
use mynah_engine::wire::message::{MessageType, SegmentNames, segment_id};
use mynah_engine::wire::peer::{
    ARRIVED_MAX, EventReceipts, Input, MessageForm, Output, Peer, PeerConfig, PeerError, SessionPeer,
    SessionPeerOutput,
};
use mynah_engine::{
    Control, Engine, Out, OutAudio, Say, SessionEvent, SessionHandle, SessionSpec, Stamp,
    speech::InterruptMode,
};

/// A line as a client sends it.
fn line(text: &str) -> Control {
    Control::Say(Line { words: Words::Text(text.into()), say: Say::default() }.into())
}

/// What was heard: media time, turn, samples.
type Heard = (u64, u32, Vec<f32>);

fn heard(audio: &OutAudio) -> Heard {
    (audio.pts_us, audio.turn, audio.block.samples().to_vec())
}

/// An engine with one session.
struct Scene {
    engine: Engine,
    now_us: u64,
}

impl Scene {
    fn new(name: &str) -> (Self, SessionHandle) {
        let engine = Engine::new(plan(name, &[]), one_shard());
        let spec = SessionSpec { events: true, ..SessionSpec::named("caller") };
        let session = engine.handle().open(spec).expect("there is room");
        (Self { engine, now_us: 0 }, session)
    }

    fn tick(&mut self) {
        self.now_us += TICK_US;
        self.engine.tick(self.now_us);
    }
}

/// A scene whose session has its host at the other end of a connection, which brings everything at once.
struct Connected {
    scene: Scene,
    near: SessionPeer,
    client: Peer,
    form: MessageForm,
    /// What the client was told, and what it heard.
    events: Vec<MessageType>,
    controls: Vec<Control>,
    audio: Vec<Heard>,
    closed: VecDeque<Option<CloseReason>>,
}

impl Connected {
    fn new(name: &str, form: MessageForm, receipts: EventReceipts) -> Self {
        let (scene, session) = Scene::new(name);
        let config = PeerConfig { form, receipts, ..PeerConfig::new("caller".into(), session.generation()) };
        let client = Peer::new(config.clone()).expect("it has a name");
        let near = SessionPeer::new(session, config).expect("it has a name");
        let (events, controls, audio, closed) = (Vec::new(), Vec::new(), Vec::new(), VecDeque::new());
        Self { scene, near, client, form, events, controls, audio, closed }
    }

    fn input(form: MessageForm, bytes: &[u8]) -> Input<'_> {
        if form == MessageForm::Binary { Input::Binary(bytes) } else { Input::Json(bytes) }
    }

    /// Carries what there is both ways, until there is nothing.
    fn carry(&mut self) {
        let (now_us, form) = (self.scene.now_us, self.form);
        loop {
            let mut any = false;
            loop {
                match self.near.poll(now_us) {
                    SessionPeerOutput::Transmit(bytes) => {
                        self.client.handle(now_us, Self::input(form, bytes)).expect("it is a message");
                    }
                    SessionPeerOutput::Audio(audio) => {
                        assert!(!self.client.is_closed(), "audio behind the end");
                        self.audio.push(heard(&audio));
                        self.near.session().give_back(audio.block);
                    }
                    SessionPeerOutput::Closed { reason } => self.closed.push_back(reason),
                    SessionPeerOutput::Text { .. } | SessionPeerOutput::Delivery(_) => {}
                    SessionPeerOutput::Wait { until_us } => {
                        assert!(until_us.is_none_or(|us| us > now_us), "a driver would spin");
                        break;
                    }
                }
                any = true;
            }
            loop {
                match self.client.poll(now_us) {
                    Output::Transmit(bytes) => {
                        self.near.handle(now_us, Self::input(form, bytes)).expect("it is a message");
                    }
                    Output::Event { message, .. } => self.events.push(message.message_type.clone()),
                    Output::Control(message) => self.controls.push(message.control),
                    Output::Delivery(_) => {}
                    Output::Wait { .. } => break,
                }
                any = true;
            }
            if !any {
                return;
            }
        }
    }

    fn ticks(&mut self, count: usize) {
        for _ in 0..count {
            self.carry();
            self.scene.tick();
            self.carry();
        }
    }

    fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        for _ in 0..4_000 {
            if done(self) {
                return;
            }
            self.ticks(1);
        }
        panic!("{what}: not within 20 s; {:#?}", self.events);
    }
}

/// What a host in the same program is told of a line, as messages, and what it hears.
fn beside(name: &str, text: &str) -> (Vec<MessageType>, Vec<Heard>) {
    let (mut scene, session) = Scene::new(name);
    let message = mynah_engine::ControlIn { message_id: 1, control: line(text) };
    session.control(message).expect("it speaks");
    let (mut events, mut audio) = (Vec::new(), Vec::new());
    for _ in 0..4_000 {
        scene.tick();
        while let Some(out) = session.poll() {
            match out {
                Out::Audio(block) => {
                    audio.push(heard(&block));
                    session.give_back(block.block);
                }
                Out::Event(event) => {
                    if matches!(event, SessionEvent::AnswerEnded { .. }) {
                        session.finish();
                    }
                    events
                        .extend(event.to_message(&"caller".into(), 1, 0).map(|message| message.message_type));
                }
                Out::Control(_) | Out::Text { .. } => {}
            }
        }
        if session.is_closed() {
            return (events, audio);
        }
    }
    panic!("not within 20 s: {events:#?}");
}

#[test]
fn a_client_is_told_and_hears_what_a_host_beside_the_engine_does() {
    let (events, audio) = beside("voice_assistant", "Who goes there?");
    assert!(events.len() >= 4 && !audio.is_empty(), "{events:#?}");
    for form in [MessageForm::Binary, MessageForm::Json, MessageForm::LabelledJson] {
        for receipts in [EventReceipts::None, EventReceipts::Each] {
            let mut world = Connected::new("voice_assistant", form, receipts);
            let id = world.client.send_control(0, &line("Who goes there?")).expect("there is room");
            world.until("the line ends", |world| {
                matches!(world.events.last(), Some(MessageType::AnswerEnded { .. }))
            });
            world.near.finish(world.scene.now_us);
            world.until("the session is over", |world| !world.closed.is_empty());
            assert_eq!(world.events, events, "{form:?} {receipts:?}");
            assert!(
                world.events.contains(&MessageType::AnswerStarted { line: id.expect("it is a message") })
            );
            assert_eq!(world.audio, audio, "{form:?} {receipts:?}");
            assert_eq!(world.closed, [Some(CloseReason::Finished)]);
            // Nothing follows.
            let told = (world.events.len(), world.audio.len());
            world.ticks(100);
            assert_eq!((world.events.len(), world.audio.len(), world.closed.len()), (told.0, told.1, 1));
            assert_eq!(
                world.client.figures().outgoing.applied,
                1,
                "the line was taken, and the client knows"
            );
        }
    }
}

#[test]
fn audio_that_finds_no_room_is_its_senders_to_keep() {
    let mut world = Connected::new("passthrough", MessageForm::Binary, EventReceipts::None);
    let format = world.near.session().input();
    let second = format.rate_hz as usize * usize::from(format.channels);
    let sound: Vec<f32> = (0..second * 2).map(|at| (at % 997) as f32 / 1_000.0).collect();
    assert_eq!(
        world.near.push(0, &sound, Stamp::default()),
        Err(PushError::BadLength { samples: second * 2 })
    );
    // Half a second more than there is room for waits here, and nothing behind it is taken.
    let half = second / 2;
    assert_eq!(world.near.push(0, &sound[..half], Stamp::default()), Ok(()));
    assert_eq!(world.near.push(0, &sound[half..half + second], Stamp::default()), Ok(()));
    assert!(!world.near.has_room());
    assert_eq!(world.near.push(0, &sound[half + second..], Stamp::default()), Err(PushError::Full));
    assert_eq!(world.near.figures().frames_pushed, u64::from(format.rate_hz));
    world.until("there is room", |world| world.near.has_room());
    let now_us = world.scene.now_us;
    assert_eq!(world.near.push(now_us, &sound[half + second..], Stamp::default()), Ok(()));
    world.near.finish(now_us);
    assert_eq!(world.near.push(now_us, &sound[..half], Stamp::default()), Err(PushError::Ended));
    world.until("the session is over", |world| !world.closed.is_empty());
    let whole: Vec<f32> = world.audio.iter().flat_map(|(.., samples)| samples).copied().collect();
    assert_eq!(whole, sound, "all of it, in order");
}

#[test]
fn times_of_tagged_audio_survive_the_cutting() {
    let mut world = Connected::new("remote_answers", MessageForm::Binary, EventReceipts::None);
    let tag = Tag { segment: 300, revision: 0, turn: 0 };
    let stamp = Stamp { pts_us: Some(4_000_000), tag, ..Stamp::default() };
    let format = world.near.session().input();
    let samples = vec![0.1; format.rate_hz as usize / 5];
    world.near.push(0, &samples, stamp).expect("there is room");
    world.ticks(1);
    // The sender's segments are known by their audio: the message finds its own.
    let cancel =
        Control::CancelSpeculation { segment: 300, from_us: 4_000_000, to_us: 4_200_000, late: false };
    world.client.send_control(world.scene.now_us, &cancel).expect("there is room");
    world.ticks(2);
    assert_eq!(world.near.peer().figures().unknown, 0);
    let mut names = SegmentNames::new("caller".into(), 1);
    assert_eq!(names.serial(segment_id("caller", 1, 300)), None, "far from the first segment");
    let census = world.scene.engine.census(&mut Default::default()).controls;
    assert_eq!((census.arrived, census.without_effect), (1, 0));
    assert_eq!(world.client.figures().outgoing.applied, 1);
}

#[test]
fn a_flood_closes_the_session_and_says_so() {
    let mut world = Connected::new("voice_assistant", MessageForm::Json, EventReceipts::None);
    let mut flooded = None;
    for count in 0..2_000 {
        let interrupt = Control::Interrupt { mode: InterruptMode::Soft };
        world.client.send_control(0, &interrupt).expect("its receipts come");
        let Output::Transmit(bytes) = world.client.poll(0) else { panic!("there is something to send") };
        if let Err(error) = world.near.handle(0, Input::Json(bytes)) {
            flooded = Some((count, error));
            break;
        }
        // Receipts alone go back: nothing that the session has to say.
        while let Output::Transmit(bytes) = world.near.poll_connection(0) {
            world.client.handle(0, Input::Json(bytes)).expect("it is a message");
        }
        while !matches!(world.client.poll(0), Output::Wait { .. }) {}
    }
    assert_eq!(flooded, Some((CONTROLS_MAX + ARRIVED_MAX, PeerError::Overflow)));
    world.until("the session is over", |world| !world.closed.is_empty());
    assert_eq!(world.closed, [Some(CloseReason::ControlOverflow)]);
    assert_eq!(world.events.last(), Some(&MessageType::Closed { reason: "control_overflow".into() }));
    assert!(world.near.session().is_closed());
}

#[test]
fn what_happens_without_a_connection_is_told_on_the_next_one() {
    let (events, audio) = beside("voice_assistant", "Halt!");
    let mut world = Connected::new("voice_assistant", MessageForm::Binary, EventReceipts::Each);
    world.client.send_control(0, &line("Halt!")).expect("there is room");
    world.ticks(1);
    world.near.disconnected();
    world.client.disconnected();
    world.ticks(300);
    assert!(world.events.is_empty() && world.audio.is_empty());
    let now_us = world.scene.now_us;
    world.near.reconnected(now_us);
    world.client.reconnected(now_us);
    world
        .until("the line ends", |world| matches!(world.events.last(), Some(MessageType::AnswerEnded { .. })));
    world.near.finish(world.scene.now_us);
    world.until("the session is over", |world| !world.closed.is_empty());
    assert_eq!(world.events, events);
    assert_eq!(world.audio, audio);
}

#[test]
fn a_session_takes_no_events_and_nothing_after_its_end() {
    let mut world = Connected::new("voice_assistant", MessageForm::Binary, EventReceipts::Each);
    let event = SessionEvent::AnswerPaused { turn: 1 };
    world.client.send_event(0, &event).expect("there is room");
    world.ticks(1);
    assert_eq!(world.near.figures().refused, 1);
    world.near.session().close();
    world.until("the session is over", |world| !world.closed.is_empty());
    assert_eq!(world.closed, [Some(CloseReason::HungUp)]);
    let now_us = world.scene.now_us;
    assert_eq!(world.near.push(now_us, &[0.0; 80], Stamp::default()), Err(PushError::Ended));
    world.client.send_control(now_us, &Control::EndTurn).expect("there is room");
    world.ticks(100);
    assert!(world.controls.is_empty());
}

/// Carries what `from` sends to `to`; gets what came of it at `from`.
fn carry(now_us: u64, from: &mut Peer, to: &mut Peer, mut got: impl FnMut(Output<'_>)) {
    loop {
        match from.poll(now_us) {
            Output::Transmit(bytes) => to.handle(now_us, Input::Binary(bytes)).expect("it is a message"),
            Output::Wait { .. } => return,
            other => got(other),
        }
    }
}

#[test]
fn the_ends_of_a_split_session_work_with_a_peer_of_their_own() {
    let (mut scene, session) = Scene::new("voice_assistant");
    let config = PeerConfig::new("caller".into(), session.generation());
    let mut client = Peer::new(config.clone()).expect("it has a name");
    let mut near = Peer::new(config).expect("it has a name");
    let (_input, mut output, mut control) = session.split().expect("nobody else has it");
    client.send_control(0, &Control::EndTurn).expect("there is room");
    let id = client.send_control(0, &line("Halt!")).expect("there is room").expect("it is a message");
    let (format, mut told) = (output.format(), Vec::new());
    let mut sound = vec![0.0; format.rate_hz as usize / 200 * usize::from(format.channels)];
    while !matches!(told.last(), Some(MessageType::AnswerEnded { .. })) {
        let now_us = scene.now_us;
        assert!(now_us < 20_000_000, "{told:#?}");
        carry(now_us, &mut client, &mut near, |_| {});
        carry(now_us, &mut near, &mut client, |got| {
            if let Output::Control(message) = got {
                control.control(message).expect("there is room");
            }
        });
        scene.tick();
        output.read(&mut sound);
        while let Some(event) = control.poll() {
            if let SessionEvent::Applied { message_id } = event {
                near.applied(now_us, message_id);
            } else {
                near.send_event(now_us, &event).expect("there is room");
            }
        }
        carry(now_us, &mut near, &mut client, |_| {});
        carry(now_us, &mut client, &mut near, |got| {
            if let Output::Event { message, .. } = got {
                told.push(message.message_type.clone());
            }
        });
    }
    assert!(told.contains(&MessageType::AnswerStarted { line: id }), "{told:#?}");
    assert_eq!(client.figures().outgoing.applied, 2);
    // Numbers of the host's own go on behind those of the client.
    assert!(control.end_turn().expect("there is room") > id);
}
