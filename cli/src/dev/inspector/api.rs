//! The endpoints below [`API`] that search, edit and export. The page uses them, and so can scripts and agents: what
//! [`ENDPOINTS`] says is what `GET /_inspect/api` answers and docs/cli.md has.

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, RawQuery, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    Exchange, Origin, changes,
    edit::{self, Edit},
    exchange::Searched,
    export::{self, Format},
    search::{Search, Subject},
    server::{Inspector, Shared, gone},
};
use crate::page::{PATH, answer};

/// Where the endpoints are.
pub(super) const API: &str = "/_inspect/api";

/// The longest that a request may wait for a webhook.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Each endpoint below [`API`]: method, path, and what it is for.
const ENDPOINTS: [(&str, &str, &str); 13] = [
    ("GET", "", "this list"),
    (
        "GET",
        "/webhooks",
        "the webhooks that `q` finds, oldest first; `after`: only with a higher number; `limit`: the newest so many; \
         `wait`: up to so many seconds for the first one; `only=ids`: their numbers",
    ),
    ("GET", "/webhooks/{id}", "a webhook with everything about it; `id` is its number or its `key`"),
    ("POST", "/webhooks/{id}/replay", "send the same bytes again"),
    (
        "POST",
        "/webhooks/{id}/edit",
        "change the event (`{\"set\": {\"digit\": \"7\"}}` or `{\"event\": {…}}`), encrypt it and send it; with \
         `\"send\": false`, only list the changes",
    ),
    ("GET", "/export/ndjson", "the webhooks that `q` or `ids` names, one line of JSON each"),
    ("GET", "/export/har", "the same as an HTTP archive"),
    ("GET", "/events", "webhooks as they arrive, as server-sent events"),
    ("GET", "/setup", "this receiver: its URL, its queue, and what it can send"),
    ("POST", "/samples/{name}", "send a sample event; `{\"voice_id\": \"…\"}` says of which call"),
    ("POST", "/scenarios/{name}", "send a whole call; `{\"fast\": true}` without delays"),
    ("POST", "/clear", "forget all webhooks"),
    ("POST", "/restore", "undo the last `clear`"),
];

/// The routes of this module.
pub(super) fn routes() -> Router<Arc<Inspector>> {
    Router::new()
        .route(API, get(index))
        .route(&format!("{API}/webhooks"), get(list))
        .route(&format!("{API}/webhooks/{{id}}/edit"), post(edited))
        .route(&format!("{API}/export/{{format}}"), get(exported))
}

async fn index() -> Response {
    let endpoints = ENDPOINTS
        .iter()
        .map(|(method, path, about)| json!({ "method": method, "path": format!("{API}{path}"), "about": about }));
    answer(&json!({
        "about": "The inspector of voicehook dev. The token is that of the URL that it printed.",
        "token": "in the header x-voicehook-inspect-token",
        "page": PATH,
        "endpoints": endpoints.collect::<Vec<_>>(),
    }))
}

/// The parameters of a query.
struct Parameters(HashMap<String, String>);

impl Parameters {
    fn parse(query: Option<String>) -> Self {
        Self(form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect())
    }

    fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    fn number(&self, name: &str) -> Result<Option<u64>, String> {
        let Some(text) = self.0.get(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| format!("{name}={text} is not a number; expected 0 or more"))
    }

    /// Numbers, separated by commas.
    fn numbers(&self, name: &str) -> Result<Option<Vec<u64>>, String> {
        let Some(list) = self.0.get(name) else { return Ok(None) };
        let numbers = list.split(',').filter(|number| !number.is_empty()).map(|number| number.trim().parse());
        let numbers: Result<Vec<u64>, _> = numbers.collect();
        numbers.map(Some).map_err(|_| format!("{name}={list} is not a list of numbers; expected {name}=1,2,3"))
    }
}

/// A webhook that was found: its number, itself and its summary.
type Found = (u64, Arc<Exchange>, Value);

impl Inspector {
    /// The webhooks after a number that a search finds, the oldest first.
    fn found(&self, search: &Search, after: u64) -> Vec<Found> {
        let mut firsts: HashMap<String, u64> = HashMap::new();
        let mut found = Vec::new();
        for (id, exchange) in self.journal.all() {
            let event_id = exchange.message.as_ref().and_then(|message| message.attribute("event_id"));
            let is_duplicate = event_id.is_some_and(|event_id| *firsts.entry(event_id.to_owned()).or_insert(id) != id);
            if id <= after {
                continue;
            }
            let summary = exchange.summary(id);
            let texts = Searched(&exchange, &self.player.url);
            if search.finds(&Subject::new(&summary, is_duplicate, &texts)) {
                found.push((id, exchange, summary));
            }
        }
        found
    }

    /// The same; where there are none, waits for the first one.
    async fn found_in_time(&self, search: &Search, after: u64, wait: Duration) -> Vec<Found> {
        let end = Instant::now() + wait;
        let mut changes = self.journal.changes();
        loop {
            changes.mark_unchanged();
            let found = self.found(search, after);
            if !found.is_empty() || self.journal.is_closed() {
                return found;
            }
            if !matches!(tokio::time::timeout_at(end, changes.changed()).await, Ok(Ok(()))) {
                return found;
            }
        }
    }
}

/// An answer, or what is wrong with the request.
fn checked(answer: Result<Response, String>) -> Response {
    answer.unwrap_or_else(|wrong| bad(StatusCode::BAD_REQUEST, &wrong))
}

fn bad(status: StatusCode, wrong: &str) -> Response {
    (status, answer(&json!({ "error": wrong }))).into_response()
}

async fn list(State(inspector): Shared, RawQuery(query): RawQuery) -> Response {
    checked(listed(&inspector, &Parameters::parse(query)).await)
}

async fn listed(inspector: &Inspector, parameters: &Parameters) -> Result<Response, String> {
    let search = Search::parse(parameters.text("q"))?;
    let after = parameters.number("after")?.unwrap_or(0);
    let wait = Duration::from_secs(parameters.number("wait")?.unwrap_or(0)).min(LONGEST_WAIT);
    let limit = parameters.number("limit")?.and_then(|limit| limit.try_into().ok()).unwrap_or(usize::MAX);
    let only_ids = match parameters.text("only") {
        "" => false,
        "ids" => true,
        other => return Err(format!("only={other} is not supported; expected only=ids")),
    };
    let mut found = inspector.found_in_time(&search, after, wait).await;
    let found = found.split_off(found.len().saturating_sub(limit));
    let words: Vec<&str> = search.words().collect();
    Ok(answer(&if only_ids {
        json!({ "ids": found.iter().map(|(id, ..)| id).collect::<Vec<_>>(), "words": words })
    } else {
        json!({ "webhooks": found.into_iter().map(|(_, _, summary)| summary).collect::<Vec<_>>(), "words": words })
    }))
}

async fn edited(State(inspector): Shared, Path(id): Path<String>, body: Bytes) -> Response {
    let Some((id, original)) = inspector.journal.find(&id) else { return gone("it is no longer kept") };
    let Some(before) = original.event() else {
        return bad(
            StatusCode::CONFLICT,
            &format!("Webhook {id} could not be decrypted, so there is no event to edit."),
        );
    };
    let edit: Edit = match serde_json::from_slice(&body) {
        Ok(edit) => edit,
        Err(error) => return bad(StatusCode::BAD_REQUEST, &format!("The body is not an edit: {error}")),
    };
    let made = edit.apply(before).and_then(|event| Ok((edit::request(&original, &event, &inspector.player)?, event)));
    let ((parts, body), event) = match made {
        Ok(made) => made,
        Err(error) => return bad(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let mut said = json!({
        "changes": changes::as_json(&changes::changes(before, &event)),
        "problem": edit::problem(&event),
    });
    if edit.send {
        let origin = Origin::Edited { of: id, before: Some(before.into()) };
        inspector.send_again(&mut said, parts, body, origin).await;
    }
    answer(&said)
}

async fn exported(State(inspector): Shared, Path(format): Path<String>, RawQuery(query): RawQuery) -> Response {
    let format = match format.as_str() {
        "ndjson" => Format::Ndjson,
        "har" => Format::Har,
        _ => return gone("the formats are ndjson and har"),
    };
    checked(export(&inspector, format, &Parameters::parse(query)))
}

fn export(inspector: &Inspector, format: Format, parameters: &Parameters) -> Result<Response, String> {
    let search = Search::parse(parameters.text("q"))?;
    let ids = parameters.numbers("ids")?;
    let found = inspector.found(&search, 0);
    let chosen = found.iter().filter(|(id, ..)| ids.as_ref().is_none_or(|ids| ids.contains(id)));
    let file = export::file(format, chosen.map(|(id, exchange, _)| (*id, &**exchange)), &inspector.player.url);
    let time = Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    let name = format!("attachment; filename=\"voicehook-{time}.{}\"", format.extension());
    let headers = [(header::CONTENT_TYPE, format.media_type().to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, Body::from(file)).into_response())
}
