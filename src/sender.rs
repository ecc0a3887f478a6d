//! EnableX's side: makes webhooks as EnableX sends them, for tests and for the command-line tool.
//!
//! Encrypts an event as `crypto.createCipher` did and writes the ciphertext as `encrypted_data`. The function never calls this.

use crate::decrypt::{
    Algorithm, Encoding, Format, KeyAndIv,
    cipher::{self, BLOCK},
};

/// Encrypts as Node's `createCipher(algorithm, appId)` does, and writes the ciphertext in a format.
///
/// A character that the encoding cannot hold is cut to its low bits, as Node does it.
#[must_use]
pub fn encrypt(text: &str, app_id: &str, algorithm: Algorithm, format: Format, encoding: Encoding) -> String {
    write(&ciphertext(text, &KeyAndIv::derive(app_id), algorithm, encoding), format)
}

/// The bytes that [`encrypt`] writes.
#[must_use]
pub fn ciphertext(text: &str, secret: &KeyAndIv, algorithm: Algorithm, encoding: Encoding) -> Vec<u8> {
    let mut data = encode(text, encoding);
    if algorithm.mode.is_padded() {
        let padding = BLOCK - data.len() % BLOCK;
        data.resize(data.len() + padding, padding as u8);
    }
    cipher::encrypt(algorithm, secret, &mut data);
    data
}

/// Writes a ciphertext as the value of `encrypted_data`.
#[must_use]
pub fn write(ciphertext: &[u8], format: Format) -> String {
    match format {
        Format::Hex => hex_simd::encode_to_string(ciphertext, hex_simd::AsciiCase::Lower),
        Format::Base64 => base64_simd::STANDARD.encode_to_string(ciphertext),
        Format::Latin1 => ciphertext.iter().copied().map(char::from).collect(),
    }
}

fn encode(text: &str, encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::Utf8 => text.as_bytes().to_vec(),
        Encoding::Ascii | Encoding::Latin1 => text.encode_utf16().map(|unit| unit as u8).collect(),
        Encoding::Utf16le => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
    }
}
