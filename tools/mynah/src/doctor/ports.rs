//! Tries the network of this machine.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use super::finding::Finding;

/// Where scenes offer their metrics, unless they say otherwise.
const METRICS_PORT: u16 = 9_464;
/// Longest wait for a connection of this machine with itself.
const PATIENCE: Duration = Duration::from_millis(300);

pub(super) fn metrics() -> Finding {
    let value = |what: &str| format!("127.0.0.1:{METRICS_PORT} {what}");
    match TcpListener::bind((Ipv4Addr::LOCALHOST, METRICS_PORT)) {
        Ok(_) => Finding::ok("metrics port", value("is free")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Finding::warn(
            "metrics port",
            value("is in use"),
            "another mynah, or another program: give each an address of its own",
        ),
        Err(error) => Finding::warn(
            "metrics port",
            value(&format!("cannot be opened: {error}")),
            "give metrics another address",
        ),
    }
}

pub(super) fn loopback() -> Finding {
    match round_trip() {
        Ok(()) => Finding::ok("loopback", "a connection with itself works"),
        Err(error) => Finding::warn(
            "loopback",
            format!("no connection with itself: {error}"),
            "metrics cannot be read on this machine; simulations need no network",
        ),
    }
}

fn round_trip() -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address: SocketAddr = listener.local_addr()?;
    let mut one = TcpStream::connect_timeout(&address, PATIENCE)?;
    let (mut other, _) = listener.accept()?;
    other.set_read_timeout(Some(PATIENCE))?;
    one.write_all(b"mynah")?;
    let mut heard = [0; 5];
    other.read_exact(&mut heard)
}
