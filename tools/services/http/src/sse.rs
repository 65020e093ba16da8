//! Splits a stream of server-sent events (WHATWG HTML, 9.2.6), however it is cut into pieces. Bytes in, events out.

use std::collections::VecDeque;
use std::fmt;

/// Longest line, and longest data of one event, bytes.
pub(crate) const LINE_BYTES_MAX: usize = 1 << 20;
/// U+FEFF, which may begin a stream.
const MARK: &[u8] = "\u{feff}".as_bytes();

/// An event of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SseEvent {
    /// Its name; empty: it has none.
    pub(crate) name: String,
    /// Its lines of data, with `\n` between them. What is no UTF-8 is replaced.
    pub(crate) data: String,
}

/// A line or the data of an event is longer than [`LINE_BYTES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LineTooLong;

impl fmt::Display for LineTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server sent a line of more than {LINE_BYTES_MAX} bytes")
    }
}

/// A stream of events so far.
#[derive(Debug, Default)]
pub(crate) struct SseStream {
    /// The line that has not ended.
    line: Vec<u8>,
    /// The piece before ended with `\r`: a `\n` that follows belongs to it.
    after_return: bool,
    /// The first line was seen.
    has_begun: bool,
    /// The event that has not ended.
    event: SseEvent,
    /// It has a line of data, if an empty one.
    has_data: bool,
    ready: VecDeque<SseEvent>,
}

impl SseStream {
    /// Takes the next piece of the stream.
    ///
    /// # Errors
    /// [`LineTooLong`]; events that ended before it can be taken all the same.
    pub(crate) fn push(&mut self, mut piece: &[u8]) -> Result<(), LineTooLong> {
        if piece.is_empty() {
            return Ok(());
        }
        if std::mem::take(&mut self.after_return) {
            piece = piece.strip_prefix(b"\n").unwrap_or(piece);
        }
        while let Some(end) = piece.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            self.extend(&piece[..end])?;
            let is_return = piece[end] == b'\r';
            piece = &piece[end + 1..];
            if is_return && piece.is_empty() {
                self.after_return = true;
            } else if is_return {
                piece = piece.strip_prefix(b"\n").unwrap_or(piece);
            }
            self.end_line()?;
        }
        self.extend(piece)
    }

    /// The stream is over: what has begun ends here, as some servers leave the last line end out.
    ///
    /// # Errors
    /// [`LineTooLong`], as for [`push`](Self::push).
    pub(crate) fn finish(&mut self) -> Result<(), LineTooLong> {
        if !self.line.is_empty() {
            self.end_line()?;
        }
        self.dispatch();
        Ok(())
    }

    /// The next event that has ended.
    pub(crate) fn next(&mut self) -> Option<SseEvent> {
        self.ready.pop_front()
    }

    fn extend(&mut self, bytes: &[u8]) -> Result<(), LineTooLong> {
        if self.line.len() + bytes.len() > LINE_BYTES_MAX {
            return Err(LineTooLong);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), LineTooLong> {
        let line = std::mem::take(&mut self.line);
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        let text = line.strip_prefix(MARK).filter(|_| is_first).unwrap_or(&line);
        let taken = if text.is_empty() {
            self.dispatch();
            Ok(())
        } else {
            self.field(&String::from_utf8_lossy(text))
        };
        // Its memory serves the next line.
        self.line = line;
        self.line.clear();
        taken
    }

    fn field(&mut self, line: &str) -> Result<(), LineTooLong> {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => self.event.name = value.to_string(),
            "data" => {
                if self.event.data.len() + value.len() + 1 > LINE_BYTES_MAX {
                    return Err(LineTooLong);
                }
                if std::mem::replace(&mut self.has_data, true) {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            // Comments have no name; ids and times to reconnect are for those who reconnect.
            _ => {}
        }
        Ok(())
    }

    /// An event without data is none.
    fn dispatch(&mut self) {
        let event = std::mem::take(&mut self.event);
        if std::mem::take(&mut self.has_data) {
            self.ready.push_back(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(stream: &[u8], cuts: &[usize]) -> Vec<SseEvent> {
        let (mut splitter, mut events, mut from) = (SseStream::default(), Vec::new(), 0);
        for cut in cuts.iter().map(|cut| cut % (stream.len() + 1)).chain([stream.len()]) {
            if cut >= from {
                splitter.push(&stream[from..cut]).unwrap();
                events.extend(std::iter::from_fn(|| splitter.next()));
                from = cut;
            }
        }
        splitter.finish().unwrap();
        events.extend(std::iter::from_fn(|| splitter.next()));
        events
    }

    fn data(stream: &str) -> Vec<String> {
        split(stream.as_bytes(), &[]).into_iter().map(|event| event.data).collect()
    }

    #[test]
    fn lines_fields_and_comments_are_told_apart() {
        let cases: [(&str, &[&str]); 9] = [
            ("data: a\n\ndata: b\n\n", &["a", "b"]),
            ("data: a\r\n\r\ndata:b\r\r", &["a", "b"]),
            (": ping\n\ndata: a\n: ping\ndata: b\n\n", &["a\nb"]),
            ("data:  a\n\n", &[" a"]),
            ("data\n\n", &[""]),
            ("event: x\n\ndata: a\n\n", &["a"]),
            ("id: 1\nretry: 5\ndatas: x\ndata: a\n\n", &["a"]),
            ("\u{feff}data: a\n\n", &["a"]),
            ("data: a\n\ndata: [DONE]", &["a", "[DONE]"]),
        ];
        for (stream, wanted) in cases {
            assert_eq!(data(stream), wanted, "{stream:?}");
        }
        assert_eq!(split(b"event: error\ndata: {}\n\n", &[])[0].name, "error");
    }

    #[test]
    fn a_line_without_end_is_an_error_and_not_memory() {
        let mut splitter = SseStream::default();
        splitter.push(b"data: a\n\n").unwrap();
        let pushed = (0..2_000).try_for_each(|_| splitter.push(&[b'x'; 1_000]));
        assert_eq!(pushed, Err(LineTooLong));
        assert_eq!(splitter.next().map(|event| event.data), Some("a".into()));
        let mut lines = SseStream::default();
        let many =
            (0..2_000).try_for_each(|_| lines.push(format!("data: {}\n", "x".repeat(1_000)).as_bytes()));
        assert_eq!(many, Err(LineTooLong), "many lines of one event");
    }

    fn line() -> impl Strategy<Value = String> {
        prop_oneof![
            "data: [a-zäß€𝄞 :]{0,12}",
            "data:[a-z]{0,3}",
            ": [a-z]{0,5}",
            "event: [a-z]{0,5}",
            Just(String::new()),
            "[a-zé:]{0,8}",
        ]
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_events(
            lines in prop::collection::vec((line(), prop::sample::select(vec!["\n", "\r\n", "\r"])), 0..24),
            cuts in prop::collection::vec(0usize..1_000, 0..40),
        ) {
            let stream: String = lines.iter().flat_map(|(line, end)| [line.as_str(), end]).collect();
            let whole = split(stream.as_bytes(), &[]);
            let mut sorted: Vec<usize> = cuts.iter().map(|cut| cut % (stream.len() + 1)).collect();
            sorted.sort_unstable();
            prop_assert_eq!(&split(stream.as_bytes(), &sorted), &whole);
            let every: Vec<usize> = (0..=stream.len()).collect();
            prop_assert_eq!(&split(stream.as_bytes(), &every), &whole);
        }

        #[test]
        fn no_bytes_at_all_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let every: Vec<usize> = (0..=bytes.len()).collect();
            prop_assert_eq!(split(&bytes, &every), split(&bytes, &[]));
        }
    }
}
