//! `voicehook trigger`: sends one encrypted event of a named kind.

use std::process::ExitCode;

use clap::Args;

use crate::{
    console,
    samples::{self, Call},
    send::{DEV_APP_ID, Encrypted, Writing},
};

/// Sends one sample event, encrypted as EnableX does it
#[derive(Args)]
#[command(after_help = "Examples:
  voicehook trigger connected
  voicehook trigger play.digitcollected --voice-id 5f2d8a66 --format base64
  voicehook trigger disconnected --url https://abc123.execute-api.us-east-1.amazonaws.com/webhook --app-id $APP_ID")]
pub(crate) struct Trigger {
    /// The event: its type (call.connected) or the last part of it (connected)
    #[arg(value_parser = event_type, required_unless_present = "list")]
    event: Option<String>,
    /// Lists the events and ends
    #[arg(long)]
    list: bool,
    /// Where to send it
    #[arg(long, default_value = "http://127.0.0.1:3000/webhook")]
    url: String,
    /// The AppID to encrypt with
    #[arg(long, env = "ENABLEX_APP_ID", hide_env_values = true, default_value = DEV_APP_ID)]
    app_id: String,
    /// The call that the event belongs to (default: a new one)
    #[arg(long)]
    voice_id: Option<String>,
    /// The cipher, by its OpenSSL name
    #[arg(long, default_value_t = Writing::default().algorithm)]
    algorithm: String,
    /// How the ciphertext is written: hex, base64, base64url, latin1
    #[arg(long, default_value_t = Writing::default().format)]
    format: String,
    /// The text encoding of the event: utf8, ascii, latin1, utf16le
    #[arg(long, default_value_t = Writing::default().encoding)]
    encoding: String,
}

impl Trigger {
    /// Sends the event; success is an answer of 200.
    pub(crate) fn run(self) -> Result<ExitCode, String> {
        let Some(event) = self.event.filter(|_| !self.list) else {
            samples::event_types().for_each(console::line);
            return Ok(ExitCode::SUCCESS);
        };
        let call = self.voice_id.map_or_else(Call::random, Call::new);
        let text = samples::event(&event, &call).ok_or_else(|| format!("no event {event:?}"))?;
        let writing = Writing { algorithm: self.algorithm, format: self.format, encoding: self.encoding };
        let answer = Encrypted::new(&text, &self.app_id, &writing)?.post(&self.url)?;
        console::line(format_args!("sent      {text}"));
        let message_id = answer.message_id.map_or_else(String::new, |id| format!("  message id {id}"));
        console::line(format_args!("answered  {} {}{message_id}", answer.status, answer.body));
        Ok(if answer.status == 200 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn event_type(name: &str) -> Result<String, String> {
    let known = samples::event(name, &Call::new(String::new())).is_some();
    let all = || samples::event_types().collect::<Vec<_>>().join(", ");
    if known { Ok(name.to_owned()) } else { Err(format!("no such event; there are: {}", all())) }
}
