//! Workers that die, hang and come back, and programs that end.

use std::time::{Duration, Instant};

use mynah_worker::Worker;
use rustix::process::Signal;

use crate::program::{has_memory, signal_to};
use crate::stage::{Stage, echoes};

#[test]
fn a_worker_that_is_killed_loses_its_call_to_another() {
    if !has_memory() {
        return;
    }
    let mut stage = Stage::new(Worker::default());
    let first = stage.worker(&[]);
    stage.until_workers(1);
    let call = stage.ask("hang");
    stage.until("delivery", |stage| stage.figures().delivered == 1);
    let _second = stage.worker(&[]);
    stage.until_workers(2);
    first.signal(Signal::KILL);
    let killed = Instant::now();
    stage.until("retry", |stage| stage.figures().retried == 1);
    assert!(killed.elapsed() < Duration::from_secs(3), "{:?}", killed.elapsed());
    println!("a killed worker was noticed after {:?}", killed.elapsed());
    stage.until("second delivery", |stage| stage.figures().delivered == 2);
    assert_eq!((stage.figures().died, stage.figures().workers), (1, 1));
    stage.cancel(call);
    stage.until("word that it has stopped", |stage| stage.figures().applied == 1);
}

#[test]
fn without_another_worker_or_after_the_first_word_the_call_fails_with_the_reason() {
    if !has_memory() {
        return;
    }
    // Of a program that the service has started the signal is known.
    let mut stage = Stage::new(Worker { restart_ms: (60_000, 60_000), wait_ms: 100, ..echoes(1, &[]) });
    stage.until_workers(1);
    let call = stage.ask("hang");
    stage.until("delivery", |stage| stage.figures().delivered == 1);
    signal_to(stage.pids()[0], Signal::KILL);
    let (_, end) = stage.answer(call);
    let reason = end.expect_err("nobody has answered");
    assert!(reason.starts_with("worker ") && reason.contains("died (signal 9)"), "{reason}");
    let call = stage.ask("anybody");
    let (_, end) = stage.answer(call);
    let reason = end.expect_err("nobody is there");
    assert!(reason.contains("no worker for") && reason.contains("died (signal 9)"), "{reason}");

    let mut stage = Stage::new(Worker::default());
    let (first, _second) = (stage.worker(&[]), stage.worker(&[]));
    stage.until_workers(2);
    let calls = [stage.ask("slow 1000 10"), stage.ask("slow 1000 10")];
    stage.until("first words", |stage| calls.iter().all(|call| stage.parts(*call).len() > 2));
    first.signal(Signal::KILL);
    stage.until("failure", |stage| calls.iter().any(|call| stage.end(*call).is_some()));
    let ends: Vec<_> = calls.iter().filter_map(|call| stage.end(*call)).collect();
    assert!(matches!(&ends[..], [Err(reason)] if reason.contains("is gone")), "{ends:?}");
    assert_eq!(stage.figures().retried, 0, "some of the answer was out");
}

#[test]
fn a_worker_that_is_stopped_hangs_and_is_used_again_when_it_goes_on() {
    if !has_memory() {
        return;
    }
    let mut stage = Stage::new(Worker { hung_ms: 700, ..Worker::default() });
    let first = stage.worker(&[]);
    stage.until_workers(1);
    let call = stage.ask("slow 1000 10");
    stage.until("first words", |stage| stage.parts(call).len() > 2);
    first.signal(Signal::STOP);
    let (_, end) = stage.answer(call);
    let reason = end.expect_err("it hangs");
    assert!(reason.contains("hung") && reason.contains("700 ms"), "{reason}");
    let parts = stage.parts(call).len();
    first.signal(Signal::CONT);
    let call_again = stage.ask("back again");
    assert_eq!(stage.answer(call_again), ("back again ".to_owned(), Ok(())));
    assert_eq!(stage.parts(call).len(), parts, "what it still said was dropped");
    let figures = stage.figures();
    assert_eq!((figures.hung, figures.died, figures.workers), (1, 0, 1), "{figures:?}");
}

#[test]
fn a_program_that_ends_is_started_again_after_a_rest_that_grows() {
    if !has_memory() {
        return;
    }
    let mut stage = Stage::new(Worker { restart_ms: (50, 400), ..echoes(1, &[]) });
    for round in 1..=3 {
        stage.until("worker", |stage| stage.figures().welcomed == round);
        let call = stage.ask("die");
        let (_, end) = stage.answer(call);
        let reason = end.expect_err("the worker has died of it");
        assert!(reason.contains("ended with code 7"), "{reason}");
    }
    stage.until("worker", |stage| stage.figures().welcomed == 4);
    let call = stage.ask("alive");
    assert_eq!(stage.answer(call).1, Ok(()));
    assert_eq!(stage.figures().restarts, 3);
}

#[test]
fn a_word_that_is_lost_is_asked_for_again() {
    if !has_memory() {
        return;
    }
    let mut stage = Stage::new(echoes(1, &["lose=2"]));
    stage.until_workers(1);
    let call = stage.ask("slow 30 10");
    assert_eq!(stage.answer(call).1, Ok(()));
    stage.until("acknowledgement", |stage| stage.figures().delivered == 1);
    let figures = stage.figures();
    assert!(figures.resent >= 2 && figures.lost == 0 && figures.done == 1, "{figures:?}");
}

#[test]
fn nobody_comes() {
    if !has_memory() {
        return;
    }
    let mut stage = Stage::new(Worker { wait_ms: 200, ..Worker::default() });
    let call = stage.ask("anybody");
    let reason = stage.answer(call).1.expect_err("nobody is there");
    assert!(reason.contains("none has come; start one, or give `command`"), "{reason}");
}
