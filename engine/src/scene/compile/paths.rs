//! Counts the paths to each node: a frame comes once along every path from the input.

use crate::scene::compile::check::{Checker, at};
use crate::scene::compile::wiring::{End, Wiring};

/// Copies of a frame at one node above which the user is warned.
const COPIES_MAX: u64 = 64;

impl Checker<'_> {
    /// Warns of the first node to which branches that part and meet again and again bring each frame very often:
    /// every such stage multiplies the frames, and the work on them.
    pub(crate) fn paths(&mut self, wiring: &Wiring) {
        let mut copies = vec![0_u64; self.scene.nodes.len()];
        let into = |end: End, copies: &[u64]| {
            let arriving = wiring.links.iter().filter(|link| link.to == end).map(|link| match link.from {
                End::Input | End::Said => 1,
                End::Node(from) => copies[from],
                End::Output => 0,
            });
            arriving.fold(0, u64::saturating_add)
        };
        let mut crowded = None;
        for &node in &wiring.order {
            copies[node] = into(End::Node(node), &copies);
            if crowded.is_none() && copies[node] > COPIES_MAX {
                let id = &self.scene.nodes[node].id;
                crowded = Some((at!["nodes", node, "id"].to_vec(), id.as_str(), copies[node]));
            }
        }
        let ends = into(End::Output, &copies);
        let at_end = (ends > COPIES_MAX).then(|| (at!["edges"].to_vec(), "output", ends));
        let Some((path, id, copies)) = crowded.or(at_end) else { return };
        let title = format!("{copies} paths lead from `input` to `{id}`: each frame comes that often");
        let many = self.warning(&path, title, format!("more than {COPIES_MAX} copies of a frame"));
        let help = "stages of branches that part and meet multiply; let branches meet once, at the end";
        self.found.push(many.help(help));
    }
}
