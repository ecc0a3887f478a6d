//! Times of many webhooks, as a row of a table in Markdown.

use std::time::Duration;

use crate::milliseconds;

/// The head of a table: what a row is, and then the columns of [`row`].
pub fn header(title: &str) {
    println!("\n| {title:52} | webhooks |  p50, ms |  p99, ms | p99.9, ms | longest, ms | |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: | --- |");
}

/// The distribution of some times, with a remark.
pub fn row(name: &str, mut times: Vec<Duration>, remark: &str) {
    times.sort_unstable();
    let at = |per_mille: usize| milliseconds(times[(times.len() * per_mille).div_ceil(1000).max(1) - 1]);
    let (count, longest) = (times.len(), at(1000));
    println!(
        "| {name:52} | {count:8} | {:8.2} | {:8.2} | {:9.2} | {longest:11.2} | {remark} |",
        at(500),
        at(990),
        at(999)
    );
}
