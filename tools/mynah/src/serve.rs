//! Sessions over sockets: configuration, and what is said on the way.

use std::net::SocketAddr;
use std::sync::Arc;

use mynah_files::failure::{Exit, Failure};
use mynah_files::terminal;
use mynah_serve::config::{Layer, shown};
use mynah_serve::{Config, Log, Server};
use mynah_serve_http::Sockets;

use crate::args::Serve;

/// Serves until it is told to end, and its sessions have.
///
/// # Errors
/// An invalid scene or configuration, addresses that are not to be had.
pub(crate) fn run(args: &Serve) -> Result<Exit, Failure> {
    let load = || Config::layered(flags(args), args.config.as_deref(), &|name| std::env::var(name).ok());
    let (config, origins) = load().map_err(Failure::unable)?;
    if args.print_config {
        terminal::print(&shown(&config, &origins))?;
        return Ok(Exit::Done);
    }
    let log = Log::to(terminal::notice);
    let server = Server::start_with(config, log).map_err(failure)?;
    let mut sockets = Sockets::open(Arc::clone(&server)).map_err(Failure::unable)?;
    let grpc = open_grpc(&server, &mut sockets).map_err(Failure::unable)?;
    say_where(&server, &sockets, grpc)?;
    sockets.run(|sockets| reload(&server, sockets, &load));
    Ok(Exit::Done)
}

/// What is wrong with a scene is drawn already.
fn failure(what: String) -> Failure {
    if what.starts_with("error") { Failure::refused(what) } else { Failure::unable(what) }
}

fn flags(args: &Serve) -> Layer {
    let some = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
    let sets: Vec<String> = args.sets.sets.iter().map(ToString::to_string).collect();
    Layer {
        scenes: some(&args.scenes),
        sets: some(&sets),
        bind: args.bind,
        operations: args.ops,
        grpc: args.grpc,
        max_sessions: args.max_sessions,
        threads: args.threads,
        record: args.record.clone(),
        keys_file: args.keys_file.clone(),
        ..Layer::default()
    }
}

/// Opens the listener for gRPC, where one is configured; its address.
#[cfg(feature = "grpc")]
fn open_grpc(server: &Arc<Server>, sockets: &mut Sockets) -> Result<Option<SocketAddr>, String> {
    if server.config().grpc.is_none() {
        return Ok(None);
    }
    let runtime = sockets.runtime().handle().clone();
    let door = mynah_serve_grpc::GrpcDoor::open(Arc::clone(server), &runtime, sockets.phase())?;
    let address = door.address();
    sockets.beside(door.into_task());
    Ok(Some(address))
}

/// This build has none.
#[cfg(not(feature = "grpc"))]
fn open_grpc(server: &Arc<Server>, _: &mut Sockets) -> Result<Option<SocketAddr>, String> {
    match server.config().grpc {
        None => Ok(None),
        Some(address) => Err(format!(
            "grpc: {address}: this mynah was built without `grpc`; build one with `cargo build --release --features \
             serve,grpc`, or leave the address out"
        )),
    }
}

/// Where it serves, and what: programs wait for this line.
fn say_where(server: &Server, sockets: &Sockets, grpc: Option<SocketAddr>) -> Result<(), Failure> {
    let scheme = if server.config().tls_certificate.is_some() { "https" } else { "http" };
    let mut text = format!("serving on {scheme}://{}\n", sockets.clients());
    text += &format!("operations on http://{}\n", sockets.operators());
    if let Some(address) = grpc {
        text += &format!("gRPC on {address}\n");
    }
    for (model, scene) in server.scenes().offered() {
        let simulated = scene.simulated();
        let nature =
            if simulated.is_empty() { "real".into() } else { format!("simulated: {}", simulated.join(", ")) };
        text += &format!("  model {model}: scene {} ({nature})\n", scene.name());
    }
    Ok(terminal::print(&text)?)
}

fn reload(
    server: &Server,
    sockets: &Sockets,
    load: &dyn Fn() -> Result<
        (Config, std::collections::BTreeMap<&'static str, &'static str>),
        mynah_serve::ConfigError,
    >,
) {
    let reloaded = load().map_err(|error| error.to_string()).and_then(|(config, _)| sockets.reload(&config));
    match reloaded {
        Ok(started) => server.log().line("reloaded", &[("started", &started.join(","))]),
        Err(error) => {
            server.log().line("reload_failed", &[("error", &error.lines().next().unwrap_or(""))]);
            terminal::notice(&error);
        }
    }
}
