//! Explains why a webhook could not be decrypted, and what to try next.
//!
//! Starts from the function's own error, then searches for another reading that yields an event.

use voicehook_lambda::{
    app_id::DEFAULT_APP,
    decrypt::{self, Algorithm, Encoding, Fault, Format},
    event::Event,
    receiver::Refusal,
    webhook::{ALGORITHM_HEADER, ALGORITHM_HEADER_AS_DOCUMENTED, ENCODING_HEADER, FORMAT_HEADER, Malformed},
};

use super::{
    candidates::{self, Candidate},
    damage,
    input::Captured,
    report::Finding,
    schemes,
    search::{self, Declared},
};
use crate::known_app_ids::KnownAppIds;

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
pub(super) fn diagnose(captured: &Captured, app: &str, unopened: &Refusal, known: &KnownAppIds) -> Diagnosis {
    let body = captured.request.body().as_slice();
    let declared = declared(captured);
    let mut findings = captured.noticed.clone();
    let data = candidates::encrypted_data(body);
    if let Some(finding) = not_encrypted(body, &data, declared.format) {
        // What the envelope lacks does not matter then.
        findings.push(finding);
        return Diagnosis { findings, event: None, ciphertext_bytes: None };
    }
    if let Refusal::Malformed(malformed) = unopened {
        findings.extend(envelope_finding(captured, malformed));
    }
    let ciphertexts: Vec<_> = data.iter().flat_map(|data| candidates::ciphertexts(data, declared)).collect();
    let usual = ciphertexts.iter().find(|candidate| candidate.cost == 0);
    let ciphertext_bytes = usual.map(|candidate| candidate.value.len());
    let app_ids = search::app_ids(known, app);
    if let Some(reading) = search::reading(&ciphertexts, &app_ids, declared) {
        findings.extend(reading.findings);
        return Diagnosis { findings, event: Some(reading.event), ciphertext_bytes };
    }
    if let Some(data) = data.first() {
        findings.extend(unreadable(&data.value, &ciphertexts, declared, &app_ids));
    }
    Diagnosis { findings, event: None, ciphertext_bytes }
}

/// A next step for an error in the headers or the body.
fn envelope_finding(captured: &Captured, malformed: &Malformed) -> Option<Finding> {
    // The whole list of what is supported stands above the findings.
    let problem = malformed.to_string();
    let list = ["; supported values", "; allowed values"].iter().find_map(|list| problem.find(list));
    let problem = problem[..list.unwrap_or(problem.len())].to_owned();
    let next = match malformed {
        Malformed::MissingHeader { header, .. } => {
            return Some(missing_header(captured, header));
        }
        Malformed::NotAllowed { .. } => "Add it to ALLOWED_ALGORITHMS (AllowedAlgorithms of the template); read \
                                         SECURITY.md before you add one that is not CBC"
            .to_owned(),
        Malformed::UnsupportedValue { .. } => {
            "Choose a supported one in the EnableX portal, or in what sends the webhook".to_owned()
        }
        Malformed::PlainEvent => {
            "Switch on webhook encryption in the EnableX portal, or set ALLOW_PLAINTEXT=true".to_owned()
        }
        Malformed::UnsupportedContentEncoding(_) => "Send the body without compression".to_owned(),
        Malformed::AmbiguousHeader(_) => "Find out which proxy adds the second one".to_owned(),
        Malformed::UnsupportedMediaType(_) => "Send content-type: application/json".to_owned(),
        Malformed::NotJson { .. } if captured.request.body().starts_with(b"encrypted_data=") => {
            "The body is a form: send content-type: application/x-www-form-urlencoded, or send JSON".to_owned()
        }
        Malformed::NotJson { .. } => {
            "Compare it with what EnableX sends; a body that was cut off ends in the middle".to_owned()
        }
        Malformed::NoEncryptedDataInForm if captured.request.body().starts_with(b"{") => {
            "The body is JSON: send content-type: application/json".to_owned()
        }
        _ => r#"Send the body as EnableX does: {"encrypted_data": "..."}"#.to_owned(),
    };
    Some(Finding::new(problem, next))
}

fn missing_header(captured: &Captured, header: &str) -> Finding {
    let letters = |name: &str| name.to_ascii_lowercase().replace(|letter: char| !letter.is_ascii_alphabetic(), "");
    let wanted = letters(header.trim_start_matches("x-"));
    let alike = captured.headers.iter().map(|(name, _)| name).find(|name| {
        let name = letters(name);
        name.contains(&wanted) || (header == ALGORITHM_HEADER && (name.contains("algor") || name.contains("cipher")))
    });
    match alike {
        Some(name) => Finding::new(
            format!("header {header} is missing, but there is a header {name}"),
            format!("Send it as {header}; EnableX spells x-algoritm without an h, and voicehook takes x-algorithm too"),
        ),
        None => Finding::new(
            format!("header {header} is missing"),
            "See whether a proxy between EnableX and voicehook drops headers that begin with x-, or whether the capture \
             has the headers at all; to open a body alone, give --as body with --algorithm, --format and --encoding",
        ),
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
            "encrypted_data is not encrypted: it is an event in plain text, or only encoded",
            "Encrypt it before it is encoded; voicehook trigger shows how a webhook must look",
        ));
    }
    let is_plain =
        data.is_empty() && text(body.to_vec()).and_then(|text| Event::from_json(text).ok())?.event_type() != "unknown";
    is_plain.then(|| {
        Finding::new(
            "the body is the event itself, in plain text: the webhook is not encrypted",
            "Switch webhook encryption on in the EnableX portal; or let voicehook take plain events with \
             ALLOW_PLAINTEXT=true (AllowPlaintext of the template), together with a WEBHOOK_TOKEN",
        )
    })
}

/// Explains as precisely as possible why no reading yields an event.
fn unreadable(
    data: &str,
    ciphertexts: &[Candidate<Vec<u8>>],
    declared: Declared,
    app_ids: &[Candidate<zeroize::Zeroizing<String>>],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let algorithm = declared.algorithm.or_else(|| Algorithm::named("aes-256-cbc"));
    let usual = ciphertexts.iter().find(|candidate| candidate.cost == 0).map(|candidate| candidate.value.clone());
    let whole = usual.is_some();
    if !whole {
        findings.push(wrong_format(data, declared.format));
    }
    let bytes = usual.or_else(|| longest_start(data, declared.format)).unwrap_or_default();
    let cut = bytes.len() % BLOCK;
    let is_cut = whole && cut != 0 && algorithm.is_some_and(|algorithm| algorithm.mode.is_padded());
    if is_cut {
        findings.push(Finding::new(
            format!(
                "the ciphertext has {} bytes, which is not a multiple of 16: at least {} bytes are missing",
                bytes.len(),
                BLOCK - cut
            ),
            "Find what cut it off: a limit of a log, a proxy or a database column; then capture it again, whole",
        ));
    }
    let damaged = algorithm.and_then(|algorithm| damage::find(&bytes, algorithm, app_ids.iter(), is_cut));
    match damaged {
        Some(finding) => findings.push(finding),
        None if schemes::is_salted(&bytes) => findings.push(Finding::new(
            "the ciphertext begins with Salted__, so openssl enc or CryptoJS wrote it, with a random salt; and it does \
             not open with this AppID",
            "Check the AppID; and encrypt as EnableX does, without a salt (openssl enc -md md5 -nosalt)",
        )),
        None if !bytes.is_empty() => findings.push(Finding::new(
            "not one block of it is text with this AppID, nor with another algorithm, format, encoding or key derivation \
             that is known here: it was encrypted with another AppID",
            format!(
                "Copy the AppID of the project from the EnableX portal again, check that the webhook belongs to it, and \
                 try again with ENABLEX_APP_ID; for the secret of the function, app {DEFAULT_APP} is the one of /webhook"
            ),
        )),
        None => {}
    }
    findings
}

fn wrong_format(data: &str, format: Option<Format>) -> Finding {
    let (name, wrong) = match format {
        Some(Format::Hex) => ("hex", data.char_indices().find(|(_, digit)| !digit.is_ascii_hexdigit())),
        Some(Format::Base64) => {
            let is_digit = |digit: char| digit.is_ascii_alphanumeric() || "+/=-_ \r\n\t".contains(digit);
            ("base64", data.char_indices().find(|(_, digit)| !is_digit(*digit)))
        }
        Some(Format::Latin1) => ("latin1", data.char_indices().find(|(_, character)| u32::from(*character) > 0xff)),
        None => ("any format that is supported", None),
    };
    let problem = match wrong {
        _ if data.is_empty() => "encrypted_data is empty".to_owned(),
        Some((place, digit)) => format!("encrypted_data is not {name}: it has {digit:?} at place {}", place + 1),
        None => format!("encrypted_data is not {name}: its {} characters are not a whole number of bytes", data.len()),
    };
    Finding::new(problem, "Capture it again, whole, and see that x-format says how it is written")
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

/// Why the function would refuse it, in a few words.
pub(super) fn reason(unopened: &Refusal) -> String {
    match unopened {
        Refusal::Malformed(malformed) => malformed.to_string(),
        Refusal::NotFound => "there is no such app".to_owned(),
        Refusal::Undecryptable(fault) => explain(*fault).to_owned(),
        Refusal::TooOld => "the event is older than MAX_EVENT_AGE_SECONDS".to_owned(),
        Refusal::AppIdUnavailable(error) => error.to_string(),
        other => other.reason().to_owned(),
    }
}

const fn explain(fault: Fault) -> &'static str {
    match fault {
        Fault::Format => "encrypted_data is not in the format named by x-format (format)",
        Fault::Length => "ciphertext length is not a multiple of 16 bytes (length)",
        Fault::Padding => "invalid padding with this AppID (padding)",
        Fault::Text => "the plaintext is not valid in the encoding named by x-encoding (text)",
        Fault::Json => "the plaintext is not JSON (json)",
        Fault::NotAnObject => "the plaintext is JSON, but not an object (not_an_object)",
        _ => "it cannot be opened",
    }
}
