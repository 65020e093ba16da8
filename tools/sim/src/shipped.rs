//! Finds scenes: in a file, or among those that are part of the program.

use std::path::Path;

use mynah_engine::scene::{Source, nearest};

use mynah_files::failure::Failure;
use mynah_files::{outputs, text};

macro_rules! scenes {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../scenes/", $name, ".ron")))),*]
    };
}

/// A scene that is part of the program: name and text.
pub type Shipped = (&'static str, &'static str);

/// The scenes that are part of the program and need nothing else.
pub const SHIPPED: &[Shipped] = scenes!(
    "passthrough",
    "gate_only",
    "streaming_resample",
    "speculative_vad",
    "batched_tts",
    "overflow",
    "barge_in",
    "remote_consumer",
    "remote_answers",
    "deadlines",
    "voice_assistant",
    "voice_assistant_cloud",
    "transcribe",
    "assistant",
    "full",
);

/// The scenes that are part of the program and need other processes, and a build that can reach these.
pub const OUTSIDE: &[Shipped] = scenes!("chat", "remote_models", "python_worker", "remote_process");

/// All scenes that are part of the program.
pub fn all() -> impl Iterator<Item = &'static Shipped> {
    SHIPPED.iter().chain(OUTSIDE)
}

/// Largest scene file; the largest that makes sense has 64 nodes.
const BYTES_MAX: u64 = 1 << 20;

/// Finds a scene: standard input (`-`), a file, or one that is part of the program by its bare name. What looks like a path
/// (with a `/` or `\\`, or ending in `.ron`) is a file and nothing else, so that nobody gets another scene than the one he
/// wrote.
///
/// # Errors
/// There is none of that name, or the file cannot be read: exit code 2. It is no text: exit code 1.
pub fn find(name: &str) -> Result<Source, Failure> {
    let path = Path::new(name);
    if name == outputs::DASH {
        let bytes = text::standard_input()
            .map_err(|error| Failure::unable(format_args!("standard input: {error}; expected a scene")))?;
        return source("standard input", bytes.to_vec());
    }
    let is_path = name.contains(['/', '\\']) || name.ends_with(".ron");
    let shipped = |wanted: &str| all().find(|(shipped, _)| *shipped == wanted);
    match shipped(name) {
        Some((shipped, text)) => return Ok(Source::new(format!("{shipped} (built in)"), *text)),
        None if path.is_file() => return read(path, name),
        None => {}
    }
    let names: Vec<String> = all().map(|(shipped, _)| format!("`{shipped}`")).collect();
    let names = names.join(", ");
    let stem = path.file_stem().map_or(name.into(), |stem| stem.to_string_lossy());
    let what = match path.is_dir() {
        true => "is a folder, no scene",
        false if path.exists() => "is a pipe or a device; standard input is `-`",
        false if is_path => "no such file",
        false => "no such scene",
    };
    let near = nearest(&stem, all().map(|(shipped, _)| *shipped));
    Err(Failure::unable(match near {
        Some(near) if is_path && near == stem => {
            format!(
                "`{name}`: {what}; the scene that comes with mynah is called `{near}`, without path and ending"
            )
        }
        Some(near) => format!("`{name}`: {what}; did you mean `{near}`? Expected a file, or one of {names}"),
        None => format!("`{name}`: {what}; expected a file, or one of {names}"),
    }))
}

fn read(path: &Path, name: &str) -> Result<Source, Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::unable(format_args!("{name}: {error}; expected a scene file: check its permissions"))
    };
    let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
    if bytes > BYTES_MAX {
        let text =
            format!("{name}: {bytes} bytes; expected a scene of at most {BYTES_MAX}: is it another file?");
        return Err(Failure::unable(text));
    }
    source(name, std::fs::read(path).map_err(unreadable)?)
}

fn source(name: &str, bytes: Vec<u8>) -> Result<Source, Failure> {
    match text::decode(bytes) {
        Ok(text) => Ok(Source::new(name, text)),
        Err(error) => Err(Failure::refused(format!("error: {name}: {error}; expected RON, which is text"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mynah_files::failure::Exit;

    #[test]
    fn a_bare_name_is_a_shipped_scene_and_a_path_is_a_file() {
        assert_eq!(&*find("gate_only").unwrap().name, "gate_only (built in)");
        for name in
            ["scenes/gate_only.ron", "./gate_only.ron", "gate_only.ron", "x\\gate_only", "./gate_only"]
        {
            let failure = find(name).unwrap_err();
            assert_eq!(failure.exit, Exit::Unable, "{name}");
            let fits = failure.message.contains("no such file");
            assert!(
                fits && (name.contains('\\') || failure.message.contains("is called `gate_only`")),
                "{failure}"
            );
        }
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenes/gate_only.ron");
        assert_eq!(&*find(file).unwrap().name, file);
    }

    #[test]
    fn a_slip_in_the_name_gets_a_suggestion() {
        let failure = find("scenes/voice_asistant.ron").unwrap_err();
        assert_eq!(failure.exit, Exit::Unable);
        assert!(failure.message.contains("did you mean `voice_assistant`?"), "{failure}");
        let stranger = find("zebra").unwrap_err();
        assert!(!stranger.message.contains("did you mean"), "{stranger}");
        assert!(stranger.message.contains("`passthrough`"), "{stranger}");
    }
}
