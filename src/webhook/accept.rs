//! Which webhooks are taken, as the operator has it.

use super::{Malformed, list, shortened};
use crate::decrypt::{Algorithm, Mode};

/// What the operator accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accept {
    /// The algorithms that may be used (`ALLOWED_ALGORITHMS`).
    pub algorithms: Vec<Algorithm>,
    /// Whether a body without an algorithm header is taken as the event itself (`ALLOW_PLAINTEXT`).
    pub plaintext: bool,
}

impl Default for Accept {
    /// The CBC modes, which are what EnableX documents, and encrypted webhooks only.
    fn default() -> Self {
        let mut accept = Self::all();
        accept.algorithms.retain(|algorithm| algorithm.mode == Mode::Cbc);
        accept
    }
}

impl Accept {
    /// Every supported algorithm, and encrypted webhooks only.
    #[must_use]
    pub fn all() -> Self {
        Self { algorithms: Algorithm::NAMES.iter().map(|(_, algorithm)| *algorithm).collect(), plaintext: false }
    }

    pub(super) fn algorithm(&self, header: &'static str, name: &str) -> Result<Algorithm, Malformed> {
        match Algorithm::named(name) {
            Some(algorithm) if self.algorithms.contains(&algorithm) => Ok(algorithm),
            Some(_) => Err(Malformed::NotAllowed { header, given: shortened(name), allowed: list(&self.names()) }),
            None => Err(Malformed::unsupported(header, name, &self.names())),
        }
    }

    /// The names of what is allowed.
    pub(super) fn names(&self) -> Vec<(&'static str, Algorithm)> {
        Algorithm::NAMES.iter().copied().filter(|(_, algorithm)| self.algorithms.contains(algorithm)).collect()
    }
}
