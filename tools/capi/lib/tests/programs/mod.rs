//! The examples as programs, built against the library that these tests belong to.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::given::program;

/// An example that is ready to run.
pub(crate) struct Program {
    pub(crate) name: &'static str,
    command: Vec<PathBuf>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn examples() -> PathBuf {
    folder().join("examples")
}

/// A scene of the checkout.
pub(crate) fn scene(name: &str) -> PathBuf {
    folder().join("../../scenes").join(format!("{name}.ron"))
}

/// A file of these tests' own.
pub(crate) fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Where cargo puts `libmynah`, in the profile of these tests. Nothing links to it, so cargo builds it only when asked.
pub(crate) fn library() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let own = std::env::current_exe().expect("a test is a program");
        let folder = own.parent().and_then(Path::parent).expect("cargo has folders").to_path_buf();
        let mut words = vec!["build", "-p", "libmynah"];
        words.extend(folder.ends_with("release").then_some("--release"));
        let built = Command::new(env!("CARGO")).args(words).current_dir(self::folder()).output();
        let built = built.expect("cargo starts");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        folder
    };
    BUILT.get_or_init(build).clone()
}

/// Runs a compiler.
pub(crate) fn build(compiler: &Path, words: &[&OsStr]) {
    let built = Command::new(compiler).args(words).output().expect("a compiler starts");
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{} {words:?}:\n{said}", compiler.display());
}

/// Compiles for C or C++ and links the library; returns the program.
pub(crate) fn link(compiler: &Path, source: &Path, flags: &[&str], name: &str) -> PathBuf {
    let (out, library) = (scratch(name), library());
    let mut words: Vec<&OsStr> = flags.iter().map(OsStr::new).collect();
    words.extend(["-Wall", "-Wextra", "-Werror", "-O2", "-o"].map(OsStr::new));
    words.push(out.as_ref());
    words.push(source.as_ref());
    let (include, folder) = (folder(), library);
    words.extend([OsStr::new("-I"), include.as_ref(), OsStr::new("-L"), folder.as_ref()]);
    words.extend(["-lmynah", "-lpthread", "-lm"].map(OsStr::new));
    build(compiler, &words);
    out
}

pub(crate) fn c() -> Option<Program> {
    let compiler = program(&["cc", "gcc", "clang"])?;
    let built = link(&compiler, &examples().join("game.c"), &["-std=c11", "-pedantic"], "game_c");
    Some(Program { name: "c", command: vec![built] })
}

pub(crate) fn cpp() -> Option<Program> {
    let compiler = program(&["c++", "g++", "clang++"])?;
    let built = link(&compiler, &examples().join("game.c"), &["-x", "c++"], "game_cpp");
    Some(Program { name: "cpp", command: vec![built] })
}

pub(crate) fn c_sharp() -> Option<Program> {
    let (compiler, mono) = (program(&["mcs"])?, program(&["mono"])?);
    let out = scratch(&format!("Game_{}.exe", std::thread::current().name().unwrap_or("test")));
    let to = format!("-out:{}", out.display());
    let source = examples().join("Game.cs");
    build(&compiler, &["-unsafe".as_ref(), "-warnaserror".as_ref(), to.as_ref(), source.as_ref()]);
    Some(Program { name: "c_sharp", command: vec![mono, out] })
}

pub(crate) fn python() -> Option<Program> {
    let python = program(&["python3"])?;
    Some(Program { name: "python", command: vec![python, examples().join("sim.py")] })
}

impl Program {
    /// Runs with these words and returns what is printed.
    pub(crate) fn run(&self, words: &[&OsStr]) -> String {
        let done = Command::new(&self.command[0])
            .args(&self.command[1..])
            .args(words)
            .env("LD_LIBRARY_PATH", library())
            .env("MYNAH_LIBRARY", library().join("libmynah.so"))
            .output()
            .expect("it starts");
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{} {words:?}: {}\n{said}", self.name, done.status);
        String::from_utf8(done.stdout).expect("it prints UTF-8")
    }
}
