//! Deliberate breaks of the engine, at least one for each invariant, so that every checker can be seen to fail.
//!
//! Without the feature `mutations` no break can be switched on, and the checks for breaks compile to nothing.

/// A deliberate break. Each variant says what goes wrong; `docs/invariants.md` says which checker must notice.
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
    /// The cancellation of a segment that was no speech is missing from the log.
    ForgetCancel,
    /// Cancelled frames stay in the queues and are released.
    ReleaseVoid,
    /// Queues hold four times what the scene allows.
    WidenQueue,
    /// Full queues drop at the wrong end, and full queues that should block drop.
    DropOther,
    /// Every fourth frame overtakes those that wait before it.
    Overtake,
    /// A cancellation from another engine is acknowledged and does nothing.
    ForgetMessage,
    /// A cancellation from another engine takes effect twice.
    RepeatEffect,
    /// Calls are logged as submitted a second before they were.
    Backdate,
    /// Calls wait although their service would take them.
    Dawdle,
    /// Batches take twice what the policy allows.
    OverfillBatch,
    /// Batches go long after they are due.
    OversleepBatch,
    /// Resamplers keep the end of a stream.
    DropTail,
    /// Blocks do not go back to the pool.
    LeakBlock,
    /// Closed sessions leave an entity behind.
    LeakEntity,
    /// Samples that are not finite silence what arrives after them, whoever sent it.
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
    /// Arrivals for a session that the next tick admits are thrown away.
    ForgetAhead,
    /// Arrivals that waited for their session to be admitted keep their credit.
    KeepCredit,
    /// Hosts are woken for audio before it is there.
    WakeEarly,
    /// Shards forget arrivals that came while they were taking in others.
    DeafShard,
    /// Audio leaves while exactly the lead is unheard, a block too early.
    StretchLead,
    /// Frames that are stalled before a full queue never get in.
    StandOutside,
    /// Speech interrupts a detector's hop of 32 ms later than the scene says.
    InterruptLate,
    /// The waiting times of calls are counted half.
    HalveWait,
    /// Batches go 15 ms before they are due.
    HurryBatch,
    /// Text waits for the ear as if nothing of its answer had been played.
    ForgetPlayed,
    /// Frames that a full queue drops are counted, but not logged.
    HideDrop,
    /// One frame in 16 is taken from its queue, counted as consumed, and sent nowhere.
    SwallowFrame,
    /// The latencies of services are counted half.
    HalveLatency,
    /// The delay of forwarded audio is counted half.
    HalveDelay,
    /// Lines that waited are spoken again and again.
    SayTwice,
    /// Speech pauses and withdraws lines that must not be interrupted.
    CutDeaf,
    /// The ends of lines are missing from the log.
    HushLine,
    /// Calls wait for ever for a service that does not answer.
    AwaitService,
    /// Services are not told of segments that were cancelled before anybody asked about them.
    ForgetHeard,
    /// A panic in a node takes the next lane's session, too.
    TearNeighbour,
    /// Sessions remember the words of an end that was retracted.
    RememberRetracted,
    /// Sessions remember all the words of which some were heard.
    RememberUnheard,
}
