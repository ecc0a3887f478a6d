//! Secrets Manager with one secret, which is rotated, and `EnableX`, which encrypts with the AppIDs in it.

use serde_json::{Value, json};

use super::Milliseconds;

/// Of the AppIDs of another project.
pub const FOREIGN: &str = "somebody-elses-app-id";
/// The path of the app that every version has.
pub const APP: &str = "default";

/// The versions of the secret, the current one last.
#[derive(Debug)]
pub struct Secrets {
    /// When each version became current.
    current_since: Vec<Milliseconds>,
}

/// The AppID of a version.
pub fn app_id(version: usize) -> String {
    format!("app-id-of-version-{version}")
}

impl Secrets {
    pub fn new() -> Self {
        Self { current_since: vec![0] }
    }

    pub fn rotate(&mut self, now: Milliseconds) {
        self.current_since.push(now);
    }

    pub const fn current(&self) -> usize {
        self.current_since.len() - 1
    }

    /// Whether a version was the current or the previous one for the whole of that time.
    pub fn was_valid(&self, version: usize, from: Milliseconds, until: Milliseconds) -> bool {
        let begins = self.current_since.get(version).is_some_and(|since| *since <= from);
        begins && self.current_since.get(version + 2).is_none_or(|since| *since > until)
    }

    /// Whether a version was replaced only after a time, or not yet.
    pub fn was_replaced_after(&self, version: usize, at: Milliseconds) -> bool {
        self.current_since.get(version + 1).is_none_or(|replaced| *replaced > at)
    }

    /// The answer to `GetSecretValue`: status and body.
    pub fn answer(&self, request: &Value) -> (u16, Value) {
        let version = match request["VersionStage"].as_str() {
            Some("AWSPREVIOUS") => self.current().checked_sub(1),
            _ => Some(self.current()),
        };
        match version {
            Some(version) => {
                (200, json!({"Name": "app-ids", "SecretString": json!({"app_id": app_id(version)}).to_string()}))
            }
            None => (400, json!({"__type": "ResourceNotFoundException", "Message": "no such version"})),
        }
    }
}
