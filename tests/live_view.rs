//! The live view is there for people who look, goes when it is over, and is nowhere else.

#[path = "support/given.rs"]
mod given;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use given::Skip;

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
    // A limit that a few callers miss (exit code 1), or a machine too busy to measure (2), is not the question here.
    let typed = format!("stty cols {COLUMNS} rows 30 && {{ '{MYNAH}' {line} > /dev/null; [ $? -lt 3 ]; }}");
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

/// A run on a terminal, by what its pictures say: the machine it ran on may have been slow, fast or busy.
struct Shown {
    /// What is left on the screen.
    left: String,
    /// Each picture of the stage.
    pictures: Vec<String>,
}

impl Shown {
    fn of(stage: &str, written: &str) -> Self {
        let (left, seen) = Terminal::show(written);
        Self { left, pictures: seen.into_iter().filter(|screen| screen.contains(stage)).collect() }
    }

    /// The most pictures there can be of a run of `run_s`, one every 100 ms of the time that the last of them says has
    /// passed, from 0 on: it has the share that is done, rounded down, and how many times as fast as real time it goes.
    fn most(&self, run_s: f64) -> f64 {
        let before = |text: &str, words: &str| {
            let number = text.split(words).next()?.split_whitespace().last()?;
            text.contains(words).then(|| number.parse::<f64>().expect("a number"))
        };
        let figures = |picture: &String| Some((before(picture, " %")?, before(picture, "x real time")?));
        let Some((percent, speed)) = self.pictures.iter().rev().find_map(figures) else { return 1.0 };
        let passed_s = run_s * (percent + 1.0) / 100.0 / (speed - 0.05).max(0.0);
        (passed_s / 0.1).floor() + 1.0
    }

    fn assert_fits(&self, run_s: f64) {
        let fits = |screen: &String| screen.matches(" %").count() <= 2 && screen.lines().count() <= 6;
        assert!(self.pictures.iter().all(fits), "{:#?}", self.pictures.iter().find(|screen| !fits(screen)));
        let (drawn, most) = (self.pictures.len() as f64, self.most(run_s));
        assert!(
            (1.0..=most).contains(&drawn),
            "{drawn} pictures, at most {most}: {:#?}",
            self.pictures.last()
        );
    }
}

#[test]
fn on_a_terminal_it_shows_the_run_and_goes_when_it_is_over() {
    let Some(written) = on_a_terminal(SIMULATE, &[]) else { return };
    let shown = Shown::of("simulated [", &written);
    assert_eq!(shown.left, "", "nothing stays");
    shown.assert_fits(20.0);
    // In real time it lasts as long on every machine: long enough for all there is to be seen.
    let line = "simulate voice_assistant --sessions 8 --duration 8s --clock wall";
    let written = on_a_terminal(line, &[]).expect("there was a terminal before");
    let shown = Shown::of("in real time [", &written);
    assert!(!shown.left.contains('['), "no picture stays: {:?}", shown.left);
    shown.assert_fits(8.0);
    let all = shown.pictures.concat();
    for figure in ["8 sessions", "x real time", "response P50", "accepted", "batch", "0 dropped"] {
        assert!(all.contains(figure), "no picture has {figure:?}: {:#?}", shown.pictures.last());
    }
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
