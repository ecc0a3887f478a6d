//! Searches for a reading of a webhook that yields an event: another AppID, algorithm, format, encoding or key derivation.
//!
//! The reading closest to what the function does wins, if its text is evidence enough for the number of readings that
//! were tried (see [`evidence`]); a short one that any of them could give by chance is a guess, and says so.

use std::cell::Cell;

use voicehook_lambda::{
    decrypt::{self, Algorithm, Encoding, Fault, Format, KeyAndIv, KeySize, Mode, Plaintext},
    event::Event,
    webhook::{ALGORITHM_HEADER, ENCODING_HEADER},
};
use zeroize::Zeroizing;

use super::{candidates::Candidate, schemes};
use crate::{
    explain::{
        self, Finding,
        evidence::{self, Written},
    },
    known_app_ids::KnownAppIds,
};

const BLOCK: usize = 16;
/// The most that a reading may differ: three mistakes at once, or a foreign key derivation and one mistake.
const MOST: u8 = 3;
/// The cost of a foreign key derivation.
const SCHEME: u8 = 2;
/// What is tried with each key, mode and IV: three encodings, each with six ways to wrap the event.
const READINGS: u32 = 18;

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
    /// How much the text proves, in bits.
    evidence: f64,
}

impl Reading {
    fn new(event: Event, evidence: f64) -> Self {
        Self { event, findings: Vec::new(), evidence }
    }

    fn wrapped(event: Event, evidence: f64, problem: impl Into<String>, next: &str) -> Self {
        Self { findings: vec![Finding::new(problem, next)], ..Self::new(event, evidence) }
    }

    /// The same, with how likely it is to be wrong.
    fn into_guess(mut self, evidence: f64) -> Self {
        let problem = format!(
            "this is a guess: the event is so short that {} webhooks gives one in this way by chance",
            evidence::one_in(evidence)
        );
        self.findings.push(Finding::new(problem, "Check it with a longer webhook of the same sender"));
        self
    }
}

/// The AppIDs to try, each also with common typos undone.
pub(super) fn app_ids(known: &KnownAppIds, app: &str) -> Vec<Candidate<Zeroizing<String>>> {
    let own = known.app_ids.iter().filter(|app_id| app_id.app == app);
    let own: Vec<_> = own.map(|app_id| (Candidate::usual(app_id.text.clone()), app_id.name())).collect();
    let others = explain::other_app_ids(known, app).into_iter().map(|other| {
        let candidate = Candidate { value: other.text, cost: 1, findings: vec![other.finding] };
        (candidate, "that AppID".to_owned())
    });
    let all: Vec<_> = own.into_iter().chain(others).collect();
    let typos = all.iter().flat_map(|(app_id, name)| without_typos(app_id, name)).collect::<Vec<_>>();
    all.into_iter().map(|(app_id, _)| app_id).chain(typos).collect()
}

/// What an AppID may have been before somebody copied it.
fn without_typos(app_id: &Candidate<Zeroizing<String>>, name: &str) -> Vec<Candidate<Zeroizing<String>>> {
    let text = &app_id.value;
    let unquoted = text.trim_matches(|character: char| "\"'`\u{201c}\u{201d}".contains(character)).trim();
    let variants = [
        ("without the quotes around it", unquoted.to_owned()),
        ("without the prefix before its =", text.rsplit('=').next().unwrap_or_default().to_owned()),
        ("in lower case", text.to_lowercase()),
        ("in upper case", text.to_uppercase()),
        ("with a line feed after it", format!("{}\n", **text)),
        ("with a space after it", format!("{} ", **text)),
    ];
    let variants = variants.map(|(how, variant)| (how, Zeroizing::new(variant)));
    let changed = variants.into_iter().filter(|(_, variant)| variant != text && !variant.is_empty());
    let as_candidate = |(how, variant)| {
        let problem = format!("it was encrypted with {name}, {how}");
        app_id.but(variant, problem, "Write the AppID exactly as the EnableX portal shows it, on both sides")
    };
    changed.map(as_candidate).collect()
}

/// A search, with what it has tried and found so far.
pub(super) struct Search {
    declared: Declared,
    /// How many readings were tried: any of them could give an event by chance.
    tried: Cell<u32>,
    /// A reading that proves too little.
    guess: Cell<Option<Reading>>,
}

impl Search {
    pub(super) fn new(declared: Declared) -> Self {
        Self { declared, tried: Cell::new(0), guess: Cell::new(None) }
    }

    /// The reading with the lowest cost.
    pub(super) fn reading(
        self,
        ciphertexts: &[Candidate<Vec<u8>>],
        app_ids: &[Candidate<Zeroizing<String>>],
    ) -> Option<Reading> {
        for cost in 0..=MOST {
            for ciphertext in ciphertexts.iter().filter(|candidate| candidate.cost <= cost) {
                let left = cost - ciphertext.cost;
                for app_id in app_ids.iter().filter(|candidate| candidate.cost <= left) {
                    if let Some(reading) = self.with(ciphertext, app_id, left - app_id.cost) {
                        return Some(reading);
                    }
                }
            }
        }
        self.guess.into_inner()
    }

    /// With one AppID, at exactly this cost.
    fn with(
        &self,
        ciphertext: &Candidate<Vec<u8>>,
        app_id: &Candidate<Zeroizing<String>>,
        cost: u8,
    ) -> Option<Reading> {
        let told = || ciphertext.findings.iter().chain(&app_id.findings).cloned();
        let standard = KeyAndIv::derive(&app_id.value);
        for (algorithm, finding) in algorithms(self.declared).filter(|(_, finding)| finding.is_some() == (cost == 1)) {
            if cost <= 1 {
                let bytes = &ciphertext.value;
                let finding = finding.map(|finding| if_short(finding, algorithm, bytes.len()));
                let reading = self.attempt(bytes, algorithm, &standard, told().chain(finding));
                if reading.is_some() {
                    return reading;
                }
            }
        }
        let cost = cost.checked_sub(SCHEME).filter(|_| app_id.findings.is_empty())?;
        let sizes = [KeySize::Aes128, KeySize::Aes192, KeySize::Aes256];
        sizes.into_iter().find_map(|key_size| self.with_schemes(ciphertext, &app_id.value, key_size, cost))
    }

    /// With other key derivations.
    fn with_schemes(
        &self,
        ciphertext: &Candidate<Vec<u8>>,
        app_id: &str,
        key_size: KeySize,
        cost: u8,
    ) -> Option<Reading> {
        let wanted = |(algorithm, finding): &(Algorithm, Option<Finding>)| {
            algorithm.key_size == key_size && finding.is_some() == (cost == 1)
        };
        let algorithms: Vec<_> = algorithms(self.declared).filter(wanted).collect();
        if algorithms.is_empty() {
            return None;
        }
        for scheme in schemes::others(app_id, &ciphertext.value, key_size) {
            let bytes = ciphertext.value.get(scheme.skip..).unwrap_or_default();
            for (algorithm, finding) in &algorithms {
                let foreign = Finding::new(
                    format!("it was not encrypted as EnableX does it, but with {}", scheme.name),
                    "Make the sender derive key and IV as Node's crypto.createCipher does: EVP_BytesToKey with MD5, no \
                     salt and one iteration; voicehook trigger sends such webhooks",
                );
                let findings = ciphertext.findings.iter().chain(finding).cloned().chain([foreign]);
                let reading = self.attempt(bytes, *algorithm, &scheme.secret, findings);
                if reading.is_some() {
                    return reading;
                }
            }
        }
        None
    }

    /// One reading, if its text proves enough; `findings` say what is unusual about it.
    fn attempt(
        &self,
        bytes: &[u8],
        algorithm: Algorithm,
        secret: &KeyAndIv,
        findings: impl Iterator<Item = Finding>,
    ) -> Option<Reading> {
        self.tried.set(self.tried.get() + READINGS);
        let mut reading = attempt(bytes, algorithm, secret, self.declared)?;
        reading.findings = findings.chain(reading.findings).collect();
        let evidence = reading.evidence - f64::from(self.tried.get()).log2();
        if evidence >= evidence::CERTAIN {
            return Some(reading);
        }
        let known = self.guess.take();
        let is_better = known.is_none() && evidence >= evidence::WORTH_A_GUESS;
        self.guess.set(if is_better { Some(reading.into_guess(evidence)) } else { known });
        None
    }
}

/// Each algorithm once: the declared one, and then the others, with the finding that it is another.
fn algorithms(declared: Declared) -> impl Iterator<Item = (Algorithm, Option<Finding>)> {
    let is_alias = |name: &str| !name.contains('-');
    let others = Algorithm::NAMES
        .iter()
        .filter(move |(name, algorithm)| !is_alias(name) && Some(*algorithm) != declared.algorithm);
    let others = others.map(move |(name, algorithm)| {
        let problem = match declared.algorithm {
            Some(declared) => format!("the algorithm is given as {declared}, but the webhook is encrypted with {name}"),
            None => format!("the webhook is encrypted with {name}, but no supported algorithm is given"),
        };
        let next = declared.correction(ALGORITHM_HEADER, "algorithm", name);
        (*algorithm, Some(Finding::new(problem, next)))
    });
    declared.algorithm.map(|algorithm| (algorithm, None)).into_iter().chain(others)
}

/// The first block is the same in three modes.
fn if_short(mut finding: Finding, algorithm: Algorithm, length: usize) -> Finding {
    if length <= BLOCK && matches!(algorithm.mode, Mode::Ctr | Mode::Cfb | Mode::Ofb) {
        finding.problem += " (or in another of the modes ctr, cfb and ofb: up to 16 bytes they are the same)";
    }
    finding
}

fn attempt(bytes: &[u8], algorithm: Algorithm, secret: &KeyAndIv, declared: Declared) -> Option<Reading> {
    let start = bytes.get(..BLOCK.min(bytes.len())).filter(|start| !start.is_empty())?;
    if bytes.len() > BLOCK {
        // The first block decides nearly always, where a wrong key costs the whole text thousands of times.
        let start = decrypt::open_ciphertext(start.to_vec(), algorithm, Encoding::Latin1, secret).ok()?;
        Some(start.text()).filter(|start| begins_as_text(start))?;
    }
    let read = |encoding| {
        let plaintext = decrypt::open_ciphertext(bytes.to_vec(), algorithm, encoding, secret).ok()?;
        event_in(&plaintext, Written::from(encoding))
    };
    let in_declared = declared.encoding.and_then(read);
    in_declared.or_else(|| {
        let others = [("utf8", Encoding::Utf8), ("utf16le", Encoding::Utf16le), ("latin1", Encoding::Latin1)];
        others.into_iter().filter(|(_, encoding)| declared.encoding != Some(*encoding)).find_map(|(name, encoding)| {
            let mut reading = read(encoding)?;
            let problem = match declared.encoding {
                Some(_) => format!("another encoding is given, but the event is written in {name}"),
                None => format!("the event is written in {name}, but no supported encoding is given"),
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

/// The event in a plaintext, also where it was wrapped once more. Padding proves something too, but an event in it proves
/// enough.
fn event_in(plaintext: &Plaintext, written: Written) -> Option<Reading> {
    let text = plaintext.text();
    let event = |text: &str| Event::from_json(text.to_owned()).ok();
    match plaintext.fault() {
        None => {}
        Some(Fault::Padding) => {
            let object = text.trim_end_matches('\0');
            let next = "Pad as PKCS #7 does, which is the default of Node and OpenSSL (setAutoPadding(true))";
            let problem = "the plaintext is padded with zeros, or not at all";
            return Some(Reading::wrapped(event(object)?, evidence::of_object(object, written), problem, next));
        }
        Some(_) => return None,
    }
    if let Some(event) = event(text) {
        return Some(Reading::new(event, evidence::of_object(text, written)));
    }
    let object = text.trim_start_matches('\u{feff}');
    if let Some(event) = event(object) {
        let evidence = evidence::of_object(object, written);
        let problem = "the event begins with a byte order mark";
        return Some(Reading::wrapped(event, evidence, problem, "Encrypt the text without it"));
    }
    // Digits of an encoding, and JSON within JSON, are rarer than text.
    let evidence = evidence::of_length(text, written);
    if let Some(event) = serde_json::from_str::<String>(text).ok().and_then(|inner| event(&inner)) {
        let problem = "the plaintext is a JSON string that contains the event: it was encoded as JSON twice";
        let next = "Encrypt the event's JSON itself; call JSON.stringify, or its like, once";
        return Some(Reading::wrapped(event, evidence, problem, next));
    }
    [("hex", Format::Hex), ("base64", Format::Base64)].into_iter().find_map(|(name, format)| {
        let inner = String::from_utf8(decrypt::decode(format, text.trim().as_bytes())?).ok()?;
        let problem = format!("the plaintext is the event in {name}: it was encoded before it was encrypted, too");
        let next = "Encrypt the event's JSON itself; x-format is for the ciphertext";
        Some(Reading::wrapped(event(&inner)?, evidence, problem, next))
    })
}

#[cfg(test)]
mod tests {
    use voicehook_lambda::sender;

    use super::*;

    fn candidates(texts: &[String]) -> Vec<Candidate<Zeroizing<String>>> {
        texts.iter().map(|text| Candidate::usual(Zeroizing::new(text.clone()))).collect()
    }

    fn found(event: &str, algorithm: &str, app_ids: &[String]) -> Option<Reading> {
        let algorithm = Algorithm::named(algorithm).unwrap();
        let bytes = sender::ciphertext(event, &KeyAndIv::derive("right"), algorithm, Encoding::Utf8);
        let declared = Declared { encoding: Some(Encoding::Utf8), ..Declared::default() };
        Search::new(declared).reading(&[Candidate::usual(bytes)], &candidates(app_ids))
    }

    /// Whether the reading says of itself that it is a guess.
    fn is_guess(reading: &Reading) -> bool {
        reading.findings.iter().any(|finding| finding.problem.contains("this is a guess"))
    }

    #[test]
    fn hundreds_of_thousands_of_wrong_keys_give_no_reading_that_is_stated_as_a_fact() {
        // 750 AppIDs with hundreds of algorithms and key derivations each. Two bytes are an empty object under one of
        // 65,536 keys.
        for event in ["{}", "{ }", "{\"a\":1}"] {
            for start in 0..5 {
                let wrong: Vec<String> = (0..50).map(|number| format!("wrong-{start}-{number}")).collect();
                if let Some(reading) = found(event, "aes-256-ctr", &wrong) {
                    assert!(is_guess(&reading), "{event}: {:?}", reading.findings);
                }
            }
        }
    }

    #[test]
    fn a_short_event_is_a_guess_and_one_of_usual_length_is_not() {
        let right = ["wrong".to_owned(), "right".to_owned()];
        let short = found("{ }", "aes-256-cfb8", &right);
        assert!(short.is_none_or(|reading| is_guess(&reading)));
        let usual = found(r#"{"voice_id":"c","state":"connected"}"#, "aes-256-cfb8", &right).unwrap();
        assert!(!is_guess(&usual), "{:?}", usual.findings);
        assert!(usual.findings[0].problem.contains("aes-256-cfb8"), "{:?}", usual.findings);
    }

    #[test]
    fn modes_that_a_short_text_does_not_tell_apart_are_all_named() {
        let reading = found(r#"{"state":"hold"}"#, "aes-256-ofb", &["right".to_owned()]).unwrap();
        assert!(reading.findings[0].problem.contains("ctr, cfb and ofb"), "{:?}", reading.findings);
    }
}
