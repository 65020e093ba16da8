//! `mynah run` with recordings as pipes, telephones and studios deliver them: what it reads, says and hears.

#[path = "support/wav_bytes.rs"]
mod wav_bytes;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mynah_load::wav::{read, write};
use mynah_systems::speech::flite::{Flite, RATE_HZ, VoiceStyle};
use wav_bytes::{ALAW, MULAW, PCM, Wav, chunk, ds64, extensible, format, ramp, sixteen, with_block};

/// Loudest sample of what is spoken.
const PEAK: f32 = 0.3;

/// A folder of its own for a test.
fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("wav_runs_{test}"));
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).expect("the target folder can be written");
    folder
}

/// Exit code, stdout, stderr.
type Said = (Option<i32>, String, String);

fn mynah(folder: &Path, line: &str, stdin: Option<&Path>) -> Said {
    // A pipe that somebody else fills, not the file itself.
    let fill = |path| Command::new("cat").arg(path).stdout(Stdio::piped()).spawn().expect("cat is there");
    let mut cat = stdin.map(fill);
    let stdin = cat.as_mut().and_then(|cat| cat.stdout.take()).map_or_else(Stdio::null, Stdio::from);
    let out = Command::new(env!("CARGO_BIN_EXE_mynah"))
        .args(line.split(' '))
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .stdin(stdin)
        .output()
        .expect("the program was built");
    if let Some(cat) = &mut cat {
        cat.wait().expect("it was started");
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.code(), text(&out.stdout), text(&out.stderr))
}

/// A sentence with a second of silence on each side.
fn speech() -> Vec<f32> {
    let voice = Flite::new().expect("the voice is part of the program");
    let mut samples = vec![0.0_f32; RATE_HZ as usize];
    samples.extend(
        voice.speak("please open the door of the garden", VoiceStyle::default()).expect("these are words"),
    );
    samples.extend(vec![0.0; RATE_HZ as usize]);
    samples.iter().map(|sample| (sample * 2.0).clamp(-PEAK, PEAK)).collect()
}

/// Files with 1.2 s each, and the figures that a notice has to name.
fn odd_files() -> Vec<(&'static str, Vec<u8>, &'static [&'static str])> {
    let mono = Wav::new(format(PCM, 1, 16_000, 16), sixteen(&ramp(19_200)));
    let announcing = |announced: u32| Wav { announced, ..mono.clone() }.bytes();
    let law = |format: Vec<u8>| Wav::new(format, vec![0x93; 9_600]).bytes();
    let named =
        |channels, bits, block, data| Wav::new(with_block(PCM, channels, 16_000, bits, block), data).bytes();
    let between = |between: &[u8]| Wav { between: between.to_vec(), ..mono.clone() };
    let long = |magic: &[u8; 4], data: u64| Wav {
        magic: *magic,
        first: ds64(38_500, data, &[]),
        announced: u32::MAX,
        ..mono.clone()
    };
    let info = chunk(b"LIST", b"INFOISFT\x0e\0\0\0Lavf59.27.100\0");
    let three: Vec<u8> = ramp(19_201).iter().flat_map(|s| [&[0], &s.to_le_bytes()[..]].concat()).collect();
    let pad = Wav { announced: 57_604, behind: vec![0], ..Wav::new(format(PCM, 1, 16_000, 24), three) };
    vec![
        ("ffmpeg_pipe.wav", Wav { announced: u32::MAX, ..between(&info) }.bytes(), &["4294967295", "38400"]),
        ("sox_pipe.wav", announcing(0x7FFF_F000), &["2147479552", "38400"]),
        ("length_0.wav", announcing(0), &["announces 0 bytes", "38400"]),
        ("announces_more.wav", announcing(40_400), &["40400", "38400"]),
        ("cut.wav", mono.bytes()[..38_443].to_vec(), &["38400", "38399", "38398"]),
        (
            "stray.wav",
            Wav { announced: 38_401, behind: vec![1], ..mono.clone() }.bytes(),
            &["38401", "38400"],
        ),
        ("bext_odd.wav", between(&chunk(b"bext", &[b'x'; 603])).bytes(), &[]),
        ("list_unpadded.wav", between(b"LIST\x0f\0\0\0INFOISFT\x03\0\0\0abc").bytes(), &[]),
        ("pad_counted.wav", pad.bytes(), &["57604", "57603"]),
        ("mono_block_4.wav", named(1, 16, 4, sixteen(&ramp(19_200))), &["4 bytes a frame"]),
        ("mono_block_3.wav", named(1, 16, 3, sixteen(&ramp(19_200))), &["3 bytes a frame"]),
        ("stereo_block_8.wav", named(2, 16, 8, sixteen(&ramp(38_400))), &["8 bytes a frame"]),
        ("eight_block_2.wav", named(1, 8, 2, vec![129; 19_200]), &["2 bytes a frame"]),
        ("alaw.wav", law(format(ALAW, 1, 8_000, 8)), &[]),
        ("mulaw.wav", law(format(MULAW, 1, 8_000, 8)), &[]),
        ("mulaw_extensible.wav", law(extensible(MULAW, 1, 8_000, 8, 8)), &[]),
        ("rf64.wav", long(b"RF64", 38_400).bytes(), &[]),
        ("bw64.wav", long(b"BW64", 38_400).bytes(), &[]),
        ("rf64_pipe.wav", long(b"RF64", u64::MAX).bytes(), &["18446744073709551615", "38400"]),
    ]
}

#[test]
fn odd_files_are_read_to_the_last_whole_frame_from_disk_and_from_a_pipe() {
    let folder = folder("odd");
    let mut wrong = Vec::new();
    for (name, bytes, figures) in odd_files() {
        fs::write(folder.join(name), bytes).expect("the folder is new");
        let piped = mynah(&folder, "run passthrough --input /dev/stdin", Some(&folder.join(name)));
        let read = mynah(&folder, &format!("run passthrough --input {name}"), None);
        for (called, (code, stdout, stderr)) in [("/dev/stdin", piped), (name, read)] {
            let notices = stderr.lines().filter(|line| line.starts_with("warning: ")).count();
            let said = figures.iter().all(|figure| stderr.contains(figure)) && stderr.contains(called);
            let quiet = figures.is_empty() && stderr.is_empty();
            let seconds = stdout.lines().nth(1).and_then(|line| line.split_whitespace().nth(1));
            if code != Some(0) || seconds != Some("1.200") || !(quiet || notices == 1 && said) {
                wrong.push(format!("{name} as {called}: {code:?}\n{stdout}{stderr}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_log_of_a_pipe_is_that_of_the_file() {
    let folder = folder("log");
    write(&folder.join("call.wav"), RATE_HZ, 1, &speech()).expect("the folder is new");
    let header = |input: &str| {
        let line = format!("run gate_only --input {input} --events log.jsonl");
        let (code, _, stderr) = mynah(&folder, &line, Some(&folder.join("call.wav")));
        assert_eq!(code, Some(0), "{stderr}");
        let log = fs::read_to_string(folder.join("log.jsonl")).expect("it was written");
        let header: serde_json::Value = serde_json::from_str(log.lines().next().unwrap_or("")).expect("JSON");
        header["inputs"][0]["xxh3"].as_str().map(str::to_owned).unwrap_or_else(|| panic!("no hash: {header}"))
    };
    assert_eq!(header("/dev/stdin"), header("call.wav"));
}

/// How many segments were opened, by the table of a run with one recording.
fn opened(stdout: &str) -> Option<u32> {
    stdout.lines().nth(1)?.split_whitespace().nth(2)?.parse().ok()
}

#[test]
fn channels_that_cancel_are_announced_with_a_remedy_that_works() {
    let folder = folder("cancelling");
    let speech = speech();
    let sides =
        |left: f32, right: f32| speech.iter().flat_map(|s| [s * left, s * right]).collect::<Vec<f32>>();
    let four: Vec<f32> = speech.iter().flat_map(|s| [0.0, s * 0.5, *s, s * -1.4]).collect();
    let files =
        [("swapped.wav", 2, sides(1.0, -1.0)), ("unequal.wav", 2, sides(0.9, -1.0)), ("four.wav", 4, four)];
    for (name, channels, samples) in files {
        write(&folder.join(name), RATE_HZ, channels, &samples).expect("the folder is new");
        for scene in ["gate_only", "speculative_vad", "voice_assistant"] {
            let line = format!("run {scene} --input {name}");
            let (code, stdout, stderr) = mynah(&folder, &line, None);
            let heard = opened(&stdout).filter(|_| code == Some(0));
            assert!(heard == Some(0) || name != "swapped.wav" && heard.is_some(), "{line}\n{stdout}{stderr}");
            let notice = stderr.lines().find(|line| line.contains(name) && line.contains("dBFS"));
            let set = notice
                .and_then(|notice| notice.split('\'').nth(1))
                .unwrap_or_else(|| panic!("{line}: {stderr}"));
            let (code, stdout, stderr) = mynah(&folder, &format!("{line} --set {set}"), None);
            assert_eq!((code, &stderr[..]), (Some(0), ""), "{line} --set {set}");
            assert!(opened(&stdout) > Some(0), "{line} --set {set}: nothing was heard\n{stdout}");
        }
        // Nobody mixes here.
        let (_, _, stderr) = mynah(&folder, &format!("run streaming_resample --input {name}"), None);
        assert_eq!(stderr, "", "{name}");
    }
    write(&folder.join("plain.wav"), RATE_HZ, 2, &sides(1.0, 0.7)).expect("the folder is there");
    let (_, stdout, stderr) = mynah(&folder, "run gate_only --input plain.wav", None);
    assert_eq!((opened(&stdout), &stderr[..]), (Some(1), ""));
}

#[test]
fn labelled_recordings_that_cancel_are_announced_too() {
    let folder = folder("labelled");
    let samples: Vec<f32> = speech().iter().flat_map(|s| [*s, -s]).collect();
    write(&folder.join("swapped.wav"), RATE_HZ, 2, &samples).expect("the folder is new");
    let labels = r#"{"file": "swapped.wav", "segments": [{"start_ms": 1000, "end_ms": 2000, "kind": "utterance", "text": "x"}]}"#;
    fs::write(folder.join("labels.jsonl"), labels).expect("the folder is there");
    let line = "simulate gate_only --sessions 1 --duration 1s --load labels.jsonl";
    let (_, _, stderr) = mynah(&folder, line, None);
    assert!(stderr.contains("swapped.wav") && stderr.contains("pan=mono"), "{stderr}");
}

/// The level of a tone in a channel.
fn level(samples: &[f32], channels: usize, channel: usize, hz: f32) -> f32 {
    let turn = |at: usize| at as f32 * hz / 16_000.0 * std::f32::consts::TAU;
    let mine = samples.iter().skip(channel).step_by(channels).enumerate();
    let (re, im) =
        mine.fold((0.0, 0.0), |(re, im), (at, s)| (re + s * turn(at).cos(), im + s * turn(at).sin()));
    2.0 * f32::hypot(re, im) / (samples.len() / channels) as f32
}

#[test]
fn up_to_eight_channels_keep_their_places() {
    let folder = folder("places");
    let hz = |channel: usize| 200.0 * (channel + 1) as f32;
    for channels in [3_usize, 6, 8] {
        let tone =
            |at: usize, channel| 0.2 * (at as f32 * hz(channel) / 48_000.0 * std::f32::consts::TAU).sin();
        let samples: Vec<f32> =
            (0..48_000).flat_map(|at| (0..channels).map(move |channel| tone(at, channel))).collect();
        write(&folder.join("in.wav"), 48_000, channels as u16, &samples).expect("the folder is there");
        let run = |set: &str| {
            let line =
                format!("run streaming_resample --input in.wav --output out --set resample.channels={set}");
            let (code, _, stderr) = mynah(&folder, &line, None);
            assert_eq!((code, &stderr[..]), (Some(0), ""), "{line}");
            read(&folder.join("out/in.out.wav")).expect("it was written")
        };
        let kept = run("Keep");
        assert_eq!((kept.rate, usize::from(kept.channels)), (16_000, channels));
        assert_eq!(kept.samples.len(), 16_000 * channels);
        for (channel, tone) in
            (0..channels).flat_map(|channel| (0..channels).map(move |tone| (channel, tone)))
        {
            let level = level(&kept.samples, channels, channel, hz(tone));
            let due = if channel == tone { 0.2 } else { 0.0 };
            assert!((level - due).abs() < 0.005, "{channels}: {level} of tone {tone} in channel {channel}");
        }
        let last = run(&format!("Channel({channels})"));
        assert_eq!((last.channels, last.samples.len()), (1, 16_000));
        assert!((level(&last.samples, 1, 0, hz(channels - 1)) - 0.2).abs() < 0.005);
        let mixed = run("Mono");
        let share = level(&mixed.samples, 1, 0, hz(1)) * channels as f32;
        assert!((share - 0.2).abs() < 0.01, "the mean of {channels}: {share}");
    }
}

#[test]
fn a_named_pipe_is_read_once() {
    let folder = folder("fifo");
    write(&folder.join("call.wav"), RATE_HZ, 1, &speech()).expect("the folder is new");
    let made = Command::new("mkfifo").arg(folder.join("pipe")).status().expect("mkfifo is there");
    assert!(made.success());
    let (from, to) = (folder.join("call.wav"), folder.join("pipe"));
    let writer = std::thread::spawn(move || {
        let mut pipe = File::options().write(true).open(to).expect("somebody reads");
        std::io::copy(&mut File::open(from).expect("it is there"), &mut pipe).expect("all of it is read");
    });
    // Whoever opened it again, for a hash, would wait for ever.
    let (code, stdout, stderr) = mynah(&folder, "run gate_only --input pipe --events log.jsonl", None);
    writer.join().expect("it was read");
    assert_eq!((code, opened(&stdout)), (Some(0), Some(1)), "{stdout}{stderr}");
}
