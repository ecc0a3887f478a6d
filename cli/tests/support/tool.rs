//! The command-line tool as a person runs it, without the settings of whoever runs the tests.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test uses a part, and fails by panicking")]

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
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
        "FAILOVER_QUEUE_URL",
        "QUARANTINE_QUEUE_URL",
        "ALLOWED_ALGORITHMS",
        "ALLOW_PLAINTEXT",
        "MAX_EVENT_AGE_SECONDS",
        "ACTIONS",
        "WEBHOOK_TOKEN",
        "EVENT_FORMAT",
        "VOICEHOOK_INSPECT_TOKEN",
        "CARGO",
        "AWS_PROFILE",
        "AWS_SESSION_TOKEN",
        "AWS_CA_BUNDLE",
        "NO_COLOR",
        "CLICOLOR_FORCE",
    ] {
        command.env_remove(name);
    }
    command
}

/// The same command on a terminal of its own. `None` where there is no Python to make one.
pub fn on_a_terminal(command: &Command) -> Option<Command> {
    typing(command, 200, "", "")
}

/// The same on a terminal so wide, where something is typed once a text appears: `\x03` is Ctrl-C, `\x04` Ctrl-D.
pub fn typing(command: &Command, columns: u16, text: &str, keys: &str) -> Option<Command> {
    Command::new("python3").arg("--version").output().ok()?;
    let mut terminal = clean(Command::new("python3"));
    terminal.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/terminal.py"));
    terminal.args([&columns.to_string(), text, keys]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => terminal.env(name, value),
            None => terminal.env_remove(name),
        };
    }
    terminal.env("TERM", "xterm").stdin(Stdio::null());
    Some(terminal)
}

/// Runs a command to its end, with something on its standard input.
pub fn given(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that ends before it has read everything is for the test to judge.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
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
        Self::start_as(command.args(["dev", "--listen", "127.0.0.1:0"]))
    }

    /// The same with a queue.
    pub fn start_on_queue(command: &mut Command, queue_url: &str) -> Self {
        Self::start_as(command.args(["dev", "--listen", "127.0.0.1:0", "--queue-url", queue_url]))
    }

    /// The same with further options.
    pub fn start_with_options(command: &mut Command, options: &[&str]) -> Self {
        Self::start_as(command.args(["dev", "--listen", "127.0.0.1:0"]).args(options))
    }

    fn start_as(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
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

    /// Presses Ctrl-C, and waits for the end.
    #[cfg(unix)]
    pub fn interrupt(mut self) -> ExitStatus {
        let interrupt = format!("kill -INT {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &interrupt]).status().unwrap().success());
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < LONGEST_WAIT, "it does not end");
            std::thread::park_timeout(Duration::from_millis(20));
        }
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

/// The header with the token of a page.
const TOKEN: &str = "x-voicehook-inspect-token";

fn client() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().into()
}

/// `voicehook inspect` on a free port, ended with the test.
pub struct Inspect {
    child: Child,
    /// The page's URL, with its token.
    pub url: String,
    /// What it printed.
    pub lines: Vec<String>,
}

impl Inspect {
    /// Starts it with further options, and reads what it prints until it listens.
    pub fn start(command: &mut Command, options: &[&str]) -> Self {
        command.args(["inspect", "--listen", "127.0.0.1:0"]).args(options);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            lines.push(line.unwrap());
            if lines.last().is_some_and(|line| line.starts_with("Nothing is received")) {
                break;
            }
        }
        let url = lines.iter().find_map(|line| line.strip_prefix("inspector: ")).unwrap_or_default().to_owned();
        assert!(!url.is_empty(), "it ended: {}", String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap());
        Self { child, url, lines }
    }

    /// Asks its API. Returns the status and the document.
    pub fn ask(&self, path: &str) -> (u16, serde_json::Value) {
        self.send(path, None)
    }

    /// Posts to its API.
    pub fn post(&self, path: &str, document: &serde_json::Value) -> (u16, serde_json::Value) {
        self.send(path, Some(document))
    }

    /// A request to its API that can be sent from another thread.
    pub fn request(&self, path: &str) -> ureq::RequestBuilder<ureq::typestate::WithBody> {
        let (url, token) = self.target(path);
        client().post(url).header(TOKEN, token)
    }

    fn target(&self, path: &str) -> (String, &str) {
        let (page, token) = self.url.split_once("?token=").unwrap();
        (format!("{page}/api/{path}"), token)
    }

    fn send(&self, path: &str, document: Option<&serde_json::Value>) -> (u16, serde_json::Value) {
        let (url, token) = self.target(path);
        let sent = match document {
            None => client().get(&url).header(TOKEN, token).call(),
            Some(document) => self.request(path).send(document.to_string()),
        };
        let mut answer = sent.unwrap();
        let body = answer.body_mut().read_to_string().unwrap();
        (answer.status().as_u16(), serde_json::from_str(&body).unwrap_or(serde_json::Value::Null))
    }

    /// Ends it as Ctrl-C does, and returns its status and what it wrote to standard error.
    pub fn interrupt(mut self) -> (Option<i32>, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let status = self.child.wait().unwrap();
        let mut text = String::new();
        std::io::Read::read_to_string(&mut self.child.stderr.take().unwrap(), &mut text).unwrap();
        (status.code(), text)
    }
}

impl Drop for Inspect {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
