//! What the gateway and Lambda say of a request beside the request itself.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lambda_http::{Context, Request, RequestExt, request::RequestContext};
use tokio::time::Instant;

/// Time kept free before the invocation's own deadline, to answer in.
const TIME_TO_ANSWER: Duration = Duration::from_millis(100);

/// One invocation.
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
    pub(super) fn of(request: &Request) -> Self {
        let context = request.lambda_context_ref();
        let (stage, gateway_request_id) = match request.request_context_ref() {
            Some(RequestContext::ApiGatewayV1(api)) => (api.stage.clone(), api.request_id.clone()),
            Some(RequestContext::ApiGatewayV2(api)) => (api.stage.clone(), api.request_id.clone()),
            _ => (None, None),
        };
        // The URI's path has the stage added where the gateway left it out; the raw one is what the gateway sent.
        let path = match request.raw_http_path() {
            "" => request.uri().path(),
            raw => raw,
        };
        let of_lambda = || context.map_or_else(String::new, |context| context.request_id.clone());
        Self {
            path: path.to_owned(),
            stage,
            token: query_token(request.uri().query()),
            request_id: gateway_request_id.filter(|id| !id.is_empty()).unwrap_or_else(of_lambda),
            trace_header: context.and_then(|context| context.xray_trace_id.clone()),
            deadline: context.map_or(0, |context: &Context| context.deadline),
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

fn query_token(query: Option<&str>) -> Option<String> {
    let mut fields = form_urlencoded::parse(query?.as_bytes());
    fields.find(|(name, _)| name == "token").map(|(_, value)| value.into_owned())
}
