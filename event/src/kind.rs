//! What kind an event is of: one spelling for each, whatever generation of EnableX's API wrote it.

use std::borrow::Cow;

use super::PlayState;

/// Whether an event is of a call or of a prompt in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// `call.…`
    Call,
    /// `play.…`
    Prompt,
}

/// The type of an event without a kind, or with one of whose name nothing is left.
const UNKNOWN: &str = "unknown";

/// The fields that tell what kind an event is of, each if it says anything.
#[derive(Clone, Copy, Debug, Default)]
pub struct KindFields<'a> {
    /// `state`: of a call.
    pub state: Option<&'a str>,
    /// `playstate`: of a prompt.
    pub playstate: Option<&'a str>,
    /// The newest generation has this one instead of the two others.
    pub event: Option<&'a str>,
    /// Whether there is a `play_id` or a `prompt_ref`.
    pub names_a_prompt: bool,
}

impl<'a> KindFields<'a> {
    /// What the event is about, and what happened, as it was written. `state` wins over `playstate`, and both over
    /// `event`.
    #[must_use]
    pub fn kind(self) -> Option<(Subject, &'a str)> {
        let of_call = self.state.map(|state| (Subject::Call, state));
        let of_prompt = || self.playstate.map(|playstate| (Subject::Prompt, playstate));
        of_call.or_else(of_prompt).or_else(|| self.event.map(|event| (self.subject(event), event)))
    }

    /// A call and a prompt can both be initiated; all other names belong to one of them.
    fn subject(self, event: &str) -> Subject {
        let name = normalized(event);
        let is_of_both = name == PlayState::Initiated.as_str();
        let is_of_prompts = PlayState::NAMES.contains(&name.as_ref()) && (!is_of_both || self.names_a_prompt);
        if is_of_prompts { Subject::Prompt } else { Subject::Call }
    }
}

/// `call.<name>` or `play.<name>`, else `unknown`.
#[must_use]
pub fn event_type(kind: Option<(Subject, &str)>) -> Cow<'static, str> {
    match kind.map(|(subject, name)| (subject, normalized(name))) {
        Some((_, name)) if name.is_empty() => UNKNOWN.into(),
        Some((Subject::Call, name)) => format!("call.{name}").into(),
        Some((Subject::Prompt, name)) => format!("play.{name}").into(),
        None => UNKNOWN.into(),
    }
}

/// The one spelling of a name: in lower case, with nothing but ASCII letters, digits, `_` and `-`. It may be empty.
///
/// ```
/// use voicehook_event::normalized;
///
/// assert_eq!(normalized("Incoming call"), "incomingcall");
/// assert_eq!(normalized("broadcastcomplete"), "broadcastcall_complete");
/// ```
#[must_use]
pub fn normalized(name: &str) -> Cow<'_, str> {
    let is_kept = |character: char| matches!(character, 'a'..='z' | '0'..='9' | '_' | '-');
    let name: Cow<'_, str> = if name.chars().all(is_kept) {
        name.into()
    } else {
        name.chars().map(|character| character.to_ascii_lowercase()).filter(|character| is_kept(*character)).collect()
    };
    if name == "broadcastcomplete" { "broadcastcall_complete".into() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn type_of(fields: KindFields<'_>) -> String {
        event_type(fields.kind()).into_owned()
    }

    #[test]
    fn a_name_has_one_spelling() {
        for (name, expected) in [
            ("connected", "connected"),
            ("Incomingcall", "incomingcall"),
            ("incoming call", "incomingcall"),
            ("BROADCASTCOMPLETE", "broadcastcall_complete"),
            ("stream-started_2", "stream-started_2"),
            ("größe", "gre"),
            ("!!!", ""),
            ("", ""),
        ] {
            assert_eq!(normalized(name), expected, "{name}");
        }
    }

    #[test]
    fn a_state_wins_over_a_playstate_and_both_over_an_event() {
        let all = KindFields {
            state: Some("hold"),
            playstate: Some("menutimeout"),
            event: Some("connected"),
            names_a_prompt: false,
        };
        assert_eq!(type_of(all), "call.hold");
        assert_eq!(type_of(KindFields { state: None, ..all }), "play.menutimeout");
        assert_eq!(type_of(KindFields { state: None, playstate: None, ..all }), "call.connected");
        assert_eq!(type_of(KindFields::default()), "unknown");
        assert_eq!(type_of(KindFields { state: Some("!!!"), ..all }), "unknown");
    }

    #[test]
    fn an_event_belongs_to_a_prompt_where_its_name_does() {
        let event =
            |event, names_a_prompt| type_of(KindFields { event: Some(event), names_a_prompt, ..KindFields::default() });
        assert_eq!(event("digitcollected", false), "play.digitcollected");
        assert_eq!(event("DigitCollected", true), "play.digitcollected");
        assert_eq!(event("connected", true), "call.connected");
        assert_eq!(event("initiated", false), "call.initiated");
        assert_eq!(event("initiated", true), "play.initiated");
    }
}
