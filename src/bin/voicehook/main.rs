//! The command-line tool: a local receiver for developers, and EnableX's side of the conversation.

mod console;
mod decrypt;
mod dev;
mod json_text;
mod known_app_ids;
mod listen;
mod redrive;
mod samples;
mod scenarios;
mod send;
mod trigger;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use voicehook::aws;

/// Receives the webhooks of the EnableX Voice API, decrypts them and puts the voice events on an SQS queue.
///
/// Without a command it does what `dev` does.
#[derive(Parser)]
#[command(name = "voicehook", version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    Dev(dev::Dev),
    Trigger(Box<trigger::Trigger>),
    Listen(Box<listen::Listen>),
    Redrive(redrive::Redrive),
    Decrypt(decrypt::Decrypt),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        None => dev::Dev::parse_from(["dev"]).run(),
        Some(Command::Dev(dev)) => dev.run(),
        Some(Command::Trigger(trigger)) => trigger.run(),
        Some(Command::Listen(listen)) => listen.run(),
        Some(Command::Redrive(redrive)) => redrive.run(),
        Some(Command::Decrypt(decrypt)) => decrypt.run(),
    };
    done.unwrap_or_else(|error| {
        console::error(&error);
        ExitCode::FAILURE
    })
}

/// The AWS configuration of whoever is at the terminal: profile, environment, single sign-on.
async fn aws_configuration() -> aws_config::SdkConfig {
    aws_config::defaults(aws::behavior_version()).http_client(aws::http_client()).load().await
}
