//! The frames just before now, in case speech turns out to have begun in them.
//!
//! A ring by media time: the oldest are overwritten when the span is full, a range is taken by time, and everything
//! before it is cleared.

use std::collections::VecDeque;

/// Something with a stretch of media time.
pub(crate) trait Stretch {
    /// Media time after its last sample, in microseconds.
    fn end_us(&self) -> u64;
}

/// A ring of the last `span_us` of media time.
#[derive(Debug)]
pub(crate) struct Lookback<T> {
    items: VecDeque<T>,
    span_us: u64,
}

impl<T: Stretch> Lookback<T> {
    pub(crate) fn new(span_us: u64) -> Self {
        Self { items: VecDeque::new(), span_us }
    }

    /// Room for `items`, if there is none at all.
    pub(crate) fn settle(&mut self, items: usize) {
        if self.items.capacity() == 0 {
            self.items.reserve_exact(items);
        }
    }

    /// Whether it has neither items nor storage.
    pub(crate) fn is_bare(&self) -> bool {
        self.items.capacity() == 0
    }

    /// Gives the items out, oldest first, and the storage back.
    pub(crate) fn clear(&mut self, each: impl FnMut(T)) {
        std::mem::take(&mut self.items).into_iter().for_each(each);
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.items.len()
    }

    /// Appends the newest; hands out what is now older than the span.
    pub(crate) fn push(&mut self, item: T, mut overwritten: impl FnMut(T)) {
        let keep_after = item.end_us().saturating_sub(self.span_us);
        self.items.push_back(item);
        while self.items.front().is_some_and(|oldest| oldest.end_us() <= keep_after) {
            overwritten(self.items.pop_front().expect("just seen"));
        }
    }

    /// The oldest item that reaches beyond `from_us`.
    pub(crate) fn first_from(&self, from_us: u64) -> Option<&T> {
        self.items.iter().find(|item| item.end_us() > from_us)
    }

    /// Takes every item out, oldest first; what `each` returns goes back in its place.
    pub(crate) fn sift(&mut self, mut each: impl FnMut(T) -> Option<T>) {
        for _ in 0..self.items.len() {
            let item = self.items.pop_front().expect("counted");
            if let Some(item) = each(item) {
                self.items.push_back(item);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Piece {
        from_us: u64,
        end_us: u64,
    }
    impl Stretch for Piece {
        fn end_us(&self) -> u64 {
            self.end_us
        }
    }

    #[derive(Clone, Debug)]
    enum Op {
        Push(u64),
        TakeFrom(u64),
    }

    fn ops() -> impl Strategy<Value = Vec<Op>> {
        let op = prop_oneof![
            8 => (0u64..40_000).prop_map(Op::Push),
            1 => (0u64..400_000).prop_map(Op::TakeFrom),
        ];
        proptest::collection::vec(op, 0..200)
    }

    proptest! {
        /// The model keeps everything ever pushed and asks the question anew each time.
        #[test]
        fn agrees_with_a_plain_list(span_us in 1u64..300_000, ops in ops()) {
            let mut ring = Lookback::new(span_us);
            let mut model: Vec<Piece> = Vec::new();
            let (mut now, mut pushed, mut out) = (0, 0, 0);
            for op in ops {
                match op {
                    Op::Push(length) => {
                        let piece = Piece { from_us: now, end_us: now + length };
                        now += length;
                        pushed += 1;
                        let mut overwritten = Vec::new();
                        ring.push(piece, |p| overwritten.push(p));
                        out += overwritten.len();
                        model.push(piece);
                        let keep_after = now.saturating_sub(span_us);
                        let (old, kept) = model.iter().partition::<Vec<_>, _>(|p| p.end_us <= keep_after);
                        prop_assert_eq!(overwritten, old);
                        model = kept;
                    }
                    Op::TakeFrom(back) => {
                        let from = now.saturating_sub(back);
                        let (mut cleared, mut taken) = (Vec::new(), Vec::new());
                        prop_assert_eq!(ring.first_from(from), model.iter().find(|p| p.end_us > from));
                        ring.sift(|p| {
                            if p.end_us <= from { cleared.push(p) } else { taken.push(p) }
                            None
                        });
                        out += cleared.len() + taken.len();
                        let (old, new) = model.drain(..).partition::<Vec<_>, _>(|p| p.end_us <= from);
                        prop_assert_eq!(cleared, old);
                        prop_assert_eq!(taken, new);
                    }
                }
                prop_assert_eq!(ring.len(), model.len());
                prop_assert_eq!(pushed, out + ring.len());
            }
        }
    }
}
