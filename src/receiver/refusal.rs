//! Why a request has no event that the queue can take: the one error of opening a webhook.

use http::StatusCode;

use crate::{app_id::AppIdUnavailable, decrypt::Fault, webhook::Malformed};

/// What the sender is told where the AppIDs could not be read.
const NO_APP_ID: &str = "the AppID is not available at the moment; try again";

/// Why a request has no event that the queue can take. Sending it again would not help, but where the AppID is unavailable.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// No app of that name, or not the right token.
    NotFound,
    /// The request is not a webhook.
    Malformed(Malformed),
    /// None of the app's AppIDs opens the webhook.
    Undecryptable(Fault),
    /// The event's own timestamp is older than `MAX_EVENT_AGE_SECONDS`.
    TooOld,
    /// The event is larger than the queue takes.
    TooLarge {
        /// The queue's limit, in bytes.
        limit: usize,
    },
    /// It does not open with the AppIDs that are known, or names an app or a token that they do not have; and whether
    /// there are newer ones could not be asked.
    AppIdUnavailable(AppIdUnavailable),
}

impl Refusal {
    /// A stable code for logs, metrics and the quarantine's attribute `reason`.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Malformed(_) => "malformed",
            Self::Undecryptable(_) => "undecryptable",
            Self::TooOld => "too_old",
            Self::TooLarge { .. } => "too_large",
            Self::AppIdUnavailable(_) => "app_id_unavailable",
        }
    }

    /// Whether other AppIDs could change it.
    #[must_use]
    pub const fn depends_on_app_ids(&self) -> bool {
        match self {
            Self::NotFound => true,
            Self::Undecryptable(fault) => fault.depends_on_app_id(),
            _ => false,
        }
    }

    pub(super) const fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Malformed(malformed) if malformed.is_unsupported_body() => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Malformed(_) | Self::Undecryptable(_) | Self::TooOld => StatusCode::BAD_REQUEST,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::AppIdUnavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// What the sender is told. Only a request that is malformed is told what is wrong with it.
    pub(super) fn message(&self) -> String {
        match self {
            Self::NotFound => "not found".to_owned(),
            Self::Malformed(malformed) => malformed.to_string(),
            Self::Undecryptable(_) => "encrypted_data could not be opened with the AppID of this app".to_owned(),
            Self::TooOld => "the event is older than this receiver takes".to_owned(),
            Self::TooLarge { limit } => format!("the event is larger than the {limit} bytes that the queue takes"),
            Self::AppIdUnavailable(_) => NO_APP_ID.to_owned(),
        }
    }

    /// What the operator is told beyond the reason.
    pub(super) fn detail(&self) -> Option<String> {
        Some(match self {
            Self::NotFound => return None,
            Self::Malformed(malformed) => malformed.to_string(),
            Self::Undecryptable(fault) => fault.name().to_owned(),
            Self::TooOld => "the event's timestamp is older than MAX_EVENT_AGE_SECONDS".to_owned(),
            Self::TooLarge { limit } => format!("the queue takes {limit} bytes"),
            Self::AppIdUnavailable(error) => error.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_a_code_and_says_more_to_the_operator_than_to_the_sender() {
        for (refusal, reason, message, detail) in [
            (Refusal::NotFound, "not_found", "not found", None),
            (Refusal::Undecryptable(Fault::Text), "undecryptable", "could not be opened", Some("text")),
            (Refusal::TooOld, "too_old", "older than", Some("MAX_EVENT_AGE_SECONDS")),
            (Refusal::TooLarge { limit: 1024 }, "too_large", "larger than the 1024 bytes", Some("1024 bytes")),
            (
                Refusal::AppIdUnavailable(AppIdUnavailable::OutOfTime),
                "app_id_unavailable",
                "try again",
                Some("Secrets Manager did not answer"),
            ),
        ] {
            assert_eq!(refusal.reason(), reason);
            assert!(refusal.message().contains(message), "{}", refusal.message());
            assert!(
                refusal.detail().unwrap_or_default().contains(detail.unwrap_or_default()),
                "{:?}",
                refusal.detail()
            );
            assert_eq!(refusal.detail().is_some(), detail.is_some());
        }
    }

    #[test]
    fn another_app_id_changes_what_names_an_app_or_needs_a_key_and_nothing_else() {
        let depend = [Refusal::NotFound, Refusal::Undecryptable(Fault::Padding)];
        assert!(depend.iter().all(Refusal::depends_on_app_ids));
        let do_not = [Refusal::Undecryptable(Fault::Format), Refusal::TooOld, Refusal::TooLarge { limit: 1024 }];
        assert!(!do_not.iter().any(Refusal::depends_on_app_ids));
    }
}
