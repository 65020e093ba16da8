//! How loud the speaker is, how loud the room, and the gain that follows: once a window of 10 ms, from its peak.

/// Windows a second.
pub(super) const WINDOWS_PER_S: u32 = 100;
/// A window is louder than the room when it is so far above the quietest of the last two seconds: vowels are 15 dB and
/// more above the pauses between words, steady noise varies by 4 dB.
const ABOVE_ROOM_DB: f32 = 10.0;
/// Nothing fainter is taken for speech: with the greatest gain it would still be too faint for a detector.
const FAINTEST_DBFS: f32 = -55.0;
/// Windows that have to be loud, more or less in a row, until it could be speech. A key or a click is over by then.
const SPEECH_WINDOWS: u32 = 5;
/// Share of the way that the speaker's level goes up in a window: three quarters in 60 ms.
const ATTACK: f32 = 0.2;
/// By how much the speaker's level comes down in a window of fainter speech: 6 dB a second of speech.
const DECAY_DB: f32 = 0.06;
/// The speaker is not much louder than is known of him while a window is above it by less than this.
const KNOWN_DB: f32 = 1.0;
/// By how much the gain changes in a window: 200 dB a second, 125 ms for a voice 25 dB too faint. Once the speaker is known
/// it is [`DECAY_DB`] that makes it slow.
const GAIN_STEP_DB: f32 = 2.0;
/// What the room is raised to at most: steady noise that was taken for speech when it began, and a voice that is hardly
/// louder than the room, get no more.
const ROOM_DBFS_MAX: f32 = -36.0;
/// Silence, and what is below any microphone's noise.
const SILENCE_DBFS: f32 = -100.0;

/// The quietest window of the last two seconds: the room between words. In blocks of 250 ms, so that it is cheap.
#[derive(Clone, Copy, Debug)]
struct Room {
    blocks_dbfs: [f32; 8],
    block: usize,
    windows: u32,
}

impl Room {
    const BLOCK_WINDOWS: u32 = WINDOWS_PER_S / 4;

    fn new() -> Self {
        // Loud: the first window sets it.
        Self { blocks_dbfs: [0.0; 8], block: 0, windows: 0 }
    }

    fn hear(&mut self, window_dbfs: f32) {
        if self.windows == Self::BLOCK_WINDOWS {
            self.block = (self.block + 1) % self.blocks_dbfs.len();
            self.blocks_dbfs[self.block] = window_dbfs;
            self.windows = 0;
        }
        self.windows += 1;
        self.blocks_dbfs[self.block] = self.blocks_dbfs[self.block].min(window_dbfs);
    }

    fn dbfs(&self) -> f32 {
        self.blocks_dbfs.iter().copied().fold(0.0, f32::min)
    }
}

/// Levels in dBFS of peaks, gain in dB.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loudness {
    room: Room,
    /// Loud windows of late, up to twice what it takes.
    loud: u32,
    /// `None` until somebody spoke.
    speaker_dbfs: Option<f32>,
    gain_db: f32,
}

impl Loudness {
    pub(super) fn new() -> Self {
        Self { room: Room::new(), loud: 0, speaker_dbfs: None, gain_db: 0.0 }
    }

    /// The gain after a window with this peak (1.0 is full scale), in dB.
    pub(super) fn hear(&mut self, peak: f32, target_dbfs: f32, gain_db_max: f32) -> f32 {
        let window_dbfs = (20.0 * peak.log10()).max(SILENCE_DBFS);
        self.room.hear(window_dbfs);
        let room_dbfs = self.room.dbfs();
        let is_loud = window_dbfs >= FAINTEST_DBFS.max(room_dbfs + ABOVE_ROOM_DB);
        self.loud =
            if is_loud { (self.loud + 1).min(2 * SPEECH_WINDOWS) } else { self.loud.saturating_sub(1) };
        let could_be_speech = is_loud && self.loud >= SPEECH_WINDOWS;
        let mut is_known = false;
        if could_be_speech {
            let speaker_dbfs = self.speaker_dbfs.unwrap_or(window_dbfs);
            let louder_db = window_dbfs - speaker_dbfs;
            is_known = self.speaker_dbfs.is_some() && louder_db < KNOWN_DB;
            let change_db = if louder_db > 0.0 { louder_db * ATTACK } else { louder_db.max(-DECAY_DB) };
            self.speaker_dbfs = Some(speaker_dbfs + change_db);
        }
        let wanted_db = self.speaker_dbfs.map_or(0.0, |speaker_dbfs| target_dbfs - speaker_dbfs);
        let wanted_db = wanted_db.min(gain_db_max).min(ROOM_DBFS_MAX - room_dbfs).max(0.0);
        // More only while somebody speaks, and not while the voice still swells; less at any time.
        let rise_db = if is_known { GAIN_STEP_DB } else { 0.0 };
        self.gain_db += (wanted_db - self.gain_db).clamp(-GAIN_STEP_DB, rise_db);
        self.gain_db
    }
}
