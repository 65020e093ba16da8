//! Every number in every shipped scene, walked through what somebody may write there: it is refused where it stands, or
//! the scene runs with it and a session in it ends.
//!
//! Fields are found in the text itself, and the ends of a range in what the refusal says of it.

#![allow(clippy::print_stdout, reason = "the number of fields and values belongs to the result")]

#[path = "numbers/extremes.rs"]
mod extremes;

use std::collections::BTreeSet;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use mynah_engine::observe::Census;
use mynah_engine::scene::{Diagnostic, Diagnostics, Severity, Source, compile};
use mynah_engine::{Engine, EngineConfig, Out, Registry, ScenePlan, SessionSpec};
use mynah_sim::scenes::{SHIPPED, registry_with_link};
use mynah_systems::speech::flite::{Flite, RATE_HZ, VoiceStyle};

/// Numbers that the shipped scenes leave at their defaults.
const SPELLED: &str = r#"(
    name: "spelled",
    tick: (period_ms: 5, driver: Fixed, min_gap_us: 0, catch_up_max: 4),
    session: (
        input: (rate_hz: 16000, channels: 1, chunk_ms: 20, pts_tolerance_ms: 40),
        output: (release: OnConfirm, pace: RealTime(lead_ms: 40), interrupt_min_ms: 400),
    ),
    nodes: [
        (id: "pass", kind: Pass(gain: 1.0), capabilities: (queue_capacity: 100, avg_processing_us: 1),
            deadline: (budget_ms: 50, margin_ms: 10, policy: SkipOptional), optional: true),
        (id: "level", kind: Level(high_pass_hz: 80, target_dbfs: -9, max_gain_db: 30)),
        (id: "gate", kind: VadGate(vad: Energy, threshold: 0.9, release_threshold: 0.5, min_speech_ms: 96,
            min_silence_ms: 300, pad_ms: 150, lookback_ms: 200, lookahead_ms: 32, max_segment_ms: 30000,
            silence_timeout_ms: 1000, vad_gather_ms: 4, echo_tail_ms: 300,
            raise_threshold_while_speaking: 0.95, raise_level_while_speaking_db: 6)),
        (id: "asr", kind: Service(service: "asr", task: Transcribe, piece_ms: 200)),
        (id: "reply", kind: Service(service: "reply", task: Reply, piece_ms: 0, text_chars_max: 1000)),
        (id: "slow", kind: Throttle(carries: Text, per_s: 50)),
        (id: "tc", kind: TextCollector(batch_window_ms: 120, flush_after_ms: 250, first_chunk_min_chars: 20,
            reply_chars_max: 1000)),
        (id: "tts", kind: Service(service: "tts", task: Synthesize, rate_hz: 16000, runway_ms: 400),
            capabilities: (queue_capacity: 20),
            buffering: (min_batch_size: 1, max_batch_size: 4, max_wait_ms: 50, max_buffer_size: 50),
            deadline: (budget_ms: 500, margin_ms: 50, policy: GrowBatch(max: 8))),
    ],
    edges: [("input", "pass"), ("pass", "level"), ("level", "gate"), ("gate", "asr"), ("asr", "reply"),
        ("reply", "slow"), ("slow", "tc"), ("tc", "tts"), ("tts", "output")],
    services: {
        "asr": (output: SimulatedTranscript, timing: (latency: Fixed(ms: 20), parallelism: 8, scale: 1.0)),
        "reply": (output: ScriptedReply(words_max: 5),
            timing: (latency: LogNormal(p50_ms: 20, p99_ms: 27), words_per_s: 60)),
        "tts": (output: FliteVoice(pitch: 1.0, rate: 1.0, level: 1.0),
            timing: (latency: Fixed(ms: 20), parallelism: 1, batch_item_cost: 0.25, reduced_cost: 0.6, speed: 100)),
    },
    transports: [SimulatedLink(scene: "remote_answers", delay_ms: 20, jitter_ms: 5, loss: 0.1, duplicate: 0.1,
        reorder: 0.1, reorder_extra_ms: 20)],
    limits: (speech_end_to_response_p99_ms: 1000, speech_start_to_forward_p95_ms: 1000, cancelled_ratio: 1,
        silence_to_processing_p95_ms: 1000, speech_to_silence_p95_ms: 1000, request_p95_ms: 1000,
        queue_depth_p99: 9, premature_ratio: 1, acceptance_ratio_min: 0, wasted_service_ratio: 1),
)"#;

/// What is written into every field, beside the ends of its range.
const VALUES: [&str; 14] = [
    "0",
    "-1",
    "1",
    "0.5",
    "1e-30",
    "5e-324",
    "1e30",
    "1e300",
    "-1e300",
    "NaN",
    "inf",
    "-inf",
    "4294967295",
    "18446744073709551615",
];

/// Ticks within which a session ends; they grow longer, to a minute each, so that this is more than a day.
const TICKS_MAX: u32 = 2_500;
const MINUTE_US: u64 = 60_000_000;

/// A number in a scene, with what it belongs to: `rate_hz`, or `Channel` for one without a name.
struct Field {
    name: String,
    span: Range<usize>,
}

/// The numbers of a text outside of strings and comments.
fn fields(text: &str) -> Vec<Field> {
    let bytes = text.as_bytes();
    let (mut found, mut word, mut at) = (Vec::new(), 0..0, 0);
    let run = |from: usize, fits: fn(u8) -> bool| {
        from + bytes[from..].iter().position(|byte| !fits(*byte)).unwrap_or(bytes.len() - from)
    };
    while at < bytes.len() {
        let from = at;
        match bytes[at] {
            b'"' => at = run(at + 1, |byte| byte != b'"') + 1,
            b'/' if bytes.get(at + 1) == Some(&b'/') => at = run(at, |byte| byte != b'\n'),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                at = run(at, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
                word = from..at;
            }
            b'0'..=b'9' | b'-' => {
                at = run(at + 1, |byte| byte.is_ascii_digit() || b".eE_+-".contains(&byte));
                found.push(Field { name: text[word.clone()].to_owned(), span: from..at });
            }
            _ => at += 1,
        }
    }
    found
}

/// The ends of the range that an error names: `1..=100 ms`, `0.5 to 2`, `at most 1000`. Where it names only what another
/// field leaves (`27 or more`), none.
fn ends(one: &Diagnostic) -> Vec<f64> {
    let said = if one.label.contains("expected ") { &one.label } else { &one.title };
    let Some((_, range)) = said.split_once("expected ") else { return Vec::new() };
    let plain = range.replace("..=", " ").replace(',', " ");
    let ends: Vec<f64> = plain.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    if ends.len() > 1 || range.contains("at most") { ends } else { Vec::new() }
}

/// Whether an error about `value` names it as an end of the range.
fn names(one: &Diagnostic, value: &str) -> bool {
    let number = value.parse().ok();
    // What lies above a number does not begin with it.
    let open = usize::from(one.label.contains("above "));
    one.severity == Severity::Error
        && one.place.excerpt() == value
        && ends(one).iter().skip(open).any(|end| Some(*end) == number)
}

/// A spoken word at the rate of the engine's voice.
fn speech() -> &'static [f32] {
    static SPEECH: OnceLock<Vec<f32>> = OnceLock::new();
    SPEECH.get_or_init(|| {
        let voice = Flite::new().expect("the voice is part of the program");
        voice.speak("Hello there.", VoiceStyle::default()).expect("a natural style")
    })
}

/// A caller who says a word and leaves; what is wrong with how that ended. Behind the word ticks grow longer, up to
/// `step_us_max`.
fn run(plan: ScenePlan, step_us_max: u64) -> Result<(), String> {
    let input = plan.input;
    let period_us = u64::from(plan.scene.tick.period_ms) * 1_000;
    let config = EngineConfig { shards: Some(1), sessions_max: 1, ..EngineConfig::simulated() };
    let mut engine = Engine::new(Arc::new(plan), config);
    let session = engine.handle().open(SessionSpec::named("ada")).map_err(|error| error.to_string())?;
    let (frames, channels) = (input.rate_hz as usize / 50, usize::from(input.channels));
    let at_rate = |frame: usize| frame * RATE_HZ as usize / input.rate_hz as usize;
    let (mut pushed, mut now_us, mut step_us) = (0, 0, period_us.min(20_000));
    for _ in 0..TICKS_MAX {
        now_us += step_us;
        if at_rate(pushed) < speech().len() {
            while pushed as u64 * 1_000_000 / u64::from(input.rate_hz) < now_us {
                let samples: Vec<f32> = (pushed..pushed + frames)
                    .flat_map(|frame| {
                        std::iter::repeat_n(speech().get(at_rate(frame)).copied().unwrap_or(0.0), channels)
                    })
                    .collect();
                if session.try_push(&samples).is_err() {
                    break;
                }
                pushed += frames;
            }
            if at_rate(pushed) >= speech().len() {
                session.finish();
            }
        } else {
            step_us = (step_us + step_us / 50).min(step_us_max);
        }
        engine.tick(now_us);
        while let Some(out) = session.poll() {
            if let Out::Audio(audio) = out {
                if audio.block.samples().iter().any(|sample| !sample.is_finite()) {
                    return Err("what leaves is no sound".into());
                }
                session.give_back(audio.block);
            }
        }
        if session.is_closed() {
            let (mut census, mut queued) = (Census::default(), Vec::new());
            let mut balances = engine.census(&mut census).balances(engine.queued(&mut queued));
            let wrong = balances.find(|balance| !balance.holds());
            return wrong.map_or(Ok(()), |balance| Err(format!("at a node: {balance}")));
        }
    }
    Err(format!("the session has not ended after {TICKS_MAX} ticks, {} s", now_us / 1_000_000))
}

/// What became of one text.
enum Fate {
    Refused(Diagnostics),
    Ran,
}

fn judge(text: &str, registry: &Registry, step_us_max: u64) -> Result<Fate, String> {
    let source = Source::new("walked.ron", text);
    let acted = catch_unwind(AssertUnwindSafe(|| match compile(&source, &[], None, registry) {
        Err(found) => Ok(Fate::Refused(found)),
        Ok((plan, _)) => run(plan, step_us_max).map(|()| Fate::Ran),
    }));
    acted.unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        Err(format!("a panic: {}", said.or(panic.downcast_ref::<&str>().copied()).unwrap_or("?")))
    })
}

/// A refusal says where and what would do.
fn told_well(found: &Diagnostics) -> Result<(), String> {
    let errors = found.0.iter().filter(|one| one.severity == Severity::Error);
    let mut count = 0;
    for one in errors {
        count += 1;
        let remedy = !one.label.is_empty() || !one.help.is_empty() || one.title.contains("expected");
        if one.place.excerpt().is_empty() || !remedy {
            return Err(format!("an error without place or remedy: {one:?}"));
        }
    }
    if count == 0 { Err("refused without an error".into()) } else { Ok(()) }
}

/// The text with another value in one field.
fn written(text: &str, field: &Field, value: &str) -> String {
    format!("{}{value}{}", &text[..field.span.start], &text[field.span.end..])
}

/// What the refusals of values far out say of a field's range, each the ends of one.
fn ranges(text: &str, field: &Field, registry: &Registry) -> Vec<Vec<f64>> {
    let mut found = Vec::new();
    for value in ["-1e300", "1e300", "4294967295", "60000"] {
        let source = Source::new("walked.ron", written(text, field, value));
        let Ok(Err(refused)) = catch_unwind(AssertUnwindSafe(|| compile(&source, &[], None, registry)))
        else {
            continue;
        };
        let about = |one: &&Diagnostic| one.severity == Severity::Error && one.place.excerpt() == value;
        found.extend(refused.0.iter().filter(about).map(ends));
    }
    found
}

/// Walks one field: how many values were refused and ran.
fn walk(
    name: &str,
    text: &str,
    field: &Field,
    registry: &Registry,
    wrong: &mut Vec<String>,
) -> (usize, usize) {
    let mut values: BTreeSet<String> = VALUES.iter().map(|value| (*value).to_owned()).collect();
    let mut beyond = BTreeSet::from(["NaN".to_owned(), "inf".to_owned(), "-inf".to_owned()]);
    for ends in ranges(text, field, registry) {
        values.extend(ends.iter().map(f64::to_string));
        if let [.., most] = ends[..] {
            let past = [most + 1.0, most + most.abs() * 1e-4 + 1e-9].map(|value| value.to_string());
            values.extend(past.clone());
            beyond.extend(past);
        }
    }
    let (mut refused, mut ran) = (0, 0);
    for value in &values {
        let place =
            |what: String| format!("{name}: {} = {value} (byte {}): {what}", field.name, field.span.start);
        match judge(&written(text, field, value), registry, MINUTE_US) {
            Ok(Fate::Refused(found)) => {
                refused += 1;
                if let Err(what) = told_well(&found) {
                    wrong.push(place(what));
                }
                if let Some(one) = found.0.iter().find(|one| names(one, value)) {
                    wrong.push(place(format!("refused, and an end of its range: {}", one.label)));
                }
            }
            Ok(Fate::Ran) => {
                ran += 1;
                if beyond.contains(value) {
                    wrong.push(place("runs, beyond its range".into()));
                }
            }
            Err(what) => wrong.push(place(what)),
        }
    }
    (refused, ran)
}

#[test]
fn every_number_of_every_scene_is_refused_in_its_place_or_runs_to_an_end() {
    let registry = registry_with_link(None);
    let (mut count, mut refused, mut ran) = (0, 0, 0);
    let mut wrong = Vec::new();
    for (name, text) in SHIPPED.iter().chain([&("spelled", SPELLED)]) {
        match judge(text, &registry, MINUTE_US) {
            Ok(Fate::Ran) => {}
            Ok(Fate::Refused(found)) => wrong.push(format!("{name} as it is: refused, {found:?}")),
            Err(what) => wrong.push(format!("{name} as it is: {what}")),
        }
        for field in fields(text) {
            let (more_refused, more_ran) = walk(name, text, &field, &registry, &mut wrong);
            (count, refused, ran) = (count + 1, refused + more_refused, ran + more_ran);
        }
    }
    println!("{count} fields, {} values: {refused} refused, {ran} ran to an end", refused + ran);
    assert!(count > 200 && ran > count && refused > count, "{count} fields, {refused} refused, {ran} ran");
    assert!(wrong.is_empty(), "{} values:\n{}", wrong.len(), wrong.join("\n"));
}
