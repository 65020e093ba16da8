//! Sessions over a real connection: audio and messages both ways, their receipts, and how sessions end.

mod support;

use mynah_engine::speech::InterruptMode;
use mynah_engine::wire::message::{AckStage, MessageType, segment_id};
use mynah_serve_grpc::proto::{ClientPart, Encoding, Format, Open, server_part};
use support::{Door, bursts, talk};

fn format(rate_hz: u32, encoding: Encoding) -> Option<Format> {
    Some(Format { rate_hz, channels: 1, encoding: encoding.into() })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audio_comes_back_as_it_went_and_a_finished_session_ends_well() {
    let door = Door::of("passthrough");
    let open = Open {
        session: "caller".into(),
        input: format(16_000, Encoding::F32),
        output: format(16_000, Encoding::F32),
        ..Open::default()
    };
    let mut client = door.client(open).await;
    assert_eq!((client.opened.session.as_str(), client.opened.scene.as_str()), ("caller", "passthrough"));
    assert_eq!((client.opened.generation, client.opened.output), (1, format(16_000, Encoding::F32)));
    let sent: Vec<u8> =
        (0..4_800_u32).flat_map(|at| ((at % 97) as f32 / 100.0 - 0.5).to_le_bytes()).collect();
    for piece in sent.chunks(1_280) {
        client.audio(piece).await;
    }
    client.finish().await;
    client.end().await.expect("it ends well");
    let heard = client.heard();
    let back: Vec<u8> = heard.iter().flat_map(|(_, audio)| audio.samples.to_vec()).collect();
    assert!(back == sent, "{} bytes of {} came back, or others", back.len(), sent.len());
    assert!(heard.iter().all(|(part, _)| (part.revision, part.turn) == (Some(0), Some(0))));
    assert!(heard.is_sorted_by(|(_, a), (_, b)| a.pts_us < b.pts_us));
    let last = client.told().pop().expect("it was told").1.message_type;
    assert!(matches!(last, MessageType::Closed { .. }), "{last:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_spoken_is_answered_and_messages_are_acknowledged_both_ways() {
    let door = Door::of(&talk());
    let params_json = r#"{"simulated_words": [[200000, 800000, "hello there"]]}"#.into();
    let mut client = door.client(Open { params_json, notes: vec!["speech".into()], ..Open::default() }).await;
    client.speak(&bursts(&[200, 600, 900])).await;
    client
        .until("it is answered", |client| {
            client.was_told(|one| matches!(one, MessageType::AnswerEnded { .. }))
        })
        .await;
    let session = client.opened.session.clone();
    let (mut transcript, segment) = (String::new(), segment_id(&session, 1, 1));
    for (_, message) in client.told() {
        if let MessageType::Transcript { text, .. } = &message.message_type {
            assert_eq!(message.target_segment_id, Some(segment));
            transcript += text;
        }
    }
    assert_eq!(transcript, "hello there");
    assert!(client.was_told(|one| matches!(one, MessageType::ConfirmSpeculation { .. })));
    assert!(client.was_told(|one| matches!(one, MessageType::EndOfSpeech { last: true, .. })));
    let note = client.got.iter().any(|(_, part)| matches!(&part.part, Some(server_part::Part::Note(note)) if note.kind == "speech_started"));
    assert!(note, "it was asked for");
    let (part, audio) = &client.heard()[0];
    assert_eq!((part.target_segment_id.clone(), part.turn), (Some(segment.to_string()), Some(1)));
    assert!(part.revision >= Some(1) && audio.pts_us == 0 && !audio.samples.is_empty());
    let id = client.control(MessageType::Interrupt { mode: InterruptMode::Now }).await;
    client.until("it is applied", |client| client.receipts().contains(&(id, AckStage::Applied))).await;
    assert!(client.receipts().contains(&(id, AckStage::Delivered)));
    client.hang_up().await;
    client.end().await.expect("it ends well");
    assert_eq!(door.metric("mynah_control_failed_total{transport=\"grpc\"}"), 0.0);
    let sent = door.metric("mynah_control_sent_total{transport=\"grpc\"}");
    assert!(sent >= 3.0 && door.metric("mynah_control_acked_total{transport=\"grpc\"}") == sent, "{sent}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_arms_are_ignored_and_what_is_wrong_is_told() {
    let door = Door::of("passthrough");
    let mut client = door.client(Open::default()).await;
    // A part of a newer client, without an arm that is known here.
    client.to.send(ClientPart::default()).await.expect("the stream is open");
    client.audio([0]).await;
    client.until("it is told", |client| !client.complaints().is_empty()).await;
    assert_eq!(client.complaints(), ["bad_audio"]);
    client.audio([0; 640]).await;
    client.until("it goes on", |client| !client.heard().is_empty()).await;
    // The client sends no more: its stream is half closed.
    let mut quiet = door.client(Open::default()).await;
    quiet.audio([0; 640]).await;
    drop(std::mem::replace(&mut quiet.to, tokio::sync::mpsc::channel(1).0));
    quiet.end().await.expect("it ends well");
    let bytes: usize = quiet.heard().iter().map(|(_, audio)| audio.samples.len()).sum();
    assert_eq!(bytes, 640, "what was sent is answered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_gives_its_place_back() {
    let door = Door::of("passthrough");
    let client = door.client(Open::default()).await;
    assert_eq!(door.server.admission().taken(), 1);
    drop(client);
    let gone = async {
        while door.server.admission().taken() > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(support::SOON, gone).await.expect("the place is free again");
}
