//! Reads what a person has in a file, however it was saved: compressed with gzip, with a byte order mark, or in UTF-16,
//! as PowerShell and Notepad write it.

use std::{
    io::{IsTerminal as _, Read as _},
    path::Path,
};

use anyhow::anyhow;
use flate2::read::MultiGzDecoder;

use crate::console;

/// The most that a compressed file may become, in bytes. Every webhook fits many times over; a decompression bomb does not.
const MOST: u64 = 256 << 20;
const GZIP: &[u8] = &[0x1f, 0x8b, 8];

/// The contents of a file, or of standard input without a name or with `-`, decompressed. On a terminal, `prompt` says
/// what is expected.
pub(crate) fn read(file: Option<&Path>, prompt: &str) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match file.filter(|file| *file != Path::new("-")) {
        Some(file) => {
            bytes = std::fs::read(file).map_err(|error| anyhow!("{} cannot be read: {error}", file.display()))?;
        }
        None => {
            let mut input = std::io::stdin().lock();
            if input.is_terminal() {
                console::error(prompt);
            }
            input.read_to_end(&mut bytes).map_err(|error| anyhow!("standard input cannot be read: {error}"))?;
        }
    }
    decompressed(bytes)
}

/// Decompresses gzip. Whatever only begins like it is a ciphertext, and stays as it is.
fn decompressed(bytes: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    if !bytes.starts_with(GZIP) {
        return Ok(bytes);
    }
    let mut plain = Vec::new();
    let read = MultiGzDecoder::new(&*bytes).take(MOST + 1).read_to_end(&mut plain);
    if plain.len() as u64 > MOST {
        return Err(anyhow!("the compressed file is larger than {} MB when it is decompressed", MOST >> 20));
    }
    match read {
        Ok(_) => Ok(plain),
        Err(_) if plain.is_empty() => Ok(bytes),
        Err(error) => Err(anyhow!("the file is compressed with gzip, and damaged or incomplete: {error}")),
    }
}

/// The text of a file: UTF-8, or UTF-16 in either byte order, without its byte order mark.
///
/// # Errors
/// The bytes, if they are not text.
pub(crate) fn text(bytes: Vec<u8>) -> Result<String, Vec<u8>> {
    if let Some(text) = utf16(&bytes) {
        return Ok(text);
    }
    let mut text = String::from_utf8(bytes).map_err(std::string::FromUtf8Error::into_bytes)?;
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(text)
}

/// UTF-16 with a byte order mark, or without one if half of it is ASCII, and at least its first two characters. Of 2²⁴
/// ciphertexts, fewer than one passes for it: the mark is two bytes, and a third one must be 0; without a mark, it is
/// four bytes of sixteen.
fn utf16(bytes: &[u8]) -> Option<String> {
    let (rest, decode): (_, fn([u8; 2]) -> u16) = match bytes {
        [0xff, 0xfe, rest @ ..] => (rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => (rest, u16::from_be_bytes),
        [1..=0x7f, 0, 1..=0x7f, 0, ..] => (bytes, u16::from_le_bytes),
        [0, 1..=0x7f, 0, 1..=0x7f, ..] => (bytes, u16::from_be_bytes),
        _ => return None,
    };
    let (units, []) = rest.as_chunks::<2>() else { return None };
    let text = char::decode_utf16(units.iter().copied().map(decode)).collect::<Result<String, _>>().ok()?;
    let is_marked = rest.len() < bytes.len();
    let half_is_ascii = || text.chars().filter(char::is_ascii).count() * 2 >= units.len();
    (text.chars().next().is_none_or(|first| first.is_ascii()) && (is_marked || half_is_ascii())).then_some(text)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    const TEXT: &str = "{\"text\": \"é 📞\"}";

    fn utf16_bytes(text: &str, encode: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(encode).collect()
    }

    #[test]
    fn a_text_is_the_same_in_every_encoding_that_editors_and_shells_write() {
        let marked = format!("\u{feff}{TEXT}");
        for bytes in [
            TEXT.into(),
            marked.clone().into_bytes(),
            utf16_bytes(&marked, u16::to_le_bytes),
            utf16_bytes(&marked, u16::to_be_bytes),
            utf16_bytes(TEXT, u16::to_le_bytes),
            utf16_bytes(TEXT, u16::to_be_bytes),
        ] {
            assert_eq!(text(bytes.clone()).as_deref(), Ok(TEXT), "{bytes:02x?}");
        }
    }

    #[test]
    fn bytes_that_only_begin_like_text_or_gzip_stay_as_they_are() {
        for bytes in [&[0xff, 0xfe, 0x00, 0xd8, 1, 2][..], &[0xfe, 0xff, 0x80, 1], &[0xff, 0xfe, b'a', 0, 7], &[0x80]] {
            assert_eq!(text(bytes.to_vec()), Err(bytes.to_vec()));
        }
        let ciphertext = [GZIP, &[0xff; 29]].concat();
        assert_eq!(decompressed(ciphertext.clone()).unwrap(), ciphertext);
    }

    #[test]
    fn gzip_is_decompressed_and_a_file_that_was_cut_off_is_an_error() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        let long = TEXT.repeat(10_000);
        encoder.write_all(long.as_bytes()).unwrap();
        let bytes = encoder.finish().unwrap();
        assert_eq!(decompressed(bytes.repeat(2)).unwrap(), long.repeat(2).into_bytes());
        let error = decompressed(bytes[..bytes.len() - 12].to_vec()).unwrap_err();
        assert!(error.to_string().contains("incomplete"), "{error}");
    }
}
