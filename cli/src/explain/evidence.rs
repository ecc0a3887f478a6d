//! How much a piece of readable text proves about the key that it was decrypted with.
//!
//! With a wrong key, every byte of the result is random. Evidence is the number of bits b such that a wrong key gives a
//! result of this kind with a probability of at most 2^-b. Whoever tries n keys subtracts log₂ n, because one of them
//! is enough.

use voicehook_lambda::decrypt::Encoding;

/// The evidence from which on something is stated as a fact: it is wrong in one of 2²⁰ cases at most, one in a million.
pub(crate) const CERTAIN: f64 = 20.0;
/// The evidence from which on it is worth mentioning as a guess: wrong in one of 100 cases at most.
pub(crate) const WORTH_A_GUESS: f64 = 6.7;

const BLOCK: usize = 16;
/// 99 of 256 bytes are ASCII text: 0x20 to 0x7f, tab, line feed, carriage return. log₂(256 / 99), rounded down.
const ASCII: f64 = 1.37;
/// Of the 256ⁿ sequences of n bytes, at most λⁿ are UTF-8 without control characters. There are 99 such characters of one
/// byte, at most 1920 of two, 61,440 of three and 2²⁰ of four, so λ solves
/// 99/λ + 1920/λ² + 61440/λ³ + 2²⁰/λ⁴ = 1: λ < 120. log₂(256 / 120), rounded down.
const UTF8: f64 = 1.09;
/// 224 of 256 bytes may stand in a JSON string in ISO 8859-1.
const LATIN1: f64 = 0.19;

/// How the bytes of a JSON text are written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Written {
    Utf8,
    Latin1,
    Utf16,
}

impl From<Encoding> for Written {
    fn from(encoding: Encoding) -> Self {
        match encoding {
            Encoding::Latin1 => Self::Latin1,
            Encoding::Utf16le => Self::Utf16,
            // ASCII is UTF-8, and rarer.
            Encoding::Utf8 | Encoding::Ascii => Self::Utf8,
        }
    }
}

impl Written {
    /// Bytes of one ASCII character, and the evidence of each byte of any text.
    const fn unit(self) -> (usize, f64) {
        match self {
            Self::Utf8 => (1, UTF8),
            Self::Latin1 => (1, LATIN1),
            // Nearly all pairs of bytes are a character.
            Self::Utf16 => (2, 0.0),
        }
    }
}

/// The evidence of a plaintext that is a JSON object and was written in this way. An object that is not empty begins with
/// `{"` and ends with `}` behind one of 15 characters; white space before and between them changes less than a bit. An
/// empty one is two braces at any two places of a text of white space.
pub(crate) fn of_object(object: &str, written: Written) -> f64 {
    let (unit, per_byte) = written.unit();
    let units = match written {
        Written::Utf8 => object.len(),
        Written::Latin1 => object.chars().count(),
        Written::Utf16 => object.encode_utf16().count(),
    };
    let structural = of_fixed(unit);
    if object.chars().all(|character| character.is_ascii_whitespace() || "{}".contains(character)) {
        let places = (units * units.saturating_sub(1) / 2).max(1) as f64;
        return 2.0 * structural + 6.0 * units.saturating_sub(2) as f64 - places.log2();
    }
    3.0 * structural + 4.0 + per_byte * (units.saturating_sub(4) * unit) as f64 - 1.0
}

/// The evidence of a text of which something was read, such as an event within a JSON string.
pub(crate) fn of_length(text: &str, written: Written) -> f64 {
    let (unit, per_byte) = written.unit();
    per_byte * (text.chars().count() * unit) as f64
}

/// The evidence of a whole plaintext that is text, in ASCII, UTF-8 or UTF-16; none where it is not.
pub(crate) fn of_text(bytes: &[u8]) -> f64 {
    let per_byte = if is_text(bytes) {
        ASCII
    } else if std::str::from_utf8(bytes).is_ok_and(|text| !text.chars().any(is_control)) {
        UTF8
    } else {
        return 0.0;
    };
    // One of three kinds is enough.
    (per_byte * bytes.len() as f64 - 1.6).max(0.0)
}

/// The evidence of padding, or of other bytes that can have one value only.
pub(crate) fn of_fixed(bytes: usize) -> f64 {
    8.0 * bytes as f64
}

/// The evidence of `readable` blocks among `all`: at least that many are text by chance with a probability of at most
/// C(all, readable) · p^readable, where p is that of one block.
pub(crate) fn of_blocks(readable: usize, all: usize) -> f64 {
    let choices: f64 =
        (0..readable.min(all - readable)).map(|taken| ((all - taken) as f64 / (taken + 1) as f64).log2()).sum();
    (ASCII * (BLOCK * readable) as f64 - choices).max(0.0)
}

/// Whether bytes are ASCII text, in one byte a character or in two.
pub(crate) fn is_text(bytes: &[u8]) -> bool {
    let printable = |byte: &u8| matches!(byte, b' '..=0x7f | b'\t' | b'\n' | b'\r');
    let wide = |units: &[[u8; 2]]| units.iter().all(|[low, high]| *high == 0 && printable(low));
    bytes.iter().all(printable) || (bytes.len().is_multiple_of(2) && wide(bytes.as_chunks::<2>().0))
}

/// Whether a character has no place in text.
pub(crate) const fn is_control(character: char) -> bool {
    matches!(character, '\0'..='\u{1f}') && !matches!(character, '\t' | '\n' | '\r')
}

/// "one of 1,000", for a guess.
pub(crate) fn one_in(evidence: f64) -> String {
    format!("one of {:.0}", evidence.clamp(0.0, 60.0).exp2())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pseudo-random sequence of bytes: xorshift64*.
    fn random() -> impl FnMut() -> u8 {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        move || {
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 56) as u8
        }
    }

    /// In how many of `cases` random texts of `length` bytes the evidence reaches `bits`.
    fn reached(cases: usize, bits: f64, length: usize, evidence: impl Fn(&[u8]) -> f64) -> usize {
        let mut next = random();
        let reaches = |_: &usize| evidence(&(0..length).map(|_| next()).collect::<Vec<_>>()) >= bits;
        (0..cases).filter(reaches).count()
    }

    #[test]
    fn random_bytes_reach_b_bits_of_evidence_in_no_more_than_one_of_2_to_the_b_cases() {
        const CASES: usize = 200_000;
        for length in 1..=8 {
            for bits in [1, 2, 4, 6, 8] {
                let expected = CASES >> bits;
                let reached = reached(CASES, f64::from(bits), length, of_text);
                // Five standard deviations above the mean, in a test that is the same each time.
                let most = expected as f64 + 5.0 * (expected as f64).sqrt();
                assert!(reached as f64 <= most, "{reached} of {CASES} texts of {length} bytes reach {bits} bits");
            }
        }
    }

    #[test]
    fn empty_objects_are_as_rare_as_their_evidence_says() {
        const ALPHABET: &[u8; 6] = b"{} \t\n\r";
        for length in 2..=6u32 {
            let text = |number: usize| (0..length).map(|place| ALPHABET[number / 6usize.pow(place) % 6]).collect();
            let is_object = |text: Vec<u8>| serde_json::from_slice::<serde_json::Value>(&text).is_ok();
            let objects = (0..6usize.pow(length)).filter(|number| is_object(text(*number))).count();
            let exact = 8.0 * f64::from(length) - (objects as f64).log2();
            let stated = of_object(&format!("{{{:1$}}}", "", length as usize - 2), Written::Utf8);
            assert!(stated > 10.0 && stated <= exact + 1e-9, "{length}: {stated} of {exact} bits");
        }
    }

    #[test]
    fn a_wrong_key_at_five_megabytes_proves_nothing_though_a_block_of_it_may_be_text() {
        const BLOCKS: usize = 5_000_000 / BLOCK;
        // One block is text in one of twelve cases, three in one of ten thousand.
        for (readable, least, most) in [(0, 0.0, 0.0), (1, 0.0, WORTH_A_GUESS), (3, 13.0, CERTAIN), (6, CERTAIN, 99.0)]
        {
            let evidence = of_blocks(readable, BLOCKS);
            assert!((least..=most).contains(&evidence), "{readable}: {evidence}");
        }
        let mut next = random();
        let mut block = [0; BLOCK];
        for case in 0..4 {
            let mut readable = 0;
            for _ in 0..BLOCKS {
                block.fill_with(&mut next);
                readable += usize::from(is_text(&block));
            }
            assert!(of_blocks(readable, BLOCKS) < CERTAIN, "case {case}: {readable} blocks");
        }
    }
}
