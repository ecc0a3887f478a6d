//! The subscribers of `examples/`, at a real queue, with messages that voicehook itself put there: each event is handled
//! once though it comes twice, one that fails comes again and takes no other one with it, and a call keeps its order.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::{Duration, Instant},
};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use voicehook_lambda::{
    app_id::{AppIds, FixedAppId},
    queue::{Message, QueueKind, QueueUrl, Sqs},
    receiver::{Receiver, Settings},
};

use voicehook_test_support::{TestQueue, skipped};

use crate::{
    aws_emulator::AwsEmulator,
    lambda_emulator::LambdaEmulator,
    process::{Process, run},
    tools::Tools,
};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");
const STATES: [&str; 4] = ["connected", "bridged", "recording_complete", "disconnected"];
const DEADLINE: Duration = Duration::from_secs(10);
const LONGEST_WAIT: Duration = Duration::from_secs(90);
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// The events of a call that a subscriber handles. Each proves which one it is, so that it has one id however often it is
/// sent.
fn call(voice_id: &str) -> Vec<String> {
    let recording =
        r#","recording_url":"https://example.com/1.wav","call_duration":"12","timestamp":"2026-11-23T10:52:06.250Z""#;
    STATES.iter().map(|state| format!(r#"{{"voice_id":"{voice_id}","state":"{state}"{recording}}}"#)).collect()
}

/// An event that no subscriber can handle: the recording is nowhere.
const FAILS: &str = r#"{"voice_id":"fails","state":"recording_complete"}"#;

/// The messages that the function makes of events.
async fn messages(events: &[String]) -> Vec<Message> {
    let queue = TestQueue::new(QueueKind::Fifo);
    for event in events {
        assert_eq!(
            voicehook_test_support::receiver(&queue).respond(&voicehook_test_support::request(event)).await.status(),
            200
        );
    }
    queue.messages()
}

async fn event_ids(events: &[String]) -> Vec<String> {
    let mut ids: Vec<_> =
        messages(events).await.iter().map(|message| message.attribute("event_id").unwrap().to_owned()).collect();
    ids.sort();
    ids
}

/// What a subscriber works with: `subscriber_resources.py` makes it.
#[derive(Deserialize)]
struct Resources {
    url: String,
    arn: String,
    dead_letter_url: String,
    table: String,
}

/// The emulator, and what reaches into it.
struct Cloud {
    tools: Tools,
    aws: AwsEmulator,
}

impl Cloud {
    fn start() -> Option<Self> {
        let tools = Tools::without_the_function()?;
        let aws = AwsEmulator::start(&tools);
        Some(Self { tools, aws })
    }

    /// Calls `subscriber_resources.py`.
    fn resources<T: DeserializeOwned>(&self, arguments: &[&str]) -> T {
        let mut python = self.tools.command("python");
        python.arg("cli/tests/end_to_end/subscriber_resources.py").args(arguments);
        serde_json::from_str(&run(self.aws.client_environment(&mut python))).unwrap()
    }

    /// Sends events as the function does, and asserts that SQS has them.
    async fn publish(&self, queue_url: &str, events: &[String]) {
        let queue = Sqs::new(&voicehook_test_support::aws(&self.aws.endpoint()), QueueUrl::new(queue_url).unwrap());
        let app_ids = AppIds::new(FixedAppId::new(voicehook_test_support::APP_ID), DEADLINE);
        let receiver = Receiver::new(Settings { publish_deadline: DEADLINE, ..Settings::default() }, app_ids, queue);
        for event in events {
            assert_eq!(receiver.respond(&voicehook_test_support::request(event)).await.status(), 200, "{event}");
        }
    }

    /// Waits until everything on a queue was handled.
    async fn wait_until_empty(&self, queue_url: &str) {
        let emptied = async {
            while self.aws.messages_left(queue_url).await > 0 {
                tokio::time::sleep(BETWEEN_LOOKS).await;
            }
        };
        tokio::time::timeout(LONGEST_WAIT, emptied).await.expect("the queue does not become empty");
    }

    fn done(&self, resources: &Resources) -> Vec<String> {
        self.resources(&["done", &resources.table])
    }
}

/// The example, built once for all tests of the process.
fn rust_subscriber() -> Option<PathBuf> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let build = || {
        if !Path::new(EXAMPLES).join("subscriber/Cargo.toml").exists() {
            skipped("cargo packs no package inside of another: the Rust subscriber is only in the repository");
            return None;
        }
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("subscriber");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--locked", "--quiet", "--target-dir"]).arg(&target);
        run(cargo.current_dir(Path::new(EXAMPLES).join("subscriber")));
        Some(target.join("debug/bootstrap"))
    };
    BUILT.get_or_init(build).clone()
}

/// An event of Lambda with messages of a queue, and the response: the messages that failed.
fn failed(function: &LambdaEmulator, queue: &str, messages: &[&Message]) -> Vec<String> {
    let record = |message: &&Message| {
        let attributes: serde_json::Map<String, Value> = message
            .attributes
            .iter()
            .map(|(name, value)| ((*name).to_string(), json!({ "stringValue": value, "dataType": "String" })))
            .collect();
        json!({
            "messageId": format!("message of {}", message.attribute("event_id").unwrap()), "receiptHandle": "handle", "body": message.body,
            "attributes": { "MessageGroupId": message.group_id }, "messageAttributes": attributes,
            "eventSource": "aws:sqs", "eventSourceARN": queue, "awsRegion": "us-east-1",
        })
    };
    let records: Vec<Value> = messages.iter().map(record).collect();
    let response = function.invoke_with(&json!({ "Records": records }));
    let failures = response["batchItemFailures"].as_array().unwrap_or_else(|| panic!("{response}"));
    let id = |failure: &Value| failure["itemIdentifier"].as_str().unwrap().trim_start_matches("message of ").to_owned();
    failures.iter().map(id).collect()
}

/// The only line of the Rust subscriber's log that says that an event was handled.
fn handled_once(log: &str, event_id: &str) -> usize {
    let says_so = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap_or_default();
        line["event_id"] == event_id && line["result"].is_string()
    };
    let lines: Vec<usize> =
        log.lines().enumerate().filter(|(_, line)| says_so(line)).map(|(number, _)| number).collect();
    let [line] = lines[..] else { panic!("{event_id} was handled {} times: {log}", lines.len()) };
    line
}

#[tokio::test]
async fn the_rust_subscriber_reports_what_failed_and_handles_the_rest_once() {
    let (Some(cloud), Some(program)) = (Cloud::start(), rust_subscriber()) else { return };
    let resources: Resources = cloud.resources(&["create", "events"]);
    let variables = [("EVENTS_TABLE", resources.table.as_str())];
    let function = LambdaEmulator::start_program(&cloud.tools, &cloud.aws, &program, &variables);
    let mut events = call("a");
    events.insert(1, FAILS.to_owned());
    let messages = messages(&events).await;
    let [first, fails, second, third, fourth] = messages.iter().collect::<Vec<_>>().try_into().unwrap();
    let ids = |messages: &[&Message]| {
        messages.iter().map(|message| message.attribute("event_id").unwrap().to_owned()).collect::<Vec<_>>()
    };

    let standard = "arn:aws:sqs:us-east-1:000000000000:events";
    assert_eq!(failed(&function, standard, &[first, fails, second]), ids(&[fails]));
    assert_eq!(failed(&function, standard, &[second, first, fails, first]), ids(&[fails]), "once more");
    let fifo = "arn:aws:sqs:us-east-1:000000000000:events.fifo";
    assert_eq!(failed(&function, fifo, &[first, fails, third, fourth]), ids(&[fails, third, fourth]));
    assert_eq!(failed(&function, fifo, &[third]), [""; 0]);

    // Somebody else is at work on it; after that nobody is any more, and it was never done.
    cloud.resources::<Value>(&["lease", &resources.table, fourth.attribute("event_id").unwrap(), "60"]);
    assert_eq!(failed(&function, fifo, &[fourth]), ids(&[fourth]));
    cloud.resources::<Value>(&["lease", &resources.table, fourth.attribute("event_id").unwrap(), "-60"]);
    assert_eq!(failed(&function, fifo, &[fourth]), [""; 0]);

    let mut done = ids(&[first, second, third, fourth]);
    done.sort();
    assert_eq!(cloud.done(&resources), done);
    let log = function.stop();
    done.iter().for_each(|event_id| {
        handled_once(&log, event_id);
    });
    assert!(log.contains("over after 12 s") && log.contains("a recording without its URL"), "{log}");
}

#[tokio::test]
async fn the_rust_subscriber_deployed_by_its_template_takes_each_wanted_event_of_the_queue_once_and_in_order() {
    let (Some(cloud), Some(program)) = (Cloud::start(), rust_subscriber()) else { return };
    let mut resources: Resources = cloud.resources(&["create", "events.fifo"]);
    let outputs = deploy(&cloud, &program, &resources.arn);
    resources.table = outputs["EventsTableName"].clone();

    let events: Vec<String> = call("a").into_iter().zip(call("b")).flat_map(|(a, b)| [a, b]).collect();
    let wanted = event_ids(&events).await;
    let late = event_ids(&events[2..3]).await.remove(0);
    cloud.resources::<Value>(&["lease", &resources.table, &late, "3600"]);
    let mut sent = events.clone();
    sent.insert(3, r#"{"voice_id":"a","state":"hold"}"#.to_owned()); // no filter lets it through
    cloud.publish(&resources.url, &sent).await;
    let log = || cloud.resources::<Vec<String>>(&["log", &outputs["LogGroupName"]]).join("\n");
    let start = Instant::now();
    while !log().contains("another invocation is at work on it") {
        assert!(start.elapsed() < LONGEST_WAIT, "no event failed: {}", log());
    }
    cloud.resources::<Value>(&["lease", &resources.table, &late, "-60"]);
    cloud.wait_until_empty(&resources.url).await;

    assert_eq!(cloud.done(&resources), wanted);
    assert_eq!(cloud.aws.messages_on(&resources.dead_letter_url).await, 0);
    let log = log();
    for call in [call("a"), call("b")] {
        let messages = messages(&call).await;
        let lines: Vec<usize> =
            messages.iter().map(|message| handled_once(&log, message.attribute("event_id").unwrap())).collect();
        assert!(lines.is_sorted(), "{lines:?}: {log}");
    }
}

/// Deploys the example's own template with the function as it was built. Returns the stack's outputs.
fn deploy(cloud: &Cloud, program: &Path, queue_arn: &str) -> BTreeMap<String, String> {
    let folder = PathBuf::from(format!("{}/subscriber-deployed", env!("CARGO_TARGET_TMPDIR")));
    fs::create_dir_all(folder.join("code")).unwrap();
    fs::copy(program, folder.join("code/bootstrap")).unwrap();
    let template = fs::read_to_string(format!("{EXAMPLES}/subscriber/template.yaml")).unwrap();
    assert!(template.contains("CodeUri: .\n"));
    fs::write(folder.join("template.yaml"), template.replace("CodeUri: .\n", "CodeUri: code\n")).unwrap();
    let mut deploy = cloud.tools.command("sam");
    deploy.args(["deploy", "--stack-name", "subscriber", "--no-confirm-changeset", "--no-progressbar"]);
    deploy.args(["--capabilities", "CAPABILITY_IAM", "--resolve-s3", "--template-file"]);
    deploy.arg(folder.join("template.yaml")).arg("--parameter-overrides");
    deploy.args([format!("QueueArn={queue_arn}"), "Architecture=x86_64".to_owned()]);
    run(cloud.aws.client_environment(&mut deploy).env("SAM_CLI_TELEMETRY", "0").current_dir(&folder));
    let mut outputs = cloud.tools.command("python");
    let script = "import boto3, json; stack = boto3.client('cloudformation').describe_stacks(StackName='subscriber'); \
                  print(json.dumps({o['OutputKey']: o['OutputValue'] for o in stack['Stacks'][0]['Outputs']}))";
    serde_json::from_str(&run(cloud.aws.client_environment(outputs.args(["-c", script])))).unwrap()
}

/// Runs a subscriber that polls: on a standard queue with duplicates and an event that fails, and on a FIFO queue with
/// an event that succeeds only later.
async fn poll(command: impl Fn(&Cloud) -> Option<Command>) {
    let Some(cloud) = Cloud::start() else { return };
    let start = |resources: &Resources| {
        let mut command = command(&cloud)?;
        cloud.aws.client_environment(&mut command);
        command.envs([("QUEUE_URL", &resources.url), ("EVENTS_TABLE", &resources.table)]);
        Some(Process::spawn(command))
    };
    let lines_of = |printed: &str, event_id: &str| printed.lines().filter(|line| line.starts_with(event_id)).count();

    let standard: Resources = cloud.resources(&["create", "events"]);
    let once = event_ids(&call("a")).await;
    cloud.publish(&standard.url, &[call("a"), vec![FAILS.to_owned()], call("a")].concat()).await;
    let Some(mut subscriber) = start(&standard) else { return };
    cloud.wait_until_empty(&standard.url).await;
    let printed = subscriber.printed();
    assert!(once.iter().all(|event_id| lines_of(&printed, event_id) == 1), "{printed}");
    assert_eq!(cloud.done(&standard), once);
    let dead = cloud.aws.receive_all(&standard.dead_letter_url, 1).await;
    assert_eq!(dead.iter().map(|message| message.body.as_str()).collect::<Vec<_>>(), [FAILS]);
    assert!(printed.matches("failed: ").count() >= 3, "{printed}");

    let fifo: Resources = cloud.resources(&["create", "events.fifo"]);
    let events: Vec<String> = call("a").into_iter().zip(call("b")).flat_map(|(a, b)| [a, b]).collect();
    let late = event_ids(&events[2..3]).await.remove(0);
    cloud.resources::<Value>(&["lease", &fifo.table, &late, "3600"]);
    cloud.publish(&fifo.url, &events).await;
    let Some(mut subscriber) = start(&fifo) else { return };
    subscriber.wait_until("an event fails", |printed| printed.contains("failed: "));
    cloud.resources::<Value>(&["lease", &fifo.table, &late, "-60"]);
    cloud.wait_until_empty(&fifo.url).await;
    let printed = subscriber.printed();
    assert_eq!(cloud.done(&fifo), event_ids(&events).await);
    for voice_id in ["a", "b"] {
        let of_call = printed.lines().filter_map(|line| line.split_once(&format!(" {voice_id} ")));
        let of_call: Vec<&str> = of_call.map(|(_, result)| result.split(' ').next().unwrap()).collect();
        assert_eq!(
            of_call,
            ["call.connected", "call.bridged", "recorded", "call.disconnected"],
            "{voice_id}: {printed}"
        );
    }
}

#[tokio::test]
async fn the_python_subscriber_handles_each_event_once_and_each_call_in_order() {
    poll(|cloud| {
        let mut python = cloud.tools.command("python");
        python.arg(format!("{EXAMPLES}/python/subscriber.py"));
        Some(python)
    })
    .await;
}

#[tokio::test]
async fn the_node_subscriber_handles_each_event_once_and_each_call_in_order() {
    if Tools::without_the_function().is_none() {
        return;
    }
    if Command::new("npm").arg("--version").output().is_err() {
        return skipped("the Node subscriber needs Node and npm");
    }
    let folder = PathBuf::from(format!("{}/node", env!("CARGO_TARGET_TMPDIR")));
    fs::create_dir_all(&folder).unwrap();
    for name in ["package.json", "subscriber.js"] {
        fs::copy(format!("{EXAMPLES}/node/{name}"), folder.join(name)).unwrap();
    }
    let install = ["install", "--no-audit", "--no-fund", "--no-save", "--silent"];
    run(Command::new("npm").args(install).current_dir(&folder));
    poll(|_| {
        let mut node = Command::new("node");
        node.arg(folder.join("subscriber.js"));
        Some(node)
    })
    .await;
}
