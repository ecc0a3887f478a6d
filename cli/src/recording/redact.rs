//! Replaces in an event what tells who called whom: phone numbers, ids, URLs and `custom_data`.
//!
//! Equal values of a run get the same replacement, so that the events of a call stay together. A replacement is made with
//! a secret of the run: without one, all phone numbers could be tried. What is neither replaced nor known to be harmless
//! is named on standard error, once for each field.

use std::collections::BTreeSet;

use serde_json::{Value, value::RawValue};
use sha2::{Digest as _, Sha256};

use crate::{console, json_text::Fields, printable::one_line};

/// Fields with a phone number or the address of a participant.
const NUMBERS: &[&str] = &["from", "to", "phone", "number", "caller", "callee", "msisdn", "cli", "did"];
/// Fields with what the application gave a call.
const OPAQUE: &[&str] = &["custom_data", "customdata", "owner_ref", "ownerref"];
/// Fields whose values come from a list, or are times. `play_id` and `prompt_ref` name parts of the application.
const HARMLESS: &[&str] = &[
    "event",
    "state",
    "playstate",
    "timestamp",
    "reason",
    "disconnect_reason",
    "disconnect_cause_code",
    "result",
    "call_duration",
    "attempt",
    "prompt_ref",
    "play_id",
];
/// How deep objects and arrays may be nested. What is deeper is replaced as a whole.
const DEEPEST: usize = 32;

/// Redacts the events of a run.
#[derive(Debug)]
pub(super) struct Redactor {
    secret: [u8; 32],
    /// The fields that were named.
    named: BTreeSet<String>,
}

impl Redactor {
    pub(super) fn new() -> anyhow::Result<Self> {
        let mut secret = [0; 32];
        getrandom::getrandom(&mut secret).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
        Ok(Self { secret, named: BTreeSet::new() })
    }

    /// The event with its replacements. Names the fields that stay as they are.
    pub(super) fn redact(&mut self, event: &str) -> String {
        let Ok(event) = serde_json::from_str::<&RawValue>(event) else { return "{}".to_owned() };
        let mut left = BTreeSet::new();
        let redacted = self.value("", event, 0, &mut left);
        for field in left {
            if self.named.len() < 1000 && self.named.insert(field.clone()) {
                let field = one_line(&field);
                console::note(format_args!("--redact: the text in {field:?} is recorded as it is"));
            }
        }
        redacted
    }

    fn value(&self, field: &str, value: &RawValue, depth: usize, left: &mut BTreeSet<String>) -> String {
        let json = value.get();
        let name = field.to_ascii_lowercase();
        if OPAQUE.contains(&name.as_str()) && json != "null" {
            let replaced = Value::from(format!("redacted-{}", self.hex(json, 4)));
            return if json.starts_with('{') { format!("{{\"redacted\":{replaced}}}") } else { replaced.to_string() };
        }
        match json.as_bytes().first() {
            _ if HARMLESS.contains(&name.as_str()) && !json.starts_with(['{', '[']) => json.to_owned(),
            Some(b'{' | b'[') if depth >= DEEPEST => "\"redacted\"".to_owned(),
            Some(b'{') => {
                let Fields(fields) = serde_json::from_str(json).unwrap_or(Fields(Vec::new()));
                let field = |(name, value): &(String, Box<RawValue>)| {
                    let shown = if is_number(name) { self.number(name) } else { name.clone() };
                    format!("{}:{}", Value::from(shown), self.value(name, value, depth + 1, left))
                };
                format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(","))
            }
            Some(b'[') => {
                let elements: Vec<&RawValue> = serde_json::from_str(json).unwrap_or_default();
                let elements = elements.iter().map(|element| self.value(field, element, depth + 1, left));
                format!("[{}]", elements.collect::<Vec<_>>().join(","))
            }
            Some(b'"') => {
                let text: String = serde_json::from_str(json).unwrap_or_default();
                self.text(field, &name, &text, left)
                    .map_or_else(|| json.to_owned(), |text| Value::from(text).to_string())
            }
            Some(b'-' | b'0'..=b'9') if is_number_field(&name) || is_id(&name) => self.digits(json, json.len()),
            Some(b'-' | b'0'..=b'9') if name.starts_with("digit") => {
                left.insert(field.to_owned());
                json.to_owned()
            }
            _ => json.to_owned(),
        }
    }

    /// The replacement of a text, if it has one.
    fn text(&self, field: &str, name: &str, text: &str, left: &mut BTreeSet<String>) -> Option<String> {
        if text.is_empty() {
            None
        } else if text.starts_with("http://") || text.starts_with("https://") {
            Some(format!("https://redacted.invalid/{}", self.hex(text, 8)))
        } else if is_number(text) || (is_number_field(name) && text.bytes().all(|byte| byte.is_ascii_digit())) {
            Some(self.number(text))
        } else if is_id(name) || is_number_field(name) {
            Some(format!("redacted-{}", self.hex(text, 8)))
        } else {
            left.insert(field.to_owned());
            None
        }
    }

    /// A number of the country code 999, which is not assigned. It begins with a plus if the original does.
    fn number(&self, number: &str) -> String {
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        let plus = if number.starts_with('+') { "+" } else { "" };
        format!("{plus}{}", self.digits(&digits, digits.len()))
    }

    /// So many digits, but ten at least and fifteen at most.
    fn digits(&self, of: &str, length: usize) -> String {
        let hash = self.hash(of);
        let number = hash.iter().fold(0_u64, |number, byte| number.wrapping_mul(257).wrapping_add(u64::from(*byte)));
        let rest = length.clamp(10, 15) - 3;
        format!("999{:0>rest$}", number % 10_u64.pow(u32::try_from(rest).unwrap_or(0)))
    }

    fn hex(&self, of: &str, bytes: usize) -> String {
        hex_simd::encode_to_string(&self.hash(of)[..bytes], hex_simd::AsciiCase::Lower)
    }

    fn hash(&self, of: &str) -> [u8; 32] {
        Sha256::new().chain_update(self.secret).chain_update(of).finalize().into()
    }
}

fn is_number_field(name: &str) -> bool {
    NUMBERS.contains(&name) || name.contains("phone") || name.ends_with("_number")
}

fn is_id(name: &str) -> bool {
    name == "id" || name.ends_with("_id") || name == "voiceid" || name.ends_with("uuid")
}

/// A plus and at least seven digits, with nothing between them but what people write there.
fn is_number(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let allowed = |character: char| character.is_ascii_digit() || " -().".contains(character);
    text.strip_prefix('+').is_some_and(|rest| digits >= 7 && rest.chars().all(allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(redactor: &mut Redactor, event: &str) -> Value {
        serde_json::from_str(&redactor.redact(event)).unwrap()
    }

    #[test]
    fn equal_values_get_the_same_replacement_and_others_another() {
        let mut redactor = Redactor::new().unwrap();
        let event = r#"{"voice_id":"a","from":"+12025550123","to":"12025550123","custom_data":{"order":17}}"#;
        let (first, again) = (redacted(&mut redactor, event), redacted(&mut redactor, event));
        assert_eq!(first, again);
        assert_eq!(first["from"], format!("+{}", first["to"].as_str().unwrap()));
        assert_eq!(first["from"].as_str().map(str::len), Some("+12025550123".len()));
        let other = redacted(&mut redactor, r#"{"voice_id":"b","from":"+12025550124","custom_data":{"order":18}}"#);
        for field in ["voice_id", "from", "custom_data"] {
            assert_ne!(first[field], other[field], "{field}");
        }
        assert_ne!(redacted(&mut Redactor::new().unwrap(), event)["from"], first["from"]);
    }

    #[test]
    fn nothing_personal_is_left_in_any_spelling_or_depth() {
        let event = r#"{"voiceId":"secret-1","voice_Id":"secret-1","channel_id":20255501230,"from":"sip:secret@host",
            "to":[12025550123,"+1 (202) 555-0123"],"info":[{"to":"+12025550123","x":{"+12025550123":true}}],
            "custom_data":"secret","owner_ref":"secret","recording_url":"https://host/secret.wav","peer":"+12025550123"}"#;
        let text = Redactor::new().unwrap().redact(event);
        for part in ["secret", "2025550123", "555-0123", "host"] {
            assert!(!text.contains(part), "{part}: {text}");
        }
        assert!(serde_json::from_str::<Value>(&text).is_ok(), "{text}");
    }

    #[test]
    fn what_does_not_tell_who_called_stays_byte_for_byte() {
        let event =
            r#"{"state":"disconnected","timestamp":"1795431126000","call_duration":1.50,"play_id":"1","from":null}"#;
        assert_eq!(Redactor::new().unwrap().redact(event), event);
    }

    #[test]
    fn free_text_is_named() {
        let mut redactor = Redactor::new().unwrap();
        redactor.redact(r#"{"text":"my name is","asrtext":"yes","digit":7,"state":"connected","from":"+12025550123"}"#);
        assert_eq!(redactor.named.iter().collect::<Vec<_>>(), ["asrtext", "digit", "text"]);
    }

    #[test]
    fn a_deeply_nested_event_is_redacted_as_a_whole() {
        let event = format!("{{\"a\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(Redactor::new().unwrap().redact(&event).contains("redacted"));
    }
}
