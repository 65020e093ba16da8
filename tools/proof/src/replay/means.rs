//! What a replay is run with.

/// How to run again; neither changes what comes out.
#[derive(Clone, Copy, Debug)]
pub struct Means {
    /// Worker threads.
    pub threads: usize,
    /// Shards; `None`: from the number of sessions.
    pub shards: Option<u32>,
}
