//! Why a request is not served, as every protocol tells it in its own words.

/// A refusal: before the upgrade as an HTTP status with a JSON body, in gRPC as a status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The HTTP status.
    pub status: u16,
    /// The word for programs: `capacity`, `draining`, `no_key`, `bad_key`, `expired`, `origin`, `unknown_model`, `rate`,
    /// `bad_request`.
    pub code: &'static str,
    /// The sentence for people: what was found, and what helps.
    pub message: String,
    /// When it is worth another try, seconds.
    pub retry_after_s: Option<u32>,
}

impl Refused {
    /// A refusal without a time.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after_s: None }
    }

    /// The same, worth another try after so many seconds.
    #[must_use]
    pub fn again_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// The kind of error in the words of OpenAI's interfaces, which clients sort by.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.status {
            401 => "authentication_error",
            403 => "permission_error",
            404 => "not_found_error",
            429 => "rate_limit_error",
            500.. => "server_error",
            _ => "invalid_request_error",
        }
    }

    /// `{"error": {"type", "code", "message"}}`.
    #[must_use]
    pub fn body(&self) -> serde_json::Value {
        serde_json::json!({"error": {"type": self.kind(), "code": self.code, "message": self.message}})
    }
}
