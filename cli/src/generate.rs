//! `voicehook completions` and `voicehook man`: shell completions and manual pages.

use std::process::ExitCode;

use anyhow::anyhow;
use clap::{Args, Command};
use clap_complete::Shell;

use crate::console;

/// Prints shell completions
#[derive(Args)]
#[command(after_help = "Examples:
  source <(voicehook completions bash)
  voicehook completions zsh > ~/.zfunc/_voicehook
  voicehook completions fish > ~/.config/fish/completions/voicehook.fish
  voicehook completions powershell >> $PROFILE")]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// Prints them.
    pub(crate) fn run(self, mut command: Command) -> anyhow::Result<ExitCode> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "voicehook", &mut script);
        console::bytes(&script);
        Ok(ExitCode::SUCCESS)
    }
}

/// Prints the manual page
#[derive(Args)]
#[command(after_help = "Examples:
  voicehook man > ~/.local/share/man/man1/voicehook.1
  voicehook man decrypt | man -l -")]
pub(crate) struct Man {
    /// The command (default: voicehook itself)
    command: Option<String>,
}

impl Man {
    /// Prints it.
    pub(crate) fn run(self, mut command: Command) -> anyhow::Result<ExitCode> {
        command.build();
        let page = match &self.command {
            None => command,
            Some(name) => {
                let known = || command.get_subcommands().map(Command::get_name).collect::<Vec<_>>().join(", ");
                let found = command.find_subcommand(name).cloned();
                found.ok_or_else(|| anyhow!("there is no command {name:?}; there are: {}", known()))?
            }
        };
        let mut text = Vec::new();
        clap_mangen::Man::new(page).render(&mut text)?;
        console::bytes(&text);
        Ok(ExitCode::SUCCESS)
    }
}
