//! The table of sites: the name of each fault, its effect, and the amounts that are drawn for a run.

use std::fmt;

/// What a site acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// The way of the audio to the engine.
    Network,
    /// The audio itself, and who sends it.
    Sender,
    /// Who comes and goes, and who reads.
    Churn,
    /// The slow models.
    Services,
    /// Control messages.
    Control,
    /// The engine's own conditions.
    Engine,
}

impl Group {
    /// The word in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Sender => "sender",
            Self::Churn => "churn",
            Self::Services => "services",
            Self::Control => "control",
            Self::Engine => "engine",
        }
    }
}

/// The unit of a site's amount; also the name of its field in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Milliseconds.
    Ms,
    /// Parts per million.
    Ppm,
    /// A factor.
    Factor,
    /// Sample frames.
    Frames,
    /// Packets.
    Packets,
    /// Characters of text.
    Characters,
}

impl Unit {
    /// The word in tables and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ms => "ms",
            Self::Ppm => "ppm",
            Self::Factor => "factor",
            Self::Frames => "frames",
            Self::Packets => "packets",
            Self::Characters => "characters",
        }
    }
}

/// From the first to the second, both possible.
pub type Span = (f64, f64);

/// An amount of a site.
#[derive(Clone, Copy, Debug)]
pub struct Amount {
    /// In what it is measured.
    pub unit: Unit,
    /// What makes sense.
    pub within: Span,
    /// What `chaos` draws from.
    pub drawn: Span,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The site of this row.
    pub site: Site,
    /// Its name in tables and files.
    pub name: &'static str,
    /// What it acts on.
    pub group: Group,
    /// What of how many goes wrong, and what `chaos` draws that share from; `None`: all, whenever it is on.
    pub ratio: Option<Span>,
    /// Range of the amount.
    pub amount: Option<Amount>,
    /// The effect in words.
    pub what: &'static str,
}

macro_rules! sites {
    ($($site:ident $name:literal $group:ident [$($ratio:expr)?] [$($unit:ident $within:expr, $drawn:expr)?] $what:literal;)*) => {
        /// A place where something can go wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Site {
            $(#[doc = $what] $site,)*
        }

        /// All sites, in the order of their discriminants.
        pub const ROWS: &[Row] = &[$(Row {
            site: Site::$site,
            name: $name,
            group: Group::$group,
            ratio: sites!(@some $($ratio)?),
            amount: sites!(@amount $($unit $within, $drawn)?),
            what: $what,
        },)*];
    };
    (@some) => { None };
    (@some $ratio:expr) => { Some($ratio) };
    (@amount) => { None };
    (@amount $unit:ident $within:expr, $drawn:expr) => {
        Some(Amount { unit: Unit::$unit, within: $within, drawn: $drawn })
    };
}

sites! {
    Delay "delay" Network [] [Ms (0.0, 10_000.0), (1.0, 400.0)]
        "every packet takes this long on average; constant, gamma or one of two times";
    Jitter "jitter" Network [] [Ms (0.0, 10_000.0), (1.0, 60.0)]
        "every packet takes up to this much longer";
    Stall "stall" Network [(0.001, 0.02)] [Ms (1.0, 10_000.0), (20.0, 500.0)]
        "nothing arrives for up to this long, then all at once; share of packets that begin it";
    Loss "loss" Network [(0.005, 0.2)] []
        "packets never arrive, each for itself";
    LossBursts "loss_bursts" Network [(0.002, 0.05)] [Packets (1.0, 1_000.0), (2.0, 20.0)]
        "so many packets in a row never arrive, on average (Gilbert and Elliott); share of packets that begin it";
    Duplicate "duplicate" Network [(0.005, 0.05)] []
        "packets arrive twice";
    Reorder "reorder" Network [(0.01, 0.1)] [Ms (1.0, 10_000.0), (5.0, 60.0)]
        "packets are held back this long, later ones overtake them";
    Truncated "truncated" Sender [(0.01, 0.1)] []
        "packets arrive without their end";
    Malformed "malformed" Sender [(0.01, 0.1)] []
        "empty pushes, and half sample frames where there are two channels";
    Oversized "oversized" Sender [(0.002, 0.02)] []
        "pushes of more than a second, and blocks of more than 20 ms";
    FormatAtOpen "format_at_open" Sender [(0.05, 0.4)] []
        "sessions are opened with another rate or channel count than the scene's, good ones and impossible ones";
    FormatInPush "format_in_push" Sender [(0.01, 0.1)] []
        "packets hold the samples of another rate or channel count than the session's";
    Stamps "stamps" Sender [(0.3, 1.0)] []
        "callers stamp their packets with media time, so that the engine sees what is missing";
    TimestampJumps "timestamp_jumps" Sender [(0.002, 0.03)] [Ms (0.0, 3_600_000.0), (1.0, 5_000.0)]
        "packets are stamped with a time up to this far off, forwards or backwards";
    ClockSkew "clock_skew" Sender [] [Ppm (-100_000.0, 100_000.0), (-200.0, 200.0)]
        "the sender's clock runs fast or slow";
    ClockSteps "clock_steps" Sender [(0.001, 0.01)] [Ms (0.0, 10_000.0), (1.0, 500.0)]
        "the sender's clock is set forwards or backwards by up to this much";
    NonFinite "non_finite" Sender [(0.01, 0.2)] []
        "packets hold NaN, infinities and denormal numbers";
    ChunkSizes "chunk_sizes" Sender [] [Frames (1.0, 4_096.0), (1.0, 4_096.0)]
        "packets of 1 to this many sample frames";
    JoinLate "join_late" Churn [] [Ms (0.0, 3_600_000.0), (10.0, 10_000.0)]
        "callers come up to this much after the start";
    Leave "leave" Churn [(0.01, 0.2)] []
        "callers leave, and come again later; share of them a second";
    Rejoin "rejoin" Churn [(0.2, 1.0)] []
        "who leaves comes again at once and under the same name; share of those who leave";
    LeaveInSpeech "leave_in_speech" Churn [(0.05, 0.4)] []
        "callers hang up when a segment has just been opened, before it is decided; share of segments";
    DropHandle "drop_handle" Churn [(0.1, 0.6)] []
        "hosts drop the session without a word; share of those who leave";
    SlowHost "slow_host" Churn [(0.1, 0.6)] [Ms (1.0, 60_000.0), (20.0, 2_000.0)]
        "hosts look for output only so often; share of sessions";
    ServiceSlow "service_slow" Services [(0.05, 0.6)] [Factor (1.0, 1_000.0), (2.0, 100.0)]
        "calls take up to this many times as long";
    ServiceFails "service_fails" Services [(0.02, 0.3)] []
        "calls fail when their answer is due";
    ServiceHangs "service_hangs" Services [(0.01, 0.1)] [Ms (1.0, 600_000.0), (500.0, 20_000.0)]
        "calls give nothing, ever; the scene's `timeout_ms` is this long";
    ServicePanics "service_panics" Services [(0.005, 0.05)] []
        "calls have their service panic: all its calls fail, and it is made anew";
    ServiceCrashes "service_crashes" Services [(0.02, 0.3)] [Ms (1.0, 600_000.0), (20.0, 3_000.0)]
        "services lose all their work and are gone for up to this long; chance in a second";
    Controls "controls" Control [(0.002, 0.1)] []
        "hosts send control messages, sensible and senseless; share of ticks";
    ControlLost "control_lost" Control [(0.05, 0.5)] []
        "control messages never arrive, from hosts and over a simulated link";
    ControlTwice "control_twice" Control [(0.05, 0.5)] []
        "control messages arrive twice";
    ControlLate "control_late" Control [(0.05, 0.5)] [Ms (1.0, 60_000.0), (5.0, 400.0)]
        "control messages arrive this much late, behind later ones";
    QueueCapacity "queue_capacity" Engine [(0.1, 0.6)] []
        "queues hold 1 frame, or the least that the scene allows; share of nodes";
    TickOverrun "tick_overrun" Engine [(0.002, 0.05)] [Ms (1.0, 60_000.0), (5.0, 500.0)]
        "a tick comes up to this much late";
    Mute "mute" Sender [(0.001, 0.01)] [Ms (1.0, 60_000.0), (200.0, 5_000.0)]
        "the microphone delivers nothing for up to this long, in a word too; share of packets that begin it";
    OpenInTick "open_in_tick" Churn [(0.2, 1.0)] [Ms (0.0, 1_000.0), (20.0, 1_000.0)]
        "sessions are opened in the middle of a tick, and send up to this much at once there; share of openings";
    HostileText "hostile_text" Services [(0.05, 0.5)] [Characters (1.0, 65_536.0), (16.0, 4_096.0)]
        "what is heard and answered is no prose: quotes, brackets, abbreviations, emoji, no end, one word; share of texts";
    Numbers "numbers" Engine [(0.02, 0.3)] []
        "numbers of the scene are set to an end of what it allows; share of them";
    Say "say" Control [(0.001, 0.01)] [Characters (0.0, 16_384.0), (4.0, 160.0)]
        "hosts have lines said, texts of up to this length and recordings, of any rank and manner; share of ticks";
    Typed "typed" Control [(0.001, 0.01)] [Characters (0.0, 16_384.0), (4.0, 160.0)]
        "hosts send texts of up to this length in the caller's name, and ask for answers without words; share of ticks";
    GateMode "gate_mode" Control [(0.001, 0.02)] []
        "hosts hold the gate open or shut, let go of it, end turns and discard what was said; share of ticks";
    Interrupt "interrupt" Control [(0.001, 0.01)] []
        "hosts interrupt what is said, softly or all of it; share of ticks";
    Params "params" Control [(0.001, 0.02)] []
        "hosts change parameters of the session, also to what no service understands; share of ticks";
    Heard "heard" Control [(0.002, 0.1)] [Ms (1.0, 3_600_000.0), (20.0, 20_000.0)]
        "hosts report positions of up to this much, also backwards and of other turns; share of ticks";
    Split "split" Churn [(0.2, 1.0)] [Frames (1.0, 48_000.0), (1.0, 9_600.0)]
        "sessions are split: callbacks push and read 1 to this many sample frames at once; share of sessions";
    StopReading "stop_reading" Churn [(0.0005, 0.005)] [Ms (1.0, 60_000.0), (50.0, 3_000.0)]
        "hosts read no audio, no events or neither for up to this long; share of ticks that begin it";
    NodePanics "node_panics" Engine [(0.005, 0.1)] []
        "a node panics in the middle of a session, which ends with that; share of sessions, for each node that handles frames one by one";
}

/// How many sites there are.
pub const SITES: usize = ROWS.len();

impl Site {
    /// Its row of the table.
    pub fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }

    /// The site of this name.
    pub fn named(name: &str) -> Option<Self> {
        ROWS.iter().find(|row| row.name == name).map(|row| row.site)
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().name)
    }
}

/// How often each site struck.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally([u64; SITES]);

impl Default for Tally {
    fn default() -> Self {
        Self([0; SITES])
    }
}

impl Tally {
    /// Counts one strike.
    pub fn add(&mut self, site: Site) {
        self.add_many(site, 1);
    }

    /// `count` times more.
    pub fn add_many(&mut self, site: Site, count: u64) {
        self.0[site as usize] += count;
    }

    /// How often a site struck.
    pub fn of(&self, site: Site) -> u64 {
        self.0[site as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_site_has_its_row_its_name_and_ranges_that_make_sense() {
        for (at, row) in ROWS.iter().enumerate() {
            assert_eq!((row.site as usize, row.site.row().name), (at, row.name));
            assert_eq!(Site::named(row.name), Some(row.site));
            let ratio = row.ratio.unwrap_or_default();
            assert!(0.0 <= ratio.0 && ratio.0 <= ratio.1 && ratio.1 <= 1.0, "{}: {ratio:?}", row.name);
            if let Some(Amount { within, drawn, .. }) = row.amount {
                let ordered = within.0 <= drawn.0 && drawn.0 <= drawn.1 && drawn.1 <= within.1;
                assert!(ordered, "{}: {within:?} {drawn:?}", row.name);
            }
        }
    }
}
