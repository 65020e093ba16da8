//! Labels of metrics: whatever a value holds, a reader of the page gets it back, and nothing but it.

use mynah_host::metrics::Form;
use mynah_host::metrics::exposition::{Exposition, Kind, float};

use crate::bytes::Bytes;

const NAMES: [&str; 4] = ["node", "reason", "window", "scene"];
/// Most samples of a page.
const SAMPLES_MAX: usize = 16;

/// A sample: labels with their values, and a number.
type Sample = (Vec<(String, String)>, f64);

/// Samples: how many labels, each with a length and its text, and the bits of a number.
///
/// # Panics
/// When a page has other lines than it was given samples, or another label or number in one of them.
pub fn label(data: &[u8]) {
    let mut bytes = Bytes(data);
    let mut samples: Vec<Sample> = Vec::new();
    while !bytes.is_empty() && samples.len() < SAMPLES_MAX {
        let labels = (0..bytes.u8() % 4).map(|at| {
            let length = usize::from(bytes.u8());
            let value = String::from_utf8_lossy(&bytes.take(length)).into_owned();
            (NAMES[usize::from(at)].to_owned(), value)
        });
        let labels = labels.collect();
        samples.push((labels, f64::from_bits(bytes.u64())));
    }
    for form in [Form::Text, Form::OpenMetrics] {
        let page = page(form, &samples);
        let body = match form {
            Form::Text => page.as_str(),
            Form::OpenMetrics => page.strip_suffix("# EOF\n").unwrap_or_else(|| panic!("no end: {page}")),
        };
        assert!(body.ends_with('\n'), "{body:?}");
        let lines: Vec<&str> = body.split_terminator('\n').skip(2).collect();
        assert_eq!(lines.len(), samples.len(), "{page:?}");
        for (line, sample) in lines.into_iter().zip(&samples) {
            let (labels, number) = read(line).unwrap_or_else(|| panic!("no sample: {line:?}"));
            assert_eq!(labels, sample.0, "{line:?}");
            assert_eq!(number, float(sample.1), "{line:?}");
            let same = number.replace("Inf", "inf").parse().is_ok_and(|back: f64| {
                back.to_bits() == sample.1.to_bits() || (back.is_nan() && sample.1.is_nan())
            });
            assert!(same, "{number} is not {:?}", sample.1);
        }
    }
}

fn page(form: Form, samples: &[Sample]) -> String {
    let mut page = Exposition::new(form);
    page.family("fuzzed", Kind::Gauge, "What comes.");
    for (labels, value) in samples {
        let labels: Vec<(&str, &str)> = labels.iter().map(|(name, value)| (&**name, &**value)).collect();
        page.measure(&labels, *value);
    }
    page.finish()
}

/// A line as the format's description has it.
fn read(line: &str) -> Option<(Vec<(String, String)>, String)> {
    let mut rest = line.strip_prefix("fuzzed")?;
    let mut labels = Vec::new();
    if let Some(mut inner) = rest.strip_prefix('{') {
        loop {
            let (name, behind) = inner.split_once("=\"")?;
            let (value, behind) = quoted(behind)?;
            labels.push((name.to_owned(), value));
            match behind.strip_prefix(',') {
                Some(next) => inner = next,
                None => {
                    rest = behind.strip_prefix('}')?;
                    break;
                }
            }
        }
    }
    Some((labels, rest.strip_prefix(' ')?.to_owned()))
}

/// Text up to the closing quote, and what is behind it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let (mut value, mut chars) = (String::new(), text.char_indices());
    loop {
        match chars.next()? {
            (at, '"') => return Some((value, &text[at + 1..])),
            (_, '\\') => value.push(match chars.next()?.1 {
                'n' => '\n',
                escaped @ ('\\' | '"') => escaped,
                _ => return None,
            }),
            (_, c) => value.push(c),
        }
    }
}
