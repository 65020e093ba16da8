//! The baseline: the same audio and messages over a socket that sends messages straight back.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::time::{interval, sleep};

use crate::SESSIONS;
use crate::rhythm::{PIECE, PIECE_TIME, Rhythm, Told};

/// Bytes of a message, about as many as one of ours has.
const MESSAGE: usize = 200;
/// Frames begin with what they are.
const AUDIO: u8 = 0;
const ASK: u8 = 1;

pub(crate) fn measured() -> Told {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let to = listener.local_addr().expect("it is bound");
    listener.set_nonblocking(true).expect("there is such an option");
    let server = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a thread");
    server.spawn(async move {
        let listener = TcpListener::from_std(listener).expect("it is a listener");
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(echo(stream));
        }
    });
    let clients = Builder::new_current_thread().enable_all().build().expect("it needs nothing");
    clients.block_on(async {
        let talks: Vec<_> = (0..SESSIONS)
            .map(|number| {
                tokio::spawn(
                    async move { talk(TcpStream::connect(to).await.expect("it listens"), number).await },
                )
            })
            .collect();
        let mut all = Told::default();
        for talk in talks {
            all = all.and(talk.await.expect("no client panics"));
        }
        all
    })
}

async fn echo(mut stream: TcpStream) {
    stream.set_nodelay(true).expect("there is such an option");
    let (mut kind, mut bytes) = ([0], [0; 2 * PIECE]);
    while stream.read_exact(&mut kind).await.is_ok() {
        let length = if kind[0] == ASK { MESSAGE } else { bytes.len() };
        let whole = stream.read_exact(&mut bytes[..length]).await.is_ok();
        if whole && kind[0] == ASK && stream.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}

async fn talk(stream: TcpStream, number: usize) -> Told {
    stream.set_nodelay(true).expect("there is such an option");
    let (mut from, mut to) = stream.into_split();
    let (mut rhythm, mut told, mut got, mut back) = (Rhythm::of(number), Told::default(), 0, [0; MESSAGE]);
    sleep(Rhythm::offset(number)).await;
    let mut clock = interval(PIECE_TIME);
    loop {
        tokio::select! {
            biased;
            read = from.read(&mut back[got..]) => {
                got += read.expect("it is readable");
                if got == MESSAGE {
                    told.tell();
                    got = 0;
                }
            }
            _ = clock.tick() => match rhythm.next() {
                Some((_, asks)) => {
                    if asks {
                        told.ask();
                        to.write_all(&[ASK; MESSAGE + 1]).await.expect("it reads");
                    }
                    to.write_all(&[AUDIO; 2 * PIECE + 1]).await.expect("it reads");
                }
                None => return told,
            },
        }
    }
}
