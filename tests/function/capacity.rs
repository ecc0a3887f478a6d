//! The model of docs/capacity.md against that page.

use std::process::Command;

use serde_json::Value;

const CAPACITY: &str = include_str!("../../docs/capacity.md");

/// What the model prints with such arguments.
fn model(arguments: &[&str]) -> String {
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/capacity.py");
    let output = Command::new("python3").arg(model).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_tables_in_the_page_about_capacity_are_those_that_its_model_prints() {
    let tables = model(&[]);
    for table in tables.split("\n\n") {
        assert!(
            CAPACITY.contains(table.trim_end()),
            "docs/capacity.md does not have what docs/capacity.py prints:\n{table}"
        );
    }
}

/// A. K. Erlang, 1917: of webhooks that arrive at random and find all environments in use.
fn throttled_by_erlang(in_use_on_average: f64, environments: u32) -> f64 {
    let next = |blocked: f64, n| in_use_on_average * blocked / (f64::from(n) + in_use_on_average * blocked);
    (1..=environments).fold(1.0, next)
}

#[test]
fn of_an_even_load_the_model_throttles_what_erlangs_formula_says() {
    // Thirteen environments that are there soon, 90 webhooks a second, 120 ms for each.
    let scenarios: Value = serde_json::from_str(&model(&["check", "0.12", "0.01"])).unwrap();
    let count = |name: &str| scenarios[0]["predicted"][name].as_f64().unwrap();
    let (part, expected) = (count("throttled") / count("webhooks"), throttled_by_erlang(90.0 * 0.12, 13));
    assert!((part - expected).abs() < 0.03, "{part} are throttled, and {expected} by the formula");
}
