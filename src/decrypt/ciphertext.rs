//! `encrypted_data` to bytes. Where Node drops the rest of what it cannot read, this refuses.

use super::Format;

/// The ciphertext, or `None` where `data` is not written in that format.
#[must_use]
pub fn decode(format: Format, data: &[u8]) -> Option<Vec<u8>> {
    match format {
        Format::Hex => hex_simd::decode_to_vec(data).ok(),
        Format::Base64 => base64_simd::STANDARD.decode_to_vec(data).ok().or_else(|| lenient_base64(data)),
        Format::Latin1 => latin1(data),
    }
}

/// Base64 in either alphabet, with or without padding, with white space anywhere.
fn lenient_base64(data: &[u8]) -> Option<Vec<u8>> {
    let mut digits: Vec<u8> = data
        .iter()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => *other,
        })
        .collect();
    let padding = digits.iter().rev().take_while(|byte| **byte == b'=').count();
    if padding > 0 && !(padding <= 2 && digits.len().is_multiple_of(4)) {
        return None;
    }
    digits.truncate(digits.len() - padding);
    base64_simd::STANDARD_NO_PAD.decode_to_vec(digits).ok()
}

fn latin1(data: &[u8]) -> Option<Vec<u8>> {
    std::str::from_utf8(data).ok()?.chars().map(|character| u8::try_from(character).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_may_have_either_alphabet_white_space_and_no_padding_but_not_half_a_padding() {
        for (data, bytes) in [
            ("AAE=", Some(&[0, 1][..])),
            ("AAE", Some(&[0, 1])),
            ("AA E=\r\n", Some(&[0, 1])),
            ("A\tA==", Some(&[0])),
            ("+/8=", Some(&[0xfb, 0xff])),
            ("-_8", Some(&[0xfb, 0xff])),
            ("AA=", None),
            ("AAE==", None),
            ("A===", None),
            ("AA=A", None),
            ("====", None),
            ("A", None),
        ] {
            assert_eq!(decode(Format::Base64, data.as_bytes()).as_deref(), bytes, "{data}");
        }
    }
}
