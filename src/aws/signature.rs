//! AWS Signature Version 4 of a request `POST /` with a body of JSON.
//!
//! A signer for one shape of request has no headers to sort and no path to normalize, and it caches the day's signing key.
//! The SDK's signer handles every shape and takes a tenth of a small webhook's CPU; the tests compare the two.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use std::sync::{Mutex, PoisonError};

use aws_credential_types::Credentials;
use hex_simd::AsciiCase;
use hmac::{Hmac, KeyInit as _, Mac as _, digest::InvalidLength};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The last part of every scope.
const TERMINATOR: &str = "aws4_request";

/// Signs requests to one service in one region.
#[derive(Debug)]
pub(super) struct Signer {
    credentials: Credentials,
    region: String,
    service: &'static str,
    key: Mutex<Option<SigningKey>>,
}

/// What is signed of a request, beside its date and the session token.
pub(super) struct Signed<'a> {
    pub(super) content_type: &'a str,
    pub(super) host: &'a str,
    pub(super) target: &'a str,
    pub(super) body: &'a [u8],
}

/// The headers that a signature adds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Signature {
    /// `X-Amz-Date`.
    pub(super) date: String,
    /// `Authorization`.
    pub(super) authorization: String,
}

impl Signer {
    pub(super) const fn new(credentials: Credentials, service: &'static str, region: String) -> Self {
        Self { credentials, region, service, key: Mutex::new(None) }
    }

    /// `X-Amz-Security-Token`.
    pub(super) fn session_token(&self) -> Option<&str> {
        self.credentials.session_token()
    }

    /// # Errors
    /// None: HMAC takes keys of every length.
    pub(super) fn sign(&self, request: &Signed<'_>, now: Timestamp) -> Result<Signature, InvalidLength> {
        let date = format!("{now:.0}").replace(['-', ':'], "");
        let day = date.split('T').next().unwrap_or_default();
        let scope = format!("{day}/{}/{}/{TERMINATOR}", self.region, self.service);
        let names = match self.session_token() {
            Some(_) => "content-type;host;x-amz-date;x-amz-security-token;x-amz-target",
            None => "content-type;host;x-amz-date;x-amz-target",
        };
        let canonical = self.hash_of_the_canonical_request(request, &date, names);
        let mut signature = self.key(day)?;
        for part in [ALGORITHM, "\n", &date, "\n", &scope, "\n", &canonical] {
            signature.update(part.as_bytes());
        }
        let signature = hex(signature.finalize().into_bytes());
        let access_key = self.credentials.access_key_id();
        let authorization =
            format!("{ALGORITHM} Credential={access_key}/{scope}, SignedHeaders={names}, Signature={signature}");
        Ok(Signature { date, authorization })
    }

    fn hash_of_the_canonical_request(&self, request: &Signed<'_>, date: &str, names: &str) -> String {
        let headers = [
            ("content-type", Some(request.content_type)),
            ("host", Some(request.host)),
            ("x-amz-date", Some(date)),
            ("x-amz-security-token", self.session_token()),
            ("x-amz-target", Some(request.target)),
        ];
        let mut hash = Sha256::new_with_prefix("POST\n/\n\n");
        for (name, value) in headers.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            for part in [name, ":", value, "\n"] {
                hash.update(part);
            }
        }
        for part in ["\n", names, "\n", &hex(Sha256::digest(request.body))] {
            hash.update(part);
        }
        hex(hash.finalize())
    }

    /// HMAC with the signing key of a day.
    fn key(&self, day: &str) -> Result<Hmac<Sha256>, InvalidLength> {
        let mut kept = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = kept.as_ref().filter(|kept| kept.day == day) {
            return Ok(kept.hmac.clone());
        }
        let secret = Zeroizing::new(format!("AWS4{}", self.credentials.secret_access_key()));
        let mut hmac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())?;
        for part in [day, &self.region, self.service, TERMINATOR] {
            let key = Zeroizing::new(<[u8; 32]>::from(hmac.chain_update(part).finalize().into_bytes()));
            hmac = Hmac::new_from_slice(&*key)?;
        }
        *kept = Some(SigningKey { day: day.to_owned(), hmac: hmac.clone() });
        Ok(hmac)
    }
}

/// The key derived from the secret access key for one day, region and service.
#[derive(Debug)]
struct SigningKey {
    day: String,
    hmac: Hmac<Sha256>,
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    hex_simd::encode_to_string(bytes, AsciiCase::Lower)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use aws_sigv4::{
        http_request::{SignableBody, SignableRequest, SigningSettings, sign},
        sign::v4,
    };

    use super::*;

    /// The SDK's signature.
    fn of_the_sdk(credentials: &Credentials, request: &Signed<'_>, now: Timestamp) -> Signature {
        let identity = credentials.clone().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region("eu-west-1")
            .name("sqs")
            .time(SystemTime::UNIX_EPOCH + Duration::from_secs(now.as_second().unsigned_abs()))
            .settings(SigningSettings::default())
            .build()
            .unwrap();
        let headers = [("content-type", request.content_type), ("x-amz-target", request.target)];
        let url = format!("https://{}/", request.host);
        let body = SignableBody::Bytes(request.body);
        let signable = SignableRequest::new("POST", &url, headers.into_iter(), body).unwrap();
        let signed = sign(signable, &parameters.into()).unwrap();
        let header = |name| signed.output().headers().find(|(known, _)| *known == name).unwrap().1.to_owned();
        Signature { date: header("x-amz-date"), authorization: header("authorization") }
    }

    #[test]
    fn signatures_are_those_of_the_sdk_on_every_day_and_with_and_without_a_session_token() {
        for token in [None, Some("a+b/c==".to_owned())] {
            let credentials = Credentials::new("AKID", "secret/key+", token, None, "test");
            let signer = Signer::new(credentials.clone(), "sqs", "eu-west-1".to_owned());
            for time in
                ["2026-01-02T03:04:05.999Z", "2026-01-02T23:59:59Z", "2026-12-31T00:00:00Z", "2027-01-01T00:00:00Z"]
            {
                for body in [&b""[..], b"{}", &[0xC3; 5000]] {
                    let request =
                        Signed { content_type: "application/json", host: "localhost:4566", target: "A.B", body };
                    let now = time.parse().unwrap();
                    let expected = of_the_sdk(&credentials, &request, now);
                    assert_eq!(signer.sign(&request, now).unwrap(), expected, "{time}");
                }
            }
        }
    }

    #[test]
    fn a_signer_cannot_be_printed_with_its_secrets() {
        let credentials = Credentials::new("AKID", "the secret", Some("the token".to_owned()), None, "test");
        let signer = Signer::new(credentials, "sqs", "eu-west-1".to_owned());
        let request = Signed { content_type: "a", host: "b", target: "c", body: b"" };
        signer.sign(&request, Timestamp::now()).unwrap();
        let printed = format!("{signer:?}");
        assert!(!printed.contains("the secret") && !printed.contains("the token"), "{printed}");
        assert!(printed.contains("SigningKey") && !printed.contains('['), "{printed}");
    }
}
