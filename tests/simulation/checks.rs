//! The checks: whether what happened is what was promised.
//!
//! Each is made at the step that could break the promise. A check that cannot know (a fault met the webhook, its
//! environment stood still) says nothing, so every violation is one.

use std::collections::HashSet;

use http::Response;
use serde_json::Value;

use super::{
    Milliseconds,
    faults::Service,
    ledger::{Delivery, HandedOver, Ledger, Rule},
    plan::Content,
    services::call_of,
    sqs::SimulatedQueue,
};

/// An outage that ends so long before the end of a queue's share of the deadline costs nothing.
const IN_TIME_TO_RECOVER: Milliseconds = 600;
/// What a webhook takes at the most that nothing stands in the way of: half a dozen round trips, one after the other.
const PROMPT: Milliseconds = 1000;
/// A version of the secret counts as fresh for so long.
const FRESH: Milliseconds = 1000;
/// The queue, the failover queue and the quarantine.
const QUEUES: usize = 3;
/// For each of two versions one request a second, which may take 10 s.
const CONNECTIONS_TO_SECRETS: usize = 24;
/// An idle connection is not used any more after 20 s and what a request is on its way for.
const LONGEST_IDLE: Milliseconds = 20_050;
/// What the function's timers may be late by.
const TICK: Milliseconds = 3;

impl Ledger {
    /// An environment has so many connections to Secrets Manager, and so many others, and `most` is how many webhooks it
    /// has had at once.
    pub fn connections(&mut self, environment: usize, to_secrets: usize, others: usize, most: usize) {
        // Each webhook needs one at a time, and idle ones are kept until a request to the same queue finds them too old.
        if others > 6 + QUEUES * most {
            let what = format!("environment {environment} has {others} connections for {most} webhooks at once");
            self.violate(Rule::Bounded, what);
        }
        if to_secrets > CONNECTIONS_TO_SECRETS {
            let what = format!("environment {environment} has {to_secrets} connections to Secrets Manager");
            self.violate(Rule::Bounded, what);
        }
    }

    /// A request comes on a connection that was idle for some time.
    pub fn used_again(&mut self, environment: usize, idle: Milliseconds) {
        // A clock that stands still does not tell how long.
        if idle > LONGEST_IDLE && !self.stands_until.contains_key(&environment) {
            self.violate(Rule::Bounded, format!("a connection was used again after {idle} ms without a request"));
        }
    }

    /// A version of the secret is asked for.
    pub fn asked(&mut self, environment: usize, is_previous: bool, now: Milliseconds) {
        const SPAN: Milliseconds = 8000;
        let asked = self.asked.entry((environment, is_previous)).or_default();
        asked.push(now);
        let lately = asked.iter().filter(|at| **at + SPAN > now).count();
        if lately > 10 && !self.stands_until.contains_key(&environment) {
            self.violate(
                Rule::Bounded,
                format!("a version of the secret was asked for {lately} times within {SPAN} ms"),
            );
        }
    }

    /// A batch comes to a queue.
    pub fn check_batch(&mut self, entries: &[Value]) {
        let ids: Vec<_> = entries.iter().filter_map(|entry| entry["MessageDeduplicationId"].as_str()).collect();
        if ids.iter().collect::<HashSet<_>>().len() < ids.len() {
            self.violate(Rule::Identity, format!("a batch has one deduplication id twice: {ids:?}"));
        }
    }

    /// A queue stores a message, and this looks at it. Returns its number on the queue.
    pub fn store(
        &mut self,
        queue: &mut SimulatedQueue,
        service: Service,
        environment: usize,
        message: &Value,
        now: Milliseconds,
    ) -> usize {
        let (number, is_new) = queue.store(message, now);
        self.requests += 1;
        if service == Service::Quarantine {
            self.check_quarantined(message, now);
        } else {
            self.check_event(service, environment, message, number, now);
        }
        if is_new && self.requests > 100 + 40 * self.deliveries.len() {
            self.violate(
                Rule::Bounded,
                format!("{} messages were sent for {} webhooks", self.requests, self.deliveries.len()),
            );
        }
        number
    }

    fn check_event(&mut self, service: Service, environment: usize, message: &Value, number: usize, now: Milliseconds) {
        let attribute = |name: &str| message["MessageAttributes"][name]["StringValue"].as_str().unwrap_or_default();
        let event_id = attribute("event_id").to_owned();
        let Some(deliveries) = self.by_event_id.get(&event_id).cloned() else {
            return self.violate(Rule::Identity, format!("{service:?} has an event_id that no event has: {message}"));
        };
        let delivery = &self.deliveries[deliveries[0]];
        if self.setup.fifo && message["MessageDeduplicationId"].as_str() != Some(&event_id) {
            return self.violate(Rule::Identity, format!("the deduplication id is not the event_id: {message}"));
        }
        let group = message["MessageGroupId"].as_str().unwrap_or_default();
        if self.setup.fifo && call_of(group) != Some(delivery.call) {
            return self.violate(Rule::Order, format!("the group is not the call's: {message}"));
        }
        if message["MessageBody"].as_str() != Some(&delivery.text) {
            return self.violate(Rule::NothingRewritten, format!("{:?} became {message}", delivery.text));
        }
        let received_at: i64 = attribute("received_at").parse().map_or(0, jiff::Timestamp::as_millisecond);
        if !deliveries.iter().any(|delivery| self.came_at(*delivery, received_at)) {
            return self.violate(Rule::NothingRewritten, format!("it did not come at its received_at: {message}"));
        }
        self.opened.entry((environment, delivery.version)).or_insert(now);
        self.places.entry((service, event_id)).or_insert(number);
    }

    /// Whether a webhook was handed over when its environment's wall clock showed that time.
    fn came_at(&self, delivery: usize, wall_clock: i64) -> bool {
        let Delivery { handed_over, is_disturbed, .. } = &self.deliveries[delivery];
        *is_disturbed
            || handed_over.as_ref().is_some_and(|handed| handed.wall_clock.abs_diff(wall_clock as u64) <= TICK)
    }

    fn check_quarantined(&mut self, message: &Value, now: Milliseconds) {
        let record: Value =
            serde_json::from_str(message["MessageBody"].as_str().unwrap_or_default()).unwrap_or_default();
        let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
        let number = text("invocation_id").strip_prefix("invocation-").and_then(|number| number.parse::<usize>().ok());
        let Some(delivery) = number.and_then(|number| self.deliveries.get(number)).cloned() else {
            return self
                .violate(Rule::Identity, format!("a webhook in quarantine has not its invocation's id: {record}"));
        };
        let reason = text("reason");
        let must_open = delivery.handed_over.as_ref().is_some_and(|handed| self.must_open(&delivery, handed, now));
        if must_open && matches!(reason.as_str(), "undecryptable" | "not_found" | "malformed") {
            let what = format!("webhook {number:?} is in quarantine as {reason}");
            return self.violate(Rule::Judged, what);
        }
        let parts = self.quarantined.entry(text("id")).or_default();
        parts.insert(record["part"].as_u64().unwrap_or_default(), text("body_base64"));
        if record["parts"].as_u64() == Some(parts.len() as u64) {
            let body: Vec<u8> =
                parts.values().flat_map(|part| base64_simd::STANDARD.decode_to_vec(part).unwrap()).collect();
            if body != delivery.body.as_bytes() {
                return self.violate(Rule::NothingRewritten, format!("the parts of {record} are not the webhook"));
            }
            self.whole.insert(text("invocation_id"));
        }
    }

    /// A webhook has its answer.
    pub fn answered(&mut self, number: usize, response: &Response<String>, now: Milliseconds) {
        let status = response.status().as_u16();
        let delivery = &mut self.deliveries[number];
        (delivery.answered, delivery.is_over) = (Some((now, status)), true);
        let delivery = delivery.clone();
        let Some(handed) = &delivery.handed_over else { return };
        self.check_answer(number, response);
        if !delivery.is_disturbed && now > handed.deadline + TICK {
            let (took, allowed) = (now - handed.at, handed.deadline - handed.at);
            self.violate(Rule::InTime, format!("webhook {number} was answered after {took} ms of {allowed} ms"));
        }
        if status == 200 {
            if delivery.content != Content::Probe && !self.has(handed) {
                self.violate(Rule::Kept, format!("webhook {number} was answered 200, and nothing has it"));
            }
            self.check_order(number, &delivery, handed);
        } else {
            self.check_refusal(number, &delivery, handed, status, now);
        }
        self.check_promptness(number, &delivery, handed, now);
    }

    fn check_answer(&mut self, number: usize, response: &Response<String>) {
        let status = response.status().as_u16();
        let mut headers: Vec<&str> = response.headers().keys().map(http::HeaderName::as_str).collect();
        headers.sort_unstable();
        let is_right = match status {
            200 => response.body() == "{}" && headers == ["content-type", "x-request-id"],
            503 => headers == ["content-type", "retry-after", "x-request-id"],
            400 | 404 | 413 => headers == ["content-type", "x-request-id"],
            _ => false,
        };
        if !is_right || response.headers()["x-request-id"] != format!("gateway-{number}") {
            self.violate(Rule::SameAnswer, format!("webhook {number} got {response:?}"));
        }
    }

    /// Whether an event is on a queue, or its webhook whole in quarantine.
    fn has(&self, handed: &HandedOver) -> bool {
        let on = |service| self.places.contains_key(&(service, handed.event_id.clone()));
        on(Service::Queue) || on(Service::Failover) || self.whole.contains(&handed.invocation_id)
    }

    /// A webhook without a 200: was it refused by what is true, and if it was not refused for good, did it have to fail?
    fn check_refusal(
        &mut self,
        number: usize,
        delivery: &Delivery,
        handed: &HandedOver,
        status: u16,
        now: Milliseconds,
    ) {
        let must_open = self.must_open(delivery, handed, now);
        if status < 500 {
            if must_open {
                self.violate(Rule::Judged, format!("webhook {number} opens, and was answered {status}"));
            } else if self.has(handed) && self.by_event_id.get(&handed.event_id).is_none_or(|same| same.len() == 1) {
                self.violate(Rule::Kept, format!("webhook {number} was answered {status}, and is kept"));
            }
        } else if self.had_to_succeed(delivery, handed, now) {
            let what =
                format!("webhook {number} was answered {status} at {now} ms; its deadline was {}", handed.deadline);
            self.violate(Rule::CostsNothing, what);
        }
    }

    /// Whether everything that a webhook needed was well again in time.
    fn had_to_succeed(&self, delivery: &Delivery, handed: &HandedOver, now: Milliseconds) -> bool {
        let Some(environment) = delivery.environment.filter(|_| !delivery.is_disturbed) else { return false };
        let last_moment = handed.deadline.saturating_sub(IN_TIME_TO_RECOVER);
        let allowed = handed.deadline - handed.at;
        let was_well = |service, since| self.was_well(environment, service, delivery.call, handed.at, since);
        if !delivery.content.is_event() {
            // A part of the time is for the AppIDs, and several parts go one after the other.
            let is_kept = self.setup.quarantine && delivery.content == Content::Garbage && delivery.body.len() < 1500;
            let is_judged =
                !self.setup.secret || (self.has_opened(environment) && allowed >= 2 * IN_TIME_TO_RECOVER + 100);
            return is_kept && is_judged && allowed > IN_TIME_TO_RECOVER && was_well(Service::Quarantine, last_moment);
        }
        let is_opened = self.is_known(environment, delivery, handed, now)
            || (self.must_open(delivery, handed, now)
                && was_well(Service::Secrets, handed.at.saturating_sub(2 * FRESH))
                && allowed >= 3500);
        let is_queued = match self.setup.failover {
            false => allowed > IN_TIME_TO_RECOVER && was_well(Service::Queue, last_moment),
            true => {
                let half = allowed / 2 > IN_TIME_TO_RECOVER;
                // A queue that failed for other calls may be left alone, with the failover queue in its place.
                let has_failed = self
                    .touches
                    .iter()
                    .any(|touch| touch.environment == environment && touch.service == Service::Queue);
                half && (was_well(Service::Failover, last_moment) || !has_failed)
            }
        };
        is_opened && is_queued
    }

    /// Whether no fault of a service has met an environment since then, but for those of other calls; and none that does
    /// not pass since the webhook came.
    fn was_well(
        &self,
        environment: usize,
        service: Service,
        call: usize,
        came: Milliseconds,
        since: Milliseconds,
    ) -> bool {
        !self.touches.iter().any(|touch| {
            let concerns = touch.environment == environment && touch.service == service;
            let since = if touch.passes { since } else { since.min(came) };
            concerns && touch.at >= since && touch.call.is_none_or(|of| of == call)
        })
    }

    /// Whether an environment knew the AppID of a webhook before it came, and had no reason to forget it. After two
    /// rotations at once it may know it as the previous one only, which it reads again when it learns of the current one.
    fn is_known(&self, environment: usize, delivery: &Delivery, handed: &HandedOver, now: Milliseconds) -> bool {
        let version = delivery.version;
        let keeps = |opened: Milliseconds| {
            opened < handed.at
                && self.secrets.was_valid(version, opened, now)
                && self.secrets.was_replaced_after(version, opened)
        };
        !self.setup.secret || self.opened.get(&(environment, version)).is_some_and(|opened| keeps(*opened))
    }

    fn has_opened(&self, environment: usize) -> bool {
        self.opened.keys().any(|(of, _)| *of == environment)
    }

    /// A webhook that nothing stands in the way of is on its queue at once.
    fn check_promptness(&mut self, number: usize, delivery: &Delivery, handed: &HandedOver, now: Milliseconds) {
        let Some(environment) = delivery.environment.filter(|_| !delivery.is_disturbed) else { return };
        // What came before may hold up its own call until its own deadline.
        let since = handed.at.saturating_sub(self.setup.deadline + PROMPT);
        let was_well = |service| self.was_well(environment, service, delivery.call, handed.at, since);
        let is_clear = delivery.content.is_event()
            && self.is_known(environment, delivery, handed, now)
            && was_well(Service::Queue)
            && was_well(Service::Failover)
            && handed.deadline - handed.at > PROMPT;
        let took = now - handed.at;
        if is_clear && took > PROMPT {
            let what = format!("webhook {number} took {took} ms, though nothing of its own stood in its way");
            self.violate(Rule::OfOthers, what);
        }
    }

    /// A webhook that was answered 200 against those of its call that were too.
    fn check_order(&mut self, number: usize, delivery: &Delivery, handed: &HandedOver) {
        // What took the way through the failover queue may have come to the first one at any time.
        let place = |handed: &HandedOver| {
            let on = |service| self.places.get(&(service, handed.event_id.clone())).copied();
            on(Service::Queue).filter(|_| on(Service::Failover).is_none())
        };
        // Of several deliveries of one event, any can have given it its place.
        let is_once = |handed: &HandedOver| self.by_event_id[&handed.event_id].len() == 1;
        if !self.setup.fifo || !delivery.content.is_event() || !is_once(handed) {
            return;
        }
        let Some(of_this) = place(handed) else { return };
        for (other_number, other) in self.deliveries.iter().enumerate() {
            let (Some(other_handed), Some((other_answered, 200))) = (&other.handed_over, other.answered) else {
                continue;
            };
            let is_another = other_number != number
                && other.call == delivery.call
                && other.content.is_event()
                && is_once(other_handed);
            let Some(of_other) = place(other_handed).filter(|_| is_another) else { continue };
            let (first, second, before, after) = match of_this < of_other {
                true => (delivery, other, (number, handed), (other_number, other_handed)),
                false => (other, delivery, (other_number, other_handed), (number, handed)),
            };
            // On the queue, `first` is before `second`.
            let answered = if before.0 == number { other_answered } else { delivery.answered.map_or(0, |(at, _)| at) };
            let was_sent_after = answered <= first.sent_at;
            let in_one_environment = first.environment == second.environment
                && (after.1.at, after.0) < (before.1.at, before.0)
                && self.kept_their_places(first, before.1, second, after.1);
            if was_sent_after || in_one_environment {
                let what = format!("webhook {} is before webhook {} on the queue", before.0, after.0);
                return self.violate(Rule::Order, what);
            }
        }
    }

    /// Whether neither of two webhooks of an environment gave up its place, nor did the queue take the later one alone.
    fn kept_their_places(&self, first: &Delivery, before: &HandedOver, second: &Delivery, after: &HandedOver) -> bool {
        let Some(environment) = first.environment else { return false };
        let was_split = self.reordered.contains(&(after.event_id.clone(), before.event_id.clone()));
        let is_known = |delivery: &Delivery, handed: &HandedOver| {
            self.is_known(environment, delivery, handed, delivery.answered.map_or(Milliseconds::MAX, |(at, _)| at))
        };
        !was_split && is_known(first, before) && is_known(second, after)
    }

    /// Everything is over.
    pub fn ended(&mut self, now: Milliseconds) {
        let waits = self.deliveries.iter().position(|one| !one.is_over);
        if let Some(number) = waits {
            self.violate(
                Rule::InTime,
                format!("webhook {number} has no answer at {now} ms, long after everything else"),
            );
        }
    }

    /// What is left in an environment when nothing happens any more.
    pub fn at_rest(&mut self, environment: usize, tasks: usize, open: usize) {
        // Each open connection has a task, and a pool has one.
        let limit = 2 * open + 4;
        if tasks > limit {
            let what = format!("environment {environment} has {tasks} tasks and {open} connections with nothing to do");
            self.violate(Rule::Bounded, what);
        }
    }

    /// Whether a webhook opens with what Secrets Manager had all the time that counts.
    fn must_open(&self, delivery: &Delivery, handed: &HandedOver, now: Milliseconds) -> bool {
        let is_valid = || self.secrets.was_valid(delivery.version, handed.at.saturating_sub(FRESH), now);
        delivery.content.is_event() && !delivery.is_disturbed && (!self.setup.secret || is_valid())
    }
}
