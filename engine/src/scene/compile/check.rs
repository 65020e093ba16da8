//! Refuses values that parse but cannot be right: out of range, contradictory, or with an unknown name.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use ron::error::SpannedError;

use crate::scene::language::catalogue::{Catalogue, Severity};
use crate::scene::language::diagnostic::Diagnostic;
use crate::scene::language::finder::{path_name, short_span};
use crate::scene::language::formats::{CHANNELS, QUEUE_CAPACITY};
use crate::scene::language::limits::Limits;
use crate::scene::language::locate::{Document, Step};
use crate::scene::language::model::{
    Deadline, Entry, FILLER_MS, LATENCY_MS, Latency, Pace, RETRIES, Scene, TIMEOUT_MS, Timing,
};
use crate::scene::language::overrides::{FIXED, SECTIONS};
use crate::scene::language::repair;
use crate::scene::language::source::Edited;
use crate::scene::language::suggest;

/// Makes a path from names and positions.
macro_rules! at {
    ($($step:expr),* $(,)?) => { [$($crate::scene::language::locate::Step::from($step)),*] };
}
pub(crate) use at;

/// Sample rates a session may have.
const RATE_HZ: RangeInclusive<u32> = 8_000..=192_000;
/// Shortest time between ticks on the wall clock: a longer one would hold arrivals back longer than the longest
/// period.
const GAP_US: RangeInclusive<u32> = 0..=100_000;
/// Late ticks made up for: more would be a stretch of ticks in which nothing new is heard.
const CATCH_UP: RangeInclusive<u32> = 0..=1_000;
/// Typical time for one item: longer ones are bounded by no deadline either.
const PROCESSING_US: RangeInclusive<u32> = 0..=60_000_000;
/// Budget and margin of a deadline: the engine's unit, a microsecond, to ten minutes.
const DEADLINE_MS: RangeInclusive<f64> = 0.001..=600_000.0;
/// Factor of modelled latencies.
const SCALE: RangeInclusive<f64> = 0.001..=100.0;
/// Seconds of audio made per second.
const SPEED: RangeInclusive<f64> = 0.01..=10_000.0;
/// Words of a reply a second, unless all come at once.
const WORDS_PER_S: RangeInclusive<f64> = 0.1..=10_000.0;
/// Cost of each further item of a batch; above 1 a batch costs more than it saves.
const ITEM_COST: RangeInclusive<f64> = 0.0..=10.0;

/// Collects what is wrong with one scene.
pub(crate) struct Checker<'a> {
    pub(crate) edited: &'a Edited,
    pub(crate) document: &'a Document<'a>,
    pub(crate) scene: &'a Scene,
    pub(crate) found: Vec<Diagnostic>,
}

impl Checker<'_> {
    pub(crate) fn failed(&self) -> bool {
        self.found.iter().any(|one| one.severity == Severity::Error)
    }

    /// The text of the value at a path, or of the nearest owner that is in the text.
    pub(crate) fn span(&self, path: &[Step]) -> Range<usize> {
        if let Some(value) = self.document.find(path) {
            return value.span.clone();
        }
        let owner = (0..path.len()).rev().find_map(|length| self.document.find(&path[..length]));
        owner.map_or(0..0, short_span)
    }

    pub(crate) fn error(
        &self,
        path: &[Step],
        title: impl Into<String>,
        label: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic::error(self.edited.place(self.span(path)), title, label)
    }

    pub(crate) fn warning(
        &self,
        path: &[Step],
        title: impl Into<String>,
        label: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic::warning(self.edited.place(self.span(path)), title, label)
    }

    /// Refuses a value outside the expected range.
    pub(crate) fn range(&mut self, path: &[Step], value: impl Display, fits: bool, expected: &str) {
        if !fits {
            let name = path_name(self.document, path);
            let title = format!("`{name}` is {value}, expected {expected}");
            self.found.push(self.error(path, title, format!("expected {expected}")));
        }
    }

    /// Refuses a pair in which the second is below the first.
    pub(crate) fn order(
        &mut self,
        low: &[Step],
        low_value: impl Display,
        high: &[Step],
        high_value: impl Display,
    ) {
        let (high_name, low_name) = (path_name(self.document, high), path_name(self.document, low));
        let title = format!("`{high_name}` is {high_value}, below `{low_name}`, {low_value}");
        let wrong = self.error(high, title, format!("expected {low_value} or more"));
        let other = self.edited.place(self.span(low));
        self.found.push(wrong.related(other, format!("{low_value}")));
    }

    /// Refuses a number outside a range of this unit, and values that are no numbers.
    pub(crate) fn within(&mut self, path: &[Step], value: f64, range: &RangeInclusive<f64>, unit: &str) {
        let expected = format!("{}..={}{unit}", range.start(), range.end());
        self.range(path, value, range.contains(&value), &expected);
    }

    pub(crate) fn not_negative(&mut self, path: &[Step], value: f64) {
        self.range(path, value, value.is_finite() && value >= 0.0, "a number from 0 up");
    }

    /// Checks everything that can be judged without knowing the node kinds.
    pub(crate) fn values(&mut self) {
        let scene = self.scene;
        let (tick, input) = (scene.tick, scene.session.input);
        self.range(&at!["name"], "empty", !scene.name.is_empty(), "a name");
        self.range(
            &at!["tick", "period_ms"],
            tick.period_ms,
            (1..=100).contains(&tick.period_ms),
            "1..=100 ms",
        );
        let gap_us = tick.min_gap_us;
        self.range(&at!["tick", "min_gap_us"], gap_us, GAP_US.contains(&gap_us), "0..=100000 us");
        let late = tick.catch_up_max;
        self.range(&at!["tick", "catch_up_max"], late, CATCH_UP.contains(&late), "0..=1000 ticks");
        if let Some(shards) = tick.shards {
            self.range(&at!["tick", "shards"], shards, (1..=4096).contains(&shards), "1..=4096");
        }
        let rate = &at!["session", "input", "rate_hz"];
        self.range(rate, input.rate_hz, RATE_HZ.contains(&input.rate_hz), "8000..=192000 Hz");
        let channels = &at!["session", "input", "channels"];
        self.range(channels, input.channels, CHANNELS.contains(&input.channels), "1..=8");
        let chunk = &at!["session", "input", "chunk_ms"];
        self.range(chunk, input.chunk_ms, (1..=1000).contains(&input.chunk_ms), "1..=1000 ms");
        let tolerance_ms = input.pts_tolerance_ms;
        let tolerance = &at!["session", "input", "pts_tolerance_ms"];
        self.range(tolerance, tolerance_ms, tolerance_ms <= 500, "0..=500 ms");
        if let Pace::RealTime { lead_ms } = scene.session.output.pace {
            let lead = &at!["session", "output", "pace", "lead_ms"];
            self.range(lead, lead_ms, lead_ms <= 10_000, "0..=10000 ms");
        }
        if let Some(min_ms) = scene.session.output.interrupt_min_ms {
            let interrupt = &at!["session", "output", "interrupt_min_ms"];
            self.range(interrupt, min_ms, (100..=5_000).contains(&min_ms), "100..=5000 ms");
        }
        let port = scene.metrics.address.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>()));
        let address_fits = matches!(port, Some((host, Ok(_))) if !host.is_empty());
        let shown = format!("`{}`", scene.metrics.address);
        self.range(&at!["metrics", "address"], shown, address_fits, "HOST:PORT, like 127.0.0.1:9464");
        self.limits(&scene.limits);
        self.nodes();
        self.services();
    }

    fn limits(&mut self, limits: &Limits) {
        for (name, value) in limits.iter() {
            if name.contains("ratio") {
                self.range(&at!["limits", name], value, (0.0..=1.0).contains(&value), "0..=1");
            } else {
                self.not_negative(&at!["limits", name], value);
            }
        }
    }

    fn nodes(&mut self) {
        let scene = self.scene;
        for (index, node) in scene.nodes.iter().enumerate() {
            self.id(index, &node.id);
            if let Some(capacity) = node.capabilities.and_then(|of| of.queue_capacity) {
                let path = at!["nodes", index, "capabilities", "queue_capacity"];
                self.range(&path, capacity, QUEUE_CAPACITY.contains(&capacity), "1..=1000 frames");
            }
            if let Some(time_us) = node.capabilities.and_then(|of| of.avg_processing_us) {
                let path = at!["nodes", index, "capabilities", "avg_processing_us"];
                self.range(&path, time_us, PROCESSING_US.contains(&time_us), "0..=60000000 us");
            }
            if let Some(Deadline { budget_ms, margin_ms, .. }) = node.deadline {
                self.within(&at!["nodes", index, "deadline", "budget_ms"], budget_ms, &DEADLINE_MS, " ms");
                self.within(&at!["nodes", index, "deadline", "margin_ms"], margin_ms, &DEADLINE_MS, " ms");
            }
        }
    }

    fn id(&mut self, index: usize, id: &str) {
        let path = at!["nodes", index, "id"];
        let odd = id.chars().any(|c| !matches!(c, 'a'..='z' | '0'..='9' | '_'));
        let refused = match id {
            "" => Some(("a node's id is empty".to_owned(), "expected letters a-z, digits and `_`")),
            "input" | "said" | "output" => {
                Some((format!("a node cannot be called `{id}`"), "this is an end of the session"))
            }
            _ if odd => {
                Some((format!("`{id}` is no id for a node"), "expected letters a-z, digits and `_` only"))
            }
            _ if SECTIONS.contains(&id) || FIXED.contains(&id) => {
                Some((format!("a node cannot be called `{id}`"), "`--set` means the scene's section by this"))
            }
            _ => None,
        };
        if let Some((title, label)) = refused {
            self.found.push(self.error(&path, title, label));
        }
        if let Some(first) = self.scene.nodes[..index].iter().position(|node| node.id == id) {
            let before = self.edited.place(self.span(&at!["nodes", first, "id"]));
            let twice = self.error(&path, format!("two nodes are called `{id}`"), "second");
            self.found.push(twice.related(before, "first"));
        }
    }

    fn services(&mut self) {
        let scene = self.scene;
        for (name, service) in &scene.services {
            if let Some(timing) = &service.timing {
                self.timing(name, timing);
            }
            let at = |field: &str| at!["services", name.as_str(), field];
            let (timeout_ms, retries) = (service.timeout_ms, service.retries);
            self.range(&at("timeout_ms"), timeout_ms, TIMEOUT_MS.contains(&timeout_ms), "10..=600000 ms");
            self.range(&at("retries"), retries, RETRIES.contains(&retries), "0..=5");
            let filler_ms = service.filler_ms;
            self.range(&at("filler_ms"), filler_ms, FILLER_MS.contains(&filler_ms), "20..=60000 ms");
            if service.filler.is_some() && filler_ms >= timeout_ms {
                let title = format!("the call fails after {timeout_ms} ms, before the filler is said");
                self.found.push(self.error(
                    &at("filler_ms"),
                    title,
                    format!("expected less than {timeout_ms} ms"),
                ));
            }
        }
        let items = self.document.find(&at!["services"]).and_then(|value| value.group.as_ref());
        let keys: Vec<_> = items
            .map_or(&[][..], |group| &group.items)
            .iter()
            .map(|item| (self.document.key(item), item.key.clone().unwrap_or_default()))
            .collect();
        for (index, (key, span)) in keys.iter().enumerate() {
            if let Some((_, first)) = keys[..index].iter().find(|(before, _)| before == key) {
                let title = format!("two services are called {}", &self.document.text[span.clone()]);
                let twice = Diagnostic::error(self.edited.place(span.clone()), title, "second");
                self.found.push(twice.related(self.edited.place(first.clone()), "first"));
            }
        }
    }

    fn timing(&mut self, service: &str, timing: &Timing) {
        let at = |name: &str| at!["services", service, "timing", name];
        let latency = |name: &str| at!["services", service, "timing", "latency", name];
        match timing.latency {
            Latency::LogNormal { p50_ms, p99_ms } => {
                self.within(&latency("p50_ms"), p50_ms, &LATENCY_MS, " ms");
                self.within(&latency("p99_ms"), p99_ms, &LATENCY_MS, " ms");
                if p99_ms < p50_ms {
                    self.order(&latency("p50_ms"), p50_ms, &latency("p99_ms"), p99_ms);
                }
            }
            Latency::Fixed { ms } => self.within(&latency("ms"), ms, &LATENCY_MS, " ms"),
        }
        let workers = timing.workers();
        self.range(&at("parallelism"), workers, (1..=1000).contains(&workers), "1..=1000");
        self.within(&at("batch_item_cost"), timing.batch_item_cost, &ITEM_COST, "");
        let reduced = timing.reduced_cost;
        self.range(&at("reduced_cost"), reduced, reduced > 0.0 && reduced <= 1.0, "above 0 to 1");
        let words = timing.words_per_s;
        let fits = words == 0.0 || WORDS_PER_S.contains(&words);
        self.range(&at("words_per_s"), words, fits, "0, or 0.1..=10000");
        self.within(&at("speed"), timing.speed, &SPEED, "");
        self.within(&at("scale"), timing.scale, &SCALE, "");
    }

    /// The configured nodes; `None` where one is refused.
    pub(crate) fn kinds<C: Catalogue>(&mut self, catalogue: &C) -> Vec<Option<Arc<C::Node>>> {
        let (scene, known) = (self.scene, catalogue.kinds());
        let read = |(index, node): (usize, &crate::scene::language::model::SceneNode)| {
            let path = at!["nodes", index, "kind"];
            self.entry(&path, &node.kind, "node kind", &known, |name, config| {
                catalogue.parse_kind(name, config)
            })
        };
        scene.nodes.iter().enumerate().map(read).collect()
    }

    /// Whether the fields there have a name that was meant to be `field`, which was told.
    fn is_misspelt(&self, owner: &[Step], field: &str) -> bool {
        let group = self.document.find(owner).and_then(|value| value.group.as_ref());
        let mut names = group.iter().flat_map(|group| &group.items).filter_map(|item| item.key.clone());
        names.any(|name| {
            let word = &self.document.text[name];
            word != field && suggest::nearest(word, [field]).is_some()
        })
    }

    /// The configured service outputs; `None` where one is refused.
    pub(crate) fn service_outputs<C: Catalogue>(&mut self, catalogue: &C) -> Vec<Option<Arc<C::Service>>> {
        let (scene, known) = (self.scene, catalogue.service_outputs());
        let read = |(name, service): (&String, &crate::scene::language::model::SceneService)| {
            let path = at!["services", name.as_str(), "output"];
            let parse = |name: &str, config: &str| catalogue.parse_service(name, config);
            let output = self.entry(&path, &service.output, "service output", &known, parse);
            if service.timing.is_none()
                && !self.is_misspelt(&at!["services", name.as_str()], "timing")
                && output.as_ref().is_some_and(|output| catalogue.keeps_timing(output))
            {
                let title = format!("`services.{name}` lacks the field `timing`");
                let found = self.error(&path, title, "its answers come when `timing` says");
                self.found.push(found.help("add one, like `timing: (latency: Fixed(ms: 20))`"));
            }
            output
        };
        scene.services.iter().map(read).collect()
    }

    pub(crate) fn transports<C: Catalogue>(&mut self, catalogue: &C) {
        let Some(known) = catalogue.transports() else { return };
        for (index, transport) in self.scene.transports.iter().enumerate() {
            let parse = |name: &str, config: &str| catalogue.check_transport(name, config);
            self.entry(&at!["transports", index], transport, "transport", &known, parse);
        }
    }

    /// Reads `Name(fields)` with a catalogue that knows the names.
    fn entry<T>(
        &mut self,
        path: &[Step],
        entry: &Entry,
        what: &str,
        known: &[&'static str],
        parse: impl Fn(&str, &str) -> Result<T, SpannedError>,
    ) -> Option<T> {
        let value = self.document.find(path).map(|value| self.document.within(value));
        let head = value.map_or(0..0, short_span);
        if !known.contains(&entry.name.as_str()) {
            let (title, help) = if entry.name.is_empty() {
                let example = known.first().unwrap_or(&"Name");
                (format!("a {what} is a name with its fields"), format!("like `{example}(...)`"))
            } else {
                let help = suggest::help(&entry.name, &format!("{what}s are"), known);
                (format!("unknown {what} `{}`", entry.name), help)
            };
            let place = self.edited.place(head);
            self.found.push(Diagnostic::error(place, title, "unknown name").help(help));
            return None;
        }
        let Some(group) = value.and_then(|value| value.group.as_ref()) else {
            let refused = |error| self.found.push(self.bare_entry(head, entry, &error));
            return parse(&entry.name, &entry.config).map_err(refused).ok();
        };
        let config = |text: &str| parse(&entry.name, text);
        let read = repair::read(self.edited, self.document, group.span.clone(), config);
        let fits = read.found.is_empty();
        self.found.extend(read.found);
        read.value.filter(|_| fits)
    }

    /// What is wrong with `Name` without parentheses: a field is missing.
    fn bare_entry(&self, head: Range<usize>, entry: &Entry, error: &SpannedError) -> Diagnostic {
        let (title, label) = match &error.code {
            ron::Error::MissingStructField { field, .. } => (
                format!("`{}` lacks the field `{field}`", entry.name),
                format!("expected `{}({field}: ...)`", entry.name),
            ),
            other => (format!("`{}`: {other}", entry.name), String::new()),
        };
        Diagnostic::error(self.edited.place(head), title, label)
    }
}
