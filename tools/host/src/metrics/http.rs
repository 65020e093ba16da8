//! As much of HTTP/1.1 as a page for one reader needs: parses a request's head, and forms the answer. No sockets
//! here.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::exposition::Form;

/// Longest head of a request in bytes: Prometheus sends some 400.
pub const HEAD_BYTES_MAX: usize = 8_192;

/// How an answer begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// 200.
    Ok,
    /// 400: no request.
    BadRequest,
    /// 404: not here.
    NotFound,
    /// 405: only to be read.
    MethodNotAllowed,
    /// 408: the head did not come in time.
    RequestTimeout,
    /// 421: meant for another host.
    Misdirected,
    /// 431: the head is too long.
    TooLarge,
    /// 503: too many at once.
    Busy,
    /// 505: another HTTP.
    Version,
}

impl Status {
    /// Code and phrase.
    pub fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::BadRequest => "400 Bad Request",
            Self::NotFound => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::RequestTimeout => "408 Request Timeout",
            Self::Misdirected => "421 Misdirected Request",
            Self::TooLarge => "431 Request Header Fields Too Large",
            Self::Busy => "503 Service Unavailable",
            Self::Version => "505 HTTP Version Not Supported",
        }
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// `/metrics`.
    Metrics(Form),
    /// `/healthz`.
    Health,
}

/// A request that can be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The page asked for.
    pub resource: Resource,
    /// HEAD: everything but the content.
    pub head_only: bool,
}

/// Reads a request from what has arrived so far; `None`: its head is not complete yet.
///
/// # Errors
/// The status that says what is wrong with it.
pub fn parse(bytes: &[u8]) -> Result<Option<Request>, Status> {
    let Some(head) = head(bytes) else {
        return if bytes.len() >= HEAD_BYTES_MAX { Err(Status::TooLarge) } else { Ok(None) };
    };
    if head.len() > HEAD_BYTES_MAX {
        return Err(Status::TooLarge);
    }
    // Header values may be of any bytes; those we look at are of ASCII, or not understood.
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    let (method, target, minor) = request_line(lines.next().unwrap_or(""))?;
    let (mut accept, mut hosts, mut is_ours) = (String::new(), 0, true);
    for line in lines {
        let (name, value) = field(line)?;
        if name.eq_ignore_ascii_case("accept") {
            accept.push_str(value);
            accept.push(',');
        }
        if name.eq_ignore_ascii_case("host") {
            hosts += 1;
            is_ours = names_no_other_host(value);
        }
    }
    if hosts > 1 || (minor == 1 && hosts == 0) {
        return Err(Status::BadRequest);
    }
    let (authority, path) = split(target)?;
    if !is_ours || !authority.is_none_or(names_no_other_host) {
        return Err(Status::Misdirected);
    }
    let resource = match path {
        "/metrics" => Resource::Metrics(negotiate(&accept)),
        "/healthz" => Resource::Health,
        _ => return Err(Status::NotFound),
    };
    match method {
        "GET" => Ok(Some(Request { resource, head_only: false })),
        "HEAD" => Ok(Some(Request { resource, head_only: true })),
        _ => Err(Status::MethodNotAllowed),
    }
}

/// Everything before the empty line.
fn head(bytes: &[u8]) -> Option<&[u8]> {
    let mut from = 0;
    while let Some(length) = bytes[from..].iter().position(|byte| *byte == b'\n') {
        if matches!(&bytes[from..from + length], b"" | b"\r") {
            // The line break before it is no part of the last line.
            return Some(bytes[..from].strip_suffix(b"\n").unwrap_or(&bytes[..from]));
        }
        from += length + 1;
    }
    None
}

fn is_token(text: &str) -> bool {
    let mark = |byte: u8| b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || mark(byte))
}

/// Method, target and minor version.
fn request_line(line: &str) -> Result<(&str, &str, u8), Status> {
    let mut parts = line.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Status::BadRequest);
    };
    let minor = match version.strip_prefix("HTTP/").map(str::as_bytes) {
        Some(b"1.0") => 0,
        Some(b"1.1") => 1,
        Some([major, b'.', minor]) if major.is_ascii_digit() && minor.is_ascii_digit() => {
            return Err(Status::Version);
        }
        _ => return Err(Status::BadRequest),
    };
    let printable = target.bytes().all(|byte| byte.is_ascii_graphic());
    if is_token(method) && printable { Ok((method, target, minor)) } else { Err(Status::BadRequest) }
}

/// A header field.
fn field(line: &str) -> Result<(&str, &str), Status> {
    let (name, value) = line.split_once(':').ok_or(Status::BadRequest)?;
    let printable = value.chars().all(|c| c == '\t' || !c.is_ascii_control());
    if is_token(name) && printable {
        Ok((name, value.trim_matches([' ', '\t'])))
    } else {
        Err(Status::BadRequest)
    }
}

/// The host of a target that is a whole address, and the path.
fn split(target: &str) -> Result<(Option<&str>, &str), Status> {
    let (authority, rest) = match target.strip_prefix("http://") {
        Some(address) => {
            let (authority, rest) = address.split_at(address.find(['/', '?', '#']).unwrap_or(address.len()));
            (Some(authority), if rest.starts_with('/') { rest } else { "/" })
        }
        None => (None, target),
    };
    let path = rest.split(['?', '#']).next().unwrap_or("");
    if path.starts_with('/') || target == "*" { Ok((authority, path)) } else { Err(Status::BadRequest) }
}

/// Whether a host, with or without its port, is `localhost` or an address in figures. Any other name may be one that a
/// page from elsewhere has led here (DNS rebinding), to have the browser read this one for it.
#[must_use]
pub fn names_no_other_host(host: &str) -> bool {
    let name_end = host.find(']').map(|at| at + 1).or_else(|| host.find(':')).unwrap_or(host.len());
    let (name, port) = host.split_at(name_end);
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    if !port.is_empty() && !port.strip_prefix(':').is_some_and(is_port) {
        return false;
    }
    match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(name) => name.parse::<Ipv6Addr>().is_ok(),
        None => name.eq_ignore_ascii_case("localhost") || name.parse::<Ipv4Addr>().is_ok(),
    }
}

/// OpenMetrics 1.0 for whoever asks for it and does not like the text format better.
fn negotiate(accept: &str) -> Form {
    let (mut open, mut text) = (0.0, 0.0);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or("").to_ascii_lowercase();
        let (mut weight, mut version) = (1.0, None);
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            match name.trim() {
                "q" | "Q" => weight = value.trim().parse().unwrap_or(0.0),
                "version" => version = Some(value.trim().trim_matches('"')),
                _ => {}
            }
        }
        match kind.as_str() {
            "application/openmetrics-text" if version.is_none_or(|version| version == "1.0.0") => {
                open = f64::max(open, weight);
            }
            "text/plain" | "text/*" => text = f64::max(text, weight),
            _ => {}
        }
    }
    if open > 0.0 && open >= text { Form::OpenMetrics } else { Form::Text }
}
