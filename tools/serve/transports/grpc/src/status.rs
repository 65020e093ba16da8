//! Refusals and endings in the words of gRPC.

use mynah_dialects::{Closing, Refusal};
use mynah_serve::Refused;
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};

/// Key of the metadata that say when another try is worth it, seconds.
const RETRY_AFTER: &str = "retry-after";

/// Why a client is not served.
pub(crate) fn of_refused(refused: &Refused) -> Status {
    let code = match (refused.status, refused.code) {
        (_, "draining") => Code::Unavailable,
        (_, "capacity") | (429, _) => Code::ResourceExhausted,
        (401, _) => Code::Unauthenticated,
        (403, _) => Code::PermissionDenied,
        (404, _) => Code::NotFound,
        (409, _) => Code::AlreadyExists,
        (400..=499, _) => Code::InvalidArgument,
        (503, _) => Code::Unavailable,
        _ => Code::Internal,
    };
    let mut status = Status::new(code, format!("{}: {}", refused.code, refused.message));
    if let Some(seconds) = refused.retry_after_s {
        status.metadata_mut().insert(RETRY_AFTER, MetadataValue::from(seconds));
    }
    status
}

/// Why a session could not be opened as the client asked.
pub(crate) fn of_refusal(refusal: &Refusal) -> Status {
    Status::invalid_argument(refusal.to_string())
}

/// How the stream ends when its session is over.
pub(crate) fn of_closing(closing: &Closing) -> Result<(), Status> {
    let code = match closing.code {
        1000 => return Ok(()),
        1001 => Code::Unavailable,
        1008 => Code::InvalidArgument,
        1009 => Code::OutOfRange,
        4000 => return Err(overflow()),
        _ => Code::Internal,
    };
    let reason = if closing.code == 1001 { "draining: the server ends" } else { closing.reason.as_str() };
    Err(Status::new(code, reason))
}

/// The client reads or acknowledges too little to be served.
pub(crate) fn overflow() -> Status {
    Status::resource_exhausted("control_overflow: messages were not read or acknowledged for too long")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_the_codes_that_clients_know() {
        let rows = [
            (401, "no_key", Code::Unauthenticated),
            (401, "bad_key", Code::Unauthenticated),
            (403, "origin", Code::PermissionDenied),
            (404, "unknown_model", Code::NotFound),
            (409, "name_in_use", Code::AlreadyExists),
            (429, "rate", Code::ResourceExhausted),
            (503, "capacity", Code::ResourceExhausted),
            (503, "draining", Code::Unavailable),
            (400, "bad_request", Code::InvalidArgument),
        ];
        for (status, word, code) in rows {
            let found = of_refused(&Refused::new(status, word, "so it is").again_after(3));
            assert_eq!((found.code(), found.message()), (code, &*format!("{word}: so it is")));
            let after = found.metadata().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            assert_eq!(after, Some("3"));
        }
        assert!(of_refused(&Refused::new(404, "unknown_model", "")).metadata().is_empty());
    }

    #[test]
    fn an_end_that_the_client_wanted_is_ok_and_no_other_is() {
        assert!(of_closing(&Closing::new(1000, "hung_up")).is_ok());
        for (closing, code) in [
            (1001, Code::Unavailable),
            (1008, Code::InvalidArgument),
            (1009, Code::OutOfRange),
            (1011, Code::Internal),
            (4000, Code::ResourceExhausted),
        ] {
            let status = of_closing(&Closing::new(closing, "why")).expect_err("it is an error");
            assert_eq!(status.code(), code, "{closing}");
        }
    }
}
