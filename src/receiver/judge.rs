//! Judges a request by the AppIDs that are known: its route and token, and then what is in it. Never waits.

use http::Method;

use super::{
    MAX_BODY_BYTES, Opener, Outcome, Refusal, Request,
    open::{Judgement, Unjudged},
    route::Route,
    token::admitted,
};
use crate::{
    app_id::{AppIdSource, Known, Token},
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
    /// A webhook without an event for the queue.
    Refused(Refusal),
    /// Not a webhook, or one that nothing can be said of.
    Answered(Outcome),
}

impl Judgement for Judged {
    fn depends_on_app_ids(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.depends_on_app_ids())
    }
}

impl<S: AppIdSource> Judge<'_, S> {
    /// Judges by one state of the AppIDs.
    pub(super) fn by(&self, known: &Known, record: &mut Record) -> Judged {
        let Some(app) = admitted(self.route, known, self.token) else { return Judged::Refused(Refusal::NotFound) };
        record.app = Some(self.route.app.to_owned());
        match (&self.request.method, self.request.body.as_slice()) {
            (&Method::GET | &Method::HEAD, _) | (&Method::POST, []) => Judged::Answered(Outcome::Probe),
            (&Method::POST, body) if body.len() > MAX_BODY_BYTES => Judged::Answered(Outcome::BodyTooLarge),
            (&Method::POST, body) => {
                let opened = self.opener.open_known(&self.request.headers, body, app, &mut record.stages);
                opened.map_or_else(Judged::Refused, Judged::Event)
            }
            _ => Judged::Answered(Outcome::MethodNotAllowed),
        }
    }

    /// What becomes of a request that could not be judged: it may be kept in quarantine until it can be, unless no AppID
    /// was ever read.
    pub(super) fn without_fresh_app_ids(&self, unjudged: Unjudged<Judged>) -> Judged {
        let Unjudged { judgement, known, error } = unjudged;
        let may_be_kept = !known.is_empty() && self.may_be_kept(&judgement);
        let refusal = Refusal::AppIdUnavailable(error);
        if may_be_kept { Judged::Refused(refusal) } else { Judged::Answered(Outcome::Refused(refusal)) }
    }

    /// Where nothing vouches for app and token, only what is encrypted is kept: the AppID will vouch for it when it is
    /// opened.
    fn may_be_kept(&self, judgement: &Judged) -> bool {
        let Judged::Refused(Refusal::NotFound) = judgement else { return true };
        let Request { method, headers, body, .. } = self.request;
        let webhook = || Webhook::read(headers, body, &self.opener.accept);
        method == Method::POST && body.len() <= MAX_BODY_BYTES && matches!(webhook(), Ok(Webhook::Encrypted(_)))
    }
}
