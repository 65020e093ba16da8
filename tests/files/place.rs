//! A folder with one of each file that the program reads.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Half a second of silence, one of a tone, half a second of silence.
fn recording(path: &Path) {
    let tone = |at: usize| ((at as f32) * 0.15).sin() * 0.3;
    let samples: Vec<f32> =
        (0..32_000).map(|at| if (8_000..24_000).contains(&at) { tone(at) } else { 0.0 }).collect();
    mynah_load::wav::write(path, 16_000, 1, &samples).expect("the folder can be written");
}

/// What every fresh folder has in it.
pub(crate) const LABELS: &str = "{\"file\": \"said.wav\", \"segments\": [{\"start_ms\": 500, \"end_ms\": 1500, \"kind\": \"utterance\", \"text\": \"hello\"}]}\n";
/// See [`LABELS`].
pub(crate) const FAULTS: &str =
    "(\n    sites: {\n        \"loss\": (on: 1.0, ratio: (0.1, 0.2)),\n    },\n)\n";

/// A folder of one test.
pub(crate) struct Folder(pub PathBuf);

impl Folder {
    /// Fresh, with `scene.ron`, `said.wav`, `labels.jsonl`, `faults.ron`.
    pub(crate) fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("files").join(name);
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder).expect("the target folder can be written");
        let folder = Self(folder.canonicalize().expect("it is there"));
        let scene = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenes/gate_only.ron");
        folder.put("scene.ron", &fs::read(scene).expect("the scene is in the checkout"));
        folder.put("labels.jsonl", LABELS.as_bytes());
        folder.put("faults.ron", FAULTS.as_bytes());
        recording(&folder.at("said.wav"));
        folder
    }

    pub(crate) fn at(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.0.join(Path::new(&name))
    }

    pub(crate) fn put(&self, name: impl AsRef<OsStr>, bytes: &[u8]) {
        fs::write(self.at(name), bytes).expect("the folder can be written");
    }

    pub(crate) fn get(&self, name: impl AsRef<OsStr>) -> Vec<u8> {
        let path = self.at(name);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub(crate) fn text(&self, name: impl AsRef<OsStr>) -> String {
        String::from_utf8(self.get(name)).expect("it is text")
    }

    /// Names of all that is in it, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("the folder can be read");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// Every file with its content.
    pub(crate) fn contents(&self) -> Vec<(String, Vec<u8>)> {
        self.names()
            .into_iter()
            .filter(|name| self.at(name).is_file())
            .map(|name| (name.clone(), self.get(&name)))
            .collect()
    }

    pub(crate) fn drafts(&self) -> Vec<String> {
        self.names().into_iter().filter(|name| name.ends_with(".part")).collect()
    }

    /// `mynah LINE`, to be run in it.
    pub(crate) fn mynah(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mynah"));
        command
            .args(line.split(' ').filter(|word| !word.is_empty()))
            .current_dir(&self.0)
            .env("NO_COLOR", "1");
        command.stdin(Stdio::null());
        command
    }

    /// Runs `mynah LINE`: exit code, standard output, standard error.
    pub(crate) fn run(&self, line: &str) -> (Option<i32>, String, String) {
        said(self.mynah(line).output().expect("the program was built"))
    }

    /// Runs `mynah LINE`, which has to end with 0: standard output.
    pub(crate) fn done(&self, line: &str) -> String {
        let (code, out, err) = self.run(line);
        assert_eq!(code, Some(0), "{line}: {err}");
        out
    }

    /// Runs a line of the shell, in which `$@` is the program and the words of `line`.
    pub(crate) fn shell(&self, script: &str, line: &str) -> (Option<i32>, String, String) {
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_mynah")]).args(line.split(' '));
        said(command.current_dir(&self.0).env("NO_COLOR", "1").output().expect("there is a shell"))
    }
}

pub(crate) fn said(output: Output) -> (Option<i32>, String, String) {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Fails with all rows that failed.
pub(crate) fn none(failed: Vec<String>) {
    assert!(failed.is_empty(), "\n{}\n", failed.join("\n"));
}
