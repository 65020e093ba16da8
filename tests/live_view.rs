//! The live view is there for people who look, goes when it is over, and is nowhere else.

#[path = "support/given.rs"]
mod given;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use given::Skip;
use mynah_sim::clock::Epoch;

const MYNAH: &str = env!("CARGO_BIN_EXE_mynah");
const COLUMNS: usize = 80;
const SIMULATE: &str = "simulate voice_assistant --sessions 20 --duration 20s";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).to_path_buf()
}

/// Two seconds of silence to run.
fn recording() -> String {
    let path = folder().join("live_view.wav");
    mynah_load::wav::write(&path, 16_000, 1, &vec![0.0; 32_000]).expect("the target folder can be written");
    path.display().to_string()
}

#[test]
fn nothing_is_drawn_where_nobody_looks() {
    let recording = recording();
    let run = ["run", "speculative_vad", "--input", recording.as_str()];
    let lines: [Vec<&str>; 2] = [SIMULATE.split(' ').collect(), run.to_vec()];
    for line in lines {
        let out = Command::new(MYNAH).args(&line).output().expect("the program starts");
        assert_eq!(String::from_utf8_lossy(&out.stderr), "", "{line:?}");
        assert!(!out.stdout.is_empty() && !out.stdout.contains(&0x1b), "{line:?}");
    }
}

/// What a program writes to a terminal of [`COLUMNS`] columns, stdout aside; None: there is no such terminal here.
fn on_a_terminal(line: &str, environment: &[(&str, &str)]) -> Option<String> {
    // A limit that a few callers miss (exit code 1) is not the question here.
    let typed = format!("stty cols {COLUMNS} rows 30 && {{ '{MYNAH}' {line} > /dev/null; [ $? -lt 2 ]; }}");
    let out = Command::new("script")
        .args(["-qec", &typed, "/dev/null"])
        .env_remove("NO_COLOR")
        .env("TERM", "xterm-256color")
        .env("SHELL", "/bin/sh")
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output();
    match out {
        Ok(out) if out.status.success() => Some(String::from_utf8_lossy(&out.stdout).into_owned()),
        Ok(out) => {
            Skip::Unusable("script", format!("no pseudo terminal here ({})", out.status)).say();
            None
        }
        Err(_) => {
            Skip::Absent("script").say();
            None
        }
    }
}

/// Just enough of a terminal: lines, cursor up and down, clearing to the end of a line and all of it.
#[derive(Default)]
struct Terminal {
    rows: Vec<Vec<char>>,
    row: usize,
    column: usize,
}

impl Terminal {
    /// The screen in the end, and just before each time the cursor went up: what a person saw.
    fn show(text: &str) -> (String, Vec<String>) {
        let (mut screen, mut seen) = (Self::default(), Vec::new());
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '\r' => screen.column = 0,
                '\n' => screen.row += 1,
                '\u{1b}' => {
                    assert_eq!(rest.next(), Some('['), "an escape that this terminal does not know");
                    let mut digits = String::new();
                    let command = loop {
                        match rest.next() {
                            Some(c) if c.is_ascii_digit() => digits.push(c),
                            other => break other,
                        }
                    };
                    if command == Some('A') {
                        seen.push(screen.text());
                    }
                    screen.control(command, &digits);
                }
                c => screen.put(c),
            }
        }
        (screen.text(), seen)
    }

    fn control(&mut self, command: Option<char>, digits: &str) {
        let count = digits.parse().unwrap_or(1);
        match command {
            Some('A') => self.row = self.row.saturating_sub(count),
            Some('B') => self.row += count,
            Some('K') => {
                let kept = if digits == "2" { 0 } else { self.column };
                if let Some(row) = self.rows.get_mut(self.row) {
                    row.truncate(kept);
                }
            }
            Some('m') => {}
            other => panic!("a command that this terminal does not know: {other:?}"),
        }
    }

    fn put(&mut self, c: char) {
        if self.column == COLUMNS {
            (self.row, self.column) = (self.row + 1, 0);
        }
        while self.rows.len() <= self.row {
            self.rows.push(Vec::new());
        }
        let row = &mut self.rows[self.row];
        while row.len() <= self.column {
            row.push(' ');
        }
        row[self.column] = c;
        self.column += 1;
    }

    fn text(&self) -> String {
        let rows = self.rows.iter().map(|row| row.iter().collect::<String>().trim_end().to_owned());
        rows.collect::<Vec<_>>().join("\n").trim_end().to_owned()
    }
}

#[test]
fn on_a_terminal_it_shows_the_run_and_goes_when_it_is_over() {
    let epoch = Epoch::start();
    let Some(written) = on_a_terminal(SIMULATE, &[]) else { return };
    let took_s = epoch.now_us() as f64 / 1e6;
    let (left, seen) = Terminal::show(&written);
    assert_eq!(left, "", "nothing stays");
    let whole =
        ["simulated [", "20 sessions", "x real time", "response P50", "accepted", "batch", "0 dropped"];
    let shows_all = |screen: &&String| whole.iter().all(|figure| screen.contains(figure));
    let last = seen.iter().rfind(shows_all);
    assert!(last.is_some(), "no picture has all of {whole:?}: {:#?}", seen.last());
    assert!(seen.iter().all(|screen| screen.matches(" %").count() <= 2 && screen.lines().count() <= 6));
    let drawn = written.matches("simulated [").count() as f64;
    assert!(drawn >= 2.0 && drawn <= took_s * 10.0 + 3.0, "{drawn} pictures in {took_s} s");
}

#[test]
fn colours_and_pictures_are_not_forced_on_anybody() {
    // Queues of one frame: something is dropped, which is shown in red.
    let line = "simulate overflow --sessions 20 --duration 60s";
    let Some(coloured) = on_a_terminal(line, &[]) else { return };
    assert!(coloured.contains("\u{1b}[31m"), "nothing is red in {coloured:?}");
    let plain = on_a_terminal(line, &[("NO_COLOR", "1")]).expect("there was a terminal before");
    assert!(plain.contains(" dropped") && !plain.contains("\u{1b}[31m"), "{plain:?}");
    let (left, _) = Terminal::show(&coloured);
    assert_eq!(left, "", "colours are no columns");
    let dumb = on_a_terminal(line, &[("TERM", "dumb")]).expect("there was a terminal before");
    assert_eq!(dumb, "", "this terminal cannot take back what is drawn");
}

#[test]
fn recordings_are_watched_as_well() {
    let line = format!("run speculative_vad --input '{}' --wall", recording());
    let Some(written) = on_a_terminal(&line, &[]) else { return };
    let (left, seen) = Terminal::show(&written);
    assert_eq!(left, "");
    assert!(seen.iter().any(|screen| screen.contains("recordings [") && screen.contains("1 session ")));
}
