//! The page in one piece under its own policy, and what operators see.

mod support;

use serde_json::json;
use support::{Running, Socket, ask};

#[test]
fn the_page_is_one_file_that_names_the_scenes_and_may_do_nothing_else() {
    let running = Running::of(&["passthrough", "voice_assistant"], |_| {});
    let page = ask(running.clients, "GET", "/", &[], &[]);
    assert_eq!(page.status, 200);
    for gone in ["/* session.js */", "/* strip.js */", "/* scenes */"] {
        assert!(!page.body.contains(gone), "{gone}");
    }
    assert!(page.body.contains("\"model\":\"voice_assistant\""), "the scenes are named");
    assert!(!page.body.contains("src=\"http") && !page.body.contains("href=\"http"), "nothing is fetched");
    let policy = page.header("content-security-policy").expect("there is one");
    assert!(policy.starts_with("default-src 'none'; script-src 'sha256-"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    let module = ask(running.clients, "GET", "/mynah.js", &[], &[]);
    assert!(module.status == 200 && module.body.contains("export"), "{}", module.status);
    let nothing = ask(running.clients, "GET", "/v1/other", &[], &[]);
    assert_eq!((nothing.status, nothing.json()["error"]["code"].as_str()), (404, Some("not_found")));
    // Operators' pages are theirs alone.
    assert_eq!(ask(running.clients, "GET", "/metrics", &[], &[]).status, 404);
}

#[test]
fn operators_see_sessions_refusals_and_messages() {
    let running = Running::of(&["passthrough"], |config| config.max_sessions = 4);
    let mut socket = Socket::connect(running.clients, "/v1/session", &[]).expect("it is open");
    socket.say(&json!({"type": "open"}));
    socket.until("opened");
    let capacity = ask(running.operators, "GET", "/capacity", &[], &[]).json();
    assert_eq!(
        (&capacity["sessions"], &capacity["max"], &capacity["headroom"]),
        (&json!(1), &json!(4), &json!(3))
    );
    assert!(
        ask(running.clients, "POST", "/v1/sessions", &[("Origin", "https://a.example")], b"{}").status == 403
    );
    let page = ask(running.operators, "GET", "/metrics", &[], &[]);
    for line in [
        "mynah_sessions_max 4",
        "mynah_draining 0",
        "mynah_admission_refused_total{reason=\"origin\"} 1",
        "mynah_admission_admitted_total 1",
    ] {
        assert!(page.body.lines().any(|one| one == line), "{line}\n{}", page.body);
    }
    assert_eq!(ask(running.operators, "GET", "/livez", &[], &[]).status, 200);
    let open_metrics = [("Accept", "application/openmetrics-text")];
    assert!(ask(running.operators, "GET", "/metrics", &open_metrics, &[]).body.ends_with("# EOF\n"));
}

#[test]
fn scenes_of_one_server_have_their_names_on_their_figures() {
    let running = Running::of(&["passthrough", "gate_only"], |_| {});
    let page = ask(running.operators, "GET", "/metrics", &[], &[]).body;
    for scene in ["passthrough", "gate_only"] {
        assert!(page.contains(&format!("mynah_sessions{{scene=\"{scene}\"}} 0")), "{page}");
    }
    // Each metric is declared once.
    assert_eq!(page.matches("# TYPE mynah_sessions gauge").count(), 1);
}
