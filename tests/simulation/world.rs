//! Everything around the function: time, the network, the services, Lambda's dispatcher and `EnableX`.
//!
//! The world is an ordinary program without a runtime. It takes the earliest thing that is to happen, lets every
//! environment run up to that time, and then lets it happen. What an environment does meanwhile (bytes, connections,
//! answers) is put among what is to happen. So the world sees everything in the order of time, and a seed and its plan
//! decide all of it.

use std::{
    collections::BTreeMap,
    io,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Waker},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    sync::oneshot,
};
use voicehook_test_support::Random;

use super::{
    Milliseconds,
    environment::{EPOCH, Environment},
    faults::{Fault, Service},
    ledger::{Ledger, Touch, Violation},
    network::{Line, Output},
    plan::{Plan, Setup},
    sender,
    services::{Asked, End, Services},
    wire::{self, HttpRequest},
};

/// What an environment does concerns another one so much later at the earliest: the sender needs that long.
pub const LOOKAHEAD: Milliseconds = 20;
/// How long the world goes on after the last webhook, to see whether everything comes to rest.
const QUIET: Milliseconds = 30_000;
/// The most environments of a function that takes one webhook at a time.
const MOST_ENVIRONMENTS: usize = 6;
/// A simulation of so many steps does not end by itself.
const STEPS: usize = 400_000;
/// What fits on its way over a connection, in bytes.
const BUFFER: usize = 1 << 20;

/// What came of a simulation.
pub struct Outcome {
    pub violation: Option<Violation>,
    pub trace: Vec<String>,
    pub webhooks: usize,
    pub faults: usize,
    /// How many webhooks got each status; 0 stands for none.
    pub statuses: BTreeMap<u16, usize>,
}

/// Something that is to happen.
enum Event {
    Send { webhook: usize },
    HandOver { delivery: usize },
    Connect { environment: usize, service: Service, answer: oneshot::Sender<io::Result<Line>> },
    Arrive { connection: usize, bytes: usize },
    CarryOut { connection: usize, request: HttpRequest },
    Answer { connection: usize, bytes: Vec<u8>, end: End },
    Fault { index: usize },
    Thaw { environment: usize, clock_stood: bool },
}

/// A connection, as the services see it.
struct Connection {
    environment: usize,
    service: Service,
    /// `None` once the service has closed it.
    io: Option<DuplexStream>,
    is_reset: Arc<AtomicBool>,
    read: Vec<u8>,
    is_dead: bool,
    /// The environment has dropped it.
    is_dropped: bool,
    is_busy: bool,
    /// Since when its environment knows that nothing is on its way.
    idle_since: Option<Milliseconds>,
    /// When the last bytes arrive that are on their way.
    last_arrival: Milliseconds,
}

pub struct World<'p> {
    plan: &'p Plan,
    now: Milliseconds,
    next: u64,
    events: BTreeMap<(Milliseconds, u64), Event>,
    variables: Vec<(&'static str, String)>,
    /// `None` where one has ended.
    environments: Vec<Option<Environment>>,
    connections: Vec<Connection>,
    /// Attempts to connect that are never answered.
    unanswered: Vec<oneshot::Sender<io::Result<Line>>>,
    services: Services,
    ledger: Ledger,
    random: Random,
    trace: Option<Vec<String>>,
}

macro_rules! trace {
    ($world:expr, $($text:tt)*) => {
        if let Some(trace) = &mut $world.trace {
            trace.push(format!("{:>6} ms  {}", $world.now, format_args!($($text)*)));
        }
    };
}

impl<'p> World<'p> {
    /// Runs a plan to its end, or until something that was promised is not so.
    pub fn run(plan: &'p Plan, is_traced: bool) -> Outcome {
        fastrand::seed(plan.seed);
        let mut world = Self {
            plan,
            now: 0,
            next: 0,
            events: BTreeMap::new(),
            variables: variables(&plan.setup),
            environments: Vec::new(),
            connections: Vec::new(),
            unanswered: Vec::new(),
            services: Services::new(&plan.setup),
            ledger: Ledger::new(&plan.setup),
            random: Random::new(plan.seed),
            trace: is_traced.then(Vec::new),
        };
        world.begin();
        world.go_on();
        let Self { ledger, trace, .. } = world;
        Outcome {
            violation: ledger.violation.clone(),
            trace: trace.unwrap_or_default(),
            webhooks: ledger.deliveries.len(),
            faults: ledger.faults(),
            statuses: ledger.statuses(),
        }
    }

    fn begin(&mut self) {
        for (index, webhook) in self.plan.webhooks.iter().enumerate() {
            if !webhook.in_turn || !self.has_earlier_in_turn(index) {
                self.at(webhook.at, Event::Send { webhook: index });
            }
        }
        for (index, fault) in self.plan.faults.iter().enumerate() {
            let at = match fault {
                Fault::ConnectionsDie { at }
                | Fault::IdleConnectionsClose { at }
                | Fault::Freeze { at, .. }
                | Fault::Kill { at, .. }
                | Fault::ClockJump { at, .. }
                | Fault::Rotation { at, .. } => *at,
                Fault::Request { .. } | Fault::Outage { .. } | Fault::NoConnections { .. } | Fault::Poison { .. } => {
                    continue;
                }
            };
            self.at(at, Event::Fault { index });
        }
        if !self.plan.setup.one_at_a_time {
            (0..self.plan.setup.environments).for_each(|_| {
                self.start();
            });
        }
    }

    fn has_earlier_in_turn(&self, webhook: usize) -> bool {
        let call = self.plan.webhooks[webhook].call;
        self.plan.webhooks[..webhook].iter().any(|earlier| earlier.call == call)
    }

    fn at(&mut self, at: Milliseconds, event: Event) {
        self.next += 1;
        self.events.insert((at.max(self.now), self.next), event);
    }

    fn go_on(&mut self) {
        let mut steps = 0;
        while self.ledger.violation.is_none() {
            steps += 1;
            if steps > STEPS {
                self.ledger.violate(super::ledger::Rule::Bounded, format!("no end after {STEPS} steps"));
                return;
            }
            let end = self.now + QUIET;
            let until = self.events.first_key_value().map_or(end, |((at, _), _)| *at);
            if let Some((environment, until)) = self.furthest_behind(until) {
                self.run_environment(environment, until);
                continue;
            }
            let Some(((at, _), event)) = self.events.pop_first() else {
                self.now = end;
                return self.rest();
            };
            self.now = at;
            self.happens(event);
        }
    }

    /// The environment that has to run before the world comes to a time, and how far it may.
    fn furthest_behind(&self, until: Milliseconds) -> Option<(usize, Milliseconds)> {
        let running = || {
            let running = self.environments.iter().enumerate();
            running.filter_map(|(number, one)| one.as_ref().filter(|one| !one.is_frozen).map(|one| (one.local, number)))
        };
        let (local, environment) = running().min()?;
        let others = running().filter(|(_, number)| *number != environment).map(|(local, _)| local + LOOKAHEAD).min();
        (local < until).then(|| (environment, others.map_or(until, |others| others.min(until))))
    }

    fn run_environment(&mut self, number: usize, until: Milliseconds) {
        let Some(environment) = &mut self.environments[number] else { return };
        let outputs = environment.run(until);
        let local = environment.local;
        for output in outputs {
            // What it has done belongs to its own time, which the world has not reached.
            let now = std::mem::replace(&mut self.now, local);
            self.comes_out(number, output);
            self.now = now;
        }
    }

    fn comes_out(&mut self, environment: usize, output: Output) {
        match output {
            Output::Connect { host, answer } => {
                let Some(service) = Service::of_host(&host) else { return };
                trace!(self, "environment {environment} connects to {service:?}");
                let latency = self.latency();
                self.at(self.now + latency, Event::Connect { environment, service, answer });
                let open = self.connections.iter().filter(|one| one.environment == environment && !one.is_dropped);
                let (to_secrets, others): (Vec<_>, Vec<_>) = open.partition(|one| one.service == Service::Secrets);
                let most = self.environments[environment].as_ref().map_or(0, |one| one.most_in_flight);
                self.ledger.connections(environment, to_secrets.len(), others.len(), most);
            }
            Output::Wrote { connection, bytes } => {
                trace!(self, "environment {environment} writes {bytes} bytes on connection {connection}");
                let arrival = self.now + self.latency();
                let line = &mut self.connections[connection];
                line.last_arrival = line.last_arrival.max(arrival);
                let arrival = line.last_arrival;
                self.at(arrival, Event::Arrive { connection, bytes });
            }
            Output::Dropped { connection } => self.connections[connection].is_dropped = true,
            Output::Ready => {
                trace!(self, "environment {environment} is ready");
                let Some(ready) = &mut self.environments[environment] else { return };
                ready.is_ready = true;
                for delivery in self.ledger.waiting_for(environment) {
                    self.at(self.now, Event::HandOver { delivery });
                }
            }
            Output::Answered { delivery, response } => {
                trace!(self, "webhook {delivery} gets {} {}", response.status().as_u16(), response.body());
                if let Some(one) = &mut self.environments[environment] {
                    one.in_flight -= 1;
                    one.is_frozen |= self.plan.setup.one_at_a_time;
                }
                self.ledger.answered(delivery, &response, self.now);
                self.next_in_turn(delivery);
            }
        }
    }

    fn next_in_turn(&mut self, delivery: usize) {
        let webhook = self.ledger.deliveries[delivery].webhook;
        let call = self.plan.webhooks[webhook].call;
        let next = self.plan.webhooks.iter().enumerate().skip(webhook + 1).find(|(_, next)| next.call == call);
        if let Some((next, planned)) = next.filter(|(_, next)| next.in_turn) {
            // At least what the answer needs to the sender, and the next webhook back.
            let at = planned.at.max(self.now + LOOKAHEAD + self.random.between(1, 80));
            self.at(at, Event::Send { webhook: next });
        }
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Send { webhook } => self.send(webhook),
            Event::HandOver { delivery } => self.hand_over(delivery),
            Event::Connect { environment, service, answer } => self.connect(environment, service, answer),
            Event::Arrive { connection, bytes } => self.arrive(connection, bytes),
            Event::CarryOut { connection, request } => {
                let Connection { environment, service, .. } = self.connections[connection];
                let bytes = self
                    .services
                    .answer(Asked { service, environment, request: &request, now: self.now }, &mut self.ledger);
                trace!(self, "{service:?} carries out {} on connection {connection}", request.operation);
                self.at(self.now + 1, Event::Answer { connection, bytes, end: End::Open });
            }
            Event::Answer { connection, bytes, end } => self.answer(connection, &bytes, end),
            Event::Fault { index } => self.fault(index),
            Event::Thaw { environment, clock_stood } => {
                trace!(self, "environment {environment} goes on");
                if let Some(frozen) = &mut self.environments[environment] {
                    frozen.thaw(self.now, clock_stood);
                    for delivery in self.ledger.waiting_for(environment) {
                        self.at(self.now, Event::HandOver { delivery });
                    }
                }
            }
        }
    }

    fn send(&mut self, number: usize) {
        let webhook = &self.plan.webhooks[number];
        let version = sender::version(&self.plan.faults, self.now);
        let delivery = self.ledger.sent(number, webhook, version, self.now);
        let at = self.now + webhook.way;
        trace!(
            self,
            "webhook {delivery}: {:?} of call {}, on its way for {} ms", webhook.content, webhook.call, webhook.way
        );
        self.at(at, Event::HandOver { delivery });
    }

    /// Lambda finds an environment for a webhook, or starts one.
    fn hand_over(&mut self, delivery: usize) {
        let setup = &self.plan.setup;
        let assigned =
            self.ledger.deliveries[delivery].environment.filter(|number| self.environments[*number].is_some());
        let environment = assigned.or_else(|| {
            let lives = |(number, one): (usize, &Option<Environment>)| one.as_ref().map(|one| (number, one.in_flight));
            let living = self.environments.iter().enumerate().filter_map(lives);
            if !setup.one_at_a_time {
                let living: Vec<usize> = living.map(|(number, _)| number).collect();
                return (living.len() == setup.environments).then(|| *self.random.pick(&living));
            }
            let idle = |(number, in_flight)| (in_flight == 0 && !self.ledger.is_taken(number)).then_some(number);
            living.filter_map(idle).last()
        });
        let environment = match environment {
            Some(environment) => environment,
            None if self.environments.iter().flatten().count() < MOST_ENVIRONMENTS => self.start(),
            // The gateway's own answer, which is none of voicehook's.
            None => return self.ends_without_answer(delivery),
        };
        self.ledger.deliveries[delivery].environment = Some(environment);
        let Some(one) = &mut self.environments[environment] else { return };
        if !one.is_ready || (one.is_frozen && one.in_flight > 0) || self.ledger.stands(environment, self.now) {
            return;
        }
        if one.is_frozen {
            one.thaw(self.now, false);
        }
        // It may be some milliseconds ahead, by less than anything could notice.
        let now = self.now.max(one.local);
        let wall_clock = one.wall_clock(self.now);
        let ends = EPOCH + self.now + self.plan.setup.timeout;
        let (event, invocation_id) = self.ledger.handed_over(delivery, now, wall_clock, ends);
        trace!(self, "webhook {delivery} is handed to environment {environment}");
        one.hand_over(delivery, event, invocation_id, ends);
    }

    fn start(&mut self) -> usize {
        let environment = self.environments.len();
        trace!(self, "environment {environment} starts");
        self.environments.push(Some(Environment::start(&self.variables, self.now)));
        environment
    }

    fn ends_without_answer(&mut self, delivery: usize) {
        self.ledger.deliveries[delivery].is_over = true;
        self.next_in_turn(delivery);
    }

    fn connect(&mut self, environment: usize, service: Service, answer: oneshot::Sender<io::Result<Line>>) {
        let now = self.now;
        let refused = self.plan.faults.iter().find_map(|fault| match fault {
            Fault::NoConnections { service: of, from, until, refused }
                if *of == service && (*from..*until).contains(&now) =>
            {
                Some(*refused)
            }
            _ => None,
        });
        match refused {
            None => {
                let (mine, theirs) = duplex(BUFFER);
                let (connection, is_reset) = (self.connections.len(), Arc::new(AtomicBool::new(false)));
                trace!(self, "connection {connection} to {service:?} is open");
                let accepted = answer.send(Ok(Line { connection, io: theirs, is_reset: Arc::clone(&is_reset) }));
                self.connections.push(Connection {
                    environment,
                    service,
                    io: Some(mine),
                    is_reset,
                    read: Vec::new(),
                    is_dead: false,
                    is_dropped: accepted.is_err(),
                    is_busy: false,
                    idle_since: Some(now),
                    last_arrival: 0,
                });
            }
            Some(refused) => {
                trace!(self, "no connection to {service:?}: refused {refused}");
                self.ledger.touched(Touch { at: now, environment, service, call: None, passes: true });
                if refused {
                    let _ = answer.send(Err(io::ErrorKind::ConnectionRefused.into()));
                } else {
                    // Until the function has waited long enough.
                    self.unanswered.push(answer);
                }
            }
        }
    }

    fn arrive(&mut self, connection: usize, bytes: usize) {
        let line = &mut self.connections[connection];
        let (environment, service) = (line.environment, line.service);
        let Some(io) = line.io.as_mut().filter(|_| !line.is_dead) else {
            trace!(self, "{bytes} bytes are lost on connection {connection}");
            return self.ledger.touched(Touch { at: self.now, environment, service, call: None, passes: true });
        };
        let mut read = vec![0; bytes];
        at_once(io.read_exact(&mut read));
        line.read.extend(read);
        while let Some(request) = wire::next_request(&mut self.connections[connection].read) {
            let now = self.now;
            let line = &mut self.connections[connection];
            if let Some(since) = line.idle_since.take() {
                self.ledger.used_again(environment, now - since);
            }
            line.is_busy = true;
            let (reaction, call) = self.services.reaction(service, &request, &self.plan.faults, now);
            trace!(self, "{service:?} gets {} on connection {connection}: {reaction:?}", request.operation);
            if reaction != super::faults::Reaction::Well {
                let passes = reaction.passes(request.body["Entries"].is_array());
                self.ledger.touched(Touch { at: now, environment, service, call, passes });
            }
            let latency = self.latency();
            let does =
                self.services.react(Asked { service, environment, request: &request, now }, reaction, &mut self.ledger);
            if does.is_dead {
                self.connections[connection].is_dead = true;
            }
            if let Some(later) = does.carry_out_after {
                self.at(now + later, Event::CarryOut { connection, request });
            }
            for (after, bytes, end) in does.answers {
                self.at(now + latency + after, Event::Answer { connection, bytes, end });
            }
        }
    }

    fn answer(&mut self, connection: usize, bytes: &[u8], end: End) {
        let line = &mut self.connections[connection];
        let (environment, service) = (line.environment, line.service);
        if line.is_dropped {
            return;
        }
        if line.is_dead {
            trace!(self, "an answer is lost on connection {connection}");
            return self.ledger.touched(Touch { at: self.now, environment, service, call: None, passes: true });
        }
        if let Some(io) = &mut line.io
            && !bytes.is_empty()
        {
            at_once(io.write_all(bytes));
        }
        line.is_busy = end == End::More;
        // One that is frozen will notice when it goes on.
        let notices = self.environments[environment].as_ref().is_some_and(|environment| !environment.is_frozen);
        line.idle_since = Some(self.now).filter(|_| notices && !line.is_busy);
        if matches!(end, End::Closed | End::Reset) {
            line.is_reset.store(end == End::Reset, Ordering::Relaxed);
            line.io = None;
        }
        trace!(self, "{} bytes come back on connection {connection}, then {end:?}", bytes.len());
    }

    fn fault(&mut self, index: usize) {
        let fault = &self.plan.faults[index];
        trace!(self, "fault: {fault:?}");
        match *fault {
            Fault::ConnectionsDie { .. } => self.connections.iter_mut().for_each(|line| line.is_dead = true),
            Fault::IdleConnectionsClose { .. } => {
                let idle = self.connections.iter_mut().filter(|line| !line.is_busy && !line.is_dead);
                idle.for_each(|line| line.io = None);
            }
            Fault::Freeze { environment, lasts, clock_stands, .. } => {
                if let Some(environment) = self.living(environment) {
                    self.ledger.disturbed(environment, self.now + lasts);
                    let Some(one) = &mut self.environments[environment] else { return };
                    one.is_frozen = true;
                    self.at(self.now + lasts, Event::Thaw { environment, clock_stood: clock_stands });
                }
            }
            Fault::Kill { environment, .. } => {
                if let Some(environment) = self.living(environment) {
                    self.environments[environment] = None;
                    for delivery in self.ledger.killed(environment) {
                        self.next_in_turn(delivery);
                    }
                    if !self.plan.setup.one_at_a_time {
                        self.start();
                    }
                }
            }
            Fault::ClockJump { environment, by, .. } => {
                if let Some(environment) = self.living(environment)
                    && let Some(one) = &mut self.environments[environment]
                {
                    one.skew += by;
                }
            }
            Fault::Rotation { .. } => self.ledger.secrets.rotate(self.now),
            Fault::Request { .. } | Fault::Outage { .. } | Fault::NoConnections { .. } | Fault::Poison { .. } => {}
        }
    }

    /// One of the environments that run at the moment.
    fn living(&self, number: usize) -> Option<usize> {
        let runs = |one: &Option<Environment>| one.as_ref().is_some_and(|one| !one.is_frozen);
        let living: Vec<usize> =
            (0..self.environments.len()).filter(|number| runs(&self.environments[*number])).collect();
        living.get(number % living.len().max(1)).copied()
    }

    /// After the end: everything has its answer, and nothing is left of it.
    fn rest(&mut self) {
        self.ledger.ended(self.now);
        for (number, environment) in self.environments.iter().enumerate() {
            let Some(environment) = environment.as_ref().filter(|environment| !environment.is_frozen) else { continue };
            let open = self.connections.iter().filter(|line| line.environment == number && !line.is_dropped).count();
            self.ledger.at_rest(number, environment.tasks(), open);
        }
    }

    const fn latency(&mut self) -> Milliseconds {
        self.random.between(1, 9)
    }
}

/// What can be done without waiting: there are bytes enough, or room.
fn at_once<T>(work: impl Future<Output = io::Result<T>>) {
    let _ = pin!(work).as_mut().poll(&mut Context::from_waker(Waker::noop()));
}

/// The function's environment variables.
fn variables(setup: &Setup) -> Vec<(&'static str, String)> {
    let suffix = if setup.fifo { ".fifo" } else { "" };
    let url = |service: Service, name: &str| {
        format!("https://sqs.{}.amazonaws.com/123456789012/{name}{suffix}", service.region())
    };
    let mut variables = vec![
        ("QUEUE_URL", url(Service::Queue, "events")),
        ("PUBLISH_DEADLINE_MS", setup.deadline.to_string()),
        ("APP_ID_TTL_SECONDS", setup.time_to_live.to_string()),
    ];
    variables.extend(setup.failover.then(|| ("FAILOVER_QUEUE_URL", url(Service::Failover, "failover"))));
    variables.extend(setup.quarantine.then(|| ("QUARANTINE_QUEUE_URL", url(Service::Quarantine, "quarantine"))));
    variables.push(match setup.secret {
        true => ("ENABLEX_APP_ID_SECRET", "app-ids".to_owned()),
        false => ("ENABLEX_APP_ID", super::secrets::app_id(0)),
    });
    variables
}
