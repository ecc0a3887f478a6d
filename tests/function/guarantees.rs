//! docs/guarantees.md against what it is about: every sentence that promises something is there, and every test, rule of the
//! simulation and scenario of the models that it names.

use std::{collections::BTreeSet, fs, path::Path};

const HEADING: &str = "## What is guaranteed";

fn file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A text without emphasis and the targets of links, with single spaces.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for (index, part) in text.replace("**", "").split("](").enumerate() {
        // What follows is the target up to its bracket, and more text.
        plain.push_str(if index == 0 { part } else { part.split_once(')').unwrap().1 });
    }
    plain.replace('[', "").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The sentences of the list under the heading.
fn promised(path: &str) -> BTreeSet<String> {
    let text = file(path);
    let section = text.split_once(HEADING).unwrap().1.split("\n## ").next().unwrap();
    let list = section.split("\n- ").skip(1).map(|item| item.split("\n\n").next().unwrap());
    list.flat_map(|item| {
        let item = plain(item);
        item.split_inclusive(". ").map(|sentence| sentence.trim().to_owned()).collect::<Vec<_>>()
    })
    .collect()
}

/// The first cells of the table under a heading.
fn listed(heading: &str) -> BTreeSet<String> {
    let text = file("docs/guarantees.md");
    let section = text.split_once(heading).unwrap().1.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| ")).skip(2);
    rows.map(|row| plain(row.split(" | ").next().unwrap())).collect()
}

#[test]
fn every_sentence_of_what_is_guaranteed_has_its_row_and_no_row_is_about_another() {
    for (path, heading) in [("README.md", "## In the README"), ("docs/events.md", "## In full, in events.md")] {
        let (promised, listed) = (promised(path), listed(heading));
        assert!(promised.len() >= 10, "{path}: {promised:?}");
        let missing: Vec<_> = promised.difference(&listed).collect();
        let stale: Vec<_> = listed.difference(&promised).collect();
        assert!(missing.is_empty() && stale.is_empty(), "{path}: without a row {missing:#?}, not there {stale:#?}");
    }
}

#[test]
fn every_test_that_is_named_exists() {
    let text = file("docs/guarantees.md");
    let named: BTreeSet<(&str, &str)> = text.split('`').filter_map(|code| code.split_once(".rs::")).collect();
    assert!(named.len() > 30, "{named:?}");
    for (path, name) in named {
        let source = file(&format!("{path}.rs"));
        let found = source.lines().collect::<Vec<_>>();
        let place = found.iter().position(|line| line.contains(&format!("fn {name}(")));
        let place = place.unwrap_or_else(|| panic!("{path}.rs has no {name}"));
        let attributes = found[..place].iter().rev().take_while(|line| line.trim_start().starts_with('#'));
        assert!(attributes.into_iter().any(|line| line.contains("test")), "{path}.rs: {name} is no test");
    }
}

#[test]
fn every_rule_of_the_simulation_and_every_scenario_of_the_models_that_is_named_exists() {
    let text = file("docs/guarantees.md");
    let named = |prefix| text.split('`').filter_map(|code| code.strip_prefix(prefix)).collect::<BTreeSet<&str>>();
    let (rules, scenarios) = (file("tests/simulation/ledger.rs"), file("models/src/scenarios.rs"));
    for rule in named("Rule::") {
        assert!(rules.contains(&format!("Self::{rule} =>")), "the simulation has no rule {rule}");
    }
    for scenario in named("scenario: ") {
        assert!(scenarios.contains(&format!("name: \"{scenario}\"")), "the models have no scenario {scenario}");
    }
    assert!(named("Rule::").len() >= 8 && named("scenario: ").len() >= 5, "{text}");
}
