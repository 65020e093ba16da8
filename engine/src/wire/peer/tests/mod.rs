mod network;
mod own_form;

use std::sync::Arc;

use super::*;
use crate::edge::session_event::CloseReason;
use crate::wire::delivery::UNACKNOWLEDGED_MAX;
use crate::wire::message::{Arrival, segment_id};

const MS: u64 = 1_000;

fn config() -> PeerConfig {
    PeerConfig::new("caller".into(), 1)
}

fn peer() -> Peer {
    Peer::new(config()).expect("it is a session")
}

fn with(receipts: EventReceipts) -> Peer {
    Peer::new(PeerConfig { receipts, ..config() }).expect("it is a session")
}

fn cancel(turn: u32) -> Control {
    Control::CancelAnswer { turn }
}

fn transcript(text: &str) -> SessionEvent {
    SessionEvent::Transcript { segment: 3, revision: 1, turn: 1, text: text.into(), last: true }
}

fn closed() -> SessionEvent {
    SessionEvent::Closed { reason: CloseReason::Finished }
}

/// What a peer sends now, and what it tells beside that, in words.
fn polled(peer: &mut Peer, now_us: u64) -> (Vec<Vec<u8>>, Vec<String>) {
    let (mut sent, mut told) = (Vec::new(), Vec::new());
    loop {
        match peer.poll(now_us) {
            Output::Transmit(bytes) => sent.push(bytes.to_vec()),
            Output::Control(ControlIn { message_id, control }) => {
                told.push(format!("{message_id} {control:?}"))
            }
            Output::Event { message, segment } => {
                told.push(format!("{} {:?} {segment:?}", message.message_id, message.message_type));
            }
            Output::Delivery(event) => told.push(format!("{event:?}")),
            Output::Wait { .. } => return (sent, told),
        }
    }
}

/// Everything that goes back and forth now; what the first and the second peer tell.
fn settle(now_us: u64, a: &mut Peer, b: &mut Peer) -> [Vec<String>; 2] {
    let mut told = [Vec::new(), Vec::new()];
    loop {
        let (to_b, of_a) = polled(a, now_us);
        told[0].extend(of_a);
        to_b.iter().for_each(|bytes| b.handle(now_us, Input::Binary(bytes)).expect("it is a message"));
        let (to_a, of_b) = polled(b, now_us);
        told[1].extend(of_b);
        to_a.iter().for_each(|bytes| a.handle(now_us, Input::Binary(bytes)).expect("it is a message"));
        if to_a.is_empty() && to_b.is_empty() {
            return told;
        }
    }
}

#[test]
fn segments_are_found_by_name_and_unknown_ones_mean_nothing() {
    let (mut engine, mut host) = (peer(), peer());
    let cancel = |segment| Control::CancelSpeculation { segment, from_us: 0, to_us: 9, late: false };
    engine.send_control(0, &cancel(5)).unwrap();
    engine.send_control(0, &cancel(500)).unwrap();
    engine.send_event(0, &transcript("tea")).unwrap();
    let [_, told] = settle(0, &mut engine, &mut host);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("1 CancelSpeculation { segment: 5"), "{told:?}");
    assert!(told[1].ends_with("Some(3)"), "{told:?}");
    assert_eq!(
        (host.figures().unknown, engine.figures().outgoing.applied),
        (1, 1),
        "it stops nothing, at once"
    );
    // Audio says where the sender is.
    host.heard_of(500);
    engine.send_control(0, &cancel(500)).unwrap();
    assert_eq!(settle(0, &mut engine, &mut host)[1].len(), 1);
}

#[test]
fn nothing_fails_without_a_connection_and_a_new_one_brings_what_was_lost() {
    let (mut engine, mut host) = (peer(), peer());
    engine.send_control(0, &cancel(1)).unwrap();
    engine.send_control(0, &cancel(2)).unwrap();
    let (sent, _) = polled(&mut engine, 0);
    // The first one arrives, its receipt does not, the second one is lost.
    host.handle(0, Input::Binary(&sent[0])).unwrap();
    assert_eq!(polled(&mut host, 0).1.len(), 1);
    // All that is sent again is lost, and one time more would be too many.
    for ms in [50, 100, 150] {
        assert_eq!(polled(&mut engine, ms * MS).0.len(), 2, "at {ms} ms");
    }
    engine.disconnected();
    host.disconnected();
    engine.send_control(160 * MS, &cancel(3)).unwrap();
    for ms in (160..60_000).step_by(50) {
        assert_eq!(engine.poll(ms * MS), Output::Wait { until_us: None }, "at {ms} ms");
    }
    let now_us = 60_000 * MS;
    engine.reconnected(now_us);
    host.reconnected(now_us);
    let [of_engine, of_host] = settle(now_us, &mut engine, &mut host);
    assert_eq!(of_host, ["2 CancelAnswer { turn: 2 }", "3 CancelAnswer { turn: 3 }"]);
    let delivered = of_engine.iter().filter(|told| told.starts_with("Delivered")).count();
    assert_eq!((delivered, of_engine.len()), (3, 3), "{of_engine:?}");
    assert_eq!(engine.figures().outgoing.failed, 0);
}

#[test]
fn a_host_that_comes_back_without_its_state_goes_on_with_its_ids() {
    let (mut engine, mut host) = (peer(), peer());
    host.send_control(0, &Control::EndTurn).unwrap();
    engine.send_control(0, &cancel(1)).unwrap();
    settle(0, &mut engine, &mut host);
    assert_eq!(engine.newest_id(), 2, "a receipt has an id, too");
    engine.disconnected();
    engine.send_control(0, &cancel(2)).unwrap();
    let mut again = Peer::new(PeerConfig { ids_before: engine.newest_id(), ..config() }).unwrap();
    engine.reconnected(9 * MS);
    assert_eq!(again.send_control(9 * MS, &Control::Discard), Ok(Some(3)));
    let [of_engine, of_host] = settle(9 * MS, &mut engine, &mut again);
    assert!(of_engine.contains(&"3 Discard".to_owned()), "{of_engine:?}");
    assert_eq!(of_host.iter().filter(|told| told.contains("turn: 2")).count(), 1, "{of_host:?}");
    assert_eq!(engine.figures().incoming.repeated, 0);
}

#[test]
fn the_end_waits_for_what_was_said_before_it_and_nothing_follows() {
    for receipts in [EventReceipts::None, EventReceipts::Each] {
        let (mut engine, mut host) = (with(receipts), with(receipts));
        engine.send_control(0, &cancel(1)).unwrap();
        engine.send_event(0, &transcript("tea")).unwrap();
        engine.send_event(0, &closed()).unwrap();
        assert_eq!(engine.send_control(0, &cancel(2)), Err(SendError::Closed));
        assert_eq!(engine.send_event(0, &transcript("no")), Err(SendError::Closed));
        let (sent, _) = polled(&mut engine, 0);
        assert_eq!(sent.len(), 2, "{receipts:?}: the end waits for receipts");
        sent.iter().for_each(|bytes| host.handle(0, Input::Binary(bytes)).unwrap());
        let [_, told] = settle(0, &mut engine, &mut host);
        assert!(told[2].contains("Closed"), "{told:?}");
        assert!(host.is_closed() && engine.is_settled());
        // What comes behind is not acknowledged, so nobody takes it for done.
        let mut late = with(receipts);
        late.delivery.continue_after(100);
        late.send_control(0, &cancel(9)).unwrap();
        host.handle(0, Input::Binary(&polled(&mut late, 0).0[0])).unwrap();
        assert_eq!(polled(&mut host, 0), (Vec::new(), Vec::new()), "{receipts:?}");
        assert_eq!(host.figures().after_closed, 1);
    }
}

#[test]
fn an_event_that_a_later_one_overtook_is_dropped_and_counted() {
    let (mut engine, mut host) = (peer(), peer());
    engine.send_event(0, &transcript("one")).unwrap();
    engine.send_event(0, &transcript("two")).unwrap();
    let (sent, _) = polled(&mut engine, 0);
    for at in [1, 0, 1] {
        host.handle(0, Input::Binary(&sent[at])).unwrap();
    }
    let (receipts, told) = polled(&mut host, 0);
    assert!(receipts.is_empty(), "nobody asked for receipts");
    assert!(told.len() == 1 && told[0].contains("two"), "{told:?}");
    let figures = host.figures();
    assert_eq!((figures.overtaken, figures.incoming.repeated), (1, 1));
    assert_eq!(engine.figures().outgoing.sent_once, 2);
    assert_eq!(engine.unacknowledged(), 0);
}

#[test]
fn events_with_receipts_go_one_at_a_time_and_a_lost_one_holds_nothing_up_for_ever() {
    let (mut engine, mut host) = (with(EventReceipts::Each), with(EventReceipts::Each));
    engine.send_event(0, &transcript("lost")).unwrap();
    engine.send_event(0, &transcript("found")).unwrap();
    for ms in [0, 50, 100, 150] {
        assert_eq!(polled(&mut engine, ms * MS).0.len(), 1, "at {ms} ms");
    }
    let (sent, told) = polled(&mut engine, 200 * MS);
    assert_eq!(told, ["Failed { message_id: 1 }"]);
    host.handle(200 * MS, Input::Binary(&sent[0])).unwrap();
    let [_, told] = settle(200 * MS, &mut engine, &mut host);
    assert!(told[0].contains("found"), "{told:?}");
}

#[test]
fn bounds_end_in_control_overflow() {
    for receipts in [EventReceipts::None, EventReceipts::Each] {
        let mut engine = with(receipts);
        let mut taken = 0;
        while engine.send_event(0, &transcript("tea")) == Ok(true) {
            taken += 1;
        }
        assert_eq!(taken, UNACKNOWLEDGED_MAX, "{receipts:?}");
        assert_eq!(engine.send_event(0, &transcript("tea")), Err(SendError::Overflow));
        // The last event has its room.
        assert_eq!(engine.send_event(0, &closed()), Ok(true));
    }
    let (mut engine, mut host) = (peer(), peer());
    let mut sent = Vec::new();
    for turn in 0..=ARRIVED_MAX as u32 {
        engine.send_control(0, &cancel(turn)).ok();
        sent.extend(polled(&mut engine, 0).0);
        engine.delivery.received(0, &receipt(u64::from(turn) + 1));
    }
    let last = sent.pop().unwrap();
    sent.iter().for_each(|bytes| host.handle(0, Input::Binary(bytes)).unwrap());
    assert_eq!(host.handle(0, Input::Binary(&last)), Err(PeerError::Overflow));
    let (receipts, told) = polled(&mut host, 0);
    assert_eq!((receipts.len(), told.len()), (ARRIVED_MAX, ARRIVED_MAX), "the last one is not acknowledged");
    assert_eq!(host.handle(0, Input::Binary(&last)), Ok(()), "it was not taken, so it is still new");
    assert_eq!(polled(&mut host, 0).1.len(), 1);
    assert_eq!(host.figures().overflowed, 1);
}

fn receipt(message_id: u64) -> ControlMessage {
    let what = MessageType::Ack { message_id, stage: crate::wire::message::AckStage::Delivered };
    ControlMessage::new("caller".into(), 0, what)
}

#[test]
fn wrong_input_changes_nothing_but_counts() {
    let mut host = peer();
    let rejected: [Input<'_>; 6] = [
        Input::Binary(b""),
        Input::Binary(b"\x01\x00\x00"),
        Input::Binary(&[5, 0xff, 0xff, 1]),
        Input::Json(b"{"),
        Input::Json(&[0xff; 40]),
        Input::Json(&[b' '; crate::wire::message::MESSAGE_BYTES_MAX + 1]),
    ];
    let mut logged = 0;
    for input in rejected {
        match host.handle(0, input) {
            Err(PeerError::Rejected { log, .. }) => logged += u32::from(log.is_some()),
            other => panic!("{input:?}: {other:?}"),
        }
    }
    assert_eq!(logged, 1, "once a second at most");
    let text = |session: &str, id: u64, timestamp: u64, what: &str| {
        format!(
            "{{\"message_id\":{id},\"session_id\":\"{session}\",\"timestamp\":{timestamp},\"turn\":1,\
             \"message_type\":{{\"{what}\":{{}}}}}}"
        )
    };
    let now_us = 3_000_000;
    for text in [
        text("caller", 1, now_us, "RaiseHand"),
        text("somebody", 2, now_us, "CancelAnswer"),
        text("caller", 3, 1, "CancelAnswer"),
        text("caller", 3, 1, "CancelAnswer"),
    ] {
        assert_eq!(host.handle(now_us, Input::Json(text.as_bytes())), Ok(()), "{text}");
    }
    let figures = host.figures();
    assert_eq!((figures.intake.rejected, figures.intake.unknown_type, figures.intake.accepted), (6, 1, 3));
    assert_eq!((figures.intake.session_mismatch, figures.intake.stale), (1, 2));
    assert_eq!((figures.incoming.processed, figures.incoming.repeated), (2, 1));
    let (receipts, told) = polled(&mut host, now_us);
    assert_eq!((receipts.len(), told.len()), (3, 2), "what is seen again is acknowledged again");
}

#[test]
fn bytes_behind_a_message_are_counted() {
    let (mut engine, mut host) = (peer(), peer());
    engine.send_control(0, &cancel(1)).unwrap();
    let mut bytes = polled(&mut engine, 0).0.remove(0);
    bytes.push(0);
    assert_eq!(host.handle(0, Input::Binary(&bytes)), Ok(()));
    assert_eq!((host.figures().surplus, polled(&mut host, 0).1.len()), (1, 1));
}

#[test]
fn what_does_not_fit_into_a_message_is_refused_when_it_is_sent() {
    let mut engine = peer();
    // A text within its limit, of which JSON makes six times as much.
    let text: Arc<str> = "\u{1}".repeat(crate::edge::line::LINE_BYTES_MAX).into();
    let refused = engine.send_control(0, &Control::SendText { text: text.clone() });
    assert!(matches!(refused, Err(SendError::Invalid(MessageError::Limit { .. }))), "{refused:?}");
    assert!(engine.send_event(0, &transcript(&text)).is_err());
    assert!(engine.send(0, receipt(1)).is_err(), "receipts are the peer's own");
    assert_eq!(engine.poll(0), Output::Wait { until_us: None });
}

#[test]
fn a_peer_needs_a_session_and_ids_that_somebody_can_have_used() {
    for config in [
        PeerConfig { session: "".into(), ..config() },
        PeerConfig { session: "x".repeat(129).into(), ..config() },
        PeerConfig { ids_before: IDS_BEFORE_MAX + 1, ..config() },
    ] {
        assert!(Peer::new(config.clone()).is_err(), "{config:?}");
    }
    assert!(Peer::new(PeerConfig { ids_before: IDS_BEFORE_MAX, ..config() }).is_ok());
}

#[test]
fn names_of_segments_need_the_same_generation() {
    let mut host = Peer::new(PeerConfig { generation: 2, ..config() }).unwrap();
    let mut message =
        ControlMessage::new("caller".into(), 0, MessageType::RetractEndOfSpeech { at_timestamp: 1 });
    (message.message_id, message.revision) = (1, Some(1));
    for (generation, known) in [(1, 0), (2, 1)] {
        message.target_segment_id = Some(segment_id("caller", generation, 1));
        message.message_id += 1;
        let mut bytes = Vec::new();
        binary::encode_into(&message, &mut bytes).unwrap();
        host.handle(0, Input::Binary(&bytes)).unwrap();
        assert_eq!(polled(&mut host, 0).1.len(), known, "generation {generation}");
    }
}
