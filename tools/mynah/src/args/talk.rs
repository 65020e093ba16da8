//! The flags of `talk`.

use clap::Args;

use super::sets::Sets;
use super::values::{Duration, duration};

/// `talk`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  mynah talk
  mynah talk --headphones --duration 1min
  mynah talk --list
  mynah talk barge_in --input-device Headset --output-device pulseaudio:alsa_output.usb --json

Over loudspeakers the answer comes back through the microphone: while it sounds, and a little longer, nobody is heard
(half duplex). With --headphones answers can be interrupted; so they can in a scene that deals with the echo itself
(raise_threshold_while_speaking). Ctrl-C ends with the summary, exit code 130. The program has this command if it was
built with `--features talk`.")]
pub struct Talk {
    /// Scene file, or name of a scene that comes with mynah
    #[arg(default_value = "assistant")]
    pub scene: String,
    /// Records from this device: its id, its name, or a part of the name [default: the system's]
    #[arg(long, value_name = "DEVICE")]
    pub input_device: Option<String>,
    /// Plays on this device [default: the system's]
    #[arg(long, value_name = "DEVICE")]
    pub output_device: Option<String>,
    /// Lists the devices, and does nothing else
    #[arg(long)]
    pub list: bool,
    /// Nothing of the answers comes back through the microphone
    #[arg(long)]
    pub headphones: bool,
    /// Ends after this time [default: when Ctrl-C is pressed]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub duration: Option<Duration>,
    /// Prints what happens as JSON Lines, the summary last
    #[arg(long)]
    pub json: bool,
    /// Changes of the scene.
    #[command(flatten)]
    pub sets: Sets,
}
