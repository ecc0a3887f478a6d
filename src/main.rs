//! The Lambda function: configuration, clients, receiver, and then invocations, one after the other or side by side.

use std::{io, process::ExitCode, time::Instant};

use tokio::runtime::{Builder, Runtime};
use voicehook_lambda::{
    aws::Aws,
    config::{Config, ConfigError},
    lambda, telemetry,
};

fn main() -> ExitCode {
    telemetry::start();
    match runtime() {
        // On a separate task: whatever wakes the future that blocks a runtime makes a system call.
        Ok(runtime) => runtime.block_on(async { tokio::spawn(run()).await }).unwrap_or(ExitCode::FAILURE),
        Err(error) => {
            tracing::error!(%error, "the async runtime does not start");
            ExitCode::FAILURE
        }
    }
}

/// With one invocation at a time, a second thread only adds hand-overs between the two.
fn runtime() -> io::Result<Runtime> {
    match lambda::invocations_at_once() {
        0 | 1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    }
    .enable_all()
    .build()
}

async fn run() -> ExitCode {
    let started = Instant::now();
    let (config, aws) = match configuration() {
        Ok(configuration) => configuration,
        Err(error) => {
            tracing::error!(%error, "the configuration is wrong; the function does not start");
            return ExitCode::FAILURE;
        }
    };
    let configured = Instant::now();
    let receiver = config.receiver(&aws);
    let configuration_micros = (configured - started).as_micros() as u64;
    let clients_micros = configured.elapsed().as_micros() as u64;
    // The log lets only the library's own target speak below WARN.
    tracing::debug!(target: "voicehook", configuration_micros, clients_micros, "the configuration is read and the clients are made");
    receiver.warm_up().await;
    let credentials = aws.credentials().clone();
    let ended = async move {
        credentials.ended().await;
        tracing::error!("AWS no longer accepts the credentials; the process ends, so that Lambda starts another one");
    };
    if let Err(error) = lambda::run(receiver, ended).await {
        tracing::error!(%error, "the Runtime API is lost");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn configuration() -> Result<(Config, Aws), ConfigError> {
    match (Config::from_environment(), Aws::from_lambda_environment()) {
        (Ok(config), Ok(aws)) => Ok((config, aws)),
        (config, aws) => Err(ConfigError::all([config.err(), aws.err().map(ConfigError::from)])),
    }
}
