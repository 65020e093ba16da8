//! `LoudnessMeter`: hears speech as it arrives, and says how long and how loud it was. A real streaming service with a
//! thread of its own, shaped like a recogniser: what it says is no transcript.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use mynah_engine::Block;
use mynah_engine::service::{
    Call, CallKey, CallScope, Replies, ReplyPart, ReplyQueue, ReplySender, SegmentRef, Service, ServiceKind,
    ServiceSite, SessionKey, SessionRef,
};
use mynah_engine::speech::Heard;
use serde::Deserialize;

/// Configuration of the service output `LoudnessMeter`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoudnessMeter {
    /// How often it says what it has heard so far, ms of audio.
    pub tells_ms: u32,
}

impl Default for LoudnessMeter {
    fn default() -> Self {
        Self { tells_ms: 500 }
    }
}

impl ServiceKind for LoudnessMeter {
    fn start(&self, site: ServiceSite<'_>) -> Box<dyn Service> {
        let (replies, queue) = ReplyQueue::new(site.waker);
        let (work, orders) = channel();
        let mut meter =
            Meter { tells_ms: self.tells_ms, replies, rates: HashMap::new(), heard: HashMap::new() };
        // The thread ends with the service, which holds the other end of its orders.
        thread::spawn(move || meter.run(&orders));
        Box::new(Front { work, queue })
    }
    fn modelled(&self) -> bool {
        false
    }
    fn kind(&self) -> &'static str {
        "LoudnessMeter"
    }
}

/// What the thread is told, in order.
enum Order {
    Open(SessionRef),
    Close(SessionKey),
    Hear(SegmentRef, Block),
    GoesOn(SegmentRef, SegmentRef),
    Measure(CallKey),
    Forget(CallScope),
    Done(SegmentRef),
}

/// The end of the service in the tick: hands orders on, and answers back.
struct Front {
    work: Sender<Order>,
    queue: ReplyQueue,
}

impl Front {
    fn order(&self, order: Order) {
        // The thread is there as long as this service, unless it has panicked; then calls time out.
        let _unused = self.work.send(order);
    }
}

impl Service for Front {
    fn open(&mut self, session: SessionRef) {
        self.order(Order::Open(session));
    }

    fn close(&mut self, session: SessionKey) {
        self.order(Order::Close(session));
    }

    fn wants_audio(&self) -> bool {
        true
    }

    fn hear(&mut self, segment: SegmentRef, audio: Block) {
        self.order(Order::Hear(segment, audio));
    }

    fn goes_on(&mut self, before: SegmentRef, segment: SegmentRef) {
        self.order(Order::GoesOn(before, segment));
    }

    fn start(&mut self, batch: &mut Vec<Call>, _: u64) {
        for Call { key, .. } in batch.drain(..) {
            self.order(Order::Measure(key));
        }
    }

    fn cancel(&mut self, scope: CallScope, _: u64) {
        self.queue.cancel(scope);
        self.order(Order::Forget(scope));
    }

    fn commit(&mut self, segment: SegmentRef, _: u32, _: &Heard) {
        self.order(Order::Done(segment));
    }

    fn poll(&mut self, _: u64, replies: &mut Replies<'_>) {
        self.queue.hand_out(replies);
    }
}

/// What was heard of one segment.
#[derive(Clone, Copy, Default)]
struct Loudness {
    energy: f64,
    samples: u64,
    told: u64,
}

/// The thread's own state.
struct Meter {
    tells_ms: u32,
    replies: ReplySender,
    /// Samples a second of each session, all channels.
    rates: HashMap<SessionKey, u32>,
    heard: HashMap<SegmentRef, Loudness>,
}

impl Meter {
    fn run(&mut self, orders: &Receiver<Order>) {
        while let Ok(order) = orders.recv() {
            match order {
                Order::Open(session) => {
                    let rate =
                        session.hears.map_or(16_000, |format| format.rate_hz * u32::from(format.channels));
                    self.rates.insert(session.key, rate);
                }
                Order::Close(session) => {
                    self.rates.remove(&session);
                }
                Order::Hear(segment, audio) => self.hear(segment, audio.samples()),
                Order::GoesOn(before, segment) => {
                    let heard = self.heard.get(&before).copied().unwrap_or_default();
                    self.heard.insert(segment, heard);
                }
                Order::Measure(call) => {
                    let text = self.say(call.segment());
                    self.replies.send(call, ReplyPart::Text(text.into()));
                    self.replies.send(call, ReplyPart::Done { busy_us: 0 });
                }
                Order::Forget(scope) => self.heard.retain(|segment, _| !scope.ends(segment)),
                Order::Done(segment) => {
                    self.heard.remove(&segment);
                }
            }
        }
    }

    fn hear(&mut self, segment: SegmentRef, samples: &[f32]) {
        let every = u64::from(self.rate(segment)) * u64::from(self.tells_ms) / 1_000;
        let heard = self.heard.entry(segment).or_default();
        heard.energy += samples.iter().map(|sample| f64::from(sample * sample)).sum::<f64>();
        heard.samples += samples.len() as u64;
        if heard.samples >= heard.told + every {
            heard.told = heard.samples;
            let text = self.say(segment);
            self.replies.partial(segment, text);
        }
    }

    fn rate(&self, segment: SegmentRef) -> u32 {
        self.rates.get(&segment.of).copied().unwrap_or(16_000)
    }

    fn say(&self, segment: SegmentRef) -> String {
        let Loudness { energy, samples, .. } = self.heard.get(&segment).copied().unwrap_or_default();
        let seconds = samples as f64 / f64::from(self.rate(segment));
        let level_db = 10.0 * (energy / samples.max(1) as f64).max(1e-10).log10();
        format!("{seconds:.1} seconds at {level_db:.0} dB")
    }
}
