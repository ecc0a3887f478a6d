//! Splits a command line into words as `sh` and `bash` do: quotes, escapes, continued lines, and the `$'…'` quoting that
//! browsers and proxies use in "copy as cURL". The existing crates do not support `$'…'`.

use std::{iter::Peekable, str::Chars};

use anyhow::anyhow;

/// The words of a command line; an error where a quote is not closed.
pub(super) fn words(line: &str) -> anyhow::Result<Vec<String>> {
    let mut characters = line.chars().peekable();
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('\r') => _ = characters.next_if_eq(&'\n'),
                Some('\n') | None => {}
                Some(escaped) => word.get_or_insert_default().push(escaped),
            },
            '\'' => single(&mut characters, word.get_or_insert_default())?,
            '"' => double(&mut characters, word.get_or_insert_default())?,
            '$' if characters.next_if_eq(&'\'').is_some() => ansi_c(&mut characters, word.get_or_insert_default())?,
            space if space.is_whitespace() => words.extend(word.take()),
            // A pipe or a second command is not curl's any more.
            '|' | ';' if word.is_none() => break,
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

fn single(characters: &mut Peekable<Chars<'_>>, word: &mut String) -> anyhow::Result<()> {
    loop {
        match characters.next().ok_or_else(|| unclosed("'"))? {
            '\'' => return Ok(()),
            other => word.push(other),
        }
    }
}

fn double(characters: &mut Peekable<Chars<'_>>, word: &mut String) -> anyhow::Result<()> {
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
fn ansi_c(characters: &mut Peekable<Chars<'_>>, word: &mut String) -> anyhow::Result<()> {
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

fn hexadecimal(characters: &mut Peekable<Chars<'_>>, most: usize) -> char {
    let mut number = 0;
    for _ in 0..most {
        let Some(digit) = characters.peek().and_then(|character| character.to_digit(16)) else { break };
        number = number * 16 + digit;
        characters.next();
    }
    char::from_u32(number).unwrap_or(char::REPLACEMENT_CHARACTER)
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
    fn a_quote_that_is_not_closed_is_an_error_and_not_a_shorter_body() {
        for line in ["curl 'a", "curl \"a", "curl $'a\\'"] {
            assert!(words(line).unwrap_err().to_string().contains("not closed"), "{line}");
        }
    }
}
