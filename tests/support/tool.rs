//! The command-line tool as a person runs it, without the settings of whoever runs the tests.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test uses a part, and fails by panicking")]

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Output, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

/// For something that a process does by itself.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

pub fn voicehook() -> Command {
    clean(Command::new(env!("CARGO_BIN_EXE_voicehook")))
}

/// Without the variables of whoever runs the tests.
pub fn clean(mut command: Command) -> Command {
    for name in [
        "ENABLEX_APP_ID",
        "ENABLEX_APP_ID_SECRET",
        "QUEUE_URL",
        "WEBHOOK_TOKEN",
        "EVENT_FORMAT",
        "CARGO",
        "AWS_PROFILE",
        "NO_COLOR",
        "CLICOLOR_FORCE",
    ] {
        command.env_remove(name);
    }
    command
}

/// The same command on a terminal of its own. `None` where there is no Python to make one.
pub fn on_a_terminal(command: &Command) -> Option<Command> {
    Command::new("python3").arg("--version").output().ok()?;
    let spawn = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
    let mut terminal = clean(Command::new("python3"));
    terminal.args(["-c", spawn]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => terminal.env(name, value),
            None => terminal.env_remove(name),
        };
    }
    terminal.env("TERM", "xterm").stdin(Stdio::null());
    Some(terminal)
}

pub fn printed(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap() + &String::from_utf8(output.stderr.clone()).unwrap()
}

/// A local receiver on a free port, ended with the test.
pub struct Dev {
    child: Child,
    pub url: String,
    /// What it printed before it listened.
    pub lines: Vec<String>,
    /// What it prints since.
    later: Receiver<String>,
}

impl Dev {
    /// Starts it and reads what it prints until it listens.
    pub fn start() -> Self {
        Self::start_with(&mut voicehook())
    }

    /// The same with further variables.
    pub fn start_with(command: &mut Command) -> Self {
        let mut child = command
            .args(["dev", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut lines = Vec::new();
        for line in output.by_ref() {
            lines.push(line.unwrap());
            if lines.last().is_some_and(|line| line.starts_with("Listening")) {
                break;
            }
        }
        let url = lines[0].split(' ').next_back().unwrap().to_owned();
        // Read on, so that the receiver never waits for a reader.
        let (sender, later) = channel();
        std::thread::spawn(move || output.map_while(Result::ok).for_each(|line| _ = sender.send(line)));
        Self { child, url, lines, later }
    }

    /// Waits until it has printed so many more lines.
    pub fn wait_for_lines(&self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.later.recv_timeout(LONGEST_WAIT).unwrap()).collect()
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
