//! Text files and standard input, as they are written anywhere: with or without a byte order mark.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;
use std::sync::OnceLock;

use crate::outputs;

/// What some editors put in front of UTF-8.
pub const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Why bytes are no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoText {
    /// The first byte that is not UTF-8, from 0.
    Byte(usize),
    /// What Windows calls Unicode.
    Utf16,
}

impl fmt::Display for NoText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Byte(at) => write!(f, "byte {at} is not UTF-8"),
            Self::Utf16 => f.write_str("it is UTF-16: save it as UTF-8"),
        }
    }
}

impl std::error::Error for NoText {}

/// The text in the bytes of a file, without its byte order mark.
///
/// # Errors
/// They are no UTF-8.
pub fn decode(bytes: Vec<u8>) -> Result<String, NoText> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(NoText::Utf16);
    }
    let mut text =
        String::from_utf8(bytes).map_err(|error| NoText::Byte(error.utf8_error().valid_up_to()))?;
    if text.starts_with(BYTE_ORDER_MARK) {
        text.drain(..BYTE_ORDER_MARK.len());
    }
    Ok(text)
}

/// Largest text file: some ten thousand reports, or a million lines of labels.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// Opens a file, or a pipe that this process has open already (`/dev/stdin`, `<(...)`). To open another pipe may take for
/// ever, and a device may have no end.
///
/// # Errors
/// It cannot be opened, or is a pipe or a device.
pub fn open(path: &Path) -> io::Result<File> {
    let found = fs::metadata(path)?;
    if !found.is_file() && !found.is_dir() && !outputs::is_open(path) {
        let what = "this is a pipe or a device, which may never end: copy what comes from it into a file";
        return Err(io::Error::new(ErrorKind::InvalidInput, what));
    }
    File::open(path)
}

/// All bytes of a file.
///
/// # Errors
/// It cannot be opened (see [`open`]) or read, or has more than `bytes_max` bytes.
pub fn bytes(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        let what = format!("more than {bytes_max} bytes: is it another file?");
        return Err(io::Error::new(ErrorKind::FileTooLarge, what));
    }
    Ok(bytes)
}

/// Reads a text file.
///
/// # Errors
/// As [`bytes`]; or it is no text.
pub fn read(path: &Path) -> io::Result<String> {
    decode(bytes(path, FILE_BYTES_MAX)?).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
}

/// Most bytes of standard input, and one more than a recording may have: a pipe that never ends must not fill the memory.
const INPUT_BYTES_MAX: u64 = (1 << 32) + 1;

/// All of standard input. It comes once; whoever asks again gets the same.
///
/// # Errors
/// It cannot be read.
pub fn standard_input() -> io::Result<&'static [u8]> {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    if let Some(bytes) = BYTES.get() {
        return Ok(bytes);
    }
    let mut bytes = Vec::new();
    io::stdin().lock().take(INPUT_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(BYTES.get_or_init(|| bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_text() {
        let cases: [(&[u8], Result<&str, NoText>); 7] = [
            (b"", Ok("")),
            (b"a\r\nb", Ok("a\r\nb")),
            (b"\xef\xbb\xbfa", Ok("a")),
            // One is the mark, the second a character like any other.
            (b"\xef\xbb\xbf\xef\xbb\xbfa", Ok("\u{feff}a")),
            (b"ab\xff", Err(NoText::Byte(2))),
            (b"\xff\xfea\0", Err(NoText::Utf16)),
            (b"\xfe\xff\0a", Err(NoText::Utf16)),
        ];
        for (bytes, want) in cases {
            assert_eq!(decode(bytes.to_vec()), want.map(Into::into), "{}", bytes.escape_ascii());
        }
    }
}
