//! The settings of a replay.

/// How to run again; neither changes what comes out.
#[derive(Clone, Copy, Debug)]
pub struct Means {
    /// Worker threads.
    pub threads: usize,
    /// Shards; `None`: from the number of sessions.
    pub shards: Option<u32>,
}
