//! Recordings through a scene in virtual time, by the functions behind `mynah run`, with everything that comes of it
//! kept: events, released audio, the engine's counts. A session may hang up at any moment.

use std::sync::Arc;

use mynah_engine::observe::Census;
use mynah_engine::scene::{Format, Override};
use mynah_engine::{Engine, EngineConfig, Event, Out, Record, ScenePlan, SessionSpec};
use mynah_load::chunk::{ChunkSpec, Chunks};
use mynah_load::wav::Recording;
use mynah_sim::run::feed::Feed;
use mynah_sim::scenes;
use mynah_systems::service::Script;
use xxhash_rust::xxh3::Xxh3;

/// Engine time after the last sample within which every session must have closed.
const PATIENCE_US: u64 = 120_000_000;

/// One session's input.
#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) audio: Arc<Recording>,
    pub(crate) chunks: ChunkSpec,
    /// When it hangs up, in engine time; `None`: its input ends with its audio.
    pub(crate) hang_up_us: Option<u64>,
}

impl Part {
    pub(crate) fn new(name: impl Into<String>, rate: u32, samples: Vec<f32>) -> Self {
        let audio = Arc::new(Recording { rate, channels: 1, samples });
        Self { name: name.into(), audio, chunks: ChunkSpec::Time(20_000), hang_up_us: None }
    }

    pub(crate) fn in_chunks(self, chunks: ChunkSpec) -> Self {
        Self { chunks, ..self }
    }

    pub(crate) fn hanging_up_at(self, us: u64) -> Self {
        Self { hang_up_us: Some(us), ..self }
    }

    pub(crate) fn format(&self) -> Format {
        Format { rate_hz: self.audio.rate, channels: self.audio.channels as u8 }
    }
}

/// A released block.
#[derive(Clone, Debug)]
pub(crate) struct Released {
    pub(crate) segment: u32,
    pub(crate) revision: u32,
    pub(crate) pts_us: u64,
    pub(crate) released_us: u64,
    pub(crate) samples: Vec<f32>,
}

/// What came of one session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) records: Vec<Record>,
    pub(crate) audio: Vec<Released>,
    pub(crate) samples_pushed: u64,
}

impl Outcome {
    pub(crate) fn events(&self) -> impl Iterator<Item = (u64, &Event)> {
        self.records.iter().map(|record| (record.t_us, &record.event))
    }

    /// Hash of every released sample with its origin.
    pub(crate) fn audio_hash(&self) -> u64 {
        let mut hash = Xxh3::new();
        for block in &self.audio {
            hash.update(format!("{} {} {}", block.segment, block.revision, block.pts_us).as_bytes());
            for sample in &block.samples {
                hash.update(&sample.to_le_bytes());
            }
        }
        hash.digest()
    }

    /// Samples released for one (segment, revision), in order.
    pub(crate) fn released(&self, segment: u32, revision: u32) -> Vec<f32> {
        let mine = self.audio.iter().filter(|b| (b.segment, b.revision) == (segment, revision));
        mine.flat_map(|block| block.samples.iter().copied()).collect()
    }
}

/// A whole run.
pub(crate) struct Run {
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) census: Census,
    /// Frames that waited at each node at the end.
    pub(crate) queued: Vec<u64>,
    /// Blocks that the pools had made when half of the time was over, and at the end.
    pub(crate) blocks_created: (u64, u64),
}

impl Run {
    /// The nodes at which frames do not add up, in words.
    pub(crate) fn imbalances(&self) -> impl Iterator<Item = String> {
        let wrong = self.census.balances(&self.queued).enumerate().filter(|(_, balance)| !balance.holds());
        wrong.map(|(at, balance)| format!("node {at}: {balance}"))
    }
}

/// A scene with its overrides, ready to be run.
pub(crate) fn compile(
    scene: &str,
    sets: &[&str],
    input: Format,
    script: Option<Arc<dyn Script>>,
) -> Arc<ScenePlan> {
    let sets: Vec<Override> = sets.iter().map(|set| Override::parse(set).expect("a setting")).collect();
    let compiled = scenes::compile(scene, &sets, Some(input), script);
    compiled.unwrap_or_else(|failure| panic!("{scene}: {failure}")).0
}

/// Runs `parts` through `scene` until every session has closed.
pub(crate) fn run(scene: &str, sets: &[&str], parts: &[Part], script: Option<Arc<dyn Script>>) -> Run {
    let plan = compile(scene, sets, parts[0].format(), script);
    let count = parts.len() as u32;
    let shards = Some(count.div_ceil(32));
    let config = EngineConfig { shards, sessions_max: count, ..EngineConfig::simulated() };
    let mut engine = Engine::new(Arc::clone(&plan), config);
    let door = engine.handle();
    let mut feeds: Vec<Feed> = parts
        .iter()
        .zip(0u64..)
        .map(|(part, index)| {
            let spec = SessionSpec { input: Some(part.format()), ..SessionSpec::named(&part.name) };
            let handle = door.open(spec).unwrap_or_else(|error| panic!("{}: {error}", part.name));
            let chunks =
                Chunks::new(part.chunks, part.audio.rate, 1, index).expect("a chunk of a second at most");
            Feed::new(handle, (*part.audio).clone(), chunks)
        })
        .collect();
    let mut outcomes = vec![Outcome::default(); parts.len()];
    let period_us = u64::from(plan.scene.tick.period_ms) * 1_000;
    let end_us = feeds.iter().map(Feed::end_us).max().unwrap_or(0);
    let (mut now_us, mut halfway) = (0, 0);
    while !feeds.iter().all(|feed| feed.handle.is_closed()) {
        assert!(now_us <= end_us + PATIENCE_US, "{scene} {sets:?}: sessions stay open");
        for (feed, part) in feeds.iter_mut().zip(parts) {
            if part.hang_up_us.is_some_and(|us| us <= now_us) {
                feed.handle.close();
            } else {
                feed.push_until(now_us);
            }
        }
        engine.tick(now_us);
        collect(&engine, &feeds, &mut outcomes);
        if now_us * 2 <= end_us {
            halfway = engine.census(&mut Census::default()).blocks_created;
        }
        now_us += period_us;
    }
    for (feed, outcome) in feeds.iter().zip(&mut outcomes) {
        outcome.samples_pushed = feed.frames_pushed() as u64;
    }
    // One more, so that the last session's entities go.
    engine.tick(now_us);
    collect(&engine, &feeds, &mut outcomes);
    let (mut census, mut queued) = (Census::default(), Vec::new());
    engine.census(&mut census);
    engine.queued(&mut queued);
    let blocks_created = (halfway, census.blocks_created);
    Run { outcomes, census, queued, blocks_created }
}

fn collect(engine: &Engine, feeds: &[Feed], outcomes: &mut [Outcome]) {
    for record in engine.records() {
        outcomes[record.session.0 as usize].records.push(record.clone());
    }
    for (feed, outcome) in feeds.iter().zip(outcomes) {
        while let Some(out) = feed.handle.poll() {
            let Out::Audio(audio) = out else { continue };
            outcome.audio.push(Released {
                segment: audio.segment,
                revision: audio.revision,
                pts_us: audio.pts_us,
                released_us: audio.released_us,
                samples: audio.block.samples().to_vec(),
            });
            feed.handle.give_back(audio.block);
        }
    }
}
