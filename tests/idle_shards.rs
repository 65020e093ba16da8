//! A shard in which nothing is under way takes no part in ticks, and nobody can tell: not from what comes out, not from
//! when.
#![allow(unused_crate_dependencies, reason = "they are those of the package")]

#[path = "support/host.rs"]
mod host;
#[path = "support/white.rs"]
mod white;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use host::{Host, plan};
use mynah_engine::record::Stopwatch;
use mynah_engine::{Control, ControlIn, EngineConfig, Event, Out, SessionHandle, SessionSpec};
use white::White;

/// Of a shard; sessions from here on are in the second one.
const RUN: usize = 32;

/// Counts how often one shard begins half a tick.
struct Halves(Arc<AtomicU64>);

impl Stopwatch for Halves {
    fn start(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
    fn lap(&mut self, _: usize) {}
    fn totals_ns(&self) -> &[u64] {
        &[]
    }
}

struct Room {
    host: Host,
    handles: Vec<Option<SessionHandle>>,
    halves: Vec<Arc<AtomicU64>>,
}

impl Room {
    fn new(scene: &str) -> Self {
        let config = EngineConfig { sessions_max: 64, ..EngineConfig::simulated() };
        let mut host = Host::of(plan(scene, &[]), config);
        let mut halves = Vec::new();
        host.engine.lend_stopwatches(|| {
            halves.push(Arc::default());
            Box::new(Halves(Arc::clone(&halves[halves.len() - 1])))
        });
        let spec = |at| SessionSpec { controls: true, ..SessionSpec::named(format!("caller-{at}")) };
        let handles = (0..2 * RUN).map(|at| Some(host.open(spec(at)))).collect();
        Self { host, handles, halves }
    }

    fn begun(&self, shard: usize) -> u64 {
        self.halves[shard].load(Ordering::Relaxed)
    }

    fn outputs(&self, session: usize) -> Vec<Out> {
        let handle = self.handles[session].as_ref().expect("its host is there");
        std::iter::from_fn(|| handle.poll()).collect()
    }

    fn speak(&self, session: usize, samples: &[f32]) {
        self.handles[session]
            .as_ref()
            .expect("its host is there")
            .try_push(samples)
            .expect("there is credit");
    }

    /// Until nothing more can happen by itself: a second after its last tick a shard takes one more, to give memory back.
    fn fall_asleep(&mut self) {
        self.host.ticks(500);
        for session in 0..self.handles.len() {
            if self.handles[session].is_some() {
                self.outputs(session);
            }
        }
        let before = (self.begun(0), self.begun(1));
        self.host.ticks(100);
        assert_eq!((self.begun(0), self.begun(1)), before, "both shards rest");
    }
}

#[test]
fn audio_of_one_caller_wakes_her_shard_alone_and_comes_out_in_the_same_tick() {
    let mut room = Room::new("passthrough");
    room.fall_asleep();
    let before = (room.begun(0), room.begun(1));
    room.speak(RUN + 3, &[0.25; 320]);
    room.host.tick();
    let [Out::Audio(audio)] = &room.outputs(RUN + 3)[..] else { panic!("one block goes in and comes out") };
    assert_eq!((audio.block.samples(), audio.released_us), (&[0.25; 320][..], room.host.now_us()));
    assert_eq!(room.begun(0), before.0, "nobody spoke there");
    assert_eq!(room.begun(1), before.1 + 2, "both halves");
    room.fall_asleep();
}

#[test]
fn a_host_that_hangs_up_or_says_something_is_heard_in_the_next_tick() {
    let mut room = Room::new("gate_only");
    room.fall_asleep();
    room.handles[RUN + 1] = None;
    let message = ControlIn { message_id: 7, control: Control::CancelAnswer { turn: 1 } };
    room.handles[2].as_ref().expect("her host is there").control(message).expect("there is room");
    room.host.tick();
    let closed = room.host.engine.records().iter().filter(|record| record.event == Event::SessionClosed);
    assert_eq!(closed.map(|record| record.session.0 as usize).collect::<Vec<_>>(), [RUN + 1]);
    assert!(
        matches!(room.outputs(2)[..], [Out::Control(Control::Applied { message_id: 7 })]),
        "what was said has been worked off"
    );
    room.fall_asleep();
}

#[test]
fn who_comes_into_a_shard_that_rests_lives_from_the_next_tick_on() {
    let mut room = Room::new("gate_only");
    room.fall_asleep();
    let loud: Vec<f32> = White::default().take(160).map(|sample| sample / 2.0).collect();
    // Half a frame of the detector and no more: the rest may come at any time, and nothing happens until it does.
    room.speak(0, &loud);
    room.fall_asleep();
    let opened = room.host.engine.handle().open(SessionSpec::named("late")).err();
    assert!(opened.is_some(), "all places are taken");
    room.handles[0] = None;
    room.host.tick();
    let late = room.host.open(SessionSpec::named("late"));
    late.try_push(&[0.0; 320]).expect("there is credit");
    room.host.tick();
    assert!(
        room.host.engine.records().iter().any(|record| record.event == Event::SessionOpened),
        "it lives at once"
    );
}
