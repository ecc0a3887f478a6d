//! Finds the ciphertext in a request body and decodes it, both as the function does and in the ways senders get it wrong.
//!
//! Each [`Candidate`] carries findings about what is unusual and a cost: the further from what the function does, the
//! higher.

use serde_json::Value;
use voicehook_lambda::{
    decrypt::{self, Format},
    webhook::FORMAT_HEADER,
};

use super::search::Declared;
use crate::explain::Finding;

/// Something to try. The cost counts how far it is from what the function does.
#[derive(Clone, Debug)]
pub(super) struct Candidate<T> {
    pub(super) value: T,
    pub(super) cost: u8,
    pub(super) findings: Vec<Finding>,
}

impl<T> Candidate<T> {
    pub(super) const fn usual(value: T) -> Self {
        Self { value, cost: 0, findings: Vec::new() }
    }

    pub(super) fn unusual(value: T, cost: u8, problem: impl Into<String>, next: impl Into<String>) -> Self {
        Self { value, cost, findings: vec![Finding::new(problem, next)] }
    }

    /// The same with another value, which was made in an unusual way.
    pub(super) fn but<U>(&self, value: U, problem: impl Into<String>, next: &str) -> Candidate<U> {
        let mut findings = self.findings.clone();
        findings.push(Finding::new(problem, next));
        Candidate { value, cost: self.cost + 1, findings }
    }
}

const FIELD: &str = "encrypted_data";
/// Other names under which a sender may put it.
const OTHER_NAMES: [&str; 5] = ["encryptedData", "encrypteddata", "encrypted", "data", "payload"];

/// The texts that may be `encrypted_data`.
pub(super) fn encrypted_data(body: &[u8]) -> Vec<Candidate<String>> {
    let found = match serde_json::from_slice::<Value>(body) {
        Ok(json) => in_json(&json),
        Err(_) => in_form(body),
    };
    let mut candidates = found.clone();
    for candidate in &found {
        let text = &candidate.value;
        if text.contains('%')
            && let Some((decoded, _)) = form_urlencoded::parse(text.as_bytes()).next()
        {
            candidates.push(candidate.but(
                decoded.into_owned(),
                "encrypted_data is still percent-encoded",
                "Decode the form before you pass on its values, or send JSON",
            ));
        }
        if text.trim().contains(' ') {
            candidates.push(candidate.but(
                text.replace(' ', "+"),
                "encrypted_data has spaces where base64 has plus signs: it was sent in a form without percent-encoding",
                "Percent-encode the value (+ is %2B in a form), or send JSON",
            ));
        }
        let clean: String = text.chars().filter(|character| is_digit(*character)).collect();
        let clean = clean.strip_prefix("0x").map_or(clean.clone(), str::to_owned);
        if clean != *text && text.is_ascii() {
            candidates.push(candidate.but(
                clean,
                "encrypted_data has other characters around or between its digits: quotes, white space, or 0x",
                "Send only the digits",
            ));
        }
    }
    candidates
}

const fn is_digit(character: char) -> bool {
    matches!(character, '0'..='9' | 'a'..='z' | 'A'..='Z' | '+' | '/' | '=' | '-' | '_')
}

fn in_json(json: &Value) -> Vec<Candidate<String>> {
    if let Some(text) = json[FIELD].as_str() {
        return vec![Candidate::usual(text.to_owned())];
    }
    if let Some(inner) = json.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok()) {
        return in_json(&inner)
            .iter()
            .map(|candidate| {
                candidate.but(
                    candidate.value.clone(),
                    "the body is a JSON string that contains JSON: it was encoded as JSON twice",
                    "Send the object itself; call JSON.stringify, or its like, once",
                )
            })
            .collect();
    }
    let other = OTHER_NAMES.iter().find_map(|name| Some((*name, json[*name].as_str()?)));
    if let Some((name, text)) = other {
        let problem = format!("the body has a field {name}, but no field {FIELD}");
        return vec![Candidate::unusual(text.to_owned(), 0, problem, format!("Name the field {FIELD}"))];
    }
    let inside = json.as_object().into_iter().flatten().find_map(|(name, value)| Some((name, value[FIELD].as_str()?)));
    let inside = inside.map(|(name, text)| {
        let problem = format!("{FIELD} is not a field of the body itself, but of its field {name}");
        Candidate::unusual(text.to_owned(), 0, problem, format!("Send the value of {name} as the whole body"))
    });
    inside.into_iter().collect()
}

fn in_form(body: &[u8]) -> Vec<Candidate<String>> {
    let field = form_urlencoded::parse(body).find(|(name, _)| name == FIELD);
    field.map(|(_, text)| Candidate::usual(text.into_owned())).into_iter().collect()
}

/// The bytes that a text may stand for: in the declared format, in the others, and decoded twice.
pub(super) fn ciphertexts(data: &Candidate<String>, declared: Declared) -> Vec<Candidate<Vec<u8>>> {
    let mut candidates = Vec::new();
    for (name, format) in [("hex", Format::Hex), ("base64", Format::Base64), ("latin1", Format::Latin1)] {
        let Some(bytes) = decrypt::decode(format, data.value.as_bytes()).filter(|bytes| !bytes.is_empty()) else {
            continue;
        };
        let first = if declared.format == Some(format) {
            Candidate { value: bytes, cost: data.cost, findings: data.findings.clone() }
        } else if format == Format::Latin1 && data.value.is_ascii() {
            // Nothing encrypted is ASCII throughout.
            continue;
        } else {
            let next = declared.correction(FORMAT_HEADER, "format", name);
            let problem = match declared.format {
                Some(_) => format!("another format is given, but {FIELD} is written in {name}"),
                None => format!("{FIELD} is written in {name}, but no supported format is given"),
            };
            data.but(bytes, problem, &next)
        };
        for (again, format) in [("hex", Format::Hex), ("base64", Format::Base64)] {
            if let Some(bytes) = decrypt::decode(format, first.value.trim_ascii()).filter(|bytes| !bytes.is_empty()) {
                let problem = format!("the ciphertext was encoded twice: as {again}, and then as {name}");
                candidates.push(first.but(
                    bytes,
                    problem,
                    "Encode the bytes of the ciphertext once, in the format that x-format names",
                ));
            }
        }
        candidates.push(first);
    }
    candidates
}
