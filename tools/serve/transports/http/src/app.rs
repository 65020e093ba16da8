//! What every route knows, and which routes there are.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::{from_fn_with_state, map_request, map_response};
use axum::routing::{any, delete, get, post};
use mynah_serve::{Credential, DrainPhase, Place, Refused, Server};
use tokio::sync::watch;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};

use crate::lobby::Lobby;
use crate::refusal::explained;
use crate::routes;

/// What every route knows.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) server: Arc<Server>,
    pub(crate) lobby: Arc<Lobby>,
    pub(crate) phase: watch::Receiver<DrainPhase>,
}

impl App {
    pub(crate) fn new(server: Arc<Server>, phase: watch::Receiver<DrainPhase>) -> Arc<Self> {
        Arc::new(Self { lobby: Arc::default(), phase, server })
    }

    /// Admits a client; see [`Server::admit_from`].
    pub(crate) fn admit(
        &self,
        address: SocketAddr,
        model: &str,
        credential: &Credential,
    ) -> Result<Place, Refused> {
        self.server.admit_from(address.ip(), model, credential)
    }

    fn speaks(&self, protocol: &str) -> bool {
        self.server.config().protocols.iter().any(|one| one == protocol)
    }
}

/// The routes of clients.
pub(crate) fn clients(app: &Arc<App>) -> Router {
    let mut router =
        Router::new().route("/", get(routes::page::page)).route("/mynah.js", get(routes::page::module));
    if app.speaks("native") {
        router = router
            .route("/v1/session", any(routes::native::upgrade))
            .route("/v1/sessions", post(routes::sessions::open))
            .route("/v1/sessions/{id}", delete(routes::sessions::close))
            .route("/v1/sessions/{id}/events", get(routes::sessions::events))
            .route("/v1/sessions/{id}/control", post(routes::sessions::control))
            .route("/v1/sessions/{id}/ack/{message}", post(routes::sessions::acknowledge))
            .route("/v1/sessions/{id}/finish", post(routes::sessions::finish))
            .route("/v1/sessions/{id}/audio", get(routes::sound::listen).post(routes::sound::speak));
    }
    if app.speaks("realtime") {
        router = router
            .route("/v1/realtime", any(routes::realtime::upgrade))
            .route("/v1/realtime/client_secrets", post(routes::realtime::secret));
    }
    if app.speaks("flux") {
        router = router.route("/v2/listen", any(routes::flux::upgrade));
    }
    router
        .fallback(routes::nothing)
        .layer(cors(app))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        .layer(CatchPanicLayer::new())
        .layer(map_response(explained))
        .layer(map_request(routes::with_host))
        .with_state(Arc::clone(app))
}

/// Pages of the allowed origins may read answers; of WebSockets the upgrade judges.
fn cors(app: &Arc<App>) -> CorsLayer {
    let origins = app.server.config().allowed_origins.clone();
    let any = origins.iter().any(|one| one == "*");
    let judge = move |origin: &HeaderValue, _: &_| any || origins.iter().any(|one| origin == one.as_str());
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(judge))
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
        .expose_headers([HeaderName::from_static("x-request-id"), header::RETRY_AFTER])
        .max_age(Duration::from_secs(600))
}

/// The routes of operators.
pub(crate) fn operators(app: &Arc<App>) -> Router {
    Router::new()
        .route("/metrics", get(routes::operations::metrics))
        .route("/livez", get(routes::operations::live))
        .route("/readyz", get(routes::operations::ready))
        .route("/capacity", get(routes::operations::capacity))
        .route("/drain", post(routes::operations::drain))
        .fallback(routes::operations::nothing)
        .layer(from_fn_with_state(Arc::clone(app), routes::operations::guard))
        .layer(CatchPanicLayer::new())
        .layer(map_request(routes::with_host))
        .with_state(Arc::clone(app))
}
