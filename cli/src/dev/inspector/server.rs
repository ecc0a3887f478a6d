//! HTTP server of the inspector: its page, the webhooks as server-sent events, and the actions of its buttons.
//!
//! Everything is below [`PATH`]. A request from elsewhere is answered as if there were no inspector.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::{ConnectInfo, DefaultBodyLimit, Path, Request, State},
    http::{HeaderMap, StatusCode, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse, Response, Sse, sse},
    routing::{any, get, post},
};
use futures_util::{Stream, StreamExt as _, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use voicehook_lambda::receiver::MAX_BODY_BYTES;

use super::{
    Journal, Origin,
    api::{self, API},
    journal::{Change, MAX_WEBHOOKS},
    page::FILES,
};
use crate::{
    dev::{local_receiver::LocalReceiver, play::Player},
    page::{self, AccessToken, PATH, answer},
    samples,
    scenarios::{SCENARIOS, Scenario},
};

/// How soon a browser reconnects after it lost the connection.
const RECONNECT: Duration = Duration::from_secs(1);

/// State shared by the handlers.
pub(crate) struct Inspector {
    pub(crate) journal: Arc<Journal>,
    pub(crate) receiver: Arc<LocalReceiver>,
    pub(crate) player: Player,
    /// The queue's URL, or "in memory".
    pub(crate) queue: String,
    pub(crate) token: AccessToken,
}

pub(super) type Shared = State<Arc<Inspector>>;

impl Inspector {
    /// The inspector's routes.
    pub(crate) fn router(self) -> Router {
        let inspector = Arc::new(self);
        page::with_files(Router::new(), FILES)
            .route(&format!("{API}/setup"), get(setup))
            .route(&format!("{API}/events"), get(events))
            .route(&format!("{API}/webhooks/{{id}}"), get(details))
            .route(&format!("{API}/webhooks/{{id}}/replay"), post(replay))
            .route(&format!("{API}/clear"), post(clear))
            .route(&format!("{API}/restore"), post(restore))
            .route(&format!("{API}/samples/{{name}}"), post(sample))
            .route(&format!("{API}/scenarios/{{name}}"), post(scenario))
            .merge(api::routes())
            // Every other path below it, so that nothing of the inspector is taken for a webhook.
            .route(&format!("{PATH}/"), any(unknown))
            .route(&format!("{PATH}/{{*path}}"), any(unknown))
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .route_layer(middleware::from_fn_with_state(Arc::clone(&inspector), guarded))
            .with_state(inspector)
    }
}

async fn guarded(
    State(inspector): Shared,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    // To who must not learn of the inspector, its paths are like any other.
    let elsewhere = async |request| inspector.receiver.respond(request).await;
    page::guarded(&inspector.token, peer, request, next, elsewhere).await
}

async fn unknown() -> Response {
    gone("the inspector has nothing at this path")
}

/// What the page needs to know about this receiver.
async fn setup(State(inspector): Shared) -> Response {
    let Inspector { player, queue, .. } = &*inspector;
    answer(&json!({
        "url": player.url,
        "queue": queue,
        "limit": MAX_WEBHOOKS,
        "trigger": player.trigger_line(),
        "curl": player.curl_line().ok(),
        "samples": samples::event_types().collect::<Vec<_>>(),
        "scenarios": SCENARIOS.iter().map(|scenario| (scenario.name, scenario.about)).collect::<Vec<_>>(),
    }))
}

/// Streams the webhooks, starting with the first one that the browser has not seen.
async fn events(
    State(inspector): Shared,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = Result<sse::Event, Infallible>> + Send> {
    let journal = Arc::clone(&inspector.journal);
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.split_once('-'));
    let seen = last.filter(|(run, _)| *run == journal.run()).and_then(|(_, seen)| seen.parse().ok());
    let start = (journal.changes(), seen, journal);
    let batches = stream::unfold(start, |(mut woken, seen, journal)| async move {
        loop {
            woken.mark_unchanged();
            let changes = journal.since(seen);
            if let Some((last, _)) = changes.last() {
                let (last, run) = (*last, journal.run().to_owned());
                let batch = changes.into_iter().map(move |(number, change)| Ok(event(&run, number, &change)));
                return Some((stream::iter(batch), (woken, Some(last), journal)));
            }
            if journal.is_closed() || woken.changed().await.is_err() {
                return None;
            }
        }
    });
    Sse::new(batches.flatten()).keep_alive(sse::KeepAlive::new())
}

fn event(run: &str, number: u64, change: &Change) -> sse::Event {
    let event = sse::Event::default().id(format!("{run}-{number}")).retry(RECONNECT);
    match change {
        Change::Emptied { cleared } => event.event("emptied").data(json!({ "cleared": cleared }).to_string()),
        Change::Added { id, exchange, oldest } => {
            let mut summary = exchange.summary(*id);
            summary["oldest"] = (*oldest).into();
            event.event("webhook").data(summary.to_string())
        }
    }
}

async fn details(State(inspector): Shared, Path(id): Path<String>) -> Response {
    match inspector.journal.find(&id) {
        Some((id, exchange)) => answer(&exchange.details(id, &inspector.player.url)),
        None => gone("it may no longer be kept"),
    }
}

async fn replay(State(inspector): Shared, Path(id): Path<String>) -> Response {
    let Some((id, exchange)) = inspector.journal.find(&id) else { return gone("it is no longer kept") };
    let (parts, body) = exchange.replay_request();
    let mut said = json!({});
    inspector.send_again(&mut said, parts, body, Origin::Replay(id)).await;
    answer(&said)
}

impl Inspector {
    /// Hands a webhook to the receiver, and says what became of it and which number it got.
    pub(super) async fn send_again(&self, said: &mut Value, parts: Parts, body: Vec<u8>, origin: Origin) {
        let (response, new) = self.receiver.receive(parts, body, origin).await;
        let sent = new.and_then(|new| self.journal.get(new));
        said["id"] = new.into();
        said["status"] = response.status().as_u16().into();
        said["outcome"] = sent.map(|exchange| exchange.outcome.name()).into();
    }
}

async fn clear(State(inspector): Shared) -> Response {
    inspector.journal.empty();
    answer(&json!({}))
}

/// Brings back what was last cleared.
async fn restore(State(inspector): Shared) -> Response {
    if inspector.journal.restore() { answer(&json!({})) } else { gone("what was cleared is no longer kept") }
}

/// Options of the page's requests to send something.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct SendOptions {
    /// The call that the event should belong to.
    voice_id: Option<String>,
    /// Send without delays.
    fast: bool,
}

async fn sample(State(inspector): Shared, Path(name): Path<String>, body: Bytes) -> Response {
    let options: SendOptions = serde_json::from_slice(&body).unwrap_or_default();
    match inspector.player.sample(&name, options.voice_id).await {
        Ok(sent) => answer(&json!({ "status": sent.status })),
        Err(error) => failed(&error.to_string()),
    }
}

/// Plays in the background, even if the page is closed.
async fn scenario(State(inspector): Shared, Path(name): Path<String>, body: Bytes) -> Response {
    let options: SendOptions = serde_json::from_slice(&body).unwrap_or_default();
    let Some(scenario) = Scenario::from_name(&name) else { return gone("there is no such call") };
    let player = inspector.player.clone();
    tokio::spawn(async move {
        if let Err(error) = player.scenario(scenario, options.fast).await {
            tracing::warn!(%error, "scenario {name} failed");
        }
    });
    answer(&json!({}))
}

pub(super) fn gone(why: &str) -> Response {
    (StatusCode::NOT_FOUND, answer(&json!({ "error": format!("Not found: {why}.") }))).into_response()
}

fn failed(error: &str) -> Response {
    (StatusCode::BAD_GATEWAY, answer(&json!({ "error": error }))).into_response()
}
