//! What a scene says of a service in worker processes.

use std::path::{Path, PathBuf};

use mynah_engine::ron::error::{Error, Position, Span, SpannedError};
use mynah_engine::scene::parse_config;
use serde::Deserialize;

use crate::link::is_link_name;

/// Configuration of the service output `Worker`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Worker {
    /// What workers call the engine: 1 to 40 letters, digits, `_`, `.` or `-`. By default `mynah`, or a name of its own
    /// where the service starts its workers.
    pub engine: Option<String>,
    /// The program that workers run, and its arguments; `None`: workers are started by somebody else.
    pub command: Option<Vec<String>>,
    /// Workers that are started, 1 to 32.
    pub workers: u32,
    /// Calls that a worker gets at once, 1 to 64.
    pub parallel: u32,
    /// Rate of the audio that workers make, in Hz, 8000 to 192000; it is converted where the node speaks at another. By
    /// default the node's.
    pub speaks_hz: Option<u32>,
    /// Silence after which a worker counts as hung, 500 to 600000 ms.
    pub hung_ms: u32,
    /// Shortest and longest rest before a program that has ended is started again, ms: 1 to 600000.
    pub restart_ms: (u32, u32),
    /// Longest time that a call waits for a worker while there is none, 0 to 600000 ms; then it fails and says why.
    pub wait_ms: u32,
    /// Times that a call is tried at another worker when its worker has hung or died before it answered, 0 to 5.
    pub retries: u32,
    /// Prefix of all names of shared memory; by default that of `MYNAH_IPC_PREFIX`, or iceoryx2's own.
    pub prefix: Option<String>,
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            engine: None,
            command: None,
            workers: 1,
            parallel: 4,
            speaks_hz: None,
            hung_ms: 3_000,
            restart_ms: (100, 10_000),
            wait_ms: 5_000,
            retries: 1,
            prefix: None,
        }
    }
}

impl Worker {
    /// Reads a configuration, as it stands in a scene.
    ///
    /// # Errors
    /// Unknown fields, values out of range, an empty command, a program that is not found.
    pub fn parse(config: &str) -> Result<Self, SpannedError> {
        let worker: Self = parse_config(config)?;
        worker.check().map_err(|text| {
            let start = Position { line: 1, col: 1 };
            SpannedError { code: Error::Message(text), span: Span { start, end: start } }
        })?;
        Ok(worker)
    }

    /// Finds what is wrong.
    ///
    /// # Errors
    /// The field, its value, and what it may be.
    pub fn check(&self) -> Result<(), String> {
        if !cfg!(any(target_os = "linux", target_os = "macos", target_os = "windows", target_os = "freebsd"))
        {
            return Err("this platform has no shared memory for workers: use a service behind HTTP".into());
        }
        for (field, name) in [("engine", &self.engine), ("prefix", &self.prefix)] {
            if let Some(name) = name.as_ref().filter(|name| !is_link_name(name)) {
                return Err(format!("{field}: `{name}`: expected 1 to 40 letters, digits, `_`, `.` or `-`"));
            }
        }
        range("workers", self.workers, 1, 32)?;
        range("parallel", self.parallel, 1, 64)?;
        range("hung_ms", self.hung_ms, 500, 600_000)?;
        range("wait_ms", self.wait_ms, 0, 600_000)?;
        range("retries", self.retries, 0, 5)?;
        range("restart_ms.0", self.restart_ms.0, 1, 600_000)?;
        range("restart_ms.1", self.restart_ms.1, self.restart_ms.0, 600_000)?;
        if let Some(speaks_hz) = self.speaks_hz {
            range("speaks_hz", speaks_hz, 8_000, 192_000)?;
        }
        match self.command.as_deref() {
            None => Ok(()),
            Some([]) => Err("command: nothing to run; expected a program and its arguments, or no `command`".into()),
            Some([program, ..]) => found(program).map(drop).ok_or_else(|| {
                format!(
                    "command: the program `{program}` is not found; give its path, or put its folder into PATH ({})",
                    std::env::var("PATH").map_or("which is not set".into(), |path| format!("{} folders", std::env::split_paths(&path).count()))
                )
            }),
        }
    }
}

fn range(field: &str, found: u32, least: u32, most: u32) -> Result<(), String> {
    if (least..=most).contains(&found) {
        return Ok(());
    }
    Err(format!("{field}: {found} is out of range; expected {least} to {most}"))
}

/// Where a program is: its path, or the first folder of PATH that has it.
fn found(program: &str) -> Option<PathBuf> {
    let is_file = |path: &PathBuf| path.is_file() || (cfg!(windows) && path.with_extension("exe").is_file());
    let path = Path::new(program);
    if program.is_empty() {
        return None;
    }
    if path.components().count() > 1 || path.is_absolute() {
        return Some(path.to_owned()).filter(is_file);
    }
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(program)).find(is_file)
}
