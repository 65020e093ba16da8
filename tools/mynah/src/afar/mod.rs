//! `mynah simulate --to`: the callers of the load simulator at the other end of sockets.
//!
//! A thread paces all callers' chunks; each caller is a task with a WebSocket of its own; this thread takes what they see
//! and measures.

mod caller;
mod pacer;
mod words;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cpu_time::ProcessTime;
use crossbeam::channel::{Receiver, RecvTimeoutError, bounded};
use mynah_client::{ClientError, ServerAddress, ServerRefusal};
use mynah_engine::ScenePlan;
use mynah_engine::record::latency_histogram;
use mynah_files::failure::Failure;
use mynah_host::clock::Epoch;
use mynah_load::load::Stream;
use mynah_sim::interrupt;
use mynah_sim::report::afar::AfarReport;
use mynah_sim::simulate::Options;
use mynah_sim::simulate::afar::{Afar, CallingVoice, Toll};
use mynah_sim::simulate::callers::{Load, session_name};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{Sender, channel};

use self::caller::{Caller, News, Switchboard, What};
use self::pacer::{Chunk, ChunkStyle, Mouth, Paced, pace};
pub(crate) use self::words::WordWindow;
use crate::args::Simulate;
use crate::progress::Progress;

/// News that wait to be measured; a caller with more waits, and is late.
const NEWS_MAX: usize = 65_536;
/// Chunks of one caller that wait for its task: ten seconds.
const CHUNKS_MAX: usize = 500;
/// Callers that connect at the same time.
const DOORS: usize = 32;
/// Callers for which one more thread is worth while.
const CALLERS_A_THREAD: usize = 250;
/// From the last connection to the first sample, microseconds.
const BREATH_US: u64 = 100_000;
/// After the input has ended, answers have this long to finish.
const DRAIN_US: u64 = 30_000_000;
/// Longest time without a look at progress and interruptions.
const LOOK: Duration = Duration::from_millis(50);

/// Runs the callers against the server at `to`, which runs the scene of `plan`.
///
/// # Errors
/// The address, the key or the load cannot be used; nobody answers there, or no caller is let in.
pub(crate) fn run(
    args: &Simulate,
    to: &str,
    plan: Arc<ScenePlan>,
    options: Options,
) -> Result<AfarReport, Failure> {
    let address = ServerAddress::parse(to, args.model.as_deref());
    let address = address.map_err(|error| Failure::unable(format_args!("--to {error}")))?;
    let key = args.key_env.as_deref().map(|name| key_of("--key-env", name)).transpose()?;
    let warm_up_us = args.warm_up.map_or(0, |time| time.us);
    if warm_up_us >= options.duration_us {
        return Err(Failure::unable("--warm-up: nothing is left to measure; expected less than --duration"));
    }
    let mut progress = Progress::new();
    progress.at("callers", 0, 1);
    let load = Load::prepare(options.recordings.as_deref(), options.seed, plan.input.rate_hz, &|_, _| {});
    let load = load.map_err(Failure::unable)?;
    let streams = load.streams(options.sessions, options.seed, options.duration_us, options.phase);
    let afar = Afar::new(Arc::clone(&plan), options.clone(), to.to_owned());
    let (board, news) = switchboard(address, key, &plan);
    let runtime = runtime(options.sessions as usize)?;
    let lines = place_calls(&runtime, &board, &streams);
    let mut run = Run { afar, news, board, options, warm_up_us, progress };
    let opened = run.wait_for_all(&plan, lines.len())?;
    let report = run.talk(streams, lines, &opened)?;
    // Whoever is still connected hangs up with the runtime.
    runtime.shutdown_background();
    Ok(report)
}

/// The key of a server, from the variable that `setting` names.
pub(crate) fn key_of(setting: &str, name: &str) -> Result<String, Failure> {
    std::env::var(name).map_err(|_| {
        Failure::unable(format_args!(
            "{setting} {name}: no such variable with text; set it to the server's key"
        ))
    })
}

fn switchboard(
    address: ServerAddress,
    key: Option<String>,
    plan: &ScenePlan,
) -> (Arc<Switchboard>, Receiver<News>) {
    let (sender, news) = bounded(NEWS_MAX);
    let board = Switchboard {
        address,
        key,
        input: plan.input,
        epoch: Epoch::start(),
        news: sender,
        late: Mutex::new(latency_histogram()),
        doors: Semaphore::new(DOORS),
    };
    (Arc::new(board), news)
}

fn runtime(callers: usize) -> Result<Runtime, Failure> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = callers.div_ceil(CALLERS_A_THREAD).clamp(1, cores);
    let runtime = Builder::new_multi_thread().worker_threads(threads).enable_io().enable_time().build();
    runtime.map_err(|error| {
        Failure::unable(format_args!(
            "no threads for the callers' sockets: {error}; raise the limit of processes (`ulimit -u`) or of memory"
        ))
    })
}

/// Starts a task for every caller; the ways to them, in order.
fn place_calls(runtime: &Runtime, board: &Arc<Switchboard>, streams: &[Stream]) -> Vec<Sender<Chunk>> {
    let call = |(at, stream): (usize, &Stream)| {
        let (sender, chunks) = channel(CHUNKS_MAX);
        let name = session_name(at as u32);
        let words = WordWindow::new(stream.clone());
        runtime.spawn(Caller { at, name, words, chunks, board: Arc::clone(board) }.call());
        sender
    };
    streams.iter().enumerate().map(call).collect()
}

/// A run under way.
struct Run {
    afar: Afar,
    news: Receiver<News>,
    board: Arc<Switchboard>,
    options: Options,
    warm_up_us: u64,
    progress: Progress,
}

impl Run {
    /// Waits until every caller has its session, or is refused one; who has one.
    fn wait_for_all(&mut self, plan: &ScenePlan, callers: usize) -> Result<Vec<bool>, Failure> {
        interrupt::run_begins();
        let mut opened = vec![false; callers];
        let (mut answered, mut last) = (0, None);
        while answered < callers {
            self.progress.at("connecting", answered as u64, callers as u64);
            if interrupt::is_asked() {
                return Err(Failure::unable(
                    "interrupted before all callers were connected: nothing was measured",
                ));
            }
            match self.news.recv_timeout(LOOK) {
                Ok(News { caller, what: What::Opened(scene), .. }) => {
                    self.is_scene(plan, &scene)?;
                    opened[caller] = true;
                    answered += 1;
                }
                Ok(News { what: What::Refused(error), .. }) => {
                    answered += 1;
                    let nobody = answered == 1 && matches!(error, ClientError::Unreachable { .. });
                    if nobody || is_hopeless(&error) {
                        return Err(Failure::unable(format_args!("--to {error}")));
                    }
                    self.afar.refused(&label(&error));
                    last = Some(error);
                }
                Ok(News { what: What::Waits, .. }) => self.afar.waited(),
                Ok(News { what: What::Gone { why, .. }, .. }) => {
                    let why = why.unwrap_or_default();
                    return Err(Failure::unable(format_args!(
                        "--to: a session ended before it began: {why}"
                    )));
                }
                Ok(News { what: What::Saw(_), .. }) | Err(_) => {}
            }
        }
        match last.filter(|_| !opened.contains(&true)) {
            Some(error) => Err(Failure::unable(format_args!("--to {error}; no caller got a session"))),
            None => Ok(opened),
        }
    }

    fn is_scene(&self, plan: &ScenePlan, scene: &str) -> Result<(), Failure> {
        let wanted = &plan.scene.name;
        if scene == wanted {
            return Ok(());
        }
        let address = &self.board.address;
        Err(Failure::unable(format_args!(
            "--to {address}: the server runs scene `{scene}`, and these callers are for `{wanted}`: name its model with \
             --model, or simulate `{scene}`"
        )))
    }

    /// Lets everybody talk, and measures.
    fn talk(
        mut self,
        streams: Vec<Stream>,
        lines: Vec<Sender<Chunk>>,
        opened: &[bool],
    ) -> Result<AfarReport, Failure> {
        let epoch = self.board.epoch;
        let started_us = epoch.now_us() + BREATH_US;
        let voices: Vec<CallingVoice> = self.afar.voices(streams);
        self.afar.begin(&voices, opened, started_us, self.warm_up_us);
        let until_us = Arc::new(AtomicU64::new(started_us + self.options.duration_us));
        let style = ChunkStyle { format: self.afar.input(), chunk_us: self.afar.chunk_us() };
        let lines = lines.into_iter().zip(opened).map(|(line, opened)| opened.then_some(line));
        let mouths: Vec<Mouth> =
            voices.into_iter().zip(lines).map(|(voice, to)| Mouth::new(voice, to)).collect();
        let began = ProcessTime::now();
        let ends = Arc::clone(&until_us);
        let pacer = std::thread::Builder::new()
            .name("callers".into())
            .spawn(move || pace(mouths, style, epoch, started_us, &ends))
            .map_err(|error| Failure::unable(format_args!("no thread for the callers: {error}")))?;
        let callers = opened.iter().filter(|opened| **opened).count();
        self.listen(callers, started_us, &until_us);
        let Ok(Paced { streams, chunks, starved }) = pacer.join() else {
            return Err(Failure::unable("the callers' thread has panicked: nothing was measured"));
        };
        self.afar.sent(chunks, chunks * style.frames() as u64);
        (0..starved).for_each(|_| self.afar.unfinished("this process took no audio for ten seconds"));
        let toll = Toll {
            late: self.board.late.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            cpu_s: began.elapsed().as_secs_f64(),
            wall_s: (epoch.now_us() - started_us) as f64 / 1e6,
        };
        self.progress.clear();
        Ok(self.afar.conclude(&streams, &toll))
    }

    /// Takes what the callers see until all calls are over.
    fn listen(&mut self, callers: usize, started_us: u64, until_us: &AtomicU64) {
        let epoch = self.board.epoch;
        let duration_us = self.options.duration_us;
        let (mut gone, mut looked_us, mut warm) = (0, 0, self.warm_up_us == 0);
        while gone < callers {
            match self.news.recv_timeout(LOOK) {
                Ok(news) => gone += usize::from(self.take(news)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let now_us = epoch.now_us();
            if now_us < looked_us {
                continue;
            }
            looked_us = now_us + LOOK.as_micros() as u64;
            let so_far_us = now_us.saturating_sub(started_us);
            if !warm && so_far_us >= self.warm_up_us {
                warm = true;
                self.afar.warmed_up(now_us);
                self.board.late.lock().unwrap_or_else(PoisonError::into_inner).reset();
            }
            self.afar.settle(now_us);
            self.progress.at("in real time", so_far_us.min(duration_us), duration_us);
            if interrupt::is_asked() && now_us < until_us.load(Ordering::Acquire) {
                until_us.store(now_us, Ordering::Release);
                self.afar.cut(so_far_us);
            }
            if now_us > until_us.load(Ordering::Acquire) + DRAIN_US {
                self.give_up(callers - gone);
                break;
            }
        }
    }

    /// Takes news; true: a call is over.
    fn take(&mut self, news: News) -> bool {
        let News { caller, at_us, what } = news;
        match what {
            What::Saw(sighting) => self.afar.saw(caller, at_us, &sighting),
            What::Gone { why, figures, said_us } => {
                self.afar.gone(caller, why.as_deref(), &figures, said_us);
                return true;
            }
            What::Waits => self.afar.waited(),
            What::Opened(_) | What::Refused(_) => {}
        }
        false
    }

    /// The rest is not waited for.
    fn give_up(&mut self, left: usize) {
        let why = format!("no end within {} s of the last audio", DRAIN_US / 1_000_000);
        (0..left).for_each(|_| self.afar.unfinished(&why));
    }
}

/// Whether no other caller would fare better.
fn is_hopeless(error: &ClientError) -> bool {
    match error {
        ClientError::Refused { refusal: ServerRefusal { status, code, .. }, .. } => {
            !matches!(status, Some(429 | 503)) && code != "capacity" && code != "draining"
        }
        ClientError::Unreachable { .. } | ClientError::Lost(_) => false,
        _ => true,
    }
}

/// A refusal in the words of the report: the same for all that are refused alike.
fn label(error: &ClientError) -> String {
    match error {
        ClientError::Refused { refusal: ServerRefusal { status, code, .. }, .. } => {
            let status = status.map_or(String::new(), |status| format!("{status} "));
            format!("{status}{code}")
        }
        ClientError::Unreachable { why, .. } => why.clone(),
        other => other.to_string(),
    }
}
