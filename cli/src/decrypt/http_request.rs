//! Parses an HTTP request as a person captured it: as it goes over the wire, with lines that end in LF, as `curl -v`
//! prints it, with the pseudo-headers of HTTP/2, or with headers alone.

use std::borrow::Cow;

use anyhow::anyhow;

use super::input::Captured;
use crate::explain::Finding;

const NOT_HTTP: &str =
    "this is not an HTTP request: it begins with neither a line such as POST /webhook HTTP/1.1 nor a header";

/// Whether a line may be the first one of a request.
pub(super) fn is_start(line: &str) -> bool {
    let line = line.trim_start_matches(['>', ' ']);
    request_line(line).is_some() || pseudo_header(line).is_some() || is_header(line)
}

/// Reads a request with whatever body it has.
pub(super) fn read(text: &str) -> anyhow::Result<Captured> {
    let text = sent_by_curl(text.trim_start());
    let end = ["\r\n\r\n", "\n\n"].iter().filter_map(|blank| Some((text.find(blank)?, blank.len()))).min();
    let (head, body) = end.map_or((&*text, ""), |(end, length)| (&text[..end], &text[end + length..]));
    let head = Head::read(head)?;
    let (body, noticed) = head.body(body);
    Ok(Captured { noticed, ..Captured::request("an HTTP request", &head.method, &head.target, head.headers, body)? })
}

struct Head {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
}

impl Head {
    fn read(text: &str) -> anyhow::Result<Self> {
        let first = text.lines().next().unwrap_or_default();
        if !is_start(first) {
            return Err(anyhow::Error::msg(NOT_HTTP));
        }
        let (mut method, mut target) = ("POST", "/webhook");
        let mut lines = String::new();
        for line in text.lines() {
            match (request_line(line), pseudo_header(line)) {
                (Some((given_method, given_target)), _) if std::ptr::eq(line, first) => {
                    (method, target) = (given_method, given_target);
                }
                (_, Some(("method", value))) => method = value,
                (_, Some(("path", value))) => target = value,
                (_, Some(_)) => {}
                _ => lines += &format!("{line}\r\n"),
            }
        }
        // The version and what the target may contain matter to nobody here.
        let text = format!("{method} / HTTP/1.1\r\n{lines}\r\n");
        let mut headers = vec![httparse::EMPTY_HEADER; text.lines().count()];
        let mut request = httparse::Request::new(&mut headers);
        let mut config = httparse::ParserConfig::default();
        config.ignore_invalid_headers_in_requests(true);
        config.parse_request(&mut request, text.as_bytes()).map_err(|error| anyhow!("{NOT_HTTP} ({error})"))?;
        let value = |bytes| String::from_utf8_lossy(bytes).trim().to_owned();
        let headers = request.headers.iter().map(|header| (header.name.to_owned(), value(header.value))).collect();
        Ok(Self { method: method.to_owned(), target: target.to_owned(), headers })
    }

    fn value(&self, wanted: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        header.map(|(_, value)| value.as_str())
    }

    /// The body, and whether it was cut off.
    fn body(&self, text: &str) -> (Vec<u8>, Vec<Finding>) {
        let again = "Capture the request again, complete; a log that limits the length of a line is the usual reason";
        if self.value("transfer-encoding").is_some_and(|value| value.to_ascii_lowercase().contains("chunked")) {
            let (body, is_complete) = chunks(text);
            let finding = || Finding::new("the body has no last chunk: it was cut off", again);
            return (body, if is_complete { vec![] } else { vec![finding()] });
        }
        match self.value("content-length").and_then(|length| length.parse().ok()) {
            // What an editor added.
            Some(length) if length <= text.len() => (text.as_bytes()[..length].to_vec(), vec![]),
            Some(length) => {
                let problem =
                    format!("Content-Length is {length}, but the body has {} bytes: it was cut off", text.len());
                (text.as_bytes().to_vec(), vec![Finding::new(problem, again)])
            }
            None => (text.trim_end_matches(['\r', '\n']).as_bytes().to_vec(), vec![]),
        }
    }
}

/// Method and target of a line such as `POST /webhook HTTP/1.1`.
fn request_line(line: &str) -> Option<(&str, &str)> {
    line.split_once(" HTTP/")?.0.split_once(' ')
}

/// Name and value of a line such as `:path: /webhook`, as a browser shows HTTP/2.
fn pseudo_header(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.strip_prefix(':')?.split_once(':')?;
    name.bytes().all(|byte| byte.is_ascii_lowercase()).then(|| (name, value.trim()))
}

fn is_header(line: &str) -> bool {
    let mut header = [httparse::EMPTY_HEADER];
    let line = format!("{line}\r\n\r\n");
    let parsed = httparse::parse_headers(line.as_bytes(), &mut header);
    parsed.is_ok_and(|parsed| matches!(parsed, httparse::Status::Complete((_, [_]))))
}

/// What `curl -v` sent, without what it received and without its own remarks.
fn sent_by_curl(text: &str) -> Cow<'_, str> {
    let is_remark = |line: &str| line.starts_with("* ");
    if !text.lines().find(|line| !is_remark(line)).is_some_and(|line| line.starts_with("> ")) {
        return Cow::Borrowed(text);
    }
    let is_size = |line: &str| (line.starts_with("} [") || line.starts_with("{ [")) && line.ends_with("data]");
    let is_answer = |line: &str| line == "<" || line.starts_with("< ");
    let lines = text.lines().filter(|line| !is_remark(line) && !is_size(line) && !is_answer(line));
    let lines = lines.map(|line| line.strip_prefix('>').map_or(line, str::trim_start));
    Cow::Owned(lines.collect::<Vec<_>>().join("\n"))
}

/// The chunked transfer coding, and whether it is complete; a text that is not written in it is taken as it stands.
fn chunks(text: &str) -> (Vec<u8>, bool) {
    let mut rest = text.as_bytes();
    let mut body = Vec::new();
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let line = [rest[..end].trim_ascii(), b"\r\n"].concat();
        let Ok(httparse::Status::Complete((_, size))) = httparse::parse_chunk_size(&line) else {
            return (text.trim_end().as_bytes().to_vec(), true);
        };
        let chunk = &rest[end + 1..];
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size == 0 {
            return (body, true);
        }
        let Some((data, after)) = chunk.split_at_checked(size) else {
            body.extend_from_slice(chunk);
            return (body, false);
        };
        body.extend_from_slice(data);
        rest = after.strip_prefix(b"\r").unwrap_or(after);
        rest = rest.strip_prefix(b"\n").unwrap_or(rest);
    }
    (body, false)
}
