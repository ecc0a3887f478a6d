//! The same over loopback, as somebody measures who sends requests: a server in a thread of its own, one connection, and the
//! time from the first byte of a request to the last byte of its answer.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    time::{Duration, Instant},
};

use voicehook_lambda::receiver::{Origin, Request};
use voicehook_test_support::Random;

use crate::{
    Refused,
    statistics::{Difference, LIMIT},
    webhooks::{Kind, Padding},
};

const BYTES: usize = 512;
/// Webhooks of each kind are measured until the planted difference is noticed, in steps of so many,
const STEP: usize = 20_000;
/// and not more than so often.
const STEPS: usize = 15;
/// What the control adds to an answer.
const PLANTED: Duration = Duration::from_micros(1);
/// A quarantine takes 500 webhooks at once: then the server gets a new receiver.
const ROUNDS_OF_A_RECEIVER: usize = 50;

/// A kind, and whether the planted time is added.
type Row = (&'static str, Kind, bool);

const KEPT: [Row; 6] = [
    ("opens", Kind::Opens, false),
    ("opens (again)", Kind::Opens, false),
    ("opens, and 1 us is added", Kind::Opens, true),
    ("wrong AppID", Kind::WrongAppId, false),
    ("query latin1: padding wrong", Kind::Query(Padding::Wrong, "latin1"), false),
    ("query latin1: padding right", Kind::Query(Padding::Right, "latin1"), false),
];
const ANSWERED: [Row; 6] = [
    ("wrong AppID", Kind::WrongAppId, false),
    ("wrong AppID (again)", Kind::WrongAppId, false),
    ("wrong AppID, and 1 us is added", Kind::WrongAppId, true),
    ("opens", Kind::Opens, false),
    ("query latin1: padding wrong", Kind::Query(Padding::Wrong, "latin1"), false),
    ("query latin1: padding right", Kind::Query(Padding::Right, "latin1"), false),
];
/// Which rows are compared.
const PAIRS: [(usize, usize); 4] = [(0, 1), (0, 2), (0, 3), (4, 5)];
const CONTROL: usize = 1;

/// Measures and prints. Whether the control was noticed, and what is alike was not told apart.
pub fn run(refused: Refused, is_benchmark: bool) -> bool {
    let rows = if refused == Refused::Kept { KEPT } else { ANSWERED };
    let mut client = Client::new(refused);
    let mut times = vec![Vec::new(); rows.len()];
    for step in 0..STEPS {
        client.measure(&rows, if is_benchmark { STEP } else { 2 }, step as u64, &mut times);
        if !is_benchmark || compared(&times)[CONTROL].is_noticed() {
            break;
        }
    }
    print(refused, &rows, &times);
    let differences = compared(&times);
    !is_benchmark || (differences[CONTROL].is_noticed() && differences[0].is_hidden())
}

fn compared(times: &[Vec<u64>]) -> [Difference; PAIRS.len()] {
    PAIRS.map(|(first, second)| Difference::of(&times[first], &times[second]))
}

fn print(refused: Refused, rows: &[Row], times: &[Vec<u64>]) {
    let quarantine = if refused == Refused::Kept { "with" } else { "without" };
    println!("\nover loopback, {} webhooks of each kind, {quarantine} a quarantine; times in ns", times[0].len());
    println!("{:32} {:>9} {:>9} {:>9}", "kind", "p10", "median", "p90");
    for ((name, ..), times) in rows.iter().zip(times) {
        let mut times = times.clone();
        times.sort_unstable();
        let [p10, median, p90] = [10, 50, 90].map(|percent| times[(times.len() - 1) * percent / 100]);
        println!("{name:32} {p10:9} {median:9} {p90:9}");
    }
    println!("{:66} {:>8} {:>8} {:>8}  (above {LIMIT}: told apart)", "compared", "medians", "t", "z");
    for ((first, second), Difference { medians, t, z }) in PAIRS.iter().zip(compared(times)) {
        println!("{:66} {medians:8} {t:8.1} {z:8.1}", format!("{} / {}", rows[*first].0, rows[*second].0));
    }
}

struct Client {
    connection: TcpStream,
    refused: Refused,
    /// What every webhook is answered with, byte for byte.
    answer: Option<Vec<u8>>,
}

impl Client {
    fn new(refused: Refused) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connection = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        connection.set_nodelay(true).unwrap();
        std::thread::spawn(move || serve(listener.accept().unwrap().0, refused));
        Self { connection, refused, answer: None }
    }

    /// Each round posts a new webhook of every kind once, in a new order.
    fn measure(&mut self, rows: &[Row], rounds: usize, seed: u64, times: &mut [Vec<u64>]) {
        let mut random = Random::new(seed);
        let mut order: Vec<usize> = (0..rows.len()).collect();
        for round in 0..rounds {
            if round % ROUNDS_OF_A_RECEIVER == 0 {
                self.post("/renew", "utf8", false, "");
            }
            for last in (1..order.len()).rev() {
                order.swap(last, random.below(last + 1));
            }
            for &row in &order {
                let (name, kind, is_planted) = rows[row];
                let (encoding, body) = kind.encoding_and_body(BYTES, &mut random);
                let (took, answer) = self.post("/webhook", encoding, is_planted, &body);
                // Without a quarantine, the status tells what opens.
                if self.refused == Refused::Kept || !matches!(kind, Kind::Opens) {
                    let the_answer = self.answer.get_or_insert_with(|| answer.clone());
                    assert_eq!(*the_answer, answer, "{name}: {}", String::from_utf8_lossy(&answer));
                }
                times[row].push(took.as_nanos() as u64);
            }
        }
    }

    fn post(&mut self, path: &str, encoding: &str, is_planted: bool, body: &str) -> (Duration, Vec<u8>) {
        // The body's length and the flag have the same number of characters for all kinds.
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nx-algoritm: aes-256-cbc\r\n\
             x-format: hex\r\nx-encoding: {encoding}\r\nx-planted: {}\r\ncontent-length: {:05}\r\n\r\n{body}",
            u8::from(is_planted),
            body.len(),
        );
        let began = Instant::now();
        self.connection.write_all(request.as_bytes()).unwrap();
        let (head, rest) = read(&mut self.connection).unwrap();
        let took = began.elapsed();
        (took, [head.into_bytes(), rest].concat())
    }
}

/// Answers one connection until it ends.
fn serve(mut connection: TcpStream, refused: Refused) {
    connection.set_nodelay(true).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut receiver = refused.receiver();
    while let Some((head, body)) = read(&mut connection) {
        if head.starts_with("POST /renew") {
            receiver = refused.receiver();
            connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
            continue;
        }
        let response = runtime.block_on(receiver.respond(&request(&head, body)));
        let mut answer = format!("HTTP/1.1 {}\r\n", response.status());
        for (name, value) in response.headers() {
            answer += &format!("{name}: {}\r\n", value.to_str().unwrap());
        }
        answer += &format!("content-length: {}\r\n\r\n{}", response.body().len(), response.body());
        if header(&head, "x-planted") == Some("1") {
            let until = Instant::now() + PLANTED;
            while Instant::now() < until {
                std::hint::spin_loop();
            }
        }
        connection.write_all(answer.as_bytes()).unwrap();
    }
}

fn request(head: &str, body: Vec<u8>) -> Request {
    let mut request = http::Request::post("/webhook");
    for name in ["content-type", "x-algoritm", "x-format", "x-encoding"] {
        request = request.header(name, header(head, name).unwrap());
    }
    let request: Request = request.body(body).unwrap().into();
    Request { origin: Origin::local("8476a536-e9f4-11e8-9739-2dfe598c3fcd"), ..request }
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// A head up to its blank line, and the body.
fn read(connection: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let (mut read, mut buffer) = (Vec::new(), [0; 16 * 1024]);
    let end = loop {
        let bytes = connection.read(&mut buffer).ok().filter(|bytes| *bytes > 0)?;
        read.extend_from_slice(&buffer[..bytes]);
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let mut body = read.split_off(end);
    let head = String::from_utf8(read).unwrap();
    let length: usize = header(&head, "content-length").unwrap().parse().unwrap();
    let missing = length.checked_sub(body.len()).unwrap();
    let start = body.len();
    body.resize(start + missing, 0);
    connection.read_exact(&mut body[start..]).unwrap();
    Some((head, body))
}
