//! The envelope: what EnableX posts, before anything is decrypted.
//!
//! [`Webhook::read`] takes a request's headers and body, and tells which cipher, format and text encoding were named, and
//! `encrypted_data` as it stands in the body. Nothing here depends on a secret, so an error may say exactly what is wrong
//! and what would be right.

mod accept;
mod body;

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, header};
use thiserror::Error;

pub use self::accept::Accept;
use crate::{
    decrypt::{Encoding, Envelope, Format},
    event::{Event, NotAnEvent},
    names::{find, list},
};

/// The header that names the cipher, in the spelling that the EnableX server sends.
pub const ALGORITHM_HEADER: &str = "x-algoritm";
/// The same header in the spelling of the EnableX documentation.
pub const ALGORITHM_HEADER_AS_DOCUMENTED: &str = "x-algorithm";
/// The header that says how `encrypted_data` is written.
pub const FORMAT_HEADER: &str = "x-format";
/// The header that names the plaintext's text encoding.
pub const ENCODING_HEADER: &str = "x-encoding";

/// The headers that decide how a webhook is read. The others are neither looked at nor kept.
pub static HEADERS: [HeaderName; 6] = [
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    HeaderName::from_static(ALGORITHM_HEADER),
    HeaderName::from_static(ALGORITHM_HEADER_AS_DOCUMENTED),
    HeaderName::from_static(FORMAT_HEADER),
    HeaderName::from_static(ENCODING_HEADER),
];

/// Longest header value that is kept, in bytes. Those that mean something are shorter.
const MAX_KEPT: usize = 1024;
/// How much of a value that was sent an error message repeats, in characters.
const QUOTED: usize = 40;

/// A webhook as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Webhook<'a> {
    /// The usual kind.
    Encrypted(Envelope<'a>),
    /// The event itself, from a project without webhook encryption. Only where the operator opted in.
    Plain(&'a [u8]),
}

impl<'a> Webhook<'a> {
    /// Reads the envelope of a `POST` whose body is not empty.
    ///
    /// # Errors
    /// [`Malformed`], with a message for the sender.
    pub fn read(headers: &HeaderMap, body: &'a [u8], accept: &Accept) -> Result<Self, Malformed> {
        let body = body::text(body);
        let encrypted_data = match body::encrypted_data(headers, body) {
            Err(unsupported) if unsupported.is_unsupported_body() && !body::is_json_object(body) => {
                return Err(unsupported);
            }
            read => read,
        };
        let Some((header, name)) = algorithm_header(headers)? else {
            return Self::without_algorithm(body, accept, encrypted_data.err());
        };
        Ok(Self::Encrypted(Envelope {
            algorithm: accept.algorithm(header, name)?,
            format: named(headers, FORMAT_HEADER, Format::NAMES)?,
            encoding: named(headers, ENCODING_HEADER, Encoding::NAMES)?,
            encrypted_data: encrypted_data?,
        }))
    }

    fn without_algorithm(body: &'a [u8], accept: &Accept, unreadable: Option<Malformed>) -> Result<Self, Malformed> {
        let is_said_to_be_json = matches!(unreadable, Some(Malformed::NotJson { .. } | Malformed::NotAnObject));
        if accept.plaintext && (is_said_to_be_json || body::is_json_object(body)) {
            return Ok(Self::Plain(body));
        }
        if is_voice_event(body) {
            return Err(Malformed::PlainEvent);
        }
        let unsupported = unreadable.filter(Malformed::is_unsupported_body);
        Err(unsupported.unwrap_or_else(|| Malformed::missing(ALGORITHM_HEADER, &accept.names())))
    }
}

/// The headers that decide how a webhook is read, by lower-case name, to keep them with it. Several values of one header
/// are joined by commas, as gateways do.
#[must_use]
pub fn kept_headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    let kept = |name: &HeaderName| {
        let values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        let value = values.collect::<Vec<_>>().join(",");
        (headers.contains_key(name) && value.len() <= MAX_KEPT).then(|| (name.as_str().to_owned(), value))
    };
    HEADERS.iter().filter_map(kept).collect()
}

/// Whether a request that could not be opened may have been meant as a webhook, and is worth keeping.
#[must_use]
pub fn looks_like_a_webhook(headers: &HeaderMap, body: &[u8]) -> bool {
    let has_algorithm = headers.contains_key(ALGORITHM_HEADER) || headers.contains_key(ALGORITHM_HEADER_AS_DOCUMENTED);
    has_algorithm
        || body.windows(body::FIELD.len()).any(|window| window == body::FIELD.as_bytes())
        || is_voice_event(body::text(body))
}

/// Whether a body is the event of a project without webhook encryption.
fn is_voice_event(body: &[u8]) -> bool {
    let text = std::str::from_utf8(body).map(str::to_owned);
    text.is_ok_and(|text| Event::from_json(text).is_ok_and(|event| event.is_routable()))
}

/// A request that no AppID could open, because it is not a webhook in the form that EnableX documents.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Malformed {
    /// A header that EnableX always sends is not there.
    #[error("header {header} is missing; supported values: {supported}")]
    MissingHeader {
        /// The header's name.
        header: &'static str,
        /// The values it may have.
        supported: String,
    },
    /// A header has a value that is not supported, or not allowed here.
    #[error("header {header}: {given:?} is not supported; supported values: {supported}")]
    UnsupportedValue {
        /// The header's name.
        header: &'static str,
        /// The value that was sent, shortened.
        given: String,
        /// The values it may have.
        supported: String,
    },
    /// An algorithm is supported, but not allowed here (`ALLOWED_ALGORITHMS`).
    #[error("header {header}: {given:?} is supported, but not allowed here; allowed values: {allowed}")]
    NotAllowed {
        /// The header's name.
        header: &'static str,
        /// The value that was sent.
        given: String,
        /// The values it may have.
        allowed: String,
    },
    /// The event itself, of a project without webhook encryption.
    #[error(
        "the body is a voice event that is not encrypted; switch on webhook encryption in the EnableX portal, or set \
         ALLOW_PLAINTEXT=true"
    )]
    PlainEvent,
    /// The body has no algorithm header, and is not an event either, where events may come unencrypted.
    #[error("the body {0}; without the header x-algoritm it must be a voice event: a JSON object")]
    PlainNotAnEvent(NotAnEvent),
    /// A header was sent several times, with different values.
    #[error("header {0} was sent more than once, with different values; send it once")]
    AmbiguousHeader(&'static str),
    /// The body is neither JSON nor a form.
    #[error(
        "content-type {0:?} is not supported; supported values: application/json, application/x-www-form-urlencoded"
    )]
    UnsupportedMediaType(String),
    /// The body cannot be read, because it is compressed.
    #[error("content-encoding {0:?} is not supported; send the body as it is, without compression")]
    UnsupportedContentEncoding(String),
    /// The body is not valid JSON.
    #[error("the body is not valid JSON (line {line}, column {column}); expected {{\"encrypted_data\": \"...\"}}")]
    NotJson {
        /// Line of the first error, from 1.
        line: usize,
        /// Column of the first error.
        column: usize,
    },
    /// The body is JSON, but not an object.
    #[error("the body is JSON, but not an object; expected {{\"encrypted_data\": \"...\"}}")]
    NotAnObject,
    /// A JSON body has no `encrypted_data`.
    #[error("the body has no field encrypted_data; expected {{\"encrypted_data\": \"...\"}}")]
    NoEncryptedData,
    /// `encrypted_data` is there, but is not a string.
    #[error("field encrypted_data is not a string; expected {{\"encrypted_data\": \"...\"}}")]
    NotAString,
    /// A form body has no `encrypted_data`.
    #[error("the form has no field encrypted_data; a JSON body needs the header content-type: application/json")]
    NoEncryptedDataInForm,
    /// A form body has several `encrypted_data`.
    #[error("the form has more than one field encrypted_data; send it once")]
    AmbiguousForm,
}

impl Malformed {
    fn missing<T>(header: &'static str, names: &[(&str, T)]) -> Self {
        Self::MissingHeader { header, supported: list(names) }
    }

    fn unsupported<T>(header: &'static str, given: &str, names: &[(&str, T)]) -> Self {
        Self::UnsupportedValue { header, given: shortened(given), supported: list(names) }
    }

    /// Whether a header says why the body cannot be read.
    #[must_use]
    pub const fn is_unsupported_body(&self) -> bool {
        matches!(self, Self::UnsupportedMediaType(_) | Self::UnsupportedContentEncoding(_))
    }
}

fn shortened(value: &str) -> String {
    value.chars().take(QUOTED).collect()
}

/// The algorithm header under the name it was found by: the server's spelling wins.
fn algorithm_header(headers: &HeaderMap) -> Result<Option<(&'static str, &str)>, Malformed> {
    for header in [ALGORITHM_HEADER, ALGORITHM_HEADER_AS_DOCUMENTED] {
        if let Some(name) = single(headers, header)? {
            return Ok(Some((header, name)));
        }
    }
    Ok(None)
}

fn named<T: Copy>(headers: &HeaderMap, header: &'static str, names: &[(&str, T)]) -> Result<T, Malformed> {
    let given = single(headers, header)?.ok_or_else(|| Malformed::missing(header, names))?;
    find(names, given).ok_or_else(|| Malformed::unsupported(header, given, names))
}

/// A header's one value. Where it was sent several times, equal values are one.
fn single<'h>(headers: &'h HeaderMap, header: &'static str) -> Result<Option<&'h str>, Malformed> {
    let mut values = values(headers, header);
    let Some(first) = values.next() else {
        return Ok(headers.contains_key(header).then_some(""));
    };
    if values.any(|value| !value.eq_ignore_ascii_case(first)) {
        return Err(Malformed::AmbiguousHeader(header));
    }
    Ok(Some(first))
}

/// A header's values, also where a gateway has joined them by commas. Bytes outside of ASCII make no supported value, so
/// they need no faithful rendering.
fn values<'h>(headers: &'h HeaderMap, header: &str) -> impl Iterator<Item = &'h str> {
    let lines = headers.get_all(header).iter().map(|line| line.to_str().unwrap_or("\u{fffd}"));
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_headers_that_matter_are_kept_and_no_others() {
        let headers = [
            ("x-algoritm", "rot13"),
            ("content-type", "application/json"),
            ("content-encoding", "br"),
            ("authorization", "secret"),
        ];
        let headers = headers.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let kept = kept_headers(&headers.into_iter().collect());
        assert_eq!(kept.keys().collect::<Vec<_>>(), ["content-encoding", "content-type", "x-algoritm"]);
    }
    #[test]
    fn a_body_of_another_type_is_what_is_wrong_whatever_the_headers_name() {
        for algorithm in ["rot13", "aes-256-cbc"] {
            let headers = [("content-type", "image/png"), ("x-algoritm", algorithm), ("x-format", "roman numerals")];
            let headers = headers.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            let read = |body| Webhook::read(&headers.clone().into_iter().collect(), body, &Accept::default());
            assert!(read(b"\x89PNG").unwrap_err().is_unsupported_body(), "{algorithm}");
            assert!(
                !read(br#"{"encrypted_data":"00"}"#).unwrap_err().is_unsupported_body(),
                "{algorithm}: JSON is JSON"
            );
        }
    }
}
