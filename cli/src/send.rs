//! Sends webhooks the way EnableX does: encrypted, over HTTP.
//!
//! Shared by `dev`, `trigger` and `doctor`. A [`WebhookRequest`] is an event encrypted with an AppID; it can be posted to
//! a receiver or printed as a `curl` command.

use std::time::Duration;

use anyhow::anyhow;
use clap::{Args, ValueEnum};
use voicehook_lambda::{
    app_id::AppId,
    decrypt::{Algorithm, Encoding, Format},
    sender,
    webhook::{ALGORITHM_HEADER, ALGORITHM_HEADER_AS_DOCUMENTED, ENCODING_HEADER, FORMAT_HEADER},
};

use crate::http;

/// The local receiver's default AppID. Not a secret: it decrypts nothing but sample events.
pub(crate) const DEV_APP_ID: &str = "voicehook-dev";

/// EnableX gives up after five seconds. This waits longer, so that slow answers are still reported.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How a webhook is encrypted and encoded.
#[derive(Args, Clone, Debug)]
pub(crate) struct EncryptionArgs {
    /// The cipher, by its OpenSSL name
    #[arg(long, default_value_t = Self::default().algorithm)]
    pub(crate) algorithm: String,
    /// The encoding of the ciphertext: hex, base64, base64url, latin1
    #[arg(long, default_value_t = Self::default().format)]
    pub(crate) format: String,
    /// The character encoding of the event: utf8, ascii, latin1, utf16le
    #[arg(long, default_value_t = Self::default().encoding)]
    pub(crate) encoding: String,
    /// How the name of the algorithm header is spelled
    #[arg(long, value_enum, default_value_t, value_name = "SPELLING")]
    pub(crate) header_spelling: HeaderSpelling,
}

/// How the name of the algorithm header is spelled.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum HeaderSpelling {
    /// x-algoritm, as the EnableX servers send it
    #[default]
    Algoritm,
    /// x-algorithm, as the EnableX documentation spells it
    Algorithm,
}

impl HeaderSpelling {
    pub(crate) const fn header(self) -> &'static str {
        match self {
            Self::Algoritm => ALGORITHM_HEADER,
            Self::Algorithm => ALGORITHM_HEADER_AS_DOCUMENTED,
        }
    }
}

impl Default for EncryptionArgs {
    /// What EnableX sends today.
    fn default() -> Self {
        Self {
            algorithm: "aes-256-cbc".to_owned(),
            format: "hex".to_owned(),
            encoding: "utf8".to_owned(),
            header_spelling: HeaderSpelling::default(),
        }
    }
}

impl EncryptionArgs {
    /// Parses the names of the algorithm, the format and the encoding.
    pub(crate) fn parse(&self) -> anyhow::Result<(Algorithm, Format, Encoding)> {
        Ok((
            Algorithm::named(&self.algorithm)
                .ok_or_else(|| unknown("algorithm", &self.algorithm, Algorithm::NAMES.iter().map(|(name, _)| *name)))?,
            Format::named(&self.format)
                .ok_or_else(|| unknown("format", &self.format, Format::NAMES.iter().map(|(name, _)| *name)))?,
            Encoding::named(&self.encoding)
                .ok_or_else(|| unknown("encoding", &self.encoding, Encoding::NAMES.iter().map(|(name, _)| *name)))?,
        ))
    }
}

fn unknown(option: &str, name: &str, names: impl Iterator<Item = &'static str>) -> anyhow::Error {
    anyhow!("--{option}: {name:?} is not supported; choose one of: {}", names.collect::<Vec<_>>().join(", "))
}

/// A webhook, ready to send.
#[derive(Clone, Debug)]
pub(crate) struct WebhookRequest {
    pub(crate) method: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

/// The receiver's answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    /// Identifies the webhook in the receiver's log and quarantine.
    pub(crate) request_id: Option<String>,
}

impl WebhookRequest {
    /// Encrypts an event.
    pub(crate) fn new(event: &str, app_id: &str, encryption: &EncryptionArgs) -> anyhow::Result<Self> {
        Self::encrypt(event, &AppId::new(app_id), encryption)
    }

    /// Encrypts an event with an AppID that is already parsed.
    pub(crate) fn encrypt(event: &str, app_id: &AppId, encryption: &EncryptionArgs) -> anyhow::Result<Self> {
        let (algorithm, format, encoding) = encryption.parse()?;
        let data = sender::write(&sender::ciphertext(event, app_id.key_and_iv(), algorithm, encoding), format);
        Ok(Self::from_ciphertext(data, encryption))
    }

    /// Wraps `encrypted_data` that is already encoded.
    pub(crate) fn from_ciphertext(encrypted_data: String, encryption: &EncryptionArgs) -> Self {
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            (encryption.header_spelling.header(), encryption.algorithm.clone()),
            (FORMAT_HEADER, encryption.format.clone()),
            (ENCODING_HEADER, encryption.encoding.clone()),
        ];
        let body = format!(r#"{{"encrypted_data":{}}}"#, serde_json::Value::from(encrypted_data));
        Self { method: "POST", headers, body }
    }

    /// Sends it and waits for the answer.
    pub(crate) fn post(&self, url: &str) -> anyhow::Result<Answer> {
        Connection::new(url)?.send(self).map_err(|error| anyhow!("{url} {error}"))
    }

    /// The `curl` command that sends it.
    pub(crate) fn as_curl(&self, url: &str) -> String {
        self.as_curl_to(&shell_word(url))
    }

    /// The `curl` command that sends it to a URL that is already quoted for the shell.
    pub(crate) fn as_curl_to(&self, url: &str) -> String {
        let method = if self.method == "POST" { String::new() } else { format!(" -X {}", self.method) };
        let headers: String = self.headers.iter().map(|(name, value)| format!(" -H '{name}: {value}'")).collect();
        format!("curl -i{method} {url}{headers} -d '{}'", in_single_quotes(&self.body))
    }
}

/// Quotes a text as a single shell word, where needed.
pub(crate) fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/%".contains(c);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Escapes JSON for use inside single quotes in a shell. Characters that a terminal may not display become `\u` escapes.
fn in_single_quotes(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '\'' => text.push_str("\\u0027"),
            '\u{7f}'..='\u{ffff}' => text.push_str(&format!("\\u{:04x}", u32::from(character))),
            other => text.push(other),
        }
    }
    text
}

/// A connection to a receiver that stays open between webhooks.
#[derive(Debug)]
pub(crate) struct Connection {
    client: ureq::Agent,
    url: String,
}

impl Connection {
    pub(crate) fn new(url: &str) -> anyhow::Result<Self> {
        Ok(Self { client: http::client(url, TIMEOUT)?, url: url.to_owned() })
    }

    /// Sends a webhook and waits for the answer. Errors do not repeat the URL, which may contain a token.
    pub(crate) fn send(&self, webhook: &WebhookRequest) -> anyhow::Result<Answer> {
        let mut request = match webhook.method {
            "PUT" => self.client.put(&self.url),
            _ => self.client.post(&self.url),
        };
        for (name, value) in &webhook.headers {
            request = request.header(*name, value);
        }
        let unanswered = |error: ureq::Error| {
            let is_here = self.url.parse().is_ok_and(|uri| http::is_this_machine(&uri));
            let start = if is_here { " `voicehook dev` starts one." } else { "" };
            anyhow!("did not answer: {error}. Is the receiver running there?{start}")
        };
        let mut response = request.send(&webhook.body).map_err(unanswered)?;
        let header = |name: &str| response.headers().get(name)?.to_str().ok().map(str::to_owned);
        let request_id = header("x-request-id");
        let mut body = response.body_mut().read_to_string().map_err(unanswered)?;
        if response.status().is_redirection() {
            "a redirect, which is not followed: send to the receiver itself".clone_into(&mut body);
        }
        Ok(Answer { status: response.status().as_u16(), body, request_id })
    }
}
