//! The service `Noting` works as another production does, and notes each call.

use std::marker::PhantomData;
use std::sync::{Arc, Mutex};

use mynah_engine::Registry;
use mynah_engine::scene::parse_config;
use mynah_engine::service::{Call, Service, ServiceKind, ServiceSite};
use mynah_systems::service::{Modelled, Production, Work};

/// What a service was asked, in order.
pub(crate) type Asked = Arc<Mutex<Vec<Call>>>;

struct Noting<P>(Asked, PhantomData<fn() -> P>);

impl<P: Production + Default + 'static> Production for Noting<P> {
    fn wants_audio(&self) -> bool {
        P::default().wants_audio()
    }
    fn work(&self, call: &Call) -> Work {
        self.0.lock().expect("nobody panics").push(call.clone());
        P::default().work(call)
    }
}

impl<P: Production + Default + 'static> ServiceKind for Noting<P> {
    fn start(&self, site: ServiceSite<'_>) -> Box<dyn Service> {
        Box::new(Modelled::new(site, Box::new(Self(Arc::clone(&self.0), PhantomData))))
    }
    fn modelled(&self) -> bool {
        true
    }
    fn keeps_timing(&self) -> bool {
        true
    }
    fn kind(&self) -> &'static str {
        "Noting"
    }
}

/// Registers it for `P`.
pub(crate) fn add<P: Production + Default + 'static>(registry: &mut Registry, asked: &Asked) {
    let asked = Arc::clone(asked);
    registry.add_service("Noting", move |config| {
        parse_config::<()>(if config.trim().is_empty() { "()" } else { config })?;
        Ok(Arc::new(Noting::<P>(Arc::clone(&asked), PhantomData)) as Arc<dyn ServiceKind>)
    });
}
