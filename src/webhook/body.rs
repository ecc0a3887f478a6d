//! Finds `encrypted_data` in a request body, JSON or form, without copying what need not be copied.

use std::{borrow::Cow, fmt};

use lambda_http::http::HeaderValue;
use serde::{
    Deserializer as _,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{Malformed, QUOTED};
use crate::json::{self, Key};

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
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let found = deserializer.deserialize_any(Field).and_then(|found| deserializer.end().map(|()| found));
    match found {
        Ok(Some(raw)) => json::string(raw).ok_or(Malformed::NotAString),
        Ok(None) => Err(Malformed::NoEncryptedData),
        // A value of another type fails in the visitor; whether it is JSON at all is another question.
        Err(error) if error.is_data() => match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => Err(Malformed::NotAnObject),
            Err(error) => Err(not_json(error)),
        },
        Err(error) => Err(not_json(error)),
    }
}

/// Reads an object and keeps the last `encrypted_data` of its own level, as `JSON.parse` does.
struct Field;

impl<'de> Visitor<'de> for Field {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(Key(key)) = map.next_key()? {
            if key.as_ref() == FIELD.as_bytes() {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
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
