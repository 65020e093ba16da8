//! The steps of a probe, one after the other.

use std::time::Duration;

use hyper::Method;
use hyper::body::Bytes;
use mynah_engine::Block;
use mynah_engine::media::Sound;
use mynah_engine::scene::Format;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::address::ServerUrl;
use crate::body::{AnswerBody, ContentType};
use crate::chat::Reading;
use crate::endpoint::{Endpoint, Outgoing};
use crate::errand::Errand;
use crate::key::ServiceKey;
use crate::limits::{CallLimits, NAME_CHARS_MAX, named};
use crate::probe::busy::BusyPage;
use crate::probe::report::{Probe, ProbeKind, ProbeReport, ProbeStep, ProbeVerdict};
use crate::sse::SseStream;
use crate::transcription::Form;

/// Requests at once: an answer, and a look at how busy the server is.
const REQUESTS_MAX: usize = 2;
/// Pieces of an answer that are enough to know its pace.
const PIECES: u32 = 24;
/// Longest wait until a server is quiet.
const QUIET_MAX: Duration = Duration::from_secs(10);
/// Longest wait for a server that is busy before it is asked.
const SETTLING_MAX: Duration = Duration::from_secs(2);
/// Time between two looks at how busy it is.
const LOOK: Duration = Duration::from_millis(5);
/// Bytes a second of samples as voices send them: 16 bits, 24 kHz.
const SPEECH_BYTES: f64 = 48_000.0;

const STORY: &str = "Write a very long story about a ship, in many chapters, and do not stop early.";
const SENTENCE: &str = "This is a somewhat longer sentence, so that it can be measured how fast you speak, and how \
                        soon you begin to do so.";

/// What the steps need.
pub(super) struct Steps {
    endpoint: Endpoint,
    kind: ProbeKind,
    voice: String,
}

/// An answer that is made, as it was measured.
struct Measured {
    first: Duration,
    /// Pieces or bytes after the first, and the time that they took.
    pace: (u32, Duration),
    /// The answer, if it goes on.
    open: Option<AnswerBody>,
}

impl Steps {
    pub(super) fn new(probe: &Probe) -> Result<Self, String> {
        if let Some(model) = &probe.model {
            named("model", model, NAME_CHARS_MAX)?;
        }
        let url = ServerUrl::parse(&probe.url)?;
        let key = probe.key_env.as_deref().map(ServiceKey::from_env).transpose()?;
        // Generous: it is to be found out how long it takes.
        let limits = CallLimits::new(2_000, 60_000, 20_000, 90_000)?;
        let voice = probe.voice.clone().unwrap_or_else(|| "alloy".into());
        Ok(Self { endpoint: Endpoint::new(url, key, limits, REQUESTS_MAX)?, kind: probe.kind, voice })
    }

    pub(super) async fn take(self, mut report: ProbeReport) -> ProbeReport {
        if !self.reaches(&mut report).await {
            return report;
        }
        self.lists(&mut report).await;
        let Some(model) = report.model.clone() else {
            let says = "no model is known: name one with `--model`".into();
            report.add(ProbeStep::FirstByte, ProbeVerdict::Unknown, None, says);
            return report;
        };
        let page = BusyPage::of(&self.endpoint).await;
        let before = self.busy(page.as_ref()).await;
        let errand = Errand::alone(self.endpoint.times(None));
        let measured = match self.kind {
            ProbeKind::Chat => self.chats(&errand, &model).await,
            ProbeKind::Speech => self.speaks(&errand, &model).await,
            ProbeKind::Transcription => self.hears(&errand, &model).await,
        };
        match measured {
            Ok(measured) => self.tell(measured, page, before, &mut report).await,
            Err(wrong) => report.add(ProbeStep::FirstByte, ProbeVerdict::Bad, None, wrong),
        }
        report
    }

    async fn reaches(&self, report: &mut ProbeReport) -> bool {
        let Ok(uri) = self.endpoint.url.at_root("/") else { return false };
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
        let place = format!("{}:{port}", uri.host().unwrap_or_default());
        let began = Instant::now();
        let connected = timeout(Duration::from_secs(2), TcpStream::connect(&place)).await;
        let wrong = match connected {
            Ok(Ok(_)) => {
                let ms = ms(began.elapsed());
                let says = format!("{place} answers within {ms:.1} ms");
                report.add(ProbeStep::Reachable, ProbeVerdict::Fine, Some((ms, "ms")), says);
                return true;
            }
            Ok(Err(cause)) => cause.to_string(),
            Err(_) => "no connection within 2000 ms".into(),
        };
        let says = format!("{place}: {wrong}; is the server running there?");
        report.add(ProbeStep::Reachable, ProbeVerdict::Bad, None, says);
        false
    }

    /// The models that the server lists; the first is asked where none was named.
    async fn lists(&self, report: &mut ProbeReport) {
        let (verdict, says) = match self.models().await {
            Err(why) => (ProbeVerdict::Unknown, format!("the server lists no models: {why}")),
            Ok(models) if models.is_empty() => (ProbeVerdict::Unknown, "the server lists no models".into()),
            Ok(models) => {
                let shown = self.endpoint.quoted(&models.join(", "));
                match &report.model {
                    Some(model) if models.contains(model) => {
                        (ProbeVerdict::Fine, format!("`{model}` is there"))
                    }
                    // Servers of one model take any name.
                    Some(model) => {
                        (ProbeVerdict::Unknown, format!("`{model}` is not listed; there are: {shown}"))
                    }
                    None => {
                        report.model = models.into_iter().next();
                        (ProbeVerdict::Fine, format!("there are: {shown}; the first is asked"))
                    }
                }
            }
        };
        report.add(ProbeStep::Models, verdict, None, says);
    }

    async fn models(&self) -> Result<Vec<String>, String> {
        let errand = Errand::alone(self.endpoint.times(None));
        let outgoing = Outgoing::get(self.endpoint.url.with("/models")?);
        let mut answer = self.endpoint.ask(&errand, &outgoing).await?;
        let whole = answer.whole(&errand).await?;
        let value: Value = serde_json::from_slice(&whole).map_err(|cause| format!("no JSON ({cause})"))?;
        let list = value.get("data").and_then(Value::as_array).ok_or("no list of them")?;
        let names = list.iter().filter_map(|model| model.get("id")?.as_str());
        Ok(names.filter(|name| named("model", name, NAME_CHARS_MAX).is_ok()).map(String::from).collect())
    }

    async fn post(&self, errand: &Errand, path: &str, body: &Value) -> Result<AnswerBody, String> {
        let outgoing = Outgoing {
            to: self.endpoint.url.with(path)?,
            method: Method::POST,
            content_type: "application/json".into(),
            accept: "*/*",
            body: Bytes::from(body.to_string()),
        };
        self.endpoint.ask(errand, &outgoing).await
    }

    async fn chats(&self, errand: &Errand, model: &str) -> Result<Measured, String> {
        let body = json!({
            "model": model, "stream": true, "max_tokens": 2_000,
            "messages": [{"role": "user", "content": STORY}],
        });
        let began = Instant::now();
        let mut answer = self.post(errand, "/chat/completions", &body).await?;
        if matches!(answer.content_type, ContentType::Json | ContentType::Html) {
            return Err(answer.odd("stream of events", errand).await);
        }
        let (mut events, mut reading) = (SseStream::default(), Reading::default());
        let (mut first, mut pieces) = (None, 0);
        while pieces < PIECES && !reading.is_over() {
            let Some(bytes) = answer.next(errand).await? else { break };
            events.push(&bytes).map_err(|why| why.to_string())?;
            while let Some(event) = events.next() {
                let said = reading.take(&event.data, &mut |_| pieces += 1);
                said.map_err(|why| self.endpoint.quoted(&why))?;
            }
            if pieces > 0 {
                first.get_or_insert_with(|| (Instant::now(), pieces));
            }
        }
        let open = (!reading.is_over()).then_some(answer);
        let (at, already) = first.ok_or("the answer has no text")?;
        Ok(Measured { first: at - began, pace: (pieces - already, at.elapsed()), open })
    }

    async fn speaks(&self, errand: &Errand, model: &str) -> Result<Measured, String> {
        let body = json!({
            "model": model, "voice": self.voice, "input": SENTENCE, "response_format": "pcm",
        });
        let began = Instant::now();
        let mut answer = self.post(errand, "/audio/speech", &body).await?;
        if answer.content_type != ContentType::Other {
            return Err(answer.odd("audio", errand).await);
        }
        let begins = answer.next(errand).await?.ok_or("the server sent no audio")?;
        let (at, mut bytes) = (Instant::now(), begins.len());
        while let Some(more) = answer.next(errand).await? {
            bytes += more.len();
        }
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        Ok(Measured { first: at - began, pace: (bytes, at.elapsed()), open: None })
    }

    async fn hears(&self, errand: &Errand, model: &str) -> Result<Measured, String> {
        let silence = (0..50).map(|_| Block::zeroed(320)).collect();
        let mut form = Form::of(&Sound { format: Format { rate_hz: 16_000, channels: 1 }, blocks: silence })?;
        form.field("model", model);
        form.field("response_format", "json");
        let (content_type, body) = form.finish();
        let to = self.endpoint.url.with("/audio/transcriptions")?;
        let (method, accept) = (Method::POST, "application/json");
        let began = Instant::now();
        let outgoing = Outgoing { to, method, content_type, accept, body: body.into() };
        let mut answer = self.endpoint.ask(errand, &outgoing).await?;
        let whole = answer.whole(errand).await?;
        crate::transcription::whole(&whole).map_err(|why| self.endpoint.quoted(&why))?;
        Ok(Measured { first: began.elapsed(), pace: (0, Duration::ZERO), open: None })
    }

    /// Answers that the server works on for others. What has just been dropped is given a moment to end.
    async fn busy(&self, page: Option<&BusyPage>) -> u64 {
        let Some(page) = page else { return 0 };
        let began = Instant::now();
        loop {
            let busy = page.busy(&self.endpoint).await.unwrap_or(0);
            if busy == 0 || began.elapsed() >= SETTLING_MAX {
                return busy;
            }
            sleep(LOOK).await;
        }
    }

    async fn tell(&self, measured: Measured, page: Option<BusyPage>, before: u64, report: &mut ProbeReport) {
        let Measured { first, pace: (count, took), open } = measured;
        let what = match self.kind {
            ProbeKind::Chat => "the first text came after",
            ProbeKind::Speech => "the first sound came after",
            ProbeKind::Transcription => "a second of silence was heard within",
        };
        let first = ms(first);
        let says = format!("{what} {first:.0} ms");
        report.add(ProbeStep::FirstByte, ProbeVerdict::Fine, Some((first, "ms")), says);
        // What came all at once has no pace.
        let seconds = took.as_secs_f64();
        let pace = (count > 0 && seconds > 1e-4).then(|| f64::from(count) / seconds);
        match (self.kind, pace) {
            (ProbeKind::Transcription, _) => {}
            (_, None) => {
                let says = "the answer came in one piece".into();
                report.add(ProbeStep::Pace, ProbeVerdict::Unknown, None, says);
            }
            (ProbeKind::Chat, Some(pace)) => {
                let says = format!("{pace:.1} pieces of text a second");
                report.add(ProbeStep::Pace, ProbeVerdict::Fine, Some((pace, "pieces/s")), says);
            }
            (ProbeKind::Speech, Some(pace)) => {
                let pace = pace / SPEECH_BYTES;
                let verdict = if pace >= 1.0 { ProbeVerdict::Fine } else { ProbeVerdict::Bad };
                let says = format!("{pace:.1} s of audio a second, if it is 16 bits at 24000 Hz");
                report.add(ProbeStep::Pace, verdict, Some((pace, "s/s")), says);
            }
        }
        if self.kind == ProbeKind::Chat {
            self.quiets(open, page, before, report).await;
        }
    }

    /// Drops the answer, and waits until the server works on it no longer.
    async fn quiets(
        &self,
        open: Option<AnswerBody>,
        page: Option<BusyPage>,
        before: u64,
        report: &mut ProbeReport,
    ) {
        let unknown = |report: &mut ProbeReport, says: &str| {
            report.add(ProbeStep::Quiet, ProbeVerdict::Unknown, None, says.into());
        };
        let Some(page) = page else {
            let says = "the server has neither /slots (llama.cpp: start it with --slots) nor /metrics (vLLM) at its root: \
                        drop an answer (`curl -N`, then Ctrl-C) and see in its log or in the load of its device when it stops";
            return unknown(report, says);
        };
        let Some(open) = open else {
            return unknown(
                report,
                "the answer was over before it could be dropped; ask again, or a model that says more",
            );
        };
        let during = page.busy(&self.endpoint).await.unwrap_or(0);
        if during <= before {
            let says = format!(
                "{} shows {during} answers at work while one is made, and {before} before; is there a proxy in between, or \
                 somebody else at work?",
                page.path()
            );
            return unknown(report, &says);
        }
        drop(open);
        let dropped = Instant::now();
        while dropped.elapsed() < QUIET_MAX {
            if page.busy(&self.endpoint).await.is_some_and(|busy| busy <= before) {
                let ms = ms(dropped.elapsed());
                let says = format!("{} is quiet {ms:.1} ms after an answer was dropped", page.path());
                return report.add(ProbeStep::Quiet, ProbeVerdict::Fine, Some((ms, "ms")), says);
            }
            sleep(LOOK).await;
        }
        let says = format!(
            "{} is still busy {} ms after an answer was dropped: what is taken back goes on costing; is there a proxy in \
             between, or somebody else at work?",
            page.path(),
            QUIET_MAX.as_millis()
        );
        report.add(ProbeStep::Quiet, ProbeVerdict::Bad, None, says);
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
