//! `Transcription`: a recogniser behind `POST {url}/audio/transcriptions`.

mod form;
mod transcript;

use std::sync::Arc;

use hyper::Method;
use mynah_engine::Registry;
use mynah_engine::media::Sound;
use mynah_engine::scene::parse_config;
use mynah_engine::service::{Call, Service, ServiceKind, ServiceSite, ServiceWaker};
use mynah_systems::service::{Modelled, OutsideAnswer, OutsidePart, Production};
use serde::Deserialize;

use crate::address::ServerUrl;
use crate::body::{AnswerBody, ContentType};
use crate::endpoint::{Endpoint, Outgoing};
use crate::errand::{Errand, Work, begin};
use crate::key::ServiceKey;
use crate::limits::{self, CallLimits, NAME_CHARS_MAX, PROMPT_CHARS_MAX, named, parallel, within};
use crate::sse::SseStream;
pub(crate) use form::Form;
pub(crate) use transcript::whole;
use transcript::{Transcript, words};

/// Configuration of the service output `Transcription`, as scenes have it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    url: String,
    model: String,
    #[serde(default)]
    key_env: Option<String>,
    #[serde(default = "path")]
    path: String,
    #[serde(default)]
    language: Option<String>,
    #[serde(default)]
    prompt: Option<String>,
    #[serde(default = "stream")]
    stream: bool,
    #[serde(default = "limits::connect_ms")]
    connect_ms: u32,
    #[serde(default = "first_byte_ms")]
    first_byte_ms: u32,
    #[serde(default = "limits::idle_ms")]
    idle_ms: u32,
    #[serde(default = "limits::call_ms")]
    call_ms: u32,
    #[serde(default = "parallel_calls")]
    parallel: u32,
}

fn path() -> String {
    "/audio/transcriptions".into()
}
fn stream() -> bool {
    true
}
/// Most recognisers send nothing before they have heard all.
fn first_byte_ms() -> u32 {
    10_000
}
fn parallel_calls() -> u32 {
    8
}

/// What all calls of a service ask for.
#[derive(Debug)]
struct Wanted {
    model: String,
    path: String,
    language: Option<String>,
    prompt: Option<String>,
    stream: bool,
}

/// The service output `Transcription`: a recogniser behind a server that is compatible with OpenAI's, or with that of
/// whisper.cpp.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Config")]
pub struct HttpTranscription {
    url: ServerUrl,
    key: Option<ServiceKey>,
    limits: CallLimits,
    parallel: usize,
    wanted: Arc<Wanted>,
}

impl TryFrom<Config> for HttpTranscription {
    type Error = String;

    fn try_from(config: Config) -> Result<Self, String> {
        named("model", &config.model, NAME_CHARS_MAX)?;
        if let Some(language) = &config.language {
            named("language", language, 20)?;
        }
        if let Some(prompt) = &config.prompt {
            within("characters of prompt", prompt.chars().count(), &(0..=PROMPT_CHARS_MAX))?;
        }
        let url = ServerUrl::parse(&config.url)?;
        if !config.path.starts_with('/') || config.path.contains(['?', '#']) {
            return Err(format!(
                "`path` is {:?}; expected one such as /audio/transcriptions or /inference",
                config.path
            ));
        }
        url.with(&config.path)?;
        let Config { connect_ms, first_byte_ms, idle_ms, call_ms, .. } = config;
        let Config { model, path, language, prompt, stream, .. } = config;
        Ok(Self {
            url,
            key: config.key_env.as_deref().map(ServiceKey::from_env).transpose()?,
            limits: CallLimits::new(connect_ms, first_byte_ms, idle_ms, call_ms)?,
            parallel: parallel(config.parallel)?,
            wanted: Arc::new(Wanted { model, path, language, prompt, stream }),
        })
    }
}

/// The service at work.
struct Recognisers {
    endpoint: Result<Arc<Endpoint>, Arc<str>>,
    wanted: Arc<Wanted>,
    parallel: usize,
    waker: ServiceWaker,
}

impl Production for Recognisers {
    fn wants_audio(&self) -> bool {
        true
    }

    fn wanted_at_once(&self) -> usize {
        self.parallel
    }

    fn work(&self, call: &Call) -> mynah_systems::service::Work {
        use mynah_systems::service::Work;
        let endpoint = match &self.endpoint {
            Ok(endpoint) => Arc::clone(endpoint),
            Err(why) => return Work::Failure(Arc::clone(why)),
        };
        // No audio comes of it: the rate is of nothing.
        let (writer, answer) = OutsideAnswer::begin(16_000, &self.waker);
        let times = endpoint.times(Some(call));
        begin(
            writer,
            times,
            Listening { endpoint, wanted: Arc::clone(&self.wanted), sound: call.audio.clone() },
        );
        Work::Outside(answer)
    }
}

/// One recording to be heard.
struct Listening {
    endpoint: Arc<Endpoint>,
    wanted: Arc<Wanted>,
    sound: Option<Sound>,
}

impl Work for Listening {
    async fn run(self, errand: &Errand) -> Result<(), String> {
        let Some(sound) = self.sound.as_ref().filter(|sound| sound.frames() > 0) else { return Ok(()) };
        let Wanted { model, path, language, prompt, stream } = &*self.wanted;
        let mut form = Form::of(sound)?;
        form.field("model", model);
        form.field("response_format", "json");
        if let Some(language) = language {
            form.field("language", language);
        }
        if let Some(prompt) = prompt {
            form.field("prompt", prompt);
        }
        if *stream {
            form.field("stream", "true");
        }
        let (content_type, body) = form.finish();
        let to = self.endpoint.url.with(path)?;
        let (method, accept) = (Method::POST, "text/event-stream, application/json");
        let outgoing = Outgoing { to: to.clone(), method, content_type, accept, body: body.into() };
        let answer = self.endpoint.ask(errand, &outgoing).await?;
        let text = self.hear(errand, answer).await.map_err(|why| format!("{to}: {why}"))?;
        errand.writer.text(words(&text));
        Ok(())
    }
}

impl Listening {
    /// The whole transcript; what is heard before it is told on the way.
    async fn hear(&self, errand: &Errand, mut answer: AnswerBody) -> Result<String, String> {
        match answer.content_type {
            ContentType::Events => {}
            ContentType::Json | ContentType::Other => {
                let bytes = answer.whole(errand).await?;
                return whole(&bytes).map_err(|why| self.endpoint.quoted(&why));
            }
            ContentType::Text => {
                let whole = answer.whole(errand).await?;
                return Ok(String::from_utf8_lossy(&whole).into_owned());
            }
            ContentType::Html | ContentType::CodedAudio => {
                return Err(answer.odd("transcript", errand).await);
            }
        }
        let (mut events, mut transcript) = (SseStream::default(), Transcript::default());
        while !transcript.is_done() {
            let bytes = answer.next(errand).await?;
            let pushed = match &bytes {
                Some(bytes) => events.push(bytes),
                None => events.finish(),
            };
            let mut has_more = false;
            while let Some(event) = events.next() {
                has_more |= transcript.take(&event.data).map_err(|why| self.endpoint.quoted(&why))?;
            }
            if has_more && !words(transcript.so_far()).is_empty() {
                errand.writer.part(OutsidePart::Partial(words(transcript.so_far()).into()));
            }
            pushed.map_err(|why| why.to_string())?;
            if bytes.is_none() {
                return transcript.end();
            }
        }
        let text = transcript.end()?;
        answer.finish(errand).await;
        Ok(text)
    }
}

impl ServiceKind for HttpTranscription {
    fn start(&self, site: ServiceSite<'_>) -> Box<dyn Service> {
        let recognisers = Recognisers {
            endpoint: Endpoint::shared(&self.url, self.key.as_ref(), self.limits, self.parallel),
            wanted: Arc::clone(&self.wanted),
            parallel: self.parallel,
            waker: site.waker.clone(),
        };
        Box::new(Modelled::new(site, Box::new(recognisers)))
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
        "Transcription"
    }
}

pub(crate) fn register(registry: &mut Registry) {
    registry.add_service("Transcription", |config| Ok(Arc::new(parse_config::<HttpTranscription>(config)?)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_recogniser_could_take_is_refused_with_value_and_remedy() {
        let cases = [
            (r#"(url: "http://h/v1", model: "")"#, "`model` is empty"),
            (r#"(url: "http://h", model: "m", path: "inference")"#, "`path` is \"inference\"; expected"),
            (r#"(url: "http://h", model: "m", path: "/a b")"#, "is no address"),
            (r#"(url: "http://h", model: "m", language: "")"#, "`language` is empty"),
            (r#"(url: "http://h", model: "m", first_byte_ms: 700000)"#, "`first_byte_ms` is 700000"),
        ];
        for (config, wanted) in cases {
            let refused = parse_config::<HttpTranscription>(config).expect_err(config).to_string();
            assert!(refused.contains(wanted), "{config}: {refused}");
        }
        let fine = r#"(url: "http://h", model: "m", path: "/inference", language: "de", stream: false)"#;
        assert!(parse_config::<HttpTranscription>(fine).is_ok());
    }
}
