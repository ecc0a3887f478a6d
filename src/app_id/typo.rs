//! Typos of copying and pasting in an AppID, told without the AppID itself.
//!
//! White space and a byte order mark around an AppID can mean nothing else and are cut off. Whatever else looks wrong is
//! kept as it is, because EnableX alone knows what an AppID may be, and is named to the operator: with a key made of the
//! quotes around an AppID no webhook opens, and nothing else tells why.

use std::fmt;

/// The byte order mark that some editors and shells write in front of a text.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// A text without the white space and the byte order marks around it.
#[must_use]
pub fn trimmed(text: &str) -> &str {
    text.trim_matches(|character: char| character.is_whitespace() || character == BYTE_ORDER_MARK)
}

/// Something in an AppID that was most likely not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typo {
    /// The app whose AppID it is.
    pub app: String,
    /// What it is.
    pub kind: TypoKind,
}

impl fmt::Display for Typo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the AppID of app {} {}", self.app, self.kind.description())
    }
}

/// What looks wrong in an AppID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TypoKind {
    /// A quotation mark of any kind at the beginning or the end.
    Quotes,
    /// A line break inside.
    LineBreak,
    /// A space or a tab inside.
    WhiteSpace,
    /// A character that cannot be seen: a control character, a zero-width space, a no-break space, a soft hyphen, a mark
    /// of the direction of writing.
    Invisible,
    /// A backslash, as escaped quotes or a `\n` leave it behind.
    Backslash,
}

impl TypoKind {
    const ALL: [Self; 5] = [Self::Quotes, Self::LineBreak, Self::WhiteSpace, Self::Invisible, Self::Backslash];

    /// What it is, and how it probably came about.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::Quotes => "begins or ends with a quotation mark, which is taken as part of it",
            Self::LineBreak => "has a line break inside",
            Self::WhiteSpace => "has white space inside",
            Self::Invisible => {
                "has an invisible character inside (such as a zero-width space or a no-break space, from copying it out \
                 of a document)"
            }
            Self::Backslash => "has a backslash inside, as escaping leaves it behind",
        }
    }

    fn is_in(self, app_id: &str) -> bool {
        match self {
            Self::Quotes => app_id.starts_with(is_quote) || app_id.ends_with(is_quote),
            Self::LineBreak => app_id.contains(is_line_break),
            Self::WhiteSpace => app_id.contains([' ', '\t']),
            Self::Invisible => app_id.contains(is_invisible),
            Self::Backslash => app_id.contains('\\'),
        }
    }
}

/// What looks wrong in the AppID of an app.
pub(super) fn typos(app: &str, app_id: &str) -> impl Iterator<Item = Typo> {
    let kinds = TypoKind::ALL.into_iter().filter(|kind| kind.is_in(app_id));
    kinds.map(|kind| Typo { app: app.to_owned(), kind })
}

const fn is_quote(character: char) -> bool {
    matches!(character, '"' | '\'' | '`' | '«' | '»' | '‹' | '›' | '\u{b4}')
        || matches!(character, '\u{2018}'..='\u{201f}' | '\u{2032}'..='\u{2037}' | '\u{300c}'..='\u{300f}' | '\u{301d}'..='\u{301f}')
        || matches!(character, '\u{ff02}' | '\u{ff07}' | '\u{ff40}')
}

const fn is_line_break(character: char) -> bool {
    matches!(character, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Control characters, white space other than a space or a tab, and what Unicode calls default ignorable: characters
/// without a width of their own.
fn is_invisible(character: char) -> bool {
    let is_control = character.is_control() && character != '\t';
    let is_rare_space = character.is_whitespace() && !character.is_ascii();
    let is_ignorable = matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | BYTE_ORDER_MARK | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
    );
    !is_line_break(character) && (is_control || is_rare_space || is_ignorable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(app_id: &str) -> Vec<TypoKind> {
        typos("sales", app_id).map(|typo| typo.kind).collect()
    }

    #[test]
    fn white_space_and_byte_order_marks_around_an_app_id_are_cut_off() {
        for text in ["abc", " abc\n", "\u{feff}abc", "\u{feff} abc\r\n", "\u{a0}abc\u{feff}\u{2028}"] {
            assert_eq!(trimmed(text), "abc", "{text:?}");
        }
    }

    #[test]
    fn app_ids_as_the_portal_shows_them_have_no_typos() {
        for app_id in ["5f1e0a77c2a9e1d3b4c5d6e7", "voicehook-dev", "a_b.c:d/e+f=", "x"] {
            assert_eq!(kinds(app_id), [], "{app_id}");
        }
    }

    #[test]
    fn quotes_of_any_kind_are_named() {
        for app_id in ["\"abc\"", "'abc'", "`abc`", "“abc”", "„abc“", "«abc»", "abc’", "\"abc", "＂abc＂"]
        {
            assert_eq!(kinds(app_id), [TypoKind::Quotes], "{app_id}");
        }
        assert_eq!(kinds("\\\"abc\\\""), [TypoKind::Quotes, TypoKind::Backslash]);
    }

    #[test]
    fn what_cannot_be_seen_inside_is_named() {
        for character in
            ['\u{200b}', '\u{a0}', '\u{ad}', '\u{202e}', '\u{2066}', '\u{feff}', '\u{0}', '\u{7f}', '\u{3000}']
        {
            assert_eq!(kinds(&format!("ab{character}c")), [TypoKind::Invisible], "{character:?}");
        }
        assert_eq!(kinds("\u{200b}abc"), [TypoKind::Invisible]);
    }

    #[test]
    fn line_breaks_and_white_space_inside_are_named() {
        for app_id in ["ab\nc", "ab\r\nc", "ab\u{2028}c"] {
            assert_eq!(kinds(app_id), [TypoKind::LineBreak], "{app_id:?}");
        }
        assert_eq!(kinds("ab c"), [TypoKind::WhiteSpace]);
        assert_eq!(kinds("ab\tc"), [TypoKind::WhiteSpace]);
        assert_eq!(kinds("abc\\n"), [TypoKind::Backslash]);
    }

    #[test]
    fn a_typo_is_told_with_the_apps_name_and_without_the_app_id() {
        let told = typos("sales", "\"top-secret\"").next().unwrap().to_string();
        assert!(
            told.contains("app sales") && told.contains("quotation mark") && !told.contains("top-secret"),
            "{told}"
        );
    }
}
