//! Decrypts an [`Envelope`] with the key of an AppID: key derivation, cipher, padding, text.
//!
//! The reference is Node's `crypto.createDecipher(algorithm, appId)`, bit for bit, except that voicehook refuses where Node
//! drops or replaces what it cannot read. The resulting [`Plaintext`] is not to be trusted yet: nothing authenticates it.
//!
//! A receiver of unauthenticated CBC turns into a padding oracle as soon as a caller can tell one failed step from
//! another. So everything behind the cipher runs to its end whatever the steps before it found, and the first fault
//! travels with the text until [`Plaintext::into_event`] has looked at that text too.

pub(crate) mod cipher;
mod ciphertext;
mod key_derivation;
mod names;
mod padding;
mod text;

use std::borrow::Cow;

use crate::event::{Event, NotAnEvent};

pub use self::{
    ciphertext::decode,
    key_derivation::KeyAndIv,
    names::{Algorithm, Encoding, Format, KeySize, Mode},
};

/// An encrypted event as it was sent, and how to decrypt it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// The cipher (`x-algoritm`).
    pub algorithm: Algorithm,
    /// How `encrypted_data` is written (`x-format`).
    pub format: Format,
    /// The plaintext's text encoding (`x-encoding`).
    pub encoding: Encoding,
    /// `encrypted_data`, in UTF-8, or in WTF-8 where a JSON string held a lone surrogate.
    pub encrypted_data: Cow<'a, [u8]>,
}

/// Where a decryption failed. For the operator's log; a caller gets the same answer for each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// `encrypted_data` is not written in the format that `x-format` names.
    Format,
    /// The ciphertext is empty, or its length is not a multiple of the block size.
    Length,
    /// The padding is wrong: most often the wrong AppID.
    Padding,
    /// The plaintext is not text in the encoding that `x-encoding` names.
    Text,
    /// The text is not JSON.
    Json,
    /// The JSON is not an object.
    NotAnObject,
}

impl Fault {
    /// Whether another AppID may open what this one did not.
    #[must_use]
    pub const fn depends_on_app_id(self) -> bool {
        !matches!(self, Self::Format | Self::Length)
    }

    /// A stable name for logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::Length => "length",
            Self::Padding => "padding",
            Self::Text => "text",
            Self::Json => "json",
            Self::NotAnObject => "not_an_object",
        }
    }
}

/// What a decryption gave, with the first fault that it found.
#[derive(Clone)]
pub struct Plaintext {
    /// The text; where there is a fault, as much of it as could be made.
    text: String,
    /// The first thing that was wrong.
    fault: Option<Fault>,
}

impl Plaintext {
    /// The text; where there is a fault, as much of it as could be made.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The first thing that was wrong.
    #[must_use]
    pub const fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// Reads the text as an event. The fault of an earlier step is looked at last, so that text with bad padding takes
    /// as long as text that is no JSON.
    ///
    /// # Errors
    /// The first fault that any step found.
    pub fn into_event(self) -> Result<Event, Fault> {
        let event = Event::from_json(self.text);
        match self.fault {
            Some(earlier) => Err(earlier),
            None => event.map_err(Fault::from),
        }
    }
}

impl From<NotAnEvent> for Fault {
    fn from(not_an_event: NotAnEvent) -> Self {
        match not_an_event {
            NotAnEvent::NotJson => Self::Json,
            NotAnEvent::NotAnObject => Self::NotAnObject,
        }
    }
}

/// Decrypts an envelope with the key of one AppID.
///
/// # Errors
/// [`Fault::Format`] or [`Fault::Length`]: what the caller sent shows it, so both may fail before the cipher, and no
/// other AppID would help. Every later fault is in the [`Plaintext`].
pub fn open(envelope: &Envelope<'_>, secret: &KeyAndIv) -> Result<Plaintext, Fault> {
    let Envelope { algorithm, format, encoding, .. } = *envelope;
    let ciphertext = decode(format, &envelope.encrypted_data).ok_or(Fault::Format)?;
    open_ciphertext(ciphertext, algorithm, encoding, secret)
}

/// Decrypts a ciphertext.
///
/// # Errors
/// [`Fault::Length`]. Every later fault is in the [`Plaintext`].
pub fn open_ciphertext(
    mut bytes: Vec<u8>,
    algorithm: Algorithm,
    encoding: Encoding,
    secret: &KeyAndIv,
) -> Result<Plaintext, Fault> {
    let whole_blocks = !bytes.is_empty() && bytes.len().is_multiple_of(cipher::BLOCK);
    if algorithm.mode.is_padded() && !whole_blocks {
        return Err(Fault::Length);
    }
    cipher::decrypt(algorithm, secret, &mut bytes);
    let mut fault = None;
    if algorithm.mode.is_padded() {
        let (length, sound) = padding::unpad(&bytes);
        bytes.truncate(length);
        fault = (!sound).then_some(Fault::Padding);
    }
    let (text, readable) = text::decode(encoding, bytes);
    Ok(Plaintext { text, fault: fault.or_else(|| (!readable).then_some(Fault::Text)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_has_a_name_for_the_log_and_says_whether_another_app_id_may_open_it() {
        for (fault, name, depends_on_app_id) in [
            (Fault::Format, "format", false),
            (Fault::Length, "length", false),
            (Fault::Padding, "padding", true),
            (Fault::Text, "text", true),
            (Fault::Json, "json", true),
            (Fault::NotAnObject, "not_an_object", true),
        ] {
            assert_eq!((fault.name(), fault.depends_on_app_id()), (name, depends_on_app_id));
        }
    }

    #[test]
    fn a_padded_ciphertext_is_at_least_one_block_and_whole_blocks_and_others_may_have_any_length() {
        let opens = |algorithm, length| {
            let algorithm = Algorithm::named(algorithm).unwrap();
            open_ciphertext(vec![0; length], algorithm, Encoding::Latin1, &KeyAndIv::derive("app-id-0123456789")).err()
        };
        for length in [0, 1, 15, 17, 31] {
            assert_eq!((opens("aes-256-cbc", length), opens("aes-256-ctr", length)), (Some(Fault::Length), None));
        }
        assert_eq!(opens("aes-256-cbc", 32), None);
    }

    #[test]
    fn what_was_found_first_is_the_fault_and_the_text_is_there_nevertheless() {
        let secret = KeyAndIv::derive("app-id-0123456789");
        let algorithm = Algorithm::named("aes-256-cbc").unwrap();
        for (padding, encoding, text, fault) in [
            (9, Encoding::Ascii, "a text", Some(Fault::Text)),
            (9, Encoding::Latin1, "a text\u{ff}", None),
            (17, Encoding::Ascii, "a text", Some(Fault::Padding)),
        ] {
            let mut ciphertext = [b"a text\xff", [9; 9].as_slice()].concat();
            ciphertext[15] = padding;
            cipher::encrypt(algorithm, &secret, &mut ciphertext);
            let opened = open_ciphertext(ciphertext, algorithm, encoding, &secret).unwrap();
            assert!(opened.text().starts_with(text), "{:?}", opened.text());
            assert_eq!(opened.fault(), fault);
        }
    }
}
