//! HTTP server of `inspect`: the page, and the API behind it, which scripts may use too. docs/cli.md describes it.

use std::{future::Future, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::{ConnectInfo, Path, Request, State},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    page::FILES,
    production::{Kind, Production, Refused},
};
use crate::page::{self, AccessToken, PATH, answer};

/// State shared by the handlers.
#[derive(Clone)]
struct Server {
    production: Arc<Production>,
    token: Arc<AccessToken>,
}

/// What a request selects.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Selected {
    ids: Vec<String>,
}

/// The routes.
pub(super) fn router(production: Arc<Production>, token: AccessToken) -> Router {
    let server = Server { production, token: Arc::new(token) };
    page::with_files(Router::new(), FILES)
        .route(&format!("{PATH}/api/queues"), get(queues))
        .route(&format!("{PATH}/api/{{kind}}"), get(last))
        .route(&format!("{PATH}/api/{{kind}}/look"), post(look))
        .route(&format!("{PATH}/api/{{kind}}/plan"), post(plan))
        .route(&format!("{PATH}/api/{{kind}}/redrive"), post(redrive))
        .route(&format!("{PATH}/api/{{kind}}/messages/{{id}}"), get(details))
        .fallback(async || not_found("there is nothing at this path; the page is at /_inspect"))
        .layer(middleware::from_fn_with_state(server.clone(), guarded))
        .with_state(server)
}

async fn guarded(
    State(server): State<Server>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let elsewhere = async |_| StatusCode::NOT_FOUND.into_response();
    page::guarded(&server.token, peer, request, next, elsewhere).await
}

async fn queues(State(server): State<Server>) -> Response {
    answer(&server.production.about().await)
}

async fn last(State(server): State<Server>, Path(kind): Path<String>) -> Response {
    with_kind(&kind, |kind| respond(server.production.last(kind)))
}

async fn details(State(server): State<Server>, Path((kind, id)): Path<(String, String)>) -> Response {
    with_kind(&kind, |kind| respond(server.production.details(kind, &id)))
}

async fn plan(State(server): State<Server>, Path(kind): Path<String>, body: Bytes) -> Response {
    with_kind(&kind, |kind| respond(selected(&body).and_then(|ids| server.production.plan(kind, &ids))))
}

async fn look(State(server): State<Server>, Path(kind): Path<String>) -> Response {
    let Some(kind) = Kind::from_key(&kind) else { return no_such_kind() };
    to_its_end(async move { server.production.look(kind).await }).await
}

async fn redrive(State(server): State<Server>, Path(kind): Path<String>, body: Bytes) -> Response {
    let Some(kind) = Kind::from_key(&kind) else { return no_such_kind() };
    match selected(&body) {
        Ok(ids) => to_its_end(async move { server.production.redrive(kind, &ids).await }).await,
        Err(wrong) => respond(Err(wrong)),
    }
}

/// Does work that holds messages. It goes on where the browser goes away, so that all of them are given back.
async fn to_its_end(work: impl Future<Output = Result<Value, Refused>> + Send + 'static) -> Response {
    match tokio::spawn(work).await {
        Ok(result) => respond(result),
        Err(error) => respond(Err(Refused::Failed(format!("this is a bug in voicehook: {error}")))),
    }
}

fn with_kind(kind: &str, work: impl FnOnce(Kind) -> Response) -> Response {
    Kind::from_key(kind).map_or_else(no_such_kind, work)
}

fn no_such_kind() -> Response {
    not_found("there are quarantine and dead-letters")
}

fn not_found(why: &str) -> Response {
    (StatusCode::NOT_FOUND, answer(&json!({ "error": format!("Not found: {why}.") }))).into_response()
}

/// The ids that a request names.
fn selected(body: &[u8]) -> Result<Vec<String>, Refused> {
    let selected: Result<Selected, _> = serde_json::from_slice(body);
    let wrong = |error| format!(r#"The body must be like {{"ids": ["…"]}}, with ids of the last look: {error}."#);
    selected.map(|selected| selected.ids).map_err(|error| Refused::Invalid(wrong(error)))
}

fn respond(result: Result<Value, Refused>) -> Response {
    let refused = match result {
        Ok(document) => return answer(&document),
        Err(refused) => refused,
    };
    let status = match &refused {
        Refused::Invalid(_) => StatusCode::BAD_REQUEST,
        Refused::NotFound(_) => StatusCode::NOT_FOUND,
        Refused::Forbidden(_) => StatusCode::FORBIDDEN,
        Refused::Failed(_) => StatusCode::BAD_GATEWAY,
    };
    (status, answer(&json!({ "error": refused.to_string() }))).into_response()
}
