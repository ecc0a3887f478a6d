//! `trigger --corrupt`: deliberately broken webhooks, one for each way in which receiving can fail.
//!
//! The help text of each [`Corruption`] names the expected statuses, without a quarantine and with one.

use clap::ValueEnum;
use voicehook_lambda::{
    app_id::AppId,
    decrypt::{Encoding, Format, Mode},
    queue::MAX_MESSAGE_BYTES,
    receiver::MAX_BODY_BYTES,
    sender,
    webhook::{ENCODING_HEADER, FORMAT_HEADER},
};

use crate::{
    json_text,
    send::{EncryptionArgs, WebhookRequest},
};

/// A way to break a webhook.
#[allow(clippy::doc_markdown, reason = "the lines are the text of --help")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Corruption {
    /// Encrypted with a different AppID: 400, or 200 with a quarantine
    WrongAppId,
    /// One bit of the ciphertext is flipped: 400 or 200
    Tampered,
    /// The end of the ciphertext is missing: 400 or 200
    Truncated,
    /// Invalid padding in the last block (modes cbc and ecb): 400 or 200
    BadPadding,
    /// A hexadecimal digit is missing (format hex): 400 or 200
    OddHex,
    /// encrypted_data is not in the format of x-format: 400 or 200
    WrongFormat,
    /// The ciphertext is encoded twice: 400 or 200
    DoubleEncoded,
    /// The text is not in the encoding of x-encoding: 400 or 200
    WrongEncoding,
    /// The plaintext is not JSON: 400 or 200
    NotJson,
    /// The plaintext is JSON, but not an object: 400 or 200
    NotAnObject,
    /// No header x-algoritm: 400 or 200
    NoAlgorithmHeader,
    /// No header x-format: 400 or 200
    NoFormatHeader,
    /// No header x-encoding: 400 or 200
    NoEncodingHeader,
    /// x-algoritm names a cipher that does not exist: 400 or 200
    UnknownAlgorithm,
    /// The body has no encrypted_data: 400 or 200
    NoEncryptedData,
    /// encrypted_data is a number: 400 or 200
    DataNotAString,
    /// The body is cut off and not JSON: 400 or 200
    BodyNotJson,
    /// The content type is text/plain, and the body is the bare ciphertext: 415 or 200
    WrongContentType,
    /// The event without encryption: 400, or 200 with a quarantine or with ALLOW_PLAINTEXT
    Plain,
    /// A timestamp from 1990: 400 or 200 with MAX_EVENT_AGE_SECONDS, otherwise 200
    TooOld,
    /// An event of more than 1 MiB, which no queue accepts: 413 or 200
    TooLarge,
    /// A body of more than 6 MiB: 413
    BodyTooLarge,
    /// A path that does not exist: 404
    UnknownPath,
    /// PUT instead of POST: 405
    WrongMethod,
    /// An empty body, which is a valid probe: 200
    Empty,
}

impl Corruption {
    /// The expected statuses: without a quarantine, and with one.
    pub(crate) const fn expected(self) -> &'static [u16] {
        match self {
            Self::WrongContentType => &[415, 200],
            Self::TooLarge => &[413, 200],
            Self::BodyTooLarge => &[413],
            Self::UnknownPath => &[404],
            Self::WrongMethod => &[405],
            Self::Empty => &[200],
            _ => &[400, 200],
        }
    }

    /// The URL to send it to.
    pub(crate) fn url(self, url: &str) -> String {
        if self != Self::UnknownPath {
            return url.to_owned();
        }
        let host = url.find("://").map_or(0, |scheme| scheme + 3);
        let end = url[host..].find(['/', '?']).map_or(url.len(), |path| host + path);
        format!("{}/no/such/path", &url[..end])
    }

    /// Builds the webhook.
    pub(crate) fn webhook(
        self,
        event: &str,
        app_id: &AppId,
        encryption: &EncryptionArgs,
    ) -> anyhow::Result<WebhookRequest> {
        let Broken { text, data, mut webhook } = Broken::new(self, event, app_id, encryption)?;
        let header = encryption.header_spelling.header();
        let mut without = |name: &str| webhook.headers.retain(|(header, _)| *header != name);
        match self {
            Self::NoAlgorithmHeader => without(header),
            Self::NoFormatHeader => without(FORMAT_HEADER),
            Self::NoEncodingHeader => without(ENCODING_HEADER),
            Self::Plain => {
                webhook.headers.retain(|(name, _)| *name == "content-type");
                webhook.body = text;
            }
            Self::UnknownAlgorithm => set(&mut webhook, header, "rot13"),
            Self::WrongContentType => {
                set(&mut webhook, "content-type", "text/plain");
                webhook.body = data.as_str().unwrap_or_default().to_owned();
            }
            Self::NoEncryptedData => webhook.body = "{}".to_owned(),
            Self::DataNotAString => webhook.body = r#"{"encrypted_data":42}"#.to_owned(),
            Self::BodyNotJson => webhook.body.truncate(webhook.body.len() - 2),
            Self::BodyTooLarge => {
                webhook.body = format!(r#"{{"padding":"{}","encrypted_data":{data}}}"#, "x".repeat(MAX_BODY_BYTES));
            }
            Self::WrongMethod => webhook.method = "PUT",
            Self::Empty => webhook.body.clear(),
            _ => {}
        }
        Ok(webhook)
    }
}

fn set(webhook: &mut WebhookRequest, name: &str, value: &str) {
    webhook.headers.iter_mut().filter(|(header, _)| *header == name).for_each(|header| header.1 = value.to_owned());
}

/// A webhook with its text or ciphertext already broken, if that is how the corruption works.
struct Broken {
    /// The event.
    text: String,
    /// `encrypted_data`, as JSON.
    data: serde_json::Value,
    webhook: WebhookRequest,
}

impl Broken {
    fn new(how: Corruption, event: &str, app_id: &AppId, encryption: &EncryptionArgs) -> anyhow::Result<Self> {
        let (algorithm, format, encoding) = encryption.parse()?;
        let text = text(how, event)?;
        let other = AppId::new("another-app-id");
        let app_id = if how == Corruption::WrongAppId { &other } else { app_id };
        let encrypt = |text: &str, encoding| sender::ciphertext(text, app_id.key_and_iv(), algorithm, encoding);
        let bytes = match how {
            Corruption::BadPadding if !matches!(algorithm.mode, Mode::Cbc | Mode::Ecb) => {
                return Err(anyhow::Error::msg("--corrupt bad-padding: only modes cbc and ecb have padding"));
            }
            Corruption::BadPadding => without_padding(&text, |text| encrypt(text, encoding)),
            Corruption::WrongEncoding if encoding == Encoding::Utf16le => encrypt(&text, Encoding::Utf8),
            Corruption::WrongEncoding => encrypt(&text, Encoding::Utf16le),
            Corruption::Tampered => {
                let mut bytes = encrypt(&text, encoding);
                bytes[0] ^= 1;
                bytes
            }
            Corruption::Truncated => {
                let mut bytes = encrypt(&text, encoding);
                bytes.truncate(bytes.len() - 5);
                bytes
            }
            _ => encrypt(&text, encoding),
        };
        let data = match how {
            Corruption::OddHex if format != Format::Hex => {
                return Err(anyhow::Error::msg("--corrupt odd-hex: needs --format hex"));
            }
            Corruption::OddHex => {
                let mut hex = sender::write(&bytes, format);
                hex.pop();
                hex
            }
            Corruption::WrongFormat => format!("{}!\u{2603}", sender::write(&bytes, format)),
            Corruption::DoubleEncoded => sender::write(sender::write(&bytes, format).as_bytes(), format),
            _ => sender::write(&bytes, format),
        };
        let webhook = WebhookRequest::from_ciphertext(data.clone(), encryption);
        Ok(Self { text, data: data.into(), webhook })
    }
}

/// The plaintext to encrypt.
fn text(how: Corruption, event: &str) -> anyhow::Result<String> {
    Ok(match how {
        Corruption::NotJson => "this is not an event".to_owned(),
        Corruption::NotAnObject => format!("[{event}]"),
        Corruption::TooOld => json_text::set(event, "timestamp", "\"1990-01-01T00:00:00Z\"")?,
        Corruption::TooLarge => json_text::set(event, "padding", &format!("\"{}\"", "x".repeat(MAX_MESSAGE_BYTES)))?,
        _ => event.to_owned(),
    })
}

/// A ciphertext whose last block ends in a space instead of padding. Appends spaces until the text fills its blocks, then
/// cuts off the block of padding that the cipher adds.
fn without_padding(text: &str, encrypt: impl Fn(&str) -> Vec<u8>) -> Vec<u8> {
    let mut text = text.to_owned() + " ";
    let mut bytes = encrypt(&text);
    loop {
        text.push(' ');
        let longer = encrypt(&text);
        if longer.len() > bytes.len() {
            bytes = longer;
            bytes.truncate(bytes.len() - 16);
            return bytes;
        }
        bytes = longer;
    }
}
