//! Key derivation: OpenSSL's `EVP_BytesToKey` with MD5, no salt and one iteration, as Node's `createCipher` calls it.
//!
//! The key material is derived once, when an AppID is read, and the AppID's text is not kept.

use md5::{Digest, Md5};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{KeySize, cipher::BLOCK};

/// The longest key and its IV: 32 + 16 bytes.
const LENGTH: usize = 48;

/// The bytes that `EVP_BytesToKey` derives from an AppID. Key and IV of every key length are cut from the same bytes.
///
/// Source: <https://docs.openssl.org/3.0/man3/EVP_BytesToKey/>: D₁ = MD5(data), Dᵢ = MD5(Dᵢ₋₁ ‖ data), and the key is
/// taken from the front of D₁ ‖ D₂ ‖ …, the IV from what follows.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct KeyAndIv([u8; LENGTH]);

impl KeyAndIv {
    /// Derives from an AppID.
    #[must_use]
    pub fn derive(app_id: &str) -> Self {
        let mut derived = Self([0; LENGTH]);
        let mut previous = Zeroizing::new(Vec::new());
        for block in derived.0.as_chunks_mut::<BLOCK>().0 {
            *block = Md5::new().chain_update(&*previous).chain_update(app_id).finalize().into();
            previous.clear();
            previous.extend_from_slice(block);
        }
        derived
    }

    /// A key and an IV that were derived in another way, for a cipher of that key's length. `None` where the key is
    /// longer than any that AES has.
    #[must_use]
    pub fn from_parts(key: &[u8], iv: &[u8; BLOCK]) -> Option<Self> {
        let mut parts = Self([0; LENGTH]);
        parts.0.get_mut(..key.len())?.copy_from_slice(key);
        parts.0.get_mut(key.len()..key.len() + BLOCK)?.copy_from_slice(iv);
        Some(parts)
    }

    /// Whether both were derived from the same AppID.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    /// Key and IV for one key length.
    #[must_use]
    pub fn split(&self, key_size: KeySize) -> (&[u8], &[u8; BLOCK]) {
        let (key, rest) = self.0.split_at(key_size.bytes());
        // The shortest rest is that of AES-256, and it is one block.
        (key, rest.first_chunk().unwrap_or(&[0; BLOCK]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `openssl enc -aes-N-cbc -md md5 -nosalt -P -k APPID` prints for `2d28cdb87cb578c4af2cffda`.
    #[test]
    fn keys_and_ivs_are_those_of_openssl() {
        let derived = KeyAndIv::derive("2d28cdb87cb578c4af2cffda");
        let hex = |bytes: &[u8]| hex_simd::encode_to_string(bytes, hex_simd::AsciiCase::Upper);
        for (key_size, key, iv) in [
            (KeySize::Aes128, "85BB052B75B30ABE55406505C89A9D31", "CB61D6A1FAE517665A2AE3249598133B"),
            (KeySize::Aes192, "85BB052B75B30ABE55406505C89A9D31CB61D6A1FAE51766", "5A2AE3249598133B3F7209D2E1EABE70"),
            (
                KeySize::Aes256,
                "85BB052B75B30ABE55406505C89A9D31CB61D6A1FAE517665A2AE3249598133B",
                "3F7209D2E1EABE70D791469B58FAF771",
            ),
        ] {
            let (derived_key, derived_iv) = derived.split(key_size);
            assert_eq!((hex(derived_key).as_str(), hex(derived_iv).as_str()), (key, iv), "{key_size:?}");
        }
    }

    #[test]
    fn a_key_and_an_iv_may_come_from_elsewhere() {
        let derived = KeyAndIv::derive("2d28cdb87cb578c4af2cffda");
        for key_size in [KeySize::Aes128, KeySize::Aes192, KeySize::Aes256] {
            let (key, iv) = derived.split(key_size);
            assert_eq!(KeyAndIv::from_parts(key, iv).unwrap().split(key_size), (key, iv), "{key_size:?}");
        }
        assert!(KeyAndIv::from_parts(&[0; 33], &[0; BLOCK]).is_none(), "AES has no key of that length");
        assert!(KeyAndIv::from_parts(&[0; 100], &[0; BLOCK]).is_none(), "AES has no key of that length");
    }
}
