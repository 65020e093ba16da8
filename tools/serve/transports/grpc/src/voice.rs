//! The service: takes calls of clients, and gives each a task of its own.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use mynah_serve::{Credential, DrainPhase, Server};
use tokio::sync::watch;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

use crate::caller::Caller;
use crate::outbox::{Outbox, Outgoing};
use crate::proto::ClientPart;
use crate::proto::voice_server::Voice;
use crate::status;

/// What a client shows: `authorization: Bearer KEY`.
fn credential(metadata: &MetadataMap) -> Credential {
    let Some(value) = metadata.get("authorization") else { return Credential::None };
    let key = value.to_str().ok().and_then(|text| text.split_once(' '));
    let key = key.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    Credential::Key(key.map_or_else(String::new, |(_, key)| key.trim().into()))
}

/// The service `mynah.v1.Voice`.
#[derive(Debug)]
pub(crate) struct VoiceService {
    pub(crate) server: Arc<Server>,
    pub(crate) phase: watch::Receiver<DrainPhase>,
}

#[tonic::async_trait]
impl Voice for VoiceService {
    type SessionStream = Outgoing;

    async fn session(&self, request: Request<Streaming<ClientPart>>) -> Result<Response<Outgoing>, Status> {
        let credential = credential(request.metadata());
        // Before anything is read: who has no key is told so at once.
        self.server.judge(&credential).map_err(|refused| status::of_refused(&refused))?;
        let model = request.metadata().get("model").and_then(|value| value.to_str().ok());
        let model = model.unwrap_or_default().to_string();
        let address = request.remote_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |from| from.ip());
        let outbox = Outbox::default();
        let outgoing = outbox.outgoing();
        let (server, phase) = (Arc::clone(&self.server), self.phase.clone());
        let caller = Caller { server, phase, outbox, address, credential, model };
        tokio::spawn(caller.serve(request.into_inner()));
        Ok(Response::new(outgoing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_where_clients_put_them() {
        let rows = [("Bearer abc", "abc"), ("bearer  abc ", "abc"), ("Basic abc", ""), ("abc", "")];
        for (value, key) in rows {
            let mut metadata = MetadataMap::new();
            metadata.insert("authorization", value.parse().expect("it is ASCII"));
            assert_eq!(credential(&metadata), Credential::Key(key.into()), "{value}");
        }
        assert_eq!(credential(&MetadataMap::new()), Credential::None);
    }
}
