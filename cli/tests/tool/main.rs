//! The command-line tool, as a person runs it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod command_line;
mod decrypt;
mod doctor;
mod inspect;
mod inspector;
mod record;
mod redrive;
mod redrive_app_ids;
mod release;
mod subscribers;
#[path = "../support/tool.rs"]
mod tool;
mod trigger;
