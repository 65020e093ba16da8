//! Deliberate breaks of the engine, one and more for each invariant, so that every checker can be seen to fail.
//!
//! Without the feature `mutations` nothing can switch one on, and the questions for them compile to nothing.

/// A deliberate break. Each says what goes wrong; `docs/invariants.md` says which checker must notice.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// Every 16th frame is counted as arrived and put nowhere.
    LoseFrame,
    /// Every 16th frame is sent and never arrives.
    LoseOnEdge,
    /// Every released block lacks its last sample.
    CutBlock,
    /// A segment is confirmed twice.
    ConfirmTwice,
    /// A segment that was none is never cancelled in the log.
    ForgetCancel,
    /// What was taken back stays in the queues and leaves.
    ReleaseVoid,
    /// Queues hold four times what the scene allows.
    WidenQueue,
    /// Full queues drop at the wrong end, and those that should make their senders wait drop.
    DropOther,
    /// Every fourth frame overtakes those that wait before it.
    Overtake,
    /// A cancellation that came from elsewhere is acknowledged and does nothing.
    ForgetMessage,
    /// A cancellation that came from elsewhere takes effect twice.
    RepeatEffect,
    /// Calls are logged as submitted a second before they were.
    Backdate,
    /// Calls wait in front of services that would take them.
    Dawdle,
    /// Batches take twice what the policy allows.
    OverfillBatch,
    /// Batches go long after they are due.
    OversleepBatch,
    /// Resamplers keep the end of a stream.
    DropTail,
    /// Blocks do not go back to the pool.
    LeakBlock,
    /// Sessions that are over leave an entity behind.
    LeakEntity,
    /// Samples that are no numbers silence what arrives after them, whoever sent it.
    SpreadPoison,
    /// Detectors look at how many sessions their shard has.
    CountShard,
    /// Gates wait for ever for a microphone that delivers nothing.
    AwaitMicrophone,
    /// Some waiting times are in no histogram.
    SkipRecord,
    /// One arrival in 64 is thrown away at the edge before anything counts it.
    LoseAtEdge,
    /// Senders get the credit of an arrival back twice.
    CreditTwice,
    /// What comes for a session that the next tick admits is thrown away.
    ForgetAhead,
    /// What waited for its session to be admitted keeps its credit.
    KeepCredit,
    /// Hosts are woken for audio before it is there.
    WakeEarly,
    /// Shards forget what came in while they were taking in.
    DeafShard,
    /// Audio leaves while exactly the lead is unheard, a block too early.
    StretchLead,
    /// What stands outside a full queue never gets in.
    StandOutside,
    /// Speech interrupts a detector's hop of 32 ms later than the scene says.
    InterruptLate,
    /// The waiting times of calls are counted half.
    HalveWait,
    /// Batches go 15 ms before they are due.
    HurryBatch,
    /// Text waits for the ear as if nothing of its answer had been played.
    ForgetPlayed,
    /// What a full queue drops is counted and in no log.
    HideDrop,
    /// One frame in 16 is taken from its queue, counted as used up, and sent nowhere.
    SwallowFrame,
    /// The latencies of services are counted half.
    HalveLatency,
    /// The delay of forwarded audio is counted half.
    HalveDelay,
}
