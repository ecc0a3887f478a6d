//! Splits a command line into words as the shells do that browsers write "Copy as cURL" for: `sh` and `bash` with the
//! `$'…'` quoting, `cmd.exe`, and PowerShell. The existing crates support neither `$'…'` nor Windows.

use std::{iter::Peekable, str::Chars};

use anyhow::anyhow;

type Characters<'a> = Peekable<Chars<'a>>;

/// The shell that a line is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shell {
    Posix,
    /// `cmd.exe`, and then the C library of Windows, which splits the words.
    Cmd,
    Pwsh,
}

impl Shell {
    fn of(line: &str) -> Self {
        let continued = |with: &str| line.contains(&format!("{with}\n")) || line.contains(&format!("{with}\r\n"));
        let is_windows = line.split_whitespace().next().is_some_and(|word| word.to_ascii_lowercase().ends_with(".exe"));
        if line.contains("^\"") || continued("^") {
            Self::Cmd
        } else if continued("`") || (is_windows && line.contains('\'') && !line.contains("\"\"")) {
            Self::Pwsh
        } else if is_windows {
            Self::Cmd
        } else {
            Self::Posix
        }
    }
}

/// The words of the first command of a line, without redirections and comments; an error where a quote is not closed.
pub(super) fn words(line: &str) -> anyhow::Result<Vec<String>> {
    match Shell::of(line) {
        Shell::Posix => Splitter::new(line, '\\').words(posix),
        Shell::Pwsh => Splitter::new(line, '`').words(power_shell),
        Shell::Cmd => windows_arguments(&before_cmd(line)),
    }
}

/// The words so far.
struct Splitter<'a> {
    characters: Characters<'a>,
    words: Vec<String>,
    word: Option<String>,
    escape: char,
}

/// Reads a quoted part that begins with this character, if there is one.
type Quoted = fn(char, &mut Characters<'_>, &mut Option<String>) -> anyhow::Result<bool>;

impl<'a> Splitter<'a> {
    fn new(line: &'a str, escape: char) -> Self {
        Self { characters: line.chars().peekable(), words: Vec::new(), word: None, escape }
    }

    fn words(mut self, quoted: Quoted) -> anyhow::Result<Vec<String>> {
        while let Some(character) = self.characters.next() {
            if quoted(character, &mut self.characters, &mut self.word)? {
                continue;
            }
            match character {
                escape if escape == self.escape => self.escaped(),
                '\n' if self.is_over() => break,
                space if space.is_whitespace() => self.words.extend(self.word.take()),
                // A pipe or a second command is not curl's any more.
                '|' | ';' => break,
                // In a URL that nobody quoted it is one of its characters.
                '&' if self.word.is_none() || self.characters.peek().is_none_or(|next| " &\t\r\n".contains(*next)) => {
                    if self.characters.next_if_eq(&'>').is_none() {
                        break;
                    }
                    self.redirection(quoted)?;
                }
                '>' | '<' => self.redirection(quoted)?,
                '#' if self.word.is_none() => while self.characters.next_if(|next| *next != '\n').is_some() {},
                other => self.word.get_or_insert_default().push(other),
            }
        }
        self.words.extend(self.word);
        Ok(self.words)
    }

    fn escaped(&mut self) {
        match self.characters.next() {
            Some('\r') => _ = self.characters.next_if_eq(&'\n'),
            Some('\n') | None => {}
            Some(escaped) => self.word.get_or_insert_default().push(escaped),
        }
    }

    /// Whether a line feed ends the command: nobody forgets the continuation of a line before an option or a quote, but
    /// mails and chats remove it.
    fn is_over(&self) -> bool {
        let mut rest = self.characters.clone();
        while rest.next_if(|next| next.is_whitespace()).is_some() {}
        let goes_on = rest.peek().is_none_or(|next| "-'\"#".contains(*next));
        let has_begun = !self.words.is_empty() || self.word.is_some();
        has_begun && !goes_on
    }

    /// Skips `> file`, `2>&1`, `>> file`, `< file`.
    fn redirection(&mut self, quoted: Quoted) -> anyhow::Result<()> {
        // What stands directly before it is a file descriptor, or a word of its own.
        self.words.extend(self.word.take().filter(|word| !word.bytes().all(|byte| byte.is_ascii_digit())));
        while self.characters.next_if(|next| ">&|<".contains(*next)).is_some() {}
        while self.characters.next_if(|next| *next == ' ' || *next == '\t').is_some() {}
        let mut file = None;
        while let Some(character) = self.characters.next_if(|next| !next.is_whitespace() && !"|;&<>".contains(*next)) {
            if !quoted(character, &mut self.characters, &mut file)? {
                file.get_or_insert_default().push(character);
            }
        }
        Ok(())
    }
}

fn posix(character: char, characters: &mut Characters<'_>, word: &mut Option<String>) -> anyhow::Result<bool> {
    match character {
        '\'' => single(characters, word.get_or_insert_default())?,
        '"' => double(characters, word.get_or_insert_default())?,
        '$' if characters.next_if_eq(&'\'').is_some() => ansi_c(characters, word.get_or_insert_default())?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn single(characters: &mut Characters<'_>, word: &mut String) -> anyhow::Result<()> {
    loop {
        match characters.next().ok_or_else(|| unclosed("'"))? {
            '\'' => return Ok(()),
            other => word.push(other),
        }
    }
}

fn double(characters: &mut Characters<'_>, word: &mut String) -> anyhow::Result<()> {
    loop {
        match characters.next().ok_or_else(|| unclosed("\""))? {
            '"' => return Ok(()),
            '\\' => match characters.next().ok_or_else(|| unclosed("\""))? {
                '\n' => {}
                escaped @ ('"' | '\\' | '$' | '`') => word.push(escaped),
                other => word.extend(['\\', other]),
            },
            other => word.push(other),
        }
    }
}

/// <https://www.gnu.org/software/bash/manual/html_node/ANSI_002dC-Quoting.html>
fn ansi_c(characters: &mut Characters<'_>, word: &mut String) -> anyhow::Result<()> {
    loop {
        match characters.next().ok_or_else(|| unclosed("$'"))? {
            '\'' => return Ok(()),
            '\\' => word.push(match characters.next().ok_or_else(|| unclosed("$'"))? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'x' => hexadecimal(characters, 2),
                'u' => hexadecimal(characters, 4),
                'U' => hexadecimal(characters, 8),
                other => other,
            }),
            other => word.push(other),
        }
    }
}

fn hexadecimal(characters: &mut Characters<'_>, most: usize) -> char {
    let mut number = 0;
    for _ in 0..most {
        let Some(digit) = characters.peek().and_then(|character| character.to_digit(16)) else { break };
        number = number * 16 + digit;
        characters.next();
    }
    char::from_u32(number).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Quotes are doubled within themselves, and the backtick escapes within double ones. Up to version 7.2 a backslash has to
/// stand before a quote for the program, and it never belongs there in JSON of JSON's own accord.
fn power_shell(character: char, characters: &mut Characters<'_>, word: &mut Option<String>) -> anyhow::Result<bool> {
    if !matches!(character, '\'' | '"') {
        return Ok(false);
    }
    let unclosed = || unclosed(&character.to_string());
    let mut text = String::new();
    loop {
        match characters.next().ok_or_else(unclosed)? {
            '`' if character == '"' => text.push(characters.next().ok_or_else(unclosed)?),
            quote if quote == character && characters.next_if_eq(&character).is_none() => break,
            other => text.push(other),
        }
    }
    let is_escaped_json = text.trim_start().starts_with(r#"{\""#);
    let text = if is_escaped_json { text.replace(r#"\""#, "\"") } else { text };
    word.get_or_insert_default().push_str(&text);
    Ok(true)
}

/// What `cmd.exe` leaves of a line: without its carets, up to a pipe, a redirection or a second command.
fn before_cmd(line: &str) -> String {
    let mut characters = line.chars().peekable();
    let mut text = String::new();
    let mut is_quoted = false;
    while let Some(character) = characters.next() {
        match character {
            '^' if !is_quoted => {
                let is_carriage_return = characters.next_if_eq(&'\r').is_some();
                let is_continued = characters.next_if_eq(&'\n').is_some();
                if is_carriage_return || is_continued {
                    _ = characters.next_if_eq(&'\r');
                }
                // The character behind it is taken as it stands, also behind the end of the line.
                text.extend(characters.next());
            }
            '"' => {
                is_quoted = !is_quoted;
                text.push('"');
            }
            '|' | '>' | '<' | '&' if !is_quoted => break,
            '\n' if !is_quoted => break,
            other => text.push(other),
        }
    }
    text
}

/// <https://learn.microsoft.com/en-us/cpp/c-language/parsing-c-command-line-arguments>
fn windows_arguments(line: &str) -> anyhow::Result<Vec<String>> {
    let mut characters = line.chars().peekable();
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut is_quoted = false;
    while let Some(character) = characters.next() {
        match character {
            '\\' => {
                let mut backslashes = 1;
                while characters.next_if_eq(&'\\').is_some() {
                    backslashes += 1;
                }
                let is_before_quote = characters.peek() == Some(&'"');
                let count = if is_before_quote { backslashes / 2 } else { backslashes };
                let word = word.get_or_insert_default();
                word.extend(std::iter::repeat_n('\\', count));
                if is_before_quote && backslashes % 2 == 1 {
                    word.extend(characters.next());
                }
            }
            '"' if is_quoted && characters.next_if_eq(&'"').is_some() => word.get_or_insert_default().push('"'),
            '"' => {
                is_quoted = !is_quoted;
                word.get_or_insert_default();
            }
            space if space.is_whitespace() && !is_quoted => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    if is_quoted {
        return Err(unclosed("\""));
    }
    words.extend(word);
    Ok(words)
}

fn unclosed(quote: &str) -> anyhow::Error {
    anyhow!("the curl line is not complete: a quote ({quote}) is not closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_bash() {
        let line = "curl 'a b' \"c \\\"d\\\" \\n\" e\\ f \\\n  $'g\\'\\u0021\\n' h'i'\"j\" \\\r\n k | jq .";
        let expected = ["curl", "a b", "c \"d\" \\n", "e f", "g'!\n", "hij", "k"];
        assert_eq!(words(line).unwrap(), expected);
    }

    #[test]
    fn what_follows_a_command_is_not_part_of_it() {
        for rest in [
            "; x",
            ";x",
            " | jq",
            "|jq",
            " > f",
            ">f",
            " 2>/dev/null",
            " &> 'a b'",
            " >> f 2>&1",
            " && x",
            " &",
            " # x",
            "\nx",
        ] {
            assert_eq!(words(&format!("curl 'a'{rest}")).unwrap(), ["curl", "a"], "{rest}");
        }
        assert_eq!(words("curl > f -d 'x' 2>&1 b").unwrap(), ["curl", "-d", "x", "b"]);
        assert_eq!(words("curl http://a/?b=1&c=2#d").unwrap(), ["curl", "http://a/?b=1&c=2#d"]);
        assert_eq!(words("curl a\n -d 'x'\n # y\n -X PUT\n\n$ ls").unwrap(), ["curl", "a", "-d", "x", "-X", "PUT"]);
    }

    #[test]
    fn words_are_those_of_cmd() {
        let line = "curl ^\"http://a/?b=1^&c=2^\" ^\r\n  -H ^\"a: b^\" ^\r\n  --data-raw ^\"^{^\\^\"c^\\^\":^\\^\"d^%^\\^\"^}^\" | jq";
        assert_eq!(words(line).unwrap(), ["curl", "http://a/?b=1&c=2", "-H", "a: b", "--data-raw", r#"{"c":"d%"}"#]);
        let line = "curl.exe \"http://a\" -d \"{\"\"c\"\":\"\"d | e\"\"}\" -o \"C:\\x\\\\\" > f";
        assert_eq!(words(line).unwrap(), ["curl.exe", "http://a", "-d", r#"{"c":"d | e"}"#, "-o", r"C:\x\"]);
        let line = "curl \"http://a\" ^\n -d \"{\\\"c\\\":1}\"";
        assert_eq!(words(line).unwrap(), ["curl", "http://a", "-d", r#"{"c":1}"#]);
        assert_eq!(words("curl ^\"a^\n\nb^\"").unwrap(), ["curl", "a\nb"]);
    }

    #[test]
    fn words_are_those_of_power_shell() {
        let line = "curl.exe 'http://a' `\r\n  -H \"a: `$b\" `\n -d '{\"c\":\"it''s\"}' | jq";
        assert_eq!(words(line).unwrap(), ["curl.exe", "http://a", "-H", "a: $b", "-d", r#"{"c":"it's"}"#]);
        assert_eq!(words(r#"curl.exe -d '{\"c\":1}'"#).unwrap(), ["curl.exe", "-d", r#"{"c":1}"#]);
    }

    #[test]
    fn a_quote_that_is_not_closed_is_an_error_and_not_a_shorter_body() {
        for line in ["curl 'a", "curl \"a", "curl $'a\\'", "curl.exe \"a", "curl.exe 'a", "curl ^\"a ^\n"] {
            assert!(words(line).unwrap_err().to_string().contains("not closed"), "{line}");
        }
    }
}
