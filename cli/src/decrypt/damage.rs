//! Tells a damaged ciphertext from a wrong AppID: with the right AppID most blocks of a damaged ciphertext are readable,
//! with a wrong one hardly any are.
//!
//! How much that proves is counted in [`evidence`]. Findings never contain any of the plaintext.

use voicehook_lambda::decrypt::{self, Algorithm, Encoding, KeyAndIv};
use zeroize::Zeroizing;

use super::candidates::Candidate;
use crate::explain::{
    Finding,
    evidence::{self, is_text},
};

const BLOCK: usize = 16;

/// What a ciphertext looks like with an AppID.
struct Decrypted {
    /// The plaintext, as far as the padding leaves it.
    text: Vec<u8>,
    /// Whether the padding is valid, where there is any.
    is_sound: bool,
    /// Length of the padding, where it is valid.
    padding: usize,
}

/// Says what is damaged where a part of the text can be read. `is_cut` says whether it is known already that the end is
/// missing.
pub(super) fn find(
    ciphertext: &[u8],
    algorithm: Algorithm,
    app_ids: &[Candidate<Zeroizing<String>>],
    is_cut: bool,
) -> Option<Finding> {
    let own: Vec<_> = app_ids.iter().filter(|app_id| app_id.findings.is_empty()).collect();
    // Readable blocks and a readable whole with one of sixteen lengths of padding are so many ways to be right.
    let ways = if algorithm.mode.is_padded() { 17.0 } else { 2.0 };
    let trials = (own.len() as f64 * ways).log2();
    own.iter().find_map(|app_id| describe(&decrypted(ciphertext, algorithm, &app_id.value)?, is_cut, trials))
}

fn decrypted(ciphertext: &[u8], algorithm: Algorithm, app_id: &str) -> Option<Decrypted> {
    let is_padded = algorithm.mode.is_padded();
    let length = if is_padded { ciphertext.len() / BLOCK * BLOCK } else { ciphertext.len() };
    let bytes = ciphertext[..length].to_vec();
    let plaintext = decrypt::open_ciphertext(bytes, algorithm, Encoding::Latin1, &KeyAndIv::derive(app_id)).ok()?;
    let text: Vec<u8> = plaintext.text().chars().filter_map(|character| u8::try_from(character).ok()).collect();
    let is_sound = plaintext.fault().is_none();
    Some(Decrypted { padding: length - text.len(), text, is_sound })
}

fn describe(decrypted: &Decrypted, is_cut: bool, trials: f64) -> Option<Finding> {
    let text = &decrypted.text;
    if decrypted.is_sound && !is_cut {
        let of_text = evidence::of_text(text);
        let evidence = of_text + evidence::of_fixed(decrypted.padding) - trials;
        // Valid padding alone is no text: it is there by chance in one of 256 cases.
        if (text.is_empty() || of_text > 0.0) && evidence >= evidence::WORTH_A_GUESS {
            return Some(not_an_event(&right(evidence, "the plaintext is readable"), text.is_empty()));
        }
    }
    let blocks = text.chunks_exact(BLOCK);
    let readable = blocks.clone().filter(|block| is_text(block)).count();
    let evidence = evidence::of_blocks(readable, blocks.len()) - trials;
    if evidence < evidence::WORTH_A_GUESS {
        return None;
    }
    let why = format!("{readable} of {} blocks of the plaintext are readable", blocks.len());
    Some(damage(&right(evidence, &why), text, is_cut))
}

fn not_an_event(app_id: &str, is_empty: bool) -> Finding {
    let problem = if is_empty { "the plaintext is empty" } else { "the plaintext is not one JSON object" };
    Finding::new(
        format!("{app_id}, and nothing is damaged, but {problem}"),
        "See what the sender encrypts: it must be the JSON of one event",
    )
}

/// That the AppID is the right one, as surely as it is known.
fn right(evidence: f64, why: &str) -> String {
    if evidence >= evidence::CERTAIN {
        format!("the AppID is the right one, because {why} with it")
    } else {
        let chance = evidence::one_in(evidence);
        format!("the AppID may be the right one, because {why} with it (by chance with {chance} wrong ones)")
    }
}

fn damage(app_id: &str, text: &[u8], is_cut: bool) -> Finding {
    let broken = broken_blocks(text);
    let is_broken_until_the_end = |first: usize| broken[first..].iter().all(|broken| *broken);
    match broken.iter().position(|broken| *broken) {
        Some(0) if broken.iter().filter(|broken| **broken).count() == 1 => Finding::new(
            format!(
                "{app_id}, except for its first {BLOCK} bytes: the sender uses another IV, or the beginning is missing"
            ),
            "Derive the IV from the AppID together with the key, as Node's crypto.createCipher does; and capture the \
             webhook from its beginning",
        ),
        Some(first) if !is_broken_until_the_end(first) => Finding::new(
            format!(
                "{app_id}, except near byte {} of {}: something was changed or is missing there",
                first * BLOCK,
                text.len()
            ),
            "Find what changed it on the way: a character encoding, an editor, a form without percent-encoding",
        ),
        _ if is_cut => Finding::new(format!("{app_id} up to there"), "Leave the AppID as it is"),
        _ => Finding::new(
            format!(
                "{app_id}, except for its end, after {} bytes: it was changed, or something is missing",
                text.len()
            ),
            "Find what cut it off: a limit of a log, a proxy or a database column; then capture it again, complete",
        ),
    }
}

/// The blocks that have something in them that is not text: control characters, or bytes that are not UTF-8.
fn broken_blocks(text: &[u8]) -> Vec<bool> {
    let mut broken = vec![false; text.len().div_ceil(BLOCK)];
    let mut position = 0;
    for chunk in text.utf8_chunks() {
        let controls = chunk.valid().char_indices().filter(|(_, character)| evidence::is_control(*character));
        for (index, _) in controls {
            broken[(position + index) / BLOCK] = true;
        }
        position += chunk.valid().len();
        if !chunk.invalid().is_empty() {
            broken[position / BLOCK] = true;
        }
        position += chunk.invalid().len();
    }
    // UTF-16 has zeros between its characters.
    for (broken, block) in broken.iter_mut().zip(text.chunks(BLOCK)) {
        *broken &= !is_text(block);
    }
    broken
}

#[cfg(test)]
mod tests {
    use voicehook_lambda::sender;

    use super::*;

    const TEXT: &str = r#"{"voice_id":"call-1","state":"connected","from":"+12025550123","to":"+12025550199"}"#;

    fn candidates(texts: &[&str]) -> Vec<Candidate<Zeroizing<String>>> {
        texts.iter().map(|text| Candidate::usual(Zeroizing::new((*text).to_owned()))).collect()
    }

    fn named(algorithm: &str) -> Algorithm {
        Algorithm::named(algorithm).unwrap()
    }

    fn encrypted(text: &str, algorithm: &str) -> Vec<u8> {
        sender::ciphertext(text, &KeyAndIv::derive("right"), named(algorithm), Encoding::Utf8)
    }

    fn problem(ciphertext: &[u8], algorithm: &str, app_ids: &[&str]) -> Option<String> {
        find(ciphertext, named(algorithm), &candidates(app_ids), false).map(|finding| finding.problem)
    }

    #[test]
    fn none_of_thousands_of_wrong_app_ids_is_called_the_right_one() {
        let texts = ["", "1", "null", "[]", "{}x", TEXT];
        let modes = ["aes-256-cbc", "aes-128-ecb", "aes-192-ctr", "aes-256-cfb8", "aes-128-ofb"];
        let ciphertexts: Vec<_> = modes
            .iter()
            .flat_map(|mode| texts.iter().map(move |text| (*mode, encrypted(text, mode))))
            .filter(|(_, bytes)| !bytes.is_empty())
            .collect();
        let mut guesses = 0;
        for number in 0..400 {
            let app_id = format!("wrong-{number}");
            for (mode, bytes) in &ciphertexts {
                let problem = problem(bytes, mode, &[&app_id]).unwrap_or_default();
                assert!(!problem.contains("is the right one"), "{mode}, {app_id}: {problem}");
                guesses += usize::from(problem.contains("may be the right one"));
            }
        }
        // A guess is worth its name if it is wrong in one of a hundred cases at most.
        assert!(guesses * 100 <= 400 * ciphertexts.len(), "{guesses}");
    }

    #[test]
    fn an_empty_plaintext_is_no_reason_to_doubt_the_app_id() {
        let problem = problem(&encrypted("", "aes-256-cbc"), "aes-256-cbc", &["right"]).unwrap();
        assert!(problem.contains("is the right one") && problem.contains("the plaintext is empty"), "{problem}");
    }

    #[test]
    fn a_readable_block_among_many_is_chance() {
        let wrong = KeyAndIv::derive("wrong");
        let mut bytes = encrypted(&TEXT.repeat(1000), "aes-256-ecb");
        // In this mode, one block of a text under the wrong key is easily put among them.
        let block = &sender::ciphertext("0123456789abcdef", &wrong, named("aes-256-ecb"), Encoding::Utf8)[..BLOCK];
        bytes[160..176].copy_from_slice(block);
        let problem = problem(&bytes, "aes-256-ecb", &["wrong"]).unwrap_or_default();
        assert!(!problem.contains("is the right one"), "{problem}");
    }

    #[test]
    fn damage_is_found_where_it_is() {
        let whole = encrypted(&TEXT.repeat(4), "aes-256-cbc");
        let mut changed = whole.clone();
        changed[100] ^= 1;
        let says = |bytes: &[u8]| problem(bytes, "aes-256-cbc", &["right"]).unwrap();
        assert!(says(&changed).contains("except near byte 96 of"), "{}", says(&changed));
        assert!(says(&whole[..160]).contains("except for its end, after 160 bytes"), "{}", says(&whole[..160]));
        assert!(says(&whole[32..]).contains("except for its first 16 bytes"), "{}", says(&whole[32..]));
        let hindi = encrypted(
            &r#"{"voice_id":"call-1","state":"connected","text":"नमस्ते, आप कैसे हैं?"} "#.repeat(9),
            "aes-256-cbc",
        );
        assert!(says(&hindi[..320]).contains("except for its end"), "{}", says(&hindi[..320]));
    }
}
