//! Places for readers of the metrics page. When all are taken, the reader that has had one for longest gives it up,
//! if that was long enough for a request. So slow readers, however many and however often they come again, keep
//! nobody out.
#![expect(clippy::disallowed_methods, reason = "readers are given a time, on the machine's clock")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Readers at once; a further one takes the place of the one that came first.
pub const READERS_MAX: usize = 16;
/// Connections at once: readers, and those that have lost their place and have not noticed yet.
const CONNECTIONS_MAX: usize = 3 * READERS_MAX;
/// Every reader keeps its place for this long: a scraper takes a few milliseconds, and whoever waits behind a crowd of
/// 128 has its turn within a second.
const GRACE_TIME: Duration = Duration::from_millis(100);
/// So often a reader looks whether its place is wanted.
pub(super) const LOOK_TIME: Duration = Duration::from_millis(50);

/// All that are connected.
#[derive(Debug, Default)]
pub(super) struct Readers {
    /// In the order in which they came.
    seats: Mutex<Vec<Seat>>,
    left: Condvar,
}

#[derive(Debug)]
struct Seat {
    since: Instant,
    is_wanted: Arc<AtomicBool>,
}

/// A place among the readers, free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    readers: Arc<Readers>,
    is_wanted: Arc<AtomicBool>,
}

impl Readers {
    /// Waits for a place; `None`: it is stopped.
    pub(super) fn take(readers: &Arc<Self>, stops: &AtomicBool) -> Option<Place> {
        let mut seats = readers.seats();
        while !stops.load(Ordering::Acquire) {
            let mut staying = seats.iter().filter(|seat| !seat.is_wanted.load(Ordering::Acquire));
            let oldest = staying.next();
            let is_full = staying.count() + 1 >= READERS_MAX;
            let mut wait = LOOK_TIME;
            if let Some(oldest) = oldest.filter(|_| is_full) {
                wait = GRACE_TIME.saturating_sub(oldest.since.elapsed());
                if wait.is_zero() {
                    oldest.is_wanted.store(true, Ordering::Release);
                    continue;
                }
            } else if seats.len() < CONNECTIONS_MAX {
                let is_wanted = Arc::new(AtomicBool::new(false));
                seats.push(Seat { since: Instant::now(), is_wanted: Arc::clone(&is_wanted) });
                return Some(Place { readers: Arc::clone(readers), is_wanted });
            }
            let waited = readers.left.wait_timeout(seats, wait.min(LOOK_TIME));
            seats = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        None
    }

    fn seats(&self) -> MutexGuard<'_, Vec<Seat>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Whether somebody else is to have it: its reader has had time enough.
    pub(super) fn is_wanted(&self) -> bool {
        self.is_wanted.load(Ordering::Acquire)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.readers.seats().retain(|seat| !Arc::ptr_eq(&seat.is_wanted, &self.is_wanted));
        self.readers.left.notify_all();
    }
}
