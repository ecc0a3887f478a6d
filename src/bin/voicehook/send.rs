//! Sends webhooks as EnableX does: encrypted, by HTTP.
//!
//! In come an event, an AppID and how to write it; out comes a webhook, which can be posted, or shown as a `curl` line.

use std::time::Duration;

use clap::{Args, ValueEnum};
use voicehook::{
    app_id::AppId,
    sender,
    webhook::{
        ALGORITHM_HEADER, ALGORITHM_HEADER_AS_DOCUMENTED, Algorithm, ENCODING_HEADER, Encoding, FORMAT_HEADER, Format,
    },
};

/// The AppID of the local receiver where none is given. No secret: it opens nothing but sample events.
pub(crate) const DEV_APP_ID: &str = "voicehook-dev";

/// EnableX waits five seconds; this leaves a slow answer the time to be seen.
const TIME_OUT: Duration = Duration::from_secs(10);

/// How a webhook is encrypted and written.
#[derive(Args, Clone, Debug)]
pub(crate) struct Writing {
    /// The cipher, by its OpenSSL name
    #[arg(long, default_value_t = Self::default().algorithm)]
    pub(crate) algorithm: String,
    /// How the ciphertext is written: hex, base64, base64url, latin1
    #[arg(long, default_value_t = Self::default().format)]
    pub(crate) format: String,
    /// The text encoding of the event: utf8, ascii, latin1, utf16le
    #[arg(long, default_value_t = Self::default().encoding)]
    pub(crate) encoding: String,
    /// The name of the header with the cipher
    #[arg(long, value_enum, default_value_t, value_name = "SPELLING")]
    pub(crate) header_spelling: HeaderSpelling,
}

/// The name of the header with the algorithm.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum HeaderSpelling {
    /// x-algoritm, as the EnableX server sends it
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

impl Default for Writing {
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

impl Writing {
    /// What the names of algorithm, format and encoding stand for.
    pub(crate) fn names(&self) -> Result<(Algorithm, Format, Encoding), String> {
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

fn unknown(option: &str, name: &str, names: impl Iterator<Item = &'static str>) -> String {
    format!("--{option}: {name:?} is not supported; there are: {}", names.collect::<Vec<_>>().join(", "))
}

/// A webhook, ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Encrypted {
    pub(crate) method: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

/// The receiver's answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    /// The id under which the receiver's log and quarantine have the webhook.
    pub(crate) request_id: Option<String>,
}

impl Encrypted {
    /// Encrypts an event.
    pub(crate) fn new(event: &str, app_id: &str, writing: &Writing) -> Result<Self, String> {
        Self::for_app(event, &AppId::new(app_id), writing)
    }

    /// Encrypts an event with an AppID whose text is not known here.
    pub(crate) fn for_app(event: &str, app_id: &AppId, writing: &Writing) -> Result<Self, String> {
        let (algorithm, format, encoding) = writing.names()?;
        let data = sender::write(&sender::ciphertext(event, app_id, algorithm, encoding), format);
        Ok(Self::with_data(data, writing))
    }

    /// The webhook around a text that is there already.
    pub(crate) fn with_data(encrypted_data: String, writing: &Writing) -> Self {
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            (writing.header_spelling.header(), writing.algorithm.clone()),
            (FORMAT_HEADER, writing.format.clone()),
            (ENCODING_HEADER, writing.encoding.clone()),
        ];
        let body = format!(r#"{{"encrypted_data":{}}}"#, serde_json::Value::from(encrypted_data));
        Self { method: "POST", headers, body }
    }

    /// Sends it and waits for the answer.
    pub(crate) fn post(&self, url: &str) -> Result<Answer, String> {
        Connection::new().send(self, url).map_err(|error| format!("{url} {error}"))
    }

    /// The command line that sends it.
    pub(crate) fn as_curl(&self, url: &str) -> String {
        self.as_curl_to(&shell_word(url))
    }

    /// The command line that sends it, to a URL that is written for the shell already.
    pub(crate) fn as_curl_to(&self, url: &str) -> String {
        let method = if self.method == "POST" { String::new() } else { format!(" -X {}", self.method) };
        let headers: String = self.headers.iter().map(|(name, value)| format!(" -H '{name}: {value}'")).collect();
        format!("curl -i{method} {url}{headers} -d '{}'", in_single_quotes(&self.body))
    }
}

/// A text as one word of a shell's command line.
pub(crate) fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/%".contains(c);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// JSON for the inside of a shell's single quotes: characters that a terminal may not show as they are become escapes.
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

/// A connection that is kept open from one webhook to the next.
#[derive(Debug)]
pub(crate) struct Connection(ureq::Agent);

impl Connection {
    pub(crate) fn new() -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(TIME_OUT));
        Self(config.build().into())
    }

    /// Sends a webhook and waits for the answer. An error does not repeat the URL, which may hold a token.
    pub(crate) fn send(&self, webhook: &Encrypted, url: &str) -> Result<Answer, String> {
        let mut request = match webhook.method {
            "PUT" => self.0.put(url),
            _ => self.0.post(url),
        };
        for (name, value) in &webhook.headers {
            request = request.header(*name, value);
        }
        let unanswered = |error: ureq::Error| format!("did not answer: {error}. Is the receiver running there?");
        let mut response = request.send(&webhook.body).map_err(unanswered)?;
        let header = |name: &str| response.headers().get(name)?.to_str().ok().map(str::to_owned);
        let request_id = header("x-request-id");
        let body = response.body_mut().read_to_string().map_err(unanswered)?;
        Ok(Answer { status: response.status().as_u16(), body, request_id })
    }
}
