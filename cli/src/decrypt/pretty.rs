//! Indents JSON without changing the spelling of any string or number.

/// Indents a JSON text by two spaces a level.
pub(super) fn indented(json: &str) -> String {
    let mut text = String::with_capacity(json.len() * 2);
    let mut depth: usize = 0;
    let mut characters = json.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' => {
                text.push('"');
                while let Some(inside) = characters.next() {
                    text.push(inside);
                    match inside {
                        '\\' => text.extend(characters.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '{' | '[' => {
                text.push(character);
                while characters.next_if(char::is_ascii_whitespace).is_some() {}
                if let Some(close) = characters.next_if(|next| matches!(next, '}' | ']')) {
                    text.push(close);
                } else {
                    depth += 1;
                    new_line(&mut text, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut text, depth);
                text.push(character);
            }
            ',' => {
                text.push(',');
                new_line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            space if space.is_ascii_whitespace() => {}
            other => text.push(other),
        }
    }
    text
}

fn new_line(text: &mut String, depth: usize) {
    text.push('\n');
    text.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_and_numbers_are_spelled_as_they_were() {
        let json = r#"{"a":1.50,"b" : "x, {\"y\"}: [","c":[ ],"d":[1 ,{}]}"#;
        let expected =
            "{\n  \"a\": 1.50,\n  \"b\": \"x, {\\\"y\\\"}: [\",\n  \"c\": [],\n  \"d\": [\n    1,\n    {}\n  ]\n}";
        assert_eq!(indented(json), expected);
    }
}
