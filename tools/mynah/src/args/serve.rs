//! `serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::sets::Sets;

/// `serve`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  mynah serve assistant
  mynah serve assistant transcribe --max-sessions 500 --record calls
  mynah serve --config serve.toml --print-config

Environment: MYNAH_CONFIG, MYNAH_SCENES, MYNAH_BIND, PORT, MYNAH_OPERATIONS, MYNAH_GRPC, MYNAH_MAX_SESSIONS,
MYNAH_KEYS_FILE, MYNAH_SECRET, ...: docs/deploying.md has all of them. Flags come before the environment, that before the
file.
SIGTERM drains: for `drain.grace_s` it is not ready and still takes who comes, then sessions end after their turn. Ctrl-C
does so without that grace; a second one of either ends them at once. SIGHUP reads the scenes anew.
Exit codes: 0 drained, 1 invalid scene, 2 could not serve.")]
pub struct Serve {
    /// Scene files, or names of scenes that come with mynah; clients that name no model get the first
    #[arg(value_name = "SCENE")]
    pub scenes: Vec<String>,
    /// Settings from a TOML file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where clients connect; other machines only with keys
    #[arg(long, value_name = "ADDR")]
    pub bind: Option<SocketAddr>,
    /// Where operators look: /metrics /livez /readyz /capacity /drain
    #[arg(long, value_name = "ADDR")]
    pub ops: Option<SocketAddr>,
    /// Where gRPC clients connect (a build with `grpc`)
    #[arg(long, value_name = "ADDR")]
    pub grpc: Option<SocketAddr>,
    /// Most sessions at once
    #[arg(long, value_name = "N")]
    pub max_sessions: Option<u32>,
    /// Threads that share the work of ticks
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Writes each call into this folder: a stereo WAV file and what was said
    #[arg(long, value_name = "DIR")]
    pub record: Option<PathBuf>,
    /// File of key hashes; without one everybody on this machine may come in
    #[arg(long, value_name = "FILE")]
    pub keys_file: Option<PathBuf>,
    /// Prints the configuration that holds, with where each setting comes from, and ends
    #[arg(long)]
    pub print_config: bool,
    /// Changes of the scenes.
    #[command(flatten)]
    pub sets: Sets,
}
