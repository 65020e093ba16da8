mod model;
mod window;

use std::sync::Arc;

use super::*;
use crate::wire::message::{MESSAGE_ID_MAX, MessageError};

const MS: u64 = 1_000;

fn cancel() -> ControlMessage {
    let what = MessageType::CancelSpeculation { from_timestamp: 0, to_timestamp: 1, late: false };
    ControlMessage::new("caller".into(), 0, what)
}

fn end() -> Delivery {
    Delivery::new("caller".into(), 0)
}

fn ack(message_id: u64, stage: AckStage) -> ControlMessage {
    ControlMessage::new("caller".into(), 0, MessageType::Ack { message_id, stage })
}

fn transmits(end: &mut Delivery, now_us: u64) -> Vec<ControlMessage> {
    std::iter::from_fn(|| end.poll_transmit(now_us).cloned()).collect()
}

fn events(end: &mut Delivery) -> Vec<DeliveryEvent> {
    std::iter::from_fn(|| end.poll_event()).collect()
}

/// Polls at every millisecond of `polled_ms` and returns those in which a message went out, and when it failed.
fn times_ms(polled_ms: impl IntoIterator<Item = u64>) -> (Vec<u64>, Option<u64>) {
    let mut end = end();
    end.send(0, cancel()).unwrap();
    let (mut sent, mut failed) = (Vec::new(), None);
    for ms in polled_ms {
        sent.extend(transmits(&mut end, ms * MS).iter().map(|_| ms));
        if events(&mut end) == [DeliveryEvent::Failed { message_id: 1 }] {
            failed = Some(ms);
        }
    }
    (sent, failed)
}

#[test]
fn a_message_goes_out_four_times_50_ms_apart_and_then_fails() {
    assert_eq!(times_ms(0..=500), (vec![0, 50, 100, 150], Some(200)));
    // A slow driver moves what follows; the gap is counted from the transmission.
    assert_eq!(times_ms([10, 40, 61, 70, 120, 121, 600, 649, 650]), (vec![10, 61, 120, 600], Some(650)));
    assert_eq!(times_ms([0, 49, 50]), (vec![0, 50], None));
}

#[test]
fn next_due_says_when_the_next_poll_does_something() {
    let mut end = end();
    assert_eq!(end.next_due_us(), None);
    end.send(7, cancel()).unwrap();
    assert_eq!(end.next_due_us(), Some(7));
    transmits(&mut end, 9);
    assert_eq!(end.next_due_us(), Some(9 + 50 * MS));
    end.received(20, &cancel());
    assert_eq!(end.next_due_us(), Some(20), "an acknowledgement waits");
    transmits(&mut end, 20);
    for due in [9 + 50 * MS, 9 + 100 * MS, 9 + 150 * MS, 9 + 200 * MS] {
        assert_eq!(end.next_due_us(), Some(due));
        transmits(&mut end, due);
    }
    assert_eq!(end.next_due_us(), None);
}

#[test]
fn an_acknowledgement_stops_the_repeating_whenever_it_comes() {
    for after in 1..=TRANSMITS_MAX {
        let mut end = end();
        let id = end.send(0, cancel()).unwrap();
        for attempt in 0..u64::from(after) {
            assert_eq!(transmits(&mut end, attempt * 50 * MS).len(), 1, "attempt {attempt} of {after}");
        }
        assert_eq!(end.received(1_000 * MS, &ack(id, AckStage::Delivered)), Receipt::Ack);
        assert_eq!(transmits(&mut end, 2_000 * MS), [], "after {after}");
        assert_eq!(events(&mut end), [DeliveryEvent::Delivered { message_id: id }], "after {after}");
        assert_eq!((end.outgoing().unacknowledged(), end.next_due_us()), (0, None));
    }
}

#[test]
fn acknowledgements_count_once_in_any_order() {
    use AckStage::{Applied, Delivered};
    let delivered = DeliveryEvent::Delivered { message_id: 1 };
    let applied = DeliveryEvent::Applied { message_id: 1 };
    let cases: [(&str, &[AckStage], &[DeliveryEvent], u64); 5] = [
        ("in order", &[Delivered, Applied], &[delivered, applied], 0),
        ("applied implies delivered", &[Applied], &[delivered, applied], 0),
        ("overtaken", &[Applied, Delivered], &[delivered, applied], 1),
        ("repeated", &[Delivered, Delivered, Applied, Applied], &[delivered, applied], 2),
        ("delivered only", &[Delivered], &[delivered], 0),
    ];
    for (name, acks, want, stray) in cases {
        let mut end = end();
        end.send(0, cancel()).unwrap();
        transmits(&mut end, 0);
        for stage in acks {
            end.received(1, &ack(1, *stage));
        }
        assert_eq!(events(&mut end), want, "{name}");
        assert_eq!(end.outgoing().figures().acks_stray, stray, "{name}");
    }
}

#[test]
fn a_failed_message_stays_failed() {
    let mut end = end();
    let id = end.send(0, cancel()).unwrap();
    for ms in [0, 50, 100, 150, 200] {
        transmits(&mut end, ms * MS);
    }
    end.received(201 * MS, &ack(id, AckStage::Delivered));
    end.received(201 * MS, &ack(id, AckStage::Applied));
    assert_eq!(events(&mut end), [DeliveryEvent::Failed { message_id: id }]);
    let figures = end.outgoing().figures();
    assert_eq!((figures.sent, figures.retried, figures.acked, figures.failed), (1, 3, 0, 1));
    assert_eq!(figures.acks_stray, 2);
}

#[test]
fn acknowledging_what_was_not_sent_changes_nothing() {
    let mut end = end();
    let id = end.send(0, cancel()).unwrap();
    for stray in [0, id, 99, MESSAGE_ID_MAX, u64::MAX] {
        end.received(0, &ack(stray, AckStage::Applied));
    }
    assert_eq!(events(&mut end), []);
    assert_eq!(transmits(&mut end, 0).len(), 1, "not yet sent, so nobody can have seen it");
}

#[test]
fn what_comes_again_is_acknowledged_again_and_not_processed() {
    let mut end = end();
    let mut message = cancel();
    message.message_id = 40;
    let stages = |end: &mut Delivery| -> Vec<AckStage> {
        let stage = |ack: &ControlMessage| match ack.message_type {
            MessageType::Ack { message_id: 40, stage } => stage,
            _ => panic!("{ack:?}"),
        };
        transmits(end, 5).iter().map(stage).collect()
    };
    assert_eq!(end.received(0, &message), Receipt::Process);
    assert_eq!(stages(&mut end), [AckStage::Delivered]);
    assert_eq!(end.received(1, &message), Receipt::Repeated);
    assert_eq!(stages(&mut end), [AckStage::Delivered]);
    assert!(end.applied(2, 40));
    assert!(!end.applied(2, 40), "once");
    assert_eq!(stages(&mut end), [AckStage::Applied]);
    assert_eq!(end.received(3, &message), Receipt::Repeated);
    assert_eq!(stages(&mut end), [AckStage::Delivered, AckStage::Applied]);
    assert!(!end.applied(4, 41), "never came");
    assert_eq!(stages(&mut end), []);
}

#[test]
fn acknowledgements_have_the_session_an_id_of_their_own_and_the_time() {
    let mut end = Delivery::new("caller".into(), 1_700_000_000_000_000);
    let id = end.send(0, cancel()).unwrap();
    let mut message = cancel();
    message.message_id = 8;
    end.received(3, &message);
    let sent = transmits(&mut end, 5);
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].session_id, Arc::from("caller"));
    assert_eq!(sent[0].timestamp, 1_700_000_000_000_005);
    assert_eq!(sent[0].message_type, MessageType::Ack { message_id: 8, stage: AckStage::Delivered });
    assert_eq!(sent[1].message_id, id);
    assert_ne!(sent[0].message_id, id);
}

#[test]
fn a_peer_that_does_not_listen_ends_in_control_overflow() {
    let mut end = end();
    for _ in 0..UNACKNOWLEDGED_MAX {
        end.send(0, cancel()).unwrap();
        transmits(&mut end, 0);
    }
    let refused = end.send(0, cancel()).unwrap_err();
    assert_eq!(refused, SendError::Overflow);
    assert!(refused.to_string().starts_with("control_overflow: 256 "), "{refused}");
    assert_eq!(end.outgoing().figures().overflowed, 1);
    end.received(0, &ack(9, AckStage::Delivered));
    assert_eq!(end.send(0, cancel()), Ok(257), "a refused message takes no id");
    assert_eq!(end.send(0, cancel()), Err(SendError::Overflow));
}

#[test]
fn events_that_nobody_reads_end_in_control_overflow() {
    let mut end = end();
    let mut taken = 0;
    while let Ok(id) = end.send(0, cancel()) {
        transmits(&mut end, 0);
        end.received(0, &ack(id, AckStage::Applied));
        taken += 1;
        assert!(taken < 10_000, "the queue of events is bounded");
    }
    assert_eq!(events(&mut end).len(), EVENTS_MAX);
    end.send(0, cancel()).unwrap();
}

#[test]
fn messages_that_no_receiver_would_take_are_refused() {
    let mut wrong = cancel();
    wrong.message_type = MessageType::BatchHint { suggested_batch_size: 0 };
    for (message, want) in [(wrong, "suggested_batch_size"), (ack(1, AckStage::Applied), "message_type")] {
        let mut end = end();
        match end.send(0, message) {
            Err(SendError::Invalid(MessageError::Field { field, .. })) => assert_eq!(field, want),
            other => panic!("{want}: {other:?}"),
        }
        assert_eq!(end.send(0, cancel()), Ok(1), "no id was used up");
    }
}

#[test]
fn acknowledgements_that_nobody_fetches_are_bounded() {
    let mut end = end();
    let mut message = cancel();
    for id in 0..2_000 {
        message.message_id = id;
        assert_eq!(end.received(0, &message), Receipt::Process);
    }
    assert!(!end.applied(0, 1_999), "no room");
    assert_eq!(transmits(&mut end, 0).len(), ACKS_MAX);
    assert_eq!(end.incoming().figures().acks_dropped, 2_000 - ACKS_MAX as u64 + 1);
    assert!(end.applied(0, 1_999), "it may be tried again");
    assert_eq!(end.received(0, &message), Receipt::Repeated, "and who asks again is told");
    assert_eq!(transmits(&mut end, 0).len(), 3);
}

#[test]
fn workers_that_never_apply_are_watched_within_a_bound() {
    let mut end = end();
    for _ in 0..1_000 {
        let id = end.send(0, cancel()).unwrap();
        transmits(&mut end, 0);
        end.received(0, &ack(id, AckStage::Delivered));
        events(&mut end);
    }
    for id in [1_000, 1_000 - UNACKNOWLEDGED_MAX as u64] {
        end.received(0, &ack(id, AckStage::Applied));
    }
    assert_eq!(events(&mut end), [DeliveryEvent::Applied { message_id: 1_000 }]);
    assert_eq!(end.outgoing().figures().unwatched, 1_000 - UNACKNOWLEDGED_MAX as u64);
}

#[test]
fn a_message_that_hundreds_of_later_ones_overtook_fails_and_has_no_effect() {
    let (mut from, mut to) = (end(), end());
    let id = from.send(0, cancel()).unwrap();
    let overtaken = transmits(&mut from, 0).remove(0);
    for _ in 0..WINDOW_MAX + 1 {
        from.send(0, cancel()).unwrap();
        for message in transmits(&mut from, 0) {
            assert_eq!(to.received(0, &message), Receipt::Process);
        }
        for ack in transmits(&mut to, 0) {
            from.received(0, &ack);
        }
        events(&mut from);
    }
    assert_eq!(to.received(1, &overtaken), Receipt::TooOld);
    assert_eq!(transmits(&mut to, 1), [], "nobody knows whether it took effect, so nobody says so");
    for ms in [50, 100, 150, 200] {
        transmits(&mut from, ms * MS);
    }
    assert_eq!(events(&mut from), [DeliveryEvent::Failed { message_id: id }]);
}

#[test]
fn a_message_that_is_sent_once_is_neither_repeated_nor_acknowledged() {
    let (mut engine, mut host) = (end(), end());
    let id = engine.send_once(0, cancel()).unwrap();
    let sent = transmits(&mut engine, 0);
    assert_eq!(sent.iter().map(|message| message.message_id).collect::<Vec<_>>(), [id]);
    assert_eq!((engine.next_due_us(), engine.outgoing().unacknowledged()), (None, 0));
    assert!(!host.incoming().has_seen(id));
    assert_eq!(host.received_once(&sent[0]), Receipt::Process);
    assert!(host.incoming().has_seen(id));
    assert_eq!(host.received_once(&sent[0]), Receipt::Repeated);
    assert!(transmits(&mut host, 0).is_empty() && events(&mut engine).is_empty());
    let once = OutgoingFigures { sent_once: 1, ..OutgoingFigures::default() };
    assert_eq!(engine.outgoing().figures(), once);
}

#[test]
fn on_a_new_connection_the_repeating_begins_anew() {
    let mut end = end();
    end.send(0, cancel()).unwrap();
    for ms in [0, 50, 100, 150] {
        assert_eq!(transmits(&mut end, ms * MS).len(), 1, "at {ms} ms");
    }
    end.reconnected(199 * MS);
    for ms in [199, 249, 299, 349] {
        assert_eq!(transmits(&mut end, ms * MS).len(), 1, "at {ms} ms");
    }
    transmits(&mut end, 399 * MS);
    assert_eq!(events(&mut end), [DeliveryEvent::Failed { message_id: 1 }]);
}

#[test]
fn who_comes_back_without_its_state_goes_on_behind_the_newest_id() {
    let (mut engine, mut host) = (end(), end());
    host.received(0, &cancel());
    host.send(0, cancel()).unwrap();
    for message in transmits(&mut host, 0) {
        engine.received(0, &message);
    }
    assert_eq!(engine.newest_id(), 2, "a receipt has an id, too");
    let mut again = Delivery::new("caller".into(), 0);
    again.continue_after(engine.newest_id());
    assert_eq!(again.send(0, cancel()), Ok(3));
    assert_eq!(engine.received(0, &transmits(&mut again, 0)[0]), Receipt::Process);
}
