//! Programs that tests start.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Longer than anything takes on a machine that has something else to do.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// An example of this crate, which cargo builds beside its tests.
pub(crate) fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test has a path");
    let folder = test.parent().and_then(Path::parent).expect("tests are built in target/debug/deps");
    let path = folder.join("examples").join(name);
    assert!(path.is_file(), "{} is missing: run `cargo build --examples`", path.display());
    path
}

/// False where there is no shared memory; says so.
pub(crate) fn has_memory() -> bool {
    let there = Path::new("/dev/shm").is_dir();
    if !there {
        eprintln!("SKIPPED: no /dev/shm on this machine");
    }
    there
}

/// A program that ends with its test.
pub(crate) struct Program(Child);

impl Program {
    pub(crate) fn start(name: &str, args: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(example(name));
        command.args(args).envs(variables.iter().copied());
        Self(command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("an example can be started"))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        signal_to(self.pid(), signal);
    }

    /// Waits for its end: the code, and what it said on its standard error.
    pub(crate) fn end(&mut self) -> (Option<i32>, String) {
        let began = Instant::now();
        while began.elapsed() < LONG {
            if let Some(status) = self.0.try_wait().expect("a child can be waited for") {
                let mut text = String::new();
                let pipe = self.0.stderr.as_mut().expect("it was piped");
                pipe.read_to_string(&mut text).expect("it writes text");
                return (status.code(), text);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("process {} does not end", self.pid());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _has_ended = self.0.kill().and_then(|()| self.0.wait()).is_err();
    }
}

pub(crate) fn signal_to(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid as i32).expect("a process has a number");
    kill_process(pid, signal).expect("the process is there");
}
