//! Compiled scenes and their pictures.
use super::*;

fn plan(text: &str, sets: &[&str]) -> Plan<Fake, u32> {
    compile_text(text, sets).unwrap_or_else(|found| panic!("{found}")).0
}

#[test]
fn nodes_come_by_rank_with_formats_targets_and_services() {
    let plan = plan(SCENE, &[]);
    let nodes: Vec<_> = plan.nodes.iter().map(|node| (node.id.as_str(), node.rank)).collect();
    assert_eq!(nodes, [("resample", 0), ("gate", 1), ("asr", 2), ("notes", 2), ("tts", 3)]);
    assert_eq!(plan.ranks, 4);
    let (narrow, wide) = (Format { rate_hz: 16_000, channels: 1 }, Format { rate_hz: 48_000, channels: 1 });
    let formats: Vec<_> = plan.nodes.iter().map(|node| (node.input, node.output)).collect();
    let audio = (Some(narrow), Some(narrow));
    assert_eq!(
        formats,
        [(Some(wide), Some(narrow)), audio, (Some(narrow), None), (None, None), (None, Some(narrow))]
    );
    let target = |port, node, edge| PlanTarget { port, node, input_port: 0, edge };
    assert_eq!(plan.input_targets, [target(0, NodeRef::Node(0), 0)]);
    assert_eq!(plan.nodes[1].targets, [target(0, NodeRef::Node(2), 2), target(1, NodeRef::Node(3), 3)]);
    assert_eq!(plan.nodes[4].targets, [target(0, NodeRef::Output, 5)]);
    assert_eq!(plan.output, PlanOutput { audio: Some(narrow), kinds: vec![PortType::Audio] });
    assert_eq!(plan.nodes[2].service, Some(0));
    assert_eq!((plan.services[0].name.as_str(), *plan.services[0].output), ("asr", 3));
    assert_eq!(plan.nodes[1].capabilities.queue_capacity, 100);
    assert_eq!(plan.nodes[1].capabilities.overflow_policy, OverflowPolicy::DropOldest);
    assert_eq!(plan.nodes[0].capabilities.queue_capacity, 64);
    assert_eq!(plan.node("tts"), Some(4));
}

#[test]
fn a_recording_brings_its_own_format() {
    let format = Format { rate_hz: 44_100, channels: 2 };
    let found = compile(&Source::new("scene.ron", SCENE), &[], Some(format), &Fakes);
    let (recorded, _) = found.unwrap_or_else(|found| panic!("{found}"));
    assert_eq!((recorded.input, recorded.nodes[0].input), (format, Some(format)));
    assert_eq!(recorded.nodes[0].output, Some(Format { rate_hz: 16_000, channels: 2 }));
    assert_eq!(recorded.hash, plan(SCENE, &[]).hash);
}

#[test]
fn the_hash_sees_values_and_not_looks() {
    let hash = plan(SCENE, &[]).hash;
    let moved = changed("threshold: 0.9, label: \"main\"", "/* x */ label : \"main\",threshold: 0.9,");
    assert_eq!(plan(&moved, &[]).hash, hash);
    assert_eq!(plan(SCENE, &["gate.threshold=0.9"]).hash, hash);
    assert_ne!(plan(SCENE, &["gate.threshold=0.8"]).hash, hash);
    assert_ne!(plan(&changed("\"main\"", "\"ma in\""), &[]).hash, hash);
    assert_eq!(plan(&changed("0.9", "0.8"), &[]).hash, plan(SCENE, &["gate.threshold=0.8"]).hash);
}

#[test]
fn every_section_can_be_written_out() {
    let full = changed("tick: (period_ms: 5)", "tick: (period_ms: 5, driver: WakeOnIngress, min_gap_us: 0, catch_up_max: 4, shards: None)")
        .replace("limits: (", "transports: [Http, Http()],\n    metrics: (enabled: false, address: \"127.0.0.1:9464\"),\n    limits: (")
        .replace("parallelism: 64", "parallelism: 64, batch_item_cost: 0.25, reduced_cost: 0.6, words_per_s: 0, speed: 20, scale: 1");
    let (full, plain) = (plan(&full, &[]).scene, plan(SCENE, &[]).scene);
    assert_eq!(full.transports.iter().map(|entry| entry.config.as_str()).collect::<Vec<_>>(), ["()", "()"]);
    assert_eq!(Scene { transports: Vec::new(), ..full }, plain, "what is written out are the defaults");
}

#[test]
fn limits_are_listed_by_name() {
    let limits: Vec<_> = plan(SCENE, &[]).scene.limits.iter().collect();
    assert_eq!(limits, [("speech_end_to_response_p99_ms", 250.0), ("dropped_frames", 0.0)]);
}

#[test]
fn pictures() {
    let plan = plan(SCENE, &[]);
    let text = "\
assistant: 5 nodes in 4 ranks
     input     48000 Hz mono
       -> resample (48000 Hz mono)
[0]  resample  Resample  queue 64, block
       -> gate (16000 Hz mono)
[1]  gate      Gate      queue 100, drop oldest
       -> asr (16000 Hz mono)
       -> notes (event)
[2]  asr       Call      queue 64, block; service asr (Script)
       -> tts (text)
[2]  notes     Collect   queue 64, block
[3]  tts       Speak     queue 64, block
       -> output (16000 Hz mono)
     output    16000 Hz mono
";
    assert_eq!(draw(&plan, Form::Text), text);
    let dot = draw(&plan, Form::Dot);
    assert!(dot.starts_with("digraph \"assistant\" {") && dot.ends_with("}\n"), "{dot}");
    assert!(dot.contains("\"gate\" [label=\"gate\\nGate\\nqueue 100, drop oldest\"];"), "{dot}");
    assert!(dot.contains("\"gate\" -> \"notes\" [label=\"event\"];"), "{dot}");
    assert!(dot.contains("{ rank=same; \"asr\"; \"notes\"; }"), "{dot}");
    let mermaid = draw(&plan, Form::Mermaid);
    assert!(mermaid.contains("n_gate[\"gate<br>Gate, rank 1<br>queue 100, drop oldest\"]"), "{mermaid}");
    assert!(mermaid.contains("n_tts -->|\"16000 Hz mono\"| n_output"), "{mermaid}");
}
