//! Asks workers something, without a scene: for trying a worker.
//!
//! `cargo run -p mynah-worker --example ask -- [service=reply] [engine=mynah] [task=Reply|Synthesize|Transcribe]
//! [cancel_ms=N] [count=1] TEXT...` waits for a worker, asks, prints what comes, and says how long everything took.
//! `Transcribe` asks about two seconds of a tone.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a program with a clock and a terminal")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use mynah_engine::Block;
use mynah_engine::media::Sound;
use mynah_engine::scene::Format;
use mynah_engine::service::{
    Call, CallScope, Rehearsal, ReplyPart, ServiceKind, ServiceSite, ServiceWaker, SessionRef, TimeMode,
};
use mynah_worker::Worker;

fn option(name: &str) -> Option<String> {
    std::env::args().skip(1).find_map(|arg| arg.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
}

fn main() {
    let (service, engine) = (option("service"), option("engine"));
    let name = service.unwrap_or_else(|| "reply".to_owned());
    let worker = Worker { engine, wait_ms: 30_000, ..Worker::default() };
    worker.check().expect("the arguments are names");
    let (task, rate_hz) = (option("task").unwrap_or_else(|| "Reply".to_owned()), 16_000);
    let format = Format { rate_hz, channels: 1 };
    let words: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.contains('=')).collect();
    let waker = ServiceWaker::default();
    let site = ServiceSite { name: &name, timing: None, seed: 1, time: TimeMode::Wall, waker };
    let mut rehearsal = Rehearsal::of(worker.start(site));
    let mut call = Call::about(words.join(" "));
    rehearsal.service().open(SessionRef {
        key: call.key.of(),
        name: "session".into(),
        hears: (task == "Transcribe").then_some(format),
        speaks: (task == "Synthesize").then_some(format),
        params: Arc::default(),
    });
    if task == "Transcribe" {
        let wave = |at: usize| (at as f32 * 440.0 * std::f32::consts::TAU / rate_hz as f32).sin() * 0.5;
        let block =
            |at: usize| Block::from_samples(&(at * 320..at * 320 + 320).map(wave).collect::<Vec<_>>());
        call.audio = Some(Sound { format, blocks: (0..100).map(block).collect() });
        call.to_us = 2_000_000;
    }
    let cancel_ms = option("cancel_ms").and_then(|text| text.parse().ok());
    let count = option("count").and_then(|text| text.parse().ok()).unwrap_or(1);
    for number in 0..count {
        call.key.segment.serial = number + 1;
        once(&mut rehearsal, &call, cancel_ms);
    }
    println!("{:#?}", mynah_worker::figures(&name));
}

fn once(rehearsal: &mut Rehearsal, call: &Call, cancel_ms: Option<u64>) {
    let began = Instant::now();
    let now_us = || began.elapsed().as_micros() as u64;
    rehearsal.start(vec![call.clone()], 0);
    let mut samples = 0;
    let mut cancel_ms = cancel_ms;
    while rehearsal.under_way() > 0 && began.elapsed() < Duration::from_secs(60) {
        if cancel_ms.is_some_and(|ms| began.elapsed() > Duration::from_millis(ms)) {
            cancel_ms = None;
            println!("{:>9} us cancelled", now_us());
            rehearsal.cancel(CallScope::Call(call.key), now_us());
        }
        for reply in rehearsal.poll(now_us()) {
            match reply.part {
                ReplyPart::Audio(block) => samples += block.len(),
                part => println!("{:>9} us {part:?}", now_us()),
            }
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    println!("{:>9} us over, {samples} samples of audio", now_us());
}
