//! Text of strangers on a terminal: without the characters that would move its cursor, change its colours or title, or
//! show text in another order than it has.

use std::fmt::Write as _;

/// Whether a terminal does something with a character other than to show it.
fn steers(character: char) -> bool {
    let is_white_space = matches!(character, '\n' | '\t');
    let reorders =
        matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let ends_lines = matches!(character, '\u{2028}' | '\u{2029}');
    (character.is_control() && !is_white_space) || reorders || ends_lines
}

/// The text with U+FFFD in place of such characters.
pub(crate) fn printable(text: &str) -> String {
    text.replace(steers, "\u{fffd}")
}

/// The text in one line, with escapes in place of such characters.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' | '\t' => line.push(' '),
            character if steers(character) => _ = write!(line, "\\u{:04x}", u32::from(character)),
            character => line.push(character),
        }
    }
    line
}

/// What an error quotes: the text in one line, and of a long one both ends.
pub(crate) fn excerpt(text: &str) -> String {
    const END: usize = 120;
    let start = text.char_indices().nth(END).map(|(place, _)| place);
    let end = text.char_indices().rev().nth(END - 1).map(|(place, _)| place);
    match (start, end) {
        (Some(start), Some(end)) if start < end => format!("{}…{}", one_line(&text[..start]), one_line(&text[end..])),
        _ => one_line(text),
    }
}

/// A JSON text that means the same, with escapes in place of such characters.
pub(crate) fn printable_json(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            // Only white space between values; within a string it is an escape already.
            '\r' => text.push(' '),
            character if steers(character) => _ = write!(text, "\\u{:04x}", u32::from(character)),
            character => text.push(character),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\u{1b}]0;t\u{7}\u{9b}31m\u{7f}\u{202e}b\u{2066}\u{200f}\u{2028}c";

    #[test]
    fn what_would_steer_a_terminal_is_replaced_and_line_feeds_stay() {
        let shown = printable(&format!("{HOSTILE}\n\té\r"));
        assert_eq!(shown.matches('\u{fffd}').count(), 9, "{shown:?}");
        assert!(shown.ends_with("c\n\té\u{fffd}") && !shown.contains(steers));
    }

    #[test]
    fn a_line_has_escapes_and_no_line_break() {
        assert_eq!(one_line("a\u{1b}[2Jb\u{9b}c\u{7f}\u{202e}"), "a\\u001b[2Jb\\u009bc\\u007f\\u202e");
        assert_eq!(one_line("größe 📞 line\nbreak"), "größe 📞 line break");
    }

    #[test]
    fn an_excerpt_has_both_ends_of_a_long_text_and_all_of_a_short_one() {
        let long = format!("start\n{}\u{1b}end", "é".repeat(5000));
        let shown = excerpt(&long);
        assert!(shown.starts_with("start é") && shown.ends_with("é\\u001bend") && shown.len() < 600, "{shown}");
        for length in 0..=240 {
            let whole = "é".repeat(length);
            assert_eq!(excerpt(&whole), whole);
        }
        assert_eq!(excerpt(&"é".repeat(241)), format!("{0}…{0}", "é".repeat(120)));
    }

    #[test]
    fn json_for_a_terminal_means_the_same() {
        let value = serde_json::Value::from(HOSTILE);
        let json = format!("[\r\n{value}]");
        let shown = printable_json(&json);
        assert!(!shown.contains(steers), "{shown:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), serde_json::json!([value]));
    }
}
