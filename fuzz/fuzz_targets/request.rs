//! The request parser: whatever is posted, [`Webhook::read`] answers, with what the body says or with a short message.
//!
//! An input is a request as one writes it down: a line for each header, an empty line, the body. What it finds in a
//! JSON body is held against `serde_json`'s tree of that body.
#![no_main]

use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use serde_json::Value;
use voicehook_lambda::webhook::{Accept, Malformed, Webhook};

/// Every message has at most this many bytes, however long the value that it quotes: 40 characters of the sender's,
/// escaped, and a list of names.
const LONGEST_MESSAGE: usize = 1024;

fuzz_target!(|input: &[u8]| {
    let (head, body) = match input.windows(2).position(|pair| pair == b"\n\n") {
        Some(end) => (&input[..end], &input[end + 2..]),
        None => (&[][..], input),
    };
    let headers = headers(head);
    let text = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    let tree = tree(text);
    for plaintext in [false, true] {
        let accept = Accept { plaintext, ..Accept::default() };
        match (Webhook::read(&headers, body, &accept), &tree) {
            (Ok(Webhook::Plain(plain)), _) => assert!(plaintext && plain == text),
            (Ok(Webhook::Encrypted(envelope)), Some(tree)) if !is_form(&headers) => {
                let expected = tree.get("encrypted_data").and_then(Value::as_str);
                assert_eq!(Some(&*envelope.encrypted_data), expected.map(str::as_bytes));
            }
            (Ok(Webhook::Encrypted(_)), None) if !is_form(&headers) => {
                let is_json = serde_json::from_slice::<IgnoredAny>(text).is_ok();
                assert!(is_json || is_form_with_ciphertext(text), "a body was read that is neither JSON nor a form");
            }
            (Ok(Webhook::Encrypted(_)), _) => {}
            (Err(malformed), tree) => {
                assert!(malformed.to_string().len() <= LONGEST_MESSAGE);
                if let Some(tree) = tree {
                    assert!(is_true(&malformed, tree), "{malformed}");
                }
            }
        }
    }
});

/// What can be a header becomes one; several of one name stay several.
fn headers(head: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in head.split(|byte| *byte == b'\n') {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            // Too many headers are the gateway's to refuse.
            let _ = headers.try_append(name, value);
        }
    }
    headers
}

/// The body as a tree. `serde_json` reads less than voicehook must (no lone surrogates, 128 levels, no 1e999), and it
/// takes an object with its private key for something else; for such a body there is nothing to compare with.
fn tree(body: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(body).ok()?;
    if text.contains("serde_json") {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// Whether a content type may declare a form. It need not be the only one.
fn is_form(headers: &HeaderMap) -> bool {
    const FORM: &[u8] = b"application/x-www-form-urlencoded";
    headers
        .get_all(http::header::CONTENT_TYPE)
        .iter()
        .any(|value| value.as_bytes().windows(FORM.len()).any(|part| part.eq_ignore_ascii_case(FORM)))
}

/// A form is read whatever its content type says, but only if the field is in it once.
fn is_form_with_ciphertext(text: &[u8]) -> bool {
    form_urlencoded::parse(text).filter(|(name, _)| name == "encrypted_data").count() == 1
}

/// Whether what is said of a JSON body is so. What is said of headers and forms is not judged here.
fn is_true(malformed: &Malformed, tree: &Value) -> bool {
    let field = tree.get("encrypted_data");
    match malformed {
        Malformed::NotJson { .. } => false,
        Malformed::NotAnObject => !tree.is_object(),
        Malformed::NoEncryptedData => tree.is_object() && field.is_none(),
        Malformed::NotAString => field.is_some_and(|value| !value.is_string()),
        _ => true,
    }
}
