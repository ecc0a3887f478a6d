//! A benchmark that counts what depends on no clock, and so can fail continuous integration: what it counts is held
//! against committed numbers.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark prints, and fails by panicking"
)]

use std::{array, collections::BTreeMap, env, fs};

use super::ways::{CASES, WAYS, take};

/// What was counted, by case.
pub type Counts = BTreeMap<String, u64>;

/// Compares what `count` counts with a file of `benches/`, or writes that anew with `--update`. `tolerance` is how far
/// a count may be away from the committed one, as a part of it, upwards or downwards: a fall asks for an update as
/// well, or else what was won could be lost again unseen.
pub fn compare(file: &str, tolerance: f64, count: impl FnOnce() -> Counts) {
    let path = format!("{}/benches/{file}", env!("CARGO_MANIFEST_DIR"));
    let counts = count();
    if env::args().any(|argument| argument == "--update") {
        fs::write(&path, serde_json::to_string_pretty(&counts).unwrap() + "\n").unwrap();
        return println!("wrote {path}");
    }
    let committed: Counts = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert!(counts.keys().eq(committed.keys()), "{path} has other cases; run this again with -- --update");
    let mut differs = false;
    for (case, count) in counts {
        let expected = committed[&case];
        let change = count as f64 / expected as f64 - 1.0;
        differs |= change.abs() > tolerance;
        println!("{case}: {count}, committed {expected}, {:+.1} %", 100.0 * change);
    }
    let limit = 100.0 * tolerance;
    assert!(!differs, "more than {limit} % away from {path}; if that is meant, run this again with -- --update");
}

/// For a benchmark that counts the webhooks of a process of its own: takes them where this is that process, and returns
/// whether there is anything left to do.
pub fn is_parent() -> bool {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--take", way, bytes, webhooks] => take(way, bytes.parse().unwrap(), webhooks.parse().unwrap()),
        _ if arguments.iter().any(|argument| argument == "--update" || argument == "--bench") => return true,
        // A test of the benchmark.
        _ => WAYS.into_iter().for_each(|way| take(way, 300, 1)),
    }
    false
}

/// For each way and size what a webhook costs: the difference between many and few, so that what is done once does not
/// count. `count` is what a process costs, all in all, that is started with these arguments: one number or several.
pub fn of_a_webhook<const N: usize>(count: impl Fn(&str, [String; 4]) -> [u64; N]) -> BTreeMap<String, [u64; N]> {
    let cases = WAYS.into_iter().flat_map(|way| CASES.map(|(bytes, webhooks)| (way, bytes, webhooks)));
    cases
        .map(|(way, bytes, [few, many])| {
            let count = |webhooks: usize| {
                let arguments = ["--take".to_owned(), way.to_owned(), bytes.to_string(), webhooks.to_string()];
                count(&format!("{way}-{bytes}-bytes-{webhooks}-webhooks"), arguments)
            };
            let (of_many, of_few) = (count(many), count(few));
            let of_one = |place: usize| (of_many[place] - of_few[place]).div_ceil((many - few) as u64);
            (format!("{way}, {bytes} bytes"), array::from_fn(of_one))
        })
        .collect()
}
