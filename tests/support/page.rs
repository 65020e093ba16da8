//! The metrics page as a reader has it: asked for over a plain socket, taken apart by rules of its own.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

/// A response: status line, header fields, content.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) fields: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// Sends `bytes` and reads to the end.
pub(crate) fn exchange(address: SocketAddr, bytes: &[u8]) -> Response {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time can be set");
    // The other end may have had enough before all is written.
    drop(stream.write_all(bytes));
    read(stream)
}

/// Reads an answer to the end.
pub(crate) fn read(mut stream: TcpStream) -> Response {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("the answer comes");
    let answer = String::from_utf8(answer).expect("pages are UTF-8");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let fields =
        lines.filter_map(|line| line.split_once(": ")).map(|(n, v)| (n.to_lowercase(), v.to_owned()));
    Response {
        status: status.unwrap_or_else(|| panic!("{head}")),
        fields: fields.collect(),
        body: body.to_owned(),
    }
}

/// `GET path` with an Accept field.
pub(crate) fn get(address: SocketAddr, path: &str, accept: &str) -> Response {
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nAccept: {accept}\r\n\r\n");
    exchange(address, request.as_bytes())
}

/// The form that Prometheus itself asks for first.
pub(crate) const OPEN_METRICS: &str =
    "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

/// A sample: name, labels, value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) value: f64,
}

/// Takes a sample's line apart by the grammar of the text format.
pub(crate) fn sample(line: &str) -> Option<Sample> {
    let name_end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(name_end);
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        let mut chars = inside.char_indices();
        loop {
            let label: String = chars.by_ref().map(|(_, c)| c).take_while(|c| *c != '=').collect();
            let ('"', mut value) = (chars.next()?.1, String::new()) else { return None };
            loop {
                match chars.next()?.1 {
                    '"' => break,
                    '\\' => match chars.next()?.1 {
                        'n' => value.push('\n'),
                        c @ ('"' | '\\') => value.push(c),
                        _ => return None,
                    },
                    c => value.push(c),
                }
            }
            labels.push((label, value));
            match chars.next()? {
                (_, ',') => {}
                (at, '}') => {
                    rest = &inside[at + 1..];
                    break;
                }
                _ => return None,
            }
        }
    }
    let value = match rest.strip_prefix(' ')? {
        "+Inf" => f64::INFINITY,
        number => number.parse().ok()?,
    };
    Some(Sample { name: name.to_owned(), labels, value })
}

/// All samples of a page.
pub(crate) struct Samples(Vec<Sample>);

impl Samples {
    pub(crate) fn of(page: &str) -> Self {
        let lines = page.lines().filter(|line| !line.starts_with('#'));
        Self(lines.map(|line| sample(line).unwrap_or_else(|| panic!("no sample: {line}"))).collect())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Sample> {
        self.0.iter()
    }

    /// The value of the series with this name and these labels.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let same = |sample: &&Sample| {
            sample.name == name
                && sample.labels.len() == labels.len()
                && labels
                    .iter()
                    .all(|(n, v)| sample.labels.iter().any(|(m, w)| (m.as_str(), w.as_str()) == (*n, *v)))
        };
        self.0.iter().find(same).unwrap_or_else(|| panic!("no {name} {labels:?}")).value
    }
}

/// Gives `input` to a program; its exit code and all it said.
pub(crate) fn feed(command: &mut Command, input: &str) -> (Option<i32>, String) {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it is installed");
    child.stdin.take().expect("asked for").write_all(input.as_bytes()).expect("it reads");
    let out = child.wait_with_output().expect("it ends");
    (out.status.code(), String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned())
}
