//! Parses a `curl` command line into the request it would send.

use anyhow::anyhow;

use super::{input::Captured, shell};
use crate::printable::excerpt;

/// Short options that take an argument, beside those that are read.
const WITH_ARGUMENT: &str = "AbcCeEFhKmoPQrtTuUwxyYz";
/// Long options that take an argument, beside those that are read.
const LONG_WITH_ARGUMENT: &str = "aws-sigv4 cacert capath cert cert-type ciphers config connect-timeout connect-to cookie cookie-jar dns- \
     servers dump-header form form-string interface keepalive-time key key-type limit-rate local-port max- \
     filesize max-redirs max-time netrc-file noproxy oauth2-bearer output output-dir pass pinnedpubkey proto \
     proto-default proto-redir proxy proxy-header proxy-user range referer request-target resolve retry retry- \
     delay retry-max-time socks5 socks5-hostname speed-limit speed-time stderr tls-max trace trace-ascii unix- \
     socket upload-file url-query user user-agent write-out";
/// What may stand before `curl` in a command, beside variables and options.
const BEFORE: &[&str] = &["sudo", "time", "env", "exec", "nohup", "command", "doas", "&"];

/// Whether a text is a `curl` command, perhaps with comments in front.
pub(super) fn is_command(text: &str) -> bool {
    command(text).is_some()
}

/// The text from `curl` on: without comments and empty lines, a prompt, and what runs it.
fn command(text: &str) -> Option<&str> {
    let mut rest = text.trim_start();
    loop {
        let line = rest.lines().next()?;
        if let Some(start) = start_in(line) {
            return Some(&rest[start..]);
        }
        let is_comment = ["#", "//", "::", "REM ", "rem "].iter().any(|comment| line.starts_with(comment));
        if !is_comment {
            return None;
        }
        rest = rest[line.len()..].trim_start();
    }
}

/// Where `curl` begins in a line, if everything before it is a prompt or runs it.
fn start_in(line: &str) -> Option<usize> {
    let mut end = 0;
    let mut is_allowed = true;
    for word in line.split_ascii_whitespace() {
        let start = end + line[end..].find(word)?;
        end = start + word.len();
        // A prompt of cmd.exe touches the command, and a path may lead to it.
        let name = word.trim_matches(['"', '\'']);
        let name_start = name.rfind(['/', '\\', '>', '$', '%', '#', '!']).map_or(0, |place| place + 1);
        let is_curl = ["curl", "curl.exe"].iter().any(|curl| name[name_start..].eq_ignore_ascii_case(curl));
        if is_curl && is_allowed {
            return Some(start + word.rfind(&name[name_start..])?);
        }
        let is_prompt = word.ends_with(['$', '%', '#', '>', '❯', '➜', '»', 'λ', '!']);
        let runs_it = BEFORE.contains(&word) || word.starts_with('-') || word.contains('=');
        // `sudo -u name curl`, and a prompt of several words.
        is_allowed = is_prompt || runs_it || line[..start].trim_end().ends_with("-u");
    }
    None
}

/// Reads the line; what it says of certificates, cookies and output does not matter here.
pub(super) fn read(text: &str) -> anyhow::Result<Captured> {
    let line =
        command(text).ok_or_else(|| anyhow::Error::msg("this is not a curl line: it does not begin with curl"))?;
    let mut words = shell::words(line)?.into_iter().skip(1);
    let mut request = Request::default();
    while let Some(word) = words.next() {
        if let Some(long) = word.strip_prefix("--").filter(|long| !long.is_empty()) {
            let takes_one = Request::reads(long) || LONG_WITH_ARGUMENT.split(' ').any(|known| known == long);
            let argument = if takes_one { words.next().unwrap_or_default() } else { String::new() };
            request.set(long, argument)?;
        } else if let Some(short) = word.strip_prefix('-').filter(|short| !short.is_empty()) {
            let end = short.char_indices().find(|(_, option)| takes_argument(*option));
            let Some((index, option)) = end else { continue };
            let attached = &short[index + option.len_utf8()..];
            let argument = if attached.is_empty() { words.next().unwrap_or_default() } else { attached.to_owned() };
            request.set(long_name(option), argument)?;
        } else if !request.url.contains("://") {
            // The argument of an option that is not known here may look like a URL without a scheme.
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
                    Some("-") => {
                        return Err(anyhow::Error::msg(
                            "the curl line sends its standard input (@-), which is not here; give the body itself",
                        ));
                    }
                    Some(file) => {
                        let text = std::fs::read_to_string(file);
                        let text =
                            text.map_err(|error| anyhow!("the curl line sends the file {}: {error}", excerpt(file)))?;
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
