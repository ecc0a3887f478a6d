//! The function: its library, and the binary under a stub of Lambda's Runtime API.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod batching;
mod capacity;
mod cloud_events;
mod configuration;
mod events;
mod guarantees;
mod identity;
mod interoperability;
#[cfg(unix)]
mod lambda;
mod message;
mod order;
mod padding_oracle;
mod properties;
#[cfg(unix)]
mod real_requests;
mod receiver;
mod reference;
mod rotation;
mod secrets_manager;
mod sqs;
mod telemetry;
mod template;
mod tls;

/// The binary of the function: the one of this build, or the one that `VOICEHOOK_LAMBDA` names, for another processor.
fn lambda_binary() -> String {
    std::env::var("VOICEHOOK_LAMBDA").unwrap_or_else(|_| env!("CARGO_BIN_EXE_lambda").to_owned())
}
