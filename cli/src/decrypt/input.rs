//! Parses a captured webhook (a Lambda event, an HTTP request, a `curl` line, a HAR file, …) into requests.
//!
//! The form is detected unless `--as` names it. Each [`Captured`] request has the headers and body as the function would
//! have seen them.

use anyhow::anyhow;
use clap::ValueEnum;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use jiff::Timestamp;
use serde_json::{Value, value::RawValue};
use voicehook_lambda::{
    decrypt::{self, Format},
    event::Event,
    lambda::GatewayEvent,
    queue::Quarantined,
    receiver::named_app,
    webhook::{ALGORITHM_HEADER, ENCODING_HEADER, FORMAT_HEADER, looks_like_a_webhook},
};

use super::{curl, http_request};
use crate::{explain::Finding, printable::excerpt, send::EncryptionArgs};

/// The forms in which a webhook may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// Events of a Lambda function, one or several: API Gateway (payload 1.0 or 2.0), Function URL or ALB
    Event,
    /// An HTTP request as it goes over the wire
    Http,
    /// A curl line
    Curl,
    /// A HAR file, or an entry of one
    Har,
    /// A message from the quarantine queue, or what `aws sqs receive-message` prints
    Quarantine,
    /// The body alone: JSON or a form with `encrypted_data`
    Body,
    /// The ciphertext alone
    Ciphertext,
}

impl Form {
    fn detect(text: &str) -> Self {
        let start = text.trim_start();
        // Before JSON: a prompt may begin with a bracket.
        if curl::is_command(start) {
            return Self::Curl;
        }
        if start.starts_with(['{', '[']) {
            let first = serde_json::Deserializer::from_str(start).into_iter().next();
            return first.and_then(Result::ok).map_or(Self::Body, |json| Self::detect_json(&json));
        }
        let line = start.lines().find(|line| !line.starts_with("* ")).unwrap_or_default();
        if http_request::is_start(line) {
            Self::Http
        } else if start.contains("encrypted_data") {
            Self::Body
        } else {
            Self::Ciphertext
        }
    }

    fn detect_json(json: &Value) -> Self {
        let has = |pointer: &str| json.pointer(pointer).is_some();
        if has("/log/entries") || has("/request/headers") {
            Self::Har
        } else if has("/body_base64") || has("/Messages") || has("/Body") || has("/0/Body") || has("/Records/0/body") {
            Self::Quarantine
        } else if ["/requestContext", "/httpMethod", "/0/requestContext", "/0/httpMethod"].into_iter().any(has) {
            Self::Event
        } else {
            Self::Body
        }
    }
}

const INVOCATION: &str = "an event of a Lambda function";
const BODY: &str = "a body";
const CIPHERTEXT: &str = "a ciphertext";

/// A request, and what was noticed when it was read.
pub(super) struct Captured {
    /// Where it came from, as a report names it.
    pub(super) form: &'static str,
    /// With all headers, also those that the function does not look at.
    pub(super) request: Request<Vec<u8>>,
    /// The app that its path, or its record, names.
    pub(super) app: Option<String>,
    pub(super) noticed: Vec<Finding>,
    pub(super) known: Known,
}

/// What the input says of a request beside the request.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// When it was sent, or arrived.
    pub(super) at: Option<Timestamp>,
    /// What became of it.
    pub(super) outcome: Option<&'static str>,
    /// The status of the answer.
    pub(super) status: Option<u16>,
}

impl Captured {
    /// Whether the function itself would have seen this path.
    pub(super) fn is_invocation(&self) -> bool {
        self.form == INVOCATION
    }

    /// Whether options stand in for its headers.
    pub(super) fn is_without_headers(&self) -> bool {
        matches!(self.form, BODY | CIPHERTEXT)
    }

    /// Of the parts of a request.
    pub(super) fn request(
        form: &'static str,
        method: &str,
        url: &str,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    ) -> anyhow::Result<Self> {
        let mut request = Request::new(body);
        *request.method_mut() = Method::from_bytes(method.as_bytes())
            .map_err(|_| anyhow!("{} is not an HTTP method", excerpt(&format!("{method:?}"))))?;
        // A host alone is no URI with a path, and a host matters to nobody here.
        let path = url.split_once("://").map_or(url, |(_, rest)| rest.find('/').map_or("/", |slash| &rest[slash..]));
        if let Ok(uri) = path.parse::<Uri>() {
            *request.uri_mut() = uri;
        }
        for (name, value) in headers {
            add_header(request.headers_mut(), &name, &value);
        }
        let app = named_app(request.uri().path(), None).map(str::to_owned);
        Ok(Self { form, request, app, noticed: Vec::new(), known: Known::default() })
    }
}

/// Adds a header; one that HTTP does not allow is left out.
fn add_header(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
        headers.append(name, value);
    }
}

/// Reads what was given; `writing` stands in for the headers where there are none.
pub(super) fn read(text: &str, form: Option<Form>, writing: &EncryptionArgs) -> anyhow::Result<Vec<Captured>> {
    if text.trim().is_empty() {
        return Err(anyhow::Error::msg("the input is empty; give a file, or the webhook on standard input"));
    }
    let captured = match form.unwrap_or_else(|| Form::detect(text)) {
        Form::Event => events(text)?,
        Form::Http => vec![http_request::read(text)?],
        Form::Curl => vec![curl::read(text)?],
        Form::Har => har(&json(text, "a HAR file")?)?,
        Form::Quarantine => quarantine(text)?,
        Form::Body => vec![without_headers(BODY, text.trim().as_bytes().to_vec(), writing)?],
        Form::Ciphertext => {
            let body = format!(r#"{{"encrypted_data":{}}}"#, Value::from(alone(text)));
            vec![without_headers(CIPHERTEXT, body.into_bytes(), writing)?]
        }
    };
    if captured.is_empty() {
        return Err(anyhow::Error::msg(
            "the file has no POST request with a body; give the request that carries encrypted_data",
        ));
    }
    Ok(captured)
}

fn json(text: &str, what: &str) -> anyhow::Result<Value> {
    serde_json::from_str(text).map_err(|error| no_json(what, &error))
}

fn no_json(what: &str, error: &serde_json::Error) -> anyhow::Error {
    anyhow!("this is not {what}, because it is not JSON: {error}")
}

/// Digits without what a terminal, an editor or `xxd -p` put around and between them. Bytes stay as they are.
fn alone(text: &str) -> String {
    if text.is_ascii() { text.trim().trim_matches(['"', '\'']).replace(['\r', '\n'], "") } else { text.to_owned() }
}

/// Events, one after the other or in an array.
fn events(text: &str) -> anyhow::Result<Vec<Captured>> {
    let mut captured = Vec::new();
    for json in serde_json::Deserializer::from_str(text).into_iter::<&RawValue>() {
        let json = json.map_err(|error| no_json("an event of a Lambda function", &error))?;
        let several: Result<Vec<&RawValue>, _> = serde_json::from_str(json.get());
        for json in several.unwrap_or_else(|_| vec![json]) {
            captured.push(event(json.get())?);
        }
    }
    Ok(captured)
}

fn event(text: &str) -> anyhow::Result<Captured> {
    let json = json(text, "an event of a Lambda function")?;
    let no_event = |error: &dyn std::fmt::Display| anyhow!("this is not a gateway event: {error}");
    let event: GatewayEvent = serde_json::from_str(text).map_err(|error| no_event(&error))?;
    let received = event.into_captured_request().map_err(|error| no_event(&error))?;
    let headers = json["headers"].as_object().or_else(|| json["multiValueHeaders"].as_object());
    let text_of = |value: &Value| value.as_str().or_else(|| value[0].as_str()).unwrap_or_default().to_owned();
    let app = named_app(&received.path, received.origin.stage.as_deref()).map(str::to_owned);
    let at = received.origin.taken.and_then(|taken| Timestamp::from_millisecond(taken.try_into().ok()?).ok());
    let mut request = Request::new(received.body);
    (*request.method_mut(), *request.headers_mut()) = (received.method, received.headers);
    for (name, value) in headers.into_iter().flatten() {
        if !request.headers().contains_key(name.as_str()) {
            add_header(request.headers_mut(), name, &text_of(value));
        }
    }
    let known = Known { at, ..Known::default() };
    Ok(Captured { form: INVOCATION, request, app, noticed: Vec::new(), known })
}

/// A body without the headers that say how to read it.
fn without_headers(form: &'static str, body: Vec<u8>, writing: &EncryptionArgs) -> anyhow::Result<Captured> {
    let is_json = body.first().is_some_and(|byte| b"{[\"".contains(byte));
    let content_type = if is_json { "application/json" } else { "application/x-www-form-urlencoded" };
    let headers = [
        ("content-type", content_type),
        (ALGORITHM_HEADER, &writing.algorithm),
        (FORMAT_HEADER, &writing.format),
        (ENCODING_HEADER, &writing.encoding),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Captured::request(form, "POST", "/webhook", headers, body)
}

/// <http://www.softwareishard.com/blog/har-12-spec/>. Requests that carry no webhook are skipped, unless there is only
/// one.
fn har(json: &Value) -> anyhow::Result<Vec<Captured>> {
    let entries =
        json.pointer("/log/entries").and_then(Value::as_array).map_or(std::slice::from_ref(json), Vec::as_slice);
    let is_post = |request: &Value| request["method"] == "POST" && request["postData"].is_object();
    let posts = entries.iter().filter(|entry| is_post(&entry["request"]));
    let mut captured = posts.map(har_entry).collect::<Result<Vec<_>, _>>()?;
    if captured.len() > 1 {
        captured.retain(|post| looks_like_a_webhook(post.request.headers(), post.request.body()));
    }
    Ok(captured)
}

fn har_entry(entry: &Value) -> anyhow::Result<Captured> {
    let request = &entry["request"];
    let at = entry["startedDateTime"].as_str().and_then(|time| time.parse().ok());
    // 0 where there was no answer.
    let status = entry.pointer("/response/status").and_then(Value::as_u64).filter(|status| (100..600).contains(status));
    let known = Known { at, outcome: None, status: status.and_then(|status| status.try_into().ok()) };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let headers = request["headers"].as_array().into_iter().flatten();
    let headers = headers.map(|header| (text(&header["name"]), text(&header["value"]))).collect();
    let post_data = &request["postData"];
    let body = match (post_data["text"].as_str(), post_data["params"].as_array()) {
        (Some(text), _) => {
            // Some proxies write bodies in base64, as all of them do with those of responses.
            let decoded = (post_data["encoding"] == "base64").then(|| decrypt::decode(Format::Base64, text.as_bytes()));
            decoded.flatten().unwrap_or_else(|| text.as_bytes().to_vec())
        }
        (None, params) => {
            let mut form = form_urlencoded::Serializer::new(String::new());
            for param in params.into_iter().flatten() {
                form.append_pair(&text(&param["name"]), &text(&param["value"]));
            }
            form.finish().into_bytes()
        }
    };
    let captured = Captured::request("a HAR entry", &text(&request["method"]), &text(&request["url"]), headers, body)?;
    Ok(Captured { known, ..captured })
}

/// Records, or messages of SQS with records in them, one or several; parts of one webhook are joined.
fn quarantine(text: &str) -> anyhow::Result<Vec<Captured>> {
    let mut webhooks: Vec<Vec<Quarantined>> = Vec::new();
    // A large webhook takes several answers of SQS, one after the other.
    for json in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        for record in records(&json.map_err(|error| no_json("a message from the quarantine", &error))?)? {
            match webhooks.iter_mut().find(|parts| parts[0].id == record.id) {
                Some(parts) => parts.push(record),
                None => webhooks.push(vec![record]),
            }
        }
    }
    webhooks.into_iter().map(joined).collect()
}

fn records(json: &Value) -> anyhow::Result<Vec<Quarantined>> {
    let messages = ["/Messages", "/Records", ""].iter().find_map(|pointer| json.pointer(pointer)?.as_array());
    let Some(messages) = messages else {
        let body = json["Body"].as_str().or_else(|| json["body"].as_str());
        let record = body.map_or_else(|| serde_json::from_value(json.clone()), serde_json::from_str);
        return record.map(|record| vec![record]).map_err(|error| match body {
            Some(body) if Event::from_json(body.to_owned()).is_ok() => {
                anyhow!(
                    "this message is from the event queue, not from the quarantine: its Body is the event, already decrypted"
                )
            }
            _ => anyhow!("this is not a message from voicehook's quarantine: {}", excerpt(&error.to_string())),
        });
    };
    messages.iter().try_fold(Vec::new(), |mut all, message| {
        all.extend(records(message)?);
        Ok(all)
    })
}

fn joined(mut parts: Vec<Quarantined>) -> anyhow::Result<Captured> {
    parts.sort_by_key(|part| part.part);
    parts.dedup_by_key(|part| part.part);
    let bodies = parts.iter().map(Quarantined::body).collect::<Option<Vec<_>>>();
    let body = bodies.ok_or_else(|| anyhow::Error::msg("body_base64 is not base64"))?.concat();
    let Some(first) = parts.first() else { return Err(anyhow::Error::msg("there are no messages")) };
    let headers = first.headers.clone().into_iter().collect();
    let mut captured = Captured::request("a quarantined webhook", "POST", "/webhook", headers, body)?;
    captured.app = Some(first.app.clone());
    // What is kept in quarantine was answered with 200.
    captured.known = Known { at: Some(first.received_at), outcome: Some("quarantined"), status: Some(200) };
    if parts.len() < first.parts {
        captured.noticed.push(Finding::new(
            format!("only {} of the {} parts of this webhook were given", parts.len(), first.parts),
            "Receive the other messages with the same id too, and give all of them in one file",
        ));
    }
    Ok(captured)
}
