//! Whatever a name or a text says, it stays text: no tag, no attribute and no entity of a page comes from it.

mod support;

use std::sync::{Arc, OnceLock};

use mynah::recorded::page::{Recorded, page};
use mynah_engine::scene::Format;
use mynah_engine::{Event, NodeId, Record, ScenePlan, SessionId};
use mynah_load::load::schedule::Phase;
use mynah_load::wav::Recording;
use mynah_pages::picture::report;
use mynah_pages::picture::session::Picture;
use mynah_pages::picture::witness::Witness;
use mynah_sim::report::Report;
use mynah_sim::run::track::{Placement, Released, Track};
use mynah_sim::scenes;
use mynah_sim::simulate::callers::CallerScript;
use mynah_sim::simulate::{Options, RunClock, Simulation};
use proptest::prelude::*;
use support::markup::{Tag, tags};

/// A description that would do harm if it were markup.
const HOSTILE: &str = "</h1><script>alert('1')</script>\" onload=\"x &amp; {{body}} <!--";

/// The scene with that description, written once: two tests that each wrote it would read each other's half-written file.
fn plan() -> Arc<ScenePlan> {
    static PLAN: OnceLock<Arc<ScenePlan>> = OnceLock::new();
    Arc::clone(PLAN.get_or_init(compiled))
}

fn compiled() -> Arc<ScenePlan> {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("hostile.ron");
    let scene = format!(
        "// A description that would do harm.\n(name: \"hostile\", description: {HOSTILE:?}, tick: (period_ms: 10),\n \
         session: (input: (rate_hz: 16000, channels: 1, chunk_ms: 20)),\n \
         nodes: [(id: \"gate\", kind: VadGate(vad: Energy))], edges: [(\"input\", \"gate\"), (\"gate\", \"output\")])"
    );
    std::fs::write(&path, scene).expect("the scene can be written");
    let script = Arc::new(CallerScript::default());
    let compiled = scenes::compile(path.to_str().expect("UTF-8"), &[], None, Some(script));
    compiled.unwrap_or_else(|failure| panic!("{failure}")).0
}

/// A short run, whose report is given other texts.
fn simulated() -> (&'static Report, &'static Witness) {
    static RUN: OnceLock<(Report, Witness)> = OnceLock::new();
    let (report, witness) = RUN.get_or_init(|| {
        let (plan, script) = (plan(), Arc::new(CallerScript::default()));
        let options = Options {
            sessions: 1,
            duration_us: 6_000_000,
            seed: 1,
            clock: RunClock::Virtual,
            threads: 1,
            shards: Some(1),
            recordings: None,
            phase: Phase::Staggered,
            set: vec![String::new()],
            linked: None,
        };
        let mut witness = Witness::new(&plan, options.duration_us);
        let mut simulation = Simulation::new(plan, &script, options, &mut witness).expect("the scene fits");
        witness.prepare(&mut simulation);
        let report = simulation.run(&mut witness);
        (report, witness)
    });
    (report, witness)
}

/// The report's page where everything that is text says `text`.
fn reported(text: &str) -> String {
    let (report, witness) = simulated();
    let mut report = report.clone();
    let all = [&mut report.scene, &mut report.load, &mut report.tick, &mut report.event_hash];
    all.into_iter().for_each(|part| part.clone_from(&text.to_string()));
    report.set = vec![text.to_string()];
    report.frames.imbalances = vec![text.to_string()];
    for node in &mut report.nodes {
        node.id = text.to_string();
        node.queue.overflow = text.to_string();
    }
    report::page(&report, witness)
}

/// The page of a recording whose name and answer say `text`.
fn recorded(plan: &ScenePlan, text: &str) -> String {
    let recording = Recording { rate: 8_000, channels: 1, samples: vec![0.1; 8_000] };
    let mut picture = Picture::default();
    let said: String = format!("said: {text}");
    for event in [
        Event::SegmentOpened { segment: 1, from_us: 0 },
        Event::Endpoint { segment: 1, revision: 1, at_us: 9_000, seen_us: 10_000 },
        Event::Text { node: NodeId(0), segment: 1, revision: 1, text: said.as_str().into() },
    ] {
        picture.take(&Record::new(0, SessionId(0), 1, event));
    }
    let mut track = Track::new(Format { rate_hz: 8_000, channels: 1 }, Placement::Placed);
    let samples = [0.5; 80];
    track.add(Released { samples: &samples, pts_us: 0, released_us: 0, segment: 1, revision: 1, turn: 1 });
    let session = Recorded { name: text, recording: &recording, picture: &picture, track: Some(&track) };
    page(plan, &[session, session], None)
}

/// Tags and the names of their attributes, without what attributes say.
fn shape(page: &str) -> Vec<(String, Vec<String>)> {
    let names = |tag: Tag| (tag.name.clone(), tag.attributes().map(str::to_string).collect());
    tags(page).map(names).collect()
}

/// What a browser makes of escaped text.
fn read_back(markup: &str) -> String {
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    entities.into_iter().fold(markup.to_string(), |text, (entity, meant)| text.replace(entity, meant))
}

fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<char>().prop_map(String::from),
        "[<>&\"'/= !-]{1,4}",
        Just("</title><script>".to_string()),
        Just("\" onmouseover=\"".to_string()),
        Just("{{body}}".to_string()),
        Just("]]>".to_string()),
        Just("&#x3c;".to_string()),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

#[test]
fn a_hostile_description_is_shown_as_it_is() {
    let plan = plan();
    for page in [reported("x"), recorded(&plan, "x")] {
        let lead = page.split("<p class=\"lead\">").nth(1).and_then(|rest| rest.split("</p>").next());
        assert_eq!(lead.map(read_back).as_deref(), Some(HOSTILE));
        assert!(!page.contains("<script"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_changes_the_shape_of_a_page(text in texts()) {
        static PLAN: OnceLock<Arc<ScenePlan>> = OnceLock::new();
        let plan = PLAN.get_or_init(plan);
        let meant: String = text
            .chars()
            .map(|c| if c.is_control() && c != '\n' { '\u{FFFD}' } else { c })
            .collect();
        for (name, plain, page) in [
            ("report", reported("x"), reported(&text)),
            ("recording", recorded(plan, "x"), recorded(plan, &text)),
        ] {
            prop_assert_eq!(shape(&plain), shape(&page), "{}", name);
            let heading = if name == "report" { "<h1>" } else { "<h2>" };
            let shown = page.split(heading).nth(1).and_then(|rest| rest.split("</h").next());
            prop_assert_eq!(shown.map(read_back), Some(meant.clone()), "{}", name);
            // Beside the heading the name stands in the overview, and what was said in the list.
            if name == "recording" {
                let read = read_back(&page);
                prop_assert!(read.contains(&format!(">said: {meant}</td>")), "{}", name);
                prop_assert!(read.contains(&format!("\">{meant}</a>")), "{}", name);
            }
        }
    }
}
