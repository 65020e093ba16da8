//! What is left in shared memory when all is over.

use std::path::{Path, PathBuf};

use rustix::process::Signal;

use crate::program::has_memory;
use crate::stage::{Stage, echoes};

/// Files of this prefix, wherever iceoryx2 keeps some.
fn files(prefix: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from("/dev/shm"), std::env::temp_dir().join("iceoryx2")];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            let is_ours = |path: &Path| path.to_string_lossy().contains(prefix);
            if path.is_dir() {
                folders.push(path);
            } else if is_ours(&path) {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn memory_is_given_back_whoever_dies() {
    if !has_memory() {
        return;
    }
    let mut stage = Stage::new(echoes(2, &[]));
    let prefix = stage.prefix.clone();
    stage.until_workers(2);
    for _ in 0..20 {
        let call = stage.ask("one two three");
        assert_eq!(stage.answer(call).1, Ok(()));
    }
    let outside = stage.worker(&[]);
    stage.until_workers(3);
    outside.signal(Signal::KILL);
    stage.until_workers(2);
    let at_work = files(&prefix).len();
    let pids = stage.pids();
    drop(stage);
    // The one that iceoryx2 keeps is swept away by the stage.
    let left = files(&prefix);
    assert!(left.is_empty() && at_work > 10, "{at_work} files at work, {left:?} left");
    let runs = |pid: &u32| Path::new(&format!("/proc/{pid}")).exists();
    assert!(!pids.iter().any(runs), "the programs have ended and were waited for");
}
