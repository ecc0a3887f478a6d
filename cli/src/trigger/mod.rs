//! `voicehook trigger`: sends test webhooks, encrypted as EnableX encrypts them: a single event, a whole call, a load, or a
//! deliberately broken webhook.
//!
//! A receiver answers 200 to everything that it keeps, whether on the queue or in quarantine. So this command can only
//! report that a webhook was kept, and the request id to look it up by.

mod corrupt;
mod expectation;
mod load;
mod scenario;
mod target;

use std::{ffi::OsStr, path::Path, process::ExitCode};

use anyhow::anyhow;
use clap::{
    Arg, Args, Command, Subcommand,
    builder::{PossibleValue, TypedValueParser},
};
use serde_json::{json, value::RawValue};
use voicehook_lambda::app_id::AppId;

use self::{corrupt::Corruption, expectation::Expectation, load::Load, scenario::PlayScenario, target::Target};
use crate::{
    console, files,
    json_text::{self, Fields},
    printable::one_line,
    samples::{self, Call, KINDS, Kind},
    send::{Answer, Connection, EncryptionArgs, WebhookRequest},
};

/// Send sample events, encrypted as EnableX encrypts them
///
/// Sends one event, a whole call (`voicehook trigger scenario --list`), a load (--count, --concurrency, --rate), or a
/// deliberately broken webhook (--corrupt).
///
/// A receiver answers 200 to every webhook that it keeps, whether the event is on the queue or the webhook is in
/// quarantine; the answer does not say which. Use the printed request id to find the webhook in the function's log and in
/// the quarantine. `voicehook dev` prints the outcome of each webhook.
#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Exit status: 0 if every answer was as expected, 1 if not, 2 on a usage error. The expected status is 200, or \
with --corrupt one of those listed for it.

Examples:
  voicehook trigger --list
  voicehook trigger connected
  voicehook trigger digitcollected --voice-id 5f2d8a66 --set 'digit=\"7\"'
  voicehook trigger --file event.json --set call_duration=12.5
  voicehook trigger disconnected --url https://example.com/webhook --app-id $APP_ID
  voicehook trigger connected --corrupt tampered
  voicehook trigger connected --curl
  voicehook trigger connected --count 10000 --concurrency 50 --rate 500
  voicehook trigger scenario inbound-ivr --fast"
)]
pub(crate) struct Trigger {
    #[command(subcommand)]
    command: Option<TriggerCommand>,
    #[command(flatten)]
    single: Single,
}

#[derive(Subcommand)]
enum TriggerCommand {
    Scenario(PlayScenario),
}

/// Options for sending events of one kind.
#[derive(Args)]
struct Single {
    /// The event, by its full name (call.connected) or its last part (connected)
    #[arg(value_parser = EventName, hide_possible_values = true, required_unless_present_any = ["list", "file"])]
    event: Option<String>,
    /// List the events with their meaning, and exit
    #[arg(long)]
    list: bool,
    /// Send the JSON of this file, byte for byte; - reads standard input
    #[arg(long, value_name = "FILE", conflicts_with = "event")]
    file: Option<String>,
    /// Set a field, also a nested one (a.b, a.0), to a JSON value or, if it is not JSON, to the literal text
    #[arg(long, value_name = "FIELD=VALUE", value_parser = assignment)]
    set: Vec<(String, String)>,
    /// The call that the event belongs to (default: a new call for each event)
    #[arg(long)]
    voice_id: Option<String>,
    /// Send a deliberately broken webhook and check for the expected status: 200 if the receiver has a quarantine,
    /// otherwise the other status listed
    #[arg(long, value_enum, value_name = "HOW")]
    corrupt: Option<Corruption>,
    /// Print a curl command that sends it, instead of sending it
    #[arg(long, visible_alias = "dry-run")]
    curl: bool,
    /// Print the event and the answer as one line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    encryption: EncryptionArgs,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    load: Load,
}

impl Trigger {
    /// Runs the command. Succeeds if every answer was as expected.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Some(TriggerCommand::Scenario(scenario)) => scenario.run(),
            None if self.single.list => {
                for kind in KINDS {
                    console::line(format_args!("{:<30} {}", kind.name, kind.meaning));
                }
                Ok(ExitCode::SUCCESS)
            }
            None => self.single.run(),
        }
    }
}

impl Single {
    #[tokio::main]
    async fn run(self) -> anyhow::Result<ExitCode> {
        let given = self.file.as_deref().map(read).transpose()?;
        // Build one webhook before sending anything, so that a wrong option fails early.
        let event = self.event(given.as_deref())?;
        let target = self.target.resolve().await?;
        let webhook = self.webhook(&event, target.app_id()?)?;
        let url = self.corrupt.map_or_else(|| target.url.clone(), |how| how.url(&target.url));
        if self.curl {
            let in_shell = if url == target.url { target.in_shell } else { url };
            console::line(webhook.as_curl_to(&in_shell));
            return Ok(ExitCode::SUCCESS);
        }
        if self.load.is_requested() {
            let (load, json) = (self.load.clone(), self.json);
            let (shown, expectation) = (target.shown.clone(), Expectation(self.corrupt));
            let make = move || self.webhook(&self.event(given.as_deref())?, target.app_id()?);
            return load.run(make, url, &shown, json, expectation).await;
        }
        let answer = Connection::new(&url)?.send(&webhook).map_err(|error| anyhow!("{} {error}", target.shown))?;
        self.show(&event, &answer, target.is_local());
        Ok(if Expectation(self.corrupt).is_met(answer.status) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// The event's JSON.
    fn event(&self, given: Option<&str>) -> anyhow::Result<String> {
        let mut event = match (given, &self.event) {
            (Some(given), _) => {
                let voice_id = self.voice_id.as_ref().map(|id| serde_json::Value::from(id.as_str()).to_string());
                voice_id.map_or_else(|| Ok(given.to_owned()), |id| json_text::set(given, "voice_id", &id))?
            }
            (None, name) => {
                let name = name.as_deref().unwrap_or_default();
                let call = self.voice_id.clone().map_or_else(Call::random, Call::new);
                samples::event(name, &call).ok_or_else(|| anyhow!("no event {name:?}"))?
            }
        };
        for (field, value) in &self.set {
            event = json_text::set(&event, field, value).map_err(|error| anyhow!("--set {field}: {error}"))?;
        }
        Ok(event)
    }

    fn webhook(&self, event: &str, app_id: &AppId) -> anyhow::Result<WebhookRequest> {
        match self.corrupt {
            Some(how) => how.webhook(event, app_id, &self.encryption),
            None => WebhookRequest::encrypt(event, app_id, &self.encryption),
        }
    }

    fn show(&self, event: &str, answer: &Answer, is_local: bool) {
        let expectation = Expectation(self.corrupt);
        let Answer { status, body, request_id } = answer;
        if self.json {
            let answered = serde_json::from_str(body).unwrap_or_else(|_| json!(body));
            console::line(json!({
                "status": status, "as_expected": expectation.is_met(*status), "kept": expectation.is_kept(*status),
                "request_id": request_id, "answer": answered, "event": event,
            }));
            return;
        }
        let sent = expectation.description();
        console::line(format_args!("sent      {}", sent.as_deref().unwrap_or(event)));
        console::line(format_args!("answered  {status} {}", one_line(body)));
        if let Some(line) = expectation.kept_line(answer, is_local) {
            console::line(line);
        }
    }
}

/// Reads an event from a file or from standard input.
fn read(file: &str) -> anyhow::Result<String> {
    let bytes = files::read(Some(Path::new(file)), "type the event's JSON, then press Ctrl-D");
    let bytes = bytes.map_err(|error| anyhow!("--file {error}"))?;
    let text = files::text(bytes).map_err(|_| anyhow!("--file {file} is neither UTF-8 nor UTF-16"))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    match serde_json::from_str::<Fields>(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(anyhow!(
            "--file {file} is not an event (a JSON object): {error}. To send a broken webhook on purpose, use --corrupt"
        )),
    }
}

/// Parses the name of an event, and tells the shells' completions which names there are.
#[derive(Clone, Copy)]
struct EventName;

impl EventName {
    fn parse(name: &str) -> anyhow::Result<String> {
        let known = samples::event(name, &Call::new(String::new())).is_some();
        let all = || samples::event_types().collect::<Vec<_>>().join(", ");
        if known { Ok(name.to_owned()) } else { Err(anyhow!("no such event; choose one of: {}", all())) }
    }
}

impl TypedValueParser for EventName {
    type Value = String;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<String, clap::Error> {
        Self::parse.parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let last_parts = KINDS.iter().filter_map(|kind| Some((kind.name.split_once('.')?.1, kind)));
        let is_first = |(index, (name, _)): &(usize, (&str, &Kind))| {
            !KINDS[..*index].iter().any(|before| before.name.ends_with(&format!(".{name}")))
        };
        let short = last_parts.enumerate().filter(is_first).map(|(_, named)| named);
        let full = KINDS.iter().map(|kind| (kind.name, kind));
        Some(Box::new(full.chain(short).map(|(name, kind)| PossibleValue::new(name).help(kind.meaning))))
    }
}

/// Parses `field=value`; the value is returned as JSON.
fn assignment(text: &str) -> anyhow::Result<(String, String)> {
    let (field, value) =
        text.split_once('=').ok_or_else(|| anyhow::Error::msg("expected FIELD=VALUE, for example digit=7"))?;
    if field.split('.').any(str::is_empty) {
        return Err(anyhow::Error::msg("expected a field name before the =, for example digit=7"));
    }
    let is_json = serde_json::from_str::<&RawValue>(value).is_ok();
    let value = if is_json { value.trim().to_owned() } else { serde_json::Value::from(value).to_string() };
    Ok((field.to_owned(), value))
}
