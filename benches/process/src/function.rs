//! A Lambda function as a separate process, and its resource use as the kernel reports it.

use std::{
    fs,
    io::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    time::clock_getcpuclockid,
    unistd::Pid,
};

use crate::{share::Share, tls, webhooks};

/// What `template.yaml` sets for the C library.
const TEMPLATE: [(&str, &str); 2] = [("MALLOC_TRIM_THRESHOLD_", "33554432"), ("MALLOC_MMAP_THRESHOLD_", "33554432")];

/// What is deployed, and how it is started.
pub struct Function {
    pub name: String,
    /// What runs the first file, with its options; nothing where that is a program itself.
    pub interpreter: Vec<PathBuf>,
    /// What is in its zip; the first one is started.
    pub files: Vec<PathBuf>,
    /// Whether a webhook ends in a message.
    pub sends: bool,
    /// A build of voicehook: it takes several webhooks at once, carries the authorities that it trusts, and has the
    /// variables of its template.
    pub is_voicehook: bool,
}

/// What a function is started with.
#[derive(Clone, Copy)]
pub struct Setup<'a> {
    pub runtime_api: SocketAddr,
    /// The port of SQS and Secrets Manager.
    pub aws: u16,
    /// Where the certificates are.
    pub directory: &'a Path,
    pub kind: Kind,
}

/// What kind of environment it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One webhook at a time.
    Plain,
    /// So many webhooks at once.
    Concurrent(usize),
    /// One at a time, with the AppID in a secret that is due after a second.
    WithSecret,
}

/// A function that was started.
pub struct Process {
    child: Child,
    pub started: Instant,
    /// CPU time before that.
    cpu_before: Duration,
}

/// A process that becomes the function when it is told to.
pub struct Prepared(Process);

impl Function {
    /// Starts it with the environment that Lambda gives, and with AWS at a local port.
    pub fn start(&self, setup: &Setup<'_>) -> Process {
        let [program, arguments @ ..] = &self.command_line()[..] else { unreachable!("a program") };
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null());
        self.environment(&mut command, setup);
        let started = Instant::now();
        Process { child: self.spawned(command), started, cpu_before: Duration::ZERO }
    }

    /// A process that waits, so that it can be put under a quota before the function's first instruction.
    pub fn prepare(&self, setup: &Setup<'_>, share: Option<&Share>) -> Prepared {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", r#"read -r _; exec "$@""#, "sh"]).args(self.command_line()).stdin(Stdio::piped());
        self.environment(&mut command, setup);
        let child = self.spawned(command);
        if let Some(share) = share {
            share.add(child.id());
        }
        Prepared(Process { child, started: Instant::now(), cpu_before: Duration::ZERO })
    }

    fn command_line(&self) -> Vec<PathBuf> {
        self.interpreter.iter().chain(&self.files[..1]).cloned().collect()
    }

    fn spawned(&self, mut command: Command) -> Child {
        command.stdout(Stdio::null()).spawn().unwrap_or_else(|error| panic!("{} does not start: {error}", self.name))
    }

    fn environment(&self, command: &mut Command, setup: &Setup<'_>) {
        let endpoint = format!("https://localhost:{}", setup.aws);
        command.env_clear().envs([
            ("AWS_ACCESS_KEY_ID", "AKIDOFTHEBENCH"),
            ("AWS_SECRET_ACCESS_KEY", "secret-access-key-of-the-bench"),
            ("AWS_SESSION_TOKEN", &"session-token-of-the-bench".repeat(20)),
            ("AWS_REGION", "us-east-1"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_LAMBDA_RUNTIME_API", &setup.runtime_api.to_string()),
            ("AWS_LAMBDA_FUNCTION_NAME", "bench"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_ENDPOINT_URL", &endpoint),
            ("QUEUE_URL", &format!("{endpoint}/123456789012/events.fifo")),
        ]);
        command.env("PATH", std::env::var_os("PATH").expect("PATH"));
        if setup.kind == Kind::WithSecret {
            command.envs([("ENABLEX_APP_ID_SECRET", "app-id"), ("APP_ID_TTL_SECONDS", "1")]);
        } else {
            command.env("ENABLEX_APP_ID", webhooks::APP_ID);
        }
        if self.is_voicehook {
            command.env("SSL_CERT_FILE", setup.directory.join(tls::AUTHORITY)).envs(TEMPLATE);
        } else {
            command.env("SSL_CERT_FILE", setup.directory.join(tls::TRUSTED));
            command.env("AWS_CA_BUNDLE", setup.directory.join(tls::TRUSTED));
        }
        command.env("NODE_EXTRA_CA_CERTS", setup.directory.join(tls::AUTHORITY));
        if let Kind::Concurrent(webhooks) = setup.kind {
            command.env("AWS_LAMBDA_MAX_CONCURRENCY", webhooks.to_string());
        }
    }

    /// Bytes of what is deployed, and of that in a zip, whose compression is gzip's.
    pub fn sizes(&self) -> (u64, u64) {
        let files: Vec<Vec<u8>> = self.files.iter().map(|file| fs::read(file).expect("a file")).collect();
        let bytes = files.iter().map(Vec::len).sum::<usize>() as u64;
        (bytes, files.iter().map(|file| compressed(file)).sum())
    }
}

impl Prepared {
    /// Lets it become the function.
    pub fn start(self) -> Process {
        let Self(mut process) = self;
        let mut input = process.child.stdin.take().expect("a pipe");
        process.cpu_before = process.cpu();
        process.started = Instant::now();
        input.write_all(b"\n").expect("a process that waits");
        process
    }
}

impl Process {
    fn id(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    /// User and system time of all its threads, those that ended included.
    pub fn cpu(&self) -> Duration {
        let clock = clock_getcpuclockid(self.id()).expect("a running process");
        Duration::from(clock.now().expect("a clock")) - self.cpu_before
    }

    /// The most memory that it ever had in RAM (`VmHWM`), in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).expect("a running process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
        1024 * line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number")
    }

    /// Stands for Lambda's freezing of an environment between two invocations.
    pub fn freeze(&self) {
        kill(self.id(), Signal::SIGSTOP).expect("a running process");
    }

    /// Ends that.
    pub fn thaw(&self) {
        kill(self.id(), Signal::SIGCONT).expect("a process");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
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
