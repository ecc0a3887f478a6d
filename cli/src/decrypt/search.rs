//! Searches for a reading of a webhook that yields an event: another AppID, algorithm, format, encoding or key derivation.
//!
//! The reading closest to what the function does wins. A wrong reading does not yield a JSON object by accident: sixteen
//! random bytes are not text.

use voicehook_lambda::{
    decrypt::{self, Algorithm, Encoding, Fault, Format, KeyAndIv, KeySize, Plaintext},
    event::Event,
    webhook::{ALGORITHM_HEADER, ENCODING_HEADER},
};
use zeroize::Zeroizing;

use super::{candidates::Candidate, report::Finding, schemes};
use crate::known_app_ids::KnownAppIds;

const BLOCK: usize = 16;
/// The most that a reading may differ: three mistakes at once, or a foreign key derivation and one mistake.
const MOST: u8 = 3;
/// The cost of a foreign key derivation.
const SCHEME: u8 = 2;

/// The supported values from the headers, or from the options if there are no headers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Declared {
    pub(super) algorithm: Option<Algorithm>,
    pub(super) format: Option<Format>,
    pub(super) encoding: Option<Encoding>,
    pub(super) by_options: bool,
}

impl Declared {
    /// A next step: send another header value, or pass another option.
    pub(super) fn correction(&self, header: &str, option: &str, value: &str) -> String {
        if self.by_options {
            format!("Give --{option} {value}, if the webhook had the header {header}: {value}")
        } else {
            format!("Send the header {header}: {value}")
        }
    }
}

/// A reading that yields an event.
pub(super) struct Reading {
    pub(super) event: Event,
    pub(super) findings: Vec<Finding>,
}

/// The AppIDs to try, each also with common typos undone.
pub(super) fn app_ids(known: &KnownAppIds, app: &str) -> Vec<Candidate<Zeroizing<String>>> {
    let mut candidates = Vec::new();
    for app_id in &known.app_ids {
        let as_is = if app_id.app == app {
            Candidate::usual(app_id.text.clone())
        } else {
            let problem = format!("the webhook came for app {app}, and it opens with {}", app_id.name());
            let next = format!("Enter the URL of app {} in the EnableX portal for this project", app_id.app);
            Candidate::unusual(app_id.text.clone(), 1, problem, next)
        };
        let unquoted = app_id.text.trim_matches(|character: char| "\"'`\u{201c}\u{201d}".contains(character)).trim();
        let variants = [
            ("without the quotes around it", unquoted.to_owned()),
            ("without the prefix before its =", app_id.text.rsplit('=').next().unwrap_or_default().to_owned()),
            ("in lower case", app_id.text.to_lowercase()),
            ("in upper case", app_id.text.to_uppercase()),
            ("with a line feed behind it", format!("{}\n", *app_id.text)),
            ("with a space behind it", format!("{} ", *app_id.text)),
        ];
        for (how, text) in variants.map(|(how, text)| (how, Zeroizing::new(text))) {
            if text != app_id.text && !text.is_empty() {
                let problem = format!("it opens with {}, {how}", app_id.name());
                let next = "Write the AppID exactly as the EnableX portal shows it, on both sides";
                candidates.push(Candidate::unusual(text, as_is.cost + 1, problem, next));
            }
        }
        candidates.insert(0, as_is);
    }
    candidates
}

/// The reading with the lowest cost.
pub(super) fn reading(
    ciphertexts: &[Candidate<Vec<u8>>],
    app_ids: &[Candidate<Zeroizing<String>>],
    declared: Declared,
) -> Option<Reading> {
    for cost in 0..=MOST {
        for ciphertext in ciphertexts.iter().filter(|candidate| candidate.cost <= cost) {
            let left = cost - ciphertext.cost;
            for app_id in app_ids.iter().filter(|candidate| candidate.cost <= left) {
                if let Some(reading) = with(ciphertext, app_id, left - app_id.cost, declared) {
                    return Some(reading);
                }
            }
        }
    }
    None
}

/// With one AppID, at exactly this cost.
fn with(
    ciphertext: &Candidate<Vec<u8>>,
    app_id: &Candidate<Zeroizing<String>>,
    cost: u8,
    declared: Declared,
) -> Option<Reading> {
    let told: Vec<Finding> = ciphertext.findings.iter().chain(&app_id.findings).cloned().collect();
    let found = |reading: Reading, more: Vec<Finding>| Reading {
        findings: told.iter().cloned().chain(more).chain(reading.findings).collect(),
        ..reading
    };
    let standard = KeyAndIv::derive(&app_id.value);
    for (algorithm, finding) in algorithms(declared).filter(|(_, finding)| finding.is_some() == (cost == 1)) {
        if cost <= 1
            && let Some(reading) = attempt(&ciphertext.value, algorithm, &standard, declared)
        {
            return Some(found(reading, finding.into_iter().collect()));
        }
    }
    let cost = cost.checked_sub(SCHEME).filter(|_| app_id.findings.is_empty())?;
    for key_size in [KeySize::Aes128, KeySize::Aes192, KeySize::Aes256] {
        let wanted = |(algorithm, finding): &(Algorithm, Option<Finding>)| {
            algorithm.key_size == key_size && finding.is_some() == (cost == 1)
        };
        let algorithms: Vec<_> = algorithms(declared).filter(wanted).collect();
        let schemes =
            if algorithms.is_empty() { vec![] } else { schemes::others(&app_id.value, &ciphertext.value, key_size) };
        for scheme in schemes {
            let bytes = ciphertext.value.get(scheme.skip..).unwrap_or_default();
            for (algorithm, finding) in &algorithms {
                if let Some(reading) = attempt(bytes, *algorithm, &scheme.secret, declared) {
                    let foreign = Finding::new(
                        format!("this was not encrypted as EnableX does it, but with {}", scheme.name),
                        "Make the sender derive key and IV as Node's crypto.createCipher does: EVP_BytesToKey with MD5, \
                         no salt and one iteration; voicehook trigger sends such webhooks",
                    );
                    return Some(found(reading, finding.iter().cloned().chain([foreign]).collect()));
                }
            }
        }
    }
    None
}

/// Each algorithm once: the declared one, and then the others, with the finding that it is another.
fn algorithms(declared: Declared) -> impl Iterator<Item = (Algorithm, Option<Finding>)> {
    let is_alias = |name: &str| !name.contains('-');
    let others = Algorithm::NAMES
        .iter()
        .filter(move |(name, algorithm)| !is_alias(name) && Some(*algorithm) != declared.algorithm);
    let others = others.map(move |(name, algorithm)| {
        let problem = match declared.algorithm {
            Some(declared) => format!("it was to be {declared}, but the webhook is encrypted with {name}"),
            None => format!("the webhook is encrypted with {name}, and nothing says so that is supported"),
        };
        let next = declared.correction(ALGORITHM_HEADER, "algorithm", name);
        (*algorithm, Some(Finding::new(problem, next)))
    });
    declared.algorithm.map(|algorithm| (algorithm, None)).into_iter().chain(others)
}

fn attempt(bytes: &[u8], algorithm: Algorithm, secret: &KeyAndIv, declared: Declared) -> Option<Reading> {
    let start = bytes.get(..BLOCK.min(bytes.len())).filter(|start| !start.is_empty())?;
    if bytes.len() > BLOCK {
        // The first block decides nearly always, where a wrong key costs the whole text thousands of times.
        let start = decrypt::open_ciphertext(start.to_vec(), algorithm, Encoding::Latin1, secret).ok()?;
        Some(start.text()).filter(|start| begins_as_text(start))?;
    }
    let open = |encoding| decrypt::open_ciphertext(bytes.to_vec(), algorithm, encoding, secret).ok();
    let in_declared = declared.encoding.and_then(|encoding| event_in(&open(encoding)?));
    in_declared.or_else(|| {
        let others = [("utf8", Encoding::Utf8), ("utf16le", Encoding::Utf16le), ("latin1", Encoding::Latin1)];
        others.into_iter().filter(|(_, encoding)| declared.encoding != Some(*encoding)).find_map(|(name, encoding)| {
            let mut reading = event_in(&open(encoding)?)?;
            let problem = match declared.encoding {
                Some(_) => format!("it was to be another encoding, but the event is written in {name}"),
                None => format!("the event is written in {name}, and nothing says so that is supported"),
            };
            let next = declared.correction(ENCODING_HEADER, "encoding", name);
            reading.findings.insert(0, Finding::new(problem, next));
            Some(reading)
        })
    })
}

/// Whether bytes, one a character, may be the beginning of an event in any encoding, or of one that was encoded again.
fn begins_as_text(start: &str) -> bool {
    let start =
        ["\u{ef}\u{bb}\u{bf}", "\u{ff}\u{fe}"].iter().find_map(|mark| start.strip_prefix(mark)).unwrap_or(start);
    start.chars().take(BLOCK / 2).all(|byte| matches!(byte, '\0' | '\t' | '\n' | '\r' | ' '..='~'))
}

/// The event in a plaintext, also where it was wrapped once more.
fn event_in(plaintext: &Plaintext) -> Option<Reading> {
    let text = plaintext.text();
    let event = |text: &str| Event::from_json(text.to_owned()).ok();
    let wrapped =
        |event: Event, problem: &str, next: &str| Reading { event, findings: vec![Finding::new(problem, next)] };
    match plaintext.fault() {
        None => {}
        Some(Fault::Padding) => {
            let event = event(text.trim_end_matches('\0'))?;
            let next = "Pad as PKCS #7 does, which is the default of Node and OpenSSL (setAutoPadding(true))";
            return Some(wrapped(event, "the plaintext is padded with zeros, or not at all", next));
        }
        Some(_) => return None,
    }
    if let Some(event) = event(text) {
        return Some(Reading { event, findings: Vec::new() });
    }
    if let Some(event) = event(text.trim_start_matches('\u{feff}')) {
        return Some(wrapped(event, "the event begins with a byte order mark", "Encrypt the text without it"));
    }
    if let Some(event) = serde_json::from_str::<String>(text).ok().and_then(|inner| event(&inner)) {
        let problem = "the plaintext is a JSON string with the event inside: it was encoded as JSON twice";
        return Some(wrapped(
            event,
            problem,
            "Encrypt the event's JSON itself; call JSON.stringify, or its like, once",
        ));
    }
    [("hex", Format::Hex), ("base64", Format::Base64)].into_iter().find_map(|(name, format)| {
        let inner = String::from_utf8(decrypt::decode(format, text.trim().as_bytes())?).ok()?;
        let problem = format!("the plaintext is the event in {name}: it was encoded before it was encrypted, too");
        Some(wrapped(event(&inner)?, &problem, "Encrypt the event's JSON itself; x-format is for the ciphertext"))
    })
}
