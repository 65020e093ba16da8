//! Many sessions that cancel all the time: how long until the work has stopped, and whether a word is lost.
//!
//! `cargo run --release -p mynah-worker --example cancels -- [seconds=60] [sessions=100] [rate=10] [workers=2]
//! [chaos=0] [seed=1] [program=PATH ...]` prints a table. `rate`: cancels a second of each session. `chaos`: so often a second
//! a worker is killed, stopped or told to go on. `program`: what workers run, in place of the echo beside this program;
//! it is asked for `slow 100 20`. `baseline=1`: no worker at all, to see how much memory the books of this program take,
//! which remembers when each call would have timed out.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a program with a clock and a terminal")]

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use mynah_engine::service::{
    Call, CallKey, CallScope, Rehearsal, Replies, ReplyPart, ReplyQueue, Service, ServiceKind, ServiceSite,
    ServiceWaker, TimeMode,
};
use mynah_worker::{Worker, WorkerFigures, figures, set_log};
use rustix::process::{Pid, Signal, kill_process};

fn number(name: &str, default: u64) -> u64 {
    let named = |arg: String| arg.strip_prefix(name)?.strip_prefix('=')?.parse().ok();
    std::env::args().skip(1).find_map(named).unwrap_or(default)
}

fn command() -> Vec<String> {
    let given: Vec<String> =
        std::env::args().filter_map(|arg| arg.strip_prefix("program=").map(str::to_owned)).collect();
    if !given.is_empty() {
        return given;
    }
    let own = std::env::current_exe().expect("a program has a path");
    vec![own.with_file_name("echo_worker").to_string_lossy().into_owned(), "parallel=64".to_owned()]
}

/// Children of this process.
fn children() -> Vec<u32> {
    let path = format!("/proc/self/task/{}/children", std::process::id());
    let of_main = std::fs::read_to_string(path).unwrap_or_default();
    let mut all: Vec<u32> = of_main.split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
    // Threads have children of their own.
    for task in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let text = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        all.extend(text.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// Resident memory of this process, KiB.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

/// Files and KiB in shared memory.
fn shared() -> (usize, u64) {
    use std::os::unix::fs::MetadataExt;
    let prefix = prefix();
    let entries = std::fs::read_dir("/dev/shm").into_iter().flatten().flatten();
    let mine = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix));
    let sizes: Vec<u64> = mine.filter_map(|entry| Some(entry.metadata().ok()?.blocks() / 2)).collect();
    (sizes.len(), sizes.iter().sum())
}

fn prefix() -> String {
    format!("mynah_cancels_{}_", std::process::id())
}

/// A service that stops at once what is cancelled, and does nothing else.
#[derive(Default)]
struct Nothing(ReplyQueue);

impl Service for Nothing {
    fn start(&mut self, batch: &mut Vec<Call>, _: u64) {
        batch.clear();
    }
    fn cancel(&mut self, scope: CallScope, _: u64) {
        if let CallScope::Call(call) = scope {
            self.0.push(call, ReplyPart::Stopped { wasted_us: 0 });
        }
    }
    fn poll(&mut self, _: u64, replies: &mut Replies<'_>) {
        self.0.hand_out(replies);
    }
}

/// Strikes a worker now and then.
struct Chaos {
    state: u64,
    every_us: u64,
    next_us: u64,
    strikes: [u64; 3],
}

impl Chaos {
    fn draw(&mut self, most: usize) -> usize {
        // A linear congruential generator (Knuth, MMIX): chaos needs no more.
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) as usize % most.max(1)
    }

    fn look(&mut self, now_us: u64) {
        if self.every_us == 0 || now_us < self.next_us {
            return;
        }
        self.next_us = now_us + self.every_us;
        let pids = children();
        let (at, what) = (self.draw(pids.len()), self.draw(3));
        let signal = [Signal::KILL, Signal::STOP, Signal::CONT][what];
        if let Some(pid) = pids.get(at).and_then(|pid| Pid::from_raw(*pid as i32)) {
            // One that has ended meanwhile was struck before.
            self.strikes[what] += u64::from(kill_process(pid, signal).is_ok());
        }
    }
}

/// How much is asked.
#[derive(Clone, Copy)]
struct Load {
    seconds: u64,
    sessions: u64,
    rate: u64,
}

fn main() {
    let load =
        Load { seconds: number("seconds", 60), sessions: number("sessions", 100), rate: number("rate", 10) };
    let (workers, chaos) = (number("workers", 2), number("chaos", 0));
    set_log(|_| {});
    let worker = Worker {
        command: Some(command()),
        workers: workers as u32,
        parallel: 64,
        prefix: Some(prefix()),
        wait_ms: 2_000,
        ..Worker::default()
    };
    worker.check().expect("the program is there");
    let waker = ServiceWaker::default();
    let site = ServiceSite { name: "cancels", timing: None, seed: 1, time: TimeMode::Wall, waker };
    let mut rehearsal = Rehearsal::of(worker.start(site));
    if number("baseline", 0) > 0 {
        rehearsal = Rehearsal::of(Box::<Nothing>::default());
    }
    let began = Instant::now();
    while number("baseline", 0) == 0 && u64::from(seen().workers) < workers {
        std::thread::sleep(Duration::from_millis(5));
        assert!(began.elapsed() < Duration::from_secs(60), "the workers do not come");
    }
    let mut strikes = Chaos {
        state: number("seed", 1),
        every_us: 1_000_000_u64.checked_div(chaos).unwrap_or(0),
        next_us: 0,
        strikes: [0; 3],
    };
    let broken = run(&mut rehearsal, load, &mut strikes);
    let figures = seen();
    drop(rehearsal);
    table(&figures, broken, &strikes);
    let (files, _) = shared();
    println!("files left in shared memory: {files} (the one of iceoryx2 stays)");
    assert_eq!(
        (figures.unapplied(), chaos == 0 && figures.lost > 0),
        (0, false),
        "a word was lost: {figures:?}"
    );
}

fn seen() -> WorkerFigures {
    figures("cancels").expect("the service has begun")
}

/// Asks and cancels; calls that have failed.
fn run(rehearsal: &mut Rehearsal, load: Load, strikes: &mut Chaos) -> u64 {
    let began = Instant::now();
    let now_us = || began.elapsed().as_micros() as u64;
    let mut under_way: VecDeque<CallKey> = VecDeque::new();
    let (mut asked, mut broken, mut told_s) = (0_u64, 0_u64, 0);
    println!("{:>6} {:>9} {:>9} {:>9} {:>9} {:>6}", "s", "cancels", "applied", "RSS KiB", "shm KiB", "files");
    while now_us() < load.seconds * 1_000_000 {
        let due = now_us() * load.sessions * load.rate / 1_000_000;
        while asked < due {
            let mut call = Call::about("slow 100 20");
            asked += 1;
            call.key.segment.serial = asked as u32;
            under_way.push_back(call.key);
            rehearsal.start(vec![call], now_us());
            if under_way.len() as u64 > load.sessions
                && let Some(oldest) = under_way.pop_front()
            {
                // The books of a rehearsal look through all calls that ever were.
                rehearsal.service().cancel(CallScope::Call(oldest), now_us());
            }
        }
        strikes.look(now_us());
        for reply in rehearsal.poll(now_us()) {
            broken += u64::from(matches!(reply.part, ReplyPart::Failed(_)));
        }
        if now_us() / 1_000_000 >= told_s {
            let ((files, shm), figures) = (shared(), seen());
            let (cancels, applied, rss) = (figures.cancels, figures.applied, resident_kib());
            println!("{told_s:>6} {cancels:>9} {applied:>9} {rss:>9} {shm:>9} {files:>6}");
            told_s += (load.seconds / 10).max(1);
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    for call in under_way {
        rehearsal.service().cancel(CallScope::Call(call), now_us());
    }
    children().into_iter().filter_map(|pid| Pid::from_raw(pid as i32)).for_each(|pid| {
        let _has_ended = kill_process(pid, Signal::CONT).is_err();
    });
    let end = Instant::now();
    while seen().unapplied() > 0 && end.elapsed() < Duration::from_secs(20) {
        rehearsal.poll(now_us());
        std::thread::sleep(Duration::from_millis(2));
    }
    broken
}

fn table(figures: &WorkerFigures, broken: u64, chaos: &Chaos) {
    let at = |quantile| figures.applied_us.value_at_quantile(quantile);
    let [killed, stopped, went_on] = chaos.strikes;
    println!(
        "cancel to stopped, us: P50 {} P95 {} P99 {} max {}",
        at(0.5),
        at(0.95),
        at(0.99),
        figures.applied_us.max()
    );
    println!(
        "cancels {} applied {} forsaken {} unapplied {} | messages sent {} delivered {} resent {} lost {}",
        figures.cancels,
        figures.applied,
        figures.forsaken,
        figures.unapplied(),
        figures.sent,
        figures.delivered,
        figures.resent,
        figures.lost
    );
    println!(
        "killed {killed} stopped {stopped} went on {went_on} | hung {} died {} restarts {} retried {} failed {broken}",
        figures.hung, figures.died, figures.restarts, figures.retried
    );
}
