//! JSON keys and strings as `JSON.parse` reads them, lone surrogates included, and borrowed where they contain no escapes.
//! `serde_json` alone refuses lone surrogates.
//!
//! Keys and strings are bytes: UTF-8, or WTF-8 where a lone surrogate was escaped.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// An object's key.
pub struct Key<'a>(pub Cow<'a, [u8]>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Raw, because only then serde_json both refuses raw control characters and takes lone surrogates.
        let raw = <&RawValue>::deserialize(deserializer)?;
        string(raw).map(Key).ok_or_else(|| D::Error::custom("a key is a string"))
    }
}

/// The content of a JSON string; `None` for a value of another type.
#[must_use]
pub fn string(raw: &RawValue) -> Option<Cow<'_, [u8]>> {
    let text = raw.get();
    let content = text.strip_prefix('"')?.strip_suffix('"')?;
    if !content.contains('\\') {
        return Some(Cow::Borrowed(content.as_bytes()));
    }
    // Asked for bytes, serde_json hands out lone surrogates; asked for a string, it fails on them.
    serde_json::Deserializer::from_str(text).deserialize_bytes(Bytes).ok().map(Cow::Owned)
}

/// Hands each member of an object to `take`, in their order. Values stay unread, so that one of an unexpected type is an
/// error only where `take` makes it one.
///
/// # Errors
/// The text is not a JSON object.
pub fn members<'a>(text: &'a str, take: impl FnMut(&[u8], &'a RawValue)) -> serde_json::Result<()> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    deserializer.deserialize_map(Members(take))?;
    deserializer.end()
}

/// The text of a string or a number that is not empty. What UTF-8 cannot hold becomes U+FFFD.
#[must_use]
pub fn text(raw: &RawValue) -> Option<String> {
    let text = match raw.get().as_bytes().first()? {
        b'"' => String::from_utf8_lossy(&string(raw)?).into_owned(),
        b'-' | b'0'..=b'9' => raw.get().to_owned(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

struct Members<F>(F);

impl<'de, F: FnMut(&[u8], &'de RawValue)> Visitor<'de> for Members<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some((Key(key), value)) = map.next_entry()? {
            (self.0)(&key, value);
        }
        Ok(())
    }
}

struct Bytes;

impl Visitor<'_> for Bytes {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(bytes.to_vec())
    }
}
