//! Webhooks that open, and that fail in each of the steps of a decryption.

use voicehook_lambda::{
    decrypt::{Algorithm, Encoding, Format},
    receiver::Request,
    sender,
};
use voicehook_test_support::{Random, headers_with_encoding};

pub const APP_ID: &str = "voicehook-dev";
const BLOCK: usize = 16;

fn random_block(random: &mut Random) -> [u8; BLOCK] {
    std::array::from_fn(|_| random.byte())
}

#[derive(Clone, Copy)]
pub enum Padding {
    Wrong,
    Right,
}

#[derive(Clone, Copy)]
pub enum Kind {
    WrongAppId,
    /// Vaudenay's query behind an event that is cut short in the middle of a string.
    Query(Padding, &'static str),
    /// An event that is whole up to its end, with padding that is wrong.
    WholeButPadding,
    NoText,
    NoJson,
    NoObject,
    WrongFormat,
    WrongLength,
    /// Nothing is wrong with it.
    Opens,
}

pub const ROWS: [(&str, Kind); 19] = [
    ("wrong AppID", Kind::WrongAppId),
    ("wrong AppID (again)", Kind::WrongAppId),
    ("query utf8: padding wrong", Kind::Query(Padding::Wrong, "utf8")),
    ("query utf8: padding wrong (again)", Kind::Query(Padding::Wrong, "utf8")),
    ("query utf8: padding right", Kind::Query(Padding::Right, "utf8")),
    ("query latin1: padding wrong", Kind::Query(Padding::Wrong, "latin1")),
    ("query latin1: padding wrong (again)", Kind::Query(Padding::Wrong, "latin1")),
    ("query latin1: padding right", Kind::Query(Padding::Right, "latin1")),
    ("query utf16le: padding wrong", Kind::Query(Padding::Wrong, "utf16le")),
    ("query utf16le: padding wrong (again)", Kind::Query(Padding::Wrong, "utf16le")),
    ("query utf16le: padding right", Kind::Query(Padding::Right, "utf16le")),
    ("no text", Kind::NoText),
    ("no JSON", Kind::NoJson),
    ("no object", Kind::NoObject),
    ("a whole event but its padding", Kind::WholeButPadding),
    ("wrong format", Kind::WrongFormat),
    ("wrong length", Kind::WrongLength),
    ("an event that opens", Kind::Opens),
    ("an event that opens (again)", Kind::Opens),
];

/// An event's text of that many bytes.
fn event(length: usize) -> Vec<u8> {
    let mut text = br#"{"voice_id":"5f2d8a66","state":"transcript","from":"+12025550123","text":""#.to_vec();
    text.resize(length - 2, b'a');
    text.extend(b"\"}");
    text
}

fn as_utf16(text: &[u8]) -> Vec<u8> {
    text.iter().flat_map(|byte| [*byte, 0]).collect()
}

/// Encrypts bytes; the cipher adds a padding of 1 to 16 bytes.
fn encrypted(plaintext: &[u8], app_id: &str) -> String {
    let text: String = plaintext.iter().copied().map(char::from).collect();
    let algorithm = Algorithm::named("aes-256-cbc").unwrap();
    sender::encrypt(&text, app_id, algorithm, Format::Hex, Encoding::Latin1)
}

/// Encrypts whole blocks, with whatever padding is in them.
fn encrypted_blocks(plaintext: &[u8]) -> String {
    let mut data = encrypted(plaintext, APP_ID);
    data.truncate(2 * plaintext.len());
    data
}

impl Kind {
    /// A new webhook of this kind, with a ciphertext of `size` bytes.
    pub fn request(self, size: usize, random: &mut Random) -> Request {
        let (encoding, body) = self.encoding_and_body(size, random);
        headers_with_encoding(encoding).body(body).unwrap().into()
    }

    /// `x-encoding` and the body of a new webhook of this kind.
    pub fn encoding_and_body(self, size: usize, random: &mut Random) -> (&'static str, String) {
        // As long as it can be with one block of padding at the end.
        let whole = size - 1 - random.below(BLOCK);
        // Anywhere in the long string.
        let place = whole / 4 + random.below(whole / 2);
        let data = match self {
            Self::WrongAppId => encrypted(&event(whole), &random.next().to_string()),
            Self::Query(padding, encoding) => {
                let mut blocks = match encoding {
                    "utf16le" => as_utf16(&event(size)),
                    _ => event(size),
                };
                blocks.truncate(size - 2 * BLOCK);
                blocks.extend(random_block(random));
                blocks.extend(random_block(random));
                // The last byte of a random block: 1 is always a padding, and what is above 16 never.
                blocks[size - 1] = match padding {
                    Padding::Right => 1,
                    Padding::Wrong => (BLOCK + 1 + random.below(255 - BLOCK)) as u8,
                };
                encrypted_blocks(&blocks)
            }
            Self::WholeButPadding => {
                let mut blocks = event(whole);
                blocks.resize(size, b' ');
                encrypted_blocks(&blocks)
            }
            Self::NoText => {
                let mut text = event(whole);
                text[place] = 0xFF;
                encrypted(&text, APP_ID)
            }
            Self::NoJson => {
                let mut text = event(whole);
                text[place] = 1;
                encrypted(&text, APP_ID)
            }
            Self::NoObject => {
                let mut text = event(whole);
                text[0] = b'[';
                encrypted(&text, APP_ID)
            }
            Self::WrongFormat => {
                let mut data = encrypted(&event(whole), APP_ID);
                data.replace_range(place..=place, "g");
                data
            }
            Self::Opens => encrypted(&event(whole), APP_ID),
            Self::WrongLength => {
                let mut data = encrypted(&event(whole), APP_ID);
                data.truncate(2 * size - BLOCK);
                data
            }
        };
        let encoding = if let Self::Query(_, encoding) = self { encoding } else { "utf8" };
        (encoding, format!(r#"{{"encrypted_data":"{data}"}}"#))
    }
}
