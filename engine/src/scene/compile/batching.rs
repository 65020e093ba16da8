//! Resolves which nodes wait behind the hub, how their items gather, and what gives way when deadlines come near.

use crate::scene::language::formats::PortType;
use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::scene::compile::check::{Checker, at};
use crate::scene::compile::flow::Flow;
use crate::scene::language::catalogue::{Catalogue, JoinTexts, NodeSpec};
use crate::scene::language::formats::OverflowPolicy;
use crate::scene::language::locate::Step;
use crate::scene::language::model::{Buffering, DeadlinePolicy, MergeStrategy};
use crate::scene::language::suggest;

/// How the items of one node gather.
#[derive(Clone, Default)]
pub(crate) struct Gathers {
    /// Set for nodes behind the hub.
    pub(crate) buffering: Option<Buffering>,
    /// How waiting frames become one, if the scene or the kind says so.
    pub(crate) merge: Option<MergeStrategy>,
    /// The function of a custom strategy.
    pub(crate) joins: Option<JoinTexts>,
}

/// Longest gap in media time over which audio may be joined.
const GAP_MS_MAX: f64 = 100.0;

/// Longest time that a lone item waits for company: from the engine's unit, a microsecond, to a minute.
const WAIT_MS: RangeInclusive<f64> = 0.001..=60_000.0;

/// Items that may wait, over all sessions: more than any host has calls under way.
const BUFFER_SIZE_MAX: u32 = 1_000_000;

impl Checker<'_> {
    /// Resolves and judges `buffering`, `deadline` and `optional` of every node, in the order of the file.
    pub(crate) fn batching<C: Catalogue>(
        &mut self,
        specs: &[Option<Arc<C::Node>>],
        flow: &Flow,
        catalogue: &C,
    ) -> Vec<Gathers> {
        let gathers = |(index, spec): (usize, &Option<Arc<C::Node>>)| match spec {
            Some(spec) => self.gathers(index, &**spec, flow, catalogue),
            None => Gathers::default(),
        };
        specs.iter().enumerate().map(gathers).collect()
    }

    fn gathers<C: Catalogue>(&mut self, index: usize, spec: &C::Node, flow: &Flow, catalogue: &C) -> Gathers {
        let node = &self.scene.nodes[index];
        let capabilities = node.capabilities.unwrap_or_default().over(spec.capabilities());
        let behind_hub = spec.service().is_some() && !capabilities.parallelizable;
        if !capabilities.parallelizable && spec.service().is_none() {
            let path = at!["nodes", index, "capabilities", "parallelizable"];
            let title = format!("`{}` calls no service, so that nothing can wait for it", node.id);
            let wrong = self.error(&path, title, "expected `true`");
            let help = "only a service works outside the tick: nodes inside it are worked on shard by shard";
            self.found.push(wrong.help(help));
        }
        let set = node.buffering.clone().unwrap_or_default();
        let mut buffering = set.over(spec.buffering());
        self.buffering_fits(index, &buffering);
        if !capabilities.batch_aware {
            (buffering.min_batch_size, buffering.max_batch_size) = (1, 1);
        }
        let merges = capabilities.overflow_policy == OverflowPolicy::MergeOnOverflow;
        if node.buffering.is_some() && !behind_hub && !(merges && set.merge.is_some()) {
            let title = format!("`{}.buffering` has no effect", node.id);
            let idle = self.warning(&at!["nodes", index, "buffering"], title, "this node is parallelizable");
            self.found
                .push(idle.help("its items go to the service at once; set `parallelizable: false` to batch"));
        }
        let says = node.buffering.is_some() || behind_hub;
        let merge = says.then(|| buffering.merge.clone()).filter(|_| set.merge.is_some() || behind_hub);
        if let Some(merge) = &set.merge {
            self.merge_fits(index, merge, spec);
        }
        let joins = self.custom_merge(index, &buffering.merge, catalogue);
        self.control_messages(index, spec);
        self.deadline(index, spec, behind_hub, flow, &buffering);
        if behind_hub {
            self.wait_ends_in_time(index, spec, &buffering);
        }
        Gathers { buffering: behind_hub.then_some(buffering), merge, joins }
    }

    /// Refuses changes of `supports_control_messages` that cannot work: a gate without messages would keep open what
    /// its host or its sender has cancelled, and a kind that ignores messages does not begin to use them because the
    /// scene says so.
    fn control_messages<N: NodeSpec + ?Sized>(&mut self, index: usize, spec: &N) {
        let node = &self.scene.nodes[index];
        let path = at!["nodes", index, "capabilities", "supports_control_messages"];
        match node.capabilities.and_then(|set| set.supports_control_messages) {
            Some(false) if spec.decides_speech() => {
                let title =
                    format!("`{}` decides what is speech, and is told of what is taken back", node.id);
                let wrong = self.error(&path, title, "expected `true`");
                self.found
                    .push(wrong.help("nodes behind it can do without control messages, the gate cannot"));
            }
            Some(true) if !spec.capabilities().supports_control_messages => {
                let title = format!("`{}` is of a kind that supports no control messages", node.id);
                let idle = self.warning(&path, title, "has no effect");
                self.found.push(idle.help("leave it out: the kind says what it can be told"));
            }
            _ => {}
        }
    }

    fn buffering_fits(&mut self, index: usize, buffering: &Buffering) {
        let at = |name: &str| at!["nodes", index, "buffering", name];
        let (min, max) = (buffering.min_batch_size, buffering.max_batch_size);
        self.range(&at("min_batch_size"), min, (1..=1000).contains(&min), "1..=1000 items");
        self.range(&at("max_batch_size"), max, (1..=1000).contains(&max), "1..=1000 items");
        if min > max {
            self.order(&at("min_batch_size"), min, &at("max_batch_size"), max);
        }
        self.within(&at("max_wait_ms"), buffering.max_wait_ms, &WAIT_MS, " ms");
        let size = buffering.max_buffer_size;
        let fits = (min.max(1)..=BUFFER_SIZE_MAX).contains(&size);
        self.range(&at("max_buffer_size"), size, fits, "at least min_batch_size, at most 1000000 items");
        if let MergeStrategy::ConcatenateAudio { max_gap_ms, .. } = buffering.merge {
            let path: &[Step] = &at!["nodes", index, "buffering", "merge", "max_gap_ms"];
            self.range(path, max_gap_ms, (0.0..=GAP_MS_MAX).contains(&max_gap_ms), "0..=100 ms");
        }
    }

    /// Warns of batches that gather for longer than the calls in them may take.
    fn wait_ends_in_time<N: NodeSpec + ?Sized>(&mut self, index: usize, spec: &N, buffering: &Buffering) {
        let node = &self.scene.nodes[index];
        let Some(service) = spec.service().and_then(|name| self.scene.services.get(name)) else { return };
        let (wait_ms, timeout_ms) = (buffering.max_wait_ms, service.timeout_ms);
        if buffering.min_batch_size > 1 && wait_ms >= f64::from(timeout_ms) {
            let title = format!(
                "calls of `{}` may wait {wait_ms} ms for a batch, and fail after {timeout_ms} ms",
                node.id
            );
            let path = at!["nodes", index, "buffering", "max_wait_ms"];
            let late = self.warning(&path, title, "longer than the service's `timeout_ms`");
            self.found.push(late.help("give `max_wait_ms` a smaller value, or `timeout_ms` a larger one"));
        }
    }

    /// Refuses a rule for audio on texts and the other way round: nothing would ever be merged, and nobody would
    /// notice.
    fn merge_fits<N: NodeSpec + ?Sized>(&mut self, index: usize, merge: &MergeStrategy, spec: &N) {
        let (joined, instead) = match merge {
            MergeStrategy::KeepSeparate => return,
            MergeStrategy::ConcatenateAudio { .. } => (PortType::Audio, "`ConcatenateText()`"),
            MergeStrategy::ConcatenateText { .. } => (PortType::Text, "`ConcatenateAudio()`"),
            MergeStrategy::Custom { .. } => (PortType::Text, "`ConcatenateAudio()`"),
        };
        let Some(taken) = spec.inputs().first().map(|port| port.kind) else { return };
        if spec.inputs().iter().any(|port| port.kind == joined) {
            return;
        }
        let title = format!("`{}` takes {taken}, and this joins {joined}", self.scene.nodes[index].id);
        let path = at!["nodes", index, "buffering", "merge"];
        let wrong = self.error(&path, title, format!("expected {instead} or `KeepSeparate`"));
        self.found.push(wrong.help("nothing that waits there would ever become one"));
    }

    fn custom_merge<C: Catalogue>(
        &mut self,
        index: usize,
        merge: &MergeStrategy,
        catalogue: &C,
    ) -> Option<JoinTexts> {
        let MergeStrategy::Custom { name } = merge else { return None };
        let joins = catalogue.merge(name);
        if joins.is_none() {
            let path = at!["nodes", index, "buffering", "merge", "name"];
            let unknown = self.error(&path, format!("no merge strategy is called `{name}`"), "unknown name");
            let help = suggest::help(name, "registered are", &catalogue.merges());
            self.found.push(unknown.help(help));
        }
        joins
    }

    fn deadline<N: NodeSpec + ?Sized>(
        &mut self,
        index: usize,
        spec: &N,
        behind_hub: bool,
        flow: &Flow,
        buffering: &Buffering,
    ) {
        let node = &self.scene.nodes[index];
        let policy = node.deadline.map(|deadline| deadline.policy);
        let capabilities = node.capabilities.unwrap_or_default().over(spec.capabilities());
        let is_told = capabilities.supports_control_messages;
        let path = at!["nodes", index, "deadline", "policy"];
        let refusal = match policy {
            Some(DeadlinePolicy::FlushEarly | DeadlinePolicy::GrowBatch { .. }) if !behind_hub => {
                Some(("no batches are formed here", "expected `LowerQuality` or `SkipOptional`"))
            }
            Some(DeadlinePolicy::GrowBatch { max })
                if !(1..=1000).contains(&max) || max <= buffering.max_batch_size =>
            {
                Some(("its batches would not grow", "expected a `max` above max_batch_size, at most 1000"))
            }
            Some(DeadlinePolicy::LowerQuality) if !spec.lowers_quality() => {
                Some(("this kind has one quality only", "expected another policy"))
            }
            Some(DeadlinePolicy::LowerQuality) if spec.service().is_none() && !is_told => {
                Some(("a node without control messages is told of no deadline", "expected another policy"))
            }
            Some(DeadlinePolicy::SkipOptional) if !node.optional => {
                Some(("the node is not optional", "expected `optional: true` on the node"))
            }
            Some(DeadlinePolicy::SkipOptional)
                if !passes(spec) || flow.inputs[index] != flow.outputs[index] =>
            {
                Some(("what goes in does not fit what comes out", "only a node that keeps type and format"))
            }
            _ => None,
        };
        if let Some((why, label)) = refusal {
            let title = format!("`{}.deadline.policy`: {why}", node.id);
            self.found.push(self.error(&path, title, label));
        }
        if node.optional && policy != Some(DeadlinePolicy::SkipOptional) {
            let title = format!("`{}` is optional, and nothing passes it by", node.id);
            let idle = self.warning(&at!["nodes", index, "optional"], title, "has no effect");
            self.found.push(idle.help("add `deadline: (budget_ms: ..., policy: SkipOptional)`"));
        }
    }
}

/// Whether a frame may go unchanged from the node's input to its first output.
fn passes<N: NodeSpec + ?Sized>(spec: &N) -> bool {
    match (spec.inputs(), spec.outputs()) {
        ([input], [output, ..]) => input.kind == output.kind,
        _ => false,
    }
}
