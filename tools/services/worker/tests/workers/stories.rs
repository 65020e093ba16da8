//! Calls that go well, and calls that are cancelled.

use std::time::Duration;

use mynah_engine::Block;
use mynah_engine::media::Sound;
use mynah_engine::scene::Format;
use mynah_engine::service::{Call, ReplyPart};

use crate::program::has_memory;
use crate::stage::{Stage, echoes, session};

#[test]
fn a_worker_answers_in_pieces_and_the_call_is_done() {
    if !has_memory() {
        return;
    }
    let mut stage = Stage::new(echoes(1, &[]));
    let call = stage.ask("one two three");
    assert_eq!(stage.answer(call), ("one two three ".to_owned(), Ok(())));
    let texts = stage.parts(call).iter().filter(|part| part.starts_with("Text")).count();
    assert_eq!(texts, 3, "{:?}", stage.parts(call));
    let many: Vec<_> = (0..20).map(|n| stage.ask(&format!("number {n}"))).collect();
    for (n, call) in many.into_iter().enumerate() {
        assert_eq!(stage.answer(call), (format!("number {n} "), Ok(())));
    }
    stage.until("acknowledgement", |stage| stage.figures().delivered == 21);
    let figures = stage.figures();
    assert_eq!((figures.sent, figures.done, figures.lost, figures.failed), (21, 21, 0, 0), "{figures:?}");
}

#[test]
fn a_recogniser_hears_and_a_voice_speaks_at_its_own_rate() {
    if !has_memory() {
        return;
    }
    let mut stage = Stage::new(echoes(1, &["serves=Transcribe"]));
    stage.open(session(Some(16_000), None));
    let format = Format { rate_hz: 16_000, channels: 1 };
    let blocks = (0..1_500).map(|_| Block::zeroed(320)).collect();
    let heard = Call { audio: Some(Sound { format, blocks }), to_us: 30_000_000, ..Call::about("") };
    let call = stage.ask_as(heard);
    let (text, end) = stage.answer(call);
    assert_eq!((text.as_str(), end), ("480000 frames at 16000 Hz in 30 parts", Ok(())));
    assert!(stage.heard.iter().any(|(_, reply)| matches!(reply.part, ReplyPart::Partial(_))));

    let mut stage =
        Stage::new(mynah_worker::Worker { speaks_hz: Some(22_050), ..echoes(1, &["serves=Synthesize"]) });
    stage.open(session(None, Some(16_000)));
    let call = stage.ask("one two three four five");
    assert_eq!(stage.answer(call).1, Ok(()));
    let blocks = stage.heard.iter().filter_map(|(_, reply)| match &reply.part {
        ReplyPart::Audio(block) => Some(block.samples().to_vec()),
        _ => None,
    });
    let blocks: Vec<Vec<f32>> = blocks.collect();
    assert!(blocks.iter().all(|block| block.len() <= 320));
    let samples = blocks.concat();
    assert!((7_990..=8_010).contains(&samples.len()), "half a second: {} samples", samples.len());
    // 440 Hz crosses zero upwards 220 times in half a second, at whatever rate.
    let crossings = samples.windows(2).filter(|two| two[0] < 0.0 && two[1] >= 0.0).count();
    assert!((215..=222).contains(&crossings), "{crossings}");
}

#[test]
fn a_tool_call_pauses_the_answer() {
    if !has_memory() {
        return;
    }
    let mut stage = Stage::new(echoes(1, &[]));
    let call = stage.ask("tool");
    let asks = |reply: &ReplyPart| matches!(reply, ReplyPart::ToolCall { name, .. } if &**name == "look");
    stage.until("tool call", |stage| stage.heard.iter().any(|(_, reply)| asks(&reply.part)));
    let now_us = stage.now_us();
    stage.rehearsal.service().tool_result(call.session, "t1", "It is noon.", now_us);
    assert_eq!(stage.answer(call), ("One moment. It is noon.".to_owned(), Ok(())));
}

#[test]
fn a_failure_and_a_missing_part_fail_the_call_with_the_reason() {
    if !has_memory() {
        return;
    }
    let mut stage = Stage::new(echoes(1, &[]));
    let call = stage.ask("fail no idea");
    assert_eq!(stage.answer(call), (String::new(), Err("no idea".to_owned())));
    let call = stage.ask("gap");
    let (text, end) = stage.answer(call);
    assert_eq!((text.as_str(), end), ("first ", Err("part 1 of 3 of the answer was lost".to_owned())));
    let call = stage.ask("still there");
    assert_eq!(stage.answer(call).1, Ok(()));
}

#[test]
fn after_a_cancel_the_work_stops_and_nothing_comes_any_more() {
    if !has_memory() {
        return;
    }
    let mut stage = Stage::new(echoes(1, &[]));
    for text in ["slow 1000 5", "hang", "late"] {
        let call = stage.ask(text);
        stage.until("delivery", |stage| stage.figures().delivered == stage.figures().sent);
        if text.starts_with("slow") {
            stage.until("first words", |stage| stage.parts(call).len() > 2);
        }
        stage.cancel(call);
        let before = stage.parts(call).len();
        let applied = stage.figures().cancels;
        stage.until("word that it has stopped", |stage| {
            stage.figures().cancels == applied.max(1) && stage.figures().unapplied() == 0
        });
        std::thread::sleep(Duration::from_millis(50));
        stage.until("round", |_| true);
        let parts = stage.parts(call);
        let after = &parts[before..];
        assert!(after.iter().all(|part| part.starts_with("Stopped")), "{text}: {after:?}");
    }
    let figures = stage.figures();
    assert_eq!((figures.cancels, figures.applied, figures.lost), (3, 3, 0), "{figures:?}");
    assert_eq!(figures.applied_us.len(), 3);
    assert!(figures.late >= 1, "what `late` said was dropped: {figures:?}");
}

/// A hundred sessions cancel ten times a second each, for five seconds; `cargo run --example cancels` does so for longer.
#[test]
fn a_thousand_cancels_a_second_are_all_applied() {
    if !has_memory() {
        return;
    }
    let mut stage =
        Stage::new(mynah_worker::Worker { workers: 2, parallel: 64, ..echoes(2, &["parallel=64"]) });
    stage.until_workers(2);
    let mut under_way = std::collections::VecDeque::new();
    let mut asked = 0;
    let began_us = stage.now_us();
    stage.until("end of five seconds", |stage| {
        let elapsed_us = stage.now_us() - began_us;
        while asked < elapsed_us / 1_000 && asked < 5_000 {
            under_way.push_back(stage.ask("slow 100 20"));
            asked += 1;
            if under_way.len() > 100 {
                stage.cancel(under_way.pop_front().expect("there are more than a hundred"));
            }
        }
        stage.heard.clear();
        elapsed_us >= 5_000_000
    });
    under_way.into_iter().for_each(|call| stage.cancel(call));
    stage.until("last word", |stage| stage.figures().unapplied() == 0);
    let figures = stage.figures();
    assert!(figures.cancels > 3_000, "{figures:?}");
    assert_eq!((figures.lost, figures.hung, figures.applied), (0, 0, figures.cancels), "{figures:?}");
    let p95 = figures.applied_us.value_at_quantile(0.95);
    println!("{} cancels, P95 {p95} us to the word that the work has stopped", figures.cancels);
}
