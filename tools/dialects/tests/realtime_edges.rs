//! What a client of OpenAI Realtime is sent when something is refused, fails or ends, and when it floods; and that no
//! client, whatever it sends, breaks the order that others rely on.

#[path = "support/law.rs"]
mod law;
#[path = "support/realtime_call.rs"]
mod realtime_call;
#[path = "support/teller.rs"]
mod teller;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use law::Law;
use mynah_dialects::{Dialect, Ending, SceneFacts};
use proptest::prelude::*;
use realtime_call::{Call, assistant};
use serde_json::{Value, json};

const QUESTION: &str = "there is a dragon behind the gate";

/// Tools are called by whoever is asked for a `tool`.
const TELLER: &str = r#"(
    name: "teller",
    session: (
        input: (rate_hz: 16000),
        output: (release: OnConfirm, pace: RealTime(lead_ms: 40), interrupt_min_ms: 200),
    ),
    nodes: [
        (id: "resample", kind: Resample(rate_hz: 16000)),
        (id: "gate", kind: VadGate(vad: Energy, min_speech_ms: 100, min_silence_ms: 300, lookahead_ms: 40)),
        (id: "asr", kind: Service(service: "asr", task: Transcribe)),
        (id: "reply", kind: Service(service: "reply", task: Reply)),
        (id: "text_collector", kind: TextCollector()),
        (id: "tts", kind: Service(service: "tts", task: Synthesize)),
    ],
    edges: [
        ("input", "resample"), ("resample", "gate"), ("gate", "asr"), ("asr", "reply"), ("reply", "text_collector"),
        ("text_collector", "tts"), ("said", "tts"), ("tts", "output"),
    ],
    services: {
        "asr": (output: SimulatedTranscript, timing: (latency: Fixed(ms: 10))),
        "reply": (output: Teller, timing: (latency: Fixed(ms: 10))),
        "tts": (output: FliteVoice, timing: (latency: Fixed(ms: 10), speed: 100)),
    },
)"#;

/// The answer leaves as text; nothing is spoken, and audio is taken only as it is.
const WRITTEN: &str = r#"(
    name: "written",
    session: (input: (rate_hz: 24000), output: (release: OnConfirm, pace: Burst)),
    nodes: [
        (id: "resample", kind: Resample(rate_hz: 16000)),
        (id: "gate", kind: VadGate(vad: Energy, min_speech_ms: 100, min_silence_ms: 300, lookahead_ms: 40)),
        (id: "asr", kind: Service(service: "asr", task: Transcribe)),
        (id: "reply", kind: Service(service: "reply", task: Reply)),
    ],
    edges: [("input", "resample"), ("resample", "gate"), ("gate", "asr"), ("asr", "reply"), ("reply", "output")],
    services: {
        "asr": (output: SimulatedTranscript, timing: (latency: Fixed(ms: 10))),
        "reply": (output: Teller, timing: (latency: Fixed(ms: 10))),
    },
)"#;

fn type_in(text: &str) -> Value {
    json!({"type": "conversation.item.create",
        "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}})
}

fn respond() -> Value {
    json!({"type": "response.create"})
}

#[test]
fn a_tool_is_called_and_the_answer_goes_on_with_its_result() {
    for asks_again in [true, false] {
        let mut call = Call::scene(TELLER, &teller::registry(), assistant());
        call.send(type_in("tool"));
        call.send(respond());
        call.ticks(50);
        let called = call.of_type("response.function_call_arguments.done")[0].clone();
        assert_eq!((&called["name"], &called["arguments"]), (&json!("look"), &json!("{}")));
        assert_eq!(call.done(), ["completed -"], "the call is all there is of the first one");
        let output = call.of_type("response.done")[0]["response"]["output"].clone();
        assert_eq!(
            (&output[0]["type"], &output[0]["call_id"]),
            (&json!("function_call"), &called["call_id"])
        );
        let result = |id: &str| {
            json!({"type": "conversation.item.create",
                "item": {"type": "function_call_output", "call_id": id, "output": "rain"}})
        };
        call.send(result("nobody's"));
        assert_eq!(call.errors(), ["invalid_value"]);
        call.send(result(called["call_id"].as_str().expect("a text")));
        if asks_again {
            call.send(respond());
        }
        call.ticks(40);
        if !asks_again {
            call.send(respond());
        }
        call.ticks(400);
        assert_eq!(call.done(), ["completed -", "completed -"], "again: {asks_again}");
        let said = call.of_type("response.output_audio_transcript.done");
        assert_eq!(said[0]["transcript"], "It says rain.");
        assert_eq!(call.errors().len(), 1);
    }
}

#[test]
fn a_scene_that_writes_answers_in_text() {
    let facts = SceneFacts { speaks: false, writes: true, ..assistant() };
    let mut call = Call::scene(WRITTEN, &teller::registry(), facts);
    call.send(type_in("Good morning"));
    call.send(respond());
    call.ticks(200);
    assert_eq!(call.done(), ["completed -"], "{:?}", call.types());
    let said = call.of_type("response.output_text.done");
    let wanted = "You said Good morning. There are several ways to look at it. Which one do you like?";
    assert_eq!(said[0]["text"], wanted);
    assert_eq!(call.of_type("session.created")[0]["session"]["output_modalities"], json!(["text"]));
}

#[test]
fn an_answer_that_began_too_early_is_cancelled_where_the_scene_lets_it_begin() {
    let scene = TELLER.replace("release: OnConfirm", "release: Immediately");
    let mut call = Call::scene(&scene, &teller::registry(), assistant());
    let loud: Vec<f32> = (0..960).map(|at| 0.4 * (at as f32 * 0.3).sin()).collect();
    let hear = |call: &mut Call, pieces: usize, sound: &[f32]| {
        (0..pieces).for_each(|_| {
            call.append(sound);
            call.ticks(8);
        });
    };
    hear(&mut call, 5, &[0.0; 960]);
    hear(&mut call, 20, &loud);
    hear(&mut call, 5, &[0.0; 960]);
    assert_eq!(
        call.of_type("response.output_audio.delta").len().min(1),
        1,
        "it has begun: {:?}",
        call.types()
    );
    hear(&mut call, 20, &loud);
    hear(&mut call, 150, &[0.0; 960]);
    assert_eq!(call.done(), ["cancelled turn_detected", "completed -"], "{:?}", call.types());
    assert_eq!(call.of_type("input_audio_buffer.committed").len(), 1);
}

#[test]
fn a_service_that_fails_ends_the_response() {
    let scene = TELLER.replace("output: Teller,", "output: Teller, timeout_ms: 500,");
    let mut call = Call::scene(&scene, &teller::registry(), assistant());
    // It is asked, and never answers.
    call.send(type_in("hangs"));
    call.send(respond());
    call.ticks(90);
    assert!(call.done().is_empty(), "{:?}", call.done());
    call.ticks(400);
    assert_eq!(call.done(), ["failed -"], "it is told once");
    let error = &call.of_type("response.done")[0]["response"]["status_details"]["error"];
    assert_eq!(error["code"], "service_failed");
    assert!(error["message"].as_str().is_some_and(|text| text.contains("timed out")), "{error}");
    call.send(type_in("Good morning."));
    call.send(respond());
    call.ticks(2_000);
    assert_eq!(call.done(), ["failed -", "completed -"]);
}

#[test]
fn a_format_that_the_scene_cannot_take_is_told_and_refused() {
    let scene = TELLER.replace("input: (rate_hz: 16000)", "input: (rate_hz: 17011)").replace(
        "kind: Resample(rate_hz: 16000)",
        "kind: Resample(rate_hz: 17011, streaming: true, kernel: Batched)",
    );
    let mut call = Call::scene(&scene, &teller::registry(), assistant());
    call.append(&[0.0; 960]);
    assert_eq!(call.errors(), ["bad_request"]);
    let closed = call.closed.expect("it is closed");
    assert!(closed.code == 1008 && closed.reason.contains("24000"), "{closed:?}");
}

#[test]
fn settings_hold_from_the_opening_on_and_the_echo_says_what_holds() {
    let mut call = Call::with_secret(json!({"instructions": "Sing."}));
    let turns = json!({"type": "server_vad", "silence_duration_ms": 400, "prefix_padding_ms": 900,
        "interrupt_response": false, "create_response": false});
    let update = |turns: &Value| json!({"type": "session.update", "event_id": "e1", "session": {"audio": {"input": {"turn_detection": turns}}}});
    call.send(update(&turns));
    let echo = |call: &Call| {
        let updated = call.of_type("session.updated");
        updated.last().expect("one")["session"]["audio"]["input"]["turn_detection"].clone()
    };
    let held = echo(&call);
    assert_eq!((&held["silence_duration_ms"], &held["prefix_padding_ms"]), (&json!(400), &json!(200)));
    assert_eq!((&held["interrupt_response"], &held["create_response"]), (&json!(false), &json!(true)));
    assert_eq!(call.errors(), ["unsupported_value"], "answers come all the same");
    call.ticks(20);
    assert!(call.spec.is_none());
    call.ticks(20);
    let spec = call.spec.clone().expect("150 ms after the update");
    assert_eq!((spec.gate.min_silence_ms, spec.gate.pad_ms), (Some(400.0), Some(200.0)));
    assert_eq!(spec.interruption, Some(mynah_engine::speech::Interruption::Never));
    assert_eq!(spec.params.text("instructions"), Some("Sing."));
    call.send(update(&json!({"type": "server_vad", "silence_duration_ms": 900})));
    assert_eq!(echo(&call), held, "the gate is set when the session is opened");
    let formats = json!({"audio": {"input": {"format": {"type": "audio/pcmu"}}}});
    call.send(json!({"type": "session.update", "session": formats}));
    assert_eq!(call.errors().last(), Some(&"unsupported_format"));
    let mut idle = Call::new();
    idle.ticks(99);
    assert!(idle.spec.is_none());
    idle.ticks(2);
    assert!(idle.spec.is_some(), "half a second after the greeting");
}

#[test]
fn a_server_that_goes_down_ends_a_session_between_turns_or_at_once() {
    let mut call = Call::new();
    call.say(QUESTION);
    call.until("response.created", 0);
    call.client.end(call.now_us, Ending::AfterTurn);
    call.listen(400);
    assert!(call.closed.is_none(), "an answer sounds");
    call.until("error", 0);
    assert_eq!((call.done(), call.errors()), (vec!["completed -".into()], vec!["session_expired"]));
    assert_eq!(call.closed.expect("it is closed").code, 1001);
    let mut call = Call::new();
    call.say(QUESTION);
    call.until("response.created", 0);
    call.client.end(call.now_us, Ending::Now);
    call.drive();
    assert_eq!(call.done(), ["cancelled client_cancelled"]);
    assert_eq!(call.closed.expect("it is closed").code, 1001);
    let mut idle = Call::new();
    idle.client.end(0, Ending::AfterTurn);
    idle.drive();
    assert_eq!(
        (idle.errors(), idle.closed.as_ref().map(|closing| closing.code)),
        (vec!["session_expired"], Some(1001))
    );
}

#[test]
fn an_engine_that_is_gone_ends_the_connection() {
    let mut call = Call::new();
    call.say(QUESTION);
    call.until("response.created", 0);
    call.engine = None;
    call.tick();
    assert_eq!(call.closed.as_ref().map(|closing| closing.code), Some(1011));
    assert!(call.law.open_response().is_none() && call.errors() == ["engine_gone"]);
    call.send(respond());
}

#[test]
fn audio_that_comes_too_fast_waits_and_none_of_it_is_lost() {
    let mut call = Call::new();
    let piece = [0.01_f32; 24_000];
    let mut sent = 0;
    for _ in 0..40 {
        while call.client.has_room() {
            call.append(&piece);
            sent += piece.len();
        }
        call.ticks(100);
    }
    call.ticks(1_000);
    assert!(sent > 20 * 24_000, "{sent}: as much as half a second a time is taken");
    assert_eq!(call.noted.lock().expect("one thread").heard, sent);
    assert!(call.errors().is_empty());
}

#[test]
fn every_wrong_message_has_its_error_and_who_does_not_read_them_is_closed() {
    let mut call = Call::new();
    let wrong = [
        ("", "invalid_json"),
        ("[1]", "invalid_json"),
        ("{\"type\": 7}", "invalid_json"),
        ("{}", "missing_required_parameter"),
        ("{\"type\": \"input_audio_buffer.append\"}", "missing_required_parameter"),
        ("{\"type\": \"input_audio_buffer.append\", \"audio\": \"?\"}", "invalid_base64"),
        ("{\"type\": \"session.update\"}", "missing_required_parameter"),
        ("{\"type\": \"session.update\", \"session\": 1}", "invalid_type"),
        ("{\"type\": \"make_tea\"}", "unknown_event"),
        ("{\"type\": \"output_audio_buffer.clear\"}", "unknown_event"),
        ("{\"type\": \"conversation.item.create\"}", "missing_required_parameter"),
        ("{\"type\": \"conversation.item.create\", \"item\": {\"type\": \"poem\"}}", "invalid_value"),
        ("{\"type\": \"conversation.item.truncate\", \"item_id\": \"a\"}", "missing_required_parameter"),
        ("{\"type\": \"conversation.item.delete\", \"item_id\": \"a\"}", "item_not_found"),
        ("{\"type\": \"response.create\", \"response\": {\"conversation\": \"none\"}}", "unsupported_value"),
    ];
    call.ticks(110);
    for (text, code) in wrong {
        let before = call.errors().len();
        call.client.text(call.now_us, text);
        call.drive();
        assert_eq!(call.errors()[before..], [code], "{text}");
    }
    let long = format!(
        "{{\"type\": \"input_audio_buffer.append\", \"audio\": \"{}\"}}",
        "A".repeat(1024 * 1024 + 4)
    );
    call.client.text(call.now_us, &long);
    call.client.binary(call.now_us, &[0; 10]);
    call.drive();
    assert_eq!(call.errors()[wrong.len()..], ["string_above_max_length", "invalid_json"]);
    assert!(call.closed.is_none());
    let mut kept = 0;
    while call.client.has_room() {
        call.client.text(call.now_us, "{}");
        kept += 1;
    }
    assert_eq!(kept, 64, "nothing more is to be read");
    (0..10_000).for_each(|_| call.client.text(call.now_us, "{}"));
    call.drive();
    assert_eq!(call.closed.as_ref().map(|closing| closing.code), Some(1008));
    assert!(call.errors().len() < 600);
}

#[test]
fn a_wrong_order_is_found() {
    let created = json!({"type": "session.created", "event_id": "1"});
    let begun = json!({"type": "response.created", "event_id": "2", "response": {"id": "r"}});
    let added = json!({"type": "response.output_item.added", "event_id": "3", "response_id": "r", "item": {"id": "i"}});
    let part =
        json!({"type": "response.content_part.added", "event_id": "4", "response_id": "r", "item_id": "i"});
    let delta =
        json!({"type": "response.output_audio.delta", "event_id": "5", "response_id": "r", "item_id": "i"});
    let done = json!({"type": "response.done", "event_id": "6", "response": {"id": "r", "output": []}});
    let item = |id: &str, previous: Value| json!({"type": "conversation.item.added", "event_id": id, "previous_item_id": previous, "item": {"id": id}});
    let stopped = json!({"type": "input_audio_buffer.speech_stopped", "event_id": "7", "item_id": "i"});
    let mut again = begun.clone();
    again["event_id"] = json!("8");
    let cases = [
        (vec![&begun], "the first"),
        (vec![&created, &created], "came before"),
        (vec![&created, &begun, &again], "another response is not done"),
        (vec![&created, &begun, &part], "its item is None"),
        (vec![&created, &begun, &added, &delta], "its item is Some(Added)"),
        (vec![&created, &begun, &added, &part, &delta, &done], "an item is not done"),
        (vec![&created, &done], "no response is active"),
        (vec![&created, &stopped], "had not started"),
    ];
    let found = |events: &[&Value]| {
        let mut law = Law::default();
        let checked: Vec<_> = events.iter().map(|event| law.check(event)).collect();
        let (last, before) = checked.split_last().expect("there are some");
        assert!(before.iter().all(Result::is_ok), "{before:?}");
        last.clone().err().unwrap_or_default()
    };
    for (events, law) in cases {
        assert!(found(&events).contains(law), "{law}: {}", found(&events));
    }
    let (first, second) = (item("a", Value::Null), item("b", json!("x")));
    assert!(found(&[&created, &first, &second]).contains("the chain is broken"));
    assert_eq!(found(&[&created, &first, &item("c", json!("a"))]), "");
    assert_eq!(found(&[&created, &begun, &added, &part, &delta]), "");
}

/// Something that a client does.
#[derive(Clone, Debug)]
enum Does {
    Sends(Value),
    SendsText(String),
    Speaks(usize),
    Waits(usize),
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z_0-9]{0,12}".prop_map(Value::from),
        Just(json!([])),
        Just(json!({"type": "server_vad", "threshold": 0.4})),
        Just(
            json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello."}]})
        ),
        Just(
            json!({"type": "message", "role": "system", "content": [{"type": "input_text", "text": "Be kind."}]})
        ),
        Just(json!({"type": "function_call_output", "call_id": "call-1", "output": "rain"})),
        Just(json!({"audio": {"input": {"turn_detection": null}}})),
        Just(json!({"audio": {"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "high"}}}})),
        (1..8_u32).prop_map(|at| json!(format!("item_{at}"))),
    ]
}

fn does() -> impl Strategy<Value = Does> {
    let kinds = prop::sample::select(vec![
        "session.update",
        "input_audio_buffer.append",
        "input_audio_buffer.commit",
        "input_audio_buffer.clear",
        "conversation.item.create",
        "conversation.item.truncate",
        "conversation.item.retrieve",
        "conversation.item.delete",
        "response.create",
        "response.cancel",
        "nothing.at.all",
    ]);
    let fields = prop::sample::select(vec![
        "session",
        "audio",
        "item",
        "item_id",
        "audio_end_ms",
        "response",
        "event_id",
    ]);
    let event = (kinds, prop::collection::vec((fields, value()), 0..3)).prop_map(|(kind, fields)| {
        let mut event = json!({"type": kind});
        fields.into_iter().for_each(|(field, value)| event[field] = value);
        Does::Sends(event)
    });
    let good = prop::sample::select(vec![
        json!({"type": "response.create"}),
        json!({"type": "response.cancel"}),
        json!({"type": "input_audio_buffer.commit"}),
        json!({"type": "session.update", "session": {"audio": {"input": {"turn_detection": null}}}}),
        json!({"type": "session.update", "session": {"audio": {"input": {"turn_detection": {"type": "server_vad"}}}}}),
        type_in("tool"),
        type_in("Good morning."),
        json!({"type": "conversation.item.create",
            "item": {"type": "function_call_output", "call_id": "call-1", "output": "rain"}}),
    ]);
    prop_oneof![
        4 => event,
        4 => good.prop_map(Does::Sends),
        1 => "[{}a-z\":, ]{0,40}".prop_map(Does::SendsText),
        3 => (1..30_usize).prop_map(Does::Speaks),
        3 => (1..120_usize).prop_map(Does::Waits),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_client_sends_the_order_holds(script in prop::collection::vec(does(), 1..40), ends in any::<bool>(), early in any::<bool>()) {
        let release = if early { "release: Immediately" } else { "release: OnConfirm" };
        let mut call = Call::scene(&TELLER.replace("release: OnConfirm", release), &teller::registry(), assistant());
        let loud: Vec<f32> = (0..960).map(|at| 0.4 * (at as f32 * 0.3).sin()).collect();
        for step in &script {
            let (before, opened) = (call.of_type("error").len(), call.spec.is_some());
            let told = match step {
                Does::Sends(event) => { call.client.text(call.now_us, &event.to_string()); 1 }
                Does::SendsText(text) => { call.client.text(call.now_us, text); 1 }
                Does::Speaks(times) => { (0..*times).for_each(|_| { call.append(&loud); call.ticks(8); }); 0 }
                Does::Waits(ticks) => { call.ticks(*ticks); 0 }
            };
            call.drive();
            let new = call.of_type("error").len() - before;
            // Messages that waited for the session have theirs when it opens.
            let most = if opened { told } else { script.len() };
            prop_assert!(new <= most, "{new} errors for {step:?}");
        }
        if ends {
            call.client.end(call.now_us, Ending::AfterTurn);
        }
        (0..200).for_each(|_| { call.append(&[0.0; 960]); call.ticks(8); });
        call.client.end(call.now_us, Ending::Now);
        call.tick();
        prop_assert!(call.closed.is_some());
        prop_assert!(call.law.open_response().is_none());
    }
}

#[test]
fn audio_may_be_cut_anywhere_between_its_bytes() {
    let mut call = Call::new();
    for bytes in [[1_u8; 961].as_slice(), &[1; 1], &[1; 958]] {
        call.send(json!({"type": "input_audio_buffer.append", "audio": STANDARD.encode(bytes)}));
    }
    call.ticks(3);
    assert_eq!(call.noted.lock().expect("one thread").heard, 960);
}
