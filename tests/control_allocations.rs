//! Control messages cost no allocation once warm: encoded into a buffer that is used again, and delivered.
//! Alone in its program, so that nobody else's allocations are counted.

use std::sync::Arc;

use mynah_engine::Params;
use mynah_engine::edge::{Line, Say, Words};
use mynah_engine::media::Clip;
use mynah_engine::scene::Format;
use mynah_engine::wire::delivery::{Delivery, DeliveryEvent, Receipt};
use mynah_engine::wire::message::{ControlMessage, MessageType, binary, json};

#[global_allocator]
static ALLOCATOR: mynah_alloc::Counting = mynah_alloc::Counting;

/// One of each kind of content: numbers, a text, a recording in either encoding, parameters.
fn contents() -> [MessageType; 6] {
    let clip = |sample| {
        let format = Format { rate_hz: 16_000, channels: 1 };
        let clip = Clip { subtitle: "Hm.".into(), format, samples: vec![sample; 1_000].into() };
        MessageType::Say(Arc::new(Line { words: Words::Clip(clip.into()), say: Say::default() }))
    };
    [
        MessageType::ConfirmSpeculation { from_timestamp: 0, to_timestamp: 1 },
        MessageType::AnswerStarted { line: 7 },
        MessageType::Transcript { text: "two coffees, please".into(), last: true },
        clip(0.5),
        clip(0.1),
        MessageType::Set { params: Params::new().with("voice", "low").with("rate", 1.25).into() },
    ]
}

/// 20 messages there, lost at first, then delivered, acknowledged and applied.
fn exchange(
    ends: &mut [Delivery; 2],
    session: &Arc<str>,
    contents: &[MessageType],
    bytes: &mut Vec<u8>,
    from_us: u64,
) {
    let [engine, host] = ends;
    for what in contents.iter().cycle().take(20).cloned() {
        engine.send(from_us, ControlMessage::new(Arc::clone(session), from_us, what)).expect("there is room");
    }
    let mut lost = 0;
    while engine.poll_transmit(from_us).is_some() {
        lost += 1;
    }
    let again_us = engine.next_due_us().expect("all were lost");
    while let Some(message) = engine.poll_transmit(again_us) {
        for encode in [binary::encode_into, json::encode_into, json::encode_labelled_into] {
            bytes.clear();
            encode(message, bytes).expect("the message is valid");
        }
        for want in [Receipt::Process, Receipt::Repeated] {
            assert_eq!(host.received(again_us, message), want);
        }
        assert!(host.applied(again_us, message.message_id));
    }
    while let Some(ack) = host.poll_transmit(again_us) {
        assert_eq!(engine.received(again_us, ack), Receipt::Ack);
    }
    let mut applied = 0;
    while let Some(event) = engine.poll_event() {
        applied += u32::from(matches!(event, DeliveryEvent::Applied { .. }));
    }
    assert_eq!((lost, applied), (20, 20));
}

#[test]
fn warm_delivery_and_encoding_allocate_nothing() {
    let session: Arc<str> = "sess_abc123".into();
    let mut ends = [(); 2].map(|()| Delivery::new(Arc::clone(&session), 0));
    let (contents, mut bytes) = (contents(), Vec::new());
    let mut counts = (0..120).map(|round| {
        let before = mynah_alloc::allocations();
        exchange(&mut ends, &session, &contents, &mut bytes, round * 1_000_000);
        mynah_alloc::allocations() - before
    });
    let mut batch = || counts.by_ref().take(30).sum::<u64>();
    let cold = batch();
    // What the test's own program allocates beside it falls into one of three; what a message costs, into each.
    let warm = [batch(), batch(), batch()];
    assert!(cold > 0, "the allocator counts");
    let none = warm.iter().filter(|allocations| **allocations == 0).count();
    assert!(none >= 2, "allocations in 600 warm messages, three times: {warm:?} ({cold} in the first 600)");
}
