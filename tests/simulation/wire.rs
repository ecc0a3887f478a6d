//! HTTP/1.1 as the services read and write it, byte by byte.

use serde_json::Value;

/// A request that was read to its end.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    /// The operation, without the service.
    pub operation: String,
    pub body: Value,
}

/// Takes the next whole request off the front of what was read.
pub fn next_request(read: &mut Vec<u8>) -> Option<HttpRequest> {
    let head_ends = read.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&read[..head_ends]).unwrap().to_owned();
    let header = |wanted: &str| {
        head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(wanted).then(|| value.trim().to_owned())
        })
    };
    let length: usize = header("content-length").map_or(0, |length| length.parse().unwrap());
    let body = read.get(head_ends..head_ends + length)?;
    let body = serde_json::from_slice(body).unwrap_or_default();
    read.drain(..head_ends + length);
    let target = header("x-amz-target").unwrap_or_default();
    Some(HttpRequest { operation: target.rsplit('.').next().unwrap_or_default().to_owned(), body })
}

/// An answer as bytes.
pub fn answer(status: u16, body: &str) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status} X\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {length}\r\n\r\n");
    (head + body).into_bytes()
}
