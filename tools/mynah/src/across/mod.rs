//! The server that a scene's output goes to (`Grpc`): every session here has one there, and what the gate decides here is
//! acknowledged there.
//!
//! The engine's thread hands audio and messages to a task per session; what becomes of them is added up in the end.

mod session;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mynah_engine::edge::Tag;
use mynah_engine::{Control, OutAudio, ScenePlan};
use mynah_files::failure::Failure;
use mynah_serve_grpc::proto;
use mynah_serve_grpc::remote::{AudioPlace, Channel, RemoteSession};
use mynah_sim::observer::Observer;
use mynah_sim::report::Report;
use mynah_sim::report::across::AcrossReport;
use mynah_sim::report::quantiles::Quantiles;
use mynah_sim::simulate::Simulation;
use mynah_sim::transport::GrpcScene;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use self::session::{Carried, Crossing};
use crate::afar::{WordWindow, key_of};

/// Sessions that share a connection.
const SHARED: usize = 64;
/// Behind the run, answers have this long to come.
const PATIENCE: Duration = Duration::from_secs(40);

/// The sessions at the server, as one that observes the run here.
pub(crate) struct Across {
    named: GrpcScene,
    scene: String,
    runtime: Runtime,
    lines: Vec<UnboundedSender<Carried>>,
    tasks: Vec<JoinHandle<Crossing>>,
}

impl Across {
    /// Opens a session at the server for each of `simulation`'s; `None`: its scene names none.
    ///
    /// # Errors
    /// Nobody answers there, or a session is refused; no audio leaves the scene.
    pub(crate) fn of(
        plan: &ScenePlan,
        simulation: &Simulation,
        sessions: u32,
    ) -> Result<Option<Self>, Failure> {
        let Some(named) = GrpcScene::of(plan) else { return Ok(None) };
        let Some(output) = plan.output.audio else {
            return Err(Failure::unable("transports: no audio reaches the output, so there is none to send"));
        };
        let key = match named.key_env.as_str() {
            "" => None,
            name => Some(key_of("transports: key_env", name)?),
        };
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_io().enable_time().build();
        let runtime =
            runtime.map_err(|error| Failure::unable(format_args!("no thread for connections: {error}")))?;
        let mut across = Self { scene: String::new(), lines: Vec::new(), tasks: Vec::new(), runtime, named };
        let mut channel = None;
        for at in 0..sessions as usize {
            if at.is_multiple_of(SHARED) {
                channel = Some(across.connect()?);
            }
            let words = simulation.stream(at).map(|stream| WordWindow::new(stream.clone()));
            let open = proto::Open {
                model: across.named.scene.clone(),
                input: Some(proto::Format {
                    rate_hz: output.rate_hz,
                    channels: output.channels.into(),
                    encoding: proto::Encoding::S16.into(),
                }),
                params_json: words.as_ref().map_or_else(String::new, first_words),
                ..proto::Open::default()
            };
            let channel = channel.clone().expect("it is there from the first session on");
            across.open(channel, key.as_deref(), open, words)?;
        }
        Ok(Some(across))
    }

    fn connect(&self) -> Result<Channel, Failure> {
        let address = &self.named.address;
        let connected =
            async { Channel::from_shared(format!("http://{address}")).ok()?.connect().await.ok() };
        self.runtime.block_on(connected).ok_or_else(|| {
            let model = if self.named.scene.is_empty() { "SCENE" } else { &self.named.scene };
            Failure::unable(format_args!(
                "transports: nobody answers at {address}: start a server there first, `mynah serve {model} --grpc {address}`"
            ))
        })
    }

    fn open(
        &mut self,
        channel: Channel,
        key: Option<&str>,
        open: proto::Open,
        words: Option<WordWindow>,
    ) -> Result<(), Failure> {
        let opened = self.runtime.block_on(RemoteSession::open(channel, key, open, unix_us()));
        let session = opened
            .map_err(|error| Failure::unable(format_args!("transports: {}: {error}", self.named.address)))?;
        self.scene.clone_from(&session.opened().scene);
        let (to, items) = unbounded_channel();
        self.lines.push(to);
        self.tasks.push(self.runtime.spawn(Crossing::new(words).carry(session, items)));
        Ok(())
    }

    fn carry(&self, session: usize, carried: Carried) {
        // Whose stream has ended is told in the end.
        drop(self.lines.get(session).map(|to| to.send(carried)));
    }

    /// Waits for the last answers, and adds to `report` what came of all sessions.
    pub(crate) fn conclude(mut self, report: &mut Report) {
        self.lines.clear();
        let tasks = std::mem::take(&mut self.tasks);
        let sessions = tasks.len() as u32;
        let until = tokio::time::Instant::now() + PATIENCE;
        let all = self.runtime.block_on(async {
            let mut all = Crossing::new(None);
            for task in tasks {
                match tokio::time::timeout_at(until, task).await {
                    Ok(Ok(one)) => all.add(one),
                    _ => all.lose("a session does not end"),
                }
            }
            all
        });
        let across = self.drawn_up(sessions, all);
        if !across.broken.is_empty() && report.verdict == "ok" {
            report.verdict = "over";
        }
        report.across = Some(across);
    }

    fn drawn_up(self, sessions: u32, all: Crossing) -> AcrossReport {
        let out = all.outgoing;
        let mut broken = all.broken;
        if out.failed > 0 {
            broken.push(format!("{} messages were not acknowledged", out.failed));
        }
        let open = out.sent.saturating_sub(out.applied + out.failed);
        if open > 0 && all.lost == 0 {
            broken.push(format!("{open} messages were not worked off"));
        }
        broken.sort();
        broken.dedup();
        AcrossReport {
            address: self.named.address,
            scene: self.scene,
            sessions,
            lost: all.lost,
            sent: out.sent,
            delivered: out.acked,
            applied: out.applied,
            retried: out.retried,
            failed: out.failed,
            takes_back: all.takes_back,
            to_delivered_ms: Quantiles::of(&all.to_delivered),
            to_applied_ms: Quantiles::of(&all.to_applied),
            sound_sent_s: all.sent_us as f64 / 1e6,
            sound_unsent_s: all.unsent_us as f64 / 1e6,
            sound_heard_s: all.heard_us as f64 / 1e6,
            events: all.events,
            broken,
        }
    }
}

impl Observer for Across {
    fn audio(&mut self, session: usize, audio: &OutAudio) {
        let OutAudio { pts_us, segment, revision, turn, .. } = *audio;
        let place = AudioPlace { pts_us, tag: Tag { segment, revision, turn } };
        self.carry(session, Carried::Audio(Arc::from(audio.block.samples()), place));
    }

    #[expect(clippy::disallowed_methods, reason = "how long messages take is told in the end")]
    fn control(&mut self, session: usize, control: &Control) {
        self.carry(
            session,
            match control {
                Control::Closed => Carried::End,
                control => Carried::Control(control.clone(), Instant::now()),
            },
        );
    }
}

fn first_words(words: &WordWindow) -> String {
    serde_json::to_string(&words.first()).expect("numbers and texts can always be written")
}

#[expect(clippy::disallowed_methods, reason = "messages say when they were made")]
fn unix_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
