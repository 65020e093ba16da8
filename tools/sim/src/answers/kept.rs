//! Service kinds whose answers from outside are kept for a log.

use std::any::Any;
use std::sync::Arc;

use mynah_engine::ScenePlan;
use mynah_engine::service::{Service, ServiceKind, ServiceSite};
use mynah_systems::service::Modelled;

use super::{AnswerBook, LoggedAnswers};

struct Kept {
    inner: Arc<dyn ServiceKind>,
    book: Arc<AnswerBook>,
}

impl ServiceKind for Kept {
    fn start(&self, site: ServiceSite<'_>) -> Box<dyn Service> {
        let mut service = self.inner.start(site);
        let any: &mut dyn Any = &mut *service;
        if let Some(modelled) = any.downcast_mut::<Modelled>() {
            modelled.keep_answers(Arc::clone(&self.book) as _);
        }
        service
    }
    fn modelled(&self) -> bool {
        self.inner.modelled()
    }
    fn keeps_timing(&self) -> bool {
        self.inner.keeps_timing()
    }
    fn is_outside(&self) -> bool {
        true
    }
    fn kind(&self) -> &'static str {
        self.inner.kind()
    }
}

/// Has the services of a plan that are outside keep their answers, all in one book.
pub(crate) fn keep(plan: &mut ScenePlan) {
    let book = Arc::<AnswerBook>::default();
    for service in plan.services.iter_mut().filter(|service| service.output.is_outside()) {
        service.output = Arc::new(Kept { inner: Arc::clone(&service.output), book: Arc::clone(&book) });
    }
}

/// Has the services of a plan that are outside answer what a log has, and nobody else is asked.
pub fn remember(plan: &mut ScenePlan, answers: &LoggedAnswers) {
    for service in &mut plan.services {
        let any: &dyn Any = &*service.output;
        if let Some(kept) = any.downcast_ref::<Kept>() {
            let (inner, book) = (answers.kind(kept.inner.kind()), Arc::clone(&kept.book));
            service.output = Arc::new(Kept { inner, book });
        }
    }
}

/// The book of a plan's services; `None`: none is outside.
pub(crate) fn book_of(plan: &ScenePlan) -> Option<Arc<AnswerBook>> {
    plan.services.iter().find_map(|service| {
        let any: &dyn Any = &*service.output;
        any.downcast_ref::<Kept>().map(|kept| Arc::clone(&kept.book))
    })
}
