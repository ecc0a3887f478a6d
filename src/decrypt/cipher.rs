//! AES in the supported modes, in place, in both directions.

use aes::{Aes128, Aes192, Aes256};
use cipher::{
    Array, BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, BlockSizeUser, InnerIvInit,
    KeyInit, StreamCipherCore, array::typenum::U16,
};
use ctr::flavors::Ctr128BE;

use super::{Algorithm, KeyAndIv, KeySize, Mode};

/// AES's block, in bytes.
pub(crate) const BLOCK: usize = 16;

/// Decrypts in place. For the padded modes `data` must be whole blocks; a part of a block would be left as it is.
pub(super) fn decrypt(algorithm: Algorithm, secret: &KeyAndIv, data: &mut [u8]) {
    apply::<false>(algorithm, secret, data);
}

/// The inverse of [`decrypt`], with the same condition. The function never calls it.
pub(crate) fn encrypt(algorithm: Algorithm, secret: &KeyAndIv, data: &mut [u8]) {
    apply::<true>(algorithm, secret, data);
}

/// The direction is a constant, so that the function's binary has one of them only.
fn apply<const ENCRYPT: bool>(algorithm: Algorithm, secret: &KeyAndIv, data: &mut [u8]) {
    let (key, iv) = secret.split(algorithm.key_size);
    match algorithm.key_size {
        KeySize::Aes128 => apply_with::<Aes128, ENCRYPT>(algorithm.mode, key, iv, data),
        KeySize::Aes192 => apply_with::<Aes192, ENCRYPT>(algorithm.mode, key, iv, data),
        KeySize::Aes256 => apply_with::<Aes256, ENCRYPT>(algorithm.mode, key, iv, data),
    }
}

fn apply_with<Aes, const ENCRYPT: bool>(mode: Mode, key: &[u8], iv: &[u8; BLOCK], data: &mut [u8])
where
    Aes: KeyInit + BlockCipherDecrypt + BlockCipherEncrypt + BlockSizeUser<BlockSize = U16>,
{
    // The key has the length of the cipher by construction; without a key nothing could be decrypted.
    let Ok(aes) = Aes::new_from_slice(key) else { return };
    let iv = &Array::from(*iv);
    match mode {
        Mode::Cbc if ENCRYPT => {
            cbc::Encryptor::inner_iv_init(aes, iv).encrypt_blocks(blocks(data));
        }
        Mode::Cbc => cbc::Decryptor::inner_iv_init(aes, iv).decrypt_blocks(blocks(data)),
        Mode::Ecb if ENCRYPT => aes.encrypt_blocks(blocks(data)),
        Mode::Ecb => aes.decrypt_blocks(blocks(data)),
        Mode::Ctr => ctr::CtrCore::<_, Ctr128BE>::inner_iv_init(aes, iv).apply_keystream_partial(data.into()),
        Mode::Ofb => ofb::OfbCore::inner_iv_init(aes, iv).apply_keystream_partial(data.into()),
        Mode::Cfb if ENCRYPT => cfb_mode::BufEncryptor::inner_iv_init(aes, iv).encrypt(data),
        Mode::Cfb => cfb_mode::BufDecryptor::inner_iv_init(aes, iv).decrypt(data),
        Mode::Cfb8 if ENCRYPT => cfb8::Encryptor::inner_iv_init(aes, iv).encrypt(data),
        Mode::Cfb8 => cfb8::Decryptor::inner_iv_init(aes, iv).decrypt(data),
    }
}

fn blocks(data: &mut [u8]) -> &mut [Array<u8, U16>] {
    Array::slice_as_chunks_mut(data).0
}
