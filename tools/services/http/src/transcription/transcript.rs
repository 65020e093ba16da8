//! What a recogniser has heard, from its events or its one answer. No socket, no time.

use serde::Deserialize;
use serde_json::Value;

use crate::refusal::error_in;

/// Most bytes of one transcript.
const TEXT_BYTES_MAX: usize = 64 << 10;
/// What whisper.cpp says of silence.
const BLANK: &str = "[BLANK_AUDIO]";

/// An event, or a whole answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Told {
    #[serde(rename = "type")]
    kind: Option<String>,
    delta: Option<String>,
    text: Option<String>,
    error: Option<Value>,
}

/// A transcript so far.
#[derive(Debug, Default)]
pub(crate) struct Transcript {
    so_far: String,
    whole: Option<String>,
    is_done: bool,
}

impl Transcript {
    /// Takes the data of the next event; true if more was heard.
    ///
    /// # Errors
    /// It is none, reports an error, or there is too much of it.
    pub(crate) fn take(&mut self, data: &str) -> Result<bool, String> {
        let data = data.trim();
        if self.is_done || data.is_empty() {
            return Ok(false);
        }
        if data == "[DONE]" {
            self.is_done = true;
            return Ok(false);
        }
        let told = read(data.as_bytes())?;
        match told.kind.as_deref() {
            Some("transcript.text.delta") => {
                self.so_far.push_str(&told.delta.unwrap_or_default());
                if self.so_far.len() > TEXT_BYTES_MAX {
                    return Err(format!("the transcript has more than {TEXT_BYTES_MAX} bytes"));
                }
                Ok(true)
            }
            Some("transcript.text.done") => {
                (self.whole, self.is_done) = (Some(told.text.unwrap_or_else(|| self.so_far.clone())), true);
                Ok(false)
            }
            // Other events are of no use here.
            _ => Ok(false),
        }
    }

    /// What was heard so far.
    pub(crate) fn so_far(&self) -> &str {
        &self.so_far
    }

    /// Whether nothing follows.
    pub(crate) fn is_done(&self) -> bool {
        self.is_done
    }

    /// The whole transcript.
    ///
    /// # Errors
    /// It has not come.
    pub(crate) fn end(self) -> Result<String, String> {
        self.whole.ok_or_else(|| "the server ended the transcript early".into())
    }
}

fn read(json: &[u8]) -> Result<Told, String> {
    let told: Told = serde_json::from_slice(json).map_err(|cause| {
        format!("the server sent what is no transcript ({cause}): {}", String::from_utf8_lossy(json))
    })?;
    let is_error = told.kind.as_deref() == Some("error");
    match told.error {
        Some(error) if !error.is_null() => {
            let said = error_in(&serde_json::json!({ "error": error })).unwrap_or_default();
            Err(format!("the server reports an error: {said}"))
        }
        _ if is_error => Err("the server reports an error".into()),
        _ => Ok(told),
    }
}

/// The transcript in an answer that came at once.
///
/// # Errors
/// It is none.
pub(crate) fn whole(json: &[u8]) -> Result<String, String> {
    let text = read(json)?
        .text
        .ok_or_else(|| format!("the server sent no `text` but: {}", String::from_utf8_lossy(json)))?;
    if text.len() > TEXT_BYTES_MAX {
        return Err(format!("the transcript has more than {TEXT_BYTES_MAX} bytes"));
    }
    Ok(text)
}

/// The words of a transcript; where nothing was said there are none.
pub(crate) fn words(text: &str) -> &str {
    let text = text.trim();
    if text == BLANK { "" } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_make_one_transcript() {
        let mut transcript = Transcript::default();
        for (data, more) in [
            (r#"{"type":"transcript.text.delta","delta":"My or"}"#, true),
            (r#"{"type":"transcript.text.segment","text":"x"}"#, false),
            (r#"{"type":"transcript.text.delta","delta":"der"}"#, true),
            (r#"{"type":"transcript.text.done","text":"My order."}"#, false),
            ("nothing follows", false),
        ] {
            assert_eq!(transcript.take(data), Ok(more), "{data}");
        }
        assert_eq!((transcript.so_far(), transcript.is_done()), ("My order", true));
        assert_eq!(transcript.end(), Ok("My order.".into()));
    }

    #[test]
    fn what_is_no_transcript_says_what_it_is() {
        let cases: [(&str, &str); 5] = [
            (r#"{"error":"failed to decode"}"#, "error: failed to decode"),
            (r#"{"error":{"message":"too short"}}"#, "error: too short"),
            (r#"{"words":[]}"#, "no `text` but"),
            ("[1]", "no transcript"),
            ("<html>", "no transcript"),
        ];
        for (json, wanted) in cases {
            let wrong = whole(json.as_bytes()).unwrap_err();
            assert!(wrong.contains(wanted), "{json}: {wrong}");
        }
        assert!(Transcript::default().end().unwrap_err().contains("early"));
    }

    #[test]
    fn silence_has_no_words() {
        assert_eq!(["", "  \n", " [BLANK_AUDIO]\n", " Hi. "].map(words), ["", "", "", "Hi."]);
    }
}
