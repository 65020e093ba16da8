//! What arrives at the metrics port: a request or a status, the same however it was cut into packets.

use mynah_host::metrics::http::{HEAD_BYTES_MAX, parse};

/// The bytes of a connection.
///
/// # Panics
/// When bytes panic the reader, or an early answer is not the answer to all of them.
pub fn http(data: &[u8]) {
    let data = &data[..data.len().min(HEAD_BYTES_MAX - 1)];
    let whole = parse(data);
    if let Err(status) = whole {
        let line = status.line();
        assert!(
            line.len() > 4 && line[..3].parse().is_ok_and(|code: u16| (400..600).contains(&code)),
            "{line}"
        );
    }
    // Every break of a line is where a packet might have ended, and the places beside it.
    let breaks = data.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at);
    for at in breaks.take(64) {
        for end in [at, at + 1, at + 2] {
            let early = parse(&data[..end.min(data.len())]);
            assert!(early == Ok(None) || early == whole, "{early:?} after {end} bytes, {whole:?} after all");
        }
    }
}
