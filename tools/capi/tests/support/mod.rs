//! A host in Rust: configurations, engines and sessions.
#![allow(dead_code, reason = "every test uses its own part of it")]

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::ptr::null_mut;

use mynah_capi::*;

pub(crate) const SCENE: &str = r#"(
    name: "wire",
    tick: (period_ms: 5),
    session: (input: (rate_hz: 16000, channels: 1, chunk_ms: 20), output: (release: Immediately, pace: Burst)),
    nodes: [],
    edges: [("input", "output")],
)"#;

pub(crate) fn error() -> String {
    // SAFETY: the text lives until the next call on this thread.
    unsafe { CStr::from_ptr(mynah_error()) }.to_str().expect("UTF-8").to_owned()
}

pub(crate) fn config() -> Config {
    let mut config = MaybeUninit::uninit();
    // SAFETY: room for one.
    unsafe {
        assert_eq!(mynah_config_init(config.as_mut_ptr(), size_of::<Config>() as u32), MYNAH_OK);
        config.assume_init()
    }
}

pub(crate) fn open(config: &Config, scene: &str) -> Result<*mut EngineHandle, (Status, String)> {
    let mut engine = null_mut();
    // SAFETY: everything lives through the call.
    let status = unsafe { mynah_open(config, scene.as_ptr().cast(), scene.len(), &mut engine) };
    if status == MYNAH_OK { Ok(engine) } else { Err((status, error())) }
}

pub(crate) fn virtual_engine() -> *mut EngineHandle {
    open(&Config { drive: MYNAH_DRIVE_VIRTUAL, ..config() }, SCENE).expect("the scene is right")
}

pub(crate) fn session_config(name: &CStr) -> SessionConfig {
    let mut config = MaybeUninit::uninit();
    // SAFETY: room for one.
    let mut config = unsafe {
        let status = mynah_session_config_init(config.as_mut_ptr(), size_of::<SessionConfig>() as u32);
        assert_eq!(status, MYNAH_OK);
        config.assume_init()
    };
    config.name = name.as_ptr();
    config
}

pub(crate) fn open_session(
    engine: *mut EngineHandle,
    config: &SessionConfig,
) -> Result<*mut SessionHandle, (Status, String)> {
    let mut session = null_mut();
    // SAFETY: everything lives through the call.
    let status = unsafe { mynah_session_open(engine, config, &mut session) };
    if status == MYNAH_OK { Ok(session) } else { Err((status, error())) }
}
