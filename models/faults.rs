// The faults that show that the models can fail. Each is a change of one place of the function's sources, which `build.rs`
// makes in its copy; `FAULT` is the switch. One run has at most one of them.

/// A fault.
pub struct Fault {
    pub name: &'static str,
    /// Which scenario finds it.
    pub scenario: &'static str,
    pub file: &'static str,
    pub from: &'static str,
    pub to: &'static str,
}

pub const FAULTS: &[Fault] = &[
    Fault {
        name: "a group is free while its batch is on its way",
        scenario: "order",
        file: "queue/batching.rs",
        from: "    let taken = match batch.as_slice() {",
        to: "    let groups = if FAULT { drop(groups); Vec::new() } else { groups };
    let taken = match batch.as_slice() {",
    },
    Fault {
        name: "a message that goes alone does not hold its group",
        scenario: "order",
        file: "queue/batching.rs",
        from: "Some(Admission::Go(message, request, groups)) => {",
        to: "Some(Admission::Go(message, request, groups)) => {
                    let groups = if FAULT { drop(groups); Vec::new() } else { groups };",
    },
    Fault {
        name: "what waits is not sent when its group is free",
        scenario: "bounded waiting",
        file: "queue/batching.rs",
        from: "self.queue.state().busy.remove(&self.id);
        self.queue.send_waiting();",
        to: "self.queue.state().busy.remove(&self.id);
        if !FAULT { self.queue.send_waiting(); }",
    },
    Fault {
        name: "what SQS did not take is sent again side by side",
        scenario: "order",
        file: "queue/batching.rs",
        from: "    if group.is_some() {",
        to: "    if group.is_some() && !FAULT {",
    },
    Fault {
        name: "a message that comes alone does not wait for what is sent again of its call",
        scenario: "order",
        file: "queue/batching.rs",
        from: "        if is_alone && !state.busy.contains_key(&message.group_id) {",
        to: "        if is_alone && (FAULT || !state.busy.contains_key(&message.group_id)) {",
    },
    Fault {
        name: "a message goes alone though others wait",
        scenario: "order",
        file: "queue/batching.rs",
        from: "state.requests == 0 && state.waiting.is_empty();",
        to: "state.requests == 0 && (FAULT || state.waiting.is_empty());",
    },
    Fault {
        name: "200 for what SQS did not take",
        scenario: "order",
        file: "queue/batching.rs",
        from: "        match taken {
            Some(sent) => {",
        to: "        let taken = if FAULT { Some(Sent { message_id: \"none\".to_owned(), failover: false }) } else { taken };
        match taken {
            Some(sent) => {",
    },
    Fault {
        name: "a message with less time does not hurry up what it waits for",
        scenario: "silence",
        file: "queue/batching.rs",
        from: "        if let Some(hurry) = hurry {",
        to: "        if let Some(hurry) = hurry.filter(|_| !FAULT) {",
    },
    Fault {
        name: "no time is kept for a last attempt",
        scenario: "silence",
        file: "queue/sqs/attempts.rs",
        from: "due(deadline).unwrap_or(deadline)",
        to: "due(deadline).filter(|_| !FAULT).unwrap_or(deadline)",
    },
    Fault {
        name: "a webhook does not wait for those that arrived before it",
        scenario: "order",
        file: "receiver/mod.rs",
        from: "            place.is_first().await;",
        to: "            if !FAULT { place.is_first().await; }",
    },
    Fault {
        name: "the next place is not woken",
        scenario: "order",
        file: "receiver/arrivals.rs",
        from: "        if let Some(next) = next {",
        to: "        if let Some(next) = next.filter(|_| !FAULT) {",
    },
    Fault {
        name: "a place looks, and leaves its waker a moment later",
        scenario: "order",
        file: "receiver/arrivals.rs",
        from: "            if let Some(waker) = held.places.get_mut(&self.number) {",
        to: "            if FAULT {
                drop(held);
                held = self.arrivals.held();
            }
            if let Some(waker) = held.places.get_mut(&self.number) {",
    },
    Fault {
        name: "each webhook requests the AppIDs for itself",
        scenario: "cold start",
        file: "app_id/cache.rs",
        from: ".filter(|allowed| *allowed > now);",
        to: ".filter(|allowed| *allowed > now && !FAULT);",
    },
    Fault {
        name: "a renewal begins beside the one that is on its way",
        scenario: "renewal",
        file: "app_id/cache.rs",
        from: "        if !is_on_its_way {",
        to: "        if !is_on_its_way || FAULT {",
    },
    Fault {
        name: "a webhook is not woken when there are other AppIDs",
        scenario: "cold start",
        file: "app_id/cache.rs",
        from: "            tokio::select! {",
        to: "            if FAULT {
                sleep_until(next.min(until)).await;
                continue;
            }
            tokio::select! {",
    },
    Fault {
        name: "a webhook looks for other AppIDs before it can be woken",
        scenario: "cold start",
        file: "app_id/cache.rs",
        from: "                return Err(known.why_not_fresh(arrived));
            };",
        to: "                return Err(known.why_not_fresh(arrived));
            };
            if FAULT { changed.set(self.shared.changed.notified()); }",
    },
    Fault {
        name: "a webhook is given up while an answer is outstanding",
        scenario: "rotation",
        file: "app_id/cache.rs",
        from: "next.filter(|_| Instant::now() < until)",
        to: "next.filter(|_| Instant::now() < until && !FAULT)",
    },
    Fault {
        name: "a webhook is refused by AppIDs that are older than it",
        scenario: "rotation",
        file: "receiver/open.rs",
        from: "        while !judgement.is_settled_by(&known, times) {",
        to: "        while !FAULT && !judgement.is_settled_by(&known, times) {",
    },
    Fault {
        name: "a previous version counts that was read before the rotation",
        scenario: "rotation",
        file: "app_id/known.rs",
        from: "outdated_until: now, due: now,",
        to: "outdated_until: now.filter(|_| !FAULT), due: now,",
    },
];
