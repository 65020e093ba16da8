//! A service on the wall clock with workers, and no engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use mynah_engine::service::{
    Call, CallKey, CallScope, Rehearsal, Reply, ReplyPart, ServiceKind, ServiceSite, ServiceWaker,
    SessionRef, TimeMode,
};
use mynah_worker::{Worker, WorkerFigures, figures_of};

use crate::program::{LONG, Program, example};

/// A service with a name of its own, in shared memory of its own.
pub(crate) struct Stage {
    pub(crate) rehearsal: Rehearsal,
    pub(crate) engine: String,
    pub(crate) prefix: String,
    began: Instant,
    calls: u32,
    pub(crate) heard: Vec<(u64, Reply)>,
    /// The last field: it is dropped when the service has ended.
    sweep: Sweep,
}

/// Takes away the one file that iceoryx2 keeps for a prefix. Fails the test if there is another.
pub(crate) struct Sweep(pub(crate) String);

impl Drop for Sweep {
    fn drop(&mut self) {
        let mut left = 0;
        for entry in std::fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(&self.0) && name.ends_with("global_mgmt") {
                let _is_gone = std::fs::remove_file(entry.path()).is_err();
            } else if name.starts_with(&self.0) {
                left += 1;
            }
        }
        assert!(std::thread::panicking() || left == 0, "{left} files of `{}` are left", self.0);
    }
}

/// A name that no other test has.
pub(crate) fn fresh() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("mwt{}_{}_", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A configuration that starts `workers` echoes.
pub(crate) fn echoes(workers: u32, args: &[&str]) -> Worker {
    let program = example("echo_worker").to_string_lossy().into_owned();
    let command = std::iter::once(program).chain(args.iter().map(|arg| (*arg).to_owned())).collect();
    Worker { command: Some(command), workers, ..Worker::default() }
}

impl Stage {
    pub(crate) fn new(worker: Worker) -> Self {
        Self::named(Worker { engine: Some(fresh()), prefix: Some(fresh()), ..worker })
    }

    /// With the names that the configuration gives.
    pub(crate) fn named(worker: Worker) -> Self {
        let name = |name: &Option<String>| name.clone().expect("tests give names");
        let (engine, prefix) = (name(&worker.engine), name(&worker.prefix));
        worker.check().expect("the configuration is right");
        let waker = ServiceWaker::default();
        let site = ServiceSite { name: "service", timing: None, seed: 1, time: TimeMode::Wall, waker };
        let rehearsal = Rehearsal::of(worker.start(site));
        let sweep = Sweep(prefix.clone());
        Self { rehearsal, engine, prefix, began: Instant::now(), calls: 0, heard: Vec::new(), sweep }
    }

    /// Its memory is another stage's: that one looks for what is left.
    pub(crate) fn is_guest(&mut self) {
        self.sweep.0 = "nobody's".to_owned();
    }

    /// A worker that nobody but the test has started.
    pub(crate) fn worker(&self, args: &[&str]) -> Program {
        let variables = [
            ("MYNAH_ENGINE", &*self.engine),
            ("MYNAH_SERVICE", "service"),
            ("MYNAH_IPC_PREFIX", &self.prefix),
        ];
        Program::start("echo_worker", args, &variables)
    }

    pub(crate) fn open(&mut self, session: SessionRef) {
        self.rehearsal.service().open(session);
    }

    pub(crate) fn now_us(&self) -> u64 {
        self.began.elapsed().as_micros() as u64
    }

    pub(crate) fn figures(&self) -> WorkerFigures {
        figures_of(&self.engine, "service").expect("the service has begun")
    }

    pub(crate) fn ask(&mut self, text: &str) -> CallKey {
        self.ask_as(Call::about(text))
    }

    pub(crate) fn ask_as(&mut self, mut call: Call) -> CallKey {
        self.calls += 1;
        call.key.segment.serial = self.calls;
        let (key, now_us) = (call.key, self.now_us());
        self.rehearsal.start(vec![call], now_us);
        key
    }

    pub(crate) fn cancel(&mut self, call: CallKey) {
        let now_us = self.now_us();
        self.rehearsal.cancel(CallScope::Call(call), now_us);
    }

    /// Polls until `is_over` says so.
    pub(crate) fn until(&mut self, what: &str, mut is_over: impl FnMut(&mut Self) -> bool) {
        let until = Instant::now() + LONG;
        loop {
            let now_us = self.now_us();
            let new = self.rehearsal.poll(now_us);
            self.heard.extend(new.into_iter().map(|reply| (now_us, reply)));
            if is_over(self) {
                return;
            }
            let (heard, figures) = (&self.heard, self.figures());
            assert!(Instant::now() < until, "no {what} in {LONG:?}: {heard:?} {figures:?}");
            std::thread::sleep(std::time::Duration::from_micros(300));
        }
    }

    pub(crate) fn until_workers(&mut self, count: u32) {
        self.until("worker", |stage| stage.figures().workers == count);
    }

    /// The processes that the service has started.
    pub(crate) fn pids(&self) -> Vec<u32> {
        children()
            .into_iter()
            .filter(|pid| {
                let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
                let ours = format!("MYNAH_ENGINE={}", self.engine).into_bytes();
                environment.split(|byte| *byte == 0).any(|variable| variable == ours)
            })
            .collect()
    }

    /// Waits for the end of a call: its text, and how it ended.
    pub(crate) fn answer(&mut self, call: CallKey) -> (String, Result<(), String>) {
        self.until("end of the call", |stage| stage.end(call).is_some());
        let text = |reply: &Reply| match &reply.part {
            ReplyPart::Text(text) if reply.key == call => Some(text.to_string()),
            _ => None,
        };
        (
            self.heard.iter().filter_map(|(_, reply)| text(reply)).collect(),
            self.end(call).expect("it has ended"),
        )
    }

    /// How a call ended, if it has.
    pub(crate) fn end(&self, call: CallKey) -> Option<Result<(), String>> {
        self.heard.iter().filter(|(_, reply)| reply.key == call).find_map(|(_, reply)| match &reply.part {
            ReplyPart::Done { .. } => Some(Ok(())),
            ReplyPart::Failed(reason) => Some(Err(reason.to_string())),
            ReplyPart::Stopped { .. } => Some(Err("stopped".to_owned())),
            _ => None,
        })
    }

    /// Parts of a call so far.
    pub(crate) fn parts(&self, call: CallKey) -> Vec<String> {
        let mine = self.heard.iter().filter(|(_, reply)| reply.key == call);
        mine.map(|(_, reply)| format!("{:?}", reply.part)).collect()
    }
}

/// A session as the node with `hears` and `speaks` sees it, in Hz.
pub(crate) fn session(hears: Option<u32>, speaks: Option<u32>) -> SessionRef {
    let format = |rate_hz| mynah_engine::scene::Format { rate_hz, channels: 1 };
    SessionRef {
        key: Call::about("").key.of(),
        name: "session".into(),
        hears: hears.map(format),
        speaks: speaks.map(format),
        params: Arc::default(),
    }
}

/// Children of this process.
fn children() -> Vec<u32> {
    let own = std::process::id().to_string();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("processes are files").flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The parent is the second field after the name in brackets.
        let parent =
            stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1).map(str::to_owned));
        if parent.as_deref() == Some(&own) {
            found.push(pid);
        }
    }
    found
}
