//! What became of pushes.

/// What became of the pushes of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pushed {
    /// Sample frames taken.
    pub frames: u64,
    /// Packets refused because a second waits already: lost.
    pub full: u64,
    /// Packets refused because they were no audio.
    pub bad: u64,
    /// Packets that came after the end.
    pub late: u64,
}

impl Pushed {
    /// Adds those of another call.
    pub(super) fn add(&mut self, other: &Self) {
        self.frames += other.frames;
        self.full += other.full;
        self.bad += other.bad;
        self.late += other.late;
    }
}
