//! Checks that at most one node of a scene decides what is speech.

use std::sync::Arc;

use crate::scene::compile::check::{Checker, at};
use crate::scene::language::catalogue::NodeSpec;

impl Checker<'_> {
    /// Refuses every gate but the first, in a row with it or beside it: segments are told apart by session and
    /// serial, and each gate counts its own serials.
    pub(crate) fn one_gate<N: NodeSpec + ?Sized>(&mut self, specs: &[Option<Arc<N>>]) {
        let decides = |spec: &Option<Arc<N>>| spec.as_deref().is_some_and(NodeSpec::decides_speech);
        let mut gates = (0..specs.len()).filter(|&node| decides(&specs[node]));
        let Some(first) = gates.next() else { return };
        for second in gates {
            let (one, two) = (&self.scene.nodes[first].id, &self.scene.nodes[second].id);
            let title = format!("`{two}` decides what is speech, and so does `{one}`");
            let wrong = self.error(&at!["nodes", second, "id"], title, "second gate");
            let place = self.edited.place(self.span(&at!["nodes", first, "id"]));
            let why = "segments are counted by session: those of two gates could not be told apart";
            let remedy = "keep one gate; to compare two, run two scenes with the same recordings";
            self.found.push(wrong.related(place, "first gate").help(why).help(remedy));
        }
    }
}
