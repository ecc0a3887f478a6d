//! Finds `encrypted_data` in a request body, JSON or form, without copying what need not be copied.

use std::borrow::Cow;

use lambda_http::http::HeaderValue;
use serde::de::IgnoredAny;

use super::{Malformed, QUOTED};
use crate::json;

/// The field that holds the ciphertext.
pub(super) const FIELD: &str = "encrypted_data";

/// What the `content-type` says of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyType {
    Json,
    Form,
}

impl BodyType {
    /// Parameters such as `charset` are ignored: JSON and forms are UTF-8 by definition.
    pub(super) fn of(content_type: Option<&HeaderValue>) -> Result<Self, Malformed> {
        let value = content_type.map_or("", |value| value.to_str().unwrap_or("\u{fffd}"));
        let media_type = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match media_type.as_str() {
            "application/json" => Ok(Self::Json),
            "application/x-www-form-urlencoded" => Ok(Self::Form),
            other if other.starts_with("application/") && other.ends_with("+json") => Ok(Self::Json),
            _ => Err(Malformed::UnsupportedMediaType(value.chars().take(QUOTED).collect())),
        }
    }

    pub(super) fn encrypted_data(self, body: &[u8]) -> Result<Cow<'_, [u8]>, Malformed> {
        match self {
            Self::Json => from_json(body),
            Self::Form => from_form(body),
        }
    }
}

fn from_json(body: &[u8]) -> Result<Cow<'_, [u8]>, Malformed> {
    let not_json = |error: serde_json::Error| Malformed::NotJson { line: error.line(), column: error.column() };
    let text = std::str::from_utf8(body).map_err(|error| Malformed::NotJson {
        line: 1 + body[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count(),
        column: error.valid_up_to(),
    })?;
    let mut found = None;
    // The last one of the object's own level counts, as with `JSON.parse`.
    let read = json::members(text, |name, value| {
        if name == FIELD.as_bytes() {
            found = Some(value);
        }
    });
    match read {
        Ok(()) => json::string(found.ok_or(Malformed::NoEncryptedData)?).ok_or(Malformed::NotAString),
        // Whether what is not an object is JSON at all is another question.
        Err(error) if error.is_data() => match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => Err(Malformed::NotAnObject),
            Err(error) => Err(not_json(error)),
        },
        Err(error) => Err(not_json(error)),
    }
}

fn from_form(body: &[u8]) -> Result<Cow<'_, [u8]>, Malformed> {
    let mut fields = form_urlencoded::parse(body).filter(|(name, _)| name == FIELD).map(|(_, value)| value);
    let data = fields.next().ok_or(Malformed::NoEncryptedDataInForm)?;
    if fields.next().is_some() {
        return Err(Malformed::AmbiguousForm);
    }
    Ok(match data {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    })
}
