//! A server in this process, and a way to it that can be cut.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use mynah_client::ServerAddress;
use mynah_serve::{Config, Server};
use mynah_serve_http::Sockets;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Longest wait for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A server that runs until this is dropped.
pub(crate) struct Running {
    pub(crate) clients: SocketAddr,
    server: Arc<Server>,
    serves: Option<JoinHandle<()>>,
}

impl Running {
    /// Serves these scenes on ports that are free.
    pub(crate) fn of(scenes: &[&str], change: impl FnOnce(&mut Config)) -> Self {
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut config = Config {
            scenes: scenes.iter().map(ToString::to_string).collect(),
            bind: free,
            operations: free,
            threads: 1,
            drain_grace_s: 0,
            drain_max_s: 10,
            ..Config::default()
        };
        change(&mut config);
        let server = Server::start(config).expect("the scenes are right");
        // A server has a runtime of its own, beside that of the test.
        let (sender, opened) = std::sync::mpsc::channel();
        let own = Arc::clone(&server);
        let serves = std::thread::spawn(move || {
            let sockets = Sockets::open(own).expect("ports are free");
            sender.send(sockets.clients()).expect("the test waits for it");
            sockets.run(|_| {});
        });
        let clients = opened.recv().expect("it listens");
        Self { clients, server, serves: Some(serves) }
    }

    pub(crate) fn address(&self, model: Option<&str>) -> ServerAddress {
        ServerAddress::parse(&format!("ws://{}", self.clients), model).expect("it is an address")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(serves) = self.serves.take() {
            self.server.begin_drain("test");
            self.server.drain().hurry(self.server.now_us());
            // A test that has failed says more than a server that has.
            drop(serves.join());
        }
    }
}

/// Passes connections on, until they are cut.
pub(crate) struct Proxy {
    address: SocketAddr,
    cuts: watch::Sender<u32>,
}

impl Proxy {
    /// To this address.
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let (cuts, cut) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut cut = cut.clone();
                cut.mark_unchanged();
                let mut far = TcpStream::connect(server).await.expect("the server listens");
                tokio::spawn(async move {
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        Self { address, cuts }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts all connections.
    pub(crate) fn cut(&self) {
        self.cuts.send_modify(|count| *count += 1);
    }
}
