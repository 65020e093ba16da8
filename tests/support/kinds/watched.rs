//! The service `Watched` is the real voice, with an eye on the thread that makes the speech.

use std::sync::{Arc, Mutex};

use mynah_engine::service::{Call, Service, ServiceKind, ServiceSite};
use mynah_systems::service::{FliteVoice, Modelled, Production, Work};

/// For each speech that was begun: waits until its thread has done with it, gives the samples that were made.
pub(crate) type Speeches = Arc<Mutex<Vec<Box<dyn Fn() -> usize + Send>>>>;

pub(super) struct Watched(pub(super) Speeches);

impl Production for Watched {
    fn work(&self, call: &Call) -> Work {
        let work = FliteVoice::default().work(call);
        if let Work::Speech(speech) = &work {
            let speech = Arc::clone(speech);
            let made = move || speech.length_within(usize::MAX, true).unwrap_or(0);
            self.0.lock().expect("nobody panics").push(Box::new(made));
        }
        work
    }
}

impl ServiceKind for Watched {
    fn start(&self, site: ServiceSite<'_>) -> Box<dyn Service> {
        Box::new(Modelled::new(site, Box::new(Watched(Arc::clone(&self.0)))))
    }
    fn modelled(&self) -> bool {
        true
    }
    fn keeps_timing(&self) -> bool {
        true
    }
    fn kind(&self) -> &'static str {
        "Watched"
    }
}
