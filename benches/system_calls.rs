//! How many system calls a webhook takes, counted by strace on the function as a process, between a Runtime API and an
//! SQS of this program's own.
//!
//!     cargo bench --bench system_calls               # compare with benches/system-calls.json
//!     cargo bench --bench system_calls -- --update   # write it anew, and say why in the commit
//!
//! Webhooks of 300 bytes come one after the other, as on Lambda. The count is the difference between many and few, so
//! that what the start and the end take does not count. The queue speaks HTTP: TLS changes the bytes and not the calls.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark prints, and fails by panicking"
)]

mod support;

use std::{collections::BTreeMap, env, fs, path::PathBuf};

use support::{
    APP_ID, body, event,
    guard::{Counts, compare},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::Command,
    runtime::Builder,
    task::JoinHandle,
    time::timeout,
};
use voicehook_test_support::{
    runtime_api::{PATIENCE, RuntimeApi, terminate, webhook_event},
    sqs_stub::{Reaction, SqsStub},
};

const BYTES: usize = 300;
/// Webhooks of the short and of the long run.
const WEBHOOKS: [usize; 2] = [100, 600];
const TOLERANCE: f64 = 0.02;
/// The most waits for something to happen, of a hundred webhooks. How many there are depends on which process is
/// faster: three exchanges are answered, and a second wait after one of them is what a busy machine adds.
const MOST_WAITS: u64 = 500;

fn main() {
    let arguments: Vec<_> = env::args().skip(1).collect();
    // A test of the benchmark traces nothing.
    if arguments.iter().any(|argument| argument == "--update" || argument == "--bench") {
        compare("system-calls.json", TOLERANCE, count);
    }
}

/// Of a hundred webhooks, so that a call that not every webhook needs is seen.
fn count() -> Counts {
    let [few, many] = WEBHOOKS.map(calls);
    let (mut waits, mut others) = (0, 0);
    for (name, many) in many {
        let more = many.saturating_sub(few.get(&name).copied().unwrap_or_default());
        let calls = (100 * more).div_ceil((WEBHOOKS[1] - WEBHOOKS[0]) as u64);
        if calls > 0 {
            println!("{name}: {calls} in a hundred webhooks");
        }
        *if name.starts_with("epoll") { &mut waits } else { &mut others } += calls;
    }
    assert!(waits <= MOST_WAITS, "{waits} waits in a hundred webhooks, and at most {MOST_WAITS} may be");
    Counts::from([(format!("a hundred webhooks of {BYTES} bytes: calls without waits"), others)])
}

/// The system calls of a function that takes so many webhooks, by name.
fn calls(webhooks: usize) -> BTreeMap<String, u64> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/strace");
    fs::create_dir_all(&directory).unwrap();
    let summary = directory.join(format!("{webhooks}-webhooks"));
    let mut strace = Command::new("strace");
    // The function itself is the process that is started, and strace one beside it.
    strace.args(["-D", "-f", "-c", "-o"]).arg(&summary).arg(env!("CARGO_BIN_EXE_lambda"));
    Builder::new_current_thread().enable_all().build().unwrap().block_on(serve(strace, webhooks));
    let summary = fs::read_to_string(&summary).unwrap();
    let rows = summary.lines().filter(|line| !line.starts_with(['%', '-']) && !line.ends_with("total"));
    let columns = rows.map(|row| row.split_whitespace().collect::<Vec<_>>());
    columns.map(|columns| ((*columns.last().unwrap()).to_owned(), columns[3].parse().unwrap())).collect()
}

async fn serve(strace: Command, webhooks: usize) {
    let (stub, api) = (SqsStub::start(&[], Reaction::Accept).await, RuntimeApi::start().await);
    let (endpoint, queue_url) = (stub.endpoint(), stub.queue_url());
    let variables = [("AWS_ENDPOINT_URL", &*endpoint), ("QUEUE_URL", &queue_url), ("ENABLEX_APP_ID", APP_ID)];
    let mut function = api.function_by(strace, &variables);
    // Both are read as Lambda reads them. The log ends when strace does, whose summary is complete then.
    let (log, errors) = (all(function.stdout.take()), all(function.stderr.take()));
    let webhook = webhook_event("/webhook", "", &body(&event(BYTES))).to_string();
    let answers = async {
        for _ in 0..webhooks {
            let answer = timeout(PATIENCE, api.invoke_with_text(webhook.clone(), None)).await;
            assert_eq!(answer.unwrap().unwrap()["statusCode"], 200);
        }
    };
    tokio::select! {
        () = answers => terminate(&function),
        ended = function.wait() => panic!("the function under strace: {}: {}", ended.unwrap(), errors.await.unwrap()),
    }
    let ended = timeout(PATIENCE, function.wait()).await.unwrap().unwrap();
    assert!(ended.success(), "{ended}: {}", errors.await.unwrap());
    timeout(PATIENCE, log).await.unwrap().unwrap();
    assert_eq!(stub.accepted().iter().filter(|message| message["MessageBody"].is_string()).count(), webhooks);
}

/// Everything that comes until the end.
fn all(from: Option<impl AsyncRead + Send + Unpin + 'static>) -> JoinHandle<String> {
    let mut text = String::new();
    tokio::spawn(async move {
        from.unwrap().read_to_string(&mut text).await.unwrap();
        text
    })
}
