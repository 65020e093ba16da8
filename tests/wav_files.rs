//! WAV files as the world writes them: what stands in each odd file, what is said of it, and what is refused.

#[path = "support/wav_bytes.rs"]
mod wav_bytes;

use mynah_load::wav::{Doubt, Recording, WavFault, decode, read, write, write_to};
use wav_bytes::{ALAW, FLOAT, MULAW, PCM, Wav, chunk, ds64, extensible, format, ramp, sixteen, with_block};

/// 1.2 s at 16 kHz.
const FRAMES: usize = 19_200;

/// What a file has to give: rate, channels, frames, its first samples times 32768, and the doubts.
type Want = (u32, u16, usize, Vec<f64>, Vec<Doubt>);

fn mono() -> Wav {
    Wav::new(format(PCM, 1, 16_000, 16), sixteen(&ramp(FRAMES)))
}

fn length(announced: u64, found: u64, read: u64) -> Doubt {
    Doubt::Length { announced, found, read }
}

fn block(announced: u16, channels: u16, bits: u16) -> Doubt {
    Doubt::Block { announced, channels, bits }
}

/// The mono ramp.
fn whole(doubts: Vec<Doubt>) -> Want {
    (16_000, 1, FRAMES, ramp(4).iter().map(|s| f64::from(*s)).collect(), doubts)
}

/// What is wrong with a file that should be read so; nothing if nothing is.
fn found(bytes: &[u8], (rate, channels, frames, first, doubts): &Want) -> Option<String> {
    let (recording, doubted) = match decode(bytes) {
        Ok(decoded) => decoded,
        Err(fault) => return Some(format!("refused: {fault}")),
    };
    let shape = (recording.rate, recording.channels, recording.samples.len());
    let samples: Vec<f64> =
        recording.samples.iter().take(first.len()).map(|s| f64::from(*s) * 32_768.0).collect();
    let near = samples.len() == first.len() && samples.iter().zip(first).all(|(a, b)| (a - b).abs() < 0.01);
    let same = shape == (*rate, *channels, frames * usize::from(*channels)) && near && doubted == *doubts;
    (!same).then(|| format!("{shape:?} {samples:?} {doubted:?}"))
}

fn all(cases: Vec<(&str, Vec<u8>, Want)>) {
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(name, bytes, want)| {
            found(bytes, want).map(|what| format!("{name}: {what}, expected {want:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn lengths_that_are_not_so() {
    let bytes = 2 * FRAMES as u64;
    let announcing = |announced: u32| Wav { announced, ..mono() }.bytes();
    let info = chunk(b"LIST", b"INFOISFT\x0e\0\0\0Lavf59.27.100\0");
    let cut = mono().bytes()[..44 + 2 * FRAMES - 1].to_vec();
    let stray = Wav { announced: 2 * FRAMES as u32 + 1, behind: vec![7], ..mono() };
    let open = |behind: &[u8]| Wav { announced: 0, behind: behind.to_vec(), ..mono() }.bytes();
    let behind = |behind: &[u8]| Wav { behind: behind.to_vec(), ..mono() }.bytes();
    let three: Vec<u8> = ramp(12_001).iter().flat_map(|s| [&[0], &s.to_le_bytes()[..]].concat()).collect();
    let padded = Wav { announced: 36_004, behind: vec![0], ..Wav::new(format(PCM, 1, 16_000, 24), three) };
    let odd = Wav { data: vec![0, 128, 255], announced: 3, ..Wav::new(format(PCM, 1, 8_000, 8), vec![]) };
    let odd_list = Wav { behind: [&[0][..], &info].concat(), ..odd.clone() };
    let bare_list = Wav { behind: info.clone(), ..odd.clone() };
    let silent = Wav { announced: 0, ..Wav::new(format(PCM, 1, 16_000, 16), vec![0; 64]) };
    let eight = (8_000, 1, 3, vec![-32_768.0, 0.0, 32_512.0], vec![]);
    all(vec![
        (
            "from ffmpeg through a pipe",
            Wav { between: info.clone(), announced: u32::MAX, ..mono() }.bytes(),
            { whole(vec![length(u64::from(u32::MAX), bytes, bytes)]) },
        ),
        ("from sox through a pipe", announcing(0x7FFF_F000), whole(vec![length(0x7FFF_F000, bytes, bytes)])),
        ("half of all there is", announcing(0x7FFF_FFFF), whole(vec![length(0x7FFF_FFFF, bytes, bytes)])),
        ("2000 more than there are", announcing(40_400), whole(vec![length(40_400, bytes, bytes)])),
        ("cut in a sample", cut, {
            let (rate, channels, frames, first, _) = whole(vec![]);
            (rate, channels, frames - 1, first, vec![length(bytes, bytes - 1, bytes - 2)])
        }),
        ("one stray byte", stray.bytes(), whole(vec![length(bytes + 1, bytes + 1, bytes)])),
        ("24 bits, the size counts the pad", padded.bytes(), {
            let first = ramp(4).iter().map(|s| f64::from(*s)).collect();
            (16_000, 1, 12_001, first, vec![length(36_004, 36_004, 36_003)])
        }),
        ("a length that never came", open(&[]), whole(vec![length(0, bytes, bytes)])),
        ("the same, silent", silent.bytes(), (16_000, 1, 32, vec![0.0], vec![length(0, 64, 64)])),
        ("a list behind", behind(&info), whole(vec![])),
        ("what is no chunk behind", behind(b"tail of no chunk"), whole(vec![Doubt::Strays(16)])),
        ("a list behind that was cut", behind(&info[..20]), whole(vec![Doubt::Strays(20)])),
        ("an odd length, padded", odd_list.bytes(), eight.clone()),
        ("an odd length, not padded", bare_list.bytes(), eight.clone()),
        ("an odd length at the end", odd.bytes(), eight),
    ]);
}

#[test]
fn chunks_where_they_should_not_be() {
    let unpadded = |id: &[u8; 4], body: &[u8]| chunk(id, body)[..8 + body.len()].to_vec();
    let between = |between: Vec<u8>| Wav { between, ..mono() }.bytes();
    let first = |first: Vec<u8>| Wav { first, ..mono() }.bytes();
    // A size whose first byte is a letter: `ataA` is no chunk either.
    let letter = Wav { announced: 0x9641, data: vec![1; 0x9641], ..mono() };
    let letter = Wav { between: unpadded(b"LIST", b"INFOISFT\x03\0\0\0abc"), ..letter };
    let mut odd_pad = chunk(b"iXML", b"<xml/>.");
    *odd_pad.last_mut().expect("there is a pad") = b' ';
    all(vec![
        ("an odd list", between(chunk(b"LIST", b"INFOISFT\x03\0\0\0abc")), whole(vec![])),
        ("an odd list without its pad", between(unpadded(b"LIST", b"INFOISFT\x03\0\0\0abc")), whole(vec![])),
        ("two of them", between([unpadded(b"LIST", b"abc"), unpadded(b"fact", b"abcde")].concat()), {
            whole(vec![])
        }),
        ("an odd bext before the format", first(unpadded(b"bext", &[b'x'; 603])), whole(vec![])),
        ("a pad that is no 0", between(odd_pad), whole(vec![])),
        ("a size that looks like a name", letter.bytes(), {
            (16_000, 1, 0x9640 / 2, vec![257.0], vec![length(0x9641, 0x9641, 0x9640)])
        }),
        ("junk of nothing", first(chunk(b"JUNK", b"")), whole(vec![])),
    ]);
}

#[test]
fn frames_whose_size_is_not_so() {
    let named = |channels: u16, bits: u16, block: u16, data: Vec<u8>| {
        Wav::new(with_block(PCM, channels, 16_000, bits, block), data).bytes()
    };
    let stereo = sixteen(&ramp(2 * FRAMES));
    let eight: Vec<u8> = ramp(FRAMES).iter().map(|s| s.to_le_bytes()[0] | 1).collect();
    let eight_first = eight[..4].iter().map(|b| (f64::from(*b) - 128.0) * 256.0).collect();
    let packed: Vec<u8> = ramp(133).iter().flat_map(|s| [&[9], &s.to_le_bytes()[..]].concat()).collect();
    let upper = |valid: usize| -> Vec<u8> {
        ramp(100)
            .iter()
            .flat_map(|s| [vec![0; 4 - valid], vec![9; valid - 2], s.to_le_bytes().to_vec()].concat())
            .collect()
    };
    let first = |below: f64| ramp(4).iter().map(|s| f64::from(*s) + below).collect::<Vec<f64>>();
    // The same with the byte rate of the block.
    let meant = |channels: u16, bits: u16, block: u16, data: Vec<u8>| {
        let mut format = with_block(PCM, channels, 16_000, bits, block);
        format[8..12].copy_from_slice(&(16_000 * u32::from(block)).to_le_bytes());
        Wav::new(format, data).bytes()
    };
    let left_silent: Vec<u8> =
        ramp(100).iter().flat_map(|s| [&[0, 0], &s.to_le_bytes()[..]].concat()).collect();
    let law = with_block(MULAW, 1, 8_000, 16, 2);
    all(vec![
        ("mono 16 in 4", named(1, 16, 4, sixteen(&ramp(FRAMES))), whole(vec![block(4, 1, 16)])),
        ("mono 16 in 3", named(1, 16, 3, sixteen(&ramp(FRAMES))), whole(vec![block(3, 1, 16)])),
        ("mono 16 in 0", named(1, 16, 0, sixteen(&ramp(FRAMES))), whole(vec![block(0, 1, 16)])),
        ("mono 16 in 1", named(1, 16, 1, sixteen(&ramp(FRAMES))), whole(vec![block(1, 1, 16)])),
        ("stereo 16 in 8", named(2, 16, 8, stereo.clone()), {
            (16_000, 2, FRAMES, first(0.0), vec![block(8, 2, 16)])
        }),
        ("stereo 16 in 2", named(2, 16, 2, stereo), (16_000, 2, FRAMES, first(0.0), vec![block(2, 2, 16)])),
        ("mono 8 in 2", named(1, 8, 2, eight), (16_000, 1, FRAMES, eight_first, vec![block(2, 1, 8)])),
        ("24 in 32", meant(1, 24, 4, upper(3)), (16_000, 1, 100, first(9.0 / 256.0), vec![])),
        ("16 in 32", meant(1, 16, 4, upper(2)), (16_000, 1, 100, first(0.0), vec![])),
        ("20 in 24", named(1, 20, 3, packed.clone()), (16_000, 1, 133, first(9.0 / 256.0), vec![])),
        ("24 packed, said to be in 32", meant(1, 24, 4, packed), {
            (16_000, 1, 133, first(9.0 / 256.0), vec![block(4, 1, 24)])
        }),
        ("stereo 16 in 8, left silent", named(2, 16, 8, left_silent), {
            (16_000, 2, 100, vec![0.0, first(0.0)[0], 0.0, first(0.0)[1]], vec![block(8, 2, 16)])
        }),
        ("silence in 32", meant(1, 24, 4, vec![0; 24]), (16_000, 1, 6, vec![0.0; 6], vec![])),
        ("packed silence", named(1, 24, 4, vec![0; 24]), (16_000, 1, 8, vec![0.0; 8], vec![block(4, 1, 24)])),
        ("mu-law that says 16 bits", Wav::new(law, vec![0x80, 0x00]).bytes(), {
            (8_000, 1, 2, vec![32_124.0, -32_124.0], vec![block(2, 1, 8)])
        }),
    ]);
}

#[test]
fn every_encoding_to_full_scale() {
    let i32s = |samples: &[i32]| samples.iter().flat_map(|s| s.to_le_bytes()).collect::<Vec<u8>>();
    let f32s = |samples: &[f32]| samples.iter().flat_map(|s| s.to_le_bytes()).collect::<Vec<u8>>();
    let f64s = |samples: &[f64]| samples.iter().flat_map(|s| s.to_le_bytes()).collect::<Vec<u8>>();
    let int24 = vec![0x00, 0x00, 0x80, 0x00, 0x00, 0x40, 0xff, 0xff, 0xff];
    let plain = |format: Vec<u8>, data: Vec<u8>| Wav::new(format, data).bytes();
    let surround: Vec<i16> = (0..6 * 4).map(|at| at * 100).collect();
    let most: Vec<i16> = (0..8 * 4).map(|at| at * -100).collect();
    let longer = |mut format: Vec<u8>| {
        format.extend(0_u16.to_le_bytes());
        format
    };
    let one = |rate: u32, times: &[f64]| -> Want {
        (rate, 1, times.len(), times.iter().map(|s| s * 32_768.0).collect(), vec![])
    };
    all(vec![
        (
            "8 bit",
            plain(format(PCM, 1, 8_000, 8), vec![0, 128, 192, 255]),
            one(8_000, &[-1.0, 0.0, 0.5, 127.0 / 128.0]),
        ),
        (
            "16 bit",
            plain(format(PCM, 2, 44_100, 16), vec![0, 0x80, 0, 0x40]),
            (44_100, 2, 1, vec![-32_768.0, 16_384.0], vec![]),
        ),
        ("24 bit", plain(format(PCM, 1, 48_000, 24), int24), one(48_000, &[-1.0, 0.5, -1.0 / 8_388_608.0])),
        (
            "32 bit",
            plain(format(PCM, 1, 192_000, 32), i32s(&[i32::MIN, 1 << 30])),
            one(192_000, &[-1.0, 0.5]),
        ),
        (
            "12 bit",
            plain(format(PCM, 1, 16_000, 12), vec![0x00, 0x80, 0xf0, 0x7f]),
            one(16_000, &[-1.0, 0x7ff0 as f64 / 32_768.0]),
        ),
        ("float", plain(format(FLOAT, 1, 16_000, 32), f32s(&[1.5, -0.25])), one(16_000, &[1.5, -0.25])),
        ("double", plain(format(FLOAT, 1, 16_000, 64), f64s(&[1.5, -0.25])), one(16_000, &[1.5, -0.25])),
        (
            "24 in 32, extensible",
            plain(extensible(PCM, 1, 48_000, 32, 24), i32s(&[1 << 30])),
            one(48_000, &[0.5]),
        ),
        ("8 bit, extensible", plain(extensible(PCM, 1, 8_000, 8, 8), vec![192]), one(8_000, &[0.5])),
        ("double, extensible", plain(extensible(FLOAT, 1, 8_000, 64, 64), f64s(&[0.5])), one(8_000, &[0.5])),
        (
            "A-law",
            plain(longer(format(ALAW, 1, 8_000, 8)), vec![0xaa, 0x2a, 0xd5]),
            one(8_000, &[0.984_375, -0.984_375, 8.0 / 32_768.0]),
        ),
        ("A-law, the short header", plain(format(ALAW, 1, 8_000, 8), vec![0xaa]), one(8_000, &[0.984_375])),
        ("A-law, extensible", plain(extensible(ALAW, 1, 8_000, 8, 8), vec![0xaa]), one(8_000, &[0.984_375])),
        (
            "mu-law, extensible",
            plain(extensible(MULAW, 1, 8_000, 8, 8), vec![0x80]),
            one(8_000, &[32_124.0 / 32_768.0]),
        ),
        ("mu-law stereo", plain(longer(format(MULAW, 2, 8_000, 8)), vec![0x80, 0x00, 0xff, 0x7f]), {
            (8_000, 2, 2, vec![32_124.0, -32_124.0, 0.0, 0.0], vec![])
        }),
        ("six channels", plain(extensible(PCM, 6, 48_000, 16, 16), sixteen(&surround)), {
            (48_000, 6, 4, surround.iter().map(|s| f64::from(*s)).collect(), vec![])
        }),
        ("eight channels", plain(format(PCM, 8, 48_000, 16), sixteen(&most)), {
            (48_000, 8, 4, most.iter().map(|s| f64::from(*s)).collect(), vec![])
        }),
    ]);
}

#[test]
fn files_beyond_four_gibibytes() {
    let long = |magic: &[u8; 4], sizes: Vec<u8>, announced: u32| Wav {
        magic: *magic,
        first: sizes,
        announced,
        ..mono()
    };
    let bytes = 2 * FRAMES as u64;
    let listed = [ds64(bytes + 200, bytes, &[(b"LIST", 4)]), b"LIST\xff\xff\xff\xffINFO".to_vec()].concat();
    let unknown = ds64(u64::MAX, u64::MAX, &[]);
    let none = ds64(0, 0, &[]);
    let info =
        Wav { behind: chunk(b"LIST", b"INFO"), ..long(b"RF64", ds64(bytes + 100, bytes, &[]), u32::MAX) };
    all(vec![
        ("RF64", info.bytes(), whole(vec![])),
        ("BW64", long(b"BW64", ds64(bytes + 72, bytes, &[]), u32::MAX).bytes(), whole(vec![])),
        (
            "RF64 with an ordinary size",
            long(b"RF64", ds64(bytes + 72, 0, &[]), bytes as u32).bytes(),
            whole(vec![]),
        ),
        ("a long list", long(b"RF64", listed, u32::MAX).bytes(), whole(vec![])),
        (
            "RF64 from a pipe, -1",
            long(b"RF64", unknown, u32::MAX).bytes(),
            whole(vec![length(u64::MAX, bytes, bytes)]),
        ),
        ("RF64 from a pipe, 0", long(b"RF64", none, u32::MAX).bytes(), whole(vec![length(0, bytes, bytes)])),
        ("RF64 without its sizes", long(b"RF64", vec![], u32::MAX).bytes(), {
            whole(vec![length(u64::from(u32::MAX), bytes, bytes)])
        }),
        ("sizes that were cut", long(b"RF64", chunk(b"ds64", &[0; 10]), u32::MAX).bytes(), {
            whole(vec![length(u64::from(u32::MAX), bytes, bytes)])
        }),
    ]);
}

/// G.711, section 3: what a byte means, by formula.
fn mu_law(byte: u8) -> f64 {
    let (sign, segment, step) = (byte & 0x80, i32::from(!byte >> 4 & 7), i32::from(!byte & 15));
    let magnitude = (((step << 3) + 132) << segment) - 132;
    f64::from(if sign == 0 { -magnitude } else { magnitude })
}

fn a_law(byte: u8) -> f64 {
    let byte = byte ^ 0x55;
    let (segment, step) = (i32::from(byte >> 4 & 7), i32::from(byte & 15) << 4);
    let magnitude = if segment == 0 { step + 8 } else { (step + 264) << (segment - 1) };
    f64::from(if byte & 0x80 == 0 { -magnitude } else { magnitude })
}

#[test]
fn both_laws_are_those_of_the_recommendation() {
    let bytes: Vec<u8> = (0..=255).collect();
    for (tag, law) in [(ALAW, a_law as fn(u8) -> f64), (MULAW, mu_law)] {
        let (recording, _) =
            decode(&Wav::new(format(tag, 1, 8_000, 8), bytes.clone()).bytes()).expect("G.711");
        for (byte, sample) in bytes.iter().zip(recording.samples) {
            assert_eq!(f64::from(sample) * 32_768.0, law(*byte), "tag {tag}, byte {byte:#04x}");
        }
    }
}

#[test]
fn samples_that_are_no_numbers_stay() {
    let data: Vec<u8> = [f32::NAN, f32::INFINITY, 0.5].iter().flat_map(|s| s.to_le_bytes()).collect();
    let (Recording { samples, .. }, _) =
        decode(&Wav::new(format(FLOAT, 1, 16_000, 32), data).bytes()).expect("floats");
    assert!(samples[0].is_nan() && samples[1] == f32::INFINITY && samples[2] == 0.5);
}

#[test]
fn each_unusable_file_names_what_was_found() {
    let sound = vec![9_u8; 64];
    let plain =
        |tag, channels, rate_hz, bits| Wav::new(format(tag, channels, rate_hz, bits), sound.clone()).bytes();
    let sized = |data: &[u8]| Wav::new(format(PCM, 1, 16_000, 16), data.to_vec()).bytes();
    let data_first =
        [b"RIFF\0\0\0\0WAVE".to_vec(), chunk(b"data", &sound), chunk(b"fmt ", &format(PCM, 1, 16_000, 16))]
            .concat();
    let short_extensible = Wav::new(extensible(PCM, 1, 16_000, 16, 16)[..24].to_vec(), sound.clone());
    // (what it is, its bytes, kind of fault, what the message says)
    let cases: [(&str, Vec<u8>, &str, &str); 22] = [
        ("no bytes", vec![], "NoBytes", "0 bytes"),
        ("text", b"hello, this is no sound".to_vec(), "NotWav", "hello"),
        ("ogg", b"OggS\0\x02\0\0\0\0\0\0\0\0".to_vec(), "NotWav", "OggS"),
        ("avi", b"RIFF\0\0\0\0AVI LIST".to_vec(), "NotWav", "AVI"),
        ("big-endian", b"RIFX\0\0\0\0WAVEfmt ".to_vec(), "NotWav", "RIFX"),
        ("stump", b"RIFF\0\0".to_vec(), "NotWav", "RIFF"),
        ("head only", b"RIFF\0\0\0\0WAVE".to_vec(), "Header", "no fmt chunk"),
        ("samples before their format", data_first, "Header", "before its samples"),
        ("no data", sized(&[])[..36].to_vec(), "Header", "no data chunk"),
        ("short format", Wav::new(vec![1, 0, 1, 0], sound.clone()).bytes(), "Header", "cut short"),
        ("short extensible format", short_extensible.bytes(), "Header", "cut short"),
        ("adpcm", plain(2, 1, 16_000, 4), "Codec", "0x0002"),
        ("40 bit", plain(PCM, 1, 16_000, 40), "Bits", "40-bit integer"),
        ("half", plain(FLOAT, 1, 16_000, 16), "Bits", "16-bit float"),
        ("nine channels", plain(PCM, 9, 48_000, 16), "Channels", "9 channels"),
        ("no channel", plain(PCM, 0, 48_000, 16), "Channels", "0 channels"),
        ("slow", plain(PCM, 1, 7_999, 16), "Rate", "7999 Hz"),
        ("fast", plain(PCM, 1, 192_001, 16), "Rate", "192001 Hz"),
        ("silent", sized(&[]), "NoSamples", "0 samples"),
        (
            "silent, with a list",
            Wav { behind: chunk(b"LIST", b"INFO"), ..Wav::new(format(PCM, 1, 16_000, 16), vec![]) }.bytes(),
            "NoSamples",
            "0 samples",
        ),
        ("half a sample", sized(&[1]), "NoSamples", "0 samples"),
        (
            "a list without end",
            Wav { between: b"LIST\xff\xff\xff\x7f".to_vec(), ..mono() }.bytes(),
            "Header",
            "no data chunk",
        ),
    ];
    let mut failed = Vec::new();
    for (name, bytes, kind, says) in cases {
        match decode(&bytes) {
            Ok((recording, _)) => failed.push(format!("{name}: read, {} samples", recording.samples.len())),
            Err(fault) => {
                let (message, debug) = (fault.to_string(), format!("{fault:?}"));
                if !message.contains(says) || !message.contains("expected") || !debug.starts_with(kind) {
                    failed.push(format!("{name}: {debug}: {message}"));
                }
            }
        }
    }
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let missing = read(&folder.join("gone.wav")).expect_err("there is none");
    assert!(matches!(missing.fault, WavFault::Missing) && missing.to_string().contains("gone.wav"));
    assert!(matches!(read(folder).expect_err("no file").fault, WavFault::Folder));
}

#[test]
fn a_file_cut_anywhere_or_with_any_byte_changed_is_a_value() {
    let short = Wav {
        first: ds64(100, 32, &[(b"LIST", 3)]),
        ..Wav::new(extensible(PCM, 1, 16_000, 16, 16), vec![1; 32])
    };
    let whole = short.bytes();
    for length in 0..whole.len() {
        // Cut in the samples it is read as far as it goes.
        let read = decode(&whole[..length]).map_or(0, |(recording, _)| recording.samples.len());
        assert_eq!(read, length.saturating_sub(whole.len() - 32) / 2, "cut to {length}");
    }
    for at in 0..whole.len() - 32 {
        for byte in [0, 1, 2, 3, 6, 127, 128, 254, 255] {
            let mut changed = whole.clone();
            changed[at] = byte;
            // Good or bad, it must not panic, and gives no more than there is.
            let samples = decode(&changed).map_or(0, |(recording, _)| recording.samples.len());
            assert!(samples <= 32, "{byte} at {at}: {samples} samples");
        }
    }
}

#[test]
fn sixteen_bits_are_written_rounded_and_clipped() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("wav_files");
    std::fs::create_dir_all(&folder).expect("the target folder can be written");
    let path = folder.join("out.wav");
    let samples = [0.0, 1.0, -1.0, 2.0, f32::NEG_INFINITY, f32::NAN, 0.6 / 32_768.0, -0.6 / 32_768.0];
    for (channels, tag) in [(1_u16, 1_u16), (2, 1), (4, 0xFFFE), (8, 0xFFFE)] {
        write(&path, 22_050, channels, &samples).expect("the folder is there");
        let bytes = std::fs::read(&path).expect("it was written");
        let (back, doubts) = decode(&bytes).expect("a WAV file");
        let written: Vec<f32> = back.samples.iter().map(|sample| sample * 32_768.0).collect();
        assert_eq!((back.rate, back.channels, doubts), (22_050, channels, vec![]));
        assert_eq!(written, [0.0, 32_767.0, -32_768.0, 32_767.0, -32_768.0, 0.0, 1.0, -1.0]);
        // More than two channels need a header that says which is which.
        assert_eq!(bytes[20..22], tag.to_le_bytes(), "{channels} channels");
        let mut memory = std::io::Cursor::new(Vec::new());
        write_to(&mut memory, 22_050, channels, &samples).expect("memory takes it");
        assert_eq!(memory.into_inner(), bytes);
    }
    assert!(matches!(
        write(&path, 16_000, 2, &samples[..3]).expect_err("ragged").fault,
        WavFault::Ragged(3, 2)
    ));
    assert!(matches!(write(&path, 16_000, 0, &[]).expect_err("no channel").fault, WavFault::Channels(0)));
    assert_ne!(
        std::fs::metadata(&path).expect("it is there").len(),
        0,
        "what cannot be written leaves the file whole"
    );
    let nowhere = write(&folder.join("no/out.wav"), 16_000, 1, &[]).expect_err("no such folder");
    assert!(matches!(nowhere.fault, WavFault::Io(_)));
}
