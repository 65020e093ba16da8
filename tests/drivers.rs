//! The loops that tick an engine, in virtual time: deadlines that do not drift, bounded catching up, and a loop that
//! wakes for whoever arrives, for services and for its heartbeat.

#[path = "support/kinds/ask.rs"]
mod ask;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;

use mynah_engine::driver::{Clock, run};
use mynah_engine::observe::Census;
use mynah_engine::scene::{Source, compile};
use mynah_engine::{Driver, Engine, EngineConfig, Pacing, SessionHandle, SessionSpec};

/// The world outside the loop: what time it is, who pushes when, and how exactly the loop is woken.
struct Outside {
    now_us: u64,
    /// Audio that arrives, ascending.
    pushes_us: VecDeque<u64>,
    session: SessionHandle,
    /// Every sleep takes this much too long.
    oversleep_us: u64,
}

impl Outside {
    fn push_due(&mut self) -> bool {
        let due = self.pushes_us.front().is_some_and(|at| *at <= self.now_us);
        if due {
            self.pushes_us.pop_front();
            self.session.try_push(&[0.1; 320]).expect("20 ms fit");
        }
        due
    }

    /// Time goes on to `until_us`; with `wake` only to the moment at which the bell rings.
    fn pass(&mut self, until_us: u64, wake: bool) {
        while let Some(at) = self.pushes_us.front().copied().filter(|at| *at <= until_us) {
            self.now_us = self.now_us.max(at);
            self.push_due();
            if wake {
                return;
            }
        }
        self.now_us = self.now_us.max(until_us) + self.oversleep_us;
        while self.push_due() {}
    }
}

struct VirtualClock(Rc<RefCell<Outside>>);

impl Clock for VirtualClock {
    fn now_us(&mut self) -> u64 {
        self.0.borrow().now_us
    }
    fn sleep_until(&mut self, until_us: u64) {
        self.0.borrow_mut().pass(until_us, false);
    }
    fn wait_until(&mut self, until_us: u64) {
        self.0.borrow_mut().pass(until_us, true);
    }
}

/// What a loop did: when it ticked, how late, and the engine after it.
struct Course {
    ticks_us: Vec<u64>,
    late_us: Vec<u64>,
    pacing: Pacing,
    engine: Engine,
}

/// Runs `driver` for `ticks` ticks. `cost_us(n)` is how long tick `n` (from 0) takes.
fn drive(
    driver: Driver,
    ticks: usize,
    oversleep_us: u64,
    pushes_us: &[u64],
    cost_us: impl Fn(usize) -> u64,
) -> Course {
    drive_from((ask::SCENE, 0), driver, ticks, oversleep_us, pushes_us, cost_us)
}

/// The same with a scene of its own, and a clock that has run for a while.
fn drive_from(
    (scene, started_us): (&str, u64),
    driver: Driver,
    ticks: usize,
    oversleep_us: u64,
    pushes_us: &[u64],
    cost_us: impl Fn(usize) -> u64,
) -> Course {
    let source = Source::new("asking.ron", scene);
    let (plan, _) = compile(&source, &[], None, &ask::registry()).expect("the scene is right");
    let mut engine = Engine::new(Arc::new(plan), EngineConfig::simulated());
    let handle = engine.handle();
    let session = handle.open(SessionSpec::named("caller")).expect("there is room");
    // Opening rang the bell; that is not what is tested here.
    handle.bell().answer();
    let pushes_us = pushes_us.iter().copied().collect();
    let outside = Outside { now_us: started_us, pushes_us, session, oversleep_us };
    let outside = Rc::new(RefCell::new(outside));
    let (mut ticks_us, mut late_us) = (Vec::new(), Vec::new());
    let pacing = run(&mut engine, driver, &mut VirtualClock(Rc::clone(&outside)), &mut |engine, late| {
        ticks_us.push(engine.now_us());
        late_us.push(late);
        let mut outside = outside.borrow_mut();
        let done_us = outside.now_us + cost_us(ticks_us.len() - 1);
        outside.now_us = done_us;
        while outside.push_due() {}
        if ticks_us.len() == ticks { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    Course { ticks_us, late_us, pacing, engine }
}

fn fixed(period_ms: u64, catch_up_max: u32) -> Driver {
    Driver::Fixed { period_us: period_ms * 1_000, catch_up_max }
}

fn on_ingress(heartbeat_us: u64, min_gap_us: u64) -> Driver {
    Driver::WakeOnIngress { heartbeat_us, min_gap_us }
}

#[test]
fn fixed_deadlines_are_absolute() {
    // Each sleep is 0.7 ms too long and each tick takes 3 ms: no error adds up.
    let course = drive(fixed(10, 4), 500, 700, &[], |_| 3_000);
    let want: Vec<u64> = (1..=500).map(|n| n * 10_000 + 700).collect();
    assert_eq!(course.ticks_us, want);
    assert_eq!(course.pacing, Pacing { ticks: 500, skipped: 0, late_max_us: 700 });
}

#[test]
fn an_overrun_is_caught_up_within_the_bound_and_the_rest_is_counted() {
    // The third tick (at 30 ms) takes 100 ms and ends at 130 ms. The one due at 40 ms follows late, those due from
    // 50 to 120 ms are caught up with or skipped, and the one due at 130 ms is on time.
    for (catch_up_max, skipped) in [(0, 8), (2, 6), (4, 4), (100, 0)] {
        let course = drive(fixed(10, catch_up_max), 40, 0, &[], |n| if n == 2 { 100_000 } else { 0 });
        let at_once = course.ticks_us.iter().filter(|at| **at == 130_000).count();
        let want = 10 - skipped as usize;
        assert_eq!(at_once, want, "catch_up_max {catch_up_max}: {:?}", course.ticks_us);
        assert_eq!(course.pacing.skipped, skipped, "catch_up_max {catch_up_max}");
        assert_eq!(course.ticks_us[2 + want + 1], 140_000, "back on the grid");
        let periods = course.ticks_us.last().expect("40 ticks") / 10_000;
        assert_eq!(course.pacing.ticks + skipped, periods, "each period had its tick or is counted");
        assert_eq!(course.pacing.late_max_us, 90_000, "catch_up_max {catch_up_max}");
    }
}

#[test]
fn without_arrivals_the_heart_beats() {
    let course = drive(on_ingress(5_000, 0), 20, 0, &[], |_| 0);
    let want: Vec<u64> = (1..=20).map(|n| n * 5_000).collect();
    assert_eq!(course.ticks_us, want);
    assert_eq!(course.late_us, [0; 20]);
}

#[test]
fn an_arrival_wakes_the_loop_at_once() {
    let course = drive(on_ingress(500_000, 0), 4, 0, &[1_234, 9_000, 9_100], |_| 0);
    assert_eq!(course.ticks_us[..3], [1_234, 9_000, 9_100]);
    assert_eq!(course.late_us, [0; 4], "woken early is not late");
}

#[test]
fn an_arrival_during_a_tick_is_taken_by_the_next_one_without_waiting() {
    // The first tick runs from 1.0 to 7.0 ms; audio comes at 2.0 ms and nothing else does.
    let course = drive(on_ingress(500_000, 0), 2, 0, &[1_000, 2_000], |n| if n == 0 { 6_000 } else { 0 });
    assert_eq!(course.ticks_us, [1_000, 7_000]);
    assert_eq!(course.engine.census(&mut Census::default()).edge.blocks, 2);
}

#[test]
fn the_longer_ticks_take_the_more_arrivals_share_one_up_to_5_ms() {
    let pushes: Vec<u64> = (1..=100).map(|n| n * 300).collect();
    for (cost_us, gap_us) in [(0, 300), (10, 300), (100, 1_600), (300, 4_800), (1_000, 5_000), (4_000, 5_000)]
    {
        let course = drive(on_ingress(500_000, 0), 4, 0, &pushes, |_| cost_us);
        let gaps: Vec<u64> = course.ticks_us.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(gaps, [gap_us; 3], "ticks of {cost_us} us");
    }
    // A heartbeat that is shorter wins, and so does a gap that is longer.
    let gap =
        |driver| drive(driver, 3, 0, &pushes, |_| 300).ticks_us.windows(2).map(|t| t[1] - t[0]).next_back();
    assert_eq!((gap(on_ingress(2_000, 0)), gap(on_ingress(500_000, 6_000))), (Some(2_000), Some(6_000)));
}

#[test]
fn the_gap_bounds_the_ticks_and_gathers_what_arrives_meanwhile() {
    let pushes: Vec<u64> = (1..=20).map(|n| n * 300).collect();
    let course = drive(on_ingress(500_000, 2_000), 3, 0, &pushes, |_| 0);
    // The engine's start at 0 counts as the tick before the first.
    assert_eq!(course.ticks_us, [2_000, 4_000, 6_000]);
    assert_eq!(course.engine.census(&mut Census::default()).edge.blocks, 20, "six, seven, seven");
}

#[test]
fn the_loop_wakes_when_a_service_is_due() {
    // Asked at 3.0 ms, answered 12 ms later; the heartbeat is half a second away.
    let course = drive(on_ingress(500_000, 0), 3, 0, &[3_000], |_| 0);
    let answered_us = 3_000 + ask::LATENCY_US;
    assert_eq!(course.ticks_us, [3_000, answered_us, answered_us + 500_000]);
    // And late is what comes after that time.
    let course = drive(on_ingress(500_000, 0), 2, 250, &[3_000], |_| 0);
    assert_eq!((course.ticks_us[1], course.late_us[1]), (answered_us + 250, 250));
    assert_eq!(course.pacing.late_max_us, 250);
}

#[test]
fn what_is_ready_at_once_makes_no_tick_late() {
    let mut failed = Vec::new();
    // The clock may have run for a while when the loop begins. Asked 3 ms later, the service has its answer at once, and
    // says that it was due at the start of time, some time ago, or now.
    for (started_us, ago_us) in [(0, 3_000), (0, 1), (0, 0), (13_400_000, 13_403_000), (13_400_000, 3_001)] {
        let asked_us = started_us + 3_000;
        let config = format!("Stubborn(latency_us: 0, announced_us: {})", asked_us - ago_us);
        let scene = ask::SCENE.replace("Stubborn", &config);
        // How long ticks take, how far every sleep overshoots: when the answer comes, and how late that is.
        for (cost_us, oversleep_us, answered_us, late_us) in [
            (0, 0, asked_us, 0),
            (0, 250, asked_us + 250, 250),
            (200, 0, asked_us + 3_200, 0),
            (20_000, 0, asked_us + 20_000, 0),
        ] {
            let (on, of) = (on_ingress(500_000, 0), (&*scene, started_us));
            let course = drive_from(of, on, 2, oversleep_us, &[asked_us], |_| cost_us);
            let seen = (course.ticks_us, course.late_us);
            if seen != (vec![asked_us, answered_us], vec![0, late_us]) {
                let case = format!("asked at {asked_us}, due {ago_us} us before, ticks of {cost_us} us");
                failed.push(format!("{case}, {oversleep_us} us over: {seen:?}"));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn lateness_is_what_is_over_deadline_and_gap() {
    // Asked at 3 ms and due 12 ms later, while the tick takes 30 ms and the next one keeps 5 ms from its beginning.
    let course = drive(on_ingress(500_000, 0), 2, 0, &[3_000], |n| if n == 0 { 30_000 } else { 0 });
    assert_eq!((course.ticks_us, course.late_us), (vec![3_000, 33_000], vec![0, 30_000 - ask::LATENCY_US]));
    // A heartbeat after a clock that has run for an hour is on time, the first one, too.
    let hour_us = 3_600_000_000;
    let course = drive_from((ask::SCENE, hour_us), on_ingress(5_000, 0), 3, 0, &[], |_| 0);
    assert_eq!(course.ticks_us, [hour_us + 5_000, hour_us + 10_000, hour_us + 15_000]);
    assert_eq!(course.late_us, [0; 3]);
}
