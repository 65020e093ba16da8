//! The host is a thread of the same process, which the engine wakes.

use std::sync::Arc;
use std::time::Instant;

use crossbeam::sync::Parker;
use mynah_engine::scene::{Source, compile};
use mynah_engine::{Control, ControlIn, EngineConfig, Out, SessionHandle, SessionSpec};
use mynah_host::{Runner, RunnerOptions};

use crate::SESSIONS;
use crate::rhythm::{PIECE_TIME, Rhythm, SCENE, Told};

struct Host {
    session: SessionHandle,
    rhythm: Rhythm,
    due: Instant,
    told: Told,
    over: bool,
}

pub(crate) fn measured() -> Told {
    let registry = mynah_systems::registry(None);
    let (plan, _) =
        compile(&Source::new("corrections.ron", SCENE), &[], None, &registry).expect("it is right");
    let config = EngineConfig { threads: 1, ..EngineConfig::real_time() };
    let runner =
        Runner::spawn(Arc::new(plan), config, RunnerOptions::default()).expect("a thread is to be had");
    let (parker, began) = (Parker::new(), Instant::now());
    let mut hosts: Vec<Host> = (0..SESSIONS)
        .map(|number| {
            let unparker = parker.unparker().clone();
            let waker = Arc::new(move || unparker.unpark());
            let spec = SessionSpec {
                controls: true,
                waker: Some(waker),
                ..SessionSpec::named(format!("c{number}"))
            };
            let session = runner.handle().open(spec).expect("there is room");
            let due = began + Rhythm::offset(number);
            Host { session, rhythm: Rhythm::of(number), due, told: Told::default(), over: false }
        })
        .collect();
    while hosts.iter().any(|host| !host.over) {
        let now = Instant::now();
        hosts.iter_mut().for_each(|host| host.work(now));
        let due = hosts.iter().filter(|host| !host.over).map(|host| host.due).min();
        let wait = due.map(|due| due.saturating_duration_since(Instant::now())).unwrap_or_default();
        parker.park_timeout(wait);
    }
    hosts.into_iter().map(|host| host.told).fold(Told::default(), Told::and)
}

impl Host {
    fn work(&mut self, now: Instant) {
        while let Some(out) = self.session.poll() {
            match out {
                Out::Audio(audio) => self.session.give_back(audio.block),
                Out::Control(Control::CancelSpeculation { .. }) => self.told.tell(),
                Out::Control(_) | Out::Text { .. } | Out::Event(_) => {}
            }
        }
        if self.over || now < self.due {
            return;
        }
        self.due += PIECE_TIME;
        let Some((samples, asks)) = self.rhythm.next() else {
            self.over = true;
            return self.session.close();
        };
        if asks {
            self.told.ask();
            let ask = ControlIn { message_id: self.told.asked, control: Control::EndTurn };
            self.session.control(ask).expect("there is room");
        }
        self.session.try_push(samples).expect("there is credit");
    }
}
