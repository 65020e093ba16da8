//! Branches that part and meet again and again.
use super::*;

/// `stages` times `width` branches from one node to the next, and a last node to the output.
fn diamonds(stages: usize, width: usize) -> String {
    let (mut nodes, mut edges) = (String::new(), String::from("(\"input\", \"h0\"),"));
    for stage in 0..stages {
        nodes += &format!("(id: \"h{stage}\", kind: Burst(frames: 1)),");
        for branch in 0..width {
            nodes += &format!("(id: \"m{stage}x{branch}\", kind: Burst(frames: 1)),");
            edges += &format!(
                "(\"h{stage}\", \"m{stage}x{branch}\"),(\"m{stage}x{branch}\", \"h{}\"),",
                stage + 1
            );
        }
    }
    nodes += &format!("(id: \"h{stages}\", kind: Burst(frames: 1)),");
    edges += &format!("(\"h{stages}\", \"output\")");
    format!("(name: \"diamonds\", nodes: [{nodes}], edges: [{edges}])")
}

#[test]
fn paths_that_multiply_are_warned_of_where_they_pass_the_bound() {
    // Stages, branches, and what is warned of.
    let cases = [
        (1, 4, None),
        (3, 4, None),
        (6, 2, None),
        (7, 2, Some("128 paths lead from `input` to `h7`: each frame comes that often")),
        (4, 4, Some("256 paths lead from `input` to `h4`: each frame comes that often")),
        (12, 4, Some("256 paths lead from `input` to `h4`: each frame comes that often")),
        (20, 2, Some("128 paths lead from `input` to `h7`: each frame comes that often")),
    ];
    let mut failed = Vec::new();
    for (stages, width, wanted) in cases {
        let found = findings(&diamonds(stages, width), &[]);
        let said: Vec<&str> = found.iter().map(|one| one.title.as_str()).collect();
        let warned = found.iter().all(|one| one.severity == Severity::Warning && !one.help.is_empty());
        if said != Vec::from_iter(wanted) || !warned {
            failed.push(format!("{stages} stages of {width}: {said:?}"));
        }
    }
    assert!(failed.is_empty(), "\n{}\n", failed.join("\n"));
}

#[test]
fn paths_that_meet_only_at_the_output_are_warned_of_there() {
    let text = diamonds(3, 4).replace("(\"h3\", \"output\")", "");
    let ends = ["a", "b"].map(|id| format!("(\"h3\", \"{id}\"), (\"{id}\", \"output\")")).join(",");
    let nodes = "(id: \"a\", kind: Burst(frames: 1)), (id: \"b\", kind: Burst(frames: 1)), (id: \"h3\"";
    let text = text.replace("(id: \"h3\"", nodes).replace("])", &format!("{ends}])"));
    let found = findings(&text, &[]);
    let said: Vec<&str> = found.iter().map(|one| one.title.as_str()).collect();
    assert_eq!(said, ["128 paths lead from `input` to `output`: each frame comes that often"], "{text}");
}
