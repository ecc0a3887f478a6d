//! The command-line tool: develop, test and operate receivers of EnableX voice webhooks.

mod aws;
mod checks;
mod console;
mod decrypt;
mod dev;
mod doctor;
mod explain;
mod files;
mod forward;
mod generate;
mod http;
mod inspect;
mod json_text;
mod known_app_ids;
mod listen;
mod page;
mod printable;
mod quarantine;
mod queue;
mod recording;
mod redrive;
mod samples;
mod scenarios;
mod send;
mod setting;
mod stack;
mod trigger;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

/// Receives the webhooks of the EnableX Voice API, decrypts them and puts the voice events on an SQS queue.
///
/// Without a command, it runs `dev`.
#[derive(Parser)]
#[command(
    name = "voicehook",
    version,
    max_term_width = 120,
    after_help = "Examples:
  voicehook                              start a local receiver and play a sample call
  voicehook trigger connected            send a webhook to it
  voicehook listen --queue-url URL       show the events of a queue as they arrive
  voicehook decrypt webhook.txt          decrypt or explain a webhook
  voicehook doctor --stack voicehook     check a deployment from URL to queue
  voicehook redrive --from URL --to URL  send quarantined webhooks to the queue
  voicehook inspect --stack voicehook    show what could not be handled

Run voicehook COMMAND --help for details. Set NO_COLOR to disable colours."
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
    Inspect(Box<inspect::Inspect>),
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
        Some(Command::Inspect(inspect)) => inspect.run(),
        Some(Command::Decrypt(decrypt)) => decrypt.run(),
        Some(Command::Doctor(doctor)) => doctor.run(),
        Some(Command::Completions(completions)) => completions.run(Cli::command()),
        Some(Command::Man(man)) => man.run(Cli::command()),
    };
    let code = done.unwrap_or_else(|error| {
        console::error(format_args!("{error:#}"));
        ExitCode::FAILURE
    });
    match console::write_error() {
        None => code,
        Some(error) => {
            console::error(format_args!("the output could not be written: {error}"));
            ExitCode::FAILURE
        }
    }
}
