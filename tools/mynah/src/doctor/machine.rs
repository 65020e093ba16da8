//! Examines processor, memory, files and programs.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use mynah_engine::{Engine, EngineConfig};

use super::finding::Finding;
use mynah_host::clock::Epoch;
use mynah_sim::report;
use mynah_sim::scenes;

const GIB: f64 = (1u64 << 30) as f64;
/// Below this much free memory a run of some hundred sessions may fail.
const MEMORY_BYTES_MIN: u64 = 512 << 20;
/// How long another program may take to say its version.
const PATIENCE_US: u64 = 800_000;

/// A scene with a neural detector compiles and ticks.
pub(super) fn engine() -> Finding {
    let scene = "gate_only";
    match scenes::compile(scene, &[], None, None) {
        Ok((plan, _)) => {
            let config = EngineConfig { sessions_max: 1, ..EngineConfig::simulated() };
            let mut engine = Engine::new(Arc::clone(&plan), config);
            (1..=10u64).for_each(|tick| engine.tick(tick * 5_000));
            let (version, at) = (env!("CARGO_PKG_VERSION"), engine.now_us() / 1_000);
            Finding::ok("engine", format!("mynah {version}; scene {scene} compiles and ticks ({at} ms)"))
        }
        Err(failure) => Finding::fail("engine", format!("scene {scene}: {failure}"), "build mynah anew"),
    }
}

pub(super) fn cores() -> Finding {
    match std::thread::available_parallelism() {
        Ok(count) if count.get() > 1 => Finding::ok("cores", count.to_string()),
        Ok(_) => Finding::warn(
            "cores",
            "1",
            "simulated callers and engine share it: wall-clock latencies include both; use virtual time, or give the \
             container more CPU",
        ),
        Err(error) => Finding::warn("cores", format!("unknown ({error})"), "name the number with --threads"),
    }
}

pub(super) fn cpu_features() -> Finding {
    let features = report::cpu_features();
    let value = if features.is_empty() { "none of avx2, fma, avx512f".into() } else { features.join(", ") };
    if cfg!(target_arch = "x86_64") && !features.contains(&"avx2") {
        let remedy = "the neural detector runs its slow path: expect several times the CPU time; in a virtual \
                      machine let the CPU's features through";
        return Finding::warn("cpu features", value, remedy);
    }
    Finding::ok("cpu features", value)
}

/// Bytes behind `key` in a table like `/proc/meminfo`.
fn kib(table: &str, key: &str) -> Option<u64> {
    let line = table.lines().find(|line| line.starts_with(key))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? << 10)
}

pub(super) fn memory() -> Finding {
    let table = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let (Some(total), Some(free)) = (kib(&table, "MemTotal:"), kib(&table, "MemAvailable:")) else {
        return Finding::ok("memory", "unknown on this system");
    };
    // A container's own bound, where there is one.
    let bound = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let bound = bound.and_then(|text| text.trim().parse::<u64>().ok()).filter(|bound| *bound < total);
    let free = bound.map_or(free, |bound| free.min(bound));
    let mut value = format!("{:.1} of {:.1} GiB free", free as f64 / GIB, total as f64 / GIB);
    if let Some(bound) = bound {
        value += &format!(", bounded to {:.1} GiB", bound as f64 / GIB);
    }
    if free < MEMORY_BYTES_MIN {
        return Finding::warn("memory", value, "use fewer --sessions, or stop other programs");
    }
    Finding::ok("memory", value)
}

/// Whether a file can be created in a folder, as an error that says why not.
fn writable(folder: &Path) -> std::io::Result<()> {
    let path = folder.join(format!("mynah-doctor-{}", std::process::id()));
    let mut file = std::fs::File::create_new(&path)?;
    let written = file.write_all(b"mynah");
    std::fs::remove_file(&path).and(written)
}

pub(super) fn shared_memory() -> Finding {
    let name = "shared memory";
    let folder = Path::new("/dev/shm");
    if !folder.is_dir() {
        return Finding::ok(name, format!("there is no /dev/shm; {MEMORY_NEEDED_BY}"));
    }
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    let options = mounts.lines().find(|line| line.split(' ').nth(1) == Some("/dev/shm"));
    let size =
        options.and_then(|line| line.split([' ', ',']).find_map(|option| option.strip_prefix("size=")));
    let size = size.map_or("the system's default size".into(), |size| format!("size {size}"));
    match writable(folder) {
        Ok(()) => Finding::ok(name, format!("/dev/shm, {size}, writable; {MEMORY_NEEDED_BY}")),
        Err(error) => Finding::ok(name, format!("/dev/shm, {size}: {error}; {MEMORY_NEEDED_BY}")),
    }
}

pub(super) fn temporary() -> Finding {
    let folder = std::env::temp_dir();
    match writable(&folder) {
        Ok(()) => Finding::ok("temporary files", format!("{}, writable", folder.display())),
        Err(error) => Finding::warn(
            "temporary files",
            format!("{}: {error}", folder.display()),
            "set TMPDIR to a folder that can be written",
        ),
    }
}

/// Who needs shared memory.
const MEMORY_NEEDED_BY: &str =
    if cfg!(feature = "ipc") { "workers need it" } else { "nothing in this build needs it" };
/// The version of iceoryx2 that workers must have.
const ICEORYX: &str = "0.10.0";

/// Whether workers in Python can run.
pub(super) fn worker() -> Option<Finding> {
    if !cfg!(feature = "ipc") {
        return None;
    }
    let name = "python worker";
    let ask = "import importlib.metadata as installed; print(installed.version('iceoryx2'))";
    let remedy = "pip install './tools/python[worker]'";
    Some(match said("python3", &["-c", ask]) {
        Version::Is(version) if version == ICEORYX => {
            Finding::ok(name, format!("python3 has iceoryx2 {version}"))
        }
        Version::Is(version) => {
            Finding::warn(name, format!("python3 has iceoryx2 {version}; expected {ICEORYX}"), remedy)
        }
        Version::NotTold => {
            Finding::warn(name, format!("python3 has no iceoryx2; expected {ICEORYX}"), remedy)
        }
        Version::NotThere => Finding::warn(name, "no python3 found", "install Python 3.10 or later"),
    })
}

pub(super) fn python() -> Finding {
    let unused = if cfg!(feature = "ipc") { "workers may need it" } else { "nothing in this build needs it" };
    match said("python3", &["--version"]) {
        Version::Is(version) => Finding::ok("python", format!("{version} found; {unused}")),
        Version::NotThere => Finding::ok("python", format!("no python3 found; {unused}")),
        Version::NotTold => Finding::ok("python", format!("python3 does not say its version; {unused}")),
    }
}

/// What a program says of its version.
#[derive(Debug, PartialEq, Eq)]
enum Version {
    Is(String),
    NotThere,
    /// It fails, or takes too long.
    NotTold,
}

fn said(program: &str, arguments: &[&str]) -> Version {
    let command = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = command else { return Version::NotThere };
    let epoch = Epoch::start();
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => break,
            Ok(None) if epoch.now_us() < PATIENCE_US => epoch.sleep_until(epoch.now_us() + 2_000),
            _ => {
                // Nothing depends on it any more; it may have ended by itself.
                drop(child.kill());
                drop(child.wait());
                return Version::NotTold;
            }
        }
    }
    let mut text = String::new();
    let read = child.stdout.map(|out| out.take(200).read_to_string(&mut text));
    match text.lines().next() {
        Some(line) if matches!(read, Some(Ok(_))) => Version::Is(line.trim().to_owned()),
        _ => Version::NotTold,
    }
}

pub(super) fn terminal() -> Finding {
    let kind = |is| if is { "a terminal" } else { "no terminal" };
    let (out, err) = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
    let colours = match mynah_files::terminal::stdout_look() {
        mynah_engine::scene::Rendering::Styled => "colours",
        mynah_engine::scene::Rendering::Plain => "no colours",
    };
    Finding::ok("terminal", format!("stdout is {}, stderr is {}; {colours}", kind(out), kind(err)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_memory_is_read_in_bytes() {
        let table = "MemTotal:       16384 kB\nMemFree: 1 kB\nMemAvailable:    8192 kB\n";
        assert_eq!((kib(table, "MemTotal:"), kib(table, "MemAvailable:")), (Some(16 << 20), Some(8 << 20)));
        assert_eq!(kib("MemTotal: many kB", "MemTotal:"), None);
    }

    #[test]
    fn a_program_that_is_not_there_has_no_version() {
        assert_eq!(said("mynah-no-such-program", &["--version"]), Version::NotThere);
    }
}
