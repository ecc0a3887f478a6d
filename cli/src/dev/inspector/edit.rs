//! Edit and resend: a webhook with another event, encrypted as the original was.

use axum::http::{HeaderName, HeaderValue, Request, header, request::Parts};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;
use voicehook_lambda::webhook::{ALGORITHM_HEADER, ALGORITHM_HEADER_AS_DOCUMENTED, ENCODING_HEADER, FORMAT_HEADER};

use super::Exchange;
use crate::{
    dev::play::Player,
    json_text::{self, Fields},
    send::{EncryptionArgs, HeaderSpelling, WebhookRequest},
};

/// What to change.
#[derive(Deserialize)]
pub(super) struct Edit {
    /// The whole new event: an object, or its text, which need not be JSON.
    #[serde(default)]
    event: Option<Box<RawValue>>,
    /// Fields to set, each named by its path.
    #[serde(default)]
    set: Option<Fields>,
    /// Whether to send it, or only to say what would be different.
    #[serde(default = "yes")]
    pub(super) send: bool,
}

const fn yes() -> bool {
    true
}

impl Edit {
    /// The new event, made of the original.
    ///
    /// # Errors
    /// If there is nothing to change, or a field cannot be set.
    pub(super) fn apply(&self, original: &str) -> anyhow::Result<String> {
        if self.event.is_none() && self.set.is_none() {
            anyhow::bail!("expected {{\"event\": …}} with the new event, or {{\"set\": {{\"FIELD\": …}}}}");
        }
        let event = match &self.event {
            None => original.to_owned(),
            Some(event) => serde_json::from_str::<String>(event.get()).unwrap_or_else(|_| event.get().to_owned()),
        };
        let fields = self.set.iter().flat_map(|Fields(fields)| fields);
        fields.into_iter().try_fold(event, |event, (path, value)| json_text::set(&event, path, value.get()))
    }
}

/// What a receiver will find wrong with an event. It can be sent all the same.
pub(super) fn problem(event: &str) -> Option<String> {
    match serde_json::from_str::<IgnoredAny>(event) {
        Ok(_) if event.trim_start().starts_with('{') => None,
        Ok(_) => Some("This is JSON, but not an object. The receiver will reject it.".to_owned()),
        Err(error) => {
            let (line, column) = (error.line(), error.column());
            let what = error.to_string();
            let what = what.split(" at line ").next().unwrap_or_default();
            Some(format!("This is not JSON: {what}, at line {line}, column {column}. The receiver will reject it."))
        }
    }
}

/// The request of the original with another event in its body.
pub(super) fn request(original: &Exchange, event: &str, player: &Player) -> anyhow::Result<(Parts, Vec<u8>)> {
    let (mut parts, _) = original.replay_request();
    let body = match encryption(&original.request) {
        None => event.to_owned(),
        Some(encryption) => {
            let WebhookRequest { headers, body, .. } = player.encrypt(event, &encryption)?;
            for (name, value) in headers {
                parts.headers.insert(HeaderName::from_static(name), HeaderValue::from_str(&value)?);
            }
            body
        }
    };
    if let Some(length) = parts.headers.get_mut(header::CONTENT_LENGTH) {
        *length = body.len().into();
    }
    Ok((parts, body.into_bytes()))
}

/// How a webhook was encrypted, as EnableX does it today where the headers do not say. `None` if it was not.
fn encryption(request: &Request<Vec<u8>>) -> Option<EncryptionArgs> {
    let value = |name: &str| request.headers().get(name)?.to_str().ok().map(|value| value.trim().to_owned());
    let default = EncryptionArgs::default();
    let (algorithm, header_spelling) = match (value(ALGORITHM_HEADER), value(ALGORITHM_HEADER_AS_DOCUMENTED)) {
        (Some(algorithm), _) => (algorithm, HeaderSpelling::Algoritm),
        (None, Some(algorithm)) => (algorithm, HeaderSpelling::Algorithm),
        (None, None) => return None,
    };
    let format = value(FORMAT_HEADER).unwrap_or(default.format);
    let encoding = value(ENCODING_HEADER).unwrap_or(default.encoding);
    Some(EncryptionArgs { algorithm, format, encoding, header_spelling })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(edit: &str) -> Result<String, String> {
        let edit: Edit = serde_json::from_str(edit).unwrap();
        edit.apply(r#"{"a": 1.50, "b": {"c": 2}}"#).map_err(|error| error.to_string())
    }

    #[test]
    fn an_event_is_replaced_or_some_of_its_fields_are_set() {
        assert_eq!(applied(r#"{"event": {"n": 1.50,  "m": []}}"#).unwrap(), r#"{"n": 1.50,  "m": []}"#);
        assert_eq!(applied(r#"{"event": "no JSON"}"#).unwrap(), "no JSON");
        assert_eq!(applied(r#"{"set": {"b.c": "x", "d": null}}"#).unwrap(), r#"{"a":1.50,"b":{"c":"x"},"d":null}"#);
        assert_eq!(applied(r#"{"event": {}, "set": {"d": 1}}"#).unwrap(), r#"{"d":1}"#);
        assert!(applied("{}").unwrap_err().starts_with("expected {\"event\""));
        assert!(applied(r#"{"set": {"a.b": 1}}"#).unwrap_err().contains("\"b\" cannot be set"));
    }

    #[test]
    fn what_the_receiver_will_reject_is_named() {
        assert_eq!(problem("{}"), None);
        assert!(problem("[1]").unwrap().contains("not an object"));
        assert!(problem("[1,").unwrap().contains("not JSON"));
        let wrong = problem("{\n  \"a\": 1,,\n}").unwrap();
        assert!(wrong.contains("at line 2, column"), "{wrong}");
    }
}
