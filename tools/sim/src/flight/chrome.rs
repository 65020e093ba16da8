//! Trace event format, as ui.perfetto.dev and chrome://tracing read it: one span a tick, in it one span for each stage,
//! and the queues as counters.
//!
//! The time of a trace is engine time; a tick that took longer than the way to the next one pushes that back. Stages
//! are summed over the shards. What several workers did at once is more than the tick took: then its spans share the
//! tick in proportion to their work, which stands in `work_us` as it was.

use std::fmt::Write as _;
use std::io;

use super::ring::{Ring, Row};

/// Names for what a ring has numbers for.
#[derive(Clone, Debug)]
pub struct Names {
    /// Name of the scene.
    pub scene: String,
    /// Stages in the order of the ring's tables.
    pub stages: Vec<String>,
    /// Places of the stages in the order in which a tick goes through them.
    pub order: Vec<usize>,
    /// Queues in the order of the ring's tables.
    pub queues: Vec<String>,
}

/// Writes the ring as one JSON object.
///
/// # Errors
/// What `out` says.
pub fn write(ring: &Ring, names: &Names, out: &mut dyn io::Write) -> io::Result<()> {
    let mut page = Page { text: String::new(), names, end_ns: 0, shown: vec![None; names.queues.len()] };
    page.head();
    out.write_all(page.text.as_bytes())?;
    for row in ring.rows() {
        page.text.clear();
        page.tick(row);
        out.write_all(page.text.as_bytes())?;
    }
    out.write_all(b"\n]}\n")
}

struct Page<'a> {
    text: String,
    names: &'a Names,
    /// End of the tick before.
    end_ns: u64,
    /// What each counter shows.
    shown: Vec<Option<u32>>,
}

impl Page<'_> {
    fn push(&mut self, what: std::fmt::Arguments<'_>) {
        self.text.write_fmt(what).expect("a string takes everything");
    }

    fn head(&mut self) {
        let scene = quoted(&self.names.scene);
        self.push(format_args!("{{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n"));
        self.push(format_args!(
            "{{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":1,\"args\":{{\"name\":{scene}}}}},\n"
        ));
        self.push(format_args!(
            "{{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":1,\"tid\":1,\"args\":{{\"name\":\"ticks\"}}}}"
        ));
    }

    fn tick(&mut self, row: Row<'_>) {
        let tick = row.tick;
        let from_ns = (tick.at_us * 1_000).max(self.end_ns);
        self.end_ns = from_ns + tick.took_ns;
        let work_ns: u64 = row.work_ns.iter().map(|ns| u64::from(*ns)).sum();
        let (shard, shard_ns) = tick.slowest;
        self.span("tick", "tick", from_ns, tick.took_ns);
        self.push(format_args!(
            "\"tick\":{},\"engine_us\":{},\"late_us\":{},\"sessions\":{},\"work_us\":{},\"slowest_shard\":{shard},\
             \"slowest_shard_us\":{}}}}}",
            tick.serial,
            tick.at_us,
            tick.late_us,
            tick.sessions,
            Us(work_ns),
            Us(shard_ns)
        ));
        let mut before_ns = 0;
        let place = |done_ns: u64| match work_ns {
            _ if work_ns <= tick.took_ns => done_ns,
            _ => (u128::from(done_ns) * u128::from(tick.took_ns) / u128::from(work_ns)) as u64,
        };
        for &stage in &self.names.order {
            let ns = u64::from(row.work_ns[stage]);
            let (start_ns, end_ns) = (place(before_ns), place(before_ns + ns));
            before_ns += ns;
            if end_ns > start_ns {
                let kind = if stage + 1 < self.names.queues.len() { "node" } else { "engine" };
                let name = quoted(&self.names.stages[stage]);
                self.raw_span(&name, kind, from_ns + start_ns, end_ns - start_ns);
                self.push(format_args!("\"work_us\":{}}}}}", Us(ns)));
            }
        }
        self.counters(row.waiting, from_ns);
    }

    /// The queues whose depth is another one than before.
    fn counters(&mut self, waiting: &[u32], at_ns: u64) {
        for (queue, frames) in waiting.iter().enumerate() {
            if self.shown[queue] == Some(*frames) {
                continue;
            }
            self.shown[queue] = Some(*frames);
            let name = quoted(&format!("waiting at {}", self.names.queues[queue]));
            self.push(format_args!(
                ",\n{{\"name\":{name},\"ph\":\"C\",\"pid\":1,\"ts\":{},\"args\":{{\"frames\":{frames}}}}}",
                Us(at_ns)
            ));
        }
    }

    fn span(&mut self, name: &str, kind: &str, from_ns: u64, took_ns: u64) {
        self.raw_span(&quoted(name), kind, from_ns, took_ns);
    }

    /// Begins a complete event; its arguments follow.
    fn raw_span(&mut self, quoted: &str, kind: &str, from_ns: u64, took_ns: u64) {
        self.push(format_args!(
            ",\n{{\"name\":{quoted},\"cat\":\"{kind}\",\"ph\":\"X\",\"pid\":1,\"tid\":1,\"ts\":{},\"dur\":{},\
             \"args\":{{",
            Us(from_ns),
            Us(took_ns)
        ));
    }
}

/// Nanoseconds as the format's microseconds.
struct Us(u64);

impl std::fmt::Display for Us {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1_000, self.0 % 1_000)
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("any text is a JSON string")
}
