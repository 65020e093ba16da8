//! Clients over gRPC, each with a connection of its own.

use mynah_engine::Control;
use mynah_engine::wire::delivery::DeliveryEvent;
use mynah_serve_grpc::proto::Open;
use mynah_serve_grpc::remote::{AudioPlace, Channel, RemoteSession, ServerSaid};
use tokio::time::{interval, sleep};

use crate::rhythm::{PIECE_TIME, Rhythm, Told};
use crate::served::all;

pub(crate) fn measured() -> Told {
    all(|served, number| talk(format!("http://{}", served.grpc), number))
}

async fn talk(address: String, number: usize) -> Told {
    let channel =
        Channel::from_shared(address).expect("it is an address").connect().await.expect("it listens");
    let session = RemoteSession::open(channel, None, Open::default(), 0).await;
    let mut session = session.unwrap_or_else(|error| panic!("{error}"));
    let (mut rhythm, mut told) = (Rhythm::of(number), Told::default());
    sleep(Rhythm::offset(number)).await;
    let mut clock = interval(PIECE_TIME);
    loop {
        tokio::select! {
            biased;
            said = session.next() => match said.unwrap_or_else(|error| panic!("{error}")) {
                ServerSaid::Control(message) => {
                    if matches!(message.control, Control::CancelSpeculation { .. }) {
                        told.tell();
                    }
                    session.applied(message.message_id);
                }
                ServerSaid::Delivery(DeliveryEvent::Failed { .. }) => told.failed += 1,
                ServerSaid::Closed => return told,
                _ => {}
            },
            _ = clock.tick() => match rhythm.next() {
                Some((samples, asks)) => {
                    if asks {
                        told.ask();
                        session.send(&Control::EndTurn).expect("it fits");
                    }
                    session.push(samples, AudioPlace::default()).expect("the server reads");
                }
                None => drop(session.close()),
            },
        }
    }
}
