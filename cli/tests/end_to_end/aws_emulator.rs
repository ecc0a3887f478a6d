//! A local emulator of SQS, Secrets Manager, CloudFormation, API Gateway and Lambda (ministack), and its clients.

use std::{collections::BTreeMap, fs, process::Command};

use aws_sdk_sqs::types::QueueAttributeName;
use aws_types::SdkConfig;

use voicehook_test_support::aws;

use crate::{
    process::{Process, free_port},
    tools::Tools,
};

/// A message as a subscriber sees it.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) body: String,
    pub(crate) attributes: BTreeMap<String, String>,
}

/// The emulator, alone on its port.
pub(crate) struct AwsEmulator {
    port: u16,
    home: String,
    shared: SdkConfig,
    _process: Process,
}

impl AwsEmulator {
    pub(crate) fn start(tools: &Tools) -> Self {
        let port = free_port();
        let home = format!("{}/aws-emulator-{port}", env!("CARGO_TARGET_TMPDIR"));
        fs::create_dir_all(&home).unwrap();
        let endpoint = format!("http://127.0.0.1:{port}");
        let mut command = tools.command("ministack");
        command.env_clear().current_dir(&home).envs([
            ("PATH", "/usr/bin:/bin"),
            ("HOME", &home),
            ("TMPDIR", &home),
            ("BIND_HOST", "127.0.0.1"),
            ("GATEWAY_PORT", &port.to_string()),
            ("AWS_ENDPOINT_URL", &endpoint),
            // Else it listens for IoT devices too, on all interfaces.
            ("IOT_MTLS_ENABLED", "0"),
        ]);
        let process = Process::start(command, port);
        let shared = aws(&endpoint).shared().clone();
        Self { port, home, shared, _process: process }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Points a client's process at the emulator, and away from whatever else is configured on the machine.
    pub(crate) fn client_environment<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.env_remove("AWS_CA_BUNDLE").env_remove("AWS_PROFILE").env_remove("AWS_SESSION_TOKEN").envs([
            ("HOME", self.home.as_str()),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL", &self.endpoint()),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ])
    }

    fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.shared)
    }

    fn secrets_manager(&self) -> aws_sdk_secretsmanager::Client {
        aws_sdk_secretsmanager::Client::new(&self.shared)
    }

    pub(crate) async fn create_fifo_queue(&self, name: &str) -> String {
        let create = self.sqs().create_queue().queue_name(name).attributes(QueueAttributeName::FifoQueue, "true");
        create.send().await.unwrap().queue_url.unwrap()
    }

    pub(crate) async fn create_secret(&self, name: &str, text: &str) {
        self.secrets_manager().create_secret().name(name).secret_string(text).send().await.unwrap();
    }

    pub(crate) async fn delete_queue(&self, url: &str) {
        self.sqs().delete_queue().queue_url(url).send().await.unwrap();
    }

    /// Where a deployed HTTP API answers to who cannot choose the host that he asks.
    pub(crate) fn url_of_api(&self, api_id: &str, path: &str) -> String {
        format!("{}/_aws/execute-api/{api_id}/$default{path}", self.endpoint())
    }

    /// Rotates a secret: what was current becomes previous.
    pub(crate) async fn put_secret(&self, name: &str, text: &str) {
        self.secrets_manager().put_secret_value().secret_id(name).secret_string(text).send().await.unwrap();
    }

    pub(crate) async fn messages_on(&self, queue_url: &str) -> usize {
        self.count(queue_url, QueueAttributeName::ApproximateNumberOfMessages).await
    }

    /// Messages that a reader received and has neither deleted nor given back.
    pub(crate) async fn messages_in_flight(&self, queue_url: &str) -> usize {
        self.count(queue_url, QueueAttributeName::ApproximateNumberOfMessagesNotVisible).await
    }

    /// All messages, received or not, at one moment.
    pub(crate) async fn messages_left(&self, queue_url: &str) -> usize {
        let (waiting, received) = (
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        );
        self.counts(queue_url, [waiting, received]).await.into_iter().sum()
    }

    async fn count(&self, queue_url: &str, name: QueueAttributeName) -> usize {
        let [count] = self.counts(queue_url, [name]).await;
        count
    }

    async fn counts<const N: usize>(&self, queue_url: &str, names: [QueueAttributeName; N]) -> [usize; N] {
        let request = self.sqs().get_queue_attributes().queue_url(queue_url);
        let counts = request.set_attribute_names(Some(names.to_vec())).send().await.unwrap().attributes.unwrap();
        names.map(|name| counts[&name].parse().unwrap())
    }

    pub(crate) async fn create_standard_queue(&self, name: &str) -> String {
        self.sqs().create_queue().queue_name(name).send().await.unwrap().queue_url.unwrap()
    }

    pub(crate) async fn secret_arn(&self, name: &str) -> String {
        self.secrets_manager().describe_secret().secret_id(name).send().await.unwrap().arn.unwrap()
    }

    /// Receives one message after the other without deleting any, as a subscriber that fails does, until none is left.
    pub(crate) async fn fail_all(&self, queue_url: &str) {
        let sqs = self.sqs();
        while self.messages_left(queue_url).await > 0 {
            let receive = sqs.receive_message().queue_url(queue_url).visibility_timeout(0).wait_time_seconds(1);
            receive.send().await.unwrap();
        }
    }

    /// Takes every message off a queue: as many as are expected, and then whatever else is there.
    pub(crate) async fn receive_all(&self, queue_url: &str, expected: usize) -> Vec<Received> {
        let sqs = self.sqs();
        let mut received = Vec::new();
        loop {
            let wait = if received.len() < expected { 5 } else { 0 };
            let receive = sqs.receive_message().queue_url(queue_url).max_number_of_messages(10).wait_time_seconds(wait);
            let messages = receive.message_attribute_names("All").send().await.unwrap().messages.unwrap_or_default();
            if messages.is_empty() {
                return received;
            }
            for message in messages {
                let receipt = message.receipt_handle.unwrap();
                sqs.delete_message().queue_url(queue_url).receipt_handle(receipt).send().await.unwrap();
                let attributes = message.message_attributes.unwrap_or_default();
                let attributes =
                    attributes.into_iter().map(|(name, value)| (name, value.string_value.unwrap_or_default()));
                received.push(Received { body: message.body.unwrap(), attributes: attributes.collect() });
            }
        }
    }

    /// Posts a webhook to a deployed API. Returns the status and the body of the answer.
    pub(crate) fn post(&self, host: &str, path: &str, body: &str) -> (u16, String) {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let request = agent.post(format!("{}{path}", self.endpoint())).header("host", host);
        let request = request.header("content-type", "application/json").header("x-algoritm", "aes-256-cbc");
        let mut response = request.header("x-format", "hex").header("x-encoding", "utf8").send(body).unwrap();
        (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
    }
}
