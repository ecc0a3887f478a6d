//! Webhooks as a file: NDJSON with everything that the inspector knows, or HAR for tools that read HTTP traffic.

use serde_json::{Value, json};

use super::Exchange;

/// The format of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// One line of JSON for each webhook: its details.
    Ndjson,
    /// HTTP Archive 1.2, <http://www.softwareishard.com/blog/har-12-spec/>.
    Har,
}

impl Format {
    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Har => "application/json",
        }
    }

    pub(super) const fn extension(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Har => "har",
        }
    }
}

/// The file. `url` is the receiver's, for HAR's absolute URLs.
pub(super) fn file<'e>(format: Format, webhooks: impl Iterator<Item = (u64, &'e Exchange)>, url: &str) -> String {
    match format {
        Format::Ndjson => webhooks.map(|(id, exchange)| format!("{}\n", exchange.details(id, url))).collect(),
        Format::Har => {
            let entries: Vec<Value> = webhooks.map(|(id, exchange)| entry(id, exchange, url)).collect();
            let creator = json!({ "name": "voicehook", "version": env!("CARGO_PKG_VERSION") });
            json!({ "log": { "version": "1.2", "creator": creator, "entries": entries } }).to_string()
        }
    }
}

fn entry(id: u64, exchange: &Exchange, url: &str) -> Value {
    let milliseconds = exchange.stages.total.as_secs_f64() * 1000.0;
    let mut request = json!({
        "method": exchange.request.method().as_str(),
        "url": format!("{}{}", origin(url), exchange.target()),
        "httpVersion": format!("{:?}", exchange.request.version()),
        "cookies": [],
        "headers": pairs(&exchange.headers()),
        "queryString": query(&exchange.target()),
        "headersSize": -1,
        "bodySize": exchange.request.body().len(),
    });
    if !exchange.request.body().is_empty() {
        request["postData"] = body(exchange);
    }
    json!({
        "startedDateTime": format!("{:.3}", exchange.arrived),
        "time": milliseconds,
        "request": request,
        "response": response(exchange),
        "cache": {},
        "timings": { "send": 0, "wait": milliseconds, "receive": 0 },
        "_voicehook": exchange.summary(id),
        "_event": exchange.event(),
    })
}

/// As browsers and proxies write it: a body that is not text in base64.
fn body(exchange: &Exchange) -> Value {
    let headers = exchange.headers();
    let media_type = headers.iter().find(|(name, _)| *name == "content-type");
    let media_type = media_type.map_or("", |(_, value)| value.as_str());
    match str::from_utf8(exchange.request.body()) {
        Ok(text) => json!({ "mimeType": media_type, "text": text }),
        Err(_) => {
            let text = base64_simd::STANDARD.encode_to_string(exchange.request.body());
            json!({ "mimeType": media_type, "text": text, "encoding": "base64" })
        }
    }
}

fn response(exchange: &Exchange) -> Value {
    let answer = &exchange.answer;
    let status = answer.status();
    let size = answer.body().len();
    let headers = super::exchange::headers(answer.headers());
    json!({
        "status": status.as_u16(),
        "statusText": status.canonical_reason().unwrap_or_default(),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": pairs(&headers),
        "content": { "size": size, "mimeType": "application/json", "text": answer.body() },
        "redirectURL": "",
        "headersSize": -1,
        "bodySize": size,
    })
}

fn pairs(headers: &[(&str, String)]) -> Vec<Value> {
    headers.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

fn query(target: &str) -> Vec<Value> {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    form_urlencoded::parse(query.as_bytes()).map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

/// `http://host` of a URL.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |scheme| scheme + "://".len());
    let path = url.get(host..).and_then(|rest| rest.find('/'));
    path.and_then(|path| url.get(..host + path)).unwrap_or(url)
}
