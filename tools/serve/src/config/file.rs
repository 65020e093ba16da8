//! The configuration file, TOML: what it may say, and where it is wrong.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::layer::Layer;
use super::settings::{ConfigError, SecretText};

/// Longest file, bytes.
const BYTES_MAX: u64 = 1 << 20;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    scenes: Option<Vec<String>>,
    set: Option<Vec<String>>,
    bind: Option<SocketAddr>,
    operations: Option<SocketAddr>,
    grpc: Option<SocketAddr>,
    protocols: Option<Vec<String>>,
    max_sessions: Option<u32>,
    threads: Option<usize>,
    record: Option<PathBuf>,
    models: Option<BTreeMap<String, String>>,
    auth: Auth,
    tls: Tls,
    limits: Limits,
    drain: DrainTimes,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Auth {
    keys_file: Option<PathBuf>,
    client_secret_key_env: Option<String>,
    allowed_origins: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Tls {
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Limits {
    header_timeout_ms: Option<u32>,
    idle_timeout_s: Option<u32>,
    resume_ms: Option<u32>,
    max_connections: Option<u32>,
    sessions_per_second: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct DrainTimes {
    grace_s: Option<u32>,
    max_s: Option<u32>,
}

/// Reads a file.
pub(super) fn read(path: &Path) -> Result<Layer, ConfigError> {
    let named = |what: String| ConfigError(format!("{}: {what}", path.display()));
    let bytes = std::fs::metadata(path).map_err(|error| named(error.to_string()))?.len();
    if bytes > BYTES_MAX {
        return Err(named(format!("{bytes} bytes are no configuration, expected {BYTES_MAX} at most")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    parse(&text, folder, &|name| std::env::var(name).ok())
        .map_err(|what| ConfigError(format!("{}:{what}", path.display())))
}

/// Reads the text of a file; paths in it begin in `folder`. An error begins with line and column.
pub(super) fn parse(
    text: &str,
    folder: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Layer, String> {
    let file: File = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start).min(text.len());
        let before = &text.as_bytes()[..at];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let column = at - before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1) + 1;
        format!("{line}:{column}: {}", error.message().replace('\n', "; "))
    })?;
    let placed = |path: Option<PathBuf>| path.map(|path| folder.join(path));
    let secret = match &file.auth.client_secret_key_env {
        None => None,
        Some(name) => {
            Some(SecretText(environment(name).filter(|text| !text.is_empty()).ok_or_else(|| {
                format!("1:1: auth.client_secret_key_env: the variable `{name}` is not set")
            })?))
        }
    };
    // Scenes that look like paths lie beside the file, as everything else does.
    let scene = |name: String| {
        let is_path = name.contains('/') || name.ends_with(".ron");
        if is_path { folder.join(name).display().to_string() } else { name }
    };
    let scenes = file.scenes.map(|names| names.into_iter().map(scene).collect());
    let models =
        file.models.map(|models| models.into_iter().map(|(model, name)| (model, scene(name))).collect());
    Ok(Layer {
        scenes,
        sets: file.set,
        models,
        bind: file.bind,
        port: None,
        operations: file.operations,
        grpc: file.grpc,
        protocols: file.protocols,
        max_sessions: file.max_sessions,
        threads: file.threads,
        record: placed(file.record),
        keys_file: placed(file.auth.keys_file),
        secret,
        allowed_origins: file.auth.allowed_origins,
        tls_certificate: placed(file.tls.certificate),
        tls_key: placed(file.tls.key),
        header_timeout_ms: file.limits.header_timeout_ms,
        idle_timeout_s: file.limits.idle_timeout_s,
        resume_ms: file.limits.resume_ms,
        max_connections: file.limits.max_connections,
        sessions_per_second: file.limits.sessions_per_second,
        drain_grace_s: file.drain.grace_s,
        drain_max_s: file.drain.max_s,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_named_by_line_and_column() {
        let rows = [
            ("bind = \"127.0.0.1:8080\"\nmax_session = 4\n", "2:1: ", "max_session"),
            ("bind = 8080\n", "1:8: ", ""),
            ("[auth]\nkeys = \"x\"\n", "2:1: ", "keys_file"),
            ("max_sessions = -1\n", "1:16: ", ""),
            ("[drain\n", "1:", ""),
        ];
        for (text, place, part) in rows {
            let error = parse(text, Path::new(""), &|_| None).expect_err(text);
            assert!(error.starts_with(place) && error.contains(part), "{text:?}: {error}");
        }
    }

    #[test]
    fn paths_begin_where_the_file_lies_and_keys_come_from_the_environment() {
        let text = "record = \"calls\"\nscenes = [\"assistant\", \"own.ron\"]\n[auth]\nclient_secret_key_env = \"KEY\"\n\
                    [models]\n\"gpt-realtime\" = \"assistant\"\n";
        let layer = parse(text, Path::new("etc"), &|name| (name == "KEY").then(|| "sixteen bytes ok".into()));
        let layer = layer.expect("it is right");
        assert_eq!(layer.record, Some(PathBuf::from("etc/calls")));
        assert_eq!(layer.scenes.expect("two"), ["assistant", "etc/own.ron"]);
        assert_eq!(layer.secret, Some(SecretText("sixteen bytes ok".into())));
        let error = parse(text, Path::new(""), &|_| None).expect_err("no such variable");
        assert!(error.contains("`KEY` is not set"), "{error}");
    }
}
