//! A call as a service asks it, wherever it waits.

use std::sync::Arc;

use mynah_engine::media::Sound;
use mynah_engine::serde_json;
use mynah_engine::speech::HistoryEntry;
use mynah_systems::service::AnswerWriter;

use crate::wire::{
    AudioPart, CallWords, CodecError, Envelope, PAYLOAD_BYTES_MAX, SampleFormat, ToWorker, encode_audio,
    encode_control,
};

/// A call that somebody waits for.
pub(crate) struct Asked {
    /// Its name between the tick and this crate.
    pub(crate) ticket: u64,
    pub(crate) session: Arc<str>,
    /// Attempts of the engine before this.
    pub(crate) attempt: u32,
    /// What is asked; `call`, `parts` and `attempt` are set when it is given to a worker.
    pub(crate) words: CallWords,
    /// Rate of the node's audio, Hz; the worker's may be another.
    pub(crate) node_hz: u32,
    pub(crate) audio: Option<Sound>,
    pub(crate) writer: AnswerWriter,
    /// Since when it waits.
    pub(crate) since_us: u64,
    /// Workers that it was taken from.
    pub(crate) tries: u32,
    /// The last worker that it was taken from, and why.
    pub(crate) taken: Option<(u64, String)>,
}

/// A call as messages.
pub(crate) struct CallBytes {
    pub(crate) control: Arc<[u8]>,
    pub(crate) audio: Vec<Arc<[u8]>>,
}

impl Asked {
    /// Rate of the answer's audio, if it is audio.
    pub(crate) fn speaks_hz(&self) -> Option<u32> {
        self.words.speaks.map(|_| self.node_hz)
    }

    /// The call as messages, with the number `call`. What is too long of its history goes, oldest first.
    pub(crate) fn encode(
        &mut self,
        call: u64,
        message_id: u64,
        timestamp: u64,
    ) -> Result<CallBytes, CodecError> {
        let audio = self.audio_parts(call)?;
        self.words.call = call;
        self.words.attempt = self.attempt + self.tries;
        self.words.parts = u32::try_from(audio.len()).unwrap_or(u32::MAX);
        let mut envelope = Envelope {
            message_id,
            session_id: self.session.to_string(),
            timestamp,
            message_type: ToWorker::Call(Box::new(self.words.clone())),
        };
        loop {
            match encode_control(&envelope) {
                Ok(bytes) => return Ok(CallBytes { control: bytes.into(), audio }),
                Err(error @ CodecError::Limit { part: "payload", found, .. }) => {
                    let ToWorker::Call(words) = &mut envelope.message_type else { return Err(error) };
                    if !cut(&mut words.history, found - PAYLOAD_BYTES_MAX) {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn audio_parts(&self, call: u64) -> Result<Vec<Arc<[u8]>>, CodecError> {
        let Some(sound) = &self.audio else { return Ok(Vec::new()) };
        let channels = u16::from(sound.format.channels).max(1);
        let rate_hz = sound.format.rate_hz;
        let frames_max = AudioPart::frames_max(channels, SampleFormat::F32);
        let samples: Vec<f32> = sound.samples().collect();
        let mut parts = samples.chunks(frames_max * usize::from(channels)).peekable();
        let (mut out, mut frames) = (Vec::new(), 0_u64);
        while let Some(samples) = parts.next() {
            let from_us = self.words.from_us + frames * 1_000_000 / u64::from(rate_hz.max(1));
            frames += (samples.len() / usize::from(channels)) as u64;
            let part = u32::try_from(out.len()).unwrap_or(u32::MAX);
            let last = parts.peek().is_none();
            let samples = samples.to_vec();
            let audio = AudioPart { call, part, from_us, rate_hz, channels, last, samples };
            out.push(encode_audio(&self.session, &audio, SampleFormat::F32)?.into());
        }
        Ok(out)
    }
}

/// Takes the oldest entries away until at least `over` bytes of JSON are gone; a tool call goes with its result. False if
/// there was none.
fn cut(history: &mut Vec<HistoryEntry>, over: usize) -> bool {
    let bytes = |entry: &HistoryEntry| serde_json::to_vec(entry).map_or(0, |json| json.len());
    let (mut gone, mut is_cut) = (0, false);
    while gone < over && !history.is_empty() {
        let entry = history.remove(0);
        is_cut = true;
        gone += bytes(&entry);
        let HistoryEntry::ToolCall { call_id, .. } = &entry else { continue };
        let is_its = |entry: &HistoryEntry| matches!(entry, HistoryEntry::ToolResult { call_id: of, .. } if of == call_id);
        if let Some(at) = history.iter().position(is_its) {
            gone += bytes(&history.remove(at));
        }
    }
    is_cut
}
