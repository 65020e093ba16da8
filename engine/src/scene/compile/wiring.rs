//! Resolves the edges of a scene: which ports they join, in which order nodes can run, and which nodes are
//! unreachable.

use std::sync::Arc;

use crate::scene::compile::check::{Checker, at};
use crate::scene::language::catalogue::NodeSpec;
use crate::scene::language::formats::{Port, PortType};
use crate::scene::language::suggest;

/// Targets of one node, all its ports together.
const TARGETS_MAX: usize = 4;

/// The end of an edge: a node, or an end of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Input,
    /// What the host has the session say.
    Said,
    Node(usize),
    Output,
}

/// An edge whose ends exist.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link {
    /// Its position in the scene's `edges`.
    pub(crate) edge: usize,
    pub(crate) from: End,
    pub(crate) to: End,
    /// Output port, input port and type; `None` where a node is refused or its ports do not fit.
    pub(crate) ports: Option<(u8, u8, PortType)>,
}

/// The graph, nodes in the order of the file.
pub(crate) struct Wiring {
    pub(crate) links: Vec<Link>,
    /// Longest path from the input, per node; 0 within and behind a cycle, which is an error.
    pub(crate) ranks: Vec<u32>,
    /// Nodes in an order in which each comes after all that feed it; without those behind a cycle.
    pub(crate) order: Vec<usize>,
}

/// One side of an edge: the end and the port that is named.
type Side<'t> = (End, Option<&'t str>);

const SESSION_PORT: [Port; 1] = [Port { name: "audio", kind: PortType::Audio }];
const SAID_PORT: [Port; 1] = [Port { name: "text", kind: PortType::Text }];
const ANY_PORT: [Port; 3] = [
    Port { name: "audio", kind: PortType::Audio },
    Port { name: "text", kind: PortType::Text },
    Port { name: "event", kind: PortType::Event },
];

impl<'a> Checker<'a> {
    /// Resolves all edges and judges the graph they make.
    pub(crate) fn wiring<N: NodeSpec + ?Sized>(&mut self, specs: &[Option<Arc<N>>]) -> Wiring {
        let mut links: Vec<Link> = Vec::new();
        for edge in 0..self.scene.edges.len() {
            let (from, to) = (self.side(edge, 0), self.side(edge, 1));
            let (Some(from), Some(to)) = (from, to) else { continue };
            let link = Link { edge, from: from.0, to: to.0, ports: self.ports(edge, from, to, specs) };
            let same = |other: &&Link| {
                let named = |link: &Link| link.ports.map(|(output, input, _)| (output, input));
                // Where ports are unknown, only edges with equal text are equal.
                let known = link.ports.is_some() || self.scene.edges[other.edge] == self.scene.edges[edge];
                known && (other.from, other.to, named(other)) == (link.from, link.to, named(&link))
            };
            if let Some(first) = links.iter().find(same) {
                let place = self.edited.place(self.span(&at!["edges", first.edge]));
                let twice = self.error(&at!["edges", edge], "this edge is given twice", "second");
                self.found.push(twice.related(place, "first"));
                continue;
            }
            links.push(link);
        }
        self.fan_out(&links);
        let (ranks, order) = self.ranks(&links);
        self.reach(&links, specs);
        Wiring { links, ranks, order }
    }

    /// The end that one half of an edge names.
    fn side(&mut self, edge: usize, half: usize) -> Option<Side<'a>> {
        let scene = self.scene;
        let (from, to) = &scene.edges[edge];
        let text = if half == 0 { from } else { to };
        let (name, port) =
            text.split_once('.').map_or((text.as_str(), None), |(name, port)| (name, Some(port)));
        let at = at!["edges", edge, half];
        let end = match (name, half) {
            ("input", 0) => Some(End::Input),
            ("output", 1) => Some(End::Output),
            ("said", 0) => Some(End::Said),
            ("said", _) => {
                let wrong = self.error(&at, "an edge leads into `said`", "lines only come from here");
                let help = "`said` is where lines of the host arrive; they go to the node that speaks";
                self.found.push(wrong.help(help));
                return None;
            }
            ("input", _) => {
                let wrong = self.error(&at, "an edge leads into `input`", "audio only comes from here");
                self.found.push(
                    wrong.help("`input` is where a session's audio arrives; the answer goes to `output`"),
                );
                return None;
            }
            ("output", _) => {
                let wrong = self.error(&at, "an edge comes out of `output`", "the answer only goes here");
                self.found.push(wrong.help("`output` is where the answer leaves; audio comes from `input`"));
                return None;
            }
            _ => scene.nodes.iter().position(|node| node.id == name).map(End::Node),
        };
        if end.is_none() {
            let ends = [&["input", "said"][..], &["output"]][half];
            let ids = scene.nodes.iter().map(|node| node.id.as_str());
            let known: Vec<&str> = ids.chain(ends.iter().copied()).collect();
            let unknown = self.error(&at, format!("the edge names no node: `{name}`"), "no node has this id");
            self.found.push(unknown.help(suggest::help(name, "nodes are", &known)));
        }
        Some((end?, port))
    }

    /// The ports that an edge joins: those it names, else the only pair of one type.
    fn ports<N: NodeSpec + ?Sized>(
        &mut self,
        edge: usize,
        from: Side<'_>,
        to: Side<'_>,
        specs: &[Option<Arc<N>>],
    ) -> Option<(u8, u8, PortType)> {
        let spec = |end: End| match end {
            End::Node(node) => specs[node].as_deref().map(Some),
            End::Input | End::Said | End::Output => Some(None),
        };
        let (sender, receiver) = (spec(from.0)?, spec(to.0)?);
        let session = if from.0 == End::Said { &SAID_PORT[..] } else { &SESSION_PORT[..] };
        let outputs = self.named(edge, 0, from, sender.map_or(session, NodeSpec::outputs))?;
        let inputs = self.named(edge, 1, to, receiver.map_or(&ANY_PORT[..], NodeSpec::inputs))?;
        let mut pairs: Vec<(u8, u8, PortType)> = Vec::new();
        for &(output, sent) in &outputs {
            let fitting = inputs.iter().filter(|(_, taken)| taken.kind == sent.kind);
            // The session's output takes any type at one port.
            pairs.extend(
                fitting.map(|&(input, _)| (output, if receiver.is_none() { 0 } else { input }, sent.kind)),
            );
        }
        if to.0 == End::Output && pairs.len() > 1 {
            pairs.retain(|&(_, _, kind)| kind == PortType::Audio);
        }
        match pairs[..] {
            [one] => Some(one),
            [] => self.mismatch(edge, &outputs, &inputs),
            _ => self.ambiguous(edge, from, &outputs),
        }
    }

    /// The ports that one half of an edge may mean.
    fn named(&mut self, edge: usize, half: usize, side: Side<'_>, ports: &[Port]) -> Option<Vec<(u8, Port)>> {
        let at = at!["edges", edge, half];
        let all = || ports.iter().zip(0..).map(|(&port, index)| (index, port));
        let direction = ["output", "input"][half];
        let id = match side.0 {
            End::Node(node) => self.scene.nodes[node].id.as_str(),
            End::Input => "input",
            End::Said => "said",
            End::Output => "output",
        };
        let Some(name) = side.1 else {
            if ports.is_empty() {
                let title = format!("`{id}` has no {direction} port");
                let label = ["nothing comes out of it", "nothing goes into it"][half];
                self.found.push(self.error(&at, title, label));
                return None;
            }
            return Some(all().collect());
        };
        if !matches!(side.0, End::Node(_)) {
            let whole = self.error(&at, format!("`{id}` has no ports"), format!("expected `{id}`"));
            self.found.push(whole);
            return None;
        }
        let hit: Vec<_> = all().filter(|(_, port)| port.name == name).collect();
        if hit.is_empty() {
            let known: Vec<&str> = ports.iter().map(|port| port.name).collect();
            let unknown = self.error(&at, format!("`{id}` has no {direction} port `{name}`"), "unknown port");
            let help = suggest::help(name, &format!("its {direction} ports are"), &known);
            self.found.push(unknown.help(help));
            return None;
        }
        Some(hit)
    }

    fn mismatch<T>(&mut self, edge: usize, outputs: &[(u8, Port)], inputs: &[(u8, Port)]) -> Option<T> {
        let kinds = |ports: &[(u8, Port)]| {
            let mut kinds: Vec<PortType> = ports.iter().map(|(_, port)| port.kind).collect();
            kinds.sort();
            kinds.dedup();
            kinds.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
        };
        let (from, to) = &self.scene.edges[edge];
        let (sent, taken) = (kinds(outputs), kinds(inputs));
        let title = format!("`{from}` sends {sent}, `{to}` takes {taken}");
        let wrong = self.error(&at!["edges", edge], title, format!("expected {taken}"));
        self.found.push(wrong);
        None
    }

    fn ambiguous<T>(&mut self, edge: usize, from: Side<'_>, outputs: &[(u8, Port)]) -> Option<T> {
        let (sender, receiver) = &self.scene.edges[edge];
        let names: Vec<&str> = outputs.iter().map(|(_, port)| port.name).collect();
        let title = format!("the edge from `{sender}` to `{receiver}` could mean several ports");
        let help = match from.1 {
            None => format!("name one: {}", suggest::list(&names)),
            Some(_) => "name the port behind the dot, on both ends".into(),
        };
        let wrong = self.error(&at!["edges", edge], title, "which port?");
        self.found.push(wrong.help(help));
        None
    }

    fn fan_out(&mut self, links: &[Link]) {
        let ends = [End::Input, End::Said].into_iter().chain((0..self.scene.nodes.len()).map(End::Node));
        for end in ends {
            let mut targets = links.iter().filter(|link| link.from == end);
            let count = targets.clone().count();
            if let Some(fifth) = targets.nth(TARGETS_MAX) {
                let name = self.scene.edges[fifth.edge].0.split('.').next().unwrap_or("");
                let title = format!("`{name}` has {count} targets, at most {TARGETS_MAX} are possible");
                let wrong = self.error(&at!["edges", fifth.edge], title, "one too many");
                self.found.push(wrong);
            }
        }
    }

    /// Ranks and order of the nodes; every cycle is reported once.
    fn ranks(&mut self, links: &[Link]) -> (Vec<u32>, Vec<usize>) {
        let count = self.scene.nodes.len();
        let feeds: Vec<(usize, usize, usize)> = links
            .iter()
            .filter_map(|link| match (link.from, link.to) {
                (End::Node(from), End::Node(to)) => Some((from, to, link.edge)),
                _ => None,
            })
            .collect();
        let (mut ranks, mut order) = (vec![0_u32; count], Vec::new());
        let (mut placed, mut in_cycle) = (vec![false; count], vec![false; count]);
        loop {
            let ready = |node: usize, placed: &[bool]| {
                !placed[node] && feeds.iter().all(|&(from, to, _)| to != node || placed[from])
            };
            if let Some(node) = (0..count).find(|&node| ready(node, &placed)) {
                placed[node] = true;
                let before =
                    feeds.iter().filter(|&&(_, to, _)| to == node).map(|&(from, _, _)| ranks[from] + 1);
                ranks[node] = before.max().unwrap_or(0);
                if !feeds.iter().any(|&(from, to, _)| to == node && in_cycle[from]) {
                    order.push(node);
                } else {
                    in_cycle[node] = true;
                }
                continue;
            }
            let Some(start) = (0..count).find(|&node| !placed[node]) else { return (ranks, order) };
            for node in self.cycle(start, &feeds, &placed) {
                placed[node] = true;
                in_cycle[node] = true;
            }
        }
    }

    /// Follows the edges backwards among the nodes that wait for each other until one repeats.
    fn cycle(&mut self, start: usize, feeds: &[(usize, usize, usize)], placed: &[bool]) -> Vec<usize> {
        let mut way = vec![start];
        let mut edges = Vec::new();
        loop {
            let node = way[way.len() - 1];
            let before = feeds.iter().find(|&&(from, to, _)| to == node && !placed[from]);
            let Some(&(from, _, edge)) = before else { return way };
            edges.push(edge);
            if let Some(first) = way.iter().position(|&seen| seen == from) {
                let mut nodes = way.split_off(first);
                nodes.push(from);
                let names: Vec<&str> =
                    nodes.iter().rev().map(|&node| self.scene.nodes[node].id.as_str()).collect();
                let title = format!("the edges form a loop: {}", names.join(" -> "));
                let closing = edges[first..].iter().copied().max().unwrap_or(edge);
                let wrong = self.error(&at!["edges", closing], title, "the loop closes here");
                self.found.push(wrong.help("audio flows one way, from `input` to `output`"));
                return nodes;
            }
            way.push(from);
        }
    }

    /// Reports nodes that no audio reaches, and nodes that lead nowhere.
    fn reach<N: NodeSpec + ?Sized>(&mut self, links: &[Link], specs: &[Option<Arc<N>>]) {
        let scene = self.scene;
        // A refused node may be a source: it has been reported already.
        let source = |node: usize| specs[node].as_ref().is_none_or(|spec| spec.inputs().is_empty());
        let mut reached: Vec<bool> = (0..scene.nodes.len()).map(source).collect();
        let mut output = false;
        // Each round reaches a further node or is the last.
        for _ in 0..=scene.nodes.len() {
            for link in links {
                let from = match link.from {
                    End::Node(node) => reached[node],
                    End::Input | End::Said => true,
                    End::Output => false,
                };
                match link.to {
                    End::Node(node) => reached[node] |= from,
                    End::Output => output |= from,
                    End::Input | End::Said => {}
                }
            }
        }
        // An edge with an unknown name may be the missing one: it has been reported already.
        let complete = links.len() == scene.edges.len();
        for (index, node) in scene.nodes.iter().enumerate() {
            let at = at!["nodes", index, "id"];
            let fed = links.iter().any(|link| link.to == End::Node(index));
            if !reached[index] && !fed && complete {
                let lost =
                    self.error(&at, format!("nothing reaches node `{}`", node.id), "no path from `input`");
                self.found.push(lost.help("add an edge into it, or remove the node"));
            }
            let sends = specs[index].as_ref().is_some_and(|spec| !spec.outputs().is_empty());
            if sends && complete && !links.iter().any(|link| link.from == End::Node(index)) {
                let title = format!("the output of node `{}` goes nowhere", node.id);
                self.found.push(self.warning(&at, title, "no edge begins here"));
            }
        }
        if !output && complete {
            let lost = self.error(&at!["edges"], "no path leads from `input` to `output`", "");
            self.found.push(lost.help("the last node needs an edge to `output`"));
        }
    }
}
