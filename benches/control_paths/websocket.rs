//! Clients of the native protocol over a WebSocket.

use mynah_client::{Client, FromServer, ServerAddress, SessionRequest};
use mynah_engine::Control;
use mynah_engine::wire::delivery::DeliveryEvent;
use tokio::time::{interval, sleep};

use crate::rhythm::{PIECE_TIME, Rhythm, Told};
use crate::served::all;

pub(crate) fn measured() -> Told {
    all(|served, number| talk(format!("ws://{}", served.http), number))
}

async fn talk(address: String, number: usize) -> Told {
    let address = ServerAddress::parse(&address, None).expect("it is an address");
    let client = Client::connect(&address, None, &SessionRequest::default()).await;
    let mut client = client.unwrap_or_else(|error| panic!("{error}"));
    let (mut rhythm, mut told) = (Rhythm::of(number), Told::default());
    sleep(Rhythm::offset(number)).await;
    let mut clock = interval(PIECE_TIME);
    loop {
        tokio::select! {
            biased;
            said = client.next() => match said.unwrap_or_else(|error| panic!("{error}")) {
                FromServer::Control(message) => {
                    if matches!(message.control, Control::CancelSpeculation { .. }) {
                        told.tell();
                    }
                    client.applied(message.message_id);
                }
                FromServer::Delivery(DeliveryEvent::Failed { .. }) => told.failed += 1,
                FromServer::Closed { .. } => return told,
                _ => {}
            },
            _ = clock.tick() => match rhythm.next() {
                Some((samples, asks)) => {
                    if asks {
                        told.ask();
                        client.send(&Control::EndTurn).expect("it fits");
                    }
                    client.push(samples).expect("the server reads");
                }
                None => drop(client.close()),
            },
        }
    }
}
