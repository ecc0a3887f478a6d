//! `voicehook decrypt`: decrypts a captured webhook, or explains in full why it cannot be decrypted.
//!
//! The event goes to standard output byte for byte (a terminal gets an escape in place of each character that would steer
//! it); explanations go to standard error. The exit status is 0 only if the
//! function would have accepted the webhook too.

mod candidates;
mod curl;
mod damage;
mod diagnosis;
mod http_request;
mod input;
mod pretty;
mod report;
mod schemes;
mod search;
mod shell;

use std::{
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use clap::Args;
use http::Method;
use tokio::time::Instant;
use voicehook_lambda::{
    app_id::{AppIdSetting, AppIds, ConfiguredSource, DEFAULT_APP, FixedAppId},
    config::Config,
    event::Event,
    receiver::{Opener, Refusal, Times},
    telemetry::Stages,
    webhook::kept_headers,
};

use self::{
    input::{Captured, Form},
    report::Report,
};
use crate::{
    aws, console,
    explain::{self, Finding},
    files,
    known_app_ids::KnownAppIds,
    printable::{printable, printable_json},
    recording::{Webhook, Writer},
    send::EncryptionArgs,
};

/// Longest wait for the AppIDs of one webhook.
const DEADLINE: Duration = Duration::from_secs(10);

/// The reason of requests that the function answers without decrypting anything.
const NOT_A_WEBHOOK: &str = "not_found";

/// Decrypts a captured webhook, or explains why it cannot be decrypted
#[derive(Args)]
#[command(
    long_about = "Decrypts a captured webhook, or explains why it cannot be decrypted and what to try next.

The input can be a Lambda event, a raw HTTP request, a curl line, a HAR file, a message from the quarantine queue, a body, \
or just a ciphertext; the form is detected. Nothing is sent anywhere, except that ENABLEX_APP_ID_SECRET is read from \
Secrets Manager.

The AppID comes from --app-id, ENABLEX_APP_ID or ENABLEX_APP_ID_SECRET. ALLOW_PLAINTEXT works as in the \
function, and so does ALLOWED_ALGORITHMS if it is set; otherwise every supported algorithm is accepted.",
    after_help = "Examples:
  voicehook decrypt webhook.txt --pretty
  voicehook decrypt events/queued-connected.json --app-id voicehook-dev
  pbpaste | voicehook decrypt --as curl
  echo 9f86d081… | voicehook decrypt --algorithm aes-256-cbc --format hex
  aws sqs receive-message --queue-url $QUARANTINE_QUEUE_URL | voicehook decrypt
  voicehook decrypt tunnel.har --record call.jsonl --redact

Exit status: 0 if the function would have decrypted every webhook, 1 if it would not or the input cannot be read, 2 if the \
command line is invalid."
)]
pub(crate) struct Decrypt {
    /// The files; without one, or with -, standard input
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The form of the input, if it is not detected correctly
    #[arg(long = "as", value_enum, value_name = "FORM")]
    form: Option<Form>,
    /// The AppID; prefer `ENABLEX_APP_ID`, because other users can see command lines
    #[arg(long)]
    app_id: Option<String>,
    /// The app that the webhook was sent to (default: the one in its path)
    #[arg(long)]
    app: Option<String>,
    /// For a body or a ciphertext alone: the cipher, by its OpenSSL name
    #[arg(long, default_value_t = EncryptionArgs::default().algorithm)]
    algorithm: String,
    /// For a body or a ciphertext alone: the encoding of the ciphertext (hex, base64, base64url, latin1)
    #[arg(long, default_value_t = EncryptionArgs::default().format)]
    format: String,
    /// For a body or a ciphertext alone: the text encoding of the event (utf8, ascii, latin1, utf16le)
    #[arg(long, default_value_t = EncryptionArgs::default().encoding)]
    encoding: String,
    /// Prints the event on several lines
    #[arg(long)]
    pretty: bool,
    /// Prints a report as JSON instead of the event, one line for each webhook
    #[arg(long, conflicts_with = "pretty")]
    json: bool,
    /// Prints the event even if only a reading that the function would not try yields one; the exit status is still 1
    #[arg(long)]
    anyway: bool,
    /// Appends the webhooks to a recording, which voicehook trigger scenario --file plays back. Their times are those of the
    /// HAR file, the gateway's event or the quarantine
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Replaces phone numbers, ids, URLs and `custom_data` in the recording, equal ones by the same replacement, and leaves
    /// the bodies out. Other text stays; its fields are named on standard error
    #[arg(long, requires = "record")]
    redact: bool,
}

impl Decrypt {
    /// Decrypts every given webhook; succeeds if all of them could be decrypted.
    #[tokio::main]
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        // Errors repeat parts of the input, which a stranger wrote.
        self.decrypt().await.map_err(|error| anyhow!(printable(&format!("{error:#}"))))
    }

    async fn decrypt(self) -> anyhow::Result<ExitCode> {
        let webhooks = self.webhooks()?;
        let mut writer = self.record.as_deref().map(|path| Writer::open(path, self.redact)).transpose()?;
        let config = self.config()?;
        let (source, known) = app_ids(&config.app_id).await?;
        // Someone inspecting a webhook wants to see it however old it is.
        let opener = Opener {
            accept: config.settings.accept,
            max_event_age: None,
            app_ids: AppIds::new(source, config.app_id_ttl),
        };
        let mut all_opened = true;
        let mut recorded = Vec::new();
        for webhook in &webhooks {
            let report = self.report(webhook, &opener, &known).await;
            all_opened &= report.opened;
            self.print(&report)?;
            // A recording has webhooks only.
            if report.reason != Some(NOT_A_WEBHOOK) {
                recorded.push((webhook.known.at, self.recorded(webhook, &report)));
            }
        }
        if let Some((path, writer)) = self.record.as_deref().zip(writer.as_mut()) {
            writer.write_all(path, recorded)?;
        }
        Ok(if all_opened { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Reads what was given.
    fn webhooks(&self) -> anyhow::Result<Vec<Captured>> {
        let writing = EncryptionArgs {
            algorithm: self.algorithm.clone(),
            format: self.format.clone(),
            encoding: self.encoding.clone(),
            ..EncryptionArgs::default()
        };
        let read = |file: Option<&Path>| {
            let bytes = files::read(file, "reading the webhook from the terminal; Ctrl-D ends it")?;
            // Bytes that are not text are a raw ciphertext.
            let text = files::text(bytes).unwrap_or_else(|bytes| bytes.into_iter().map(char::from).collect());
            input::read(&text, self.form, &writing)
        };
        match &self.files[..] {
            [] => read(None),
            [file] => read(Some(file)),
            files => files.iter().try_fold(Vec::new(), |mut all, file| {
                all.extend(read(Some(file)).with_context(|| file.display().to_string())?);
                Ok(all)
            }),
        }
    }

    /// A webhook as it is recorded.
    fn recorded(&self, webhook: &Captured, report: &Report) -> Webhook {
        Webhook {
            method: webhook.request.method().to_string(),
            app: report.app.clone(),
            headers: kept_headers(webhook.request.headers()),
            body: webhook.request.body().clone(),
            event: report.event.clone().filter(|_| report.opened || self.anyway),
            outcome: webhook.known.outcome.map(str::to_owned),
            status: webhook.known.status,
        }
    }

    /// The function's configuration, as far as it decides how a webhook is opened.
    fn config(&self) -> anyhow::Result<Config> {
        let config = Config::read(|name| match name {
            "ENABLEX_APP_ID" => self.app_id.clone().or_else(|| std::env::var(name).ok()),
            "ENABLEX_APP_ID_SECRET" if self.app_id.is_some() => None,
            "QUEUE_URL" => Some("http://localhost/no/queue".to_owned()),
            // Whoever looks at a webhook wants to see it, unless the function's own setting is what they ask about.
            "ALLOWED_ALGORITHMS" => Some(std::env::var(name).unwrap_or_else(|_| "all".to_owned())),
            "ENABLEX_APP_ID_SECRET" | "ALLOW_PLAINTEXT" => std::env::var(name).ok(),
            _ => None,
        });
        config.map_err(|error| match &error.mistakes[..] {
            [(variable, _), ..] if variable == "ENABLEX_APP_ID" => anyhow!("{error}; or give --app-id"),
            _ => error.into(),
        })
    }

    async fn report(&self, webhook: &Captured, opener: &Opener<ConfiguredSource>, known: &KnownAppIds) -> Report {
        // Who gives an AppID has the project in mind, and not the URL.
        let named = if self.app_id.is_some() { Some(DEFAULT_APP) } else { webhook.app.as_deref() };
        let app = self.app.as_deref().or(named).unwrap_or(DEFAULT_APP);
        let headers = webhook.request.headers();
        let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let report = Report {
            input: webhook.form,
            app: app.to_owned(),
            algorithm: value("x-algoritm").or_else(|| value("x-algorithm")),
            format: value("x-format"),
            encoding: value("x-encoding"),
            ..Report::default()
        };
        let is_named = self.app.is_some() || webhook.app.is_some() || !webhook.is_invocation();
        if let Some(finding) = not_a_webhook(webhook, app, is_named, known) {
            let detail = Some("the function answers it without decrypting anything".to_owned());
            return Report { reason: Some(NOT_A_WEBHOOK), detail, findings: vec![finding], ..report };
        }
        let body = webhook.request.body().as_slice();
        let arrived = Instant::now();
        let times = Times { arrived, deadline: arrived + DEADLINE };
        match opener.open(headers, body, app, times, &mut Stages::default()).await {
            Ok(event) => with_event(Report { opened: true, ..report }, &event),
            Err(refusal) => failed(report, webhook, &refusal, known),
        }
    }

    fn print(&self, report: &Report) -> anyhow::Result<()> {
        if self.json {
            // To escape characters changes nothing for a program.
            console::line(printable_json(&serde_json::to_string(report)?));
            return Ok(());
        }
        if !report.opened {
            console::error(report.explanation().trim_end());
        }
        if let Some(event) = report.event.as_deref().filter(|_| report.opened || self.anyway) {
            let event = if self.pretty { pretty::indented(event) } else { event.to_owned() };
            let is_shown = io::stdout().is_terminal();
            console::line(if is_shown { printable_json(&event) } else { event });
        }
        Ok(())
    }
}

async fn app_ids(setting: &AppIdSetting) -> anyhow::Result<(ConfiguredSource, KnownAppIds)> {
    match setting {
        // Without AWS: a machine without credentials would wait for them.
        AppIdSetting::Environment(app_id) => {
            Ok((ConfiguredSource::Environment(FixedAppId::new(app_id)), KnownAppIds::single(app_id)))
        }
        AppIdSetting::Secret(secret) => {
            let aws = aws::connect(aws::region_of(secret)).await?;
            let known = KnownAppIds::load(setting, &aws).await?;
            Ok((ConfiguredSource::new(setting.clone(), &aws), known))
        }
    }
}

/// Requests that the function answers without decrypting anything.
fn not_a_webhook(webhook: &Captured, app: &str, is_named: bool, known: &KnownAppIds) -> Option<Finding> {
    let is_post = webhook.request.method() == Method::POST;
    if !is_post || webhook.request.body().is_empty() {
        let method = webhook.request.method();
        return Some(Finding::new(
            format!("this is a {method} request{}", if is_post { " without a body: a probe of the URL" } else { "" }),
            "Give the POST request that carries encrypted_data",
        ));
    }
    if !is_named {
        return Some(Finding::new(
            "the path of the request is not that of a webhook: /, /webhook, /webhook/APP or /webhook/APP/TOKEN",
            "Correct the URL in the EnableX portal; to decrypt the webhook nevertheless, give --app default",
        ));
    }
    if known.current(app).is_some() {
        return None;
    }
    let names: Vec<&str> = known.names().collect();
    Some(Finding::new(
        format!("the webhook was sent to app {app}, which does not exist; the apps are: {}", names.join(", ")),
        "Correct the URL in the EnableX portal, or the secret; to decrypt the webhook as another app's, give --app NAME",
    ))
}

fn with_event(report: Report, event: &Event) -> Report {
    Report {
        event_type: Some(event.event_type().into_owned()),
        voice_id: event.voice_id().map(str::to_owned),
        event: Some(event.text().to_owned()),
        ..report
    }
}

fn failed(report: Report, webhook: &Captured, refusal: &Refusal, known: &KnownAppIds) -> Report {
    let diagnosis = diagnosis::diagnose(webhook, &report.app, refusal, known);
    let report = Report {
        reason: Some(refusal.reason()),
        detail: Some(explain::reason(refusal)),
        ciphertext_bytes: diagnosis.ciphertext_bytes,
        findings: diagnosis.findings,
        ..report
    };
    match &diagnosis.event {
        Some(event) => with_event(report, event),
        None => report,
    }
}
