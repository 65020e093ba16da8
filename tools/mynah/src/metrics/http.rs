//! As much of HTTP/1.1 as a page for one reader needs: a request's head, and what to answer it with. No sockets here.

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
    /// What.
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
    let (mut accept, mut hosts) = (String::new(), 0);
    for line in lines {
        let (name, value) = field(line)?;
        if name.eq_ignore_ascii_case("accept") {
            accept.push_str(value);
            accept.push(',');
        }
        hosts += u32::from(name.eq_ignore_ascii_case("host"));
    }
    if hosts > 1 || (minor == 1 && hosts == 0) {
        return Err(Status::BadRequest);
    }
    let resource = match path(target)? {
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

/// The path of a target, which may be a whole address.
fn path(target: &str) -> Result<&str, Status> {
    let behind_host = target.strip_prefix("http://").map(|rest| rest.find('/').map_or("/", |at| &rest[at..]));
    let path = behind_host.unwrap_or(target).split(['?', '#']).next().unwrap_or("");
    if path.starts_with('/') || target == "*" { Ok(path) } else { Err(Status::BadRequest) }
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
