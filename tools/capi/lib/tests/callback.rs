//! What a sound device calls allocates nothing and makes no system call.

#![cfg(target_os = "linux")]

#[path = "../../../../tests/support/given.rs"]
mod given;
#[allow(dead_code, reason = "compilers are asked for alone")]
mod programs;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use given::{Skip, program};
use programs::{build, library, link, scene, scratch};

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c").join(name)
}

/// What the program says of calls with so many frames.
fn called(callback: &Path, frames: &str, preload: &Path) -> String {
    let done = Command::new(callback)
        .arg(scene("passthrough"))
        .arg(frames)
        .env("LD_LIBRARY_PATH", library())
        .env("LD_PRELOAD", preload)
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{frames}: {}\n{said}", done.status);
    String::from_utf8(done.stdout).expect("it prints text")
}

#[test]
fn pushes_and_pulls_allocate_nothing() {
    let Some(compiler) = program(&["cc", "gcc", "clang"]) else { return };
    let callback = link(&compiler, &source("callback.c"), &["-std=gnu11"], "callback_counted");
    let count = scratch("count.so");
    let flags =
        ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O2", "-fno-builtin", "-shared", "-fPIC", "-o"];
    let mut words: Vec<&OsStr> = flags.iter().map(OsStr::new).collect();
    let source = source("count.c");
    words.extend([count.as_os_str(), source.as_os_str()]);
    build(&compiler, &words);
    for frames in ["16", "128", "480", "1024"] {
        let told = called(&callback, frames, &count);
        let expected = format!("10000 calls of {frames} frames: counted, 0 allocated, 0 freed, 0 refused");
        assert!(told.contains(&expected), "{told}");
    }
}

#[test]
fn pushes_and_pulls_make_no_system_call() {
    let Some(compiler) = program(&["cc", "gcc", "clang"]) else { return };
    let Some(strace) = program(&["strace"]) else { return };
    let callback = link(&compiler, &source("callback.c"), &["-std=gnu11"], "callback_traced");
    let callback = callback.to_str().expect("a path in UTF-8");
    for frames in ["128", "480", "1024"] {
        let log = scratch(&format!("callback_{frames}.strace"));
        let log_name = log.to_str().expect("a path in UTF-8");
        let scene = scene("passthrough");
        let done = Command::new(&strace)
            .args(["-f", "-o", log_name, callback])
            .arg(&scene)
            .arg(frames)
            .env("LD_LIBRARY_PATH", library())
            .output()
            .expect("strace starts");
        let said = String::from_utf8_lossy(&done.stderr);
        if !done.status.success() && said.contains("ptrace") {
            return Skip::Unusable("strace", format!("it may not trace here: {said}")).say();
        }
        assert!(done.status.success(), "{said}");
        let log = std::fs::read_to_string(log).expect("strace wrote it");
        let is = |line: &&str, mark: &str| line.contains("write(1") && line.contains(mark);
        let begun = log.lines().skip_while(|line| !is(line, "calls: begin")).skip(1);
        let calls: Vec<&str> = begun.take_while(|line| !is(line, "calls: end")).collect();
        assert!(
            log.contains("calls: end") && calls.is_empty(),
            "{frames}: {} calls:\n{}",
            calls.len(),
            calls.join("\n")
        );
    }
}
