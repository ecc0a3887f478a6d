//! Explains why a webhook could not be decrypted, and what to try next.
//!
//! Starts from what [`explain`] says of the function's own error, then searches for another reading that yields an event,
//! and for damage.

use voicehook_lambda::{
    app_id::DEFAULT_APP,
    decrypt::{self, Algorithm, Encoding, Format},
    event::Event,
    receiver::Refusal,
    webhook::{ALGORITHM_HEADER, ALGORITHM_HEADER_AS_DOCUMENTED, ENCODING_HEADER, FORMAT_HEADER, Malformed},
};
use zeroize::Zeroizing;

use super::{
    candidates::{self, Candidate},
    damage,
    input::Captured,
    schemes,
    search::{self, Declared, Search},
};
use crate::{
    explain::{self, Finding, GIVE_IT, Refused},
    known_app_ids::KnownAppIds,
};

const BLOCK: usize = 16;

/// What a diagnosis found.
pub(super) struct Diagnosis {
    pub(super) findings: Vec<Finding>,
    pub(super) event: Option<Event>,
    pub(super) ciphertext_bytes: Option<usize>,
}

/// What the headers say, without regard to what is accepted.
fn declared(captured: &Captured) -> Declared {
    let headers = captured.request.headers();
    let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().trim();
    let algorithm = Some(value(ALGORITHM_HEADER)).filter(|name| !name.is_empty());
    Declared {
        algorithm: Algorithm::named(algorithm.unwrap_or_else(|| value(ALGORITHM_HEADER_AS_DOCUMENTED))),
        format: Format::named(value(FORMAT_HEADER)),
        encoding: Encoding::named(value(ENCODING_HEADER)),
        by_options: captured.is_without_headers(),
    }
}

/// Explains.
pub(super) fn diagnose(captured: &Captured, app: &str, refusal: &Refusal, known: &KnownAppIds) -> Diagnosis {
    let (headers, body) = (captured.request.headers(), captured.request.body().as_slice());
    let declared = declared(captured);
    let mut findings = captured.noticed.clone();
    let data = candidates::encrypted_data(body);
    if let Some(finding) = not_encrypted(body, &data, declared.format) {
        // What the envelope lacks does not matter then.
        findings.push(finding);
        return Diagnosis { findings, event: None, ciphertext_bytes: None };
    }
    if let Refusal::Malformed(malformed) = refusal {
        findings.push(envelope(Refused { headers, body, app, refusal, known, remedy: GIVE_IT }.explain(), malformed));
    }
    let ciphertexts: Vec<_> = data.iter().flat_map(|data| candidates::ciphertexts(data, declared)).collect();
    let usual = ciphertexts.iter().find(|candidate| candidate.cost == 0);
    let ciphertext_bytes = usual.map(|candidate| candidate.value.len());
    let app_ids = search::app_ids(known, app);
    if let Some(reading) = Search::new(declared).reading(&ciphertexts, &app_ids) {
        findings.extend(reading.findings);
        return Diagnosis { findings, event: Some(reading.event), ciphertext_bytes };
    }
    if let Some(data) = data.first() {
        let unreadable = Unreadable { declared, cipher: unsupported_cipher(refusal), app_ids: &app_ids };
        findings.extend(unreadable.explain(&data.value, usual.map(|candidate| &*candidate.value)));
    }
    Diagnosis { findings, event: None, ciphertext_bytes }
}

/// The explanation of an error in the headers or the body, with what only this command can do about it.
fn envelope(finding: Finding, malformed: &Malformed) -> Finding {
    // The whole list of what is supported stands above the findings.
    let lists = ["; supported values", "; allowed values"];
    let list = lists.iter().find_map(|list| finding.problem.find(list));
    let finding = Finding { problem: finding.problem[..list.unwrap_or(finding.problem.len())].to_owned(), ..finding };
    match malformed {
        Malformed::MissingHeader { .. } if finding.problem.ends_with("is missing") => {
            finding.or("If the capture has no headers at all, give --as body with --algorithm, --format and --encoding")
        }
        _ => finding,
    }
}

/// The name of the cipher, if it is one that voicehook does not support.
fn unsupported_cipher(refusal: &Refusal) -> Option<&str> {
    match refusal {
        Refusal::Malformed(Malformed::UnsupportedValue { header, given, .. })
            if [ALGORITHM_HEADER, ALGORITHM_HEADER_AS_DOCUMENTED].contains(header) =>
        {
            Some(given)
        }
        _ => None,
    }
}

/// Detects a webhook that is not encrypted.
fn not_encrypted(body: &[u8], data: &[Candidate<String>], format: Option<Format>) -> Option<Finding> {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).ok();
    let is_event = |text: String| Event::from_json(text).is_ok();
    let in_the_field = data.iter().any(|data| {
        let decoded = [Some(Format::Hex), Some(Format::Base64), format];
        let mut decoded =
            decoded.into_iter().flatten().filter_map(|format| decrypt::decode(format, data.value.as_bytes()));
        is_event(data.value.clone()) || decoded.any(|bytes| text(bytes).is_some_and(is_event))
    });
    if in_the_field {
        return Some(Finding::new(
            "encrypted_data is not encrypted: it is an event in plaintext, or only encoded",
            "Encrypt it before it is encoded; voicehook trigger shows how a webhook must look",
        ));
    }
    let is_plain =
        data.is_empty() && text(body.to_vec()).and_then(|text| Event::from_json(text).ok())?.event_type() != "unknown";
    is_plain.then(explain::plain_event)
}

/// A ciphertext of which no reading yields an event.
struct Unreadable<'a> {
    declared: Declared,
    /// The name of a cipher that voicehook does not support.
    cipher: Option<&'a str>,
    app_ids: &'a [Candidate<Zeroizing<String>>],
}

impl Unreadable<'_> {
    /// Explains why as precisely as possible. `decoded` is the ciphertext, if it can be decoded as declared.
    fn explain(&self, data: &str, decoded: Option<&[u8]>) -> Vec<Finding> {
        let mut findings = Vec::new();
        if decoded.is_none() {
            findings.push(explain::wrong_format(data, self.declared.format));
        }
        let start = || longest_start(data, self.declared.format).unwrap_or_default();
        let bytes = decoded.map_or_else(start, <[u8]>::to_vec);
        let Some(algorithm) = self.declared.algorithm.or_else(|| Algorithm::named("aes-256-cbc")) else {
            return findings;
        };
        let has_blocks = self.declared.algorithm.is_some_and(|algorithm| algorithm.mode.is_padded());
        let is_cut = decoded.is_some() && has_blocks && !bytes.len().is_multiple_of(BLOCK);
        if is_cut {
            findings.push(explain::wrong_length(bytes.len(), algorithm));
        }
        if !bytes.is_empty() {
            let damaged = damage::find(&bytes, algorithm, self.app_ids, is_cut);
            findings.push(damaged.unwrap_or_else(|| self.no_text(&bytes)));
        }
        findings
    }

    /// Why none of it can be read. Nothing proves that the AppID is another one, so this says what is likely.
    fn no_text(&self, bytes: &[u8]) -> Finding {
        if schemes::is_salted(bytes) {
            return Finding::with_steps(
                "the ciphertext begins with Salted__, so openssl enc or CryptoJS wrote it, with a random salt; and it \
                 cannot be decrypted with this AppID",
                ["Encrypt as EnableX does, without a salt (openssl enc -md md5 -nosalt)", "Check the AppID"],
            );
        }
        if let Some(name) = self.cipher.filter(|name| explain::is_another_cipher(name)) {
            return Finding::new(
                format!("whether the AppID is right cannot be told, because voicehook cannot decrypt {name:?}"),
                "Correct the cipher first, and leave the AppID as it is",
            );
        }
        let app = format!("In the secret of the function, app {DEFAULT_APP} is the one of /webhook");
        explain::usual_cause(
            "none of it can be read with this AppID, nor with another supported algorithm, format or encoding, nor with \
             a key derivation known here",
            GIVE_IT,
        )
        .or(&app)
    }
}

/// Decodes the longest prefix that is valid in the format.
fn longest_start(data: &str, format: Option<Format>) -> Option<Vec<u8>> {
    let format = format?;
    let is_digit = |digit: &char| {
        digit.is_ascii_hexdigit()
            || (format == Format::Base64 && (digit.is_ascii_alphanumeric() || "+/-_".contains(*digit)))
    };
    let digits: String = data.trim().chars().take_while(is_digit).collect();
    let whole = if format == Format::Hex { 2 } else { 4 };
    decrypt::decode(format, &digits.as_bytes()[..digits.len() / whole * whole])
}
