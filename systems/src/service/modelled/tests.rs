//! Whatever goes wrong, every call has an end.

use mynah_engine::SessionId;
use mynah_engine::scene::{Latency, Timing};
use mynah_engine::service::{Rehearsal, Reply, ServiceWaker};

use super::*;

const MS: u64 = 1_000;

struct Word;

impl Production for Word {
    fn work(&self, _: &Call) -> Work {
        Work::Text([Arc::from("word")].into())
    }
}

fn call(session: u32, queued_us: u64) -> Call {
    let call = Call::about("");
    Call { key: CallKey { session: SessionId(session), ..call.key }, queued_us, ..call }
}

/// Two calls at once to a service with one worker and 20 ms a call: what came when, in ms.
fn answers(faults: ServiceFaults) -> Vec<(u64, u32, String)> {
    let timing = Timing {
        latency: Latency::Fixed { ms: 20.0 },
        parallelism: Some(1),
        batch_item_cost: 0.0,
        reduced_cost: 1.0,
        words_per_s: 0.0,
        speed: 1.0,
        scale: 1.0,
    };
    let waker = ServiceWaker::default();
    let site = ServiceSite { name: "model", timing: Some(&timing), seed: 1, time: TimeMode::Virtual, waker };
    let mut service = Modelled::new(site, Box::new(Word));
    service.inject(Arc::new(faults));
    let mut rehearsal = Rehearsal::of(Box::new(service));
    let mut came = Vec::new();
    for at_ms in 0..400 {
        for Reply { key, part } in rehearsal.poll(at_ms * MS) {
            let what = match part {
                ReplyPart::Text(text) => text.to_string(),
                ReplyPart::Failed(reason) => reason.to_string(),
                ReplyPart::Done { .. } => continue,
                ReplyPart::Stopped { .. } => "stopped".into(),
                other => format!("{other:?}"),
            };
            came.push((at_ms, key.session.0, what));
        }
        if at_ms == 10 {
            (0..2).for_each(|session| rehearsal.start(vec![call(session, 10 * MS)], 10 * MS));
        }
        if at_ms == 200 {
            // What has not come by now is given up.
            (0..2).for_each(|session| rehearsal.cancel(CallScope::Call(call(session, 0).key), 200 * MS));
        }
    }
    assert!(rehearsal.service().next_due_us().is_none(), "nothing is left");
    came
}

#[test]
fn whatever_goes_wrong_every_call_has_an_end_and_the_worker_goes_on() {
    let until_us = 300 * MS;
    let well = ServiceFaults { until_us, ..ServiceFaults::default() };
    let (word, failed) = ("word".to_string(), "simulated failure".to_string());
    let stopped = "stopped".to_string();
    let crashed = "simulated crash".to_string();
    let cases = [
        (well.clone(), vec![(30, 0, word.clone()), (50, 1, word.clone())]),
        (
            ServiceFaults { fail_ratio: 1.0, ..well.clone() },
            vec![(30, 0, failed.clone()), (50, 1, failed.clone())],
        ),
        // A call that hangs keeps its worker until it is given up.
        (
            ServiceFaults { hang_ratio: 1.0, ..well.clone() },
            vec![(201, 0, stopped.clone()), (201, 1, stopped.clone())],
        ),
        // The call under way is lost, the one that waits begins when the service is back.
        (
            ServiceFaults { down: std::iter::once(20 * MS..100 * MS).collect(), ..well.clone() },
            vec![(20, 0, crashed), (120, 1, word)],
        ),
    ];
    for (faults, want) in cases {
        let said = format!("{faults:?}");
        assert_eq!(answers(faults), want, "{said}");
    }
    let slow = answers(ServiceFaults { slow: (1.0, 4.0), ..well });
    assert!(slow.len() == 2 && slow[0].0 > 30 && slow[0].0 <= 90 && slow[1].0 <= 170, "{slow:?}");
}
