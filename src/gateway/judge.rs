//! Judges a request by the AppIDs that are known: its route and token, and then what is in it. Never waits.

use lambda_http::{Request, http::Method};

use super::{
    MAX_BODY_BYTES, Opener, Outcome, Refusal, Unopened,
    open::{Judgement, Unjudged},
    route::Route,
};
use crate::{
    app_id::{AppIdSource, Known, Token},
    decrypt::Fault,
    event::Event,
    telemetry::Record,
    webhook::Webhook,
};

/// A request to judge, perhaps more than once.
pub(super) struct Judge<'r, S> {
    pub(super) opener: &'r Opener<S>,
    /// The configured token.
    pub(super) token: Option<&'r Token>,
    pub(super) request: &'r Request,
    pub(super) route: Route<'r>,
}

/// What a request is, by the AppIDs that are known.
#[derive(Debug)]
pub(super) enum Judged {
    /// A webhook that opens.
    Event(Event),
    /// A webhook that none of the app's AppIDs opens.
    Undecryptable(Fault),
    /// No app of that name, or not the right token.
    NotFound,
    /// A webhook without an event for the queue, whatever the AppIDs are.
    Refused(Refusal),
    /// No webhook.
    Answered(Outcome),
}

impl Judgement for Judged {
    fn depends_on_app_ids(&self) -> bool {
        match self {
            Self::NotFound => true,
            Self::Undecryptable(fault) => fault.depends_on_app_id(),
            _ => false,
        }
    }
}

impl<S: AppIdSource> Judge<'_, S> {
    /// Judges by one state of the AppIDs.
    pub(super) fn by(&self, known: &Known, record: &mut Record) -> Judged {
        if !self.route.is_in(known, self.token) {
            return Judged::NotFound;
        }
        let app = self.route.app();
        record.app = Some(app.to_owned());
        match (self.request.method(), self.request.body().as_ref()) {
            (&Method::GET | &Method::HEAD, _) | (&Method::POST, []) => Judged::Answered(Outcome::Probe),
            (&Method::POST, body) if body.len() > MAX_BODY_BYTES => Judged::Answered(Outcome::BodyTooLarge),
            (&Method::POST, body) => {
                match self.opener.open_known(self.request.headers(), body, app, known, &mut record.stages) {
                    Ok(event) => Judged::Event(event),
                    Err(unopened) => unopened.into(),
                }
            }
            _ => Judged::Answered(Outcome::MethodNotAllowed),
        }
    }

    /// What becomes of a request that could not be judged: it may be kept in quarantine until it can be, unless no AppID
    /// was ever read.
    pub(super) fn without_fresh_app_ids(&self, unjudged: Unjudged<Judged>) -> Judged {
        let Unjudged { judgement, known, error } = unjudged;
        if known.is_empty() || !self.may_be_kept(&judgement) {
            return Judged::Answered(Outcome::AppIdUnavailable(error));
        }
        Judged::Refused(Refusal::AppIdUnavailable(error))
    }

    /// Where nothing vouches for app and token, only what is encrypted is kept: the AppID will vouch for it when it is
    /// opened.
    fn may_be_kept(&self, judgement: &Judged) -> bool {
        let Judged::NotFound = judgement else { return true };
        let body: &[u8] = self.request.body().as_ref();
        let webhook = || Webhook::read(self.request.headers(), body, &self.opener.accept);
        self.request.method() == Method::POST
            && body.len() <= MAX_BODY_BYTES
            && matches!(webhook(), Ok(Webhook::Encrypted(_)))
    }
}

impl From<Unopened> for Judged {
    fn from(unopened: Unopened) -> Self {
        match unopened {
            Unopened::Malformed(malformed) => Self::Refused(Refusal::Malformed(malformed)),
            Unopened::Undecryptable(fault) => Self::Undecryptable(fault),
            Unopened::Unreadable(fault) => Self::Refused(Refusal::Undecryptable(fault)),
            Unopened::TooOld => Self::Refused(Refusal::TooOld),
            Unopened::AppIdUnavailable(error) => Self::Refused(Refusal::AppIdUnavailable(error)),
            Unopened::NoSuchApp => Self::NotFound,
        }
    }
}
