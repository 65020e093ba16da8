//! Sample-rate conversion: any rates, any cuts, any bit patterns.

use mynah_systems::dsp::resampler::{Kernel, Mode, Quality, RateConverter, ResampleSpec, build};

use crate::bytes::Bytes;

const RATES_HZ: [u32; 10] = [8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000, 96_000, 176_400, 192_000];
/// Most input frames of one run: a window of the longest filter.
const FRAMES_MAX: usize = 4_000;
/// Bit patterns that are no ordinary samples.
const ODD: [u32; 8] = [
    0x7fc0_0000, // NaN
    0xffff_ffff, // NaN with everything set
    0x7f80_0000, // infinity
    0xff80_0000, // minus infinity
    0x0000_0001, // least denormal
    0x807f_ffff, // greatest denormal, negative
    0x7f7f_ffff, // greatest finite
    0x8000_0000, // minus zero
];

/// Rates, channels, quality and mode; then pushes: a length, and how its samples are.
///
/// # Panics
/// When the length law, the delay, a bound or the independence of cuts is broken, or a stream poisons the next one.
pub fn resampler(data: &[u8]) {
    let mut bytes = Bytes(data);
    let Some(spec) = spec_of(&mut bytes) else { return };
    let (mut converter, channels) = (made(spec), usize::from(spec.channels));
    let (mut input, mut output, mut clean) = (Vec::new(), Vec::new(), true);
    while !bytes.is_empty() && input.len() < FRAMES_MAX * channels {
        let piece = piece_of(&mut bytes, channels);
        clean &= piece.iter().all(|sample| sample.is_finite());
        push(&mut *converter, spec, &piece, &mut output);
        input.extend_from_slice(&piece);
    }
    finish(&mut *converter, spec, input.len() / channels, &mut output);
    let tone: Vec<f32> = (0..600 * channels).map(|n| (n % 50) as f32 / 50.0 - 0.5).collect();
    let (mut whole, mut used, mut fresh) = (Vec::new(), Vec::new(), Vec::new());
    let mut other = made(spec);
    other.push(&tone, &mut fresh);
    other.flush(&mut fresh);
    push(&mut *other, spec, &input, &mut whole);
    finish(&mut *other, spec, input.len() / channels, &mut whole);
    // Positions are sums, and sums of other pieces have other last bits.
    let loudest = input.iter().fold(1.0, |loudest, sample| f32::max(loudest, sample.abs()));
    let near = |(a, b): (&f32, &f32)| (a - b).abs() <= loudest * 2e-6;
    if clean && loudest < 1e30 {
        assert!(output.iter().zip(&whole).all(near), "{spec:?}: cuts change what comes out");
    }
    // Whatever was in the stream, the next one is as from a fresh converter.
    converter.push(&tone, &mut used);
    converter.flush(&mut used);
    assert_eq!(used, fresh, "{spec:?}: a stream is heard in the next one");
}

fn made(spec: ResampleSpec) -> Box<dyn RateConverter> {
    build(spec).unwrap_or_else(|error| panic!("{error}"))
}

fn spec_of(bytes: &mut Bytes<'_>) -> Option<ResampleSpec> {
    let shape = bytes.u8();
    let mut rate = |any: bool| if any { bytes.u32() % 200_000 } else { bytes.pick(&RATES_HZ) };
    let (from_hz, to_hz) = (rate(shape & 1 > 0), rate(shape & 2 > 0));
    let quality = bytes.pick(&[Quality::Fast, Quality::Standard, Quality::High]);
    let channels = [0, 1, 2, 8][usize::from(shape >> 2) % 4];
    let mode = if shape & 0x10 > 0 {
        Mode::FixedChunk { frames: u32::from(bytes.u16()) % 4_096 }
    } else {
        Mode::Streaming
    };
    let kernel = if shape & 0x20 > 0 { Kernel::Rubato } else { Kernel::Auto };
    let spec = ResampleSpec { from_hz, to_hz, channels, quality, mode, kernel };
    let rates = [from_hz, to_hz].iter().all(|hz| (8_000..=192_000).contains(hz));
    let chunk = mode == Mode::Streaming || !matches!(mode, Mode::FixedChunk { frames: 0 });
    let fits = rates && (1..=8).contains(&channels) && chunk;
    if !fits {
        let error = build(spec).err().unwrap_or_else(|| panic!("{spec:?} is out of range and was built"));
        assert!(error.to_string().contains("outside"), "{error}");
        return None;
    }
    Some(spec)
}

/// The samples of one push.
fn piece_of(bytes: &mut Bytes<'_>, channels: usize) -> Vec<f32> {
    let how = bytes.u8();
    let frames = match how >> 6 {
        0 => usize::from(bytes.u8()) % 8,
        1 => usize::from(bytes.u8()),
        _ => usize::from(bytes.u16()) % 4_096,
    };
    let samples = frames * channels;
    match how & 0x0f {
        0 => vec![0.0; samples],
        1 => (0..samples).map(|n| (n % 40) as f32 / 20.0 - 1.0).collect(),
        // One odd sample in a tone.
        2 => {
            let at = usize::from(bytes.u16());
            let odd = f32::from_bits(bytes.pick(&ODD));
            (0..samples).map(|n| if n == at % samples.max(1) { odd } else { (n % 9) as f32 / 9.0 }).collect()
        }
        3 => vec![f32::from_bits(bytes.pick(&ODD)); samples],
        // Any bits at all.
        _ => (0..samples).map(|_| f32::from_bits(bytes.u32())).collect(),
    }
}

fn push(converter: &mut dyn RateConverter, spec: ResampleSpec, piece: &[f32], output: &mut Vec<f32>) {
    let (channels, before) = (usize::from(spec.channels), output.len());
    let most = converter.output_frames_max(piece.len() / channels);
    converter.push(piece, output);
    assert!(output.len().is_multiple_of(channels));
    let given = (output.len() - before) / channels;
    assert!(given <= most, "{spec:?}: {given} frames of a push, announced were {most}");
    let count = converter.frames();
    assert_eq!(count.emitted as usize, output.len() / channels, "{spec:?}");
    let age_us = count.consumed as f64 * 1e6 / f64::from(spec.from_hz)
        - count.emitted as f64 * 1e6 / f64::from(spec.to_hz);
    let delay_us = f64::from(converter.delay_us());
    assert!(age_us <= delay_us + 1.0, "{spec:?}: {age_us} us behind, announced were {delay_us}");
}

fn finish(converter: &mut dyn RateConverter, spec: ResampleSpec, frames: usize, output: &mut Vec<f32>) {
    let (channels, before, most) = (usize::from(spec.channels), output.len(), converter.tail_frames_max());
    assert_eq!(converter.frames().consumed, frames as u64);
    converter.flush(output);
    let tail = (output.len() - before) / channels;
    assert!(tail <= most, "{spec:?}: {tail} frames at the end, announced were {most}");
    let (from, to) = (u64::from(spec.from_hz), u64::from(spec.to_hz));
    let due = (2 * frames as u64 * to + from) / (2 * from);
    assert_eq!((output.len() / channels) as u64, due, "{spec:?}: {frames} frames");
    assert_eq!(converter.frames(), Default::default());
}
