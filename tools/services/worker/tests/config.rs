//! What a scene may say of a service in worker processes, and what it is told otherwise.

use mynah_worker::Worker;

#[test]
fn defaults_are_as_documented() {
    let worker = Worker::parse("()").expect("everything has a default");
    assert_eq!((worker.workers, worker.parallel, worker.hung_ms, worker.retries), (1, 4, 3_000, 1));
    assert_eq!((worker.restart_ms, worker.wait_ms, worker.command), ((100, 10_000), 5_000, None));
    Worker::parse(
        r#"(engine: "mynah", command: Some(["sh", "-c", "true"]), restart_ms: (1, 1), parallel: 64)"#,
    )
    .expect("every machine of ours has a shell");
}

#[test]
fn what_is_wrong_is_told_with_its_value_and_what_it_may_be() {
    let cases = [
        (r#"(command: Some([]))"#, "command: nothing to run"),
        (
            r#"(command: Some(["no-such-program-here"]))"#,
            "`no-such-program-here` is not found; give its path",
        ),
        (r#"(command: Some(["./no/such/path"]))"#, "`./no/such/path` is not found"),
        (r#"(engine: "a/b")"#, "engine: `a/b`: expected 1 to 40 letters"),
        (r#"(engine: "")"#, "engine: ``: expected 1 to 40"),
        (r#"(prefix: "a b")"#, "prefix: `a b`"),
        ("(workers: 0)", "workers: 0 is out of range; expected 1 to 32"),
        ("(parallel: 65)", "parallel: 65 is out of range; expected 1 to 64"),
        ("(hung_ms: 10)", "hung_ms: 10 is out of range; expected 500 to 600000"),
        ("(restart_ms: (100, 50))", "restart_ms.1: 50 is out of range; expected 100 to 600000"),
        ("(restart_ms: (0, 50))", "restart_ms.0: 0 is out of range"),
        ("(speaks_hz: 100)", "speaks_hz: 100 is out of range; expected 8000 to 192000"),
        ("(retries: 6)", "retries: 6 is out of range"),
        ("(worker: 1)", "worker"),
    ];
    for (config, expected) in cases {
        let error = Worker::parse(config).expect_err(config).to_string();
        assert!(error.contains(expected), "{config}: {error}");
    }
}
