//! The ring of the last ticks, in memory that is allocated at the start.

/// Ticks that are kept.
pub const TICKS: usize = 1_024;

/// One tick as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tick {
    /// Counts from 1.
    pub serial: u64,
    /// Engine time, microseconds.
    pub at_us: u64,
    /// What it took on the wall clock, nanoseconds.
    pub took_ns: u64,
    /// How much later than due it began, microseconds.
    pub late_us: u64,
    /// Sessions open when it was over.
    pub sessions: u32,
    /// The shard with the most work, and how much, nanoseconds.
    pub slowest: (u32, u64),
}

/// A tick with its tables.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Time and figures of the tick.
    pub tick: &'a Tick,
    /// Work by stage, nanoseconds over all shards; 4.29 s and more counts as that.
    pub work_ns: &'a [u32],
    /// Frames that waited when it was over, by node, the output last.
    pub waiting: &'a [u32],
}

/// A ring of [`TICKS`] ticks.
#[derive(Clone, Debug)]
pub struct Ring {
    ticks: Box<[Tick]>,
    work_ns: Box<[u32]>,
    waiting: Box<[u32]>,
    stages: usize,
    queues: usize,
    /// Ticks ever put in.
    count: usize,
}

impl Ring {
    /// An empty ring for so many stages and queues.
    pub fn new(stages: usize, queues: usize) -> Self {
        Self {
            ticks: vec![Tick::default(); TICKS].into(),
            work_ns: vec![0; TICKS * stages].into(),
            waiting: vec![0; TICKS * queues].into(),
            stages,
            queues,
            count: 0,
        }
    }

    /// Puts in a tick; the oldest one goes when the ring is full. The tables are cut to what the ring was made for.
    pub fn push(
        &mut self,
        tick: Tick,
        work_ns: impl Iterator<Item = u64>,
        waiting: impl Iterator<Item = u64>,
    ) {
        let at = self.count % TICKS;
        self.ticks[at] = tick;
        fill(&mut self.work_ns[at * self.stages..(at + 1) * self.stages], work_ns);
        fill(&mut self.waiting[at * self.queues..(at + 1) * self.queues], waiting);
        self.count += 1;
    }

    /// The ticks that are kept, oldest first.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        (self.count.saturating_sub(TICKS)..self.count).map(|serial| {
            let at = serial % TICKS;
            Row {
                tick: &self.ticks[at],
                work_ns: &self.work_ns[at * self.stages..(at + 1) * self.stages],
                waiting: &self.waiting[at * self.queues..(at + 1) * self.queues],
            }
        })
    }

    /// Becomes what `other` is, without memory of its own being made.
    ///
    /// # Panics
    /// When `other` was made for other numbers of stages and queues.
    pub fn copy_from(&mut self, other: &Self) {
        self.ticks.copy_from_slice(&other.ticks);
        self.work_ns.copy_from_slice(&other.work_ns);
        self.waiting.copy_from_slice(&other.waiting);
        self.count = other.count;
    }
}

fn fill(places: &mut [u32], values: impl Iterator<Item = u64>) {
    let values = values.map(|value| u32::try_from(value).unwrap_or(u32::MAX));
    places.iter_mut().zip(values.chain(std::iter::repeat(0))).for_each(|(place, value)| *place = value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(ring: &mut Ring, serial: u64) {
        let tick = Tick { serial, ..Tick::default() };
        ring.push(tick, [serial, u64::MAX].into_iter(), [serial * 2].into_iter());
    }

    #[test]
    fn the_last_ticks_are_kept_in_order() {
        for count in [0, 1, TICKS - 1, TICKS, TICKS + 1, TICKS * 3 + 7] {
            let mut ring = Ring::new(2, 1);
            (1..=count as u64).for_each(|serial| push(&mut ring, serial));
            let kept: Vec<u64> = ring.rows().map(|row| row.tick.serial).collect();
            let due: Vec<u64> = (1..=count as u64).skip(count.saturating_sub(TICKS)).collect();
            assert_eq!(kept, due, "of {count}");
            for row in ring.rows() {
                assert_eq!(row.work_ns, [row.tick.serial as u32, u32::MAX]);
                assert_eq!(row.waiting, [row.tick.serial as u32 * 2]);
            }
            let mut copy = Ring::new(2, 1);
            copy.copy_from(&ring);
            assert_eq!(copy.rows().map(|row| row.tick.serial).collect::<Vec<_>>(), due);
        }
    }
}
