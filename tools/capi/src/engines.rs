//! What the handles of engines stand for.

use std::sync::{Arc, Mutex};

use crate::host::Host;
use crate::opaque::EngineHandle;
use crate::sessions::locked;
use crate::status::{Done, Fault, MYNAH_BAD_HANDLE};
use crate::table::Table;

pub(crate) static ENGINES: Table<Mutex<Option<Arc<Host>>>> = Table::new(1);

/// The engine of a handle.
pub(crate) fn host(handle: *const EngineHandle) -> Done<Arc<Host>> {
    let missing = || {
        let what = if handle.is_null() { "null" } else { "closed, or made up" };
        Fault::new(MYNAH_BAD_HANDLE, format!("the engine's handle is {what}"))
    };
    let (key, place) = ENGINES.find(handle.addr()).ok_or_else(missing)?;
    let host = locked(&place.thing).clone();
    host.filter(|_| place.is(key)).ok_or_else(missing)
}
