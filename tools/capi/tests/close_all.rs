//! `mynah_close_all` ends whatever there is, while others open and close.

mod support;

use std::thread;

use mynah_capi::*;
use support::{open_session, session_config, virtual_engine};

#[test]
fn engines_open_and_close_while_all_are_closed() {
    let opened: usize = thread::scope(|scope| {
        let open = || {
            let mut opened = 0;
            for round in 0..60_u64 {
                let engine = virtual_engine();
                let Ok(session) = open_session(engine, &session_config(c"a")) else { continue };
                // SAFETY: handles are numbers.
                let status = unsafe { mynah_tick(engine, round) };
                assert!([MYNAH_OK, MYNAH_BAD_HANDLE, MYNAH_BUSY, MYNAH_ENDED].contains(&status), "{status}");
                // SAFETY: handles are numbers.
                let status = unsafe { mynah_session_close(session) };
                assert!([MYNAH_OK, MYNAH_BAD_HANDLE].contains(&status), "{status}");
                opened += 1;
            }
            opened
        };
        let openers = [scope.spawn(open), scope.spawn(open)];
        while openers.iter().any(|opener| !opener.is_finished()) {
            assert_eq!(mynah_close_all(), MYNAH_OK);
        }
        openers.map(|opener| opener.join().expect("it does not panic")).iter().sum()
    });
    assert!(opened > 0, "some were not closed before they had a session");
    assert_eq!(mynah_close_all(), MYNAH_OK);
}
