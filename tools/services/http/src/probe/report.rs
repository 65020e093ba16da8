//! What is asked of a probe, and what it has found out.

use serde::Serialize;

/// Which service of a server is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeKind {
    /// Chat completions.
    #[default]
    Chat,
    /// A voice.
    Speech,
    /// A recogniser.
    Transcription,
}

/// What to find out about.
#[derive(Clone, Debug, Default)]
pub struct Probe {
    /// The server's address as scenes have it, such as `http://127.0.0.1:8000/v1`.
    pub url: String,
    /// The model; `None`: the first that the server lists.
    pub model: Option<String>,
    /// The environment variable that has the key; `None`: the server wants none.
    pub key_env: Option<String>,
    /// Which service.
    pub kind: ProbeKind,
    /// The voice of a [`ProbeKind::Speech`]; `None`: `alloy`.
    pub voice: Option<String>,
}

/// One thing to find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeStep {
    /// Whether it can be asked at all.
    Asking,
    /// Whether there is a server: time until there is a connection, without TLS.
    Reachable,
    /// Which models it lists, and whether the one that is asked for is among them.
    Models,
    /// Time until the first piece of an answer.
    FirstByte,
    /// Pieces of text a second once it answers; of a voice, seconds of audio a second.
    Pace,
    /// Time from dropping an answer in the making until the server works on it no longer.
    Quiet,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeVerdict {
    /// As it should be.
    Fine,
    /// Not as it should be: a service there would not do its work.
    Bad,
    /// It could not be found out.
    Unknown,
}

/// What was found out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProbeRow {
    /// About what.
    pub step: ProbeStep,
    /// How it ended.
    pub verdict: ProbeVerdict,
    /// The figure, if there is one.
    pub value: Option<f64>,
    /// Its unit: `ms`, `pieces/s`, `s/s` or nothing.
    pub unit: &'static str,
    /// The same in words, with what helps.
    pub says: String,
}

/// All that was found out about a server.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProbeReport {
    /// Its address.
    pub url: String,
    /// Which service was asked.
    pub kind: ProbeKind,
    /// The model that was asked, if one is known.
    pub model: Option<String>,
    /// Step by step. Steps that cannot be taken are left out.
    pub rows: Vec<ProbeRow>,
}

impl ProbeReport {
    /// Whether nothing is bad.
    pub fn is_fine(&self) -> bool {
        self.rows.iter().all(|row| row.verdict != ProbeVerdict::Bad)
    }

    pub(crate) fn add(
        &mut self,
        step: ProbeStep,
        verdict: ProbeVerdict,
        value: Option<(f64, &'static str)>,
        says: String,
    ) {
        let (value, unit) = value.unzip();
        self.rows.push(ProbeRow { step, verdict, value, unit: unit.unwrap_or(""), says });
    }
}
