//! `voicehook trigger`: sends events, encrypted as EnableX does it: one, a whole call, a load, or a webhook that is broken
//! on purpose.
//!
//! A receiver answers 200 to everything that it keeps, whether the event is on the queue or the webhook in quarantine, so
//! that is all that can be reported here, with the request id to look it up by.

mod corrupt;
mod expectation;
mod load;
mod scenario;
mod target;

use std::{
    io::{IsTerminal as _, Read as _},
    process::ExitCode,
};

use clap::{Args, Subcommand};
use serde_json::{json, value::RawValue};
use voicehook::app_id::AppId;

use self::{corrupt::Corruption, expectation::Expectation, load::Load, scenario::PlayScenario, target::Target};
use crate::{
    console,
    json_text::{self, Fields},
    samples::{self, Call, KINDS},
    send::{Answer, Connection, Encrypted, Writing},
};

/// Sends sample events, encrypted as EnableX does it
///
/// One event, a whole call (`voicehook trigger scenario --list`), a load (--count, --concurrency, --rate), or a webhook
/// that is broken on purpose (--corrupt).
///
/// A receiver answers 200 to every webhook that it keeps: its event is on the queue, or the webhook is in quarantine. Which
/// of the two it does not say. The request id that is printed finds the webhook in the function's log and in the quarantine;
/// `voicehook dev` prints what became of each one.
#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Status: 0 if every answer was as expected, 1 if not, 2 if the command line is wrong. Expected is 200, with --corrupt \
one of the statuses that are listed for it.

Examples:
  voicehook trigger --list
  voicehook trigger connected
  voicehook trigger digitcollected --voice-id 5f2d8a66 --set 'digit=\"7\"' --format base64
  voicehook trigger --file event.json --set call_duration=12.5
  voicehook trigger disconnected --url https://abc123.execute-api.us-east-1.amazonaws.com/webhook --app-id \"$APP_ID\"
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

/// Events of one kind.
#[derive(Args)]
struct Single {
    /// The event: its name (call.connected) or the last part of it (connected)
    #[arg(value_parser = event_type, required_unless_present_any = ["list", "file"])]
    event: Option<String>,
    /// Lists the events with their meaning, and ends
    #[arg(long)]
    list: bool,
    /// Sends the JSON of this file, byte for byte; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "event")]
    file: Option<String>,
    /// Sets a field, also inside of others (a.b, a.0): to a JSON value, or else to the text as it stands
    #[arg(long, value_name = "FIELD=VALUE", value_parser = assignment)]
    set: Vec<(String, String)>,
    /// The call that the event belongs to (default: a new one for each)
    #[arg(long)]
    voice_id: Option<String>,
    /// Sends a deliberately broken webhook and checks for the expected status: 200 where the receiver has a quarantine to
    /// keep it in, else the other one that is listed
    #[arg(long, value_enum, value_name = "HOW")]
    corrupt: Option<Corruption>,
    /// Prints a curl line that sends it, and sends nothing
    #[arg(long, visible_alias = "dry-run")]
    curl: bool,
    /// Prints what was sent and answered as JSON, in one line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    writing: Writing,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    load: Load,
}

impl Trigger {
    /// Sends what is asked for; success is that every answer was as it should be.
    pub(crate) fn run(self) -> Result<ExitCode, String> {
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
    async fn run(self) -> Result<ExitCode, String> {
        let given = self.file.as_deref().map(read).transpose()?;
        // Before anything is sent: a mistake in an option shows in the first webhook.
        let event = self.event(given.as_deref())?;
        let target = self.target.resolve().await?;
        let webhook = self.webhook(&event, target.app_id()?)?;
        let url = self.corrupt.map_or_else(|| target.url.clone(), |how| how.url(&target.url));
        if self.curl {
            let in_shell = if url == target.url { target.in_shell } else { url };
            console::line(webhook.as_curl_to(&in_shell));
            return Ok(ExitCode::SUCCESS);
        }
        if self.load.is_asked_for() {
            let (load, json) = (self.load.clone(), self.json);
            let (shown, expectation) = (target.shown.clone(), Expectation(self.corrupt));
            let make = move || self.webhook(&self.event(given.as_deref())?, target.app_id()?);
            return load.run(make, url, &shown, json, expectation).await;
        }
        let answer = Connection::new().send(&webhook, &url).map_err(|error| format!("{} {error}", target.shown))?;
        self.show(&event, &answer, target.is_local());
        Ok(if Expectation(self.corrupt).is_met(answer.status) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// The event's JSON text.
    fn event(&self, given: Option<&str>) -> Result<String, String> {
        let mut event = match (given, &self.event) {
            (Some(given), _) => {
                let voice_id = self.voice_id.as_ref().map(|id| serde_json::Value::from(id.as_str()).to_string());
                voice_id.map_or_else(|| Ok(given.to_owned()), |id| json_text::set(given, "voice_id", &id))?
            }
            (None, name) => {
                let name = name.as_deref().unwrap_or_default();
                let call = self.voice_id.clone().map_or_else(Call::random, Call::new);
                samples::event(name, &call).ok_or_else(|| format!("no event {name:?}"))?
            }
        };
        for (field, value) in &self.set {
            event = json_text::set(&event, field, value).map_err(|error| format!("--set {field}: {error}"))?;
        }
        Ok(event)
    }

    fn webhook(&self, event: &str, app_id: &AppId) -> Result<Encrypted, String> {
        match self.corrupt {
            Some(how) => how.webhook(event, app_id, &self.writing),
            None => Encrypted::for_app(event, app_id, &self.writing),
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
        console::line(format_args!("answered  {status} {body}"));
        if let Some(line) = expectation.kept_line(answer, is_local) {
            console::line(line);
        }
    }
}

/// The event of a file, or of standard input.
fn read(file: &str) -> Result<String, String> {
    let text = if file == "-" {
        let mut input = std::io::stdin().lock();
        if input.is_terminal() {
            console::error("type the event's JSON, then Ctrl-D");
        }
        let mut text = String::new();
        input.read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(file)
    };
    let text = text.map_err(|error| format!("--file {file}: {error}"))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    match serde_json::from_str::<Fields>(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!(
            "--file {file} is not an event, which is a JSON object: {error}. To send something else on purpose, see --corrupt"
        )),
    }
}

fn event_type(name: &str) -> Result<String, String> {
    let known = samples::event(name, &Call::new(String::new())).is_some();
    let all = || samples::event_types().collect::<Vec<_>>().join(", ");
    if known { Ok(name.to_owned()) } else { Err(format!("no such event; there are: {}", all())) }
}

/// `field=value`, with the value as JSON.
fn assignment(text: &str) -> Result<(String, String), String> {
    let (field, value) = text.split_once('=').ok_or("expected FIELD=VALUE, for example digit=7")?;
    if field.split('.').any(str::is_empty) {
        return Err("expected the name of a field before the =, for example digit=7".to_owned());
    }
    let is_json = serde_json::from_str::<&RawValue>(value).is_ok();
    let value = if is_json { value.trim().to_owned() } else { serde_json::Value::from(value).to_string() };
    Ok((field.to_owned(), value))
}
