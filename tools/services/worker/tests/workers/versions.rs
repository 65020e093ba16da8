//! Workers and engines that do not belong together, and engines that are gone.

use mynah_worker::Worker;
use rustix::process::Signal;

use crate::program::{Program, has_memory};
use crate::stage::{Stage, Sweep, fresh, session};

#[test]
fn a_worker_of_another_protocol_or_task_is_told_why() {
    if !has_memory() {
        return;
    }
    let mut stage = Stage::new(Worker { wait_ms: 300, ..Worker::default() });
    stage.open(session(None, None));
    let (code, said) = stage.worker(&["protocol=2"]).end();
    assert!(
        code == Some(1) && said.contains("protocol 2") && said.contains("pip install"),
        "{code:?} {said}"
    );
    let (code, said) = stage.worker(&["serves=Transcribe"]).end();
    assert!(code == Some(1) && said.contains("asks for Reply"), "{code:?} {said}");
    let (code, said) = stage.worker(&["serves=Sing"]).end();
    assert!(code == Some(1) && said.contains("`Sing` is no task"), "{code:?} {said}");
    assert_eq!((stage.figures().refused >= 3, stage.figures().welcomed), (true, 0));
}

#[test]
fn a_worker_of_another_task_is_told_so_when_the_first_session_opens() {
    if !has_memory() {
        return;
    }
    let mut stage = Stage::new(Worker { wait_ms: 300, ..Worker::default() });
    let mut worker = stage.worker(&["serves=Transcribe"]);
    stage.until_workers(1);
    stage.open(session(None, None));
    let (code, said) = worker.end();
    assert!(code == Some(1) && said.contains("asks for Reply"), "{code:?} {said}");
}

#[test]
fn a_worker_without_an_engine_ends_with_a_sentence() {
    if !has_memory() {
        return;
    }
    let (engine, prefix) = (fresh(), fresh());
    let _sweep = Sweep(prefix.clone());
    let variables = [("MYNAH_ENGINE", &*engine), ("MYNAH_SERVICE", "x"), ("MYNAH_IPC_PREFIX", &prefix)];
    let (code, said) = Program::start("echo_worker", &["wait_s=1"], &variables).end();
    assert!(code == Some(1) && said.contains("no engine has answered for 1 s"), "{code:?} {said}");
}

#[test]
fn a_worker_ends_with_a_sentence_when_its_engine_is_killed() {
    if !has_memory() {
        return;
    }
    let (engine, prefix) = (fresh(), fresh());
    let _sweep = Sweep(prefix.clone());
    let variables = [("MYNAH_ENGINE", &*engine), ("MYNAH_SERVICE", "reply"), ("MYNAH_IPC_PREFIX", &prefix)];
    let asks = Program::start("ask", &[&format!("engine={engine}"), "hang"], &variables);
    let mut worker = Program::start("echo_worker", &[], &variables);
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    asks.signal(Signal::KILL);
    let (code, said) = worker.end();
    assert!(code == Some(3) && said.contains("is welcome"), "{code:?} {said}");
    assert!(said.contains("the engine is gone") || said.contains("nothing was heard"), "{said}");
}

#[test]
fn a_second_engine_of_the_same_name_says_so() {
    if !has_memory() {
        return;
    }
    let mut first = Stage::new(Worker::default());
    // Once a worker has come to it, the place is its own.
    let _worker = first.worker(&[]);
    first.until_workers(1);
    let (engine, prefix) = (Some(first.engine.clone()), Some(first.prefix.clone()));
    let mut second = Stage::named(Worker { engine, prefix, wait_ms: 500, ..Worker::default() });
    second.is_guest();
    let call = second.ask("anybody");
    let reason = second.answer(call).1.expect_err("the place is taken");
    assert!(reason.contains("another engine has this name"), "{reason}");
}
