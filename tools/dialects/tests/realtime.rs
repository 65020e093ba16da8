//! What a client of OpenAI Realtime is sent when it talks with an engine, in virtual time.

#[path = "support/law.rs"]
mod law;
#[path = "support/realtime_call.rs"]
mod realtime_call;

use mynah_engine::SessionEvent;
use realtime_call::Call;
use serde_json::{Value, json};

const QUESTION: &str = "there is a dragon behind the gate";
const INTERRUPTION: &str = "stop it and tell me about the weather of today";

/// A session as `openai-agents` for JavaScript sets it: audio follows before anything is answered.
fn semantic() -> Value {
    json!({"type": "session.update", "session": {"type": "realtime", "instructions": "be brief", "model": "mynah",
        "output_modalities": ["audio"], "audio": {
            "input": {"format": {"type": "audio/pcm", "rate": 24000}, "noise_reduction": null,
                "transcription": {"model": "gpt-4o-mini-transcribe"}, "turn_detection": {"type": "semantic_vad"}},
            "output": {"format": {"type": "audio/pcm", "rate": 24000}, "speed": 1}}}})
}

/// A question, its answer, and an interruption of that.
fn interrupted() -> Call {
    let mut call = Call::new();
    call.send(semantic());
    call.listen(280);
    call.say(QUESTION);
    let started = call.until("response.output_audio.delta", 0);
    call.listen(1_200);
    call.say(INTERRUPTION);
    call.until("response.done", started);
    call
}

#[test]
fn two_turns_the_second_of_which_interrupts_come_in_the_order_that_clients_know() {
    let mut call = interrupted();
    let first = call.events.len();
    call.until("response.done", first);
    let user = [
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
    ];
    let begin = [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
    ];
    let end = [
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
    ];
    // Words and sound of an answer come as they are spoken, by turns.
    let types = call.types();
    let mut types: Vec<&str> = types
        .into_iter()
        .filter(|kind| {
            !["response.output_audio_transcript.delta", "response.output_audio.delta"].contains(kind)
        })
        .collect();
    types.dedup();
    let wanted: Vec<&str> = ["session.created", "session.updated", "input_audio_buffer.speech_started"]
        .into_iter()
        .chain(user)
        .chain(begin)
        .chain(["input_audio_buffer.speech_started"])
        .chain(end)
        .chain(user)
        .chain(begin)
        .chain(end)
        .collect();
    assert_eq!(types, wanted);
    assert_eq!(call.done(), ["cancelled turn_detected", "completed -"]);
    assert!(call.errors().is_empty() && call.closed.is_none() && call.law.open_response().is_none());
    let said = call.of_type("response.output_audio_transcript.done");
    assert!(
        said[1]["transcript"].as_str().is_some_and(|text| text.starts_with("You said speech of")),
        "{said:?}"
    );
    for event in call.of_type("input_audio_buffer.speech_started") {
        assert!(event["audio_start_ms"].as_u64().is_some_and(|ms| ms > 100), "{event}");
    }
}

#[test]
fn what_was_sent_of_an_interrupted_answer_was_heard() {
    let call = interrupted();
    let heard_us = call.noted.lock().expect("one thread").events.iter().find_map(|event| match event {
        SessionEvent::AnswerInterrupted { heard_us, .. } => Some(*heard_us),
        _ => None,
    });
    let heard_us = heard_us.expect("it is interrupted");
    let response = &call.of_type("response.done")[0]["response"];
    let sent_us = call.audio_us(response);
    assert!(heard_us > 1_000_000 && sent_us.abs_diff(heard_us) < 100_000, "sent {sent_us}, heard {heard_us}");
    assert_eq!(response["output"][0]["status"], "incomplete");
}

#[test]
fn an_echo_without_gaps_keeps_clients_from_cancelling_by_themselves() {
    let call = interrupted();
    let turns = &call.of_type("session.updated")[0]["session"]["audio"]["input"]["turn_detection"];
    assert_eq!(turns["interrupt_response"], true);
    assert_eq!(turns["create_response"], true);
    assert_eq!(turns["eagerness"], "auto");
    let session = &call.of_type("session.created")[0]["session"];
    assert_eq!(session["audio"]["input"]["turn_detection"]["threshold"], 0.9);
    assert_eq!((&session["model"], &session["object"]), (&json!("mynah"), &json!("realtime.session")));
}

#[test]
fn a_cancel_that_comes_too_late_is_an_error_and_no_end() {
    let mut call = interrupted();
    call.send(json!({"type": "response.cancel", "event_id": "mine"}));
    let error = &call.of_type("error")[0]["error"];
    assert_eq!((&error["code"], &error["event_id"]), (&json!("response_cancel_not_active"), &json!("mine")));
    assert!(error["message"].as_str().is_some_and(|text| text.starts_with("Cancellation failed")));
    let from = call.events.len();
    call.until("response.done", from);
    assert_eq!(call.done()[1], "completed -", "the next answer is none of its business");
    assert!(call.closed.is_none());
}

#[test]
fn what_a_client_says_it_has_played_is_answered_and_known() {
    let mut call = interrupted();
    let item = call.of_type("response.done")[0]["response"]["output"][0]["id"].clone();
    call.send(json!({"type": "conversation.item.truncate", "item_id": item, "content_index": 0, "audio_end_ms": 700}));
    let truncated = call.of_type("conversation.item.truncated");
    assert_eq!((&truncated[0]["item_id"], &truncated[0]["audio_end_ms"]), (&item, &json!(700)));
    call.send(json!({"type": "conversation.item.retrieve", "item_id": item}));
    assert_eq!(call.of_type("conversation.item.retrieved")[0]["item"]["role"], "assistant");
    call.send(json!({"type": "conversation.item.truncate", "item_id": "item_x", "audio_end_ms": 1}));
    assert_eq!(call.errors(), ["item_not_found"]);
}

#[test]
fn a_client_cancels_an_answer() {
    let mut call = Call::new();
    call.say(QUESTION);
    call.until("response.output_audio.delta", 0);
    call.listen(400);
    call.send(json!({"type": "response.cancel"}));
    call.ticks(10);
    assert_eq!(call.done(), ["cancelled client_cancelled"]);
    call.listen(2_000);
    assert!(call.errors().is_empty() && call.of_type("response.created").len() == 1);
}

#[test]
fn words_that_are_typed_are_answered_when_that_is_asked_for() {
    let mut call = Call::new();
    let item = |text: &str, role: &str, kind: &str| {
        json!({"type": "conversation.item.create",
            "item": {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}})
    };
    // What comes before the session is open is its history, up to the last answer.
    call.send(item("I am Ann.", "user", "input_text"));
    call.send(item("Hello Ann.", "assistant", "output_text"));
    call.send(item("Who am I?", "user", "input_text"));
    call.ticks(20);
    assert!(call.spec.is_none(), "items alone need no session");
    call.send(json!({"type": "response.create", "response": {"metadata": {"ticket": "7"}}}));
    let done = call.until("response.done", 0);
    assert_eq!(call.done(), ["completed -"]);
    assert_eq!(call.events[done].1["response"]["metadata"]["ticket"], "7");
    let said = call.of_type("response.output_audio_transcript.done")[0]["transcript"].clone();
    assert_eq!(said, "You said Who am I.");
    assert_eq!(call.spec.as_ref().map(|spec| spec.history.entries().len()), Some(2));
    assert_eq!(call.of_type("conversation.item.added").len(), 4);
    assert!(call.errors().is_empty());
    call.send(item("And you?", "user", "input_text"));
    call.listen(2_000);
    assert_eq!(call.done().len(), 1, "nobody has asked");
    call.send(json!({"type": "response.create"}));
    call.send(json!({"type": "response.create"}));
    assert_eq!(call.errors(), ["conversation_already_has_active_response"]);
    call.until("response.done", call.events.len());
}

#[test]
fn a_client_that_ends_its_turns_itself_is_answered_to_all_that_it_has_sent() {
    let mut call = Call::new();
    let turns = json!({"audio": {"input": {"turn_detection": null}}});
    call.send(json!({"type": "session.update", "session": turns}));
    assert_eq!(
        call.of_type("session.updated")[0]["session"]["audio"]["input"]["turn_detection"],
        Value::Null
    );
    call.send(json!({"type": "input_audio_buffer.commit"}));
    let voice = realtime_call::spoken(QUESTION);
    // Faster than it is spoken, and the end right behind it.
    voice.chunks(2_400).take(8).for_each(|piece| call.append(piece));
    call.send(json!({"type": "input_audio_buffer.commit"}));
    call.send(json!({"type": "response.create"}));
    for _ in 0..600 {
        call.tick();
    }
    assert_eq!(call.errors(), ["input_audio_buffer_commit_empty"], "of the first one");
    assert_eq!(call.done(), ["completed -"]);
    assert!(call.of_type("input_audio_buffer.speech_started").is_empty());
    assert_eq!(call.of_type("input_audio_buffer.committed").len(), 1);
    let heard =
        call.of_type("conversation.item.input_audio_transcription.completed")[0]["transcript"].clone();
    assert_eq!(heard, "speech of 0.8 seconds", "the last sample is part of it");
    voice.chunks(2_400).take(4).for_each(|piece| call.append(piece));
    call.send(json!({"type": "input_audio_buffer.clear"}));
    call.ticks(400);
    assert_eq!(call.of_type("input_audio_buffer.cleared").len(), 1);
    assert_eq!((call.of_type("input_audio_buffer.committed").len(), call.done().len()), (1, 1));
}

#[test]
fn a_turn_is_cleared_or_ended_by_word() {
    let mut call = Call::new();
    call.say(QUESTION);
    call.until("input_audio_buffer.speech_started", 0);
    call.send(json!({"type": "input_audio_buffer.commit"}));
    let committed = call.until("input_audio_buffer.committed", 0);
    assert!(call.events[committed].0 < 1_200_000, "long before the end of the sentence");
    let mut call = Call::new();
    call.say("stop");
    call.until("input_audio_buffer.speech_started", 0);
    call.listen(200);
    call.send(json!({"type": "input_audio_buffer.clear"}));
    call.listen(3_000);
    assert!(call.of_type("input_audio_buffer.committed").is_empty(), "{:?}", call.types());
}

#[test]
fn noise_without_words_has_a_transcript_and_no_answer() {
    let mut call = Call::recognised_as("");
    call.say(QUESTION);
    call.until("conversation.item.input_audio_transcription.completed", 0);
    call.listen(2_000);
    let completed = call.of_type("conversation.item.input_audio_transcription.completed");
    assert_eq!(completed[0]["transcript"], "");
    assert!(call.of_type("response.created").is_empty());
}

#[test]
fn an_answer_ends_although_the_client_sends_nothing_more() {
    for sends_ms in [200, 1_000] {
        let mut call = Call::new();
        call.say(QUESTION);
        call.until("response.output_audio.delta", 0);
        call.listen(sends_ms);
        call.ticks(3_000);
        let heard = call.noted.lock().expect("one thread").events.clone();
        assert_eq!(call.done(), ["completed -"], "{:?} {:?}", call.types(), &heard[heard.len() - 5..]);
    }
}

#[test]
fn what_a_client_has_played_when_it_is_interrupted_counts_and_later_answers_end_all_the_same() {
    let mut call = Call::new();
    call.say(QUESTION);
    let begun = call.until("response.output_audio.delta", 0);
    let item = call.events[begun].1["item_id"].clone();
    call.listen(1_200);
    call.say(INTERRUPTION);
    call.until("input_audio_buffer.speech_started", begun);
    call.send(json!({"type": "conversation.item.truncate", "item_id": item, "content_index": 0, "audio_end_ms": 300}));
    let done = call.until("response.done", begun);
    let second = call.until("response.output_audio.delta", done);
    let heard: Vec<u64> = call
        .noted
        .lock()
        .expect("one thread")
        .events
        .iter()
        .filter_map(|event| match event {
            SessionEvent::AnswerInterrupted { heard_us, .. } => Some(*heard_us),
            _ => None,
        })
        .collect();
    assert_eq!(heard, [300_000], "as the client says");
    call.ticks(2_000);
    assert_eq!(call.done(), ["cancelled turn_detected", "completed -"]);
    let sent_us = call.audio_us(&call.of_type("response.done")[1]["response"]);
    let took_us = call.events.last().expect("it is done").0 - call.events[second].0;
    assert!(took_us > sent_us - 100_000 && took_us < sent_us + 150_000, "{sent_us} us in {took_us} us");
}
