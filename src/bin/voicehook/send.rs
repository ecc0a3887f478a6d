//! Sends webhooks as EnableX does: encrypted, by HTTP.

use std::time::Duration;

use voicehook::{
    sender,
    webhook::{ALGORITHM_HEADER, Algorithm, ENCODING_HEADER, Encoding, FORMAT_HEADER, Format},
};

/// The AppID of the local receiver where none is given. No secret: it opens nothing but sample events.
pub(crate) const DEV_APP_ID: &str = "voicehook-dev";

/// EnableX waits five seconds; this leaves a slow answer the time to be seen.
const TIME_OUT: Duration = Duration::from_secs(10);

/// How a webhook is encrypted and written.
#[derive(Clone, Debug)]
pub(crate) struct Writing {
    pub(crate) algorithm: String,
    pub(crate) format: String,
    pub(crate) encoding: String,
}

impl Default for Writing {
    /// What EnableX sends today.
    fn default() -> Self {
        Self { algorithm: "aes-256-cbc".to_owned(), format: "hex".to_owned(), encoding: "utf8".to_owned() }
    }
}

/// A webhook, ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Encrypted {
    headers: [(&'static str, String); 4],
    body: String,
}

/// The receiver's answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) message_id: Option<String>,
}

impl Encrypted {
    /// Encrypts an event.
    pub(crate) fn new(event: &str, app_id: &str, writing: &Writing) -> Result<Self, String> {
        let unknown = |option: &str, name: &str| format!("--{option}: {name:?} is not supported");
        let algorithm = Algorithm::named(&writing.algorithm).ok_or_else(|| unknown("algorithm", &writing.algorithm))?;
        let format = Format::named(&writing.format).ok_or_else(|| unknown("format", &writing.format))?;
        let encoding = Encoding::named(&writing.encoding).ok_or_else(|| unknown("encoding", &writing.encoding))?;
        let data = sender::encrypt(event, app_id, algorithm, format, encoding);
        let headers = [
            ("content-type", "application/json".to_owned()),
            (ALGORITHM_HEADER, writing.algorithm.clone()),
            (FORMAT_HEADER, writing.format.clone()),
            (ENCODING_HEADER, writing.encoding.clone()),
        ];
        Ok(Self { headers, body: format!(r#"{{"encrypted_data":{}}}"#, serde_json::Value::from(data)) })
    }

    /// Sends it and waits for the answer.
    pub(crate) fn post(&self, url: &str) -> Result<Answer, String> {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(TIME_OUT)).build().into();
        let mut request = agent.post(url);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let unanswered = |error: ureq::Error| format!("{url} did not answer: {error}. Is the receiver running there?");
        let mut response = request.send(&self.body).map_err(unanswered)?;
        let message_id = response.headers().get("x-message-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
        let body = response.body_mut().read_to_string().map_err(unanswered)?;
        Ok(Answer { status: response.status().as_u16(), body, message_id })
    }

    /// The command line that sends it.
    pub(crate) fn as_curl(&self, url: &str) -> String {
        let headers: String = self.headers.iter().map(|(name, value)| format!(" -H '{name}: {value}'")).collect();
        format!("curl -i {url}{headers} -d '{}'", self.body)
    }
}
