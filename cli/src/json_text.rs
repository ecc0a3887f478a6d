//! Reads and sets fields of a JSON text without changing field order or the spelling of numbers.

use std::fmt;

use anyhow::anyhow;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// The event in the body of a message with this content type; in a CloudEvent, its `data`.
pub(crate) fn event_in<'b>(body: &'b str, content_type: Option<&str>) -> Option<&'b str> {
    #[derive(Deserialize)]
    struct CloudEvent<'a> {
        #[serde(borrow)]
        data: &'a RawValue,
    }
    if content_type == Some("application/json") {
        return Some(body);
    }
    serde_json::from_str(body).ok().map(|CloudEvent { data }| data.get())
}

/// Sets a field, named by its path with dots: `disconnect_reason`, `broadcast_call_info.0.result`. Objects that are
/// missing on the way are made; the number behind an array's last element appends one. `value` is JSON.
pub(crate) fn set(text: &str, path: &str, value: &str) -> anyhow::Result<String> {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let changed = |old: Option<&str>| match rest {
        Some(rest) => set(old.filter(|old| *old != "null").unwrap_or("{}"), rest, value),
        None => Ok(value.to_owned()),
    };
    if text.trim_start().starts_with('[') {
        return set_element(text, name, changed);
    }
    let not_an_object = |_| anyhow!("field {name:?} cannot be set, because its parent is not a JSON object");
    let Fields(fields) = serde_json::from_str(text).map_err(not_an_object)?;
    let place = fields.iter().rposition(|(known, _)| known == name);
    let new = changed(place.map(|place| fields[place].1.get()))?;
    let mut written: Vec<String> = fields
        .iter()
        .enumerate()
        .map(|(index, (name, old))| member(name, if place == Some(index) { &new } else { old.get() }))
        .collect();
    if place.is_none() {
        written.push(member(name, &new));
    }
    Ok(format!("{{{}}}", written.join(",")))
}

fn set_element(
    text: &str,
    index: &str,
    changed: impl Fn(Option<&str>) -> anyhow::Result<String>,
) -> anyhow::Result<String> {
    let elements: Vec<&RawValue> = serde_json::from_str(text)?;
    let last = elements.len();
    let index: usize =
        index.parse().ok().filter(|index| *index <= last).ok_or_else(|| {
            anyhow!("{index:?} is not an index of the array; expected 0 to {last}, where {last} appends")
        })?;
    let mut written: Vec<String> = elements.iter().map(|element| element.get().to_owned()).collect();
    let new = changed(written.get(index).map(String::as_str))?;
    written.truncate(index);
    written.push(new);
    written.extend(elements.iter().skip(index + 1).map(|element| element.get().to_owned()));
    Ok(format!("[{}]", written.join(",")))
}

fn member(name: &str, value: &str) -> String {
    format!("{}:{value}", serde_json::Value::from(name))
}

/// The text without white space between its values.
pub(crate) fn compact(json: &str) -> String {
    let (mut is_string, mut is_escaped) = (false, false);
    let is_kept = |character: &char| {
        let is_kept = is_string || !character.is_ascii_whitespace();
        is_string ^= *character == '"' && !is_escaped;
        is_escaped = is_string && *character == '\\' && !is_escaped;
        is_kept
    };
    json.chars().filter(is_kept).collect()
}

/// The fields of an object in their order.
pub(crate) struct Fields(pub(crate) Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Fields(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_set_and_the_rest_stays_as_it_is() {
        let event = r#"{"b": 1.50, "a": 12345678901234567890, "b": 2}"#;
        assert_eq!(set(event, "b", "\"x\"").unwrap(), r#"{"b":1.50,"a":12345678901234567890,"b":"x"}"#);
        assert_eq!(set(event, "c", "null").unwrap(), r#"{"b":1.50,"a":12345678901234567890,"b":2,"c":null}"#);
    }

    #[test]
    fn a_path_goes_into_objects_and_arrays_and_makes_what_is_missing() {
        assert_eq!(set("{}", "a.b.c", "1").unwrap(), r#"{"a":{"b":{"c":1}}}"#);
        assert_eq!(set(r#"{"a":[{"b":1},2]}"#, "a.0.b", "3").unwrap(), r#"{"a":[{"b":3},2]}"#);
        assert_eq!(set(r#"{"a":[1]}"#, "a.1", "2").unwrap(), r#"{"a":[1,2]}"#);
    }

    #[test]
    fn white_space_is_removed_between_values_and_kept_in_strings() {
        let json = "{ \"a b\" :\t[ 1.50,\r\n \"c \\\\\" , \"\\\" \\\\\\\" \" ] }";
        assert_eq!(compact(json), "{\"a b\":[1.50,\"c \\\\\",\"\\\" \\\\\\\" \"]}");
    }

    #[test]
    fn what_cannot_be_set_is_named() {
        assert!(set(r#"{"a":[1]}"#, "a.2", "2").unwrap_err().to_string().contains("0 to 1"));
        assert!(set(r#"{"a":[1]}"#, "a.b", "2").unwrap_err().to_string().contains("\"b\""));
        assert!(set(r#"{"a":"text"}"#, "a.b", "2").unwrap_err().to_string().contains("not a JSON object"));
    }
}
