//! `Throttle` takes frames at its rate and no faster; what comes on top waits, and is lost by the queue's policy.

#[path = "support/host.rs"]
mod host;
#[path = "support/kinds/narrator.rs"]
mod narrator;

use host::{Host, faultless, one_shard};
use mynah_engine::scene::{Format, PortType, Source, compile};
use mynah_engine::{DropReason, SessionSpec};
use narrator::Line;

fn host(nodes: &str, edges: &str) -> Host {
    let scene = format!(
        r#"(
            name: "slow",
            session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
            nodes: [{nodes}],
            edges: [{edges}],
        )"#
    );
    Host::of(faultless(&scene, &narrator::registry()), one_shard()).with(SessionSpec::named("ada"))
}

/// A throttle for audio with room for `capacity` frames.
fn audio(per_s: f32, capacity: u32) -> Host {
    let node = format!(
        r#"(id: "slow", kind: Throttle(carries: Audio, per_s: {per_s:?}), capabilities: (queue_capacity: {capacity}))"#
    );
    host(&node, r#"("input", "slow"), ("slow", "output")"#)
}

/// Pushes 20 ms, the `number`th.
fn push(host: &Host, number: usize) {
    host.sessions[0].try_push(&[number as f32 / 1_024.0; 320]).expect("fits");
}

#[test]
fn frames_leave_at_the_rate_without_drift_and_without_a_burst_after_idling() {
    // Frames a second, ticks of so many microseconds: slower and faster than the ticks, whole periods and not.
    for (per_s, tick_us) in [(10.0, 5_000), (3.0, 5_000), (7.0, 20_000), (300.0, 5_000), (999.0, 20_000)] {
        let mut host = audio(per_s, 1_000);
        let mut began_us = 0;
        // The second flock comes after two seconds without any.
        for (flock, from_us) in [(0, 0), (1, 12_000_000)] {
            let mut now_us = from_us;
            while now_us < from_us + 10_000_000 {
                if now_us == from_us {
                    (0..40).for_each(|n| push(&host, n));
                    began_us = now_us;
                }
                host.tick_at(now_us);
                now_us += tick_us;
            }
            let period_us = 1e6 / f64::from(per_s);
            let want = (0..40).map(|n| {
                // Engine and model round to a picosecond in their own ways.
                let due_us = (f64::from(n) * period_us - 1e-3).ceil() as u64;
                began_us + due_us.div_ceil(tick_us) * tick_us
            });
            let want: Vec<u64> = want.filter(|us| *us < from_us + 10_000_000).collect();
            let got: Vec<u64> = host.sounds.drain(..).map(|sound| sound.t_us).collect();
            assert_eq!(got, want, "{per_s} frames a second, flock {flock}");
            if got.len() < 40 {
                break;
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_lost_oldest_first_and_counted() {
    let mut host = audio(10.0, 25);
    // 50 frames a second arrive, 10 are taken: one is taken at once, and 25 wait.
    for n in 0..200 {
        push(&host, n);
        host.tick_at(n as u64 * 20_000);
    }
    let left = host.sounds.iter().map(|sound| (sound.samples[0] * 1_024.0) as usize);
    let numbers: Vec<usize> = left.collect();
    assert_eq!(numbers.len(), 40);
    assert!(numbers.is_sorted() && numbers.windows(2).all(|w| w[1] > w[0]), "{numbers:?}");
    // Whoever is taken in the end has waited its 25 places, at 20 ms each.
    assert!((168..=176).contains(&numbers[39]), "{numbers:?}");
    let census = host.census();
    let node = &census.nodes[0];
    let lost = node.dropped[DropReason::Overflow as usize];
    assert_eq!((node.arrived, node.consumed, host.queued()[0]), (200, 40, 25));
    assert_eq!(lost, 200 - 40 - 25);
    assert_eq!(node.depth_max, 25);
}

#[test]
fn marks_pass_free_when_they_come_to_the_front() {
    let say = |text: &str| Line::Say(1, 1, text.into());
    let lines = [
        (0, say("a")),
        (0, Line::End(1, 1)),
        (0, Line::Endpoint(2, 1)),
        (0, say("b")),
        (0, Line::End(1, 1)),
        (100, say("c")),
    ];
    let nodes = format!(
        r#"(id: "narrator", kind: Narrator(lines: {lines:?})),
        (id: "slow", kind: Throttle(carries: Text, per_s: 20)), (id: "ear", kind: Ear())"#
    );
    let edges = r#"("input", "narrator"), ("narrator", "slow"), ("slow", "ear"), ("ear", "output")"#;
    let mut host = host(&nodes, edges);
    (0..40).for_each(|n| host.tick_at(n * 5_000));
    let texts = host.texts.iter().filter_map(|said| said.text.split(" #").next());
    let want = ["0 1/1 a", "0 1/1 AnswerEnd", "0 2/1 Endpoint", "50 1/1 b", "50 1/1 AnswerEnd", "100 1/1 c"];
    assert_eq!(texts.collect::<Vec<_>>(), want);
}

#[test]
fn a_hang_up_takes_back_what_waits() {
    let mut host = audio(1.0, 25);
    (0..10).for_each(|n| push(&host, n));
    host.tick_at(0);
    host.sessions[0].close();
    host.tick();
    let census = host.census();
    let node = &census.nodes[0];
    let closed = node.dropped[DropReason::Closed as usize];
    assert_eq!((node.arrived, node.consumed, closed, host.queued()[0]), (10, 1, 9, 0));
    assert!(host.sessions[0].is_closed());
}

#[test]
fn it_carries_one_format_through_and_refuses_rates_out_of_range() {
    let check = |kind: &str| {
        let scene = format!(
            r#"(name: "x", session: (input: (rate_hz: 44100, channels: 2)), nodes: [(id: "slow", kind: {kind})],
            edges: [("input", "slow"), ("slow", "output")])"#
        );
        compile(&Source::new("test.ron", &*scene), &[], None, &narrator::registry())
    };
    let (plan, _) = check("Throttle(carries: Audio, per_s: 50)").expect("the scene is right");
    let format = Format { rate_hz: 44_100, channels: 2 };
    assert_eq!(plan.formats(format)[1].0, Some(format));
    assert_eq!(plan.nodes[0].spec.outputs()[0].kind, PortType::Audio);
    for (kind, error) in [
        ("Throttle(carries: Audio, per_s: 0.09)", "`slow.per_s`: 0.09 frames a second are out of range"),
        ("Throttle(carries: Audio, per_s: 10001)", "10001 frames a second are out of range"),
        ("Throttle(carries: Audio, per_s: NaN)", "NaN frames a second are out of range"),
        ("Throttle(carries: Audio, per_s: -1)", "-1 frames a second are out of range"),
        ("Throttle(carries: Audio)", "per_s"),
        ("Throttle(per_s: 5)", "carries"),
        ("Throttle(carries: Video, per_s: 5)", "Video"),
        ("Throttle(carries: Text, per_s: 5)", "`slow` takes text"),
    ] {
        let found = check(kind).map(|_| ()).expect_err(kind).to_string();
        assert!(found.contains(error), "{kind}: {found}");
    }
}
