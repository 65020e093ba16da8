//! Who is not served, and why.

mod support;

use std::path::Path;

use mynah_serve::Config;
use mynah_serve_grpc::proto::{Audio, Open, client_part};
use support::Door;
use tonic::{Code, Request, Status};

/// The SHA-256 of "open sesame", with a note.
const KEYS: &str = "41ef4bb0b23661e66301aac36066912dac037827b4ae63a7b1165a5aa93ed4eb  the cave\n";

fn with(name: &'static str, value: &str) -> Request<()> {
    let mut request = Request::new(());
    request.metadata_mut().insert(name, value.parse().expect("it is ASCII"));
    request
}

async fn refusal(door: &Door, metadata: Request<()>, open: Open) -> Status {
    match door.call(metadata, open).await {
        Ok(mut client) => client.first().await.expect_err("it is refused"),
        Err(status) => status,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_asked_for() {
    let keys = Path::new(env!("CARGO_TARGET_TMPDIR")).join("grpc_keys.txt");
    std::fs::write(&keys, KEYS).expect("the folder of tests can be written");
    let scenes = vec!["passthrough".into()];
    let door = Door::open(Config { scenes, keys_file: Some(keys), ..Config::default() });
    let none = refusal(&door, Request::new(()), Open::default()).await;
    assert_eq!(none.code(), Code::Unauthenticated, "{none}");
    assert!(none.message().starts_with("no_key: "), "{none}");
    let wrong = refusal(&door, with("authorization", "Bearer open barley"), Open::default()).await;
    assert_eq!(wrong.code(), Code::Unauthenticated, "{wrong}");
    let mut client = door.call(with("authorization", "Bearer open sesame"), Open::default()).await.unwrap();
    client.first().await.expect("the key is known");
    assert_eq!(door.metric("mynah_admission_refused_total{reason=\"bad_key\"}"), 1.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn models_are_named_in_the_metadata_or_the_first_part() {
    let models = [("echo".to_string(), "passthrough".to_string())].into();
    let scenes = vec!["passthrough".into()];
    let door = Door::open(Config { scenes, models, ..Config::default() });
    let of = |model: &str| Open { model: model.into(), ..Open::default() };
    for (metadata, open) in [(with("model", "parrot"), of("")), (with("model", "echo"), of("parrot"))] {
        let status = refusal(&door, metadata, open).await;
        assert_eq!(status.code(), Code::NotFound, "{status}");
    }
    for (metadata, open) in [(with("model", "echo"), of("")), (with("model", "parrot"), of("echo"))] {
        let mut client = door.call(metadata, open).await.unwrap();
        assert_eq!(client.first().await.expect("it is served").scene, "passthrough");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_server_says_when_to_come_again() {
    let scenes = vec!["passthrough".into()];
    let door = Door::open(Config { scenes, max_sessions: 1, ..Config::default() });
    let client = door.client(Open::default()).await;
    let status = refusal(&door, Request::new(()), Open::default()).await;
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert!(status.message().starts_with("capacity: "), "{status}");
    let after = status.metadata().get("retry-after").expect("it says when");
    assert_eq!(after.to_str().ok(), Some("1"));
    drop(client);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_opened_is_named() {
    let door = Door::of("passthrough");
    let rows = [
        (Open { lead_ms: Some(u32::MAX), ..Open::default() }, "lead"),
        (Open { session: "x".repeat(129), ..Open::default() }, "129"),
        (Open { notes: vec!["gossip".into()], ..Open::default() }, "notes"),
    ];
    for (open, expected) in rows {
        let status = refusal(&door, Request::new(()), open).await;
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        assert!(status.message().contains(expected), "{expected}: {status}");
    }
    let taken = door.client(Open { session: "caller".into(), ..Open::default() }).await;
    let same = Open { session: "caller".into(), ..Open::default() };
    let status = refusal(&door, Request::new(()), same).await;
    assert_eq!(status.code(), Code::AlreadyExists, "{status}");
    assert_eq!(door.server.admission().taken(), 1, "those that were refused have no place");
    drop(taken);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_part_has_to_open_and_no_other_may() {
    let door = Door::of("passthrough");
    let mut client = door.client(Open::default()).await;
    client.send(client_part::Part::Open(Open::default())).await;
    client.until("it is told", |client| client.complaints() == ["bad_message"]).await;
    let (to, parts) = tokio::sync::mpsc::channel(1);
    let part = Some(client_part::Part::Audio(Audio::default()));
    to.send(mynah_serve_grpc::proto::ClientPart { part, ..Default::default() }).await.expect("there is room");
    let parts = tokio_stream::wrappers::ReceiverStream::new(parts);
    let mut voice = mynah_serve_grpc::proto::voice_client::VoiceClient::new(door.channel().await);
    let mut stream = voice.session(parts).await.expect("it is taken").into_inner();
    let status = stream.message().await.expect_err("it has to open");
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
}
