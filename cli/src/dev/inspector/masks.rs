//! What no view, file or export shows: the inspector's token and cookie, and the token of a webhook's URL.

use std::{borrow::Cow, fmt};

use axum::http::{HeaderMap, HeaderName, Uri, header};
use zeroize::Zeroizing;

use crate::page::{COOKIE_PREFIX, HEADER, PATH};

/// Stands for what is not shown.
pub(crate) const MASK: &str = "***";

/// The segment of a path that `/webhook` is.
const WEBHOOK: &str = "webhook";

/// Hides tokens: by their place in a URL or a header, and the known ones wherever they are.
#[derive(Default)]
pub(crate) struct Masks {
    known: Vec<Zeroizing<String>>,
}

impl fmt::Debug for Masks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Masks")
    }
}

impl Masks {
    /// Hides these tokens. They consist of characters that are the same in a URL and in JSON.
    pub(crate) fn new<'t>(known: impl IntoIterator<Item = &'t str>) -> Self {
        Self { known: known.into_iter().map(|token| Zeroizing::new(token.to_owned())).collect() }
    }

    /// A text without the known tokens.
    pub(super) fn text<'t>(&self, text: impl Into<Cow<'t, str>>) -> Cow<'t, str> {
        self.known.iter().fold(text.into(), |text, token| {
            if text.contains(token.as_str()) { Cow::Owned(text.replace(token.as_str(), MASK)) } else { text }
        })
    }

    /// Path and query of a request, with a token in either of them masked.
    pub(super) fn target(&self, uri: &Uri) -> String {
        let query = uri.query().map(|query| format!("?{}", query_without_token(query))).unwrap_or_default();
        self.text(format!("{}{query}", path_without_token(uri.path()))).into_owned()
    }

    /// The headers of a request without those of the inspector. Bytes that are not UTF-8 are given as `other` writes them.
    pub(super) fn headers<'h, T>(
        &self,
        headers: &'h HeaderMap,
        text: impl Fn(String) -> T,
        other: impl Fn(&[u8]) -> T,
    ) -> Vec<(&'h str, T)> {
        let shown = headers.iter().filter_map(|(name, value)| {
            let Ok(value) = str::from_utf8(value.as_bytes()) else {
                return Some((name.as_str(), other(value.as_bytes())));
            };
            let value = without_cookie(name, value)?;
            Some((name.as_str(), text(self.text(value).into_owned())))
        });
        shown.collect()
    }
}

/// A header's value without the inspector's cookie. `None` if nothing is left, or if it is the inspector's own header.
fn without_cookie<'v>(name: &HeaderName, value: &'v str) -> Option<Cow<'v, str>> {
    if name == HEADER {
        return None;
    }
    if *name != header::COOKIE || !value.contains(COOKIE_PREFIX) {
        return Some(value.into());
    }
    let others = value.split(';').map(str::trim).filter(|cookie| !cookie.starts_with(COOKIE_PREFIX));
    let others = others.collect::<Vec<_>>().join("; ");
    (!others.is_empty()).then_some(others.into())
}

/// A path with everything masked that follows the name of the app. Where no `webhook` is in the path, it has no place for a
/// token.
fn path_without_token(path: &str) -> String {
    let segments: Vec<&str> = path.split('/').collect();
    let webhook = segments.iter().rposition(|segment| *segment == WEBHOOK).unwrap_or(segments.len());
    let places = segments.iter().enumerate().scan(0, |named, (at, segment)| {
        *named += usize::from(at > webhook && !segment.is_empty());
        Some(if *named > 1 && !segment.is_empty() { MASK } else { segment })
    });
    places.collect::<Vec<_>>().join("/")
}

fn query_without_token(query: &str) -> String {
    let parameters = query.split('&').map(|parameter| {
        let name = parameter.split_once('=').map_or(parameter, |(name, _)| name);
        let is_token = form_urlencoded::parse(name.as_bytes()).any(|(name, _)| name.eq_ignore_ascii_case("token"));
        if is_token { format!("{name}={MASK}") } else { parameter.to_owned() }
    });
    parameters.collect::<Vec<_>>().join("&")
}

/// Whether a path belongs to the inspector, also behind a prefix that a proxy adds. Such a request may carry its token, so
/// nothing of it is kept. An app may have any name.
pub(crate) fn is_inspectors(path: &str) -> bool {
    let own = PATH.trim_start_matches('/');
    let mut segments = path.split('/').take_while(|segment| *segment != WEBHOOK);
    segments.any(|segment| {
        let decoded = form_urlencoded::parse(segment.as_bytes()).next();
        decoded.is_some_and(|(name, _)| name.trim().eq_ignore_ascii_case(own))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSPECTOR: &str = "0123456789abcdef";
    const WEBHOOK_TOKEN: &str = "a-token-of-16-or-more";

    fn masks() -> Masks {
        Masks::new([INSPECTOR, WEBHOOK_TOKEN])
    }

    #[test]
    fn a_token_in_a_url_is_masked_whether_it_is_right_or_not() {
        for (uri, shown) in [
            ("/webhook", "/webhook"),
            ("/webhook/sales", "/webhook/sales"),
            ("/webhook/sales/", "/webhook/sales/"),
            ("/webhook/sales/wrong", "/webhook/sales/***"),
            ("/prod/webhook//sales/wrong/", "/prod/webhook//sales/***/"),
            ("/webhook/sales/a/b", "/webhook/sales/***/***"),
            ("/?token=wrong&a=b", "/?token=***&a=b"),
            ("/webhook?a=b&TOKEN=wrong", "/webhook?a=b&TOKEN=***"),
            ("/webhook?%74oken=wrong", "/webhook?%74oken=***"),
            ("/webhook?token", "/webhook?token=***"),
            ("/webhok/sales/a-token-of-16-or-more", "/webhok/sales/***"),
            ("/a?b=0123456789abcdef", "/a?b=***"),
            ("/elsewhere/a/b", "/elsewhere/a/b"),
        ] {
            assert_eq!(masks().target(&uri.parse().unwrap()), shown);
        }
    }

    #[test]
    fn headers_of_the_inspector_are_left_out_and_its_token_is_masked_in_others() {
        let mut map = HeaderMap::new();
        for (name, value) in [
            ("x-voicehook-inspect-token", "anything"),
            ("cookie", "voicehook-inspect-3000=anything"),
            ("cookie", "a=b; voicehook-inspect-3000=anything; c=d"),
            ("authorization", "Bearer 0123456789abcdef"),
            ("referer", "http://127.0.0.1:3000/_inspect?token=0123456789abcdef"),
            ("x-format", "hex"),
        ] {
            map.append(name, value.parse().unwrap());
        }
        let shown = masks().headers(&map, |text| text, |_| String::new());
        assert_eq!(
            shown,
            [
                ("cookie", "a=b; c=d".to_owned()),
                ("authorization", "Bearer ***".to_owned()),
                ("referer", "http://127.0.0.1:3000/_inspect?token=***".to_owned()),
                ("x-format", "hex".to_owned()),
            ]
        );
    }

    #[test]
    fn paths_of_the_inspector_are_known_however_they_are_written() {
        for path in ["/_inspect", "/_inspect/", "//_inspect/api/setup", "/dev/_inspect", "/%5finspect", "/_INSPECT/x"] {
            assert!(is_inspectors(path), "{path}");
        }
        for path in ["/", "/webhook", "/webhook/_inspect", "/_inspector", "/inspect"] {
            assert!(!is_inspectors(path), "{path}");
        }
    }

    #[test]
    fn it_prints_no_token() {
        assert!(!format!("{:?}", masks()).contains(INSPECTOR));
    }
}
