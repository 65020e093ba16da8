//! The sockets of a server: opened together, closed when the drain is over.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum_server::Handle;
use mynah_serve::{Config, DrainPhase, Server};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::app::{App, clients, operators};
use crate::listen::{self, Certificate};
use crate::signals::Signals;

/// Threads for all sockets.
const THREADS: usize = 2;
/// How often the drain is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// Connections that are told to close have this long.
const FAREWELL: Duration = Duration::from_secs(2);

/// Sockets that are open.
#[derive(Debug)]
pub struct Sockets {
    runtime: Runtime,
    server: Arc<Server>,
    clients: SocketAddr,
    operators: SocketAddr,
    handles: [Handle<SocketAddr>; 2],
    phase: watch::Sender<DrainPhase>,
    certificate: Option<Certificate>,
    signals: Signals,
    listening: Vec<JoinHandle<std::io::Result<()>>>,
}

impl Sockets {
    /// Opens both listeners.
    ///
    /// # Errors
    /// The address, why it is not to be had, and what helps.
    pub fn open(server: Arc<Server>) -> Result<Self, String> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("mynah sockets")
            .enable_all()
            .build()
            .map_err(|error| format!("the threads for sockets cannot be started: {error}"))?;
        let (phase, seen) = watch::channel(DrainPhase::Serving);
        let config = server.config().clone();
        let app = App::new(Arc::clone(&server), seen);
        let handles = [Handle::new(), Handle::new()];
        let (mut listening, mut addresses) = (Vec::new(), Vec::new());
        let (signals, certificate) = {
            let _runtime = runtime.enter();
            let refused = |error| format!("the system tells no signals: {error}");
            let signals = Signals::listen().map_err(refused)?;
            let certificate = runtime.block_on(listen::certificate(&config))?;
            let doors = [
                ("bind", config.bind, clients(&app), certificate.clone()),
                ("operations", config.operations, operators(&app), None),
            ];
            for ((name, address, router, tls), handle) in doors.into_iter().zip(handles.clone()) {
                let refused = |error| {
                    format!("{name}: {address}: {error}; use another port, or 0 for any that is free")
                };
                let listener = listen::bind(address).map_err(refused)?;
                addresses.push(listener.local_addr().map_err(refused)?);
                let config = config.clone();
                let serve = async move { listen::serve(listener, router, handle, &config, tls).await };
                listening.push(runtime.spawn(serve));
            }
            (signals, certificate)
        };
        let (clients, operators) = (addresses[0], addresses[1]);
        Ok(Self { runtime, server, clients, operators, handles, phase, certificate, signals, listening })
    }

    /// Where clients connect.
    #[must_use]
    pub fn clients(&self) -> SocketAddr {
        self.clients
    }

    /// Where operators look.
    #[must_use]
    pub fn operators(&self) -> SocketAddr {
        self.operators
    }

    /// The runtime, for other transports beside this one.
    #[must_use]
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// What is known of the drain, for other transports beside this one.
    #[must_use]
    pub fn phase(&self) -> watch::Receiver<DrainPhase> {
        self.phase.subscribe()
    }

    /// Waits, when these sockets close, for the listener of another transport, too. It has to end by itself then.
    pub fn beside(&mut self, listening: JoinHandle<std::io::Result<()>>) {
        self.listening.push(listening);
    }

    /// Reads scenes and certificates anew: new sessions and connections have them. Returns the scenes that were started.
    ///
    /// # Errors
    /// What is wrong; then everything stays as it is.
    pub fn reload(&self, config: &Config) -> Result<Vec<String>, String> {
        let started = self.server.scenes().reload(config)?;
        if let Some(certificate) = &self.certificate {
            self.runtime.block_on(listen::renew(certificate, config))?;
        }
        Ok(started)
    }

    /// Serves until a drain is over and every session with it. SIGTERM begins it, Ctrl-C does so without its grace, a second
    /// one of either ends it at once; `reload` is called after SIGHUP.
    pub fn run(self, mut reload: impl FnMut(&Self)) {
        let mut sampled_us = 0;
        loop {
            if self.signals.takes_reload() {
                reload(&self);
            }
            self.server.drain_to(self.signals.asks(), "signal");
            let now_us = self.server.now_us();
            if now_us >= sampled_us {
                sampled_us = now_us + 1_000_000;
                self.server.each_second();
            }
            let phase = self.server.phase();
            self.phase.send_if_modified(|seen| std::mem::replace(seen, phase) != phase);
            if phase >= DrainPhase::Ending && self.server.admission().taken() == 0
                || phase == DrainPhase::Over
            {
                break;
            }
            self.runtime.block_on(async { tokio::time::sleep(LOOK).await });
        }
        self.close();
    }

    fn close(self) {
        let Self { runtime, handles, listening, server, .. } = self;
        for handle in &handles {
            handle.graceful_shutdown(Some(FAREWELL));
        }
        runtime.block_on(async {
            for one in listening {
                if let Ok(Err(error)) = one.await {
                    server.log().line("listener_failed", &[("error", &error)]);
                }
            }
        });
        runtime.shutdown_timeout(FAREWELL);
        server.log().line("closed", &[("sessions", &server.admission().taken())]);
    }
}
