//! Filters for `listen`: `type=call.*`, `app=sales`, `voice_id=5f2d*`.

use std::str::FromStr;

use wildmatch::WildMatch;

use super::message::Received;

/// One condition on one attribute.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    attribute: &'static str,
    pattern: WildMatch,
}

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let usage = "expected type=PATTERN, app=PATTERN or voice_id=PATTERN, for example type=call.*";
        let (name, pattern) = text.split_once('=').ok_or(usage)?;
        let attribute = match name {
            "type" | "event_type" => "event_type",
            "app" => "app",
            "voice_id" => "voice_id",
            "broadcast_id" => "broadcast_id",
            _ => return Err(usage.to_owned()),
        };
        Ok(Self { attribute, pattern: WildMatch::new(pattern) })
    }
}

/// Whether a message passes: each attribute that is named matches one of its patterns.
pub(super) fn passes(filters: &[Filter], message: &Received) -> bool {
    let matches = |filter: &Filter| filter.pattern.matches(message.attribute(filter.attribute).unwrap_or_default());
    filters.iter().all(|filter| filters.iter().any(|other| other.attribute == filter.attribute && matches(other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(filters: &[&str]) -> bool {
        let filters: Vec<Filter> = filters.iter().map(|filter| filter.parse().unwrap()).collect();
        let attributes = [("event_type", "call.connected"), ("app", "sales"), ("voice_id", "5f2d8a66")];
        passes(&filters, &Received::with_attributes(&attributes))
    }

    #[test]
    fn one_of_the_patterns_of_each_attribute_must_match() {
        assert!(shown(&[]));
        assert!(shown(&["type=call.*", "app=sales", "voice_id=5f2d*"]));
        assert!(shown(&["type=play.*", "type=*.connected"]));
        assert!(!shown(&["type=call.*", "app=support"]));
        assert!(!shown(&["broadcast_id=?*"]));
        assert!(!shown(&["type=call"]));
    }

    #[test]
    fn an_invalid_filter_is_refused_with_an_example() {
        for text in ["call.*", "state=connected"] {
            assert!(text.parse::<Filter>().unwrap_err().contains("type=call.*"), "{text}");
        }
    }
}
