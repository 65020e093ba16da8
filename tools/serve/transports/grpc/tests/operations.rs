//! Health, reflection, and the drain.

mod support;

use std::time::Duration;

use mynah_engine::wire::message::MessageType;
use mynah_serve::{Config, DrainPhase};
use mynah_serve_grpc::proto::Open;
use support::{Door, SOON, talk};
use tokio::time::timeout;
use tokio_stream::StreamExt as _;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ListServiceResponse, ServerReflectionRequest};

async fn health(door: &Door, service: &str) -> Result<ServingStatus, tonic::Status> {
    let request = HealthCheckRequest { service: service.into() };
    let mut client = HealthClient::new(door.channel().await);
    Ok(client.check(request).await?.into_inner().status())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_follows_whether_the_server_is_ready() {
    let door = Door::of("passthrough");
    for service in ["", "mynah.v1.Voice"] {
        assert_eq!(health(&door, service).await.expect("it is known"), ServingStatus::Serving);
    }
    assert_eq!(health(&door, "of.nobody").await.expect_err("it is not known").code(), Code::NotFound);
    let request = HealthCheckRequest { service: "mynah.v1.Voice".into() };
    let watched = HealthClient::new(door.channel().await).watch(request).await.expect("it is watched");
    let mut watched = watched.into_inner();
    assert_eq!(watched.next().await.expect("now").expect("no error").status(), ServingStatus::Serving);
    door.server.begin_drain("test");
    let next = timeout(SOON, watched.next()).await.expect("within a second or so").expect("it goes on");
    assert_eq!(next.expect("no error").status(), ServingStatus::NotServing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_can_ask_what_there_is() {
    let door = Door::of("passthrough");
    let ask = |question| ServerReflectionRequest { host: String::new(), message_request: Some(question) };
    let questions = [
        ask(MessageRequest::ListServices(String::new())),
        ask(MessageRequest::FileContainingSymbol("mynah.v1.Voice".into())),
    ];
    let mut client = ServerReflectionClient::new(door.channel().await);
    let answers = client.server_reflection_info(tokio_stream::iter(questions)).await.expect("it answers");
    let answers: Vec<_> = answers.into_inner().collect().await;
    let answers: Vec<_> =
        answers.into_iter().filter_map(|answer| answer.expect("no error").message_response).collect();
    let [
        MessageResponse::ListServicesResponse(ListServiceResponse { service }),
        MessageResponse::FileDescriptorResponse(files),
    ] = &*answers
    else {
        panic!("{answers:?}")
    };
    let names: Vec<&str> = service.iter().map(|one| one.name.as_str()).collect();
    assert!(names.contains(&"mynah.v1.Voice") && names.contains(&"grpc.health.v1.Health"), "{names:?}");
    let wanted = b"CancelSpeculation";
    let described =
        files.file_descriptor_proto.iter().any(|file| file.windows(wanted.len()).any(|part| part == wanted));
    assert!(described, "the messages are described");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_lets_turns_end_and_takes_nobody() {
    let scenes = vec![talk()];
    let door = Door::open(Config { scenes, drain_grace_s: 0, drain_max_s: 60, ..Config::default() });
    let (mut silent, mut talking) = (door.client(Open::default()).await, door.client(Open::default()).await);
    let line = "This is a long line, and it is said to its end, whatever else may happen here.";
    talking.control(MessageType::SendText { text: line.into() }).await;
    talking.until("it sounds", |client| !client.heard().is_empty()).await;
    door.server.begin_drain("test");
    door.phase.send_replace(DrainPhase::Ending);
    let status = silent.end().await.expect_err("the server ends it");
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    let last = silent.told().pop().expect("it was told").1.message_type;
    assert!(matches!(last, MessageType::Closed { .. }), "{last:?}");
    let refused = match door.call(Request::new(()), Open::default()).await {
        Ok(mut client) => client.first().await.expect_err("nobody is taken"),
        Err(status) => status,
    };
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    assert!(refused.message().starts_with("draining"), "{refused}");
    let status = talking.end().await.expect_err("the server ends it");
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    let ends = talking.told().into_iter().filter_map(|(_, message)| match message.message_type {
        MessageType::Line { until_us, .. } => until_us,
        _ => None,
    });
    let heard: usize = talking.heard().iter().map(|(_, audio)| audio.samples.len()).sum();
    let output = talking.opened.output.expect("it speaks");
    let heard_us = heard as u64 / 2 * 1_000_000 / u64::from(output.rate_hz);
    let until_us = ends.max().expect("it was said to its end");
    assert!(until_us > 1_000_000 && heard_us.abs_diff(until_us) < 1_000, "{heard_us} of {until_us} us");
    drop((silent, talking));
    let closed = timeout(SOON, door.door.into_task()).await.expect("the listener closes");
    closed.expect("no panic").expect("no error");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_drain_waits_for_nobody() {
    let door = Door::open(Config { scenes: vec!["passthrough".into()], ..Config::default() });
    let mut client = door.client(Open::default()).await;
    door.phase.send_replace(DrainPhase::Over);
    let status = client.end().await.expect_err("the server ends it");
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    drop(client);
    let closed = timeout(Duration::from_secs(10), door.door.into_task()).await.expect("the listener closes");
    closed.expect("no panic").expect("no error");
}
