//! The programs that a service starts: started again when they end, and ended with the service.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::desk::bounded;
use crate::link::{LinkNames, PREFIX_VARIABLE};
use crate::log;

/// Time that a program has to run so that the next rest is the shortest again.
const HEALTHY_US: u64 = 10_000_000;
/// Time between goodbye and SIGTERM, and between goodbye and the end by force.
const TERM_US: u64 = 500_000;
/// See `TERM_US`.
const KILL_US: u64 = 2_000_000;

/// What the crew is to run.
#[derive(Clone, Debug)]
pub(crate) struct Orders {
    pub(crate) command: Vec<String>,
    pub(crate) names: LinkNames,
    pub(crate) prefix: Option<String>,
    /// Shortest and longest rest, microseconds.
    pub(crate) rest_us: (u64, u64),
}

struct Hand {
    child: Child,
    since_us: u64,
    /// It was asked to end.
    is_told: bool,
    /// The last line of its standard error.
    last_line: Arc<Mutex<String>>,
}

#[derive(Default)]
struct Post {
    hand: Option<Hand>,
    again_us: u64,
    rest_us: u64,
    was_started: bool,
}

/// A program that has ended.
pub(crate) struct Ended {
    pub(crate) pid: u32,
    /// `died (signal 9)`.
    pub(crate) how: String,
}

/// The programs of a service.
pub(crate) struct Crew {
    orders: Orders,
    posts: Vec<Post>,
    /// Programs that were started again.
    pub(crate) restarts: u64,
}

impl Crew {
    pub(crate) fn new(orders: Orders, workers: u32) -> Self {
        Self { orders, posts: (0..workers).map(|_| Post::default()).collect(), restarts: 0 }
    }

    /// Starts what is to be started; what has ended, and what could not be started.
    pub(crate) fn look(&mut self, now_us: u64) -> (Vec<Ended>, Option<String>) {
        let (mut ended, mut failure) = (Vec::new(), None);
        for post in &mut self.posts {
            if let Some(hand) = &mut post.hand {
                // A child that cannot be waited for is none.
                let status = match hand.child.try_wait() {
                    Ok(None) => continue,
                    Ok(Some(status)) => describe(status),
                    Err(error) => format!("cannot be waited for ({error})"),
                };
                let said = hand.last_line.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let how = if said.is_empty() { status } else { format!("{status}: {said}") };
                let pid = hand.child.id();
                log::line(&self.orders.names.service, Some(pid), &how);
                if now_us.saturating_sub(hand.since_us) >= HEALTHY_US {
                    post.rest_us = 0;
                }
                ended.push(Ended { pid, how });
                post.hand = None;
                self.orders.rests(post, now_us);
            }
            if now_us < post.again_us {
                continue;
            }
            match self.orders.start(now_us) {
                Ok(hand) => {
                    self.restarts += u64::from(std::mem::replace(&mut post.was_started, true));
                    post.hand = Some(hand);
                }
                Err(error) => {
                    self.orders.rests(post, now_us);
                    failure = Some(format!("`{}` could not be started: {error}", self.orders.command[0]));
                }
            }
        }
        (ended, failure)
    }

    /// Ends a program by force that is of no use; one of somebody else is left alone.
    pub(crate) fn kills(&mut self, pid: u32) {
        let hand =
            self.posts.iter_mut().find_map(|post| post.hand.as_mut().filter(|hand| hand.child.id() == pid));
        if let Some(hand) = hand {
            log::line(&self.orders.names.service, Some(pid), "is ended: its cancelled calls do not stop");
            // One that has ended is seen at the next look.
            let _has_ended = hand.child.kill().is_err();
        }
    }

    /// The processes that run.
    pub(crate) fn pids(&self) -> impl Iterator<Item = u32> {
        self.posts.iter().filter_map(|post| post.hand.as_ref().map(|hand| hand.child.id()))
    }

    /// Ends all programs, which were told goodbye at `told_us`. True once they have ended.
    pub(crate) fn is_over(&mut self, told_us: u64, now_us: u64) -> bool {
        let waited_us = now_us.saturating_sub(told_us);
        for post in &mut self.posts {
            let Some(hand) = &mut post.hand else { continue };
            if !matches!(hand.child.try_wait(), Ok(None)) {
                post.hand = None;
            } else if waited_us >= KILL_US {
                // One that cannot be killed has ended.
                let _gone = hand.child.kill().and_then(|()| hand.child.wait()).is_err();
                post.hand = None;
            } else if waited_us >= TERM_US && !std::mem::replace(&mut hand.is_told, true) {
                terminate(&hand.child);
            }
        }
        self.pids().next().is_none()
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        for hand in self.posts.iter_mut().filter_map(|post| post.hand.as_mut()) {
            let _gone = hand.child.kill().and_then(|()| hand.child.wait()).is_err();
        }
    }
}

impl Orders {
    fn rests(&self, post: &mut Post, now_us: u64) {
        let (least_us, most_us) = self.rest_us;
        post.rest_us = (post.rest_us * 2).clamp(least_us, most_us);
        post.again_us = now_us + post.rest_us;
    }

    fn start(&self, now_us: u64) -> std::io::Result<Hand> {
        let mut command = Command::new(&self.command[0]);
        command
            .args(&self.command[1..])
            .env("MYNAH_ENGINE", &self.names.engine)
            .env("MYNAH_SERVICE", &self.names.service)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(prefix) = &self.prefix {
            command.env(PREFIX_VARIABLE, prefix);
        }
        let mut child = command.spawn()?;
        let last_line = Arc::default();
        let (pid, service) = (child.id(), &self.names.service);
        if let Some(out) = child.stdout.take() {
            pass_on(service, pid, out, None);
        }
        if let Some(err) = child.stderr.take() {
            pass_on(service, pid, err, Some(Arc::clone(&last_line)));
        }
        Ok(Hand { child, since_us: now_us, is_told: false, last_line })
    }
}

/// Passes on what a program says, line by line, until it says nothing more.
fn pass_on(service: &str, pid: u32, from: impl Read + Send + 'static, last: Option<Arc<Mutex<String>>>) {
    let service = service.to_owned();
    let read = move || {
        let mut from = BufReader::new(from);
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            let most = log::LINE_BYTES_MAX as u64;
            match from.by_ref().take(most).read_until(b'\n', &mut bytes) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let text = String::from_utf8_lossy(&bytes);
            let text = text.trim_end();
            if text.is_empty() {
                continue;
            }
            if let Some(last) = &last {
                *last.lock().unwrap_or_else(PoisonError::into_inner) = bounded(text);
            }
            log::line(&service, Some(pid), text);
        }
    };
    let name = format!("mynah log {pid}");
    // Without a thread its lines are not passed on; the program runs all the same.
    let _not_passed_on = thread::Builder::new().name(name).spawn(read).is_err();
}

fn describe(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("died (signal {signal})");
    }
    match status.code() {
        Some(0) => "has ended".to_owned(),
        Some(code) => format!("ended with code {code}"),
        None => "died".to_owned(),
    }
}

/// Asks a program to end.
#[cfg(unix)]
fn terminate(child: &Child) {
    let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        // One that is gone needs no signal.
        let _gone = rustix::process::kill_process(pid, rustix::process::Signal::TERM).is_err();
    }
}

#[cfg(not(unix))]
fn terminate(_: &Child) {}
