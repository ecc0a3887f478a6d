//! Tells a damaged ciphertext from a wrong AppID: with the right AppID most blocks of a damaged ciphertext are readable,
//! with a wrong one none are.
//!
//! Findings never contain any of the plaintext.

use voicehook_lambda::decrypt::{self, Algorithm, Encoding, KeyAndIv};
use zeroize::Zeroizing;

use super::{candidates::Candidate, report::Finding};

const BLOCK: usize = 16;

/// Says what is damaged where a part of the text can be read. `is_cut` says whether it is known already that the end is
/// missing.
pub(super) fn find<'a>(
    ciphertext: &[u8],
    algorithm: Algorithm,
    app_ids: impl Iterator<Item = &'a Candidate<Zeroizing<String>>>,
    is_cut: bool,
) -> Option<Finding> {
    let padded = algorithm.mode.is_padded();
    let length = if padded { ciphertext.len() / BLOCK * BLOCK } else { ciphertext.len() };
    app_ids.filter(|app_id| app_id.findings.is_empty()).find_map(|app_id| {
        let secret = KeyAndIv::derive(&app_id.value);
        let bytes = ciphertext[..length].to_vec();
        let plaintext = decrypt::open_ciphertext(bytes, algorithm, Encoding::Latin1, &secret).ok()?;
        let text: Vec<u8> = plaintext.text().chars().filter_map(|character| u8::try_from(character).ok()).collect();
        if plaintext.fault().is_none() && !text.is_empty() && is_text(&text) {
            return Some(Finding::new(
                format!("{RIGHT}, and nothing is damaged; but the text is not one JSON object"),
                "See what the sender encrypts: it must be the JSON of one event",
            ));
        }
        let readable: Vec<bool> = text.chunks_exact(BLOCK).map(is_text).collect();
        readable.contains(&true).then(|| describe(&readable, ciphertext.len(), is_cut))
    })
}

const RIGHT: &str = "the AppID is the right one, because the text is readable with it";

fn describe(readable: &[bool], length: usize, is_cut: bool) -> Finding {
    let first_bad = readable.iter().position(|readable| !readable);
    let (problem, next) = match first_bad {
        Some(bad) if readable.iter().skip(bad).any(|readable| *readable) => (
            format!(
                "{RIGHT}, but for a place about byte {} of {length}: it was changed, or something is missing",
                bad * BLOCK
            ),
            "Find what changed it on its way: an encoding of characters, an editor, a form without percent-encoding",
        ),
        _ if is_cut => (format!("{RIGHT} up to there"), "Leave the AppID as it is"),
        _ => (
            format!("{RIGHT}, but for its end, after {length} bytes: it was changed, or something is missing"),
            "Find what cut it off: a limit of a log, a proxy or a database column; then capture it again, whole",
        ),
    };
    Finding::new(problem, next)
}

/// Whether bytes are ASCII text, in one byte a character or in two.
fn is_text(block: &[u8]) -> bool {
    let printable = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r');
    let wide = |units: &[[u8; 2]]| units.iter().all(|[low, high]| *high == 0 && printable(low));
    block.iter().all(printable) || (block.len().is_multiple_of(2) && wide(block.as_chunks::<2>().0))
}
