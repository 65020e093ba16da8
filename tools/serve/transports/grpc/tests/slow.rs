//! Clients that read late, never, or send too much.

mod support;

use std::time::Duration;

use mynah_engine::wire::message::MessageType;
use mynah_serve::Config;
use mynah_serve_grpc::PART_BYTES_MAX;
use mynah_serve_grpc::proto::Open;
use support::{Door, SOON, bursts, talk};
use tonic::Code;

/// When each transmission of the first confirmation came, microseconds.
fn confirmed_us(client: &support::Client) -> Vec<u64> {
    let told = client.told().into_iter();
    told.filter(|(_, one)| matches!(one.message_type, MessageType::ConfirmSpeculation { .. }))
        .map(|(us, _)| us)
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_acknowledged_comes_again_after_50_ms_and_is_given_up() {
    let door = Door::of(&talk());
    let mut client = door.client(Open::default()).await;
    client.acknowledges = false;
    client.speak(&bursts(&[200, 600])).await;
    client.until("four times", |client| confirmed_us(client).len() == 4).await;
    let gaps: Vec<u64> = confirmed_us(&client).windows(2).map(|pair| pair[1] - pair[0]).collect();
    // The machine may be late, but not early: what is read late may seem to come in less time.
    assert!(gaps.iter().sum::<u64>() >= 130_000, "{gaps:?}");
    client.until_quiet(Duration::from_millis(400)).await;
    assert_eq!(confirmed_us(&client).len(), 4, "four times, and never again");
    client.hang_up().await;
    client.end().await.expect("it ends well");
    assert!(door.metric("mynah_control_failed_total{transport=\"grpc\"}") >= 1.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_who_is_late_by_a_moment_gets_each_message_again_and_effect_once() {
    let door = Door::of(&talk());
    let mut client = door.client(Open::default()).await;
    client.acknowledges = false;
    for piece in bursts(&[200, 600, 200]).chunks(320) {
        client.speak(piece).await;
        // What came twice is acknowledged from then on, when it comes again.
        client.acknowledges |= confirmed_us(&client).len() >= 2;
    }
    client.until_quiet(Duration::from_millis(300)).await;
    let times = confirmed_us(&client).len();
    assert!((2..=4).contains(&times), "it came {times} times");
    client.effects.sort_unstable();
    assert!(client.effects.is_sorted_by(|a, b| a < b), "effect twice: {:?}", client.effects);
    assert!(door.metric("mynah_control_retried_total{transport=\"grpc\"}") >= 1.0);
    assert_eq!(door.metric("mynah_control_failed_total{transport=\"grpc\"}"), 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_that_is_too_large_ends_the_stream_with_its_own_status() {
    let door = Door::of("passthrough");
    let mut client = door.client(Open::default()).await;
    client.audio(vec![0; PART_BYTES_MAX + 1]).await;
    let status = client.end().await.expect_err("it is no good end");
    assert_eq!(status.code(), Code::OutOfRange, "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_never_reads_loses_sound_and_then_its_session() {
    let config = Config { scenes: vec!["passthrough".into()], idle_timeout_s: 3, ..Config::default() };
    let door = Door::open(config);
    let mut client = door.client(Open::default()).await;
    // Far more than all windows, and then something that must not be lost.
    for _ in 0..250 {
        client.audio([0; 3_200]).await;
    }
    client.audio([0]).await;
    let given_up = async {
        while door.server.admission().taken() > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(SOON, given_up).await.expect("it is given up");
    let dropped_s = door.metric("mynah_sound_dropped_seconds_total{transport=\"grpc\"}");
    assert!(dropped_s > 1.0, "{dropped_s} s of 25 s were left out");
    let status = client.end().await.expect_err("it is no good end");
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert!(status.message().starts_with("control_overflow"), "{status}");
    let heard: usize = client.heard().iter().map(|(_, audio)| audio.samples.len()).sum();
    assert!(heard < 400_000, "{heard} bytes had waited for it");
}
