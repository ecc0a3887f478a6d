//! SQS and Secrets Manager as they fail: a server that reads and writes bytes, and with some requests or for some time does
//! something else than it should. What a real service does not do, it does not do either: say that it took a message that it
//! did not take. (The [control](Faults::lies) of the campaign is just that.)

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::sleep,
};
use voicehook_test_support::{
    Random,
    sqs_stub::{read_body, read_until_blank_line},
};

use crate::{
    ledger::{At, Ledger},
    webhooks::APP_ID,
};

const MESSAGE_ID: &str = "5fea7756-0ea4-451a-a703-a558b933e274";

/// How often what fails.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    /// Of requests.
    pub percent: usize,
    /// Says of every n-th message that it was taken, and drops it. Only to show that the campaign notices.
    pub lies: Option<usize>,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Close,
    Reset,
    /// Nothing more comes, and nobody says so.
    Silence,
}

/// What the server does with one request.
#[derive(Clone, Copy, Debug)]
struct Plan {
    name: &'static str,
    /// Reads so many bytes of the request, and then ends the connection.
    reads: Option<(usize, End)>,
    before: Duration,
    /// Whether the messages are taken.
    takes: Takes,
    /// Between taking and answering.
    after: Duration,
    says: Says,
    /// Writes so many thousandths of the answer, and then ends the connection.
    writes: Option<(usize, End)>,
    /// Writes the answer in pieces of so many bytes, with a pause.
    drips: Option<(usize, Duration)>,
    then: Option<End>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    All,
    None,
    /// Those whose bit is set, by the place in a batch. A message alone counts as one at place 0.
    Some(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    /// What was taken, and what was not.
    Truth,
    Error(u16, &'static str),
    /// 200 with these bytes.
    Bytes(&'static str),
    /// Of a batch: each entry failed, whether it was taken or not.
    AllFailed,
    /// Of a batch: nothing of what was not taken.
    OnlySuccesses,
    /// Of a batch: of each that was taken that it was and that it was not.
    Both,
}

const AS_IT_SHOULD: Plan = Plan {
    name: "none",
    reads: None,
    before: Duration::ZERO,
    takes: Takes::All,
    after: Duration::ZERO,
    says: Says::Truth,
    writes: None,
    drips: None,
    then: None,
};

impl Plan {
    /// One of the faults that pass.
    fn fault(random: &mut Random) -> Self {
        let milliseconds = |most: usize, random: &mut Random| Duration::from_millis(random.below(most) as u64);
        let end = [End::Close, End::Reset, End::Silence][random.below(3)];
        // Rarely, because each costs a whole attempt.
        let seldom_silent = if random.percent(70) { [End::Close, End::Reset][random.below(2)] } else { end };
        let takes = if random.percent(50) { Takes::All } else { Takes::None };
        let part = Takes::Some(random.next());
        let errors = [
            (500, "InternalError"),
            (503, "ServiceUnavailable"),
            (502, "<html>"),
            (400, "ThrottlingException"),
            (400, "KmsThrottled"),
        ];
        let (status, code) = errors[random.below(errors.len())];
        let plan = AS_IT_SHOULD;
        match random.below(13) {
            0 => Self { name: "request cut", reads: Some((random.below(3_000), seldom_silent)), ..plan },
            1 | 2 => Self { name: "answer cut", takes, writes: Some((random.below(1_000), seldom_silent)), ..plan },
            3 => Self { name: "answer delayed", after: milliseconds(900, random), ..plan },
            4 => Self { name: "taken late", before: milliseconds(1_500, random), ..plan },
            5 => {
                let pause = Duration::from_millis(1 + random.below(9) as u64);
                Self { name: "answer dripped", drips: Some((1 + random.below(40), pause)), ..plan }
            }
            6 => Self { name: "answer lost", takes, writes: Some((0, End::Silence)), ..plan },
            7 => Self { name: "error", takes: Takes::None, says: Says::Error(status, code), ..plan },
            8 => {
                let says = Says::Error([500, 503, 502][random.below(3)], "InternalError");
                Self { name: "error after taking", says, ..plan }
            }
            9 => Self { name: "part of a batch", takes: part, ..plan },
            10 => {
                let says = [Says::AllFailed, Says::OnlySuccesses, Says::Both][random.below(3)];
                Self { name: "batch contradicts", takes: part, says, ..plan }
            }
            11 => {
                let bytes = ["<html>", "{}", r#"{"MessageId":""}"#, "", "[1", r#"{"Successful":[],"Failed":[]}"#];
                Self { name: "nonsense", takes, says: Says::Bytes(bytes[random.below(bytes.len())]), ..plan }
            }
            _ => Self { name: "closed after it", then: Some(seldom_silent), ..plan },
        }
    }
}

/// What the whole server, or a queue of it, does for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    None,
    /// Connections are reset, and new ones are refused.
    Refused,
    /// Nothing is answered on any connection, nor on those that are idle, ever.
    Silent,
    /// A queue has 503.
    Unavailable(At),
    /// A queue is throttled.
    Throttled(At),
    /// A queue does not answer.
    Stalls(At),
}

/// The server.
#[derive(Clone)]
pub struct Sqs {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    ledger: Arc<Ledger>,
    faults: Faults,
    random: Mutex<Random>,
    outage: watch::Sender<Outage>,
    connections: AtomicUsize,
    /// Connections up to this number are dead.
    dead: AtomicUsize,
    requests: AtomicUsize,
    messages: AtomicUsize,
    /// Requests that are not decided yet.
    pending: AtomicUsize,
    injected: Mutex<BTreeMap<&'static str, usize>>,
}

impl Sqs {
    pub async fn start(ledger: Arc<Ledger>, faults: Faults, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            ledger,
            faults,
            random: Mutex::new(Random::new(seed)),
            outage: watch::Sender::new(Outage::None),
            connections: AtomicUsize::new(0),
            dead: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            messages: AtomicUsize::new(0),
            pending: AtomicUsize::new(0),
            injected: Mutex::default(),
        });
        let sqs = Self { address, shared };
        tokio::spawn(sqs.clone().accept(listener));
        sqs
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn queue_url(&self, at: At, fifo: bool) -> String {
        // The quarantine of the template is a standard queue.
        let suffix = if fifo && at != At::Quarantine { ".fifo" } else { "" };
        format!("{}/000000000000/{}{suffix}", self.endpoint(), At::NAMES[at as usize])
    }

    /// Begins or ends an outage.
    pub fn set(&self, outage: Outage) {
        if outage != Outage::None {
            self.shared.count(match outage {
                Outage::Refused => "outage: refused",
                Outage::Silent => "outage: silent",
                _ => "outage of a queue",
            });
        }
        if outage == Outage::Silent {
            self.kill_connections();
        }
        self.shared.outage.send_replace(outage);
    }

    /// All connections that are open now die silently, as those of an environment that was frozen for long.
    pub fn kill_connections(&self) {
        self.shared.dead.store(self.shared.connections.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Requests so far, and the faults in them.
    pub fn counted(&self) -> (usize, BTreeMap<&'static str, usize>) {
        (self.shared.requests.load(Ordering::Relaxed), self.shared.injected.lock().unwrap().clone())
    }

    /// Waits until nothing is on its way that could still be taken.
    pub async fn settled(&self) {
        while self.shared.pending.load(Ordering::Relaxed) > 0 {
            sleep(Duration::from_millis(10)).await;
        }
    }

    async fn accept(self, first: TcpListener) {
        let mut outage = self.shared.outage.subscribe();
        let mut listener = Some(first);
        loop {
            if *outage.borrow_and_update() == Outage::Refused {
                listener = None;
                let _ = outage.wait_for(|outage| *outage != Outage::Refused).await;
            }
            let Some(listening) = &listener else {
                listener = TcpListener::bind(self.address).await.ok();
                sleep(Duration::from_millis(5)).await;
                continue;
            };
            tokio::select! {
                accepted = listening.accept() => if let Ok((connection, _)) = accepted {
                    tokio::spawn(self.shared.clone().connection(connection));
                },
                _ = outage.changed() => {}
            }
        }
    }
}

impl Shared {
    fn count(&self, fault: &'static str) {
        *self.injected.lock().unwrap().entry(fault).or_default() += 1;
    }

    fn plan(&self) -> Plan {
        let mut random = self.random.lock().unwrap();
        let plan = if random.percent(self.faults.percent) { Plan::fault(&mut random) } else { AS_IT_SHOULD };
        drop(random);
        if plan.name != AS_IT_SHOULD.name {
            self.count(plan.name);
        }
        plan
    }

    /// Serves a connection until it ends, or is reset by an outage.
    async fn connection(self: Arc<Self>, mut connection: TcpStream) {
        let number = 1 + self.connections.fetch_add(1, Ordering::Relaxed);
        let mut outage = self.outage.subscribe();
        let end = tokio::select! {
            end = Arc::clone(&self).serve(number, &mut connection) => end,
            _ = outage.wait_for(|outage| *outage == Outage::Refused) => End::Reset,
        };
        match end {
            End::Close => {}
            End::Reset => connection.set_zero_linger().unwrap(),
            End::Silence => silence(&mut connection).await,
        }
    }

    async fn serve(self: Arc<Self>, number: usize, connection: &mut TcpStream) -> End {
        let mut read = Vec::new();
        loop {
            let plan = self.plan();
            if let Some((bytes, end)) = plan.reads {
                let mut some = vec![0; bytes];
                let _ = connection.read_exact(&mut some).await;
                return end;
            }
            let Some(head) = read_until_blank_line(connection, &mut read).await else { return End::Close };
            if number <= self.dead.load(Ordering::Relaxed) || *self.outage.borrow() == Outage::Silent {
                return End::Silence;
            }
            let Some(body) = read_body(connection, &mut read, &head).await else { return End::Close };
            self.requests.fetch_add(1, Ordering::Relaxed);
            let request: Value = serde_json::from_str(&body).unwrap();
            let Some(plan) = self.in_outage(&request, plan) else { return End::Silence };
            // A task of its own: a service takes a message also when its client has gone.
            self.pending.fetch_add(1, Ordering::Relaxed);
            let deciding = tokio::spawn(Arc::clone(&self).decide(operation(&head), request, plan));
            let (status, answer) = deciding.await.unwrap();
            if let Some(end) = write(connection, plan, status, &answer).await {
                return end;
            }
        }
    }

    /// The plan, or what an outage of a queue makes of it; `None` where there is no answer.
    fn in_outage(&self, request: &Value, plan: Plan) -> Option<Plan> {
        let error = |status, code| Some(Plan { takes: Takes::None, says: Says::Error(status, code), ..AS_IT_SHOULD });
        match *self.outage.borrow() {
            Outage::Unavailable(at) if queue(request) == Some(at) => error(503, "ServiceUnavailable"),
            Outage::Throttled(at) if queue(request) == Some(at) => error(400, "ThrottlingException"),
            Outage::Stalls(at) if queue(request) == Some(at) => None,
            _ => Some(plan),
        }
    }

    /// Takes the messages of a request, and makes the answer.
    async fn decide(self: Arc<Self>, operation: String, request: Value, plan: Plan) -> (u16, String) {
        sleep_if(plan.before).await;
        let answer = match operation.as_str() {
            "GetSecretValue" if request["VersionStage"] == "AWSPREVIOUS" => Err("ResourceNotFoundException"),
            "GetSecretValue" => Ok(json!({"SecretString": APP_ID, "VersionId": "1", "Name": "campaign"})),
            "GetQueueAttributes" => Ok(json!({"Attributes": {}})),
            "SendMessage" | "SendMessageBatch" => Ok(self.take(&request, plan)),
            other => panic!("{other:?} is not expected here"),
        };
        self.pending.fetch_sub(1, Ordering::Relaxed);
        sleep_if(plan.after).await;
        match (plan.says, answer) {
            (Says::Error(status, code), _) => (status, error(code)),
            (_, Err(code)) => (400, error(code)),
            (Says::Bytes(bytes), _) => (200, bytes.to_owned()),
            (_, Ok(answer)) => (200, answer.to_string()),
        }
    }

    fn take(&self, request: &Value, plan: Plan) -> Value {
        let at = queue(request).unwrap();
        let takes = |place: usize| match plan.takes {
            Takes::All => true,
            Takes::None => false,
            Takes::Some(bits) => bits >> (place % 50) & 1 == 1,
        };
        let take = |message: &Value| {
            let number = 1 + self.messages.fetch_add(1, Ordering::Relaxed);
            if self.faults.lies.is_none_or(|every| !number.is_multiple_of(every)) {
                self.ledger.take(at, message);
            }
        };
        let Some(entries) = request["Entries"].as_array() else {
            if plan.takes != Takes::None {
                take(request);
            }
            return json!({"MessageId": MESSAGE_ID});
        };
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for (place, entry) in entries.iter().enumerate() {
            let failure = json!({"Id": entry["Id"], "Code": "InternalError", "SenderFault": false});
            if takes(place) {
                take(entry);
                if plan.says != Says::AllFailed {
                    successful.push(json!({"Id": entry["Id"], "MessageId": MESSAGE_ID, "MD5OfMessageBody": ""}));
                }
                if matches!(plan.says, Says::AllFailed | Says::Both) {
                    failed.push(failure);
                }
            } else if plan.says != Says::OnlySuccesses {
                failed.push(failure);
            }
        }
        json!({"Successful": successful, "Failed": failed})
    }
}

/// The queue that a request names.
fn queue(request: &Value) -> Option<At> {
    let name = request["QueueUrl"].as_str()?.rsplit('/').next()?.trim_end_matches(".fifo");
    At::ALL.into_iter().find(|at| At::NAMES[*at as usize] == name)
}

fn operation(head: &str) -> String {
    let target = head
        .lines()
        .find_map(|line| Some(line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("x-amz-target"))?.1));
    target.and_then(|target| target.trim().rsplit('.').next()).unwrap_or_default().to_owned()
}

fn error(code: &str) -> String {
    if code.starts_with('<') { code.to_owned() } else { json!({"__type": code, "message": "injected"}).to_string() }
}

async fn sleep_if(time: Duration) {
    if !time.is_zero() {
        sleep(time).await;
    }
}

/// Reads until the client gives up.
async fn silence(connection: &mut TcpStream) {
    let mut ignored = vec![0; 4096];
    while connection.read(&mut ignored).await.is_ok_and(|read| read > 0) {}
}

/// How the connection ends, if it does.
async fn write(connection: &mut TcpStream, plan: Plan, status: u16, answer: &str) -> Option<End> {
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {}\r\n\r\n",
        answer.len()
    );
    let bytes = [head.as_bytes(), answer.as_bytes()].concat();
    if let Some((thousandths, end)) = plan.writes {
        let _ = connection.write_all(&bytes[..bytes.len() * thousandths / 1000]).await;
        return Some(end);
    }
    let (piece, pause) = plan.drips.unwrap_or((bytes.len(), Duration::ZERO));
    for piece in bytes.chunks(piece) {
        if connection.write_all(piece).await.is_err() {
            return Some(End::Close);
        }
        sleep_if(pause).await;
    }
    plan.then
}
