//! What EnableX gets back: the status table of the design, in one `match`.

use lambda_http::{
    Body, Response,
    http::{HeaderValue, StatusCode, header},
};

use crate::{
    app_id::AppIdUnavailable,
    decrypt::Fault,
    queue::{NotQuarantined, QueueError},
    webhook::Malformed,
};

/// The largest request body, in bytes: what Lambda takes in one synchronous invocation.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
pub const MAX_BODY_BYTES: usize = 6 * 1024 * 1024;

/// When the sender may try again, in seconds.
const RETRY_AFTER: &str = "1";

/// What the sender is told where the AppIDs could not be read.
const NO_APP_ID: &str = "the AppID is not available at the moment; try again";

/// What became of a request.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// The event is on the queue.
    Queued {
        /// What the sender is told to do (`ACTIONS`): a JSON object.
        action: Option<String>,
        /// The queue's id of the message.
        message_id: String,
        /// Whether the failover queue took it.
        failover: bool,
    },
    /// Somebody asked whether the URL works.
    Probe,
    /// There is no event for the queue, but the request is safe in quarantine.
    Quarantined(Refusal),
    /// There is no event for the queue, and no quarantine for such a request.
    Refused(Refusal),
    /// There is no event for the queue, and the quarantine does not have the request either.
    NotQuarantined(Refusal, NotQuarantined),
    /// No such path or app, or not the right token.
    NotFound,
    /// Neither `POST` nor a probe.
    MethodNotAllowed,
    /// The body is larger than [`MAX_BODY_BYTES`].
    BodyTooLarge,
    /// There is no AppID to open it with.
    AppIdUnavailable(AppIdUnavailable),
    /// The queue does not have the event.
    NotQueued(QueueError),
    /// A mistake in voicehook itself.
    Panicked,
}

/// Why a request has no event that the queue can take. Sending it again would not help.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The request is no webhook.
    Malformed(Malformed),
    /// The webhook does not open with the app's AppIDs.
    Undecryptable(Fault),
    /// The event is older than `MAX_EVENT_AGE_SECONDS`.
    TooOld,
    /// The event is larger than the queue takes.
    TooLarge {
        /// The queue's limit, in bytes.
        limit: usize,
    },
    /// It does not open with the AppIDs that are known, or names an app or a token that they do not have; and whether
    /// there are newer ones could not be asked.
    AppIdUnavailable(AppIdUnavailable),
}

impl Refusal {
    /// A stable code for logs, metrics and the quarantine's attribute `reason`.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::Undecryptable(_) => "undecryptable",
            Self::TooOld => "too_old",
            Self::TooLarge { .. } => "too_large",
            Self::AppIdUnavailable(_) => "app_id_unavailable",
        }
    }

    fn response(&self) -> Response<Body> {
        match self {
            Self::Malformed(malformed) if malformed.is_unsupported_body() => {
                error(StatusCode::UNSUPPORTED_MEDIA_TYPE, &malformed.to_string())
            }
            Self::Malformed(malformed) => error(StatusCode::BAD_REQUEST, &malformed.to_string()),
            Self::Undecryptable(_) => {
                error(StatusCode::BAD_REQUEST, "encrypted_data could not be opened with the AppID of this app")
            }
            Self::TooOld => error(StatusCode::BAD_REQUEST, "the event is older than this receiver takes"),
            Self::TooLarge { limit } => {
                let message = format!("the event is larger than the {limit} bytes that the queue takes");
                error(StatusCode::PAYLOAD_TOO_LARGE, &message)
            }
            Self::AppIdUnavailable(_) => unavailable(NO_APP_ID),
        }
    }
}

impl Outcome {
    /// A stable name for logs and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Queued { .. } => "queued",
            Self::Probe => "probe",
            Self::Quarantined(_) => "quarantined",
            Self::Refused(_) => "refused",
            Self::NotQuarantined(_, NotQuarantined::Limited) => "quarantine_limited",
            Self::NotQuarantined(..) => "not_quarantined",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::BodyTooLarge => "body_too_large",
            Self::AppIdUnavailable(_) => "app_id_unavailable",
            Self::NotQueued(_) => "not_queued",
            Self::Panicked => "panicked",
        }
    }

    /// Why it did not become a message: a stable code for logs and metrics. `None` where nothing is wrong.
    #[must_use]
    pub const fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Refused(refusal) | Self::Quarantined(refusal) | Self::NotQuarantined(refusal, _) => {
                Some(refusal.reason())
            }
            Self::NotQueued(error) => Some(error.name()),
            Self::NotFound
            | Self::MethodNotAllowed
            | Self::BodyTooLarge
            | Self::AppIdUnavailable(_)
            | Self::Panicked => Some(self.name()),
            Self::Queued { .. } | Self::Probe => None,
        }
    }

    /// The HTTP response. Only a request that is malformed is told what is wrong with it; every failed decryption gets
    /// the same bytes. The request's id is on every response, so that its line in the log can be found.
    #[must_use]
    pub fn response(&self, request_id: &str) -> Response<Body> {
        let mut response = self.response_without_id();
        set(&mut response, "x-request-id", request_id);
        response
    }

    fn response_without_id(&self) -> Response<Body> {
        match self {
            Self::Queued { action: Some(action), .. } => json(StatusCode::OK, action.clone()),
            // The same for all of them, so that nobody can tell whether a ciphertext opened.
            Self::Queued { action: None, .. } | Self::Probe | Self::Quarantined(_) => {
                json(StatusCode::OK, "{}".to_owned())
            }
            Self::Refused(refusal) => refusal.response(),
            Self::NotFound => error(StatusCode::NOT_FOUND, "not found"),
            Self::MethodNotAllowed => {
                let mut response = error(StatusCode::METHOD_NOT_ALLOWED, "method not allowed; webhooks come by POST");
                set(&mut response, "allow", "POST, GET, HEAD");
                response
            }
            Self::BodyTooLarge => {
                error(StatusCode::PAYLOAD_TOO_LARGE, &format!("the body is larger than {MAX_BODY_BYTES} bytes"))
            }
            Self::Panicked => error(StatusCode::INTERNAL_SERVER_ERROR, "internal error"),
            Self::AppIdUnavailable(_) => unavailable(NO_APP_ID),
            Self::NotQueued(_) | Self::NotQuarantined(..) => {
                unavailable("the event could not be queued at the moment; try again")
            }
        }
    }
}

fn unavailable(message: &str) -> Response<Body> {
    let mut response = error(StatusCode::SERVICE_UNAVAILABLE, message);
    set(&mut response, header::RETRY_AFTER.as_str(), RETRY_AFTER);
    response
}

fn error(status: StatusCode, message: &str) -> Response<Body> {
    let message = serde_json::Value::from(message);
    json(status, format!("{{\"error\": {message}}}"))
}

fn json(status: StatusCode, body: String) -> Response<Body> {
    let mut response = Response::new(Body::Text(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Sets a header; a value that HTTP does not allow is left out.
pub(super) fn set(response: &mut Response<Body>, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
