//! One thing that is wrong, and what to do about it.

use serde::{Serialize, Serializer};

/// Something that is wrong, and what to try.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// A sentence without its period, in lower case where it begins with a word.
    pub(crate) problem: String,
    /// What to do, the likeliest remedy first; sentences without their periods.
    #[serde(serialize_with = "joined")]
    pub(crate) next: Vec<String>,
}

impl Finding {
    pub(crate) fn new(problem: impl Into<String>, next: impl Into<String>) -> Self {
        Self { problem: problem.into(), next: vec![next.into()] }
    }

    pub(crate) fn with_steps<const N: usize>(problem: impl Into<String>, next: [&str; N]) -> Self {
        Self { problem: problem.into(), next: next.into_iter().map(str::to_owned).collect() }
    }

    /// What is wrong and what to try, in whole sentences.
    pub(crate) fn in_sentences(&self) -> (String, Vec<String>) {
        (sentence(&self.problem), self.next.iter().map(|step| sentence(step)).collect())
    }

    /// The same with one more thing to try.
    pub(crate) fn or(mut self, next: &str) -> Self {
        self.next.push(next.to_owned());
        self
    }
}

fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map_or_else(String::new, |first| first.to_uppercase().to_string());
    format!("{first}{}.", characters.as_str())
}

/// One text, as the reports of `decrypt --json` have it.
fn joined<S: Serializer>(next: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&next.join(". "))
}
