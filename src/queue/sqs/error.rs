//! What an operator must know of an error of SQS, by its code.
//!
//! SQS answers with codes of two generations (`QueueDoesNotExist` and `AWS.SimpleQueueService.NonExistentQueue`,
//! `KmsDisabled` and `KMS.DisabledException`); both mean the same here. SQS's own message is not repeated, because it
//! may quote the event.

use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};

use crate::{aws::described, queue::QueueError};

/// Codes that say nothing about the request, only that the credentials are no longer, or not yet, good.
const CREDENTIALS: [&str; 4] =
    ["ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"];
/// Codes that refuse the caller, beside those of KMS and of credentials.
const DENIED: [&str; 14] = [
    "AccessDenied",
    "AccessDeniedException",
    "AuthFailure",
    "Forbidden",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidSecurity",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "NotAuthorized",
    "OptInRequired",
    "RequestExpired",
    "SignatureDoesNotMatch",
];
/// Codes that refuse the message or the call.
const REFUSED: [&str; 6] = [
    "BatchEntryIdsNotDistinct",
    "EmptyBatchRequest",
    "MissingParameter",
    "TooManyEntriesInBatchRequest",
    "UnsupportedOperation",
    "ValidationException",
];

/// What the SDK's error means.
pub(super) fn classify<E, R>(error: SdkError<E, R>) -> QueueError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let SdkError::ServiceError(answer) = &error else {
        return match error {
            SdkError::TimeoutError(_) => QueueError::OutOfTime,
            other => QueueError::Unreachable(described(&other)),
        };
    };
    let code = answer.err().code().unwrap_or("no error code");
    match answer.err().message().and_then(size_limit) {
        Some(limit) if code.ends_with("InvalidParameterValue") => QueueError::TooLarge { limit },
        _ => from_code(code),
    }
}

/// The error of a code, with or without the name of the service before it.
pub(super) fn from_code(code: &str) -> QueueError {
    let name = code.rsplit('#').next().unwrap_or_default();
    let name = name.strip_prefix("AWS.SimpleQueueService.").unwrap_or(name);
    let code = name.to_owned();
    if name.contains("Throttl") || name.contains("LimitExceeded") || matches!(name, "OverLimit" | "SlowDown") {
        QueueError::Throttled(code)
    } else if matches!(name, "NonExistentQueue" | "QueueDoesNotExist" | "QueueDeletedRecently") {
        QueueError::NoSuchQueue
    } else if let Some(advice) = advice(name) {
        QueueError::Denied(format!("{code}: {advice}"))
    } else if REFUSED.contains(&name) || name.starts_with("Invalid") || name.contains("TooLong") {
        QueueError::Rejected(code)
    } else {
        // Nothing says that a code from the future will stay; trying again until the deadline costs little.
        QueueError::Unreachable(code)
    }
}

/// Whether it is the credentials that SQS did not accept.
pub(super) fn is_about_credentials(error: &QueueError) -> bool {
    let QueueError::Denied(text) = error else { return false };
    text.split_once(':').is_some_and(|(code, _)| CREDENTIALS.contains(&code))
}

/// What to do where the caller is refused; `None` where it is not.
fn advice(name: &str) -> Option<&'static str> {
    if let Some(kms) = name.strip_prefix("KMS.").or_else(|| name.strip_prefix("Kms")) {
        return Some(match kms {
            "AccessDeniedException" | "AccessDenied" => {
                "allow the function's role kms:GenerateDataKey and kms:Decrypt with the queue's KMS key, in the key's policy too"
            }
            "OptInRequired" => "this account may not use KMS; look at its status",
            _ => "the queue's KMS key cannot be used; enable it, or give the queue another one",
        });
    }
    if CREDENTIALS.contains(&name) {
        return Some("the credentials are not valid, or no longer; the function's role may have been deleted");
    }
    DENIED.contains(&name).then_some(match name {
        "OptInRequired" | "NotAuthorized" => "this account may not use SQS in this region; look at its status",
        "RequestExpired" | "SignatureDoesNotMatch" => "check the clock and the credentials of the function",
        _ => "allow the function's role sqs:SendMessage; a queue policy or a boundary may deny it",
    })
}

/// The limit in "One or more parameters are invalid. Reason: Message must be shorter than 262144 bytes."
fn size_limit(message: &str) -> Option<usize> {
    message.split_once("must be shorter than ")?.1.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use aws_sdk_sqs::{error::ErrorMetadata, operation::send_message::SendMessageError};

    use super::*;

    /// Every error of `SendMessage`, `SendMessageBatch` and `GetQueueAttributes` in the SDK's model of SQS (both names),
    /// and the common errors of AWS APIs.
    #[test]
    fn every_code_of_sqs_has_the_name_that_tells_an_operator_what_to_do() {
        for (name, codes) in [
            ("no_such_queue", &["AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"][..]),
            (
                "denied",
                &[
                    "KMS.AccessDeniedException",
                    "KMS.DisabledException",
                    "KMS.InvalidKeyUsageException",
                    "KMS.InvalidStateException",
                    "KMS.NotFoundException",
                    "KMS.OptInRequired",
                    "KmsAccessDenied",
                    "KmsDisabled",
                    "KmsInvalidKeyUsage",
                    "KmsInvalidState",
                    "KmsNotFound",
                    "KmsOptInRequired",
                    "AccessDenied",
                    "AccessDeniedException",
                    "UnrecognizedClientException",
                    "InvalidClientTokenId",
                    "NotAuthorized",
                    "OptInRequired",
                    "RequestExpired",
                    "ExpiredToken",
                    "ExpiredTokenException",
                    "InvalidSecurity",
                    "InvalidSignatureException",
                    "SignatureDoesNotMatch",
                    "IncompleteSignature",
                    "MissingAuthenticationToken",
                ],
            ),
            (
                "throttled",
                &[
                    "KMS.ThrottlingException",
                    "KmsThrottled",
                    "RequestThrottled",
                    "ThrottlingException",
                    "Throttling",
                    "OverLimit",
                    "RequestLimitExceeded",
                ],
            ),
            (
                "refused",
                &[
                    "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
                    "AWS.SimpleQueueService.BatchRequestTooLong",
                    "AWS.SimpleQueueService.EmptyBatchRequest",
                    "AWS.SimpleQueueService.InvalidBatchEntryId",
                    "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
                    "AWS.SimpleQueueService.UnsupportedOperation",
                    "UnsupportedOperation",
                    "InvalidAddress",
                    "InvalidAttributeName",
                    "InvalidAttributeValue",
                    "InvalidMessageContents",
                    "InvalidParameterValue",
                    "MissingParameter",
                    "ValidationException",
                ],
            ),
            ("unreachable", &["InternalError", "InternalFailure", "ServiceUnavailable", "SomethingNew"]),
        ] {
            for code in codes {
                for code in [(*code).to_owned(), format!("com.amazonaws.sqs#{code}")] {
                    assert_eq!(from_code(&code).name(), name, "{code}");
                }
            }
        }
    }

    #[test]
    fn what_is_denied_says_what_to_do() {
        for (code, advice) in [
            ("KmsDisabled", "enable it"),
            ("KmsAccessDenied", "kms:GenerateDataKey"),
            ("KMS.AccessDeniedException", "kms:GenerateDataKey"),
            ("KmsOptInRequired", "may not use KMS"),
            ("AccessDenied", "sqs:SendMessage"),
            ("OptInRequired", "may not use SQS"),
            ("NotAuthorized", "may not use SQS"),
            ("RequestExpired", "clock"),
            ("SignatureDoesNotMatch", "clock"),
            ("ExpiredToken", "credentials"),
        ] {
            let error = from_code(code);
            assert!(error.to_string().contains(code) && error.to_string().contains(advice), "{error}");
        }
        assert!(is_about_credentials(&from_code("ExpiredTokenException")));
        assert!(!is_about_credentials(&from_code("AccessDenied")));
    }

    #[test]
    fn a_message_above_the_queues_own_limit_is_too_large_for_it() {
        let error = |code: &str, message: &str| {
            let error = ErrorMetadata::builder().code(code).message(message).build();
            classify(SdkError::service_error(SendMessageError::generic(error), ()))
        };
        let message = "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.";
        assert_eq!(error("InvalidParameterValue", message), QueueError::TooLarge { limit: 1024 });
        assert_eq!(error("InternalError", message).name(), "unreachable");
        assert_eq!(error("InvalidParameterValue", "Reason: Message must not be empty.").name(), "refused");
    }
}
