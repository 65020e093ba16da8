//! The client against a server in the same process: every sample comes back, what is said is understood and answered, a
//! lost connection is gone on from, refusals say what would do.

mod support;

use std::time::Duration;

use mynah_client::{
    AudioFormat, Client, ClientError, Encoding, FromServer, NoteKind, ServerAddress, SessionNote,
    SessionRequest,
};
use mynah_engine::Control;
use mynah_engine::Params;
use mynah_engine::wire::delivery::DeliveryEvent;
use mynah_engine::wire::message::MessageType;
use mynah_load::load::Stream;
use mynah_load::load::bank::{Bank, BankConfig};
use mynah_load::load::caller::Caller;
use mynah_load::load::schedule::{CallerConfig, Phase};
use support::{Proxy, Running};

async fn connect(server: &Running, request: &SessionRequest) -> Client {
    let client = Client::connect(&server.address(None), None, request).await;
    client.unwrap_or_else(|error| panic!("{error}"))
}

/// Everything up to the end of the session, within a bound.
async fn rest(client: &mut Client) -> Vec<FromServer> {
    let mut all = Vec::new();
    let read = async {
        loop {
            all.push(client.next().await.unwrap_or_else(|error| panic!("{error}")));
            if matches!(all.last(), Some(FromServer::Closed { .. })) {
                return;
            }
        }
    };
    tokio::time::timeout(support::PATIENCE, read).await.expect("the session ends");
    all
}

fn sound(told: &[FromServer]) -> Vec<f32> {
    let audio = told.iter().filter_map(|told| match told {
        FromServer::Audio(audio) => Some(&audio.samples),
        _ => None,
    });
    audio.flatten().copied().collect()
}

#[tokio::test]
async fn every_sample_comes_back_with_its_place() {
    let server = Running::of(&["passthrough"], |_| {});
    for encoding in [Encoding::S16, Encoding::F32] {
        let format = AudioFormat { rate_hz: 16_000, channels: 1, encoding };
        let request =
            SessionRequest { input: Some(format), output: Some(format), ..SessionRequest::default() };
        let mut client = connect(&server, &request).await;
        assert_eq!((client.opened().scene.as_str(), client.opened().output), ("passthrough", Some(format)));
        let said: Vec<f32> = (0..24_000).map(|at| (at % 2_000 - 1_000) as f32 / 1_024.0).collect();
        // Four times as fast as it is spoken: what comes back much faster than that is dropped by the server.
        let (mut clock, mut told) = (tokio::time::interval(Duration::from_millis(5)), Vec::new());
        let mut pieces = said.chunks(320);
        loop {
            tokio::select! {
                _ = clock.tick() => match pieces.next() {
                    Some(piece) => client.push(piece).expect("it has room"),
                    None => break,
                },
                one = client.next() => told.push(one.unwrap_or_else(|error| panic!("{error}"))),
            }
        }
        client.finish().expect("it has room");
        told.extend(rest(&mut client).await);
        assert!(sound(&told) == said, "{encoding:?}: {} samples", sound(&told).len());
        let mut until_us = 0;
        for told in &told {
            if let FromServer::Audio(audio) = told {
                assert_eq!((audio.origin.revision, audio.pts_us), (0, until_us));
                until_us += audio.sound_us;
            }
        }
        assert!(matches!(told.last(), Some(FromServer::Closed { code: 1000, .. })), "{:?}", told.last());
        assert!(matches!(client.next().await, Err(ClientError::Over)));
        assert!(matches!(client.push(&[0.0]), Err(ClientError::Over)));
    }
}

/// A caller that speaks at once.
fn caller() -> Stream {
    let bank = Bank::build(BankConfig { clips: 4, rate_hz: 48_000, ..BankConfig::default() }, &|_, _| {});
    let config = CallerConfig { phase: Phase::Aligned, quiet_from_us: 6_000_000, ..CallerConfig::default() };
    Stream::Caller(Box::new(Caller::new(bank.expect("a bank").into(), config.into(), 0)))
}

#[tokio::test]
async fn what_is_said_is_understood_and_answered() {
    let server = Running::of(&["voice_assistant"], |_| {});
    let mut voice = caller();
    let words: Vec<_> = voice
        .words(0, 20_000_000)
        .into_iter()
        .map(|placed| serde_json::json!([placed.at_us, placed.at_us + 1, placed.word]))
        .collect();
    let request = SessionRequest { notes: vec![NoteKind::Speech], ..SessionRequest::default() };
    let mut client = connect(&server, &request).await;
    // They come behind the opening, and are there when they are needed.
    let params = Params::new().with("simulated_words", words);
    let set =
        client.send(&Control::Set { params: params.into() }).expect("it fits").expect("it is a message");
    let (mut told, mut chunk) = (Vec::new(), vec![0.0; 960]);
    let mut clock = tokio::time::interval(Duration::from_millis(20));
    while voice.position_us() < 8_000_000 {
        tokio::select! {
            _ = clock.tick() => {
                voice.fill(&mut chunk);
                client.push(&chunk).expect("the server reads");
            }
            one = client.next() => told.push(one.unwrap_or_else(|error| panic!("{error}"))),
        }
    }
    client.finish().expect("it has room");
    told.extend(rest(&mut client).await);

    let heard: Vec<String> = told
        .iter()
        .filter_map(|told| match told {
            FromServer::Event { message, .. } => match &message.message_type {
                MessageType::Transcript { text, last: true } => Some(text.to_string()),
                _ => None,
            },
            _ => None,
        })
        .collect();
    let said: Vec<String> = voice.utterances().iter().map(|utterance| utterance.text.to_string()).collect();
    assert!(
        !said.is_empty() && heard.last().is_some_and(|last| said[said.len() - 1].ends_with(last)),
        "{said:?}: {heard:?}"
    );
    let answered =
        told.iter().any(|told| matches!(told, FromServer::Audio(audio) if audio.origin.revision > 0));
    assert!(answered, "no answer sounds");
    let started =
        |told: &FromServer| matches!(told, FromServer::Note(SessionNote::SpeechStarted { segment: 1, .. }));
    let confirmed = |told: &FromServer| {
        matches!(told, FromServer::Control(message)
            if matches!(message.control, Control::ConfirmSpeculation { segment: 1, .. }))
    };
    let (started, confirmed) = (told.iter().position(started), told.iter().position(confirmed));
    assert!(started.is_some() && started < confirmed, "{started:?} {confirmed:?}");
    let delivered = DeliveryEvent::Delivered { message_id: set };
    assert!(told.iter().any(|told| matches!(told, FromServer::Delivery(fate) if *fate == delivered)));
    let figures = client.figures();
    let decided = told.iter().filter(|told| matches!(told, FromServer::Control(_))).count() as u64;
    assert!(decided > 0 && figures.incoming.acks_sent >= decided, "{decided}: {figures:?}");
}

#[tokio::test]
async fn a_lost_connection_is_gone_on_from() {
    // Its own place is the only one.
    let server = Running::of(&["passthrough"], |config| config.max_sessions = 1);
    let proxy = Proxy::to(server.clients).await;
    let address = ServerAddress::parse(&format!("ws://{}", proxy.address()), None).expect("an address");
    let mut client = Client::connect(&address, None, &SessionRequest::default()).await.expect("a session");
    client.push(&[0.25; 1_600]).expect("it has room");
    let mut before = 0;
    while before < 1_600 {
        if let FromServer::Audio(audio) = client.next().await.expect("it is connected") {
            before += audio.samples.len();
        }
    }
    proxy.cut();
    // What waits meanwhile is sent on the new connection.
    client.push(&[0.5; 1_600]).expect("it has room");
    let lost = loop {
        match client.next().await {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(lost, ClientError::Lost(_)), "{lost}");
    client.resume().await.unwrap_or_else(|error| panic!("{error}"));
    client.push(&[0.75; 1_600]).expect("it has room");
    client.finish().expect("it has room");
    let told = rest(&mut client).await;
    let after = sound(&told);
    assert!(after.ends_with(&[0.75; 1_600]), "{} samples", after.len());
    assert!(matches!(told.last(), Some(FromServer::Closed { code: 1000, .. })));
    assert!(matches!(client.resume().await, Err(ClientError::Over)));
}

#[tokio::test]
async fn refusals_say_what_would_do() {
    let server = Running::of(&["passthrough"], |config| {
        config.max_sessions = 1;
        config.models = [("mine".to_owned(), "passthrough".to_owned())].into();
    });
    let request = SessionRequest::default();
    let refused = |error: ClientError| match error {
        ClientError::Refused { refusal, .. } => refusal,
        other => panic!("{other}"),
    };
    let unknown =
        Client::connect(&server.address(Some("other")), None, &request).await.expect_err("no such model");
    let unknown = refused(unknown);
    assert_eq!((unknown.status, unknown.code.as_str()), (Some(404), "unknown_model"), "{unknown}");
    assert!(unknown.message.contains("mine"), "{unknown}");
    let odd = SessionRequest {
        input: Some(AudioFormat { rate_hz: 7, channels: 1, encoding: Encoding::S16 }),
        ..SessionRequest::default()
    };
    let odd = refused(Client::connect(&server.address(None), None, &odd).await.expect_err("no such rate"));
    assert_eq!((odd.status, odd.code.as_str()), (None, "bad_request"), "{odd}");
    let _first = connect(&server, &request).await;
    let full = refused(Client::connect(&server.address(None), None, &request).await.expect_err("it is full"));
    assert_eq!((full.status, full.code.as_str(), full.retry_after_s), (Some(503), "capacity", Some(1)));
    // A port that nobody listens at.
    let nobody = ServerAddress::parse("ws://127.0.0.1:1", None).expect("an address");
    let error = Client::connect(&nobody, None, &request).await.expect_err("nobody").to_string();
    assert!(error.starts_with("ws://127.0.0.1:1: ") && error.contains("mynah serve"), "{error}");
}

#[tokio::test]
async fn a_server_that_does_not_read_is_noticed_before_memory_is_gone() {
    let server = Running::of(&["passthrough"], |_| {});
    let mut client = connect(&server, &SessionRequest::default()).await;
    let second = vec![0.0; 16_000];
    let taken = (0..100).take_while(|_| client.push(&second).is_ok()).count();
    assert_eq!(taken, mynah_client::WAITING_BYTES_MAX / 32_000, "seconds that wait");
    assert!(matches!(client.push(&second), Err(ClientError::Full)));
    let error = client.push(&second).expect_err("nothing has left").to_string();
    assert!(error.contains("does not read"), "{error}");
}
