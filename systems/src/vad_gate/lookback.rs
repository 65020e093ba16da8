//! The lookback: the latest frames, in case speech turns out to have begun in them.
//!
//! A ring by media time: the oldest items are overwritten when the span is full, a range is taken by time, and
//! everything before it is cleared. The number of items is bounded, too: neighbours may be joined, and beyond the
//! bound the oldest go.

use std::collections::VecDeque;

/// Something with a length of media time.
pub(crate) trait Stretch {
    /// Media time after its last sample, in microseconds.
    fn end_us(&self) -> u64;
}

/// A ring of the last `span_us` of media time, and of the last `most` items.
#[derive(Debug)]
pub(crate) struct Lookback<T> {
    items: VecDeque<T>,
    span_us: u64,
    most: usize,
}

impl<T: Stretch> Lookback<T> {
    pub(crate) fn new(span_us: u64, most: usize) -> Self {
        Self { items: VecDeque::new(), span_us, most }
    }

    /// Reserves room for `items`, if there is none at all.
    pub(crate) fn settle(&mut self, items: usize) {
        if self.items.capacity() == 0 {
            self.items.reserve_exact(items);
        }
    }

    /// True if it has neither items nor storage.
    pub(crate) fn is_bare(&self) -> bool {
        self.items.capacity() == 0
    }

    /// Hands out the items, oldest first, and frees the storage.
    pub(crate) fn clear(&mut self, each: impl FnMut(T)) {
        std::mem::take(&mut self.items).into_iter().for_each(each);
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.items.len()
    }

    /// The newest item; if it grows, [`age`](Self::age) must be called.
    pub(crate) fn newest_mut(&mut self) -> Option<&mut T> {
        self.items.back_mut()
    }

    /// Appends the newest item; hands out items that are now older than the span.
    pub(crate) fn push(&mut self, item: T, overwritten: impl FnMut(T)) {
        self.items.push_back(item);
        self.age(overwritten);
    }

    /// Hands out items that are older than the span before the end of the newest, and the oldest of too many.
    pub(crate) fn age(&mut self, mut overwritten: impl FnMut(T)) {
        let Some(newest) = self.items.back() else { return };
        let keep_after = newest.end_us().saturating_sub(self.span_us);
        while self.items.len() > self.most
            || self.items.front().is_some_and(|oldest| oldest.end_us() <= keep_after)
        {
            overwritten(self.items.pop_front().expect("just seen"));
        }
    }

    /// The items that reach beyond `from_us`, oldest first.
    pub(crate) fn from(&self, from_us: u64) -> impl Iterator<Item = &T> {
        self.items.iter().skip_while(move |item| item.end_us() <= from_us)
    }

    /// Joins neighbours, oldest first; `each` gets an item and the next one, and returns the next one to leave it
    /// apart.
    pub(crate) fn join(&mut self, mut each: impl FnMut(&mut T, T) -> Option<T>) {
        let mut joined = 0;
        for _ in 0..self.items.len() {
            let item = self.items.pop_front().expect("counted");
            let apart = match self.items.back_mut() {
                Some(before) if joined > 0 => each(before, item),
                _ => Some(item),
            };
            if let Some(item) = apart {
                self.items.push_back(item);
                joined += 1;
            }
        }
    }

    /// Takes every item out, oldest first; an item that `each` returns goes back in its place.
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
        /// Neighbours that are no longer than this together become one.
        Join(u64),
    }

    fn join(before: &mut Piece, piece: Piece, longest_us: u64) -> Option<Piece> {
        if piece.end_us - before.from_us > longest_us {
            return Some(piece);
        }
        before.end_us = piece.end_us;
        None
    }

    fn ops() -> impl Strategy<Value = Vec<Op>> {
        let op = prop_oneof![
            8 => (0u64..40_000).prop_map(Op::Push),
            1 => (0u64..400_000).prop_map(Op::TakeFrom),
            1 => (0u64..100_000).prop_map(Op::Join),
        ];
        proptest::collection::vec(op, 0..200)
    }

    proptest! {
        /// The model keeps everything ever pushed and asks the question anew each time.
        #[test]
        fn agrees_with_a_plain_list(span_us in 1u64..300_000, most in 1usize..20, ops in ops()) {
            let mut ring = Lookback::new(span_us, most);
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
                        let past = model.len().saturating_sub(most);
                        let gone = |(at, p): &(usize, &Piece)| *at < past || p.end_us <= keep_after;
                        let (old, kept): (Vec<_>, Vec<_>) = model.iter().enumerate().partition(gone);
                        let pieces = |of: Vec<(usize, &Piece)>| of.into_iter().map(|(_, p)| *p).collect::<Vec<_>>();
                        let (old, kept) = (pieces(old), pieces(kept));
                        prop_assert_eq!(overwritten, old);
                        model = kept;
                    }
                    Op::TakeFrom(back) => {
                        let from = now.saturating_sub(back);
                        let (mut cleared, mut taken) = (Vec::new(), Vec::new());
                        let later: Vec<_> = model.iter().filter(|p| p.end_us > from).collect();
                        prop_assert_eq!(ring.from(from).collect::<Vec<_>>(), later);
                        ring.sift(|p| {
                            if p.end_us <= from { cleared.push(p) } else { taken.push(p) }
                            None
                        });
                        out += cleared.len() + taken.len();
                        let (old, new) = model.drain(..).partition::<Vec<_>, _>(|p| p.end_us <= from);
                        prop_assert_eq!(cleared, old);
                        prop_assert_eq!(taken, new);
                    }
                    Op::Join(longest_us) => {
                        ring.join(|before, piece| join(before, piece, longest_us));
                        let mut joined: Vec<Piece> = Vec::new();
                        for piece in std::mem::take(&mut model) {
                            let apart = match joined.last_mut() {
                                Some(before) => join(before, piece, longest_us),
                                None => Some(piece),
                            };
                            joined.extend(apart);
                        }
                        out = pushed - joined.len();
                        model = joined;
                        prop_assert!(ring.items.iter().eq(&model));
                    }
                }
                prop_assert_eq!(ring.len(), model.len());
                prop_assert_eq!(pushed, out + ring.len());
            }
        }
    }
}
