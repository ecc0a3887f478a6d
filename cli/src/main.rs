//! The command-line tool: a local receiver for developers, and EnableX's side of the conversation.

mod aws;
mod console;
mod decrypt;
mod dev;
mod doctor;
mod explain;
mod files;
mod generate;
mod json_text;
mod known_app_ids;
mod listen;
mod printable;
mod redrive;
mod samples;
mod scenarios;
mod send;
mod trigger;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

/// Receives the webhooks of the EnableX Voice API, decrypts them and puts the voice events on an SQS queue.
///
/// Without a command it does what `dev` does.
#[derive(Parser)]
#[command(
    name = "voicehook",
    version,
    after_help = "Examples:
  voicehook                                  a receiver on this machine, with a sample call
  voicehook trigger connected                one webhook to it
  voicehook listen --queue-url URL           the events of a queue, as they come
  voicehook decrypt webhook.txt              a webhook from a file, opened or explained
  voicehook doctor --stack voicehook         a deployment, checked from URL to queue
  voicehook redrive --from URL --to URL      the quarantine, emptied onto the queue

voicehook COMMAND --help says more about each. With NO_COLOR set, nothing is coloured."
)]
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
    Doctor(doctor::Doctor),
    Completions(generate::Completions),
    Man(generate::Man),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        None => dev::Dev::parse_from(["dev"]).run(),
        Some(Command::Dev(dev)) => dev.run(),
        Some(Command::Trigger(trigger)) => trigger.run(),
        Some(Command::Listen(listen)) => listen.run(),
        Some(Command::Redrive(redrive)) => redrive.run(),
        Some(Command::Decrypt(decrypt)) => decrypt.run(),
        Some(Command::Doctor(doctor)) => doctor.run(),
        Some(Command::Completions(completions)) => completions.run(Cli::command()),
        Some(Command::Man(man)) => man.run(Cli::command()),
    };
    done.unwrap_or_else(|error| {
        console::error(format_args!("{error:#}"));
        ExitCode::FAILURE
    })
}
