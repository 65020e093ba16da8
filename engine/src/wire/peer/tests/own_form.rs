//! Messages that their carrier writes and reads itself.

use super::*;
use crate::wire::message::{ControlMessage, MessageType, Overruled};

fn peer_of_own_form() -> Peer {
    Peer::new(PeerConfig { form: MessageForm::Own, ..config() }).expect("it is a session")
}

fn arrival(message: ControlMessage) -> Result<Arrival, MessageError> {
    Ok(Arrival::Message { message, overruled: Overruled::default() })
}

/// What a peer transmits now, and what it tells beside that.
fn carried(peer: &mut Peer, now_us: u64) -> (Vec<ControlMessage>, Vec<String>) {
    let (mut sent, mut told) = (Vec::new(), Vec::new());
    loop {
        match peer.poll(now_us) {
            Output::Transmit(bytes) => {
                assert!(bytes.is_empty(), "its carrier writes it");
                sent.push(peer.transmitted().cloned().expect("one was transmitted"));
            }
            Output::Wait { .. } => return (sent, told),
            other => told.push(format!("{other:?}")),
        }
    }
}

#[test]
fn messages_are_carried_as_they_are_resent_and_acknowledged() {
    let (mut engine, mut host) = (peer_of_own_form(), peer_of_own_form());
    let id = engine.send_control(0, &cancel(2)).unwrap().expect("it is a message");
    let (first, _) = carried(&mut engine, 0);
    assert_eq!(first.len(), 1);
    assert_eq!((first[0].message_id, first[0].turn), (id, Some(2)));
    // The first one is lost: the second says the same.
    assert!(carried(&mut engine, 49 * MS).0.is_empty());
    let (again, _) = carried(&mut engine, 50 * MS);
    assert_eq!(again, first);
    for message in first.into_iter().chain(again) {
        host.handle_decoded(51 * MS, arrival(message)).unwrap();
    }
    let (receipts, told) = carried(&mut host, 51 * MS);
    assert_eq!(
        told,
        [format!("Control(ControlIn {{ message_id: {id}, control: CancelAnswer {{ turn: 2 }} }})")]
    );
    for receipt in receipts {
        engine.handle_decoded(52 * MS, arrival(receipt)).unwrap();
    }
    let (rest, told) = carried(&mut engine, 52 * MS);
    assert_eq!((rest.len(), told), (0, vec![format!("Delivery(Delivered {{ message_id: {id} }})")]));
    assert_eq!(engine.figures().outgoing.retried, 1);
}

#[test]
fn what_is_out_of_range_unknown_or_unreadable_is_counted_as_in_the_other_forms() {
    let mut host = peer_of_own_form();
    let backwards = MessageType::ConfirmSpeculation { from_timestamp: 9, to_timestamp: 9 };
    let refused = host.handle_decoded(0, arrival(ControlMessage::new("caller".into(), 0, backwards)));
    let Err(PeerError::Rejected { error, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(error.name(), "field");
    host.handle_decoded(0, Ok(Arrival::UnknownType("of tomorrow".into()))).unwrap();
    let unreadable = MessageError::Field { field: "mode", value: "7".into(), remedy: "expected 1 or 2" };
    assert_eq!(
        host.handle_decoded(0, Err(unreadable.clone())),
        Err(PeerError::Rejected { error: unreadable, log: None }),
        "one line a second is due"
    );
    let intake = host.figures().intake;
    assert_eq!((intake.accepted, intake.rejected, intake.unknown_type), (0, 2, 1));
    assert!(carried(&mut host, 0).0.is_empty(), "nothing of it is acknowledged");
}

#[test]
fn other_forms_keep_nothing_beside_their_bytes_and_bad_messages_are_not_taken() {
    let mut engine = peer();
    engine.send_control(0, &cancel(2)).unwrap();
    assert_eq!(polled(&mut engine, 0).0.len(), 1);
    assert_eq!(engine.transmitted(), None);
    let text = "x".repeat(crate::edge::LINE_BYTES_MAX + 1).into();
    let long = ControlMessage::new("caller".into(), 0, MessageType::SendText { text });
    let sent = peer_of_own_form().send(0, long);
    assert!(matches!(sent, Err(SendError::Invalid(_))), "{sent:?}");
}
