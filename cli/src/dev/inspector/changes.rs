//! What is different between an event and its edited copy, field by field.
//!
//! Values keep their spelling, so that two numbers that only differ beyond the precision of a float are different.

use std::collections::HashMap;

use serde_json::{Value, json, value::RawValue};

use crate::json_text::Fields;

/// Values that are nested deeper than this are compared as one.
const DEEPEST: usize = 32;
/// More differences than this are not listed: the events have nothing in common.
const MOST: usize = 500;

/// A field that is different.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// Where it is, such as `broadcast_call_info.0.result`; empty for the whole event.
    path: String,
    before: Option<String>,
    after: Option<String>,
}

/// The differences, in the order of the original, then what is new. Two texts that are not JSON are compared as such.
pub(super) fn changes(before: &str, after: &str) -> Vec<Change> {
    let mut found = Vec::new();
    compare(&mut found, String::new(), Some(before.trim()), Some(after.trim()), 0);
    found
}

/// As the page and scripts get them.
pub(super) fn as_json(changes: &[Change]) -> Value {
    changes
        .iter()
        .map(|Change { path, before, after }| json!({ "path": path, "before": before, "after": after }))
        .collect()
}

fn compare(found: &mut Vec<Change>, path: String, before: Option<&str>, after: Option<&str>, depth: usize) {
    if found.len() >= MOST || before == after {
        return;
    }
    if let (Some(before), Some(after)) = (before, after) {
        if depth < DEEPEST
            && let Some((before, after)) = parts(before).zip(parts(after))
            && before.is_list == after.is_list
        {
            return compare_parts(found, &path, &before, &after, depth);
        }
        if is_same_text(before, after) {
            return;
        }
    }
    found.push(Change { path, before: before.map(str::to_owned), after: after.map(str::to_owned) });
}

fn compare_parts(found: &mut Vec<Change>, path: &str, before: &Parts, after: &Parts, depth: usize) {
    let within = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    for (name, value) in before.last_fields() {
        compare(found, within(name), Some(value.get()), after.get(name), depth + 1);
    }
    for (name, value) in after.last_fields().filter(|(name, _)| before.get(name).is_none()) {
        compare(found, within(name), None, Some(value.get()), depth + 1);
    }
}

/// Two spellings of the same string.
fn is_same_text(before: &str, after: &str) -> bool {
    let text = |value: &str| serde_json::from_str::<String>(value).ok();
    text(before).is_some_and(|before| text(after) == Some(before))
}

/// The fields of an object, or the elements of an array by their numbers.
struct Parts {
    is_list: bool,
    fields: Vec<(String, Box<RawValue>)>,
    /// Of a field that is there twice, the last one counts, as it does for JSON parsers.
    last: HashMap<String, usize>,
}

impl Parts {
    fn new(is_list: bool, fields: Vec<(String, Box<RawValue>)>) -> Self {
        let last = fields.iter().enumerate().map(|(at, (name, _))| (name.clone(), at)).collect();
        Self { is_list, fields, last }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(*self.last.get(name)?).map(|(_, value)| value.get())
    }

    fn last_fields(&self) -> impl Iterator<Item = &(String, Box<RawValue>)> {
        self.fields.iter().enumerate().filter(|(at, (name, _))| self.last.get(name) == Some(at)).map(|(_, field)| field)
    }
}

fn parts(value: &str) -> Option<Parts> {
    match value.as_bytes().first()? {
        b'{' => serde_json::from_str(value).ok().map(|Fields(fields)| Parts::new(false, fields)),
        b'[' => {
            let elements: Vec<Box<RawValue>> = serde_json::from_str(value).ok()?;
            let fields = elements.into_iter().enumerate().map(|(at, value)| (at.to_string(), value));
            Some(Parts::new(true, fields.collect()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(before: &str, after: &str) -> Vec<(String, Option<String>, Option<String>)> {
        changes(before, after).into_iter().map(|Change { path, before, after }| (path, before, after)).collect()
    }

    fn change(path: &str, before: Option<&str>, after: Option<&str>) -> (String, Option<String>, Option<String>) {
        (path.to_owned(), before.map(str::to_owned), after.map(str::to_owned))
    }

    #[test]
    fn fields_that_are_different_new_or_gone_are_named() {
        let before = r#"{"digit":"2","a":{"b":[1,{"c":1.50}]},"gone":null,"big":12345678901234567890}"#;
        let after = r#"{"digit":"7","a":{"b":[1,{"c":1.5},3]},"big":12345678901234567891,"new":[]}"#;
        assert_eq!(
            found(before, after),
            [
                change("digit", Some("\"2\""), Some("\"7\"")),
                change("a.b.1.c", Some("1.50"), Some("1.5")),
                change("a.b.2", None, Some("3")),
                change("gone", Some("null"), None),
                change("big", Some("12345678901234567890"), Some("12345678901234567891")),
                change("new", None, Some("[]")),
            ]
        );
    }

    #[test]
    fn white_space_the_order_of_fields_and_the_spelling_of_a_string_are_no_differences() {
        assert_eq!(found(r#"{"a":"é","b":[1,2]}"#, "{\n  \"b\": [ 1, 2 ],\n  \"a\": \"\\u00e9\"\n}\n"), []);
    }

    #[test]
    fn what_is_of_another_kind_or_not_json_is_different_as_a_whole() {
        assert_eq!(found(r#"{"a":{"b":1}}"#, r#"{"a":[1]}"#), [change("a", Some(r#"{"b":1}"#), Some("[1]"))]);
        assert_eq!(found("{}", "{]"), [change("", Some("{}"), Some("{]"))]);
    }

    #[test]
    fn deep_and_long_events_end() {
        let deep = |inner: &str| format!("{}{inner}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(changes(&deep("1"), &deep("2")).len(), 1);
        let long =
            |from: usize| format!("[{}]", (from..from + 9000).map(|at| at.to_string()).collect::<Vec<_>>().join(","));
        assert_eq!(changes(&long(0), &long(1)).len(), MOST);
    }
}
