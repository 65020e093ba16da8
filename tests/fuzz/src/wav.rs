//! WAV files: a recording that is no more than the file has, or a refusal with a remedy.

use mynah_load::wav::{Recording, decode};

/// The bytes of a file.
///
/// # Panics
/// When bytes panic the decoder, make more samples of a file than it has, or 16-bit samples do not survive writing.
pub fn wav(data: &[u8]) {
    match decode(data) {
        Err(fault) => {
            let said = fault.to_string();
            let helps = said.contains("expected") || said.contains("check");
            assert!(helps, "no remedy: {said}");
            assert!(!said.contains(char::is_control) && said.len() <= 400, "{said:?}");
        }
        Ok((recording, doubts)) => {
            for said in doubts.iter().map(ToString::to_string) {
                assert!(!said.contains(char::is_control) && said.len() <= 400, "{said:?}");
            }
            let Recording { rate, channels, samples } = &recording;
            assert!((8_000..=192_000).contains(rate) && (1..=8).contains(channels));
            assert!(!samples.is_empty() && samples.len().is_multiple_of(usize::from(*channels)));
            assert!(samples.len() <= data.len(), "{} samples of {} bytes", samples.len(), data.len());
            let whole: Vec<i16> = samples.iter().map(|s| (s * 32_768.0).round() as i16).collect();
            let again = decode(&sixteen_bits(*rate, *channels, &whole));
            let (again, doubts) = again.unwrap_or_else(|fault| panic!("refused when written anew: {fault}"));
            assert_eq!((again.rate, again.channels, &doubts[..]), (*rate, *channels, &[][..]));
            let kept = again.samples.iter().map(|s| (s * 32_768.0) as i16).eq(whole.iter().copied());
            assert!(kept, "16-bit samples have changed");
        }
    }
}

/// The simplest file with these samples.
fn sixteen_bits(rate: u32, channels: u16, samples: &[i16]) -> Vec<u8> {
    let bytes = samples.len() as u32 * 2;
    let mut file = b"RIFF".to_vec();
    file.extend((bytes + 36).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    file.extend(1_u16.to_le_bytes());
    file.extend(channels.to_le_bytes());
    file.extend(rate.to_le_bytes());
    file.extend((rate * u32::from(channels) * 2).to_le_bytes());
    file.extend((channels * 2).to_le_bytes());
    file.extend(16_u16.to_le_bytes());
    file.extend(b"data");
    file.extend(bytes.to_le_bytes());
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}
