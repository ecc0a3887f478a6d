//! AES in the supported modes, in place.

use aes::{Aes128, Aes192, Aes256};
use cipher::{
    Array, BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockSizeUser, InnerIvInit, KeyInit,
    StreamCipherCore, array::typenum::U16,
};
use ctr::flavors::Ctr128BE;

use crate::{
    app_id::KeyAndIv,
    webhook::{Algorithm, KeySize, Mode},
};

/// AES's block, in bytes.
pub(super) const BLOCK: usize = 16;

/// Decrypts in place. For the padded modes `data` must be whole blocks; a part of a block would be left as it is.
pub(super) fn decrypt(algorithm: Algorithm, secret: &KeyAndIv, data: &mut [u8]) {
    let (key, iv) = secret.split(algorithm.key_size);
    match algorithm.key_size {
        KeySize::Aes128 => decrypt_with::<Aes128>(algorithm.mode, key, iv, data),
        KeySize::Aes192 => decrypt_with::<Aes192>(algorithm.mode, key, iv, data),
        KeySize::Aes256 => decrypt_with::<Aes256>(algorithm.mode, key, iv, data),
    }
}

fn decrypt_with<Aes>(mode: Mode, key: &[u8], iv: &[u8; BLOCK], data: &mut [u8])
where
    Aes: KeyInit + BlockCipherDecrypt + BlockCipherEncrypt + BlockSizeUser<BlockSize = U16>,
{
    // The key has the length of the cipher by construction; without a key nothing could be decrypted.
    let Ok(aes) = Aes::new_from_slice(key) else { return };
    let iv = &Array::from(*iv);
    match mode {
        Mode::Cbc => cbc::Decryptor::inner_iv_init(aes, iv).decrypt_blocks(blocks(data)),
        Mode::Ecb => aes.decrypt_blocks(blocks(data)),
        Mode::Ctr => ctr::CtrCore::<_, Ctr128BE>::inner_iv_init(aes, iv).apply_keystream_partial(data.into()),
        Mode::Ofb => ofb::OfbCore::inner_iv_init(aes, iv).apply_keystream_partial(data.into()),
        Mode::Cfb => cfb_mode::BufDecryptor::inner_iv_init(aes, iv).decrypt(data),
        Mode::Cfb8 => cfb8::Decryptor::inner_iv_init(aes, iv).decrypt(data),
    }
}

fn blocks(data: &mut [u8]) -> &mut [Array<u8, U16>] {
    Array::slice_as_chunks_mut(data).0
}
