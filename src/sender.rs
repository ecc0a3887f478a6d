//! EnableX's side: makes webhooks as EnableX sends them, for tests and for the command-line tool.
//!
//! Encrypts an event as `crypto.createCipher` did and writes the ciphertext as `encrypted_data`. The function never calls this.

use aes::{Aes128, Aes192, Aes256};
use cipher::{
    Array, BlockCipherDecrypt, BlockCipherEncrypt, BlockModeEncrypt, BlockSizeUser, InnerIvInit, KeyInit,
    StreamCipherCore, array::typenum::U16,
};
use ctr::flavors::Ctr128BE;

use crate::{
    app_id::AppId,
    webhook::{Algorithm, Encoding, Format, KeySize, Mode},
};

const BLOCK: usize = 16;

/// Encrypts as Node's `createCipher(algorithm, appId)` does, and writes the ciphertext in a format.
///
/// A character that the encoding cannot hold is cut to its low bits, as Node does it.
#[must_use]
pub fn encrypt(text: &str, app_id: &str, algorithm: Algorithm, format: Format, encoding: Encoding) -> String {
    write(&ciphertext(text, &AppId::new(app_id), algorithm, encoding), format)
}

/// The bytes that [`encrypt`] writes.
#[must_use]
pub fn ciphertext(text: &str, app_id: &AppId, algorithm: Algorithm, encoding: Encoding) -> Vec<u8> {
    let mut data = encode(text, encoding);
    if algorithm.mode.is_padded() {
        let padding = BLOCK - data.len() % BLOCK;
        data.resize(data.len() + padding, padding as u8);
    }
    let (key, iv) = app_id.key_and_iv().split(algorithm.key_size);
    match algorithm.key_size {
        KeySize::Aes128 => encrypt_with::<Aes128>(algorithm.mode, key, iv, &mut data),
        KeySize::Aes192 => encrypt_with::<Aes192>(algorithm.mode, key, iv, &mut data),
        KeySize::Aes256 => encrypt_with::<Aes256>(algorithm.mode, key, iv, &mut data),
    }
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

fn encrypt_with<Aes>(mode: Mode, key: &[u8], iv: &[u8; BLOCK], data: &mut [u8])
where
    Aes: KeyInit + BlockCipherDecrypt + BlockCipherEncrypt + BlockSizeUser<BlockSize = U16>,
{
    let Ok(aes) = Aes::new_from_slice(key) else { return };
    let iv = &Array::from(*iv);
    match mode {
        Mode::Cbc => {
            cbc::Encryptor::inner_iv_init(aes, iv).encrypt_blocks(Array::slice_as_chunks_mut(data).0);
        }
        Mode::Ecb => aes.encrypt_blocks(Array::slice_as_chunks_mut(data).0),
        Mode::Ctr => ctr::CtrCore::<_, Ctr128BE>::inner_iv_init(aes, iv).apply_keystream_partial(data.into()),
        Mode::Ofb => ofb::OfbCore::inner_iv_init(aes, iv).apply_keystream_partial(data.into()),
        Mode::Cfb => cfb_mode::BufEncryptor::inner_iv_init(aes, iv).encrypt(data),
        Mode::Cfb8 => cfb8::Encryptor::inner_iv_init(aes, iv).encrypt(data),
    }
}
