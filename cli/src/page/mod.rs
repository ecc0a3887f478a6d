//! What the pages of `voicehook dev` and `voicehook inspect` share: who may open them, their look, and the scripts that show
//! events and requests.
//!
//! A page is served below [`PATH`], only for browsers and scripts on this machine that know its [`AccessToken`], because it
//! shows plaintext. Its static files are compiled into the program, and it loads nothing from other hosts.

mod guard;
mod token;

use std::net::{Ipv4Addr, SocketAddr};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderName, HeaderValue, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse as _, Redirect, Response},
    routing::get,
};
use serde_json::{Value, json};

use self::guard::Refusal;
pub(crate) use self::token::{AccessToken, COOKIE_PREFIX, HEADER};

/// The path of the page.
pub(crate) const PATH: &str = "/_inspect";

/// A file of a page.
pub(crate) struct File {
    /// Its path below the page's; empty for the page itself.
    pub(crate) path: &'static str,
    pub(crate) media_type: &'static str,
    pub(crate) text: &'static str,
    /// Whether it needs no token: it is part of the page that says where to find the token.
    pub(crate) is_public: bool,
}

pub(crate) const HTML: &str = "text/html; charset=utf-8";
pub(crate) const CSS: &str = "text/css; charset=utf-8";
pub(crate) const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// A file of the folder that is named, beside the source file.
macro_rules! file {
    ($folder:literal, $path:literal, $media_type:expr) => {
        $crate::page::File {
            path: $path,
            media_type: $media_type,
            text: include_str!(concat!($folder, "/", $path)),
            is_public: false,
        }
    };
    ($folder:literal, $path:literal, $media_type:expr, public) => {
        $crate::page::File { is_public: true, ..file!($folder, $path, $media_type) }
    };
}
pub(crate) use file;

/// The files that both pages have.
const SHARED: &[File] = &[
    file!("files", "inspector.css", CSS, public),
    file!("files", "icon.svg", SVG, public),
    file!("files", "dom.js", SCRIPT),
    file!("files", "fold.js", SCRIPT),
    file!("files", "hex.js", SCRIPT),
    file!("files", "json.js", SCRIPT),
    file!("files", "locked.js", SCRIPT, public),
    file!("files", "pane.js", SCRIPT),
    file!("files", "parts.js", SCRIPT),
    file!("files", "webhook-parts.js", SCRIPT),
];

/// The answer to who does not know the token: where to find it.
const LOCKED: &str = include_str!("files/locked.html");

/// The answer to who knows the token: goes on to the page, without the token in the address bar. A redirect would not do:
/// browsers send a `SameSite` cookie with it only if the first request was not caused by another site, such as a terminal in
/// a browser.
const UNLOCKED: &str = include_str!("files/unlocked.html");

/// Headers of every answer. The content of a webhook is untrusted: it must never become markup or code, and must not leave
/// this machine.
const HEADERS: [(HeaderName, HeaderValue); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
             trusted-types 'none'",
        ),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// Adds the files of a page, and those that all pages share.
pub(crate) fn with_files<S: Clone + Send + Sync + 'static>(mut router: Router<S>, files: &'static [File]) -> Router<S> {
    for File { path, media_type, text, .. } in files.iter().chain(SHARED) {
        let path = if path.is_empty() { PATH.to_owned() } else { format!("{PATH}/{path}") };
        router = router.route(&path, get(move || async move { ([(header::CONTENT_TYPE, *media_type)], *text) }));
    }
    router
}

/// Answers a request if it may be, else says why not, or hands it to `elsewhere`: to who must not learn that there is a page.
pub(crate) async fn guarded(
    token: &AccessToken,
    peer: SocketAddr,
    request: Request,
    next: Next,
    elsewhere: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    let is_page = request.uri().path() == PATH;
    let mut response = match guard::check(peer, request.method(), request.headers(), token) {
        Ok(()) if is_page && token.token_in(request.uri()).is_some() => Redirect::to(PATH).into_response(),
        Ok(()) => next.run(request).await,
        Err(Refusal::NoToken) if is_page => opened(token, request.uri()),
        Err(Refusal::NoToken) if is_public(request.uri()) => next.run(request).await,
        Err(refusal) => match refusal.answer() {
            Some((status, why)) => (status, answer(&json!({ "error": why.trim_end() }))).into_response(),
            None => return elsewhere(request).await,
        },
    };
    response.headers_mut().extend(HEADERS);
    if response.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// Whether it is a file that needs no token.
fn is_public(uri: &Uri) -> bool {
    let path = uri.path().strip_prefix(PATH).and_then(|path| path.strip_prefix('/'));
    SHARED.iter().any(|file| file.is_public && path == Some(file.path))
}

/// Exchanges the token in the URL for a cookie, or says where to find the URL.
fn opened(token: &AccessToken, uri: &Uri) -> Response {
    let html = (header::CONTENT_TYPE, HTML.to_owned());
    if token.opens(uri) {
        ([html, (header::SET_COOKIE, token.set_cookie())], UNLOCKED).into_response()
    } else {
        (StatusCode::UNAUTHORIZED, [html], LOCKED).into_response()
    }
}

/// An address to listen on, or a port of this machine.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    let port = text.strip_prefix("localhost:").or_else(|| text.strip_prefix(':')).unwrap_or(text);
    if let Ok(port) = port.parse() {
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    text.parse().map_err(|_| "is not an address; expected a port, such as 3000, or 127.0.0.1:3000".to_owned())
}

/// A JSON document as an answer.
pub(crate) fn answer(document: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], Body::from(document.to_string())).into_response()
}

/// A body as text, unless it is binary: not UTF-8, or with control characters that no text has.
pub(crate) fn as_text(body: &[u8]) -> Option<&str> {
    let is_binary = |character: char| character.is_control() && !character.is_ascii_whitespace();
    std::str::from_utf8(body).ok().filter(|text| !text.contains(is_binary))
}

/// A body that is binary, in hexadecimal.
pub(crate) fn as_hex(body: &[u8]) -> Option<String> {
    as_text(body).is_none().then(|| hex_simd::encode_to_string(body, hex_simd::AsciiCase::Lower))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_body_without_control_characters_is_shown_as_text() {
        for body in ["", "{\"a\":\t1}\r\n", "héllo \u{202e}"] {
            assert_eq!(as_text(body.as_bytes()), Some(body));
        }
        for body in [&b"\x1f\x8b\x08"[..], b"a\0b", b"\xff", b"\x1b[2J"] {
            assert_eq!(as_text(body), None, "{body:?}");
        }
    }
}
