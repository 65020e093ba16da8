//! A server of this process with all its listeners, and the thread of those who talk to it.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use mynah_serve::{Config, DrainPhase, Server};
use mynah_serve_grpc::GrpcDoor;
use mynah_serve_http::Sockets;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use crate::SESSIONS;
use crate::rhythm::{SCENE, Told};

/// A server that runs until this is dropped.
pub(crate) struct Served {
    server: Arc<Server>,
    serves: Option<JoinHandle<()>>,
    /// Where HTTP clients connect.
    pub(crate) http: SocketAddr,
    /// Where gRPC clients connect.
    pub(crate) grpc: SocketAddr,
    _grpc: (Runtime, watch::Sender<DrainPhase>),
    scene: PathBuf,
}

impl Served {
    fn start() -> Self {
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        let scene = std::env::temp_dir().join(format!("mynah_corrections_{}.ron", std::process::id()));
        std::fs::write(&scene, SCENE).expect("there is room for temporary files");
        let config = Config {
            scenes: vec![scene.to_string_lossy().into_owned()],
            bind: free,
            operations: free,
            grpc: Some(free),
            threads: 1,
            drain_grace_s: 0,
            ..Config::default()
        };
        let server = Server::start(config).expect("the scene is right");
        let sockets = Sockets::open(Arc::clone(&server)).expect("ports are free");
        let http = sockets.clients();
        let serves = std::thread::spawn(move || sockets.run(|_| {}));
        let threads = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a thread");
        let (phase, seen) = watch::channel(DrainPhase::Serving);
        let door = GrpcDoor::open(Arc::clone(&server), threads.handle(), seen).expect("a port is free");
        let grpc = door.address();
        Self { server, serves: Some(serves), http, grpc, _grpc: (threads, phase), scene }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.server.begin_drain("the bench is over");
        self.server.drain().hurry(self.server.now_us());
        if let Some(serves) = self.serves.take() {
            drop(serves.join());
        }
        drop(std::fs::remove_file(&self.scene));
    }
}

/// A server, and all sessions at once on one thread: what `talk` has heard of the session with this number.
pub(crate) fn all<F: Future<Output = Told> + Send + 'static>(talk: impl Fn(&Served, usize) -> F) -> Told {
    let served = Served::start();
    let clients = Builder::new_current_thread().enable_all().build().expect("it needs nothing");
    clients.block_on(async {
        let talks: Vec<_> = (0..SESSIONS).map(|number| tokio::spawn(talk(&served, number))).collect();
        let mut all = Told::default();
        for talk in talks {
            all = all.and(talk.await.expect("no client panics"));
        }
        all
    })
}
