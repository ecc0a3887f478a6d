//! An event's fields by name, each with its JSON as it came.
//!
//! The typed events take out what they know. What remains is kept, so that a field that EnableX adds tomorrow, or sends
//! with another type, is not lost.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserializer as _, Serialize, Serializer,
    de::{DeserializeOwned, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::json::{Key, text};

/// Fields that an event has beside the typed ones.
///
/// ```
/// use voicehook_event::VoiceEvent;
///
/// let event: VoiceEvent = r#"{"state": "connected", "custom_data": {"order": 17}, "exact": 1.50}"#.parse().unwrap();
/// let VoiceEvent::Call(call) = event else { unreachable!() };
/// assert_eq!(call.other.json("exact"), Some("1.50"));
/// assert_eq!(call.other.get("exact"), Some(1.5));
/// assert_eq!(call.other.get::<String>("exact"), None);
/// assert_eq!(call.other.iter().collect::<Vec<_>>(), [("exact", "1.50")]);
/// assert_eq!(call.custom_data.unwrap().get::<std::collections::HashMap<String, u32>>().unwrap()["order"], 17);
/// ```
#[derive(Clone, Debug, Default)]
pub struct OtherFields(BTreeMap<String, Box<RawValue>>);

impl OtherFields {
    /// Reads a JSON object.
    pub(super) fn from_json(text: &str) -> serde_json::Result<Self> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let fields = deserializer.deserialize_map(FieldsVisitor)?;
        deserializer.end()?;
        Ok(fields)
    }

    /// A field's value; `None` where there is none, or none of this type.
    #[must_use]
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.json(name)?).ok()
    }

    /// A field's JSON, byte for byte.
    #[must_use]
    pub fn json(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.get())
    }

    /// Each field's name and JSON, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.get()))
    }

    /// The text of a string or a number that is not empty.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        text(self.0.get(name)?)
    }

    /// Takes out what [`OtherFields::text`] finds.
    pub(super) fn take_text(&mut self, name: &str) -> Option<String> {
        self.take(name, text)
    }

    /// Takes out the first text that one of the names has, to be written under the name `written`. What has that name
    /// already, and is no text, takes over the name that becomes free, so that both are written.
    pub(super) fn take_first_text(&mut self, names: &[&str], written: &str) -> Option<String> {
        let (name, text) = names.iter().find_map(|name| Some((*name, self.take_text(name)?)))?;
        if let Some(other) = self.0.remove(written) {
            self.0.insert(name.to_owned(), other);
        }
        Some(text)
    }

    /// Takes out a value of any type but `null`.
    pub(super) fn take_json(&mut self, name: &str) -> Option<Json> {
        self.take(name, |raw| (raw.get() != "null").then(|| Json(raw.to_owned())))
    }

    /// Takes out an object.
    pub(super) fn take_object(&mut self, name: &str) -> Option<Self> {
        self.take(name, |raw| Self::from_json(raw.get()).ok())
    }

    /// Takes out a number, which may come as a string.
    pub(super) fn take_number(&mut self, name: &str) -> Option<f64> {
        self.take(name, number)
    }

    /// Takes out a whole number, which may come as a string or with a fraction of zero.
    pub(super) fn take_integer(&mut self, name: &str) -> Option<i64> {
        /// 2^53 - 1: above it, not every whole number is a floating-point number.
        const LARGEST: f64 = 9_007_199_254_740_991.0;
        let whole = |number: &f64| number.fract() == 0.0 && number.abs() <= LARGEST;
        self.take(name, |raw| number(raw).filter(whole).map(|number| number as i64))
    }

    /// Takes out an array of objects that is not empty.
    pub(super) fn take_objects(&mut self, name: &str) -> Option<Vec<Self>> {
        self.take(name, |raw| {
            let items: Vec<&RawValue> = serde_json::from_str(raw.get()).ok()?;
            let objects: Vec<Self> =
                items.into_iter().map(|item| Self::from_json(item.get())).collect::<Result<_, _>>().ok()?;
            (!objects.is_empty()).then_some(objects)
        })
    }

    /// Takes out what can be read, and leaves what cannot.
    fn take<T>(&mut self, name: &str, read: impl FnOnce(&RawValue) -> Option<T>) -> Option<T> {
        let value = read(self.0.get(name)?)?;
        self.0.remove(name);
        Some(value)
    }
}

/// A value that your application gave to EnableX and got back: its JSON, byte for byte.
#[derive(Clone, Debug)]
pub struct Json(Box<RawValue>);

impl Json {
    /// The JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// The value; `None` where it is none of this type.
    #[must_use]
    pub fn get<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(self.as_str()).ok()
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

fn number(raw: &RawValue) -> Option<f64> {
    let number: f64 = text(raw)?.trim().parse().ok()?;
    number.is_finite().then_some(number)
}

impl PartialEq for OtherFields {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Serialize for OtherFields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = OtherFields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<OtherFields, A::Error> {
        let mut fields = BTreeMap::new();
        while let Some(Key(name)) = map.next_key()? {
            fields.insert(String::from_utf8_lossy(&name).into_owned(), map.next_value()?);
        }
        Ok(OtherFields(fields))
    }
}
