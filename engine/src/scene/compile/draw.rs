//! Draws a compiled scene: ranks, kinds, rates on the edges, queue bounds and overflow policies.

use crate::scene::compile::plan::{NodeRef, Plan, PlanNode, PlanTarget};
use crate::scene::language::catalogue::NodeSpec;
use crate::scene::language::formats::{Format, PortType};

/// How a graph is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Lines for a terminal.
    Text,
    /// Graphviz.
    Dot,
    /// Mermaid, for Markdown pages.
    Mermaid,
}

/// The graph in the given form, ending in a newline.
pub fn draw<N: NodeSpec + ?Sized, S: ?Sized>(plan: &Plan<N, S>, form: Form) -> String {
    match form {
        Form::Text => text(plan),
        Form::Dot => dot(plan),
        Form::Mermaid => mermaid(plan),
    }
}

/// An edge with what flows along it.
struct Edge<'p> {
    from: &'p str,
    to: &'p str,
    carries: String,
}

/// Where an edge comes from.
enum Sender<'p, N: ?Sized> {
    Input,
    Said,
    Node(&'p PlanNode<N>),
}

impl<N: ?Sized> Clone for Sender<'_, N> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<N: ?Sized> Copy for Sender<'_, N> {}

/// All edges of a sender.
fn edges<'p, N: NodeSpec + ?Sized, S: ?Sized>(plan: &'p Plan<N, S>, sender: Sender<'p, N>) -> Vec<Edge<'p>> {
    let (from, targets, format) = match sender {
        Sender::Input => ("input", &plan.input_targets, Some(plan.input)),
        Sender::Said => ("said", &plan.said_targets, None),
        Sender::Node(node) => (node.id.as_str(), &node.targets, node.output),
    };
    let edge = |target: &PlanTarget| {
        let kind = match sender {
            Sender::Input => PortType::Audio,
            Sender::Said => PortType::Text,
            Sender::Node(node) => {
                node.spec.outputs().get(usize::from(target.port)).map_or(PortType::Audio, |port| port.kind)
            }
        };
        let to = match target.node {
            NodeRef::Node(index) => plan.nodes.get(usize::from(index)).map_or("?", |node| &node.id),
            NodeRef::Output => "output",
        };
        Edge { from, to, carries: carries(kind, format) }
    };
    targets.iter().map(edge).collect()
}

fn carries(kind: PortType, format: Option<Format>) -> String {
    match (kind, format) {
        (PortType::Audio, Some(format)) => format.to_string(),
        _ => kind.to_string(),
    }
}

/// A queue in words: `queue 100, drop oldest`.
fn queue<N: ?Sized>(node: &PlanNode<N>) -> String {
    let capabilities = &node.capabilities;
    let deaf = if capabilities.supports_control_messages { "" } else { ", no control messages" };
    format!("queue {}, {}{deaf}", capabilities.queue_capacity, capabilities.overflow_policy)
}

fn service<N: ?Sized, S: ?Sized>(plan: &Plan<N, S>, node: &PlanNode<N>) -> Option<String> {
    let service = plan.services.get(node.service?)?;
    let hub = node.buffering.as_ref().map_or_else(String::new, |buffering| {
        let (min, max) = (buffering.min_batch_size, buffering.max_batch_size);
        format!("hub: batches of {min} to {max}, at most {} ms, ", buffering.max_wait_ms)
    });
    Some(format!("{hub}service {} ({})", service.name, service.output_name))
}

fn text<N: NodeSpec + ?Sized, S: ?Sized>(plan: &Plan<N, S>) -> String {
    let nodes = &plan.nodes;
    let id_width = nodes.iter().map(|node| node.id.len()).max().unwrap_or(0).max("output".len());
    let kind_width = nodes.iter().map(|node| node.spec.kind().len()).max().unwrap_or(0);
    let mut out = format!("{}: {} nodes in {} ranks\n", plan.scene.name, nodes.len(), plan.ranks);
    out += &format!("     {:id_width$}  {}\n", "input", plan.input);
    arrows(&mut out, &edges(plan, Sender::Input));
    if !plan.said_targets.is_empty() {
        out += &format!("     {:id_width$}  lines of the host\n", "said");
        arrows(&mut out, &edges(plan, Sender::Said));
    }
    for node in nodes {
        let note = service(plan, node).map(|service| format!("; {service}")).unwrap_or_default();
        let (rank, kind) = (format!("[{}]", node.rank), node.spec.kind());
        out += &format!("{rank:<4} {:id_width$}  {kind:kind_width$}  {}{note}\n", node.id, queue(node));
        arrows(&mut out, &edges(plan, Sender::Node(node)));
    }
    let kinds: Vec<String> = plan.output.kinds.iter().map(|&kind| carries(kind, plan.output.audio)).collect();
    out += &format!("     {:id_width$}  {}\n", "output", kinds.join(", "));
    out
}

fn arrows(out: &mut String, edges: &[Edge<'_>]) {
    for edge in edges {
        *out += &format!("       -> {} ({})\n", edge.to, edge.carries);
    }
}

/// All edges of the plan, those of the session's ends first.
fn all_edges<N: NodeSpec + ?Sized, S: ?Sized>(plan: &Plan<N, S>) -> Vec<Edge<'_>> {
    let senders = [Sender::Input, Sender::Said].into_iter().chain(plan.nodes.iter().map(Sender::Node));
    senders.flat_map(|sender| edges(plan, sender)).collect()
}

fn dot<N: NodeSpec + ?Sized, S: ?Sized>(plan: &Plan<N, S>) -> String {
    let name: String = plan.scene.name.escape_default().collect();
    let mut out = format!("digraph \"{name}\" {{\n    rankdir=LR;\n    node [shape=box];\n");
    out.push_str("    \"input\" [shape=oval];\n    \"output\" [shape=oval];\n");
    if !plan.said_targets.is_empty() {
        out.push_str("    \"said\" [shape=oval];\n");
    }
    for node in &plan.nodes {
        let note = service(plan, node).map(|service| format!("\\n{service}")).unwrap_or_default();
        let label = format!("{}\\n{}\\n{}{note}", node.id, node.spec.kind(), queue(node));
        out += &format!("    \"{}\" [label=\"{}\"];\n", node.id, label.replace('"', "\\\""));
    }
    for rank in 0..plan.ranks {
        let same = plan.nodes.iter().filter(|node| node.rank == rank);
        let ids: Vec<String> = same.map(|node| format!("\"{}\"", node.id)).collect();
        out += &format!("    {{ rank=same; {}; }}\n", ids.join("; "));
    }
    for edge in all_edges(plan) {
        out += &format!("    \"{}\" -> \"{}\" [label=\"{}\"];\n", edge.from, edge.to, edge.carries);
    }
    out + "}\n"
}

fn mermaid<N: NodeSpec + ?Sized, S: ?Sized>(plan: &Plan<N, S>) -> String {
    // Ids are prefixed: Mermaid has keywords, `end` among them.
    let mut out = String::from("flowchart LR\n    n_input([input])\n    n_output([output])\n");
    if !plan.said_targets.is_empty() {
        out.push_str("    n_said([said])\n");
    }
    for node in &plan.nodes {
        let note = service(plan, node).map(|service| format!("<br>{service}")).unwrap_or_default();
        let (id, kind) = (&node.id, node.spec.kind());
        let label = format!("{id}<br>{kind}, rank {}<br>{}{note}", node.rank, queue(node));
        out += &format!("    n_{id}[\"{}\"]\n", label.replace('"', "#quot;"));
    }
    for edge in all_edges(plan) {
        out += &format!("    n_{} -->|\"{}\"| n_{}\n", edge.from, edge.carries, edge.to);
    }
    out
}
