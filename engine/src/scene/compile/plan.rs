//! The plan: a valid scene with its nodes configured, ordered and wired, ready to be installed in an engine.

use std::fmt;
use std::sync::Arc;

use crate::scene::compile::batching::Gathers;
use crate::scene::compile::check::Checker;
use crate::scene::compile::flow::Flow;
use crate::scene::compile::wiring::{End, Wiring};
use crate::scene::language::catalogue::{BuildConverter, Catalogue, JoinTexts, NodeSpec};
use crate::scene::language::diagnostic::{Diagnostic, Diagnostics};
use crate::scene::language::formats::{Format, NodeCapabilities, OverflowPolicy, PortType};
use crate::scene::language::locate::Document;
use crate::scene::language::model::{Buffering, Deadline, MergeStrategy, Scene, Timing};
use crate::scene::language::overrides;
use crate::scene::language::overrides::Override;
use crate::scene::language::parse::parse;
use crate::scene::language::source::Source;

/// A compiled scene.
pub struct Plan<N: ?Sized, S: ?Sized> {
    /// The scene as the file and the overrides say it.
    pub scene: Scene,
    /// By rank, then in the order of the file.
    pub nodes: Vec<PlanNode<N>>,
    /// The audio format that arrives.
    pub input: Format,
    /// The targets of the session's input.
    pub input_targets: Vec<PlanTarget>,
    /// The targets of what the host has the session say.
    pub said_targets: Vec<PlanTarget>,
    /// Makes converters between formats, for sessions that hear in another format than the scene's.
    pub converters: Option<BuildConverter>,
    /// The session's output.
    pub output: PlanOutput,
    /// By name.
    pub services: Vec<PlanService<S>>,
    /// Number of ranks: nodes of one rank may run in any order.
    pub ranks: u32,
    /// FNV-1a of the scene's text with overrides; blanks, comments and the order of fields do not count.
    pub hash: u64,
}

/// A node of a plan.
pub struct PlanNode<N: ?Sized> {
    /// Its id in the scene.
    pub id: String,
    /// The configured kind.
    pub spec: Arc<N>,
    /// Longest path from a node without predecessors, which has rank 0.
    pub rank: u32,
    /// The audio format that arrives; `None`: no audio.
    pub input: Option<Format>,
    /// The audio format that leaves; `None`: no audio.
    pub output: Option<Format>,
    /// The kind's capabilities with the scene's changes.
    pub capabilities: NodeCapabilities,
    /// How items gather, for nodes behind the hub: those that call a service and are not parallelizable.
    pub buffering: Option<Buffering>,
    /// How two waiting frames become one.
    pub merge: Option<MergeStrategy>,
    /// The registered function of [`MergeStrategy::Custom`].
    pub joins: Option<JoinTexts>,
    /// When its work should be done, if the scene says so.
    pub deadline: Option<Deadline>,
    /// Whether frames may pass it by.
    pub optional: bool,
    /// Where its outputs go, in the order of the file's edges.
    pub targets: Vec<PlanTarget>,
    /// The service it calls: an index of [`Plan::services`].
    pub service: Option<usize>,
}

impl<N: ?Sized> PlanNode<N> {
    /// Whether a sender waits when the node's queue is full.
    pub fn blocks(&self) -> bool {
        self.capabilities.overflow_policy == OverflowPolicy::Block
    }
}

/// One edge, seen from its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanTarget {
    /// Index of the sender's output port.
    pub port: u8,
    /// The receiver.
    pub node: NodeRef,
    /// Index of the receiver's input port.
    pub input_port: u8,
    /// Position of the edge in the file: the order in which fan-in takes frames.
    pub edge: u16,
}

/// The receiver of an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeRef {
    /// An index of [`Plan::nodes`].
    Node(u16),
    /// The session's output.
    Output,
}

/// What arrives at the session's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanOutput {
    /// The format of its audio; `None`: no audio.
    pub audio: Option<Format>,
    /// The types of everything that arrives, each once.
    pub kinds: Vec<PortType>,
}

/// A slow model outside the tick.
pub struct PlanService<S: ?Sized> {
    /// Its name in the scene.
    pub name: String,
    /// The model of its time, where the scene gives one.
    pub timing: Option<Timing>,
    /// Longest time without a part of an answer that is wanted.
    pub timeout_ms: u32,
    /// Further attempts at a call that failed before its first part.
    pub retries: u8,
    /// What is answered in place of a reply that failed before its first part.
    pub fallback: Option<Arc<str>>,
    /// What is said before a reply of which nothing has come for so many milliseconds.
    pub filler: Option<(Arc<str>, u32)>,
    /// The name of the output, as the scene writes it.
    pub output_name: String,
    /// The configured output.
    pub output: Arc<S>,
}

impl<N: ?Sized, S: ?Sized> Plan<N, S> {
    /// The position of a node in [`Plan::nodes`].
    pub fn node(&self, id: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.id == id)
    }
}

impl<N: NodeSpec + ?Sized, S: ?Sized> fmt::Debug for Plan<N, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes: Vec<_> = self.nodes.iter().map(|node| (&node.id, node.spec.kind(), node.rank)).collect();
        f.debug_struct("Plan").field("scene", &self.scene.name).field("nodes", &nodes).finish_non_exhaustive()
    }
}

/// A plan with the warnings about it.
pub type Compiled<C> = (Plan<<C as Catalogue>::Node, <C as Catalogue>::Service>, Vec<Diagnostic>);

/// Reads, checks and compiles a scene. `input` is the format of a real recording, which replaces the scene's own
/// `session.input`; the plan's hash does not depend on it.
///
/// # Errors
/// Everything wrong with the scene, each finding with its place, and the warnings.
pub fn compile<C: Catalogue>(
    source: &Source,
    overrides: &[Override],
    input: Option<Format>,
    catalogue: &C,
) -> Result<Compiled<C>, Diagnostics> {
    let edited = overrides::apply(source, overrides)?;
    let document = Document::new(&edited.text);
    let (scene, found) = parse(&edited, &document)?;
    let whole = found.is_empty();
    let mut checker = Checker { edited: &edited, document: &document, scene: &scene, found };
    if whole {
        checker.values();
    }
    let specs = checker.kinds(catalogue);
    let outputs = checker.service_outputs(catalogue);
    checker.transports(catalogue);
    if !whole {
        // Rules about several parts cannot be checked where one part is left out.
        return Err(Diagnostics(checker.found));
    }
    let session = input.unwrap_or_else(|| scene.session.input.format());
    let wiring = checker.wiring(&specs);
    checker.one_gate(&specs);
    checker.paths(&wiring);
    let flow = checker.flow(session, &wiring, &specs);
    let gathers = checker.batching(&specs, &flow, catalogue);
    if checker.failed() {
        return Err(Diagnostics(checker.found));
    }
    let warnings = checker.found;
    let hash = fnv1a(document.canonical().as_bytes());
    let specs: Vec<Arc<C::Node>> = specs.into_iter().flatten().collect();
    let outputs: Vec<Arc<C::Service>> = outputs.into_iter().flatten().collect();
    let plan = assemble(scene, session, specs, outputs, (&wiring, &flow), &gathers, hash);
    Ok((Plan { converters: catalogue.converters(), ..plan }, warnings))
}

fn assemble<N: NodeSpec + ?Sized, S: ?Sized>(
    scene: Scene,
    input: Format,
    specs: Vec<Arc<N>>,
    outputs: Vec<Arc<S>>,
    (wiring, flow): (&Wiring, &Flow),
    gathers: &[Gathers],
    hash: u64,
) -> Plan<N, S> {
    let mut order: Vec<usize> = (0..specs.len()).collect();
    order.sort_by_key(|&node| wiring.ranks[node]);
    let targets = |from: End| targets(from, wiring, &order);
    let nodes = order.iter().map(|&index| {
        let (node, spec) = (&scene.nodes[index], specs[index].clone());
        PlanNode {
            id: node.id.clone(),
            rank: wiring.ranks[index],
            input: flow.inputs[index],
            output: flow.outputs[index],
            capabilities: node.capabilities.unwrap_or_default().over(spec.capabilities()),
            buffering: gathers[index].buffering.clone(),
            merge: gathers[index].merge.clone(),
            joins: gathers[index].joins.clone(),
            deadline: node.deadline,
            optional: node.optional,
            targets: targets(End::Node(index)),
            service: spec.service().and_then(|name| scene.services.keys().position(|key| key == name)),
            spec,
        }
    });
    let nodes: Vec<PlanNode<N>> = nodes.collect();
    let arriving = wiring.links.iter().filter(|link| link.to == End::Output);
    let mut kinds: Vec<PortType> = arriving.filter_map(|link| link.ports.map(|(_, _, kind)| kind)).collect();
    kinds.sort();
    kinds.dedup();
    let services = scene.services.iter().zip(outputs).enumerate().map(|(at, ((name, service), output))| {
        let behind_hub = nodes.iter().any(|node| node.service == Some(at) && node.buffering.is_some());
        let timing = service.timing.map(|timing| {
            let workers = if behind_hub { 1 } else { timing.workers() };
            Timing { parallelism: timing.parallelism.or(Some(workers)), ..timing }
        });
        PlanService {
            name: name.clone(),
            timing,
            timeout_ms: service.timeout_ms,
            retries: service.retries,
            fallback: service.fallback.clone(),
            filler: service.filler.clone().map(|text| (text, service.filler_ms)),
            output_name: service.output.name.clone(),
            output,
        }
    });
    Plan {
        input,
        input_targets: targets(End::Input),
        said_targets: targets(End::Said),
        converters: None,
        output: PlanOutput { audio: flow.delivered, kinds },
        services: services.collect(),
        ranks: nodes.iter().map(|node| node.rank + 1).max().unwrap_or(0),
        nodes,
        hash,
        scene,
    }
}

fn targets(from: End, wiring: &Wiring, order: &[usize]) -> Vec<PlanTarget> {
    let links = wiring.links.iter().filter(|link| link.from == from);
    let target = |link: &super::wiring::Link| {
        let node = match link.to {
            End::Node(to) => {
                let place = order.iter().position(|&index| index == to)?;
                NodeRef::Node(u16::try_from(place).ok()?)
            }
            End::Output => NodeRef::Output,
            End::Input | End::Said => return None,
        };
        let (port, input_port, _) = link.ports?;
        Some(PlanTarget { port, node, input_port, edge: u16::try_from(link.edge).ok()? })
    };
    links.filter_map(target).collect()
}

/// FNV-1a, 64 bit.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
