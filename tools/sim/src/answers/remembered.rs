//! Services whose answers a log has: a replay asks nobody else.

use std::sync::{Arc, Mutex, PoisonError};

use mynah_engine::Registry;
use mynah_engine::service::{Call, Service, ServiceKind, ServiceSite, ServiceWaker};
use mynah_systems::service::{Modelled, OutsideAnswer, Production, Work};

use super::line::{LoggedAnswer, NO_MORE, Remembered};
use super::name::AnswerName;
use crate::outside::KINDS;

/// All answers of a log; each is given once.
#[derive(Clone, Default)]
pub struct LoggedAnswers(Arc<Mutex<Remembered>>);

impl LoggedAnswers {
    /// Of a log that was read.
    pub fn new(answers: Remembered) -> Self {
        Self(Arc::new(Mutex::new(answers)))
    }

    fn take(&self, name: &AnswerName) -> Option<LoggedAnswer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name)
    }

    /// A kind that answers from the log in place of the kind of this name.
    pub(super) fn kind(&self, kind: &'static str) -> Arc<dyn ServiceKind> {
        Arc::new(RememberedKind { kind, answers: self.clone() })
    }
}

struct RememberedKind {
    kind: &'static str,
    answers: LoggedAnswers,
}

struct Remembering {
    service: String,
    answers: LoggedAnswers,
    waker: ServiceWaker,
}

impl Production for Remembering {
    fn work(&self, call: &Call) -> Work {
        let name = AnswerName::new(&self.service, &call.name, &call.key, call.attempt);
        let Some(LoggedAnswer { rate_hz, parts, end }) = self.answers.take(&name) else {
            return Work::Failure("the log has no answer to this call".into());
        };
        let (writer, answer) = OutsideAnswer::begin(rate_hz, &self.waker);
        parts.into_iter().for_each(|part| writer.part(part));
        match end {
            Some(Ok(())) => writer.done(),
            Some(Err(reason)) => writer.fail(reason),
            // No more of it was used.
            None => writer.fail(NO_MORE),
        }
        Work::Outside(answer)
    }
}

impl ServiceKind for RememberedKind {
    fn start(&self, site: ServiceSite<'_>) -> Box<dyn Service> {
        let (service, answers, waker) = (site.name.into(), self.answers.clone(), site.waker.clone());
        Box::new(Modelled::new(site, Box::new(Remembering { service, answers, waker })))
    }
    fn modelled(&self) -> bool {
        false
    }
    fn keeps_timing(&self) -> bool {
        true
    }
    fn is_outside(&self) -> bool {
        true
    }
    fn kind(&self) -> &'static str {
        self.kind
    }
}

/// Adds the kinds of services outside, whatever their configuration and whether or not this build has them.
pub(crate) fn register(registry: &mut Registry, answers: &LoggedAnswers) {
    for (kind, _) in KINDS {
        let answers = answers.clone();
        registry.add_service(kind, move |_| Ok(answers.kind(kind)));
    }
}
