//! Follows which audio format arrives at each node, and lets the nodes judge it.

use std::sync::Arc;

use crate::scene::compile::check::{Checker, at};
use crate::scene::compile::wiring::{End, Wiring};
use crate::scene::language::catalogue::{Issue, NodeSpec, Severity};
use crate::scene::language::diagnostic::Diagnostic;
use crate::scene::language::finder::short_span;
use crate::scene::language::formats::{Format, OverflowPolicy, PortType};
use crate::scene::language::locate::Step;
use crate::scene::language::suggest;

/// A format, or the fact that an error before it keeps it unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arrival {
    Unknown,
    /// The format; `None`: no audio.
    Known(Option<Format>),
}

/// Formats at each node, in the order of the file, and at the output.
pub(crate) struct Flow {
    pub(crate) inputs: Vec<Option<Format>>,
    pub(crate) outputs: Vec<Option<Format>>,
    pub(crate) delivered: Option<Format>,
}

impl Checker<'_> {
    /// Follows the audio from the input through all nodes, lets each judge what arrives, and checks that queues can
    /// take what is sent to them.
    pub(crate) fn flow<N: NodeSpec + ?Sized>(
        &mut self,
        session: Format,
        wiring: &Wiring,
        specs: &[Option<Arc<N>>],
    ) -> Flow {
        let count = specs.len();
        let mut leaving = vec![Arrival::Unknown; count];
        let (mut inputs, mut outputs) = (vec![None; count], vec![None; count]);
        let behind_cycles = (0..count).filter(|node| !wiring.order.contains(node));
        for node in wiring.order.iter().copied().chain(behind_cycles) {
            let Some(spec) = specs[node].as_deref() else { continue };
            let takes_audio = spec.inputs().iter().any(|port| port.kind == PortType::Audio);
            let arrival = match self.arrival(End::Node(node), session, wiring, &leaving) {
                Arrival::Known(None) if takes_audio => Arrival::Unknown,
                arrival => arrival,
            };
            leaving[node] = self.judge(node, spec, arrival, session);
            if let (Arrival::Known(input), Arrival::Known(output)) = (arrival, leaving[node]) {
                (inputs[node], outputs[node]) = (input, output);
                self.room(node, spec.max_out(input), wiring, specs);
            }
        }
        let delivered = match self.arrival(End::Output, session, wiring, &leaving) {
            Arrival::Known(format) => format,
            Arrival::Unknown => None,
        };
        self.services_called(specs);
        self.words_of_scene(specs);
        Flow { inputs, outputs, delivered }
    }

    /// The one format of all audio that arrives somewhere.
    fn arrival(&mut self, end: End, session: Format, wiring: &Wiring, leaving: &[Arrival]) -> Arrival {
        let mut first: Option<(usize, Format)> = None;
        let mut unknown = false;
        for link in wiring.links.iter().filter(|link| link.to == end) {
            let Some((_, _, kind)) = link.ports else {
                unknown = true;
                continue;
            };
            if kind != PortType::Audio {
                continue;
            }
            let sent = match link.from {
                End::Input => Arrival::Known(Some(session)),
                End::Node(node) => leaving[node],
                End::Said | End::Output => Arrival::Unknown,
            };
            let Arrival::Known(Some(format)) = sent else {
                unknown = true;
                continue;
            };
            match first {
                None => first = Some((link.edge, format)),
                Some((before, other)) if other != format => {
                    self.formats_differ((before, other), (link.edge, format));
                    return Arrival::Unknown;
                }
                Some(_) => {}
            }
        }
        if unknown { Arrival::Unknown } else { Arrival::Known(first.map(|(_, format)| format)) }
    }

    fn formats_differ(&mut self, first: (usize, Format), second: (usize, Format)) {
        let target = &self.scene.edges[second.0].1;
        let title = format!("audio of two formats meets at `{target}`: {} and {}", first.1, second.1);
        let wrong = self.error(&at!["edges", second.0], title, format!("brings {}", second.1));
        let place = self.edited.place(self.span(&at!["edges", first.0]));
        let wrong = wrong.related(place, format!("brings {}", first.1));
        self.found.push(wrong.help("put a resampler into one of the two paths"));
    }

    /// Collects the node's own issues; its output format is unknown after an error.
    fn judge<N: NodeSpec + ?Sized>(
        &mut self,
        node: usize,
        spec: &N,
        arrival: Arrival,
        session: Format,
    ) -> Arrival {
        let mut issues = Vec::new();
        let (input, guessed) = match arrival {
            Arrival::Known(input) => (input, false),
            Arrival::Unknown => (Some(session), true),
        };
        let output = spec.check(input, &self.scene.tick, &mut issues);
        if guessed {
            // The format is only assumed: an issue about the whole node may be due to that.
            issues.retain(|issue| !issue.field.is_empty());
        }
        let failed = issues.iter().any(|issue| issue.severity == Severity::Error);
        for issue in issues {
            self.issue(node, spec.kind(), issue);
        }
        if failed || guessed { Arrival::Unknown } else { Arrival::Known(output) }
    }

    fn issue(&mut self, node: usize, kind: &str, issue: Issue) {
        let mut at = at!["nodes", node, "kind"].to_vec();
        let value = self.document.find(&at).map_or(0..0, short_span);
        let mut span = value;
        for name in issue.field.split('.').filter(|name| !name.is_empty()) {
            at.push(name.parse().map_or_else(|_| Step::from(name), Step::Index));
            if let Some(value) = self.document.find(&at) {
                span = value.span.clone();
            }
        }
        let id = &self.scene.nodes[node].id;
        let title = match issue.field.as_str() {
            "" => format!("`{id}` ({kind}): {}", issue.message),
            field => format!("`{id}.{field}`: {}", issue.message),
        };
        let label = issue.expected.map(|expected| format!("expected {expected}")).unwrap_or_default();
        let mut diagnostic = Diagnostic::error(self.edited.place(span), title, label);
        diagnostic.severity = issue.severity;
        diagnostic.help.extend(issue.help);
        self.found.push(diagnostic);
    }

    /// Requires that queues that drop hold at least what one step sends them, or every burst would lose frames. Where
    /// the sender blocks, a burst waits outside until there is room.
    fn room<N: NodeSpec + ?Sized>(
        &mut self,
        node: usize,
        max_out: u32,
        wiring: &Wiring,
        specs: &[Option<Arc<N>>],
    ) {
        for link in wiring.links.iter().filter(|link| link.from == End::Node(node)) {
            let End::Node(to) = link.to else { continue };
            let Some(spec) = specs[to].as_deref() else { continue };
            let capabilities =
                self.scene.nodes[to].capabilities.unwrap_or_default().over(spec.capabilities());
            let waits = capabilities.overflow_policy == OverflowPolicy::Block;
            if !waits && (1..max_out).contains(&capabilities.queue_capacity) {
                let (sender, receiver) = (&self.scene.nodes[node].id, &self.scene.nodes[to].id);
                let title = format!(
                    "the queue of `{receiver}` holds {} frames, `{sender}` sends up to {max_out} at once",
                    capabilities.queue_capacity
                );
                let at = at!["nodes", to, "capabilities", "queue_capacity"];
                let wrong = self.error(&at, title, format!("expected {max_out}..=1000"));
                self.found.push(wrong);
            }
        }
    }

    /// Reports fallbacks and fillers that nobody could say: only a reply may be in words of the scene.
    fn words_of_scene<N: NodeSpec + ?Sized>(&mut self, specs: &[Option<Arc<N>>]) {
        let scene = self.scene;
        let words = scene.services.iter().flat_map(|(name, service)| {
            let of = |field, text: &Option<Arc<str>>| text.clone().map(|text| (name, field, text));
            [of("fallback", &service.fallback), of("filler", &service.filler)].into_iter().flatten()
        });
        for (name, field, text) in words {
            let path = at!["services", name.as_str(), field];
            if text.trim().is_empty() {
                let found = self.error(&path, format!("the {field} says nothing"), "no words");
                self.found.push(found.help(format!("leave `{field}` out, or give the words to be said")));
                continue;
            }
            let mut callers = specs.iter().flatten().filter(|spec| spec.service() == Some(name));
            let speechless = |spec: &Arc<N>| {
                let text = spec.outputs().first().is_some_and(|port| port.kind == PortType::Text);
                !text || spec.transcribes()
            };
            if callers.any(speechless) {
                let title = format!("`{name}` gives no reply in words, so no {field} can be said");
                let found = self.error(&path, title, "cannot be said");
                let help = format!("set `{field}` on the service that replies, like a language model");
                self.found.push(found.help(help));
            }
        }
    }

    /// Reports services that are called and missing, or defined and not called.
    fn services_called<N: NodeSpec + ?Sized>(&mut self, specs: &[Option<Arc<N>>]) {
        let scene = self.scene;
        let known: Vec<&str> = scene.services.keys().map(String::as_str).collect();
        let mut called = Vec::new();
        for (node, spec) in specs.iter().enumerate() {
            let Some(name) = spec.as_deref().and_then(NodeSpec::service) else { continue };
            called.push(name);
            if !scene.services.contains_key(name) {
                let id = &scene.nodes[node].id;
                let title = format!("`{id}` calls the service `{name}`, which the scene does not have");
                let place = self.edited.place(self.name_span(node, name));
                let help = suggest::help(name, "services are", &known);
                self.found.push(Diagnostic::error(place, title, "unknown service").help(help));
            }
        }
        // A missing name may be the one that is not called: it has been reported already.
        let complete = specs.iter().all(Option::is_some) && called.iter().all(|name| known.contains(name));
        for name in known.into_iter().filter(|name| complete && !called.contains(name)) {
            let services = self.document.find(&at!["services"]);
            let key = services.and_then(|all| self.document.step(all, &name.into())?.key.clone());
            let title = format!("no node calls the service `{name}`");
            self.found.push(Diagnostic::warning(
                self.edited.place(key.unwrap_or(0..0)),
                title,
                "never called",
            ));
        }
    }

    /// The place of this string in a node's configuration; otherwise the place of its kind.
    fn name_span(&self, node: usize, name: &str) -> std::ops::Range<usize> {
        let Some(kind) = self.document.find(&at!["nodes", node, "kind"]) else { return 0..0 };
        let kind = self.document.within(kind);
        let items = kind.group.as_ref().map_or(&[][..], |group| &group.items);
        let holds = items.iter().find(|item| self.document.string(&item.value).as_deref() == Some(name));
        holds.map_or_else(|| short_span(kind), |item| item.value.span.clone())
    }
}
