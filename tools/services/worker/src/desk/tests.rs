use mynah_engine::service::ServiceWaker;
use mynah_engine::speech::{HistoryEntry, Speaker};
use mynah_systems::service::{AnswerWriter, OutsideAnswer};

use super::*;
use crate::wire::{CallWords, PROTOCOL, Said, TextPart};

const MS: u64 = 1_000;

fn rules() -> DeskRules {
    DeskRules { parallel: 2, hung_us: 3_000 * MS, wait_us: 500 * MS, retries: 1 }
}

fn desk() -> (Desk, FigureBoard) {
    let board = FigureBoard::default();
    (Desk::new(rules(), board.clone(), 0), board)
}

fn hello(worker: &str) -> FromWorker {
    FromWorker::Hello {
        protocol: PROTOCOL,
        worker: worker.into(),
        pid: 7,
        package: String::new(),
        serves: "Reply".into(),
        name: String::new(),
        parallel: 8,
    }
}

fn arrives(desk: &mut Desk, worker: &str, now_us: u64) -> u64 {
    let hello = hello(worker);
    let Hail::Comes(task) = desk.hail(&hello) else { panic!("{:?}", desk.hail(&hello)) };
    desk.arrives(&hello, task, now_us).expect("it is a hello")
}

fn words(text: &str) -> CallWords {
    CallWords {
        call: 0,
        attempt: 0,
        task: WorkerTask::Reply,
        segment: 1,
        turn: 1,
        revision: 1,
        text: text.into(),
        from_us: 0,
        to_us: 0,
        parts: 0,
        reduced: false,
        deadline_us: 0,
        params: Arc::default(),
        history: Vec::new(),
        speaks: None,
    }
}

fn asked(ticket: u64, text: &str, now_us: u64) -> (Asked, Arc<OutsideAnswer>) {
    let (writer, answer): (AnswerWriter, _) = OutsideAnswer::begin(16_000, &ServiceWaker::default());
    let asked = Asked {
        ticket,
        session: "session".into(),
        attempt: 0,
        words: words(text),
        node_hz: 16_000,
        audio: None,
        writer,
        since_us: now_us,
        tries: 0,
        taken: None,
    };
    (asked, answer)
}

/// What was sent since: the worker and the message.
fn sent(desk: &mut Desk) -> Vec<(u64, Envelope<ToWorker>)> {
    let mut out = Vec::new();
    while let Some(outgoing) = desk.outgoing() {
        if let Ok(Said::Known(message)) = Envelope::<ToWorker>::decode(&outgoing.bytes)
            && !matches!(message.message_type, ToWorker::Heartbeat {})
        {
            out.push((outgoing.peer, message));
        }
    }
    out
}

fn says(desk: &mut Desk, peer: u64, id: u64, what: FromWorker, now_us: u64) {
    let message = Envelope { message_id: id, session_id: "session".into(), timestamp: 0, message_type: what };
    desk.heard(peer, message, now_us);
}

fn text(call: u64, part: u32, text: &str) -> DataPart {
    DataPart::Text(TextPart { call, part, last: false, text: text.into() })
}

/// What an answer says of itself: parts and end.
fn told(answer: &OutsideAnswer) -> String {
    format!("{answer:?}")
}

#[test]
fn a_call_goes_to_the_worker_with_fewest_and_among_equals_to_the_first() {
    let (mut desk, _) = desk();
    let (first, second) = (arrives(&mut desk, "a", 0), arrives(&mut desk, "b", 0));
    let mut answers = Vec::new();
    for ticket in 0..5 {
        let (call, answer) = asked(ticket, "x", 0);
        desk.ask(call, 0);
        answers.push(answer);
    }
    let to: Vec<u64> = sent(&mut desk).into_iter().map(|(peer, _)| peer).collect();
    assert_eq!(to, [first, second, first, second], "the fifth waits: both have two");
    says(&mut desk, second, 1, FromWorker::Done { call: 2, parts: 0, busy_us: 0 }, MS);
    desk.is_read(second, true, MS);
    assert_eq!(sent(&mut desk).first().map(|(peer, _)| *peer), Some(second));
}

#[test]
fn a_message_that_is_not_acknowledged_comes_three_times_more_and_then_the_worker_hangs() {
    let (mut desk, board) = desk();
    let peer = arrives(&mut desk, "a", 0);
    let (call, _answer) = asked(1, "x", 0);
    desk.ask(call, 0);
    let mut calls = 0;
    for at_ms in (0..3_200).step_by(10) {
        desk.passed(at_ms * MS);
        calls += sent(&mut desk)
            .iter()
            .filter(|(_, message)| matches!(message.message_type, ToWorker::Call(_)))
            .count();
        // It lives, and says nothing of the call.
        says(&mut desk, peer, at_ms, FromWorker::Heartbeat { busy: 0 }, at_ms * MS);
        if at_ms == 190 {
            let figures = board.seen();
            assert_eq!((calls, figures.resent, figures.lost, figures.hung), (4, 3, 0, 0));
        }
    }
    let figures = board.seen();
    assert_eq!((calls, figures.lost, figures.hung, figures.failed), (4, 1, 1, 1));
}

#[test]
fn what_came_out_of_order_is_put_in_order_and_the_end_waits_for_it() {
    let (mut desk, board) = desk();
    let peer = arrives(&mut desk, "a", 0);
    let (call, answer) = asked(1, "x", 0);
    desk.ask(call, 0);
    says(&mut desk, peer, 1, FromWorker::Done { call: 1, parts: 3, busy_us: 0 }, 1);
    desk.part(peer, text(1, 2, "c"), 1);
    desk.is_read(peer, false, 1);
    desk.part(peer, text(1, 0, "a"), 2);
    desk.part(peer, text(1, 1, "b"), 2);
    assert_eq!(board.seen().done, 0);
    desk.is_read(peer, true, 2);
    assert_eq!((board.seen().done, board.seen().failed), (1, 0));
    assert!(told(&answer).contains("parts: 3"), "{}", told(&answer));
}

#[test]
fn after_a_cancel_nothing_is_passed_on_and_the_writer_lives_until_the_work_has_stopped() {
    let (mut desk, board) = desk();
    let peer = arrives(&mut desk, "a", 0);
    let (call, answer) = asked(9, "x", 0);
    desk.ask(call, 0);
    desk.part(peer, text(1, 0, "a"), 1);
    drop(sent(&mut desk));
    desk.cancel(1, 10 * MS);
    let [(_, cancel)] = &sent(&mut desk)[..] else { panic!("one cancel") };
    assert!(matches!(cancel.message_type, ToWorker::Cancel { call: 1 }));
    desk.part(peer, text(1, 1, "b"), 11 * MS);
    assert_eq!((board.seen().late, Arc::strong_count(&answer)), (1, 2), "the writer is there");
    desk.cancel(1, 12 * MS);
    assert!(sent(&mut desk).is_empty(), "once");
    says(
        &mut desk,
        peer,
        1,
        FromWorker::Ack { message_id: cancel.message_id, stage: AckStep::Applied },
        14 * MS,
    );
    assert_eq!(Arc::strong_count(&answer), 1, "the writer is gone");
    let figures = board.seen();
    assert_eq!((figures.cancels, figures.applied, figures.applied_us.max() / 1_000), (1, 1, 4));
}

#[test]
fn calls_of_a_dead_worker_go_to_another_once() {
    let (mut desk, board) = desk();
    let (first, second) = (arrives(&mut desk, "a", 0), arrives(&mut desk, "b", 0));
    let (call, answer) = asked(1, "x", 0);
    desk.ask(call, 0);
    desk.dies(first, "died (signal 9)", MS);
    let to: Vec<u64> = sent(&mut desk).into_iter().map(|(peer, _)| peer).collect();
    assert_eq!(to, [first, second]);
    desk.dies(second, "died (signal 9)", MS);
    assert_eq!(Arc::strong_count(&answer), 1, "it has failed: nobody is left");
    let figures = board.seen();
    assert_eq!((figures.retried, figures.failed, figures.died), (1, 1, 2));
}

#[test]
fn a_long_history_loses_its_oldest_entries_and_a_text_that_is_too_long_fails() {
    let (mut desk, board) = desk();
    let peer = arrives(&mut desk, "a", 0);
    let (mut call, _answer) = asked(1, "x", 0);
    let said = |turn| HistoryEntry::Said {
        by: Speaker::User,
        turn,
        text: "\u{1}".repeat(3_000).into(),
        interrupted: false,
    };
    call.words.history = (1..=8).map(said).collect();
    desk.ask(call, 0);
    let messages = sent(&mut desk);
    let [(to, Envelope { message_type: ToWorker::Call(words), .. })] = &messages[..] else { panic!() };
    assert_eq!(*to, peer);
    assert!((2..8).contains(&words.history.len()), "{}", words.history.len());
    assert_eq!(words.history.last().map(HistoryEntry::turn), Some(8));
    let (call, _answer) = asked(2, &"x".repeat(70_000), 0);
    desk.ask(call, 0);
    assert!(sent(&mut desk).is_empty());
    assert_eq!(board.seen().failed, 1);
}

#[test]
fn calls_wait_for_a_worker_and_fail_when_none_comes() {
    let (mut desk, board) = desk();
    let (call, _answer) = asked(1, "x", 0);
    desk.ask(call, 0);
    desk.passed(400 * MS);
    assert_eq!(board.seen().failed, 0);
    let peer = arrives(&mut desk, "a", 450 * MS);
    assert_eq!(sent(&mut desk).first().map(|(to, _)| *to), Some(peer));
    desk.dies(peer, "is gone", 460 * MS);
    let (call, _answer) = asked(2, "x", 500 * MS);
    desk.ask(call, 500 * MS);
    // A program that has been started is waited for.
    desk.expects(1, None);
    desk.passed(5_000 * MS);
    assert_eq!(board.seen().failed, 1);
    desk.expects(0, Some("worker 8 ended with code 1".into()));
    desk.passed(5_001 * MS);
    assert_eq!(board.seen().failed, 2);
}

#[test]
fn a_worker_whose_calls_do_not_stop_is_of_no_use_after_a_while() {
    let (mut desk, _) = desk();
    let peer = arrives(&mut desk, "a", 0);
    let answers: Vec<_> = (1..=2)
        .map(|ticket| {
            let (call, answer) = asked(ticket, "x", 0);
            desk.ask(call, 0);
            answer
        })
        .collect();
    desk.cancel(1, 0);
    assert!(desk.stuck(40_000 * MS).is_empty(), "one still works");
    desk.cancel(2, 40_000 * MS);
    assert!(desk.stuck(60_000 * MS).is_empty(), "it may take a while");
    assert_eq!(desk.stuck(71_000 * MS), [7]);
    desk.dies(peer, "died (signal 9)", 71_000 * MS);
    assert!(answers.iter().all(|answer| Arc::strong_count(answer) == 1));
}
