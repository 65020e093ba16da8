//! Claim: an answer of a service is out again as soon as it comes: from the service's thread to the session's waker in
//! less than 1.5 ms at the 95th percentile, at low load. `cargo bench --bench service_wake`.
//!
//! The baseline is the same service without its waker: its answers wait for the next heartbeat of 5 ms. One session
//! sends 300 texts at random moments; a thread of the service's own answers each after 3 to 17 ms with 20 ms of sound.
//! Wall clock, the scene's default gap between ticks.
#![allow(
    clippy::print_stdout,
    missing_docs,
    unused_crate_dependencies,
    reason = "a bench: it prints, nobody calls it"
)]

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};

use crossbeam::sync::Parker;
use mynah_engine::base::rng::Rng;
use mynah_engine::driver::run;
use mynah_engine::scene::{Source, compile};
use mynah_engine::service::{
    Call, CallKey, CallScope, Replies, ReplyPart, ReplyQueue, Service, ServiceKind, ServiceSite, ServiceWaker,
};
use mynah_engine::{Control, ControlIn, Driver, Engine, EngineConfig, Out, SessionHandle, SessionSpec};
use mynah_host::clock::{Epoch, WallClock};

const TEXTS: usize = 300;
const AFTER_US: std::ops::Range<u64> = 3_000..17_000;
const HEARTBEAT_US: u64 = 5_000;

const SCENE: &str = r#"(
    name: "beeps",
    session: (input: (rate_hz: 16000), output: (release: Immediately, pace: Burst)),
    nodes: [
        (id: "gate", kind: VadGate(vad: Energy)),
        (id: "asr", kind: Service(service: "asr", task: Transcribe)),
        (id: "tts", kind: Service(service: "beeps", task: Synthesize)),
    ],
    edges: [("input", "gate"), ("gate", "asr"), ("asr", "tts"), ("tts", "output")],
    services: {
        "asr": (output: SimulatedTranscript, timing: (latency: Fixed(ms: 1))),
        "beeps": (output: Beeps),
    },
)"#;

/// A voice with a thread, which notes when it sends.
struct Beeps {
    wakes: bool,
    epoch: Epoch,
    sent_ns: Arc<AtomicU64>,
}

impl ServiceKind for Beeps {
    fn start(&self, site: ServiceSite<'_>) -> Box<dyn Service> {
        let waker = if self.wakes { site.waker } else { ServiceWaker::default() };
        let (replies, queue) = ReplyQueue::new(waker);
        let (orders, work) = channel::<CallKey>();
        let (epoch, sent_ns, mut rng) = (self.epoch, Arc::clone(&self.sent_ns), Rng::new(2, 0, 0));
        std::thread::spawn(move || {
            while let Ok(call) = work.recv() {
                epoch.sleep_until(epoch.now_us() + rng.range_u64(AFTER_US));
                sent_ns.store(epoch.now_ns(), Ordering::Release);
                replies.audio(call, &[0.1; 320], 320);
                replies.send(call, ReplyPart::Done { busy_us: 0 });
            }
        });
        Box::new(Front { orders, queue })
    }
    fn modelled(&self) -> bool {
        false
    }
    fn kind(&self) -> &'static str {
        "Beeps"
    }
}

struct Front {
    orders: Sender<CallKey>,
    queue: ReplyQueue,
}

impl Service for Front {
    fn start(&mut self, batch: &mut Vec<Call>, _: u64) {
        batch.drain(..).for_each(|call| self.orders.send(call.key).expect("the thread lives as long"));
    }
    fn cancel(&mut self, scope: CallScope, _: u64) {
        self.queue.cancel(scope);
    }
    fn poll(&mut self, _: u64, replies: &mut Replies<'_>) {
        self.queue.hand_out(replies);
    }
}

/// Sends texts, and waits for the sound of each: nanoseconds from the service's thread to the waker.
fn ask(session: &SessionHandle, parker: &Parker, woken_ns: &AtomicU64, sent_ns: &AtomicU64) -> Vec<u64> {
    let ask = |n: usize| {
        let text = Control::SendText { text: "beep".into() };
        let message_id = n as u64 + 1;
        session.control(ControlIn { message_id, control: text }).expect("there is room");
        loop {
            if let Some(Out::Audio(audio)) = session.poll() {
                session.give_back(audio.block);
                let sent_ns = sent_ns.load(Ordering::Acquire);
                while woken_ns.load(Ordering::Acquire) < sent_ns {
                    parker.park();
                }
                return woken_ns.load(Ordering::Acquire) - sent_ns;
            }
            parker.park();
        }
    };
    let latencies_ns = (0..TEXTS).map(ask).collect();
    session.close();
    latencies_ns
}

fn measured(wakes: bool) -> Vec<u64> {
    let (epoch, sent_ns) = (Epoch::start(), Arc::<AtomicU64>::default());
    let mut registry = mynah_systems::registry(None);
    let sent = Arc::clone(&sent_ns);
    registry.add_service("Beeps", move |_| Ok(Arc::new(Beeps { wakes, epoch, sent_ns: Arc::clone(&sent) })));
    let (plan, _) = compile(&Source::new("beeps.ron", SCENE), &[], None, &registry).expect("it is right");
    let mut engine = Engine::new(plan.into(), EngineConfig { threads: 1, ..EngineConfig::real_time() });
    let door = engine.handle();
    let (parker, woken_ns) = (Parker::new(), Arc::<AtomicU64>::default());
    let (told, unparker) = (Arc::clone(&woken_ns), parker.unparker().clone());
    let waker = move || {
        told.store(epoch.now_ns(), Ordering::Release);
        unparker.unpark();
    };
    let spec = SessionSpec { waker: Some(Arc::new(waker)), ..SessionSpec::named("caller") };
    let session = door.open(spec).expect("there is room");
    let host = std::thread::spawn(move || ask(&session, &parker, &woken_ns, &sent_ns));
    let mut clock = WallClock::new(epoch, door.bell());
    let driver = Driver::WakeOnIngress { heartbeat_us: HEARTBEAT_US, min_gap_us: 0 };
    run(&mut engine, driver, &mut clock, &mut |_, _| {
        if host.is_finished() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    host.join().expect("the host does not panic")
}

/// Microseconds at 50, 95 and 100 %.
fn quantiles(mut ns: Vec<u64>) -> [f64; 3] {
    ns.sort_unstable();
    [ns.len() / 2, ns.len() * 95 / 100, ns.len() - 1].map(|at| ns[at] as f64 / 1e3)
}

fn main() {
    println!("service thread to the session's waker, us        P50      P95      max");
    let [with, without] = [true, false].map(|wakes| quantiles(measured(wakes)));
    for (name, [p50, p95, max]) in [("with its waker", with), ("without: the next heartbeat (5 ms)", without)]
    {
        println!("{name:<44} {p50:>8.0} {p95:>8.0} {max:>8.0}");
    }
    println!("P95 is 1/{:.1} of that without a waker", without[1] / with[1]);
}
