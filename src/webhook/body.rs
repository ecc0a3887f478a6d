//! Finds `encrypted_data` in a request body, JSON or form, without copying what need not be copied.

use std::borrow::Cow;

use http::{HeaderMap, header};
use serde::de::IgnoredAny;

use voicehook_event::json;

use super::{Malformed, QUOTED, values};
use crate::scan;

/// The field that holds the ciphertext.
pub(super) const FIELD: &str = "encrypted_data";

/// What some editors and frameworks put before UTF-8, and `JSON.parse` does not take.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// What the `content-type` says of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyType {
    Json,
    Form,
    /// Something else, several things, or nothing.
    Other,
}

impl BodyType {
    fn declared(headers: &HeaderMap) -> Self {
        let mut types = values(headers, header::CONTENT_TYPE.as_str()).map(Self::of);
        let first = types.next().unwrap_or(Self::Other);
        if types.all(|other| other == first) { first } else { Self::Other }
    }

    /// Parameters such as `charset` are ignored: JSON and forms are UTF-8 by definition.
    fn of(content_type: &str) -> Self {
        let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match media_type.as_str() {
            "application/json" => Self::Json,
            "application/x-www-form-urlencoded" => Self::Form,
            other if other.starts_with("application/") && other.ends_with("+json") => Self::Json,
            _ => Self::Other,
        }
    }
}

/// A body without its byte order mark.
pub(super) fn text(body: &[u8]) -> &[u8] {
    body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body)
}

/// Reads a body as what its headers say it is, else as what it is.
pub(super) fn encrypted_data<'b>(headers: &HeaderMap, body: &'b [u8]) -> Result<Cow<'b, [u8]>, Malformed> {
    let declared = BodyType::declared(headers);
    let error = match (declared, read_as(declared, body)) {
        (_, Ok(data)) => return Ok(data),
        (BodyType::Form, Err(error @ Malformed::NoEncryptedDataInForm)) => match from_json(body) {
            Ok(data) => return Ok(data),
            Err(_) => error,
        },
        // What is JSON is never looked into for a form.
        (BodyType::Json | BodyType::Other, Err(error @ Malformed::NotJson { .. })) => match from_form(body) {
            Ok(data) => return Ok(data),
            Err(_) => error,
        },
        (_, Err(error)) => error,
    };
    Err(match (error, content_encoding(headers)) {
        (Malformed::NotJson { .. } | Malformed::NoEncryptedDataInForm, Some(encoding)) => {
            Malformed::UnsupportedContentEncoding(encoding)
        }
        _ if declared == BodyType::Other => Malformed::UnsupportedMediaType(shown(headers, &header::CONTENT_TYPE)),
        (error, _) => error,
    })
}

/// Whether a body is the JSON text of an object.
pub(super) fn is_json_object(body: &[u8]) -> bool {
    std::str::from_utf8(body).is_ok_and(|text| json::members(text, |_, _| {}).is_ok())
}

/// A `content-encoding` that changes the body. A gateway may have undone it, and left the header there.
fn content_encoding(headers: &HeaderMap) -> Option<String> {
    let changes = values(headers, header::CONTENT_ENCODING.as_str()).any(|it| !it.eq_ignore_ascii_case("identity"));
    changes.then(|| shown(headers, &header::CONTENT_ENCODING))
}

/// A header's values as an error message repeats them.
fn shown(headers: &HeaderMap, name: &header::HeaderName) -> String {
    values(headers, name.as_str()).collect::<Vec<_>>().join(", ").chars().take(QUOTED).collect()
}

fn read_as(declared: BodyType, body: &[u8]) -> Result<Cow<'_, [u8]>, Malformed> {
    match declared {
        BodyType::Json | BodyType::Other => from_json(body),
        BodyType::Form => from_form(body),
    }
}

fn from_json(body: &[u8]) -> Result<Cow<'_, [u8]>, Malformed> {
    if let Some(data) = as_enablex_writes_it(body) {
        return Ok(Cow::Borrowed(data));
    }
    let not_json = |error: serde_json::Error| Malformed::NotJson { line: error.line(), column: error.column() };
    let text = std::str::from_utf8(body).map_err(|error| {
        let sound = &body[..error.valid_up_to()];
        let line_begins = sound.iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place + 1);
        let line = 1 + sound.iter().filter(|byte| **byte == b'\n').count();
        Malformed::NotJson { line, column: 1 + sound.len() - line_begins }
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

/// The ciphertext of a body that is exactly `{"encrypted_data":"…"}`, with nothing in it but the characters of hex and
/// base64. There is nothing that such a body could mean otherwise, so it need not be read as JSON.
fn as_enablex_writes_it(body: &[u8]) -> Option<&[u8]> {
    let data = body.strip_prefix(br#"{"encrypted_data":""#)?.strip_suffix(br#""}"#)?;
    let is_other = |byte: u8| !(byte.is_ascii_alphanumeric() | matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_'));
    scan::position::<64>(data, is_other).is_none().then_some(data)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_as_enablex_does_is_what_json_says() {
        let data = "0123456789abcdefABCDEFxyz+/=-_".repeat(5);
        let body = format!(r#"{{"encrypted_data":"{data}"}}"#);
        assert_eq!(as_enablex_writes_it(body.as_bytes()), Some(data.as_bytes()));
        assert_eq!(as_enablex_writes_it(br#"{"encrypted_data":""}"#), Some(&b""[..]));
    }

    #[test]
    fn what_is_wrong_with_a_body_is_said_of_what_its_headers_call_it() {
        let unsupported = |given: &str| Malformed::UnsupportedMediaType(given.to_owned());
        let compressed = |given: &str| Malformed::UnsupportedContentEncoding(given.to_owned());
        let json = &["application/json"][..];
        let form = &["application/x-www-form-urlencoded"][..];
        let long = format!("text/{}", "x".repeat(QUOTED));
        for (types, encodings, body, expected) in [
            (json, &[][..], &b"{"[..], Malformed::NotJson { line: 1, column: 1 }),
            (json, &[], b"{\n\n  \xff", Malformed::NotJson { line: 3, column: 3 }),
            (json, &[], b"\xff\n", Malformed::NotJson { line: 1, column: 1 }),
            (json, &[], b"[1]", Malformed::NotAnObject),
            (json, &[], b"{}", Malformed::NoEncryptedData),
            (json, &[], br#"{"encrypted_data":1}"#, Malformed::NotAString),
            (&["application/json", "Application/JSON; charset=utf-8"], &[], b"{}", Malformed::NoEncryptedData),
            (&["application/vnd.enablex+json"], &[], b"{}", Malformed::NoEncryptedData),
            (&["application/json", "text/plain"], &[], b"{}", unsupported("application/json, text/plain")),
            (&["text/vnd.enablex+json"], &[], b"{}", unsupported("text/vnd.enablex+json")),
            (&[&long], &[], b"{}", unsupported(&long[..QUOTED])),
            (form, &[], b"a=b", Malformed::NoEncryptedDataInForm),
            (form, &[], b"encrypted_data=00&encrypted_data=11", Malformed::AmbiguousForm),
            (json, &["gzip"], b"\x1f\x8b", compressed("gzip")),
            (json, &["identity", "br"], b"\x1f\x8b", compressed("identity, br")),
            (json, &["Identity"], b"\x1f\x8b", Malformed::NotJson { line: 1, column: 2 }),
            (form, &["gzip"], b"\x1f\x8b", compressed("gzip")),
            (json, &["gzip"], b"{}", Malformed::NoEncryptedData),
        ] {
            let types = types.iter().map(|value| (header::CONTENT_TYPE, value));
            let encodings = encodings.iter().map(|value| (header::CONTENT_ENCODING, value));
            let mut headers = HeaderMap::new();
            types.chain(encodings).for_each(|(name, value)| {
                headers.append(name, value.parse().unwrap());
            });
            assert_eq!(encrypted_data(&headers, body), Err(expected), "{headers:?} {}", body.escape_ascii());
        }
    }

    #[test]
    fn what_could_mean_anything_else_is_read_as_json() {
        for body in [
            r#"{"encrypted_data":"00","encrypted_data":"11"}"#,
            r#"{"encrypted_data":"00","other":"11"}"#,
            r#"{"encrypted_data":"\u0030"}"#,
            r#"{"encrypted_data":"0 0"}"#,
            r#"{"encrypted_data":"é"}"#,
            "{\"encrypted_data\":\"0\n0\"}",
            r#" {"encrypted_data":"00"}"#,
            r#"{"encrypted_data":"00"} "#,
            r#"{"encrypted_data":"}"#,
        ] {
            assert_eq!(as_enablex_writes_it(body.as_bytes()), None, "{body}");
        }
    }
}
