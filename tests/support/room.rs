//! A room without a sound card: a PulseAudio of its own with two devices that play nowhere. What is played on `room` is
//! what the microphone hears (`room.monitor`); what the loudspeaker `speaker` plays is recorded from its monitor.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::given::{Skip, program};

/// Rate of both devices.
pub(crate) const RATE_HZ: u32 = 48_000;

/// The sound server and its folder.
pub(crate) struct Room {
    folder: PathBuf,
    server: Option<Child>,
}

impl Room {
    /// `None`: PulseAudio is not installed, or does not run here.
    pub(crate) fn open(name: &str) -> Option<Self> {
        for needed in ["pulseaudio", "paplay", "parec", "pactl"] {
            program(&[needed])?;
        }
        // The path of a socket is short.
        let folder = std::env::temp_dir().join(format!("mynah-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("the folder for temporary files can be written");
        let mut room = Self { folder, server: None };
        if let Err(why) = room.start() {
            Skip::Unusable("pulseaudio", why).say();
            return None;
        }
        Some(room)
    }

    fn socket(&self) -> String {
        format!("unix:{}", self.folder.join("socket").display())
    }

    /// A program that finds this server, and nothing of the user's.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env("PULSE_SERVER", self.socket()).env("HOME", &self.folder).stdin(Stdio::null());
        command.env("XDG_RUNTIME_DIR", &self.folder).env_remove("DBUS_SESSION_BUS_ADDRESS");
        command
    }

    /// Starts the server, again after [`stop`](Self::stop).
    pub(crate) fn start(&mut self) -> Result<(), String> {
        let socket = self.folder.join("socket");
        let sink = |name: &str, title: &str| {
            format!(
                "module-null-sink sink_name={name} rate={RATE_HZ} sink_properties=device.description={title}"
            )
        };
        let log = fs::File::create(self.folder.join("log")).expect("the folder is ours");
        let server = self
            .command("pulseaudio")
            .args(["-n", "--daemonize=no", "--exit-idle-time=-1", "-L"])
            .arg(format!("module-native-protocol-unix socket={} auth-anonymous=1", socket.display()))
            .args(["-L", &sink("room", "Room"), "-L", &sink("speaker", "Speakers")])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.server = Some(server.map_err(|error| error.to_string())?);
        for _ in 0..100 {
            let asked = self.command("pactl").args(["list", "short", "sinks"]).output();
            if asked.is_ok_and(|out| String::from_utf8_lossy(&out.stdout).contains("speaker")) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(100));
        }
        self.stop();
        Err(fs::read_to_string(self.folder.join("log")).unwrap_or_default())
    }

    /// Stops the server: all devices are gone.
    pub(crate) fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().and_then(|()| server.wait()).ok();
        }
        fs::remove_file(self.folder.join("socket")).ok();
    }

    /// Somebody says this into the microphone; comes back when it is said.
    pub(crate) fn play(&self, recording: &Path) {
        // Without that latency the device takes sound in lumps of two seconds.
        let played =
            self.command("paplay").args(["--latency-msec=20", "--device=room"]).arg(recording).status();
        assert!(played.is_ok_and(|status| status.success()), "paplay {}", recording.display());
    }

    /// Records what the loudspeaker plays, 16 kHz, until the recorder is [taken](Recorder::samples).
    pub(crate) fn record(&self) -> Recorder {
        let path = self.folder.join("heard");
        let to = fs::File::create(&path).expect("the folder is ours");
        let child = self
            .command("parec")
            .args(["--device=speaker.monitor", "--format=s16le", "--rate=16000", "--channels=1"])
            .arg("--latency-msec=20")
            .stdout(to)
            .spawn();
        Recorder { child: child.expect("it is installed"), path }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.stop();
        fs::remove_dir_all(&self.folder).ok();
    }
}

/// A recording that goes on.
pub(crate) struct Recorder {
    child: Child,
    path: PathBuf,
}

impl Recorder {
    /// Ends it; mono, 16 kHz.
    pub(crate) fn samples(mut self) -> Vec<f32> {
        self.child.kill().and_then(|()| self.child.wait()).ok();
        let bytes = fs::read(&self.path).expect("it was recorded");
        let (samples, _) = bytes.as_chunks::<2>();
        samples.iter().map(|pair| f32::from(i16::from_le_bytes(*pair)) / 32_768.0).collect()
    }
}
