//! Settings that a session has from its beginning and may be given anew.

use mynah_engine::speech::GateMode;
use mynah_engine::{Params, serde_json};

use crate::config::{MYNAH_GATE_AUTO, MYNAH_GATE_OPEN, MYNAH_GATE_SHUT};
use crate::status::{Done, Fault, MYNAH_BAD_SETTING};

pub(super) fn gate_mode(mode: i32) -> Done<GateMode> {
    match mode {
        MYNAH_GATE_AUTO => Ok(GateMode::Auto),
        MYNAH_GATE_OPEN => Ok(GateMode::Open),
        MYNAH_GATE_SHUT => Ok(GateMode::Shut),
        other => Err(Fault::argument(format!("the gate's mode is {other}; expected 0, 1 or 2"))),
    }
}

pub(super) fn parse_params(json: &str) -> Done<Params> {
    let refused = |error| Fault::new(MYNAH_BAD_SETTING, format!("params are no JSON object: {error}"));
    serde_json::from_str(json).map_err(refused)
}
