//! The names that the three EnableX headers may carry.
//!
//! They are the names of OpenSSL and Node, compared without regard to case.

use std::fmt;

use crate::names::find;

/// The AES key's length in bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeySize {
    /// 128 bits, 16 bytes.
    Aes128,
    /// 192 bits, 24 bytes.
    Aes192,
    /// 256 bits, 32 bytes.
    Aes256,
}

impl KeySize {
    /// The key's length in bytes.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Aes128 => 16,
            Self::Aes192 => 24,
            Self::Aes256 => 32,
        }
    }
}

/// The block cipher's mode of operation (NIST SP 800-38A).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Cipher block chaining, with PKCS #7 padding.
    Cbc,
    /// Counter, 128 bits, big-endian.
    Ctr,
    /// Cipher feedback, segments of 128 bits.
    Cfb,
    /// Cipher feedback, segments of 8 bits.
    Cfb8,
    /// Output feedback.
    Ofb,
    /// Electronic codebook, with PKCS #7 padding and without an IV.
    Ecb,
}

impl Mode {
    /// Whether the plaintext is padded to whole blocks.
    #[must_use]
    pub const fn is_padded(self) -> bool {
        matches!(self, Self::Cbc | Self::Ecb)
    }
}

/// A cipher that voicehook opens: AES in one key length and one mode.
///
/// ```
/// use voicehook_lambda::decrypt::Algorithm;
///
/// assert_eq!(Algorithm::named("AES256"), Algorithm::named("aes-256-cbc"));
/// assert_eq!(Algorithm::named("rot13"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Algorithm {
    /// Length of the key.
    pub key_size: KeySize,
    /// Mode of operation.
    pub mode: Mode,
}

impl Algorithm {
    /// The supported names, in the order in which error messages list them.
    pub const NAMES: &'static [(&'static str, Self)] = &[
        ("aes-128-cbc", Self::new(KeySize::Aes128, Mode::Cbc)),
        ("aes-192-cbc", Self::new(KeySize::Aes192, Mode::Cbc)),
        ("aes-256-cbc", Self::new(KeySize::Aes256, Mode::Cbc)),
        ("aes128", Self::new(KeySize::Aes128, Mode::Cbc)),
        ("aes192", Self::new(KeySize::Aes192, Mode::Cbc)),
        ("aes256", Self::new(KeySize::Aes256, Mode::Cbc)),
        ("aes-128-ctr", Self::new(KeySize::Aes128, Mode::Ctr)),
        ("aes-192-ctr", Self::new(KeySize::Aes192, Mode::Ctr)),
        ("aes-256-ctr", Self::new(KeySize::Aes256, Mode::Ctr)),
        ("aes-128-cfb", Self::new(KeySize::Aes128, Mode::Cfb)),
        ("aes-192-cfb", Self::new(KeySize::Aes192, Mode::Cfb)),
        ("aes-256-cfb", Self::new(KeySize::Aes256, Mode::Cfb)),
        ("aes-128-cfb8", Self::new(KeySize::Aes128, Mode::Cfb8)),
        ("aes-192-cfb8", Self::new(KeySize::Aes192, Mode::Cfb8)),
        ("aes-256-cfb8", Self::new(KeySize::Aes256, Mode::Cfb8)),
        ("aes-128-ofb", Self::new(KeySize::Aes128, Mode::Ofb)),
        ("aes-192-ofb", Self::new(KeySize::Aes192, Mode::Ofb)),
        ("aes-256-ofb", Self::new(KeySize::Aes256, Mode::Ofb)),
        ("aes-128-ecb", Self::new(KeySize::Aes128, Mode::Ecb)),
        ("aes-192-ecb", Self::new(KeySize::Aes192, Mode::Ecb)),
        ("aes-256-ecb", Self::new(KeySize::Aes256, Mode::Ecb)),
    ];

    const fn new(key_size: KeySize, mode: Mode) -> Self {
        Self { key_size, mode }
    }

    /// The algorithm of that OpenSSL name, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        find(Self::NAMES, name)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(_, algorithm)| algorithm == self).map_or("", |(name, _)| name);
        f.write_str(name)
    }
}

/// How `encrypted_data` writes the ciphertext's bytes as text (`x-format`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Two hexadecimal digits a byte, in any case.
    Hex,
    /// Base64 in the standard or the URL-safe alphabet, padded or not, white space skipped.
    Base64,
    /// One character from U+0000 to U+00FF a byte.
    Latin1,
}

impl Format {
    /// The supported names.
    pub const NAMES: &'static [(&'static str, Self)] = &[
        ("hex", Self::Hex),
        ("base64", Self::Base64),
        ("base64url", Self::Base64),
        ("latin1", Self::Latin1),
        ("binary", Self::Latin1),
    ];

    /// The format of that Node name, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        find(Self::NAMES, name)
    }
}

/// The text encoding of the plaintext (`x-encoding`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// UTF-8.
    Utf8,
    /// ASCII, seven bits.
    Ascii,
    /// ISO 8859-1 as Node has it: every byte is the code point of that number.
    Latin1,
    /// UTF-16, little-endian.
    Utf16le,
}

impl Encoding {
    /// The supported names.
    pub const NAMES: &'static [(&'static str, Self)] = &[
        ("utf8", Self::Utf8),
        ("utf-8", Self::Utf8),
        ("ascii", Self::Ascii),
        ("latin1", Self::Latin1),
        ("binary", Self::Latin1),
        ("utf16le", Self::Utf16le),
        ("utf-16le", Self::Utf16le),
        ("ucs2", Self::Utf16le),
        ("ucs-2", Self::Utf16le),
    ];

    /// The encoding of that Node name, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        find(Self::NAMES, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_algorithm_is_shown_by_its_longest_name_and_read_by_each() {
        for (name, algorithm) in Algorithm::NAMES {
            assert_eq!(Algorithm::named(&name.to_ascii_uppercase()), Some(*algorithm));
            assert_eq!(Algorithm::named(&algorithm.to_string()), Some(*algorithm));
        }
        assert_eq!(Algorithm::named("AES256").map(|algorithm| algorithm.to_string()).as_deref(), Some("aes-256-cbc"));
    }
}
