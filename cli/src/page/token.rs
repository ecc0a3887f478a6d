//! The inspector's token. Whoever opens the inspector must know it, because a tunnel that forwards bytes (`ssh -R`, a TLS
//! terminator) makes a stranger's request look like one from this machine.
//!
//! It is part of the URL that the command prints. The first request exchanges it for a cookie, so that it leaves the
//! address bar; scripts send it in a header.

use anyhow::anyhow;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use voicehook_lambda::app_id::Token;

use super::PATH;

/// The header that scripts send the token in. `Authorization: Bearer` works too.
pub(crate) const HEADER: &str = "x-voicehook-inspect-token";
/// What the name of its cookie begins with; the port follows.
pub(crate) const COOKIE_PREFIX: &str = "voicehook-inspect-";
/// The parameter of the printed URL.
const PARAMETER: &str = "token";

/// How a request proves that it may open the inspector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// By a header, which pages of other origins cannot add.
    Header,
    /// By the cookie, which the browser adds by itself.
    Cookie,
}

/// The token of one page.
pub(crate) struct AccessToken {
    token: Token,
    text: String,
    /// Browsers share cookies among all ports of a host, so each port has a name of its own.
    cookie: String,
}

impl AccessToken {
    /// The given token, or else a random one, for the server on this port.
    ///
    /// # Errors
    /// If the given one is too short or not fit for a URL, or the system has no random numbers.
    pub(crate) fn new(given: Option<&str>, port: u16) -> anyhow::Result<Self> {
        let text = given.map_or_else(random, |given| Ok(given.to_owned()))?;
        let token = Token::new(&text).map_err(|wrong| anyhow!("--inspect-token {wrong}"))?;
        Ok(Self { token, text, cookie: format!("{COOKIE_PREFIX}{port}") })
    }

    /// The path of the inspector that opens it.
    pub(crate) fn path(&self) -> String {
        format!("{PATH}?{PARAMETER}={}", self.text)
    }

    /// The token itself, to hide it.
    pub(crate) fn secret(&self) -> &str {
        &self.text
    }

    /// Whether the URL has the right token.
    pub(super) fn opens(&self, uri: &Uri) -> bool {
        self.token_in(uri).is_some_and(|token| self.token.matches(token))
    }

    /// The token of a URL, right or wrong.
    pub(super) fn token_in<'u>(&self, uri: &'u Uri) -> Option<&'u str> {
        let parameters = uri.query().unwrap_or_default().split('&').filter_map(|parameter| parameter.split_once('='));
        parameters.filter(|(name, _)| *name == PARAMETER).map(|(_, value)| value).next()
    }

    /// The proof that a request carries in its headers.
    pub(super) fn proof(&self, headers: &HeaderMap) -> Option<Proof> {
        let values = |name| headers.get_all(name).iter().filter_map(|value: &HeaderValue| value.to_str().ok());
        let bearers = values(header::AUTHORIZATION.as_str()).filter_map(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        });
        if values(HEADER).chain(bearers).any(|token| self.token.matches(token)) {
            return Some(Proof::Header);
        }
        let mut cookies = values(header::COOKIE.as_str()).flat_map(|value| value.split(';'));
        let is_right = |(name, value): (&str, &str)| name.trim() == self.cookie && self.token.matches(value.trim());
        cookies.any(|cookie| cookie.split_once('=').is_some_and(is_right)).then_some(Proof::Cookie)
    }

    /// The cookie for a browser that knows the token.
    pub(super) fn set_cookie(&self) -> String {
        format!("{}={}; Path={PATH}; HttpOnly; SameSite=Strict", self.cookie, self.text)
    }
}

/// 192 random bits, as Jupyter has them.
fn random() -> anyhow::Result<String> {
    let mut bytes = [0; 24];
    getrandom::getrandom(&mut bytes).map_err(|error| anyhow!("the system has no random numbers: {error}"))?;
    Ok(hex_simd::encode_to_string(bytes, hex_simd::AsciiCase::Lower))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    fn proof(headers: &[(&'static str, &str)]) -> Option<Proof> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        AccessToken::new(Some(TOKEN), 3000).unwrap().proof(&map)
    }

    #[test]
    fn each_start_makes_a_token_that_nobody_can_guess() {
        let paths = [0, 1].map(|_| AccessToken::new(None, 3000).unwrap().path());
        assert_ne!(paths[0], paths[1]);
        assert_eq!(paths[0].len(), "/_inspect?token=".len() + 48);
    }

    #[test]
    fn a_given_token_must_be_long_and_fit_for_a_url() {
        for wrong in ["", "short", "0123456789abcde\n", "0123456789 abcdef", "0123456789abcdef;", "0123456789abcdef&"] {
            assert!(AccessToken::new(Some(wrong), 3000).is_err(), "{wrong}");
        }
        assert_eq!(AccessToken::new(Some(TOKEN), 3000).unwrap().path(), "/_inspect?token=0123456789abcdef");
    }

    #[test]
    fn scripts_prove_themselves_by_a_header() {
        assert_eq!(proof(&[(HEADER, TOKEN)]), Some(Proof::Header));
        assert_eq!(proof(&[("authorization", "Bearer 0123456789abcdef")]), Some(Proof::Header));
        assert_eq!(proof(&[("authorization", "bearer 0123456789abcdef")]), Some(Proof::Header));
        for wrong in ["", "0123456789abcdeF", "0123456789abcde", "Bearer 0123456789abcdef"] {
            assert_eq!(proof(&[(HEADER, wrong)]), None, "{wrong}");
        }
        assert_eq!(proof(&[("authorization", TOKEN)]), None);
        assert_eq!(proof(&[("authorization", "Basic 0123456789abcdef")]), None);
    }

    #[test]
    fn browsers_prove_themselves_by_the_cookie_of_this_port() {
        assert_eq!(proof(&[("cookie", "a=b; voicehook-inspect-3000=0123456789abcdef")]), Some(Proof::Cookie));
        let planted = "voicehook-inspect-3000=planted; voicehook-inspect-3000=0123456789abcdef";
        assert_eq!(proof(&[("cookie", planted)]), Some(Proof::Cookie), "another port's page planted a cookie");
        for wrong in [
            "voicehook-inspect-3000=",
            "voicehook-inspect-3000",
            "voicehook-inspect-3001=0123456789abcdef",
            "token=0123456789abcdef",
        ] {
            assert_eq!(proof(&[("cookie", wrong)]), None, "{wrong}");
        }
    }

    #[test]
    fn scripts_of_pages_and_other_sites_do_not_get_the_cookie() {
        let cookie = AccessToken::new(Some(TOKEN), 3000).unwrap().set_cookie();
        assert_eq!(cookie, "voicehook-inspect-3000=0123456789abcdef; Path=/_inspect; HttpOnly; SameSite=Strict");
    }

    #[test]
    fn the_url_that_is_printed_opens_it_and_no_other() {
        let token = AccessToken::new(Some(TOKEN), 3000).unwrap();
        let opens = |uri: &str| token.opens(&uri.parse().unwrap());
        assert!(opens(&token.path()) && opens("/_inspect?a=b&token=0123456789abcdef"));
        for wrong in
            ["/_inspect", "/_inspect?token=", "/_inspect?token=0123456789abcdeF", "/_inspect?tokens=0123456789abcdef"]
        {
            assert!(!opens(wrong), "{wrong}");
        }
    }
}
