//! The plaintext's bytes as text, in the encoding that `x-encoding` names, re-encoded to UTF-8.

use std::fmt::Write as _;

use super::Encoding;

/// The text, and whether all of the bytes were text. Where they were not, the text is the part before the first fault.
pub(super) fn decode(encoding: Encoding, bytes: Vec<u8>) -> (String, bool) {
    match encoding {
        Encoding::Utf8 => utf8(bytes),
        Encoding::Ascii => {
            let ascii = bytes.is_ascii();
            let (text, readable) = utf8(bytes);
            (text, readable && ascii)
        }
        Encoding::Latin1 => (bytes.into_iter().map(char::from).collect(), true),
        Encoding::Utf16le => utf16le(&bytes),
    }
}

fn utf8(bytes: Vec<u8>) -> (String, bool) {
    String::from_utf8(bytes).map_or_else(
        |error| {
            let valid = error.utf8_error().valid_up_to();
            let mut bytes = error.into_bytes();
            bytes.truncate(valid);
            (String::from_utf8(bytes).unwrap_or_default(), false)
        },
        |text| (text, true),
    )
}

/// A lone surrogate, which UTF-8 cannot hold, becomes its JSON escape: inside a JSON string both mean the same, and
/// anywhere else neither is JSON.
fn utf16le(bytes: &[u8]) -> (String, bool) {
    let (units, rest) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(units.len());
    for unit in char::decode_utf16(units.iter().map(|unit| u16::from_le_bytes(*unit))) {
        match unit {
            Ok(character) => text.push(character),
            Err(error) => _ = write!(text, "\\u{:04x}", error.unpaired_surrogate()),
        }
    }
    (text, rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(units: &[u16]) -> Vec<u8> {
        units.iter().flat_map(|unit| unit.to_le_bytes()).collect()
    }

    #[test]
    fn a_lone_surrogate_in_utf16_becomes_its_json_escape() {
        let units: Vec<u16> = "\"a".encode_utf16().chain([0xD83D]).chain("\"".encode_utf16()).collect();
        assert_eq!(decode(Encoding::Utf16le, utf16(&units)), ("\"a\\ud83d\"".to_owned(), true));
    }

    #[test]
    fn a_surrogate_pair_in_utf16_becomes_its_character() {
        let units: Vec<u16> = "📞".encode_utf16().collect();
        assert_eq!(decode(Encoding::Utf16le, utf16(&units)), ("📞".to_owned(), true));
    }

    #[test]
    fn half_a_utf16_unit_at_the_end_is_refused() {
        assert!(!decode(Encoding::Utf16le, b"{\0}".to_vec()).1);
    }

    #[test]
    fn bytes_beyond_ascii_are_refused_as_ascii_and_taken_as_latin1() {
        assert!(!decode(Encoding::Ascii, "é".as_bytes().to_vec()).1);
        assert_eq!(decode(Encoding::Latin1, vec![0xE9]), ("é".to_owned(), true));
    }

    #[test]
    fn broken_utf8_is_refused_and_never_replaced() {
        assert_eq!(decode(Encoding::Utf8, b"ab\xFFcd".to_vec()), ("ab".to_owned(), false));
    }
}
