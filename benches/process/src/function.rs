//! A Lambda function as a separate process, and its resource use as the kernel reports it.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use nix::{time::clock_getcpuclockid, unistd::Pid};

use crate::{tls, webhooks};

/// What `template.yaml` sets for the C library.
const TEMPLATE: [(&str, &str); 2] = [("MALLOC_TRIM_THRESHOLD_", "33554432"), ("MALLOC_MMAP_THRESHOLD_", "33554432")];

/// What is deployed, and how it is started.
pub struct Function {
    pub name: String,
    /// What is in its zip; the first one is started, by Node where it is JavaScript.
    pub files: Vec<PathBuf>,
    /// Whether a webhook ends in a message.
    pub sends: bool,
    /// A build of voicehook: it takes several webhooks at once, carries the authorities that it trusts, and has the
    /// variables of its template.
    pub is_voicehook: bool,
}

/// A function that was started.
pub struct Process {
    child: tokio::process::Child,
    pub started: Instant,
}

impl Function {
    /// Starts it with the environment that Lambda gives, and with SQS at a local port.
    pub fn start(&self, runtime_api: &str, sqs: u16, directory: &Path, concurrency: usize) -> Process {
        let program = &self.files[0];
        let mut command = if program.extension().is_some() {
            let mut node = tokio::process::Command::new("node");
            node.args(["--no-deprecation", "--no-warnings"]).arg(program);
            node
        } else {
            tokio::process::Command::new(program)
        };
        command.env_clear().kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::null());
        command.envs([
            ("AWS_ACCESS_KEY_ID", "AKIDOFTHEBENCH"),
            ("AWS_SECRET_ACCESS_KEY", "secret-access-key-of-the-bench"),
            ("AWS_SESSION_TOKEN", &"session-token-of-the-bench".repeat(20)),
            ("AWS_REGION", "us-east-1"),
            ("AWS_LAMBDA_RUNTIME_API", runtime_api),
            ("AWS_LAMBDA_FUNCTION_NAME", "bench"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_ENDPOINT_URL", &format!("https://localhost:{sqs}")),
            ("QUEUE_URL", &format!("https://localhost:{sqs}/123456789012/events.fifo")),
            ("ENABLEX_APP_ID", webhooks::APP_ID),
        ]);
        command.env("PATH", std::env::var_os("PATH").expect("PATH"));
        if self.is_voicehook {
            command.env("SSL_CERT_FILE", directory.join(tls::AUTHORITY)).envs(TEMPLATE);
        } else {
            command.env("SSL_CERT_FILE", directory.join(tls::TRUSTED));
        }
        command.env("NODE_EXTRA_CA_CERTS", directory.join(tls::AUTHORITY));
        if concurrency > 1 {
            command.env("AWS_LAMBDA_MAX_CONCURRENCY", concurrency.to_string());
        }
        let started = Instant::now();
        let child = command.spawn().unwrap_or_else(|error| panic!("{} does not start: {error}", self.name));
        Process { child, started }
    }

    /// Bytes of what is deployed, and of that in a zip, whose compression is gzip's.
    pub fn sizes(&self) -> (u64, u64) {
        let files: Vec<Vec<u8>> = self.files.iter().map(|file| fs::read(file).expect("a file")).collect();
        let bytes = files.iter().map(Vec::len).sum::<usize>() as u64;
        (bytes, files.iter().map(|file| compressed(file)).sum())
    }
}

impl Process {
    fn id(&self) -> u32 {
        self.child.id().expect("a running process")
    }

    /// User and system time of all its threads, those that ended included.
    pub fn cpu(&self) -> Duration {
        let clock = clock_getcpuclockid(Pid::from_raw(self.id() as i32)).expect("a running process");
        clock.now().expect("a clock").into()
    }

    /// The most memory that it ever had in RAM (`VmHWM`), in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).expect("a running process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
        1024 * line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number")
    }

    pub async fn end(mut self) {
        self.child.kill().await.expect("a running process");
    }
}

fn compressed(bytes: &[u8]) -> u64 {
    let gzip = Command::new("gzip").arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut gzip = gzip.expect("gzip");
    let mut input = gzip.stdin.take().expect("a pipe");
    let bytes = bytes.to_vec();
    let writing = std::thread::spawn(move || input.write_all(&bytes));
    let output = gzip.wait_with_output().expect("gzip");
    writing.join().expect("a thread").expect("gzip reads all");
    output.stdout.len() as u64
}
