//! What a scene that was accepted, or refused, owes whoever wrote it.

use std::sync::Arc;

use mynah_engine::observe::Census;
use mynah_engine::scene::{Diagnostic, Diagnostics, Form, NodeRef, Rendering, Severity, draw};
use mynah_engine::{Engine, EngineConfig, PushError, ScenePlan, SessionSpec};

/// A finding names a place in a text that is there, and can be shown without doing anything to a terminal.
pub(crate) fn is_told_well(one: &Diagnostic) {
    assert!(!one.title.trim().is_empty(), "without a title: {one:?}");
    let remedy = !one.label.trim().is_empty() || !one.help.is_empty() || one.title.contains("expected");
    assert!(remedy, "nothing says what would be right: {one:?}");
    for place in [Some(&one.place), one.related.as_ref().map(|(place, _)| place)].into_iter().flatten() {
        assert!(!place.excerpt().contains(['\n', '\r']), "more than a line: {place:?}");
        let (line, column) = place.line_column();
        assert!(line >= 1 && column >= 1);
        assert!(!place.to_string().is_empty());
    }
    let plain = one.render(Rendering::Plain);
    let harmless = |c: char| c == '\n' || c == '\t' || !c.is_control();
    assert!(plain.chars().all(harmless), "control characters reach the terminal: {plain:?}");
    assert!(one.render(Rendering::Styled).len() >= plain.len());
}

/// A refusal has an error in it, and not more findings than somebody reads.
pub(crate) fn is_refused_well(found: &Diagnostics) {
    assert!(found.errors() > 0, "refused without an error: {found:?}");
    found.0.iter().for_each(is_told_well);
}

/// A scene without errors can be drawn, opened and run, and nothing is lost in it.
pub(crate) fn holds(plan: ScenePlan, warnings: &[Diagnostic]) {
    for warning in warnings {
        assert_eq!(warning.severity, Severity::Warning);
        is_told_well(warning);
    }
    for form in [Form::Text, Form::Dot, Form::Mermaid] {
        assert!(draw(&plan, form).ends_with('\n'));
    }
    for node in &plan.nodes {
        assert!((1..=1_000).contains(&node.capabilities.queue_capacity), "{}", node.id);
        for target in &node.targets {
            assert!(match target.node {
                NodeRef::Node(to) => plan.nodes[usize::from(to)].rank > node.rank,
                NodeRef::Output => true,
            });
        }
    }
    runs(Arc::new(plan));
}

/// Two ticks of a session with audio and its end.
fn runs(plan: Arc<ScenePlan>) {
    let input = plan.input;
    let config = EngineConfig { shards: Some(1), sessions_max: 1, ..EngineConfig::simulated() };
    let mut engine = Engine::new(plan, config);
    let session = engine.handle().open(SessionSpec::named("a")).unwrap_or_else(|e| panic!("{e}"));
    let samples = input.rate_hz as usize / 50 * usize::from(input.channels);
    let pushed = session.try_push_with(samples, None, |at, out| {
        for (n, sample) in out.iter_mut().enumerate() {
            *sample = if (at + n) % 40 < 20 { 0.5 } else { -0.5 };
        }
    });
    assert_ne!(pushed, Err(PushError::BadLength { samples }));
    engine.tick(5_000);
    session.finish();
    engine.tick(10_000);
    let (mut census, mut queued) = (Census::default(), Vec::new());
    for balance in engine.census(&mut census).balances(engine.queued(&mut queued)) {
        assert!(balance.holds(), "{balance}: {:?}", engine.plan());
    }
}
