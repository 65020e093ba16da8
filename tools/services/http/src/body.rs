//! The body of an answer, as it comes.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};

use crate::errand::{Errand, Overdue};
use crate::limits::CallLimits;
use crate::quote::Quoting;
use crate::refusal::{error_in, message};

/// Most bytes of one answer.
const BYTES_MAX: usize = 64 << 20;
/// Most bytes of an answer that is read whole.
const WHOLE_BYTES_MAX: usize = 1 << 20;
/// How long what follows the last event is waited for, so that the connection can be used again.
const REST: Duration = Duration::from_millis(200);

/// What an answer claims to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContentType {
    /// A stream of events.
    Events,
    /// JSON.
    Json,
    /// A page for people.
    Html,
    /// Audio in a coded form.
    CodedAudio,
    /// Other text.
    Text,
    /// Anything else.
    Other,
}

impl ContentType {
    fn of(content_type: Option<&str>) -> Self {
        let whole = content_type.unwrap_or("").to_ascii_lowercase();
        match whole.split(';').next().unwrap_or("").trim() {
            "text/event-stream" => Self::Events,
            "application/json" => Self::Json,
            "text/html" => Self::Html,
            "audio/mpeg" | "audio/mp3" | "audio/ogg" | "audio/opus" | "audio/flac" | "audio/aac"
            | "audio/webm" | "audio/mp4" => Self::CodedAudio,
            text if text.starts_with("text/") => Self::Text,
            json if json.ends_with("+json") => Self::Json,
            _ => Self::Other,
        }
    }
}

/// An answer that has begun.
pub(crate) struct AnswerBody {
    body: Incoming,
    /// What it claims to be.
    pub(crate) content_type: ContentType,
    /// When its first byte must be there; `None`: it was.
    first_by: Option<Instant>,
    bytes: usize,
    limits: CallLimits,
    quoting: Quoting,
    /// Its place among the requests under way.
    _place: Option<OwnedSemaphorePermit>,
}

impl AnswerBody {
    pub(crate) fn new(
        body: Incoming,
        content_type: Option<&str>,
        first_by: Instant,
        limits: CallLimits,
        quoting: Quoting,
    ) -> Self {
        let content_type = ContentType::of(content_type);
        Self { body, content_type, first_by: Some(first_by), bytes: 0, limits, quoting, _place: None }
    }

    /// The same, with the place that it takes.
    pub(crate) fn at(self, place: OwnedSemaphorePermit) -> Self {
        Self { _place: Some(place), ..self }
    }

    /// The next bytes; `None`: that was all.
    ///
    /// # Errors
    /// Too late, too much, or the connection broke off.
    pub(crate) async fn next(&mut self, errand: &Errand) -> Result<Option<Bytes>, String> {
        let limits = self.limits;
        loop {
            let by = self.first_by.unwrap_or_else(|| Instant::now() + limits.idle);
            let frame = errand.within(Some(by), self.body.frame()).await;
            let frame = frame.map_err(|overdue| match (overdue, self.first_by) {
                (Overdue::Call, _) => {
                    format!("the answer took longer than `call_ms`, {} ms", limits.call.as_millis())
                }
                (Overdue::Step, Some(_)) => limits.no_first_byte(),
                (Overdue::Step, None) => format!(
                    "the server was silent for `idle_ms`, {} ms, in the middle of its answer",
                    limits.idle.as_millis()
                ),
            })?;
            let Some(frame) = frame else {
                errand.has_read_all();
                return Ok(None);
            };
            let frame = frame.map_err(|cause| {
                format!("the server ended the answer early: {}", self.quoting.causes(&cause))
            })?;
            let Ok(bytes) = frame.into_data() else { continue };
            if bytes.is_empty() {
                continue;
            }
            self.first_by = None;
            self.bytes += bytes.len();
            if self.bytes > BYTES_MAX {
                return Err(format!("the answer has more than {BYTES_MAX} bytes"));
            }
            return Ok(Some(bytes));
        }
    }

    /// All that is left.
    ///
    /// # Errors
    /// As for [`next`](Self::next).
    pub(crate) async fn whole(&mut self, errand: &Errand) -> Result<Vec<u8>, String> {
        let mut whole = Vec::new();
        while let Some(bytes) = self.next(errand).await? {
            if whole.len() + bytes.len() > WHOLE_BYTES_MAX {
                return Err(format!("the answer has more than {WHOLE_BYTES_MAX} bytes"));
            }
            whole.extend_from_slice(&bytes);
        }
        Ok(whole)
    }

    /// What is wrong with an answer that should have been something else, by what it says.
    pub(crate) async fn odd(&mut self, wanted: &str, errand: &Errand) -> String {
        let whole = match self.whole(errand).await {
            Ok(whole) => whole,
            Err(why) => return why,
        };
        let error = serde_json::from_slice(&whole).ok().and_then(|value| error_in(&value));
        match (error, self.content_type) {
            (Some(error), _) => format!("the server reports an error: {}", self.quoting.quoted(&error)),
            (None, ContentType::Html) => {
                format!("the server sent a page in place of {wanted}; see `url` (most end with /v1)")
            }
            (None, _) => {
                let said = message(&whole).unwrap_or_default();
                format!("the server sent no {wanted} but: {}", self.quoting.quoted(&said))
            }
        }
    }

    /// Reads what follows the last event, so that the connection can be used again; not for long, and no more than a bit.
    pub(crate) async fn finish(mut self, errand: &Errand) {
        let rest = async {
            while let Some(Ok(frame)) = self.body.frame().await {
                self.bytes += frame.data_ref().map_or(0, Bytes::len);
                if self.bytes > BYTES_MAX {
                    return;
                }
            }
            errand.has_read_all();
        };
        let _or_it_is_closed = timeout(REST, rest).await;
    }
}
