//! Ciphers that voicehook does not support, by the names that OpenSSL, Node, Java and PHP give them.

use voicehook_lambda::decrypt::Algorithm;

/// A part of a name, without punctuation, and what it stands for. The first one that fits counts.
const CIPHERS: &[(&str, &str)] = &[
    ("gcm", "AES-GCM, an authenticated mode whose nonce and tag would have to be sent along"),
    ("ccm", "AES-CCM, an authenticated mode whose nonce and tag would have to be sent along"),
    ("ocb", "AES-OCB, an authenticated mode whose nonce and tag would have to be sent along"),
    ("chacha", "ChaCha20, a stream cipher that is not AES"),
    ("camellia", "Camellia, a block cipher that is not AES"),
    ("aria", "ARIA, a block cipher that is not AES"),
    ("sm4", "SM4, a block cipher that is not AES"),
    ("desx", "DESX, a variant of DES"),
    ("ede", "Triple DES (3DES)"),
    ("3des", "Triple DES (3DES)"),
    ("des3", "Triple DES (3DES)"),
    ("tripledes", "Triple DES (3DES)"),
    ("blowfish", "Blowfish, a block cipher that is not AES"),
    ("bf", "Blowfish, a block cipher that is not AES"),
    ("cast", "CAST, a block cipher that is not AES"),
    ("idea", "IDEA, a block cipher that is not AES"),
    ("seed", "SEED, a block cipher that is not AES"),
    ("rc2", "RC2, a block cipher that is not AES"),
    ("rc4", "RC4, a stream cipher that is not AES"),
    ("rc5", "RC5, a block cipher that is not AES"),
    ("wrap", "AES key wrap, which is for keys and not for texts"),
    ("xts", "AES-XTS, which is for disks"),
    ("siv", "AES-SIV, an authenticated mode"),
    ("hmac", "AES-CBC joined with a hash, which is for TLS"),
    ("cfb1", "AES-CFB1, cipher feedback by single bits"),
    ("cts", "AES-CBC with ciphertext stealing"),
    ("des", "DES"),
    ("rsa", "RSA, which encrypts with a public key"),
];

/// What a name that is not supported stands for, if that is known.
pub(super) fn described(name: &str) -> Option<&'static str> {
    let name = letters_and_digits(name);
    // "aes-128-cfb128" and "aes-128-cfb1": only the end tells them apart.
    let fits = |part: &str| if part == "cfb1" { name.ends_with(part) } else { name.contains(part) };
    CIPHERS.iter().find(|(part, _)| fits(part)).map(|(_, what)| *what)
}

/// The supported name that was probably meant: `AES_256_CBC`, `AES/CBC/PKCS5Padding`, `AES-256`.
pub(super) fn meant(name: &str) -> Option<&'static str> {
    if described(name).is_some() {
        return None;
    }
    let name = letters_and_digits(name);
    let same = |known: &&str| letters_and_digits(known) == name;
    let rest = name.strip_prefix("aes");
    let size = ["128", "192", "256"].into_iter().find(|size| rest.is_some_and(|rest| rest.starts_with(size)));
    let mode = ["cbc", "ctr", "cfb8", "cfb", "ofb", "ecb"].into_iter().find(|mode| name.contains(mode));
    let built = size.map(|size| format!("aes-{size}-{}", mode.unwrap_or("cbc")));
    let names = || Algorithm::NAMES.iter().map(|(known, _)| *known);
    names().find(same).or_else(|| names().find(|known| Some(*known) == built.as_deref()))
}

fn letters_and_digits(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|character| character.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cipher_of_openssl_that_is_not_supported_is_named_as_what_it_is() {
        for (names, what) in [
            (&["aes-256-gcm", "id-aes128-GCM", "AES/GCM/NoPadding"][..], "AES-GCM"),
            (&["aes-128-ccm"], "AES-CCM"),
            (&["des-ede3-cbc", "des3", "des-ede", "3DES", "DESede/CBC/PKCS5Padding"], "Triple DES"),
            (&["camellia-256-cbc", "CAMELLIA128"], "Camellia"),
            (&["chacha20", "ChaCha20-Poly1305"], "ChaCha20"),
            (&["aes-256-cfb1"], "AES-CFB1"),
            (&["des-cbc", "DES"], "DES"),
            (&["bf-cbc", "blowfish"], "Blowfish"),
        ] {
            for name in names {
                assert!(described(name).is_some_and(|described| described.starts_with(what)), "{name}");
                assert_eq!(meant(name), None, "{name}");
            }
        }
        for (name, _) in Algorithm::NAMES {
            assert_eq!(described(name), None, "{name}");
        }
    }

    #[test]
    fn another_spelling_of_a_supported_name_is_corrected() {
        for (name, supported) in [
            ("AES_256_CBC", "aes-256-cbc"),
            ("AES-256", "aes256"),
            ("AES-128-CBC-PKCS7", "aes-128-cbc"),
            ("aes-192-cfb128", "aes-192-cfb"),
            ("aes 128 cfb8", "aes-128-cfb8"),
        ] {
            assert_eq!(meant(name), Some(supported), "{name}");
        }
        assert_eq!(meant("rot13"), None);
    }
}
