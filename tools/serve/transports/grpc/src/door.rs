//! The listener for gRPC: its bounds, health, reflection, and how it closes.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mynah_serve::{DrainPhase, Server};
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tonic::server::NamedService as _;
use tonic::transport::Server as Transport;
use tonic::transport::server::Router;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::incoming::{Incoming, bind};
use crate::proto::DESCRIPTORS;
use crate::proto::voice_server::VoiceServer;
use crate::voice::VoiceService;

/// Longest part of a client, bytes.
pub const PART_BYTES_MAX: usize = 256 * 1024;
/// Streams that one connection may have open.
const STREAMS_MAX: u32 = 128;
/// What a client may send of one stream before it is read, bytes: two seconds of 16 kHz sound.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
/// The same for a connection: a session that is not read must not hold up the others.
const CONNECTION_WINDOW_BYTES: u32 = STREAM_WINDOW_BYTES * STREAMS_MAX;
/// Longest head of a request, bytes.
const HEAD_BYTES_MAX: u32 = 32 * 1024;
/// After this time a connection takes no more streams, so that clients find other servers; those that are open go on.
const CONNECTION_AGE: Duration = Duration::from_secs(3_600);
/// How often health is looked at.
const EACH: Duration = Duration::from_secs(1);
/// How often the end of a drain is looked for.
const LOOK: Duration = Duration::from_millis(20);
/// Connections that are told to close have this long.
const FAREWELL: Duration = Duration::from_secs(2);

/// A listener that is open, until the drain is over.
#[derive(Debug)]
pub struct GrpcDoor {
    address: SocketAddr,
    serving: JoinHandle<io::Result<()>>,
}

impl GrpcDoor {
    /// Opens the listener that the configuration names, on the threads of `runtime`. `phase`: what of the server's drain is
    /// known; when its other end is gone, the listener closes.
    ///
    /// # Errors
    /// The address, why it is not to be had, and what helps; certificates that cannot be used.
    pub fn open(
        server: Arc<Server>,
        runtime: &Handle,
        phase: watch::Receiver<DrainPhase>,
    ) -> Result<Self, String> {
        let asked = server.config().grpc.ok_or("grpc: no address: name one, like 127.0.0.1:50051")?;
        let _runtime = runtime.enter();
        let refused = |error| format!("grpc: {asked}: {error}; use another port, or 0 for any that is free");
        let listener = bind(asked).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let within = Duration::from_millis(server.config().header_timeout_ms.into());
        let (reporter, routes) = routes(&server, &phase)?;
        let incoming = Incoming::of(listener, server.config().max_connections as usize, within);
        let serving = runtime.spawn(serve(server, phase, reporter, routes, incoming));
        Ok(Self { address, serving })
    }

    /// Where clients connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends when the listener has closed.
    #[must_use]
    pub fn into_task(self) -> JoinHandle<io::Result<()>> {
        self.serving
    }
}

/// The services behind the listener, with its bounds.
fn routes(
    server: &Arc<Server>,
    phase: &watch::Receiver<DrainPhase>,
) -> Result<(HealthReporter, Router), String> {
    let (reporter, health) = tonic_health::server::health_reporter();
    let described = |error| format!("grpc: the description of its services cannot be read: {error}");
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let voice = VoiceService { server: Arc::clone(server), phase: phase.clone() };
    let idle = Duration::from_secs(server.config().idle_timeout_s.into());
    let mut transport = secured(Transport::builder(), server)?
        .http2_keepalive_interval(Some(idle))
        .http2_keepalive_timeout(Some(idle))
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .http2_max_header_list_size(HEAD_BYTES_MAX)
        .max_connection_age(CONNECTION_AGE);
    let router = transport
        .add_service(VoiceServer::new(voice).max_decoding_message_size(PART_BYTES_MAX))
        .add_service(health)
        .add_service(reflection().build_v1().map_err(described)?)
        .add_service(reflection().build_v1alpha().map_err(described)?);
    Ok((reporter, router))
}

/// The transport with the certificate that the configuration names, if it does.
#[cfg(feature = "tls")]
fn secured(transport: Transport, server: &Server) -> Result<Transport, String> {
    use tonic::transport::{Identity, ServerTlsConfig};
    let config = server.config();
    let (Some(chain), Some(key)) = (&config.tls_certificate, &config.tls_key) else { return Ok(transport) };
    let read = |path: &std::path::Path| {
        std::fs::read(path).map_err(|error| format!("tls: {}: {error}", path.display()))
    };
    let identity = Identity::from_pem(read(chain)?, read(key)?);
    let secured = transport.tls_config(ServerTlsConfig::new().identity(identity));
    secured.map_err(|error| format!("tls: {} and {}: {error}", chain.display(), key.display()))
}

/// There is no certificate in this build.
#[cfg(not(feature = "tls"))]
fn secured(transport: Transport, server: &Server) -> Result<Transport, String> {
    if server.config().tls_certificate.is_some() {
        return Err(
            "tls: this build has no certificates for gRPC: build it with `cargo build --release --features \
                    serve,grpc,tls`"
                .into(),
        );
    }
    Ok(transport)
}

async fn serve(
    server: Arc<Server>,
    mut phase: watch::Receiver<DrainPhase>,
    reporter: HealthReporter,
    router: Router,
    incoming: Incoming,
) -> io::Result<()> {
    let (shut, shuts) = oneshot::channel();
    let serving = router.serve_with_incoming_shutdown(incoming, async move { drop(shuts.await) });
    tokio::pin!(serving);
    // Known before anybody asks.
    report(&server, &reporter).await;
    loop {
        tokio::select! {
            served = &mut serving => return served.map_err(io::Error::other),
            () = drained(&server, &mut phase) => break,
            () = sleep(EACH) => report(&server, &reporter).await,
        }
    }
    report(&server, &reporter).await;
    shut.send(()).ok();
    // What is open by then has had its time.
    timeout(FAREWELL, serving).await.unwrap_or(Ok(())).map_err(io::Error::other)
}

/// Ready when nobody is served any more.
async fn drained(server: &Server, phase: &mut watch::Receiver<DrainPhase>) {
    loop {
        let now = *phase.borrow_and_update();
        match now {
            DrainPhase::Serving | DrainPhase::Grace => {
                if phase.changed().await.is_err() {
                    return;
                }
            }
            DrainPhase::Ending if server.admission().taken() > 0 => sleep(LOOK).await,
            DrainPhase::Ending | DrainPhase::Over => return,
        }
    }
}

/// Says whether clients should come.
async fn report(server: &Server, reporter: &HealthReporter) {
    let status = if server.ready().is_ok() { ServingStatus::Serving } else { ServingStatus::NotServing };
    for service in ["", VoiceServer::<VoiceService>::NAME] {
        reporter.set_service_status(service, status).await;
    }
}
