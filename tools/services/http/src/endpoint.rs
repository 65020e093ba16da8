//! A server as one service uses it: its address, key and limits, and requests with one retry.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use hyper::{Method, Request, Response, Uri};
use hyper_util::client::legacy::connect::capture_connection;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use mynah_engine::service::Call;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

use crate::address::ServerUrl;
use crate::body::AnswerBody;
use crate::connection::Connector;
use crate::errand::{CallTimes, Errand, Overdue, life_of};
use crate::key::ServiceKey;
use crate::limits::CallLimits;
use crate::quote::Quoting;
use crate::refusal::Refusal;
use crate::runtime::runtime;

/// How long a connection that nobody uses is kept. Servers of this kind close it after 5 s; who is later loses a request.
const POOL_IDLE: Duration = Duration::from_secs(3);
/// Most of an error's body that is read, bytes, and for how long.
const ERROR_BYTES_MAX: usize = 64 << 10;
/// See [`ERROR_BYTES_MAX`].
const ERROR_TIME: Duration = Duration::from_secs(1);

/// What is sent.
pub(crate) struct Outgoing {
    /// Where to.
    pub(crate) to: Uri,
    /// GET or POST.
    pub(crate) method: Method,
    /// Of the body.
    pub(crate) content_type: String,
    /// What may come back.
    pub(crate) accept: &'static str,
    /// The body.
    pub(crate) body: Bytes,
}

impl Outgoing {
    /// A request without a body.
    pub(crate) fn get(to: Uri) -> Self {
        let (content_type, body) = (String::new(), Bytes::new());
        Self { to, method: Method::GET, content_type, accept: "*/*", body }
    }
}

/// A server.
pub(crate) struct Endpoint {
    /// Its address.
    pub(crate) url: ServerUrl,
    key: Option<ServiceKey>,
    quoting: Quoting,
    limits: CallLimits,
    client: Client<Connector, Full<Bytes>>,
    /// One for each request that may be under way.
    places: Arc<Semaphore>,
}

impl Endpoint {
    /// `parallel`: most requests that are under way at once.
    ///
    /// # Errors
    /// TLS has no roots to trust; what helps.
    pub(crate) fn new(
        url: ServerUrl,
        key: Option<ServiceKey>,
        limits: CallLimits,
        parallel: usize,
    ) -> Result<Self, String> {
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(POOL_IDLE)
            .pool_timer(TokioTimer::new())
            // Whether a request may be made again is decided here.
            .retry_canceled_requests(false)
            .build(Connector::new(limits.connect, url.is_secure())?);
        let quoting = Quoting::without(key.clone());
        Ok(Self { url, key, quoting, limits, client, places: Arc::new(Semaphore::new(parallel)) })
    }

    /// The same for all calls of a service, or why every call of it fails.
    pub(crate) fn shared(
        url: &ServerUrl,
        key: Option<&ServiceKey>,
        limits: CallLimits,
        parallel: usize,
    ) -> Result<Arc<Self>, Arc<str>> {
        // Its thread begins with the engine, not in the tick of the first call.
        runtime()?;
        Self::new(url.clone(), key.cloned(), limits, parallel).map(Arc::new).map_err(Arc::from)
    }

    /// The times of `call`, or of a request that no call asks for.
    pub(crate) fn times(&self, call: Option<&Call>) -> CallTimes {
        let left_us = call.filter(|call| call.deadline_us > 0);
        let left_us = left_us.map(|call| call.deadline_us.saturating_sub(call.queued_us));
        CallTimes { call: self.limits.call, left: left_us.map(Duration::from_micros) }
    }

    /// What a server said, for an error.
    pub(crate) fn quoted(&self, text: &str) -> String {
        self.quoting.quoted(text)
    }

    /// Sends a request, if need be a second time, and waits for the first byte of its answer.
    ///
    /// # Errors
    /// Why there is none, with address and what helps.
    pub(crate) async fn ask(&self, errand: &Errand, outgoing: &Outgoing) -> Result<AnswerBody, String> {
        let named = |refusal: Refusal| format!("{}: {}", outgoing.to, refusal.reason);
        // In virtual time the scene says how many are under way, and the server may bear less.
        let place = errand.within(None, Arc::clone(&self.places).acquire_owned()).await;
        let place =
            place.map_err(|overdue| named(self.overdue(overdue)))?.map_err(|cause| cause.to_string())?;
        let first = match self.once(errand, outgoing).await {
            Ok(answer) => return Ok(answer.at(place)),
            Err(refusal) => refusal,
        };
        let Some(after) = first.again else { return Err(named(first)) };
        let ends = errand.due.map_or(errand.ends(), |due| due.min(errand.ends()));
        if Instant::now().checked_add(after).is_none_or(|at| at >= ends) {
            let reason = format!(
                "{}; it may be asked again after {} ms, and the call has less time than that",
                first.reason,
                after.as_millis()
            );
            return Err(named(Refusal::last(reason)));
        }
        sleep(after).await;
        let second = self.once(errand, outgoing).await.map(|answer| answer.at(place));
        second.map_err(|refusal| {
            named(Refusal::last(format!("{} (asked again after: {})", refusal.reason, first.reason)))
        })
    }

    /// Sends a request once.
    async fn once(&self, errand: &Errand, outgoing: &Outgoing) -> Result<AnswerBody, Refusal> {
        let mut request = self.request(outgoing)?;
        let line = capture_connection(&mut request);
        errand.uses(line.clone());
        let mut response = pin!(self.client.request(request));
        let mut connecting = line.clone();
        let connected = async {
            drop(connecting.wait_for_connection_metadata().await);
        };
        // The connector keeps its own time; waiting for it is bounded by the call's.
        let early = errand.within(None, async {
            tokio::select! {
                biased;
                early = &mut response => Some(early),
                () = connected => None,
            }
        });
        let early = early.await.map_err(|overdue| self.overdue(overdue))?;
        let first_by = Instant::now() + self.limits.first_byte;
        let response = match early {
            Some(response) => response,
            None => errand.within(Some(first_by), response).await.map_err(|overdue| self.overdue(overdue))?,
        };
        let response = response.map_err(|cause| {
            let is_used = life_of(&line).is_some_and(|life| life.is_used());
            self.broken(&cause, is_used)
        })?;
        if let Some(life) = life_of(&line) {
            life.has_served();
        }
        self.answer(errand, response, first_by).await
    }

    async fn answer(
        &self,
        errand: &Errand,
        response: Response<Incoming>,
        first_by: Instant,
    ) -> Result<AnswerBody, Refusal> {
        let (head, body) = response.into_parts();
        if head.status.is_success() {
            let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
            return Ok(AnswerBody::new(body, content_type, first_by, self.limits, self.quoting.clone()));
        }
        let read = Limited::new(body, ERROR_BYTES_MAX).collect();
        let whole = match timeout(ERROR_TIME, read).await {
            Ok(Ok(whole)) => whole.to_bytes(),
            // What it said is not known; its status is.
            Ok(Err(_)) | Err(_) => Bytes::new(),
        };
        errand.has_read_all();
        Err(Refusal::of(&self.quoting, &head, &whole))
    }

    fn request(&self, outgoing: &Outgoing) -> Result<Request<Full<Bytes>>, Refusal> {
        let mut request = Request::builder()
            .method(outgoing.method.clone())
            .uri(outgoing.to.clone())
            .header(USER_AGENT, concat!("mynah/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT, outgoing.accept);
        if !outgoing.content_type.is_empty() {
            request = request.header(CONTENT_TYPE, &outgoing.content_type);
        }
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, key.header());
        }
        let request = request.body(Full::from(outgoing.body.clone()));
        request.map_err(|cause| Refusal::last(format!("the request cannot be made: {cause}")))
    }

    fn overdue(&self, overdue: Overdue) -> Refusal {
        Refusal::last(match overdue {
            Overdue::Step => self.limits.no_first_byte(),
            Overdue::Call => format!("no answer within `call_ms`, {} ms", self.limits.call.as_millis()),
        })
    }

    /// What a request that never got an answer means.
    fn broken(&self, cause: &legacy::Error, is_used: bool) -> Refusal {
        if cause.is_connect() {
            return Refusal::passing(format!(
                "no connection: {}; is the server running there?",
                self.quoting.causes(cause)
            ));
        }
        let reason = format!("the connection broke off before an answer: {}", self.quoting.causes(cause));
        // A server may close a connection that was idle while a request is on its way.
        if is_used { Refusal { reason, again: Some(Duration::ZERO) } } else { Refusal::last(reason) }
    }
}
