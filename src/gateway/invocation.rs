//! What the gateway and Lambda say of a request beside the request itself.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lambda_http::{Context, Request, RequestExt as _};
use tokio::time::Instant;

/// Time kept free before the invocation's own deadline, to answer in.
const TIME_TO_ANSWER: Duration = Duration::from_millis(100);

/// One invocation. An extension of the requests that come from a gateway.
#[derive(Clone, Debug, Default)]
pub(super) struct Invocation {
    /// The path, as the gateway passes it on.
    pub(super) path: String,
    /// The stage of an API Gateway.
    pub(super) stage: Option<String>,
    /// The query's `token`.
    pub(super) token: Option<String>,
    /// The gateway's id of the request, else Lambda's.
    pub(super) request_id: String,
    /// The X-Ray trace header.
    pub(super) trace_header: Option<String>,
    /// Lambda's deadline, in milliseconds since 1970; 0 where there is none.
    deadline: u64,
}

impl Invocation {
    /// What Lambda's own context says.
    pub(super) fn new(context: Context, gateway_request_id: Option<String>) -> Self {
        Self {
            request_id: gateway_request_id.filter(|id| !id.is_empty()).unwrap_or(context.request_id),
            trace_header: context.xray_trace_id,
            deadline: context.deadline,
            ..Self::default()
        }
    }

    /// Of a request that came from a gateway, or, by any other server, with the id of its Lambda context.
    pub(super) fn of(request: &Request) -> Self {
        if let Some(invocation) = request.extensions().get::<Self>() {
            return invocation.clone();
        }
        Self {
            path: request.uri().path().to_owned(),
            token: request.uri().query().and_then(token_in),
            ..Self::new(request.lambda_context_ref().cloned().unwrap_or_default(), None)
        }
    }

    /// When the answer must be on its way: the configured time after the arrival, or the invocation's end if sooner.
    pub(super) fn deadline(&self, arrived: Instant, allowed: Duration) -> Instant {
        let configured = arrived + allowed;
        let ends = UNIX_EPOCH.checked_add(Duration::from_millis(self.deadline)).filter(|_| self.deadline > 0);
        let Some(ends) = ends else { return configured };
        let left = ends.duration_since(SystemTime::now()).unwrap_or_default().saturating_sub(TIME_TO_ANSWER);
        configured.min(Instant::now() + left)
    }
}

/// The `token` of a query string.
pub(super) fn token_in(query: &str) -> Option<String> {
    let mut fields = form_urlencoded::parse(query.as_bytes());
    fields.find(|(name, _)| name == "token").map(|(_, value)| value.into_owned())
}
