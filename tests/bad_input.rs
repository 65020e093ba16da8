//! What mynah says about scenes, recordings and flags that are wrong, and what it does with odd ones.
//!
//! Every case is a line typed into a shell; what came back (exit code, stdout, stderr) stands in `snapshots/`, one
//! transcript a test. A refusal names the place, the value and what helps. After a change that is meant, write them
//! anew with `SNAPSHOTS=overwrite cargo test --test bad_input` and read the difference.

#[path = "support/white.rs"]
mod white;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mynah_systems::speech::flite::{Flite, RATE_HZ, VoiceStyle};
use white::White;

/// What happens, and the words behind `mynah`.
type Case = (&'static str, &'static str);

/// A scene without a fault; the cases change one spot of it each.
const SCENE: &str = r#"(
    name: "small",
    nodes: [
        (id: "resample", kind: Resample(rate_hz: 16000)),
        (id: "gate", kind: VadGate(threshold: 0.9)),
        (id: "asr", kind: Service(service: "asr", task: Transcribe)),
        (id: "tts", kind: Service(service: "tts", task: Synthesize)),
    ],
    edges: [("input", "resample"), ("resample", "gate"), ("gate", "asr"), ("asr", "tts"), ("tts", "output")],
    services: {
        "asr": (output: SimulatedTranscript, timing: (latency: LogNormal(p50_ms: 20, p99_ms: 27))),
        "tts": (output: FliteVoice, timing: (latency: Fixed(ms: 20))),
    },
)
"#;

/// File, text in [`SCENE`], what stands there instead.
const SCENES: &[(&str, &str, &str)] = &[
    ("good.ron", "", ""),
    ("unknown_kind.ron", "Resample(", "Resmaple("),
    ("unknown_field.ron", "threshold: 0.9", "treshold: 0.9"),
    ("typos.ron", "threshold: 0.9", "treshold: 0.9, spekulate: maybe, pad_ms: long"),
    ("typo_required.ron", r#"service: "asr""#, r#"servce: "asr""#),
    ("node_typos.ron", r#"kind: VadGate(threshold: 0.9)"#, r#"kind: VadGate(treshold: 0.9), bufering: ()"#),
    ("bracket.ron", "VadGate(threshold: 0.9)", "VadGate(threshold: 0.9"),
    (
        "unknown_ports.ron",
        r#"VadGate(threshold: 0.9)),"#,
        r#"Loudness(window_ms: 20)), (id: "spare", kind: Pass),"#,
    ),
    ("unknown_node.ron", r#"("gate", "asr")"#, r#"("gat", "asr")"#),
    ("unknown_port.ron", r#"("gate", "asr")"#, r#"("gate.adio", "asr")"#),
    ("unknown_service.ron", r#"service: "asr""#, r#"service: "ars""#),
    ("port_type.ron", r#"("asr", "tts")"#, r#"("gate", "tts")"#),
    ("cycle.ron", r#"("asr", "tts"), "#, r#"("asr", "tts"), ("tts", "gate"), "#),
    ("formats.ron", r#"("input", "resample"), "#, r#"("input", "resample"), ("input", "gate"), "#),
    ("two_gates.ron", r#""gate"), ("gate", "asr")"#, r#""gate"), ("gate", "again"), ("again", "asr")"#),
    (
        "parallel_gates.ron",
        r#"("gate", "asr")"#,
        r#"("resample", "again"), ("gate", "asr"), ("again", "asr")"#,
    ),
    ("duplicate_id.ron", r#"id: "tts""#, r#"id: "asr""#),
    ("unreachable.ron", "    ],\n    edges", "        (id: \"spare\", kind: Pass),\n    ],\n    edges"),
    ("no_path.ron", r#"("asr", "tts"), "#, ""),
    ("lookback_long.ron", "threshold: 0.9", "lookback_ms: 300"),
    ("lookahead_late.ron", "threshold: 0.9", "lookahead_ms: 400, min_silence_ms: 300"),
    ("release_above.ron", "threshold: 0.9", "threshold: 0.5, release_threshold: 0.7"),
    ("negative_time.ron", "threshold: 0.9", "min_silence_ms: -300"),
    ("no_number.ron", "threshold: 0.9", "threshold: NaN"),
    ("rate.ron", "rate_hz: 16000", "rate_hz: 4000"),
    ("no_bank.ron", "rate_hz: 16000", "rate_hz: 15999, kernel: Batched"),
    ("voice.ron", "FliteVoice", "FliteVoice(pitch: 1e30, rate: 1e-30, level: NaN)"),
    ("percentiles.ron", "p99_ms: 27", "p99_ms: 7"),
    (
        "merge_audio.ron",
        "task: Synthesize)",
        "task: Synthesize), buffering: (merge: ConcatenateAudio(max_gap_ms: 10))",
    ),
    (
        "merge_text.ron",
        "threshold: 0.9)",
        "threshold: 0.9), capabilities: (overflow_policy: MergeOnOverflow), buffering: (merge: ConcatenateText())",
    ),
    ("capacity.ron", "threshold: 0.9)", "threshold: 0.9), capabilities: (queue_capacity: 1)"),
    ("empty.ron", SCENE, ""),
    ("cut.ron", "    services: {", ""),
];

/// A case per finding of `mynah check`.
const SCENE_CASES: &[Case] = &[
    ("a scene without a fault", "check good.ron"),
    ("a node kind that does not exist", "check unknown_kind.ron"),
    ("a field that does not exist", "check unknown_field.ron"),
    ("several fields that do not exist or do not fit, in one node", "check typos.ron"),
    ("a required field by a wrong name is one error", "check typo_required.ron"),
    ("fields that do not exist, of the node and of its kind", "check node_typos.ron"),
    ("a bracket that is not closed", "check bracket.ron"),
    ("a kind that does not exist says nothing of its ports", "check unknown_ports.ron"),
    ("an edge from a node that does not exist", "check unknown_node.ron"),
    ("an edge from a port that does not exist", "check unknown_port.ron"),
    ("a service that does not exist", "check unknown_service.ron"),
    ("audio into a node that takes text", "check port_type.ron"),
    ("a loop", "check cycle.ron"),
    ("two formats at one node", "check formats.ron"),
    ("two gates in a row", "check two_gates.ron"),
    ("two gates side by side", "check parallel_gates.ron"),
    ("two nodes of one name", "check duplicate_id.ron"),
    ("a node that nothing reaches", "check unreachable.ron"),
    ("no path from input to output", "check no_path.ron"),
    ("a lookback past its usual range is a warning", "check lookback_long.ron"),
    ("which fails where warnings are denied", "check lookback_long.ron --deny-warnings"),
    ("a suspicion that comes after the certainty", "check lookahead_late.ron"),
    ("a gate that closes above where it opens", "check release_above.ron"),
    ("a negative time", "check negative_time.ron"),
    ("no number", "check no_number.ron"),
    ("a rate that nothing sends", "check rate.ron"),
    ("a kernel that cannot convert these rates", "check no_bank.ron"),
    ("a voice that nobody has", "check voice.ron"),
    ("a 99th percentile below the median", "check percentiles.ron"),
    ("a rule that joins audio, where texts wait", "check merge_audio.ron"),
    ("a rule that joins texts, where audio waits", "check merge_text.ron"),
    ("a queue that cannot hold what one step sends", "check capacity.ron"),
    ("several errors, all said at once", "check several.ron"),
    ("an empty file", "check empty.ron"),
    ("a file that was cut off", "check cut.ron"),
    ("a file that is no text", "check binary.ron"),
    ("a folder", "check folder"),
    ("no such scene, but one nearly so called", "check scenes/voice_asistant.ron"),
    ("a scene that comes with mynah, as a file that is not here", "check scenes/gate_only.ron"),
    ("the same with its ending only", "check gate_only.ron"),
    ("a good and a bad scene", "check good.ron negative_time.ron"),
];

const FLAG_CASES: &[Case] = &[
    ("no such command", "simulat"),
    ("no such flag", "simulate --session 8"),
    ("no sessions", "simulate --sessions 0"),
    ("fewer sessions than none", "simulate --sessions=-1"),
    ("sessions in words", "simulate --sessions many"),
    ("a duration without unit", "simulate --duration 60"),
    ("a duration of nothing", "simulate --duration 0s"),
    ("no threads", "simulate --threads 0"),
    ("no shards", "simulate --shards 0"),
    ("a seed below 0", "simulate --seed=-1"),
    ("no such clock", "simulate --clock real"),
    ("no such format", "graph passthrough --format svg"),
    ("--set without a value", "check passthrough --set pass_1.gain"),
    ("--set of a node that does not exist", "check gate_only --set gat.threshold=0.5"),
    ("--set of a field that does not exist", "check gate_only --set gate.treshold=0.5"),
    ("--set of a service that does not exist", "check voice_assistant --set services.ars.timing.scale=2"),
    ("--set to a word where a number belongs", "check gate_only --set gate.threshold=high"),
    ("--set out of range", "check gate_only --set gate.threshold=7"),
    ("--set of what only the file says", "check gate_only --set edges=[]"),
    ("labels that do not exist", "simulate passthrough --sessions 1 --duration 1s --load labels.jsonl"),
    ("labels that are none", "simulate passthrough --sessions 1 --duration 1s --load text.wav"),
    (
        "events into a folder that does not exist",
        "simulate passthrough --sessions 1 --duration 1s --events no/e.jsonl",
    ),
    ("a trace without a gate", "run passthrough --input stereo.wav --vad-trace trace.jsonl"),
    ("output into a file", "run passthrough --input stereo.wav --output text.wav"),
    ("chunks of nothing", "run passthrough --input stereo.wav --chunk 0"),
    ("chunks of a fruit", "run passthrough --input stereo.wav --chunk banana"),
    ("no recording", "run passthrough"),
];

const FAULT_CASES: &[Case] = &[
    ("neither a preset nor a file", "simulate passthrough --faults chaso"),
    ("a stranger", "simulate passthrough --faults zebra"),
    ("a folder", "simulate passthrough --faults folder"),
    ("a file that is no text", "simulate passthrough --faults binary.ron"),
    ("an empty file", "simulate passthrough --faults empty.ron"),
    ("a site that does not exist", "simulate passthrough --faults faults_site.ron"),
    ("a field that does not exist", "simulate passthrough --faults faults_field.ron"),
    ("a share beyond all", "simulate passthrough --faults faults_ratio.ron"),
    ("a share of the runs beyond all", "simulate passthrough --faults faults_on.ron"),
    ("a range from high to low", "simulate passthrough --faults faults_order.ron"),
    ("the unit of another site", "simulate passthrough --faults faults_unit.ron"),
    ("no range but a number", "simulate passthrough --faults faults_number.ron"),
    ("a shape of what has none", "simulate passthrough --faults faults_shape.ron"),
    ("a shape that does not exist", "simulate passthrough --faults faults_curve.ron"),
    ("healed before it began", "simulate passthrough --faults faults_heal.ron"),
    ("several errors, all said at once", "simulate passthrough --faults faults_several.ron"),
    ("in real time", "simulate passthrough --faults chaos --clock wall"),
    ("with recordings", "simulate passthrough --faults chaos --load labels.jsonl"),
    ("with a page", "simulate passthrough --faults chaos --html page.html"),
    ("many with a baseline", "simulate passthrough --seeds 1..2 --baseline main.json"),
    ("seeds without an end", "simulate passthrough --seeds 5"),
    ("seeds in words", "simulate passthrough --seeds one..two"),
    ("seeds backwards", "simulate passthrough --seeds 9..3"),
    ("too many seeds", "simulate passthrough --seeds 0..9999999"),
    ("a seed and seeds", "simulate passthrough --seed 1 --seeds 1..2"),
    ("a scene with an error under faults", "simulate negative_time.ron --faults chaos"),
];

/// A file of faults without a fault of its own, and what stands in its place for each case.
const FAULTS: &str = r#"(
    description: "loss and delay",
    heal_ratio: 0.5,
    sites: {
        "loss": (on: 1.0, ratio: (0.1, 0.2)),
        "delay": (ms: (20, 80), shape: Gamma),
    },
)
"#;
const FAULT_FILES: &[(&str, &str, &str)] = &[
    ("faults_site.ron", "\"loss\"", "\"lost\""),
    ("faults_field.ron", "ratio: (0.1", "ration: (0.1"),
    ("faults_ratio.ron", "(0.1, 0.2)", "(0.1, 20)"),
    ("faults_on.ron", "on: 1.0", "on: 1.5"),
    ("faults_order.ron", "(20, 80)", "(80, 20)"),
    ("faults_unit.ron", "ms: (20, 80)", "ppm: (20, 80)"),
    ("faults_number.ron", "(0.1, 0.2)", "0.1"),
    ("faults_shape.ron", "ratio: (0.1, 0.2)", "shape: Gamma"),
    ("faults_curve.ron", "Gamma", "Gauss"),
    ("faults_heal.ron", "heal_ratio: 0.5", "heal_ratio: -1"),
];

/// Where speech is and what was said, and runs too short to show anything.
const SEGMENT_CASES: &[Case] = &[
    ("what was said, and when", "run voice_assistant --input spoken.wav"),
    ("no recogniser", "run speculative_vad --input spoken.wav"),
    ("nothing was said", "run gate_only --input silence.wav"),
    ("too long for one segment", "run gate_only --input spoken.wav --set gate.max_segment_ms=700"),
    (
        "something that is no speech",
        "run gate_only --input knock.wav --set gate.vad=Energy --set gate.threshold=0.6",
    ),
    (
        "more segments than a table shows",
        "run gate_only --input bursts.wav --set gate.vad=Energy --set gate.threshold=0.6",
    ),
    ("the same for programs", "run voice_assistant --input spoken.wav --json"),
];

const RECORDING_CASES: &[Case] = &[
    ("a recording that does not exist", "run speculative_vad --input missing.wav"),
    ("a folder", "run speculative_vad --input folder"),
    ("no bytes", "run speculative_vad --input nothing.wav"),
    ("text", "run speculative_vad --input text.wav"),
    ("a header that was cut off", "run speculative_vad --input header.wav"),
    ("samples that were cut off", "run speculative_vad --input cut.wav"),
    ("no samples", "run speculative_vad --input no_samples.wav"),
    ("compressed samples", "run speculative_vad --input adpcm.wav"),
    ("a file that was written to a pipe", "run streaming_resample --input piped.wav"),
    ("frames of another size than the header has it", "run streaming_resample --input block.wav"),
    ("samples behind which something else stands", "run streaming_resample --input tail.wav"),
    ("the telephone's samples", "run streaming_resample --input mulaw.wav"),
    ("six channels", "run streaming_resample --input six.wav"),
    ("nine channels", "run speculative_vad --input nine.wav"),
    (
        "a channel that is not there",
        "run streaming_resample --input stereo.wav --set resample.channels=Channel(3)",
    ),
    ("a channel that no recording has", "check streaming_resample --set resample.channels=Channel(0)"),
    (
        "a channel that the second recording lacks",
        "run gate_only --input stereo.wav float.wav --set gate.channels=Right",
    ),
    ("channels that cancel each other", "run speculative_vad --input cancelling.wav"),
    ("one of them", "run speculative_vad --input cancelling.wav --set resample.channels=Right"),
    ("all of them, unmixed", "run streaming_resample --input cancelling.wav"),
    ("no channels", "run speculative_vad --input channels_0.wav"),
    ("a rate below the telephone's", "run speculative_vad --input slow.wav"),
    ("a rate above the studio's", "run speculative_vad --input fast.wav"),
    ("several bad recordings, all said at once", "run speculative_vad --input nine.wav slow.wav text.wav"),
    (
        "stereo at 48 kHz into a gate without a resampler: it hears any format",
        "run gate_only --input stereo.wav",
    ),
    ("8 bit", "run streaming_resample --input bits_8.wav"),
    ("24 bit", "run streaming_resample --input bits_24.wav"),
    ("float", "run streaming_resample --input float.wav"),
    ("stereo", "run streaming_resample --input stereo.wav"),
    ("a rate that divides into nothing", "run streaming_resample --input odd_rate.wav"),
    ("the same recording twice", "run streaming_resample --input float.wav float.wav"),
    ("one sample", "run voice_assistant --input one_sample.wav"),
    ("chunks of one sample", "run voice_assistant --input float.wav --chunk 1"),
    ("samples that are no numbers", "run voice_assistant --input nan.wav"),
    ("samples far beyond full scale", "run voice_assistant --input huge.wav"),
    ("clipped noise", "run voice_assistant --input clipped.wav"),
    ("ten minutes of silence", "run voice_assistant --input silence.wav"),
];

/// Format tags of a WAV file.
const PCM: u16 = 1;
const ADPCM: u16 = 2;
const FLOAT: u16 = 3;
const MULAW: u16 = 7;

/// A WAV file with these figures in its header.
fn wav(tag: u16, channels: u16, rate_hz: u32, bits: u16, samples: &[u8]) -> Vec<u8> {
    let frame = channels * bits / 8;
    let mut file = b"RIFF".to_vec();
    file.extend((36 + samples.len() as u32).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0");
    for half in [tag, channels] {
        file.extend(half.to_le_bytes());
    }
    file.extend(rate_hz.to_le_bytes());
    file.extend((rate_hz * u32::from(frame)).to_le_bytes());
    for half in [frame, bits] {
        file.extend(half.to_le_bytes());
    }
    file.extend(b"data");
    file.extend((samples.len() as u32).to_le_bytes());
    file.extend(samples);
    file
}

/// A file with other bytes at a place.
fn with(at: usize, bytes: &[u8], mut file: Vec<u8>) -> Vec<u8> {
    file[at..at + bytes.len()].copy_from_slice(bytes);
    file
}

fn floats(samples: impl Iterator<Item = f32>) -> Vec<u8> {
    samples.flat_map(f32::to_le_bytes).collect()
}

/// A tone of 300 Hz with `rate_hz` samples a second.
fn tone(rate_hz: u32, samples: u32) -> impl Iterator<Item = f32> {
    (0..samples).map(move |at| 0.3 * (at as f32 * 300.0 / rate_hz as f32 * std::f32::consts::TAU).sin())
}

/// Two sentences with a pause between.
fn spoken() -> Vec<f32> {
    let voice = Flite::new().expect("the voice is part of the program");
    let say = |text| voice.speak(text, VoiceStyle::default()).expect("these are words");
    let pause = || vec![0.0; RATE_HZ as usize];
    [pause(), say("please open the door"), pause(), say("and turn on the light in the kitchen"), pause()]
        .concat()
}

/// Silence, 40 ms of noise, silence.
fn knock() -> Vec<f32> {
    [vec![0.0; 16_000], White::default().take(640).collect(), vec![0.0; 16_000]].concat()
}

/// 24 times 300 ms of noise and 700 ms of silence.
fn bursts() -> Vec<f32> {
    (0..24).flat_map(|_| White::default().take(4_800).chain(std::iter::repeat_n(0.0, 11_200))).collect()
}

fn recordings() -> Vec<(&'static str, Vec<u8>)> {
    let silence = vec![0; 2 * 16_000];
    let mono = wav(PCM, 1, 16_000, 16, &silence);
    let clipped = White::default().take(48_000).map(|x| (x * 40.0).clamp(-1.0, 1.0));
    vec![
        ("nothing.wav", vec![]),
        ("text.wav", b"this is no recording\n".to_vec()),
        ("header.wav", mono[..20].to_vec()),
        ("cut.wav", mono[..1_000].to_vec()),
        ("no_samples.wav", wav(PCM, 1, 16_000, 16, &[])),
        ("adpcm.wav", wav(ADPCM, 1, 16_000, 4, &silence)),
        ("six.wav", wav(PCM, 6, 48_000, 16, &silence[..12_000])),
        ("nine.wav", wav(PCM, 9, 48_000, 16, &silence[..18_000])),
        ("piped.wav", with(40, &u32::MAX.to_le_bytes(), mono.clone())),
        ("block.wav", with(32, &4_u16.to_le_bytes(), mono.clone())),
        ("tail.wav", [&mono[..], b"no chunk at all"].concat()),
        ("mulaw.wav", wav(MULAW, 1, 8_000, 8, &[0xff; 8_000])),
        ("cancelling.wav", wav(FLOAT, 2, 16_000, 32, &floats(tone(16_000, 16_000).flat_map(|x| [x, -x])))),
        ("channels_0.wav", wav(PCM, 0, 16_000, 16, &silence)),
        ("slow.wav", wav(PCM, 1, 7_999, 16, &silence)),
        ("fast.wav", wav(PCM, 1, 192_001, 16, &silence)),
        ("bits_8.wav", wav(PCM, 1, 8_000, 8, &[128; 8_000])),
        ("bits_24.wav", wav(PCM, 1, 44_100, 24, &[0; 3 * 44_100])),
        ("float.wav", wav(FLOAT, 1, 16_000, 32, &floats(tone(16_000, 16_000)))),
        ("stereo.wav", wav(FLOAT, 2, 48_000, 32, &floats(tone(48_000, 96_000)))),
        ("odd_rate.wav", wav(FLOAT, 1, 44_057, 32, &floats(tone(44_057, 44_057)))),
        ("one_sample.wav", wav(PCM, 1, 16_000, 16, &[1, 0])),
        (
            "nan.wav",
            wav(FLOAT, 1, 16_000, 32, &floats((0..32_000).map(|at| [f32::NAN, f32::INFINITY, 0.1][at % 3]))),
        ),
        ("huge.wav", wav(FLOAT, 1, 16_000, 32, &floats(tone(16_000, 32_000).map(|x| x * 1e30)))),
        ("spoken.wav", wav(FLOAT, 1, RATE_HZ, 32, &floats(spoken().into_iter()))),
        ("bursts.wav", wav(FLOAT, 1, 16_000, 32, &floats(bursts().into_iter()))),
        ("knock.wav", wav(FLOAT, 1, 16_000, 32, &floats(knock().into_iter()))),
        ("clipped.wav", wav(FLOAT, 1, 16_000, 32, &floats(clipped))),
        ("silence.wav", wav(PCM, 1, 16_000, 16, &vec![0; 2 * 600 * 16_000])),
    ]
}

/// A folder of its own for a test, with all the files that cases name.
fn prepared(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(folder.join("folder")).expect("the target folder can be written");
    let write = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).expect("the folder is new");
    for (name, from, to) in SCENES {
        assert!(SCENE.contains(from), "{name}: {from:?} is not in the scene");
        write(name, SCENE.replacen(from, to, 1).as_bytes());
    }
    for (name, from, to) in FAULT_FILES {
        assert!(FAULTS.contains(from), "{name}: {from:?} is not in the file");
        write(name, FAULTS.replacen(from, to, 1).as_bytes());
    }
    let several = FAULTS.replace("(0.1, 0.2)", "(2, 3)").replace("delay", "dealy").replace("0.5", "5");
    write("faults_several.ron", several.as_bytes());
    let several = SCENE.replace("VadGate(", "VadGat(").replace("rate_hz: 16000", "rate_hz: 1");
    write("several.ron", several.replace("(\"tts\", \"output\")", "(\"tss\", \"output\")").as_bytes());
    for name in ["two_gates.ron", "parallel_gates.ron"] {
        let wired = fs::read_to_string(folder.join(name)).expect("just written");
        let again = "kind: VadGate(threshold: 0.9)),\n        (id: \"again\", kind: Follow()),";
        write(name, wired.replace("kind: VadGate(threshold: 0.9)),", again).as_bytes());
    }
    let ports = fs::read_to_string(folder.join("unknown_ports.ron")).expect("just written");
    let edges = r#"("gate.audio", "asr"), ("gate.level", "spare"), ("gate.peak", "spare"), ("spare", "asr")"#;
    write("unknown_ports.ron", ports.replace(r#"("gate", "asr")"#, edges).as_bytes());
    write("binary.ron", &[0x28, 0xff, 0xfe, 0x00, 0x80]);
    for (name, bytes) in recordings() {
        write(name, &bytes);
    }
    folder
}

/// Runs the cases one after the other and holds the transcript against `snapshots/NAME.txt`.
fn check(name: &str, cases: &[Case]) {
    let folder = prepared(name);
    let mut transcript = String::new();
    let mut wrong = Vec::new();
    for (what, line) in cases {
        let command = Command::new(env!("CARGO_BIN_EXE_mynah"))
            .args(line.split(' '))
            .current_dir(&folder)
            .env("NO_COLOR", "1")
            .output()
            .expect("the program was built");
        let (stdout, stderr) =
            (String::from_utf8_lossy(&command.stdout), String::from_utf8_lossy(&command.stderr));
        let version = concat!("\"version\":\"", env!("CARGO_PKG_VERSION"), "\"");
        let stdout = stdout.replace(version, "\"version\":\"V\"");
        let code = command.status.code();
        if !matches!(code, Some(0..=2)) || stderr.contains("panicked") {
            wrong.push(format!("`mynah {line}` ended with {code:?}: {stderr}"));
        }
        if code != Some(0) && stderr.trim().is_empty() {
            wrong.push(format!("`mynah {line}` ended with {code:?} and said nothing"));
        }
        let code = code.map_or("a signal".into(), |code| code.to_string());
        write!(transcript, "# {what}\n$ mynah {line}\n{stdout}{stderr}exit code {code}\n\n")
            .expect("a string");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/snapshots/{name}.txt"));
    snapbox::Assert::new()
        .action_env("SNAPSHOTS")
        .eq(transcript, snapbox::Data::read_from(&path, Some(snapbox::data::DataFormat::Text)));
}

#[test]
fn bad_scenes() {
    check("bad_scenes", SCENE_CASES);
}

#[test]
fn bad_flags() {
    check("bad_flags", FLAG_CASES);
}

#[test]
fn bad_faults() {
    check("bad_faults", FAULT_CASES);
}

#[test]
fn segments() {
    check("segments", SEGMENT_CASES);
}

#[test]
fn odd_recordings() {
    check("odd_recordings", RECORDING_CASES);
}

/// Without the feature there are no devices; with it, `tests/talk.rs` asks.
#[cfg(not(feature = "talk"))]
#[test]
fn a_program_without_devices_says_how_to_get_one() {
    let out = Command::new(env!("CARGO_BIN_EXE_mynah")).args(["talk", "--headphones"]).output();
    let out = out.expect("the program starts");
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{said}");
    assert!(said.starts_with("error: ") && said.contains("cargo build --release --features talk"), "{said}");
}
