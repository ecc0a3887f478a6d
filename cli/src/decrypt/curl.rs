//! Parses a `curl` command line into the request it would send.

use anyhow::anyhow;

use super::{input::Captured, shell};

/// Short options that take an argument, beside those that are read.
const WITH_ARGUMENT: &str = "AbcCeEFKmoPrtTuUwxyYz";
/// Long options that take an argument, beside those that are read.
const LONG_WITH_ARGUMENT: &[&str] = &[
    "cacert",
    "cert",
    "connect-timeout",
    "cookie",
    "key",
    "max-time",
    "output",
    "proxy",
    "referer",
    "resolve",
    "retry",
    "user",
    "user-agent",
    "write-out",
];

/// Reads the line; what it says of certificates, cookies and output does not matter here.
pub(super) fn read(line: &str) -> anyhow::Result<Captured> {
    let line = line.trim_start().trim_start_matches(['$', '#', '>']).trim_start();
    if line.contains("^\"") || line.contains("^\r\n") || line.contains("^\n") {
        return Err(anyhow::Error::msg(
            "this curl line is written for cmd.exe; copy it for bash, or give the request as --as http",
        ));
    }
    let mut words = shell::words(line)?.into_iter().skip(1);
    let mut request = Request::default();
    while let Some(word) = words.next() {
        if let Some(long) = word.strip_prefix("--") {
            let takes_one = Request::reads(long) || LONG_WITH_ARGUMENT.contains(&long);
            let argument = if takes_one { words.next().unwrap_or_default() } else { String::new() };
            request.set(long, argument)?;
        } else if let Some(short) = word.strip_prefix('-').filter(|short| !short.is_empty()) {
            let end = short.char_indices().find(|(_, option)| takes_argument(*option));
            let Some((index, option)) = end else { continue };
            let attached = &short[index + option.len_utf8()..];
            let argument = if attached.is_empty() { words.next().unwrap_or_default() } else { attached.to_owned() };
            request.set(long_name(option), argument)?;
        } else {
            request.url = word;
        }
    }
    request.captured()
}

fn takes_argument(option: char) -> bool {
    !long_name(option).is_empty() || WITH_ARGUMENT.contains(option)
}

const fn long_name(short: char) -> &'static str {
    match short {
        'H' => "header",
        'd' => "data",
        'X' => "request",
        _ => "",
    }
}

#[derive(Default)]
struct Request {
    url: String,
    method: Option<String>,
    headers: Vec<(String, String)>,
    data: Vec<String>,
    json: bool,
}

impl Request {
    fn reads(option: &str) -> bool {
        matches!(option, "header" | "request" | "url" | "json") || option.starts_with("data")
    }

    fn set(&mut self, option: &str, argument: String) -> anyhow::Result<()> {
        match option {
            "header" => self.headers.extend(
                argument.split_once(':').map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())),
            ),
            "request" => self.method = Some(argument),
            "url" => self.url = argument,
            "data-raw" => self.data.push(argument),
            "data-urlencode" => {
                return Err(anyhow::Error::msg("--data-urlencode is not read here; give the request as --as http"));
            }
            "data" | "data-ascii" | "data-binary" | "json" => {
                self.json |= option == "json";
                self.data.push(match argument.strip_prefix('@') {
                    None => argument,
                    Some(file) => {
                        let text = std::fs::read_to_string(file);
                        let text = text.map_err(|error| anyhow!("the curl line sends the file {file}: {error}"))?;
                        let is_verbatim = matches!(option, "data-binary" | "json");
                        if is_verbatim { text } else { text.replace(['\r', '\n'], "") }
                    }
                });
            }
            _ => {}
        }
        Ok(())
    }

    fn captured(mut self) -> anyhow::Result<Captured> {
        let names = |name: &str| self.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        if !self.data.is_empty() && !names("content-type") {
            // What curl itself sends.
            let content_type = if self.json { "application/json" } else { "application/x-www-form-urlencoded" };
            self.headers.push(("content-type".to_owned(), content_type.to_owned()));
        }
        let implied = if self.data.is_empty() { "GET" } else { "POST" };
        let method = self.method.as_deref().unwrap_or(implied);
        Captured::request("a curl line", method, &self.url, self.headers, self.data.join("&").into_bytes())
    }
}
