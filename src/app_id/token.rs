//! The token of a webhook's URL, from the secret or from `WEBHOOK_TOKEN`. Whom it admits is decided by the receiver.

use std::fmt;

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// The unguessable part of the webhook's URL.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// The fewest characters that make a token unguessable: 16 of 64 possible characters are 96 bits.
    pub const SHORTEST: usize = 16;

    /// Takes a token.
    ///
    /// # Errors
    /// What is wrong with it, without repeating it.
    pub fn new(token: &str) -> Result<Self, &'static str> {
        Self::check(token).map(|()| Self(Zeroizing::new(token.to_owned())))
    }

    /// Whether a text can be a token.
    ///
    /// # Errors
    /// What is wrong with it, without repeating it.
    pub(crate) fn check(token: &str) -> Result<(), &'static str> {
        if token.len() < Self::SHORTEST {
            Err("must have at least 16 characters; `openssl rand -hex 16` makes a good one")
        } else if !is_path_segment(token) {
            Err("must consist of letters, digits and -._~ only, because it is part of a URL")
        } else {
            Ok(())
        }
    }

    /// Compares in a time that depends on nothing but the two lengths.
    #[must_use]
    pub fn matches(&self, given: &str) -> bool {
        self.0.as_bytes().ct_eq(given.as_bytes()).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(secret)")
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.matches(&other.0)
    }
}

impl Eq for Token {}

/// Whether a text can stand in a URL's path as it is (the unreserved characters of RFC 3986).
pub(crate) fn is_path_segment(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}
