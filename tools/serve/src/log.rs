//! What operators read: a line for each session that comes and goes, and for each phase. Never a word that was said, nor a
//! key.

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where lines go.
#[derive(Clone)]
pub struct Log(Arc<dyn Fn(&str) + Send + Sync>);

impl Default for Log {
    /// Nowhere.
    fn default() -> Self {
        Self::to(|_| {})
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Log")
    }
}

impl Log {
    /// Lines go to `sink`, without a line break.
    pub fn to(sink: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(sink))
    }

    /// One line in logfmt: `ts=SECONDS event=EVENT name=value ...`. Values with spaces, quotes, `=` or control characters
    /// are quoted.
    pub fn line(&self, event: &str, facts: &[(&str, &dyn fmt::Display)]) {
        let ms = unix_us() / 1_000;
        let mut line = format!("ts={}.{:03} event={event}", ms / 1_000, ms % 1_000);
        for (name, value) in facts {
            let value = value.to_string();
            let plain = !value.is_empty()
                && value.chars().all(|c| !c.is_control() && !matches!(c, ' ' | '"' | '=' | '\\'));
            let written =
                if plain { write!(line, " {name}={value}") } else { write!(line, " {name}={value:?}") };
            written.expect("a string takes everything");
        }
        (self.0)(&line);
    }
}

/// Microseconds since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "a server tells the time of the world")]
pub(crate) fn unix_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn values_cannot_break_a_line() {
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let sink = Arc::clone(&lines);
        let log = Log::to(move |line| sink.lock().expect("no panic").push(line.into()));
        log.line("session_opened", &[("session", &"a\nb c"), ("scene", &"assistant"), ("ms", &12)]);
        let lines = lines.lock().expect("no panic");
        let (ts, rest) = lines[0].split_once(" event=").expect("it has an event");
        assert!(ts.starts_with("ts=") && ts.contains('.'), "{ts}");
        assert_eq!(rest, r#"session_opened session="a\nb c" scene=assistant ms=12"#);
    }
}
