//! The search of the inspector: words and filters such as `status:4xx type:play.* -app:sales "quoted text"`.
//!
//! The page and scripts send the same text, so there is one reading of it. All terms must apply. A filter has one or more
//! values, separated by commas, of which one must match. docs/cli.md has the list.

use std::cell::OnceCell;

use serde_json::Value;
use wildmatch::WildMatch;

/// The filters.
const FILTERS: [(&str, Field); 13] = [
    ("status", Field::Status),
    ("type", Field::Type),
    ("digit", Field::Digit),
    ("app", Field::App),
    ("call", Field::Call),
    ("outcome", Field::Outcome),
    ("from", Field::From),
    ("to", Field::To),
    ("method", Field::Method),
    ("path", Field::Path),
    ("size", Field::Size),
    ("took", Field::Took),
    ("is", Field::Is),
];

/// What the name of a filter begins with that looks at a field of the event.
const EVENT: &str = "event.";

/// The outcomes, by the names that the log has for them.
const OUTCOMES: [&str; 12] = [
    "queued",
    "probe",
    "quarantined",
    "refused",
    "not_found",
    "app_id_unavailable",
    "quarantine_limited",
    "not_quarantined",
    "method_not_allowed",
    "body_too_large",
    "not_queued",
    "panicked",
];

const KINDS: [&str; 5] = ["failed", "replay", "edited", "duplicate", "earlier"];

/// Words of so many characters are also searched where shorter ones would be found by chance: in ciphertexts and hashes.
const LONG: usize = 12;

/// What a filter looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Field {
    Status,
    Type,
    Digit,
    App,
    Call,
    Outcome,
    From,
    To,
    Method,
    Path,
    /// Of the body, in bytes.
    Size,
    /// In milliseconds.
    Took,
    Is,
    /// A field of the event: its path.
    Event(Vec<String>),
}

/// A webhook that is searched. What is expensive is made when it is needed.
pub(super) struct Subject<'a> {
    pub(super) summary: &'a Value,
    pub(super) is_duplicate: bool,
    event: OnceCell<Value>,
    readable: OnceCell<Vec<String>>,
    random: OnceCell<Vec<String>>,
    texts: &'a dyn Texts,
}

/// The texts of a webhook.
pub(super) trait Texts {
    /// The event, if there is one.
    fn event(&self) -> Option<&str>;
    /// What a person reads beside the event.
    fn readable(&self) -> Vec<String>;
    /// Ciphertexts and hashes.
    fn random(&self) -> Vec<String>;
}

impl<'a> Subject<'a> {
    pub(super) fn new(summary: &'a Value, is_duplicate: bool, texts: &'a dyn Texts) -> Self {
        let (event, readable, random) = Default::default();
        Self { summary, is_duplicate, event, readable, random, texts }
    }

    fn event(&self) -> &Value {
        let event = || self.texts.event().and_then(|event| serde_json::from_str(event).ok()).unwrap_or_default();
        self.event.get_or_init(event)
    }

    /// What a person reads, in lower case. Of an event with escapes, also what they stand for.
    fn readable(&self) -> &[String] {
        self.readable.get_or_init(|| {
            let event = self.texts.event().unwrap_or_default();
            let mut decoded = String::new();
            if event.contains('\\') {
                collect_strings(self.event(), &mut decoded);
            }
            let all = self.texts.readable().into_iter().chain([event.to_owned(), decoded]);
            all.map(|text| text.to_lowercase()).collect()
        })
    }

    fn random(&self) -> &[String] {
        self.random.get_or_init(|| self.texts.random().into_iter().map(|text| text.to_lowercase()).collect())
    }
}

/// All strings in a JSON value, each on a line.
fn collect_strings(value: &Value, texts: &mut String) {
    match value {
        Value::String(text) => {
            texts.push_str(text);
            texts.push('\n');
        }
        Value::Array(elements) => elements.iter().for_each(|element| collect_strings(element, texts)),
        Value::Object(fields) => {
            for (name, value) in fields {
                texts.push_str(name);
                texts.push('\n');
                collect_strings(value, texts);
            }
        }
        _ => {}
    }
}

/// A search that can be asked about any webhook.
#[derive(Debug, Default)]
pub(super) struct Search {
    terms: Vec<Term>,
}

#[derive(Debug)]
struct Term {
    is_negated: bool,
    wanted: Wanted,
}

#[derive(Debug)]
enum Wanted {
    /// Somewhere in the webhook, in lower case.
    Text(String),
    Field(Field, Vec<Pattern>),
}

#[derive(Debug)]
enum Pattern {
    /// With `*` and `?`.
    Wild(WildMatch),
    /// Exactly this: `*` is a key of a telephone.
    Exact(String),
    /// The beginning, as the list shows it.
    Start(String),
    /// A number in this relation to it.
    Number(Relation, f64),
}

#[derive(Clone, Copy, Debug)]
enum Relation {
    AtLeast,
    AtMost,
    More,
    Less,
}

const RELATIONS: [(&str, Relation); 4] =
    [(">=", Relation::AtLeast), ("<=", Relation::AtMost), (">", Relation::More), ("<", Relation::Less)];

impl Search {
    /// Parses what a person or a script has entered.
    ///
    /// # Errors
    /// Names what is wrong with the first term that has no meaning.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut rest = text.trim_start();
        let mut terms = Vec::new();
        while !rest.is_empty() {
            let (term, after) = next_term(rest)?;
            terms.extend(term);
            rest = after.trim_start();
        }
        Ok(Self { terms })
    }

    /// Whether a webhook is found.
    pub(super) fn finds(&self, webhook: &Subject<'_>) -> bool {
        // Filters first: they need less.
        let (words, filters): (Vec<_>, Vec<_>) =
            self.terms.iter().partition(|term| matches!(term.wanted, Wanted::Text(_)));
        filters.into_iter().chain(words).all(|term| term.is_negated != term.is_in(webhook))
    }

    /// The words that are in what is found, to mark them.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        self.terms.iter().filter(|term| !term.is_negated).filter_map(|term| match &term.wanted {
            Wanted::Text(text) => Some(text.as_str()),
            Wanted::Field(..) => None,
        })
    }
}

impl Term {
    fn is_in(&self, webhook: &Subject<'_>) -> bool {
        match &self.wanted {
            Wanted::Text(wanted) => {
                let is_in = |texts: &[String]| texts.iter().any(|text| text.contains(wanted));
                is_in(webhook.readable()) || (wanted.chars().count() >= LONG && is_in(webhook.random()))
            }
            Wanted::Field(field, patterns) => {
                let values = field.values(webhook);
                values.iter().any(|value| patterns.iter().any(|pattern| pattern.matches(value)))
            }
        }
    }
}

impl Field {
    /// The values that a webhook has, in lower case.
    fn values(&self, webhook: &Subject<'_>) -> Vec<String> {
        let summary = webhook.summary;
        let event = &summary["event"];
        let values = match self {
            Self::Status => vec![&summary["status"]],
            Self::Type => return types(&summary["event_type"]),
            Self::Digit => vec![&event["digit"]],
            Self::App => vec![&summary["app"]],
            Self::Call => vec![&summary["voice_id"], &summary["broadcast_id"]],
            Self::Outcome => vec![&summary["outcome"]],
            Self::From => vec![&event["from"]],
            Self::To => vec![&event["to"]],
            Self::Method => vec![&summary["method"]],
            Self::Path => vec![&summary["path"]],
            Self::Size => vec![&summary["bytes"]],
            Self::Took => {
                return summary["micros"].as_f64().map(|micros| (micros / 1000.0).to_string()).into_iter().collect();
            }
            Self::Is => return kinds(webhook),
            Self::Event(path) => at_path(webhook.event(), path),
        };
        values.into_iter().filter_map(text_of).map(|text| text.to_lowercase()).collect()
    }

    fn pattern(&self, name: &str, value: &str) -> Result<Pattern, String> {
        let value = value.to_lowercase();
        if value.is_empty() {
            return Err(format!("{name}: needs a value, such as {name}:{}", self.example()));
        }
        if let Some((relation, number)) = RELATIONS.iter().find_map(|(sign, is)| Some((*is, value.strip_prefix(sign)?)))
        {
            let has_numbers = matches!(self, Self::Status | Self::Size | Self::Took | Self::Event(_));
            let number = number.parse().ok().filter(|number: &f64| has_numbers && number.is_finite());
            return number
                .map(|number| Pattern::Number(relation, number))
                .ok_or_else(|| format!("{name}:{value} compares no numbers; write {name}:{}", self.example()));
        }
        match self {
            Self::Status if !is_status(&value) => {
                Err(format!("{name}:{value} is not a status; write {name}:404, {name}:4xx or {name}:>=400"))
            }
            Self::Status => Ok(Pattern::Wild(WildMatch::new(&value.replace('x', "?")))),
            Self::Size | Self::Took => {
                Err(format!("{name}:{value} compares no numbers; write {name}:{}", self.example()))
            }
            Self::Outcome => one_of(&OUTCOMES, name, &value),
            Self::Is => one_of(&KINDS, name, &value),
            Self::Digit => Ok(Pattern::Exact(value)),
            Self::Call if !value.contains(['*', '?']) => Ok(Pattern::Start(value)),
            _ => Ok(Pattern::Wild(WildMatch::new(&value))),
        }
    }

    const fn example(&self) -> &'static str {
        match self {
            Self::Status => "4xx",
            Self::Type => "play.*",
            Self::Digit => "7",
            Self::App => "sales",
            Self::Call => "8d0c7a44",
            Self::Outcome => "quarantined",
            Self::From | Self::To => "+1202*",
            Self::Method => "POST",
            Self::Path => "/webhook*",
            Self::Size => ">10000",
            Self::Took => ">100",
            Self::Is => "failed",
            Self::Event(_) => "welcome*",
        }
    }
}

impl Pattern {
    fn matches(&self, value: &str) -> bool {
        match self {
            Self::Wild(pattern) => pattern.matches(value),
            Self::Exact(wanted) => value == wanted,
            Self::Start(start) => value.starts_with(start),
            Self::Number(relation, number) => value.parse().is_ok_and(|value: f64| match relation {
                Relation::AtLeast => value >= *number,
                Relation::AtMost => value <= *number,
                Relation::More => value > *number,
                Relation::Less => value < *number,
            }),
        }
    }
}

/// An event type, its kind (`call`, `play`), and its name alone.
fn types(event_type: &Value) -> Vec<String> {
    let Some(event_type) = event_type.as_str() else { return Vec::new() };
    let parts = event_type.split_once('.').into_iter().flat_map(|(kind, name)| [kind, name]);
    parts.chain([event_type]).map(str::to_lowercase).collect()
}

/// A string, a number or a boolean as text.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

/// The values at a path. A step into an array goes into all of its elements, or into the one with that number.
fn at_path<'v>(value: &'v Value, path: &[String]) -> Vec<&'v Value> {
    let Some((name, rest)) = path.split_first() else {
        return value.as_array().map_or_else(|| vec![value], |elements| elements.iter().collect());
    };
    match value {
        Value::Object(fields) => {
            let named = fields.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
            named.flat_map(|(_, value)| at_path(value, rest)).collect()
        }
        Value::Array(elements) => match name.parse().ok().and_then(|at: usize| elements.get(at)) {
            Some(element) => at_path(element, rest),
            None => elements.iter().flat_map(|element| at_path(element, path)).collect(),
        },
        _ => Vec::new(),
    }
}

fn kinds(webhook: &Subject<'_>) -> Vec<String> {
    let is_set = |name: &str| !webhook.summary[name].is_null();
    let has = [is_set("failed"), is_set("replay_of"), is_set("edited_from"), webhook.is_duplicate, is_set("earlier")];
    KINDS.iter().zip(has).filter(|(_, has)| *has).map(|(kind, _)| (*kind).to_owned()).collect()
}

/// Whether it is three characters such as `404`, `40x` or `4xx`.
fn is_status(value: &str) -> bool {
    let digits = value.trim_end_matches('x');
    value.len() == 3 && value.starts_with(|first: char| ('1'..='5').contains(&first)) && is_number(digits)
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn one_of(names: &[&str], name: &str, value: &str) -> Result<Pattern, String> {
    let pattern = WildMatch::new(value);
    if names.iter().any(|known| pattern.matches(known)) {
        return Ok(Pattern::Wild(pattern));
    }
    Err(format!("{name}:{value} matches nothing; the values are {}", names.join(", ")))
}

/// The term at the start of the text, and what follows it. A lone hyphen or a pair of quotes is no term.
fn next_term(text: &str) -> Result<(Option<Term>, &str), String> {
    let positive = text.strip_prefix('-');
    let body = positive.unwrap_or(text);
    let is_negated = positive.is_some();
    let Some((name, value)) = filter_name(body) else {
        let (word, after) = word(body)?;
        let wanted = (!word.is_empty()).then(|| Wanted::Text(word.to_lowercase()));
        return Ok((wanted.map(|wanted| Term { is_negated, wanted }), after));
    };
    let (values, after) = values(value)?;
    let field = field(name).ok_or_else(|| unknown(name, &values.join(",")))?;
    let patterns = values.iter().map(|value| field.pattern(name, value)).collect::<Result<_, _>>()?;
    Ok((Some(Term { is_negated, wanted: Wanted::Field(field, patterns) }), after))
}

fn field(name: &str) -> Option<Field> {
    if let Some(path) = name.get(EVENT.len()..).filter(|_| name.to_ascii_lowercase().starts_with(EVENT)) {
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        return path.iter().all(|step| !step.is_empty()).then_some(Field::Event(path));
    }
    FILTERS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, field)| field.clone())
}

/// The name of a filter and what follows its colon. A time of day or a URL's port is text.
fn filter_name(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once(':')?;
    let is_path = name.len() > EVENT.len() && name.to_ascii_lowercase().starts_with(EVENT);
    let is_of_name = |character: char| {
        character.is_ascii_alphabetic()
            || character == '_'
            || (is_path && !character.is_whitespace() && character != '"')
    };
    (!name.is_empty() && name.chars().all(is_of_name)).then_some((name, value))
}

fn unknown(name: &str, value: &str) -> String {
    let names: Vec<&str> = FILTERS.iter().map(|(name, _)| *name).collect();
    format!(
        "{name}: is not a filter; the filters are {} and {EVENT}FIELD. To search for the text, quote it: \
         \"{name}:{value}\"",
        names.join(", ")
    )
}

/// The values of a filter, separated by commas, each of which may be quoted, and what follows them.
fn values(text: &str) -> Result<(Vec<String>, &str), String> {
    let mut values = Vec::new();
    let mut rest = text;
    loop {
        let (value, after) = if rest.starts_with('"') {
            word(rest)?
        } else {
            let end = rest.find(|end: char| end == ',' || end.is_whitespace()).unwrap_or(rest.len());
            let (value, after) = rest.split_at(end);
            (value.to_owned(), after)
        };
        values.push(value);
        let Some(more) = after.strip_prefix(',') else { return Ok((values, after)) };
        rest = more;
    }
}

/// The word at the start, without its quotes, and what follows it. Between quotes, `\` takes the next character as it is.
fn word(text: &str) -> Result<(String, &str), String> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        let (word, after) = text.split_at(end);
        return Ok((word.to_owned(), after));
    };
    let mut word = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok((word, quoted.get(at + 1..).unwrap_or_default())),
            '\\' => word.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => word.push(character),
        }
    }
    Err(format!("the quote of \"{quoted} is not closed"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn webhook() -> Value {
        json!({
            "status": 200, "outcome": "queued", "failed": null, "path": "/webhook/sales", "app": "sales", "method": "POST",
            "event_type": "play.digitcollected", "voice_id": "8d0c7a44-1b5e", "broadcast_id": null,
            "bytes": 700, "micros": 2500, "event": { "digit": "7", "from": "+12025550123", "to": null },
        })
    }

    const EVENT: &str = r#"{"prompt_ref":"Main menu","note":"say \"hi\" at 12:30, M\u00fcller","n":7,"ok":true,
        "custom_data":{"order":"A-1"},"calls":[{"to":"+1"},{"to":"+2"}],"list":["x","y"]}"#;

    struct Webhook;

    impl Texts for Webhook {
        fn event(&self) -> Option<&str> {
            Some(EVENT)
        }

        fn readable(&self) -> Vec<String> {
            vec!["sales".to_owned(), "x-format: hex".to_owned()]
        }

        fn random(&self) -> Vec<String> {
            vec!["00ff00ff00ff00ff".to_owned()]
        }
    }

    fn finds_in(webhook: &Value, search: &str) -> bool {
        Search::parse(search).unwrap().finds(&Subject::new(webhook, false, &Webhook))
    }

    fn finds(search: &str) -> bool {
        finds_in(&webhook(), search)
    }

    #[test]
    fn filters_and_words_must_all_apply() {
        for found in [
            "",
            "  ",
            "-",
            "\"\"",
            "status:2xx",
            "status:200",
            "status:4xx,20x",
            "status:<300",
            "type:play.*",
            "TYPE:Play.DIGIT*",
            "type:digitcollected",
            "type:play",
            "digit:7",
            "digit:1,7",
            "app:sales",
            "app:\"sales\"",
            "app:\"a b\",sales",
            "-app:support",
            "call:8d0c7a44",
            "call:*1b5e",
            "outcome:queued",
            "from:+1202*",
            "path:/webhook*",
            "method:post",
            "size:>=700",
            "took:>2 took:<3",
            "status:200 type:play.* digit:7 menu -is:failed",
        ] {
            assert!(finds(found), "{found}");
        }
        for missed in [
            "status:4xx",
            "status:201",
            "status:>200",
            "type:call",
            "type:digit",
            "digit:*",
            "digit:77",
            "-app:sales",
            "app:sale",
            "call:1b5e",
            "outcome:quarantined",
            "to:*",
            "size:>700",
            "took:>100",
            "is:failed",
            "status:200 digit:8",
            "menu -sales",
        ] {
            assert!(!finds(missed), "{missed}");
        }
    }

    #[test]
    fn any_field_of_the_event_can_be_asked_for() {
        for found in [
            "event.prompt_ref:main*",
            "event.prompt_ref:\"main menu\"",
            "event.PROMPT_REF:*",
            "event.custom_data.order:a-1",
            "event.calls.to:+2",
            "event.calls.1.to:+2",
            "event.list:y",
            "event.n:>6",
            "event.ok:true",
            "-event.missing:*",
        ] {
            assert!(finds(found), "{found}");
        }
        for missed in ["event.calls.0.to:+2", "event.missing:*", "event.n:>7", "event.prompt_ref:menu", "event.calls:*"]
        {
            assert!(!finds(missed), "{missed}");
        }
    }

    #[test]
    fn words_are_searched_anywhere_and_quotes_keep_them_together() {
        for found in [
            "MENU",
            "main menu",
            "\"main menu\"",
            "12:30",
            "x-format:",
            "-\"menu main\"",
            "MÜLLER",
            "\"say \\\"hi\\\"\"",
        ] {
            assert!(finds(found), "{found}");
        }
        for missed in ["\"menu main\"", "-\"main menu\"", "-menu", "nothing", "00ff"] {
            assert!(!finds(missed), "{missed}");
        }
        assert!(finds("00FF00ff00ff"), "a long piece of a ciphertext");
        let words = Search::parse("Main -x status:200 \"a b\"").unwrap();
        assert_eq!(words.words().collect::<Vec<_>>(), ["main", "a b"]);
    }

    #[test]
    fn a_star_among_the_digits_is_the_key() {
        let mut webhook = webhook();
        webhook["event"]["digit"] = "*".into();
        assert!(finds_in(&webhook, "digit:*") && !finds_in(&webhook, "digit:7"));
        webhook["event"]["digit"] = 5.into();
        assert!(finds_in(&webhook, "digit:5"));
    }

    #[test]
    fn kinds_of_webhooks() {
        let mut webhook = webhook();
        webhook["failed"] = "Wrong AppID".into();
        webhook["replay_of"] = 4.into();
        assert!(finds_in(&webhook, "is:failed is:replay -is:edited -is:duplicate"));
        assert!(Search::parse("is:duplicate").unwrap().finds(&Subject::new(&webhook, true, &Webhook)));
    }

    #[test]
    fn what_has_no_meaning_is_named() {
        for (wrong, named) in [
            ("colour:red", "colour: is not a filter; the filters are status, type"),
            ("-http://x", "quote it: \"http://x\""),
            ("status:9xx", "status:9xx is not a status"),
            ("status:4x4", "status:4x4 is not a status"),
            ("a status:", "status: needs a value, such as status:4xx"),
            ("type:a,", "type: needs a value"),
            ("outcome:lost", "outcome:lost matches nothing; the values are queued"),
            ("is:blue", "the values are failed, replay, edited"),
            ("size:big", "size:big compares no numbers; write size:>10000"),
            ("app:>3", "app:>3 compares no numbers"),
            ("a \"b c", "the quote of \"b c is not closed"),
        ] {
            let said = Search::parse(wrong).unwrap_err();
            assert!(said.contains(named), "{wrong}: {said}");
        }
    }

    #[test]
    fn texts_are_only_read_when_a_word_is_searched() {
        struct Unread;
        impl Texts for Unread {
            fn event(&self) -> Option<&str> {
                unreachable!()
            }

            fn readable(&self) -> Vec<String> {
                unreachable!()
            }

            fn random(&self) -> Vec<String> {
                unreachable!()
            }
        }
        let webhook = webhook();
        let subject = Subject::new(&webhook, false, &Unread);
        assert!(Search::parse("status:2xx").unwrap().finds(&subject));
        assert!(!Search::parse("menu status:4xx").unwrap().finds(&subject));
    }
}
