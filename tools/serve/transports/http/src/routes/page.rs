//! The page to talk to a scene, and the module that its sessions are made with.

use std::sync::{Arc, OnceLock};

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mynah_dialects::SceneFacts;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::app::App;

const PAGE: &str = include_str!("../../page/index.html");
const STRIP: &str = include_str!("../../page/strip.js");
const MODULE: &str = include_str!("../../page/session.js");

pub(crate) async fn page(State(app): State<Arc<App>>) -> Response {
    let scenes: Vec<serde_json::Value> = app
        .server
        .scenes()
        .offered()
        .iter()
        .map(|(model, scene)| {
            let plan = scene.plan();
            let facts = SceneFacts::of(plan);
            json!({
                "model": model,
                "scene": scene.name(),
                "description": plan.scene.description,
                "hears": facts.hears,
                "speaks": facts.speaks,
                "simulated": scene.simulated(),
                "leaves": scene.leaves(),
                "threshold": facts.gate.map(|gate| gate.threshold),
            })
        })
        .collect();
    // Within a script no text may end it.
    let scenes = serde_json::Value::from(scenes).to_string().replace('<', "\\u003c");
    let (page, policy) = whole();
    let page = page.replacen("/* scenes */", &scenes, 1);
    let headers: [(HeaderName, HeaderValue); 5] = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::CONTENT_SECURITY_POLICY, policy.clone()),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (HeaderName::from_static("permissions-policy"), HeaderValue::from_static("microphone=(self)")),
    ];
    (headers, page).into_response()
}

/// The page in one piece, but for its scenes, and the policy that lets it do what it does and nothing else: its own script
/// and style are known by their hashes.
fn whole() -> &'static (String, HeaderValue) {
    static WHOLE: OnceLock<(String, HeaderValue)> = OnceLock::new();
    WHOLE.get_or_init(|| {
        let page = PAGE.replacen("/* session.js */", MODULE, 1).replacen("/* strip.js */", STRIP, 1);
        let policy = format!(
            "default-src 'none'; script-src '{}' blob:; style-src '{}'; connect-src 'self'; img-src data:; base-uri \
             'none'; form-action 'none'; frame-ancestors 'none'",
            hash(&page, "<script type=\"module\">", "</script>"),
            hash(&page, "<style>", "</style>"),
        );
        let policy = HeaderValue::try_from(policy).expect("hashes are ASCII");
        (page, policy)
    })
}

/// The hash of what stands between two marks, as a policy names it.
fn hash(page: &str, from: &str, until: &str) -> String {
    let inside =
        page.split_once(from).and_then(|(_, rest)| rest.split_once(until)).map_or("", |(inside, _)| inside);
    format!("sha256-{}", STANDARD.encode(Sha256::digest(inside.as_bytes())))
}

pub(crate) async fn module() -> Response {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], MODULE).into_response()
}
