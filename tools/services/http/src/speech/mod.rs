//! `Speech`: a voice behind `POST {url}/audio/speech`, heard while it is made.

mod pcm;
mod wav_head;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::Method;
use mynah_engine::Registry;
use mynah_engine::scene::{Format, parse_config};
use mynah_engine::service::{Call, Service, ServiceKind, ServiceSite, ServiceWaker, SessionKey, SessionRef};
use mynah_systems::service::{Modelled, OutsideAnswer, Production};
use serde::{Deserialize, Serialize};

use crate::address::ServerUrl;
use crate::body::ContentType;
use crate::endpoint::{Endpoint, Outgoing};
use crate::errand::{Errand, Work, begin};
use crate::key::ServiceKey;
use crate::limits::{self, CallLimits, NAME_CHARS_MAX, PROMPT_CHARS_MAX, named, parallel, within};
use pcm::{PcmStream, Resampled};

/// Configuration of the service output `Speech`, as scenes have it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    url: String,
    model: String,
    voice: String,
    #[serde(default)]
    key_env: Option<String>,
    #[serde(default = "rate_hz")]
    rate_hz: u32,
    #[serde(default)]
    instructions: Option<String>,
    #[serde(default)]
    speed: Option<f32>,
    #[serde(default = "limits::connect_ms")]
    connect_ms: u32,
    #[serde(default = "limits::first_byte_ms")]
    first_byte_ms: u32,
    #[serde(default = "limits::idle_ms")]
    idle_ms: u32,
    #[serde(default = "limits::call_ms")]
    call_ms: u32,
    #[serde(default = "parallel_calls")]
    parallel: u32,
}

/// What OpenAI's voices send.
fn rate_hz() -> u32 {
    24_000
}
fn parallel_calls() -> u32 {
    8
}

/// What all calls of a service ask for.
#[derive(Debug)]
struct Wanted {
    model: String,
    voice: String,
    rate_hz: u32,
    instructions: Option<String>,
    speed: Option<f32>,
}

/// The service output `Speech`: a voice behind an OpenAI-compatible server. A session's own `voice`, a text among its
/// parameters, replaces the scene's.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Config")]
pub struct HttpSpeech {
    url: ServerUrl,
    key: Option<ServiceKey>,
    limits: CallLimits,
    parallel: usize,
    wanted: Arc<Wanted>,
}

impl TryFrom<Config> for HttpSpeech {
    type Error = String;

    fn try_from(config: Config) -> Result<Self, String> {
        named("model", &config.model, NAME_CHARS_MAX)?;
        named("voice", &config.voice, NAME_CHARS_MAX)?;
        within("rate_hz", config.rate_hz, &(8_000..=192_000))?;
        if let Some(speed) = config.speed {
            within("speed", speed, &(0.25..=4.0))?;
        }
        if let Some(instructions) = &config.instructions {
            within("characters of instructions", instructions.chars().count(), &(0..=PROMPT_CHARS_MAX))?;
        }
        let Config { connect_ms, first_byte_ms, idle_ms, call_ms, .. } = config;
        let Config { model, voice, rate_hz, instructions, speed, .. } = config;
        Ok(Self {
            url: ServerUrl::parse(&config.url)?,
            key: config.key_env.as_deref().map(ServiceKey::from_env).transpose()?,
            limits: CallLimits::new(connect_ms, first_byte_ms, idle_ms, call_ms)?,
            parallel: parallel(config.parallel)?,
            wanted: Arc::new(Wanted { model, voice, rate_hz, instructions, speed }),
        })
    }
}

/// The service at work.
struct Voices {
    endpoint: Result<Arc<Endpoint>, Arc<str>>,
    wanted: Arc<Wanted>,
    parallel: usize,
    waker: ServiceWaker,
    /// The rate that each session's answers must have.
    rates: Mutex<BTreeMap<SessionKey, u32>>,
}

impl Voices {
    fn rates(&self) -> MutexGuard<'_, BTreeMap<SessionKey, u32>> {
        // Nothing is left half done under this lock.
        self.rates.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Production for Voices {
    fn wanted_at_once(&self) -> usize {
        self.parallel
    }

    fn open(&self, session: &SessionRef) {
        if let Some(Format { rate_hz, .. }) = session.speaks {
            self.rates().insert(session.key, rate_hz);
        }
    }

    fn close(&self, session: SessionKey) {
        self.rates().remove(&session);
    }

    fn work(&self, call: &Call) -> mynah_systems::service::Work {
        use mynah_systems::service::Work;
        let endpoint = match &self.endpoint {
            Ok(endpoint) => Arc::clone(endpoint),
            Err(why) => return Work::Failure(Arc::clone(why)),
        };
        let Some(to_hz) = self.rates().get(&call.key.of()).copied() else {
            return Work::Failure(
                "`Speech` speaks, and its node has no audio to send; set `task: Synthesize`".into(),
            );
        };
        let (writer, answer) = OutsideAnswer::begin(to_hz, &self.waker);
        let own = call.params.text("voice").filter(|voice| named("voice", voice, NAME_CHARS_MAX).is_ok());
        let voice = own.map(Arc::from);
        let text = Arc::clone(&call.text);
        let times = endpoint.times(Some(call));
        begin(writer, times, Utterance { endpoint, wanted: Arc::clone(&self.wanted), text, voice, to_hz });
        Work::Outside(answer)
    }
}

/// The body of a request.
#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    voice: &'a str,
    input: &'a str,
    response_format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speed: Option<f32>,
}

/// One text to be spoken.
struct Utterance {
    endpoint: Arc<Endpoint>,
    wanted: Arc<Wanted>,
    text: Arc<str>,
    /// In place of the scene's.
    voice: Option<Arc<str>>,
    to_hz: u32,
}

impl Work for Utterance {
    async fn run(self, errand: &Errand) -> Result<(), String> {
        if self.text.trim().is_empty() {
            return Ok(());
        }
        let to = self.endpoint.url.with("/audio/speech")?;
        let body = Body {
            model: &self.wanted.model,
            voice: self.voice.as_deref().unwrap_or(&self.wanted.voice),
            input: &self.text,
            response_format: "pcm",
            instructions: self.wanted.instructions.as_deref(),
            speed: self.wanted.speed,
        };
        let body =
            serde_json::to_vec(&body).map_err(|cause| format!("the request cannot be written: {cause}"))?;
        let outgoing = Outgoing {
            to: to.clone(),
            method: Method::POST,
            content_type: "application/json".into(),
            accept: "*/*",
            body: body.into(),
        };
        self.hear(errand, &outgoing).await
    }
}

impl Utterance {
    async fn hear(&self, errand: &Errand, outgoing: &Outgoing) -> Result<(), String> {
        let named = |why: String| format!("{}: {why}", outgoing.to);
        let mut answer = self.endpoint.ask(errand, outgoing).await?;
        match answer.content_type {
            ContentType::Json | ContentType::Html | ContentType::Text | ContentType::Events => {
                return Err(named(answer.odd("audio", errand).await));
            }
            ContentType::CodedAudio => {
                return Err(named(format!("the server sends coded audio: {}", wav_head::REMEDY)));
            }
            ContentType::Other => {}
        }
        let (mut stream, mut samples) = (PcmStream::new(self.wanted.rate_hz), Vec::new());
        let mut resampled = Resampled::new(self.to_hz);
        let mut said = |samples: &[f32]| errand.writer.audio(samples);
        while let Some(bytes) = answer.next(errand).await.map_err(named)? {
            stream.push(&bytes, &mut samples).map_err(named)?;
            if let Some(from_hz) = stream.rate_hz() {
                resampled.push(from_hz, &samples, &mut said).map_err(named)?;
            }
            samples.clear();
        }
        stream.finish().map_err(named)?;
        resampled.finish(&mut said);
        Ok(())
    }
}

impl ServiceKind for HttpSpeech {
    fn start(&self, site: ServiceSite<'_>) -> Box<dyn Service> {
        let voices = Voices {
            endpoint: Endpoint::shared(&self.url, self.key.as_ref(), self.limits, self.parallel),
            wanted: Arc::clone(&self.wanted),
            parallel: self.parallel,
            waker: site.waker.clone(),
            rates: Mutex::default(),
        };
        Box::new(Modelled::new(site, Box::new(voices)))
    }
    fn modelled(&self) -> bool {
        false
    }
    fn keeps_timing(&self) -> bool {
        true
    }
    fn is_outside(&self) -> bool {
        true
    }
    fn kind(&self) -> &'static str {
        "Speech"
    }
}

pub(crate) fn register(registry: &mut Registry) {
    registry.add_service("Speech", |config| Ok(Arc::new(parse_config::<HttpSpeech>(config)?)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_voice_could_take_is_refused_with_value_and_remedy() {
        let cases = [
            (r#"(url: "http://h/v1", model: "m", voice: "")"#, "`voice` is empty"),
            (
                r#"(url: "http://h/v1", model: "m", voice: "v", rate_hz: 100)"#,
                "`rate_hz` is 100; expected 8000 to 192000",
            ),
            (r#"(url: "http://h/v1", model: "m", voice: "v", speed: 9)"#, "`speed` is 9; expected 0.25 to 4"),
            (r#"(url: "http://h/v1", model: "m", voice: "v", parallel: 2000)"#, "`parallel` is 2000"),
        ];
        for (config, wanted) in cases {
            let refused = parse_config::<HttpSpeech>(config).expect_err(config).to_string();
            assert!(refused.contains(wanted), "{config}: {refused}");
        }
        assert!(parse_config::<HttpSpeech>(r#"(url: "http://h/v1", model: "m", voice: "v")"#).is_ok());
    }
}
