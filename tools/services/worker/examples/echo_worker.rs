//! A worker in Rust, for tests and for whoever writes one in another language: says back what it is asked.
//!
//! `MYNAH_ENGINE=mynah MYNAH_SERVICE=reply cargo run -p mynah-worker --example echo_worker -- [serves=Reply] [parallel=4]
//! [protocol=1] [lose=N] [wait_s=30]`. `lose`: so many acknowledgements that it does not send.
//!
//! What a call's text asks for: `slow N MS`: N pieces, one every MS ms; `hang`: nothing, until it is cancelled; `die`: the
//! process ends with code 7; `late`: a piece after the word that it has stopped; `fail WHY`; `gap`: a part is missing;
//! `tool`: asks the host, and says what it answers. Everything else: its words, one a piece. A recogniser says how much it
//! heard, a voice gives 100 ms of a tone a word.
#![expect(clippy::disallowed_methods, clippy::print_stderr, reason = "a program with a clock and a terminal")]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mynah_worker::link::{LinkError, LinkNames, LinkPlace, Outlet, WorkerSide, bell};
use mynah_worker::wire::{
    AckStep, AudioPart, CallWords, DataPart, Envelope, FromWorker, PROTOCOL, Said, SampleFormat, TextPart,
    ToWorker, WorkerTask, encode_audio, encode_control, encode_text,
};

/// Time between signs of life, and the longest silence of an engine.
const BEAT: Duration = Duration::from_millis(250);
const SILENCE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, sentence)) => {
            eprintln!("{sentence}");
            ExitCode::from(code)
        }
    }
}

type End = (u8, String);

fn broken(error: LinkError) -> End {
    (2, error.to_string())
}

/// A call that is worked on.
struct Job {
    session: String,
    call: Box<CallWords>,
    heard: Vec<AudioPart>,
    said: u32,
    next: Instant,
    asks_host: bool,
    result: Option<Arc<str>>,
}

struct EchoWorker {
    side: WorkerSide,
    jobs: BTreeMap<u64, Job>,
    message_id: u64,
    heard_id: u64,
    lose: u32,
}

fn option(name: &str) -> Option<String> {
    std::env::args().skip(1).find_map(|arg| arg.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
}

fn number(name: &str, default: u32) -> u32 {
    option(name).and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn serve() -> Result<(), End> {
    let variable = |name: &str| std::env::var(name).map_err(|_| (2, format!("{name} is not set")));
    let names = LinkNames { engine: variable("MYNAH_ENGINE")?, service: variable("MYNAH_SERVICE")? };
    let place = LinkPlace::new(None).map_err(broken)?;
    let (pid, nonce) = (std::process::id(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
    let id = format!("{pid}-{:08x}", nonce.subsec_nanos());
    let side = WorkerSide::open(&place, &names, &id).map_err(broken)?;
    let lose = number("lose", 0);
    let mut worker = EchoWorker { side, jobs: BTreeMap::new(), message_id: 0, heard_id: 0, lose };
    worker.introduce(&id)?;
    eprintln!("worker {id} is welcome");
    let (mut beaten, mut heard, mut cleaned) = (Instant::now(), Instant::now(), Instant::now());
    loop {
        let due = worker.jobs.values().map(|job| job.next).min().unwrap_or(beaten + BEAT);
        let wait = due.saturating_duration_since(Instant::now()).min(Duration::from_millis(100));
        let has_died = worker.side.wait(wait).map_err(broken)?;
        if worker.listen()? {
            heard = Instant::now();
        }
        if has_died || cleaned.elapsed() >= 2 * BEAT {
            cleaned = Instant::now();
            place.clean_up();
            if !worker.side.control_down.is_fed() {
                return Err((3, "the engine is gone: this worker ends".to_owned()));
            }
        }
        if heard.elapsed() >= SILENCE {
            return Err((3, "nothing was heard of the engine for 5 s: this worker ends".to_owned()));
        }
        if beaten.elapsed() >= BEAT {
            beaten = Instant::now();
            let busy = worker.jobs.len() as u32;
            worker.tell("", FromWorker::Heartbeat { busy })?;
        }
        worker.work()?;
        worker.flush()?;
    }
}

impl EchoWorker {
    /// Says hello until somebody answers.
    fn introduce(&mut self, id: &str) -> Result<(), End> {
        let hello = FromWorker::Hello {
            protocol: number("protocol", PROTOCOL),
            worker: id.to_owned(),
            pid: std::process::id(),
            package: format!("echo {}", env!("CARGO_PKG_VERSION")),
            serves: option("serves").unwrap_or_else(|| "Reply".to_owned()),
            name: "echo".to_owned(),
            parallel: number("parallel", 4),
        };
        let (began, wait_s) = (Instant::now(), u64::from(number("wait_s", 30)));
        let mut said: Option<Instant> = None;
        while began.elapsed() < Duration::from_secs(wait_s) {
            if said.is_none_or(|said| said.elapsed() >= BEAT) {
                said = Some(Instant::now());
                self.message_id += 1;
                let bytes = envelope(self.message_id, "", hello.clone())?;
                self.side.lobby.offer(&bytes).map_err(broken)?;
                self.side.bell.ring(bell::CONTROL);
            }
            std::thread::sleep(Duration::from_millis(10));
            let mut answers = Vec::new();
            if let Some(lobby) = &self.side.answers {
                let read = |bytes: &[u8]| answers.extend(Envelope::<ToWorker>::decode(bytes));
                lobby.read(read).map_err(broken)?;
            }
            for answer in answers {
                let Said::Known(Envelope { message_type, .. }) = answer else { continue };
                match message_type {
                    ToWorker::Welcome { worker, .. } if worker == id => {
                        self.side.answers = None;
                        return Ok(());
                    }
                    ToWorker::Refused { worker, reason } if worker == id => {
                        return Err((1, format!("the engine refuses this worker: {reason}")));
                    }
                    _ => {}
                }
            }
        }
        Err((1, format!("no engine has answered for {wait_s} s: this worker ends")))
    }

    fn tell(&mut self, session: &str, what: FromWorker) -> Result<(), End> {
        self.message_id += 1;
        let bytes = envelope(self.message_id, session, what)?;
        self.side.control_up.push(bytes.into()).map_err(broken)?;
        self.side.bell.ring(bell::CONTROL);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), End> {
        self.side.control_up.flush().map_err(broken)?;
        Ok(())
    }

    /// Reads what the engine says. True if it said something.
    fn listen(&mut self) -> Result<bool, End> {
        let (mut messages, mut audio) = (Vec::new(), Vec::new());
        let mut control = |bytes: &[u8]| messages.extend(Envelope::<ToWorker>::decode(bytes));
        while self.side.control_down.read(&mut control).map_err(broken)? {}
        let mut data = |bytes: &[u8]| {
            audio.extend(DataPart::decode(bytes).map(|(_, part)| part));
        };
        while self.side.audio_down.read(&mut data).map_err(broken)? {}
        let is_heard = !messages.is_empty() || !audio.is_empty();
        for message in messages {
            if let Said::Known(message) = message {
                self.hear(message)?;
            }
        }
        for part in audio {
            if let DataPart::Audio(part) = part
                && let Some(job) = self.jobs.get_mut(&part.call)
            {
                job.heard.push(part);
            }
        }
        Ok(is_heard)
    }

    fn ack(&mut self, session: &str, message_id: u64, stage: AckStep) -> Result<(), End> {
        if self.lose > 0 {
            self.lose -= 1;
            return Ok(());
        }
        self.tell(session, FromWorker::Ack { message_id, stage })
    }

    fn hear(&mut self, message: Envelope<ToWorker>) -> Result<(), End> {
        let Envelope { message_id, session_id: session, message_type, .. } = message;
        let is_new = message_id > self.heard_id;
        self.heard_id = self.heard_id.max(message_id);
        let asks =
            matches!(message_type, ToWorker::Call(_) | ToWorker::Cancel { .. } | ToWorker::ToolResult { .. });
        if asks {
            self.ack(&session, message_id, AckStep::Delivered)?;
        }
        if !is_new {
            return Ok(());
        }
        match message_type {
            ToWorker::Call(call) => {
                if &*call.text == "die" {
                    std::process::exit(7);
                }
                let next = Instant::now();
                let key = call.call;
                let (heard, said, asks_host, result) = (Vec::new(), 0, false, None);
                self.jobs.insert(key, Job { session, call, heard, said, next, asks_host, result });
            }
            ToWorker::Cancel { call } => {
                let job = self.jobs.remove(&call);
                self.ack(&session, message_id, AckStep::Applied)?;
                if let Some(job) = job.filter(|job| &*job.call.text == "late") {
                    self.say(&job.session, call, 0, "too late".into())?;
                }
            }
            ToWorker::ToolResult { call, result, .. } => {
                if let Some(job) = self.jobs.get_mut(&call) {
                    (job.result, job.next) = (Some(result), Instant::now());
                }
            }
            ToWorker::Refused { reason, .. } => {
                return Err((1, format!("the engine refuses this worker: {reason}")));
            }
            ToWorker::Goodbye { reason } => return Err((0, format!("the engine says goodbye: {reason}"))),
            ToWorker::Heartbeat {} | ToWorker::Close { .. } | ToWorker::Welcome { .. } => {}
        }
        Ok(())
    }

    fn say(&mut self, session: &str, call: u64, part: u32, text: Arc<str>) -> Result<(), End> {
        let text = TextPart { call, part, last: false, text };
        let bytes = encode_text(session, &text).map_err(|error| (2, error.to_string()))?;
        send(&mut self.side.text_up, bytes)?;
        self.side.bell.ring(bell::DATA);
        Ok(())
    }

    /// Goes on with every call.
    fn work(&mut self) -> Result<(), End> {
        let now = Instant::now();
        let due: Vec<u64> =
            self.jobs.iter().filter(|(_, job)| job.next <= now).map(|(call, _)| *call).collect();
        for call in due {
            let Some(mut job) = self.jobs.remove(&call) else { continue };
            if !self.goes_on(&mut job, now)? {
                self.jobs.insert(call, job);
            }
        }
        Ok(())
    }

    /// True if the call is complete.
    fn goes_on(&mut self, job: &mut Job, now: Instant) -> Result<bool, End> {
        let far = now + Duration::from_secs(3_600);
        let (call, text) = (job.call.call, Arc::clone(&job.call.text));
        let words: Vec<&str> = text.split_whitespace().collect();
        let session = job.session.clone();
        match (job.call.task, &words[..]) {
            (WorkerTask::Transcribe, _) => {
                if !job.heard.last().is_some_and(|part| part.last) {
                    job.next = now + Duration::from_millis(2);
                    return Ok(false);
                }
                let text = describe(&job.heard);
                let partial = FromWorker::Partial { call, text: "listening".into() };
                self.tell(&session, partial)?;
                self.say(&session, call, 0, text.into())?;
                job.said = 1;
            }
            (WorkerTask::Synthesize, words) => self.sing(job, words.len())?,
            (_, ["hang" | "late", ..]) => {
                job.next = far;
                return Ok(false);
            }
            (_, ["fail", why @ ..]) => {
                let failed = FromWorker::Failed { call, reason: why.join(" "), parts: 0 };
                self.tell(&session, failed)?;
                return Ok(true);
            }
            (_, ["gap", ..]) => {
                self.say(&session, call, 0, "first ".into())?;
                self.say(&session, call, 2, "third".into())?;
                job.said = 3;
            }
            (_, ["tool", ..]) => match job.result.take() {
                Some(result) => {
                    self.say(&session, call, 1, result)?;
                    job.said = 2;
                }
                None => {
                    if !std::mem::replace(&mut job.asks_host, true) {
                        self.say(&session, call, 0, "One moment. ".into())?;
                        let (call_id, name, arguments) = ("t1".into(), "look".into(), "{}".into());
                        let wish = FromWorker::ToolCall { call, parts: 1, call_id, name, arguments };
                        self.tell(&session, wish)?;
                        self.tell(&session, FromWorker::AwaitHost { call, parts: 1 })?;
                    }
                    job.next = far;
                    return Ok(false);
                }
            },
            (_, ["slow", pieces, ms]) => {
                let (pieces, ms) = (pieces.parse().unwrap_or(1), ms.parse().unwrap_or(10));
                if job.said < pieces {
                    self.say(&session, call, job.said, format!("{} ", job.said).into())?;
                    job.said += 1;
                    job.next = now + Duration::from_millis(ms);
                    return Ok(false);
                }
            }
            (_, words) => {
                for word in words {
                    self.say(&session, call, job.said, format!("{word} ").into())?;
                    job.said += 1;
                }
            }
        }
        self.tell(&session, FromWorker::Done { call, parts: job.said, busy_us: 0 })?;
        Ok(true)
    }

    /// 100 ms of a tone a word.
    fn sing(&mut self, job: &mut Job, words: usize) -> Result<(), End> {
        let rate_hz = job.call.speaks.map_or(16_000, |speaks| speaks.rate_hz);
        for part in 0..words as u32 {
            let wave = |at: u32| (at as f32 * 440.0 * std::f32::consts::TAU / rate_hz as f32).sin() * 0.5;
            let samples = (0..rate_hz / 10).map(|at| wave(at + part * rate_hz / 10)).collect();
            let call = job.call.call;
            let audio = AudioPart { call, part, from_us: 0, rate_hz, channels: 1, last: false, samples };
            let bytes = encode_audio(&job.session, &audio, SampleFormat::S16)
                .map_err(|error| (2, error.to_string()))?;
            send(&mut self.side.audio_up, bytes)?;
        }
        job.said = words as u32;
        self.side.bell.ring(bell::DATA);
        Ok(())
    }
}

/// Sends data, and waits while there is no room.
fn send(outlet: &mut Outlet, bytes: Vec<u8>) -> Result<(), End> {
    outlet.push(bytes.into()).map_err(broken)?;
    for _ in 0..5_000 {
        if outlet.flush().map_err(broken)? == mynah_worker::link::Pushing::Sent {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Err((3, "the engine takes nothing for 5 s: this worker ends".to_owned()))
}

fn envelope(message_id: u64, session: &str, what: FromWorker) -> Result<Vec<u8>, End> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (session_id, timestamp) = (session.to_owned(), since.as_micros() as u64);
    encode_control(&Envelope { message_id, session_id, timestamp, message_type: what })
        .map_err(|error| (2, error.to_string()))
}

/// What was heard, in words.
fn describe(heard: &[AudioPart]) -> String {
    let frames: usize = heard.iter().map(|part| part.samples.len() / usize::from(part.channels)).sum();
    let rate_hz = heard.first().map_or(0, |part| part.rate_hz);
    format!("{frames} frames at {rate_hz} Hz in {} parts", heard.len())
}
