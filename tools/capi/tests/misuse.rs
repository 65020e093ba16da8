//! What a host does wrong is a status with a text, and nothing else happens.

mod support;

use std::ffi::{CString, c_char};
use std::mem::MaybeUninit;
use std::ptr::{null, null_mut, without_provenance_mut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use mynah_capi::*;
use support::{SCENE, config, error, open, open_session, session_config, virtual_engine};

fn refused<T>(result: Result<T, (Status, String)>, status: Status, part: &str) {
    let Err((found, text)) = result else { panic!("expected {status} with `{part}`") };
    assert!(found == status && text.contains(part), "{found}: {text}");
}

#[test]
fn a_foreign_interface_is_refused() {
    for abi in [0, 2, u32::MAX] {
        refused(
            open(&Config { abi, ..config() }, SCENE),
            MYNAH_BAD_ABI,
            &format!("mynah_config.abi is {abi}"),
        );
    }
    let engine = virtual_engine();
    let foreign = SessionConfig { abi: 7, ..session_config(c"a") };
    refused(open_session(engine, &foreign), MYNAH_BAD_ABI, "mynah_session_config.abi is 7");
    // SAFETY: the handle is a number.
    assert_eq!(unsafe { mynah_close(engine) }, MYNAH_OK);
}

#[test]
fn a_struct_that_is_too_short_is_refused_and_a_longer_one_is_taken() {
    refused(open(&Config { size: 8, ..config() }, SCENE), MYNAH_BAD_ARGUMENT, "mynah_config.size is 8");
    #[repr(C)]
    struct Longer {
        known: Config,
        unknown: [u8; 32],
    }
    let mut longer = MaybeUninit::<Longer>::zeroed();
    // SAFETY: room for one, of which the library fills the part that it knows.
    unsafe {
        let status = mynah_config_init(longer.as_mut_ptr().cast(), size_of::<Longer>() as u32);
        assert_eq!(status, MYNAH_OK);
        let longer = longer.assume_init();
        assert_eq!((longer.known.size as usize, longer.unknown), (size_of::<Longer>(), [0; 32]));
        let engine = open(&longer.known, SCENE).expect("what is known is right");
        assert_eq!(mynah_close(engine), MYNAH_OK);
    }
}

#[test]
fn nulls_are_refused() {
    let (config, engine) = (config(), virtual_engine());
    // SAFETY: nulls are what this is about.
    unsafe {
        assert_eq!(mynah_config_init(null_mut(), 64), MYNAH_BAD_ARGUMENT);
        assert_eq!(mynah_open(null(), SCENE.as_ptr().cast(), SCENE.len(), null_mut()), MYNAH_BAD_ARGUMENT);
        assert_eq!(mynah_open(&config, SCENE.as_ptr().cast(), SCENE.len(), null_mut()), MYNAH_BAD_ARGUMENT);
        let mut opened = null_mut();
        assert_eq!(mynah_open(&config, null(), 9, &mut opened), MYNAH_BAD_ARGUMENT);
        assert!(error().contains("scene is null"), "{}", error());
        assert_eq!(mynah_close(null_mut()), MYNAH_OK);
        assert_eq!(mynah_session_close(null_mut()), MYNAH_OK);
        assert_eq!(mynah_tick(null_mut(), 0), MYNAH_BAD_HANDLE);
        assert!(error().contains("null"), "{}", error());
        assert_eq!(mynah_events(engine, null_mut(), 4, null_mut()), MYNAH_BAD_ARGUMENT);
        assert_eq!(mynah_push(null_mut(), null(), 4), MYNAH_BAD_HANDLE);
        let mut heard = [1.0; 4];
        assert_eq!(mynah_pull(null_mut(), heard.as_mut_ptr(), 4, null_mut()), MYNAH_BAD_HANDLE);
        assert_eq!(heard, [0.0; 4], "who has no session hears silence");
        assert_eq!(
            (mynah_now_us(null()), mynah_is_closed(null()), mynah_session_id(null())),
            (0, 1, u32::MAX)
        );
        let session = open_session(engine, &session_config(c"a")).expect("there is room");
        assert_eq!(mynah_push(session, null(), 4), MYNAH_BAD_ARGUMENT);
        assert_eq!(mynah_push(session, null(), 0), MYNAH_OK);
        assert_eq!(mynah_pull(session, null_mut(), usize::MAX, null_mut()), MYNAH_BAD_ARGUMENT);
        assert_eq!(mynah_say(session, null(), 4, null(), null_mut()), MYNAH_BAD_ARGUMENT);
        assert_eq!(mynah_session_formats(session, null_mut()), MYNAH_BAD_ARGUMENT);
        assert_eq!(mynah_close(engine), MYNAH_OK);
    }
}

#[test]
fn a_broken_scene_is_told_with_its_excerpt() {
    let broken = SCENE.replace("(\"input\", \"output\")", "(\"input\", \"outptu\")");
    refused(open(&config(), &broken), MYNAH_BAD_SCENE, "outptu");
    let (_, text) = open(&config(), &broken).expect_err("it is broken");
    assert!(text.contains("scene.ron:6") && text.contains("no node has this id"), "{text}");
    let text = CString::new("gate.threshold=2").expect("no zero");
    let settings = Config { settings: text.as_ptr(), ..config() };
    refused(open(&settings, SCENE), MYNAH_BAD_SCENE, "gate");
    let bytes = [0xff_u8, 0xfe];
    let mut engine = null_mut();
    // SAFETY: two bytes.
    let status = unsafe { mynah_open(&config(), bytes.as_ptr().cast::<c_char>(), 2, &mut engine) };
    assert!(status == MYNAH_BAD_ARGUMENT && error().contains("UTF-8"), "{status}: {}", error());
}

#[test]
fn settings_out_of_range_name_what_would_do() {
    refused(open(&Config { drive: 3, ..config() }, SCENE), MYNAH_BAD_ARGUMENT, "expected 0, 1 or 2");
    refused(open(&Config { threads: 0, ..config() }, SCENE), MYNAH_BAD_ARGUMENT, "expected 1 to 256");
    let engine = virtual_engine();
    let name = c"npc";
    let rows: &[(SessionConfig, &str)] = &[
        (SessionConfig { input_rate_hz: 16_000, ..session_config(name) }, "expected both"),
        (SessionConfig { lead_ms: -7, ..session_config(name) }, "lead_ms is -7"),
        (SessionConfig { latency_ms: 20_000, ..session_config(name) }, "latency_ms: 20000"),
        (SessionConfig { gate: 5, ..session_config(name) }, "expected 0, 1 or 2"),
        (SessionConfig { params: c"[1]".as_ptr(), ..session_config(name) }, "no JSON object"),
        (SessionConfig { history: c"{}".as_ptr(), ..session_config(name) }, "mynah_history"),
        (session_config(c""), "session name of 0 bytes"),
    ];
    for (config, part) in rows {
        let Err((status, text)) = open_session(engine, config) else { panic!("{part}: taken") };
        assert!(status < 0 && text.contains(part), "{status}: {text}");
    }
    open_session(engine, &session_config(name)).expect("there is room");
    refused(open_session(engine, &session_config(name)), MYNAH_NO_ROOM, "is open already");
    // SAFETY: the handle is a number.
    assert_eq!(unsafe { mynah_close(engine) }, MYNAH_OK);
}

#[test]
fn a_closed_handle_names_nothing() {
    let engine = virtual_engine();
    let session = open_session(engine, &session_config(c"a")).expect("there is room");
    // SAFETY: handles are numbers.
    unsafe {
        assert_eq!(mynah_session_close(session), MYNAH_OK);
        assert_eq!(mynah_session_close(session), MYNAH_BAD_HANDLE);
        assert_eq!(mynah_push(session, [0.0; 4].as_ptr(), 4), MYNAH_BAD_HANDLE);
        assert_eq!(mynah_finish(session), MYNAH_BAD_HANDLE);
        assert!(error().contains("closed"), "{}", error());
        // Its place is used again, under another handle.
        let again = open_session(engine, &session_config(c"a2")).expect("there is room");
        assert_ne!(session, again);
        assert_eq!(mynah_push(session, [0.0; 4].as_ptr(), 4), MYNAH_BAD_HANDLE);
        assert_eq!(mynah_close(engine), MYNAH_OK);
        assert_eq!((mynah_close(engine), mynah_tick(engine, 0)), (MYNAH_BAD_HANDLE, MYNAH_BAD_HANDLE));
        assert_eq!(mynah_push(again, [0.0; 4].as_ptr(), 4), MYNAH_BAD_HANDLE, "gone with its engine");
        for made_up in [1_usize, 2, 3, 64, usize::MAX] {
            assert_eq!(mynah_tick(without_provenance_mut(made_up), 0), MYNAH_BAD_HANDLE);
            assert_eq!(mynah_finish(without_provenance_mut(made_up)), MYNAH_BAD_HANDLE);
        }
        assert_eq!(mynah_finish(engine.cast()), MYNAH_BAD_HANDLE, "an engine is no session");
    }
}

#[test]
fn an_engine_with_a_thread_is_not_ticked() {
    let engine = open(&Config { drive: MYNAH_DRIVE_THREAD, ..config() }, SCENE).expect("the scene is right");
    // SAFETY: handles are numbers.
    unsafe {
        assert_eq!(mynah_tick(engine, 5_000), MYNAH_BAD_DRIVE);
        assert!(error().contains("MYNAH_DRIVE_REAL"), "{}", error());
        assert_eq!(mynah_close(engine), MYNAH_OK);
    }
}

#[test]
fn nothing_is_told_of_a_session_that_is_closed() {
    let engine = virtual_engine();
    let session = open_session(engine, &session_config(c"a")).expect("there is room");
    let other = open_session(engine, &session_config(c"b")).expect("there is room");
    let mut events = [MaybeUninit::<Event>::uninit(); 8];
    let mut count = 9;
    // SAFETY: handles are numbers, there is room for eight events.
    unsafe {
        assert_eq!((mynah_hang_up(session), mynah_hang_up(other)), (MYNAH_OK, MYNAH_OK));
        (0..3).for_each(|tick| assert_eq!(mynah_tick(engine, tick * 5_000), MYNAH_OK));
        assert_eq!(mynah_session_close(session), MYNAH_OK);
        assert_eq!(mynah_events(engine, events.as_mut_ptr().cast(), 8, &mut count), MYNAH_OK);
        assert_eq!((count, events[0].assume_init_ref().session), (1, other), "of the other alone");
        assert_eq!(events[0].assume_init_ref().kind, MYNAH_CLOSED);
        assert_eq!(mynah_close(engine), MYNAH_OK);
    }
}

#[test]
fn a_time_that_cannot_be_is_refused_at_once() {
    let engine = virtual_engine();
    let step = |until_us| {
        // SAFETY: no session, no samples.
        unsafe { mynah_step(engine, null(), 0, null(), 0, null_mut(), 0, null_mut(), until_us) }
    };
    assert_eq!(step(20_000), MYNAH_OK);
    for until_us in [u64::MAX, 1 << 51, 3_700_000_000] {
        assert_eq!(step(until_us), MYNAH_BAD_ARGUMENT, "{until_us}");
    }
    assert!(error().contains("an hour at most"), "{}", error());
    // SAFETY: the handle is a number.
    unsafe {
        assert_eq!(mynah_tick(engine, u64::MAX), MYNAH_BAD_ARGUMENT);
        assert_eq!((step(40_000), mynah_now_us(engine)), (MYNAH_OK, 40_000));
        assert_eq!(mynah_close(engine), MYNAH_OK);
    }
}

/// Two threads in one audio call: one of them is told so, and each sample is taken once.
#[test]
fn two_threads_in_one_call_do_no_harm() {
    /// Ten seconds at 16 kHz: less than the session's output holds unread.
    const ENOUGH: u64 = 160_000;
    let engine = virtual_engine() as usize;
    let session =
        open_session(engine as *mut EngineHandle, &session_config(c"a")).expect("there is room") as usize;
    let taken = AtomicU64::new(0);
    let push = || {
        while taken.load(Ordering::Relaxed) < ENOUGH {
            // SAFETY: handles are numbers, the samples live through the call.
            match unsafe { mynah_push(session as *mut SessionHandle, [0.5; 16].as_ptr(), 16) } {
                MYNAH_OK => _ = taken.fetch_add(16, Ordering::Relaxed),
                MYNAH_BUSY | MYNAH_FULL => thread::yield_now(),
                status => panic!("{status}"),
            }
        }
    };
    let mut tick = 0;
    let mut go_on = || {
        // SAFETY: handles are numbers.
        assert_eq!(unsafe { mynah_tick(engine as *mut EngineHandle, tick * 5_000) }, MYNAH_OK);
        tick += 1;
    };
    thread::scope(|scope| {
        let pushers = [scope.spawn(push), scope.spawn(push)];
        while pushers.iter().any(|pusher| !pusher.is_finished()) {
            go_on();
        }
        for pusher in pushers {
            pusher.join().expect("it does not panic");
        }
    });
    let taken = taken.into_inner();
    let (mut heard, mut room) = (0_u64, [0.0; 320]);
    for _ in 0..4_000 {
        go_on();
        let mut pulled = Pulled::default();
        // SAFETY: handles are numbers, the room lives through the call.
        unsafe {
            assert_eq!(
                mynah_pull(session as *mut SessionHandle, room.as_mut_ptr(), 320, &mut pulled),
                MYNAH_OK
            );
        }
        heard += u64::from(pulled.frames);
    }
    // The last pieces below 2.5 ms wait for more.
    assert!(heard <= taken && taken - heard < 40, "{taken} frames taken, {heard} heard");
    // SAFETY: the handle is a number.
    assert_eq!(unsafe { mynah_close(engine as *mut EngineHandle) }, MYNAH_OK);
}
