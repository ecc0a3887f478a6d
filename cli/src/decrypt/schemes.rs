//! Key derivations used by other software, to recognize a webhook that was not encrypted the way EnableX does it.
//!
//! Each scheme turns an AppID and, where it uses a salt or an IV, the start of the ciphertext into a key and an IV.

use md5::{Digest, Md5};
use sha2::Sha256;
use voicehook_lambda::decrypt::{self, Format, KeyAndIv, KeySize};
use zeroize::Zeroizing;

const BLOCK: usize = 16;
/// What `openssl enc` writes before the salt.
const SALTED: &[u8] = b"Salted__";
/// What `openssl enc -pbkdf2` does.
const ITERATIONS: u32 = 10_000;

/// A key, an IV, and where the ciphertext begins.
pub(super) struct Scheme {
    pub(super) name: String,
    pub(super) secret: KeyAndIv,
    pub(super) skip: usize,
}

/// Whether a ciphertext begins as `openssl enc` and `CryptoJS` write it.
pub(super) fn is_salted(ciphertext: &[u8]) -> bool {
    ciphertext.starts_with(SALTED)
}

/// Every scheme but EnableX's own.
pub(super) fn others(app_id: &str, ciphertext: &[u8], key_size: KeySize) -> Vec<Scheme> {
    let salt = ciphertext.strip_prefix(SALTED).and_then(|rest| rest.first_chunk::<8>());
    if let Some(salt) = salt {
        return salted(app_id, salt, key_size);
    }
    let mut schemes = Vec::new();
    let sha256 = bytes_to_key::<Sha256>(app_id, &[]);
    add(&mut schemes, "OpenSSL's key derivation with SHA-256 instead of MD5", &sha256, key_size, 0);
    for (key_name, key) in keys(app_id, key_size) {
        let from_app_id = padded(app_id.as_bytes(), BLOCK);
        let in_front = ciphertext.first_chunk::<BLOCK>().copied();
        let ivs = [
            ("the first 16 bytes as IV", in_front, BLOCK),
            ("an IV of zeros", Some([0; BLOCK]), 0),
            ("the first 16 bytes of the AppID as IV", from_app_id.first_chunk().copied(), 0),
        ];
        for (iv_name, iv, skip) in ivs {
            let secret = iv.and_then(|iv| KeyAndIv::from_parts(&key, &iv));
            let name = format!("{key_name}, and {iv_name}");
            schemes.extend(secret.map(|secret| Scheme { name, secret, skip }));
        }
    }
    schemes
}

fn salted(app_id: &str, salt: &[u8; 8], key_size: KeySize) -> Vec<Scheme> {
    let mut schemes = Vec::new();
    let skip = SALTED.len() + salt.len();
    let md5 = bytes_to_key::<Md5>(app_id, salt);
    add(&mut schemes, "a random salt (openssl enc -md md5, or CryptoJS)", &md5, key_size, skip);
    let sha256 = bytes_to_key::<Sha256>(app_id, salt);
    add(&mut schemes, "a random salt, and SHA-256 (openssl enc without -md md5)", &sha256, key_size, skip);
    let mut stretched = Zeroizing::new(vec![0; key_size.bytes() + BLOCK]);
    pbkdf2::pbkdf2_hmac::<Sha256>(app_id.as_bytes(), salt, ITERATIONS, &mut stretched);
    add(&mut schemes, "a random salt, and PBKDF2 (openssl enc -pbkdf2)", &stretched, key_size, skip);
    schemes
}

fn add(schemes: &mut Vec<Scheme>, name: &str, material: &[u8], key_size: KeySize, skip: usize) {
    let (key, rest) = material.split_at(key_size.bytes());
    let secret = rest.first_chunk().and_then(|iv| KeyAndIv::from_parts(key, iv));
    schemes.extend(secret.map(|secret| Scheme { name: name.to_owned(), secret, skip }));
}

/// OpenSSL's `EVP_BytesToKey` with one iteration: enough bytes for the longest key and its IV.
fn bytes_to_key<D: Digest>(app_id: &str, salt: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut material = Zeroizing::new(Vec::new());
    let mut previous = Zeroizing::new(Vec::new());
    while material.len() < 48 {
        let digest = D::new().chain_update(&*previous).chain_update(app_id).chain_update(salt).finalize();
        *previous = digest.to_vec();
        material.extend_from_slice(&previous);
    }
    material
}

type Key = Zeroizing<Vec<u8>>;

/// What people take for the key itself.
fn keys(app_id: &str, key_size: KeySize) -> Vec<(&'static str, Key)> {
    let length = key_size.bytes();
    let hex = |digest: &[u8]| hex_simd::encode_to_string(digest, hex_simd::AsciiCase::Lower).into_bytes();
    let (md5, sha256) = (Md5::digest(app_id), Sha256::digest(app_id));
    let mut keys = vec![
        ("the AppID itself as the key", padded(app_id.as_bytes(), length)),
        ("EnableX's key", Zeroizing::new(bytes_to_key::<Md5>(app_id, &[])[..length].to_vec())),
        ("the SHA-256 of the AppID as the key", padded(&sha256, length)),
        ("the SHA-256 of the AppID, in hex, as the key", padded(&hex(&sha256), length)),
        ("the MD5 of the AppID as the key", padded(&md5, length)),
        ("the MD5 of the AppID, in hex, as the key", padded(&hex(&md5), length)),
    ];
    let decoded = decrypt::decode(Format::Hex, app_id.as_bytes());
    keys.extend(decoded.map(|bytes| ("the AppID read as hex as the key", padded(&bytes, length))));
    keys
}

/// Cut, or filled with zeros, to a length.
fn padded(bytes: &[u8], length: usize) -> Key {
    let mut bytes = Zeroizing::new(bytes.to_vec());
    bytes.resize(length, 0);
    bytes
}
