//! The metrics page of a server: its scenes', and its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use mynah_host::metrics::exposition::{Exposition, Form, Kind};
use mynah_host::metrics::page_of;

use crate::admission::AdmissionFigures;
use crate::scenes::RunningScene;

/// Control messages of a transport.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransportFigures {
    /// Sent, each counted once.
    pub sent: u64,
    /// Acknowledged.
    pub acked: u64,
    /// Sent again.
    pub retried: u64,
    /// Given up.
    pub failed: u64,
    /// Sound that was late and left out, microseconds.
    pub sound_dropped_us: u64,
}

impl TransportFigures {
    /// What has come since `before`.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            sent: self.sent.saturating_sub(before.sent),
            acked: self.acked.saturating_sub(before.acked),
            retried: self.retried.saturating_sub(before.retried),
            failed: self.failed.saturating_sub(before.failed),
            sound_dropped_us: self.sound_dropped_us.saturating_sub(before.sound_dropped_us),
        }
    }
}

/// Sums by transport.
#[derive(Debug, Default)]
pub(crate) struct Transports(Mutex<BTreeMap<&'static str, TransportFigures>>);

impl Transports {
    pub(crate) fn add(&self, transport: &'static str, more: TransportFigures) {
        let mut sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = sums.entry(transport).or_default();
        sum.sent += more.sent;
        sum.acked += more.acked;
        sum.retried += more.retried;
        sum.failed += more.failed;
        sum.sound_dropped_us += more.sound_dropped_us;
    }

    fn sums(&self) -> BTreeMap<&'static str, TransportFigures> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What a server measures beside its scenes.
pub(crate) struct Measured {
    pub(crate) admission: AdmissionFigures,
    pub(crate) load_ratio: f64,
    pub(crate) draining: bool,
}

pub(crate) fn page(
    scenes: &[Arc<RunningScene>],
    measured: &Measured,
    transports: &Transports,
    form: Form,
) -> String {
    // Of two with one name, as after a reload, the later ones get a number.
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    let mut shown = Vec::new();
    for scene in scenes {
        let facts = scene.board().facts();
        let count = seen.entry(facts.scene()).or_default();
        *count += 1;
        let name = if *count == 1 { facts.scene().into() } else { format!("{}@{count}", facts.scene()) };
        shown.push((facts.named(name), scene.board().shown()));
    }
    let rows: Vec<_> = shown.iter().map(|(facts, shown)| (facts, &**shown)).collect();
    page_of(&rows, form, |page| own(page, measured, &transports.sums()))
}

fn own(page: &mut Exposition, measured: &Measured, transports: &BTreeMap<&'static str, TransportFigures>) {
    let figures = &measured.admission;
    page.family("mynah_sessions_max", Kind::Gauge, "Most sessions that this server takes at once.");
    page.count(&[], u64::from(figures.sessions_max));
    page.family(
        "mynah_load_ratio",
        Kind::Gauge,
        "The greatest of places taken, time that ticks work, and lateness of ticks at P99 beyond a period of 5 ms in such periods, over 10 s; 1 is full.",
    );
    page.measure(&[], measured.load_ratio);
    page.family("mynah_admission_admitted", Kind::Counter, "Clients that were given a place.");
    page.count(&[], figures.admitted);
    page.family("mynah_admission_refused", Kind::Counter, "Clients that were refused, by reason.");
    for (reason, count) in &figures.refused {
        page.count(&[("reason", reason)], *count);
    }
    page.family("mynah_draining", Kind::Gauge, "1 while the server ends, else 0.");
    page.count(&[], u64::from(measured.draining));
    // Beside those of a scene's own link.
    type Count = (&'static str, &'static str, fn(&TransportFigures) -> u64);
    let counts: [Count; 4] = [
        ("mynah_control_sent", "", |one| one.sent),
        ("mynah_control_acked", "", |one| one.acked),
        ("mynah_control_retried", "", |one| one.retried),
        ("mynah_control_failed", "", |one| one.failed),
    ];
    for (name, help, of) in counts {
        page.family(name, Kind::Counter, help);
        for (transport, figures) in transports {
            page.count(&[("transport", transport)], of(figures));
        }
    }
    page.family(
        "mynah_sound_dropped_seconds",
        Kind::Counter,
        "Sound that a client's connection did not take in 200 ms, and that was left out.",
    );
    for (transport, figures) in transports {
        page.measure(&[("transport", transport)], figures.sound_dropped_us as f64 / 1e6);
    }
}
