//! The function's process under the AWS Lambda Runtime Interface Emulator.

use std::{path::Path, process::Command};

use serde_json::{Value, json};

use crate::{
    aws_emulator::AwsEmulator,
    process::{Process, children, free_port},
    tools::Tools,
};

/// One emulator, and in it one function. It takes one invocation at a time.
pub(crate) struct LambdaEmulator {
    port: u16,
    process: Process,
}

impl LambdaEmulator {
    /// The function that `sam build` made.
    pub(crate) fn start(tools: &Tools, aws: &AwsEmulator, variables: &[(&str, &str)]) -> Self {
        Self::start_program(tools, aws, &tools.bootstrap(), variables)
    }

    /// Any program that is a function.
    pub(crate) fn start_program(tools: &Tools, aws: &AwsEmulator, program: &Path, variables: &[(&str, &str)]) -> Self {
        let (port, runtime_api) = (free_port(), free_port());
        let mut command = Command::new(tools.runtime_interface_emulator());
        command
            .args(["--runtime-interface-emulator-address", &format!("127.0.0.1:{port}")])
            .args(["--runtime-api-address", &format!("127.0.0.1:{runtime_api}")])
            .arg(program)
            .env_clear()
            .envs([("AWS_LAMBDA_FUNCTION_NAME", "voicehook"), ("AWS_LAMBDA_FUNCTION_TIMEOUT", "10")])
            .envs([("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"), ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")])
            .envs([("AWS_LAMBDA_LOG_LEVEL", "TRACE")])
            .envs(variables.iter().copied());
        aws.client_environment(&mut command);
        Self { port, process: Process::start(command, port) }
    }

    /// Invokes the function as an HTTP API does for a `POST`.
    pub(crate) fn invoke(&self, path: &str, body: &str) -> Value {
        self.invoke_with(&http_api_event(path, body))
    }

    /// Invokes the function with any event.
    pub(crate) fn invoke_with(&self, event: &Value) -> Value {
        self.try_invoke(event).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Invokes the function, which may be gone.
    pub(crate) fn try_invoke(&self, event: &Value) -> Result<Value, String> {
        let url = format!("http://127.0.0.1:{}/2015-03-31/functions/function/invocations", self.port);
        let mut response = ureq::post(url).send(event.to_string()).map_err(|error| error.to_string())?;
        let answer = response.body_mut().read_to_string().map_err(|error| error.to_string())?;
        serde_json::from_str(&answer).map_err(|error| format!("{error}: {answer}"))
    }

    /// The id of the function's process, which runs as soon as it was invoked once.
    pub(crate) fn function(&self) -> u32 {
        let children = children(self.process.id());
        *children.first().expect("the emulator has started the function")
    }

    /// The most memory that the function's process ever had, in KiB.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.function())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Ends it and returns everything that it and the function printed.
    pub(crate) fn stop(mut self) -> String {
        self.process.printed()
    }
}

/// The event of an HTTP API for a `POST`.
pub(crate) fn http_api_event(path: &str, body: &str) -> Value {
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {
            "content-type": "application/json",
            "x-algoritm": "aes-256-cbc",
            "x-format": "hex",
            "x-encoding": "utf8",
        },
        "requestContext": {
            "accountId": "123456789012", "apiId": "abc123", "stage": "$default", "requestId": "request-1",
            "time": "23/Nov/2026:10:52:06 +0000", "timeEpoch": 1_795_431_126_000_u64,
            "http": { "method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1" },
        },
        "body": body,
        "isBase64Encoded": false,
    })
}
