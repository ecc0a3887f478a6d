//! The reference in docs/configuration.md against the code: the same variables, defaults and values.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use voicehook_lambda::config::{Config, ConfigError};

/// The least that is configured.
const LEAST: [(&str, &str); 2] =
    [("ENABLEX_APP_ID", "an-app-id"), ("QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/123456789012/events.fifo")];

/// A row of the table.
#[derive(Debug)]
struct Row {
    name: String,
    values: Values,
    default: String,
}

#[derive(Debug)]
enum Values {
    Any,
    Range(u64, u64),
    Names(Vec<String>),
    Described,
}

fn section() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md")).unwrap()
}

fn in_backticks(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn table() -> Vec<Row> {
    let section = section();
    let (_, table) = section.split_once("| variable | meaning | values | default |\n").unwrap();
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, _, values, default] = cells[..] else { panic!("four cells are expected: {line}") };
        let names = in_backticks(values);
        let values = match (values, names.as_slice()) {
            ("", _) => Values::Any,
            (_, [first, last]) if values.contains("` to `") => {
                Values::Range(first.parse().unwrap(), last.parse().unwrap())
            }
            (_, []) => Values::Described,
            _ => Values::Names(names),
        };
        Row { name: in_backticks(name).pop().unwrap(), values, default: default.to_owned() }
    };
    rows.map(row).collect()
}

/// Reads the least configuration with one variable more.
fn read_with(name: &str, value: &str) -> Result<Config, ConfigError> {
    let mut variables = BTreeMap::from(LEAST);
    if name == "ENABLEX_APP_ID_SECRET" {
        variables.remove("ENABLEX_APP_ID");
    }
    variables.insert(name, value);
    Config::read(|name| variables.get(name).map(|value| (*value).to_owned()))
}

fn assert_accepted(name: &str, value: &str) {
    assert!(read_with(name, value).is_ok(), "docs/configuration.md says that {name} may be {value:?}");
}

fn assert_refused(name: &str, value: &str) {
    let error = read_with(name, value)
        .expect_err(&format!("{name} may be {value:?}, and docs/configuration.md does not say so"));
    assert_eq!(error.mistakes.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), [name]);
}

/// The variables that [`Config`] asks for.
fn of_the_configuration() -> BTreeSet<String> {
    let asked = RefCell::new(BTreeSet::new());
    let _ = Config::read(|name| {
        asked.borrow_mut().insert(name.to_owned());
        None
    });
    asked.into_inner()
}

/// Whatever is written like a variable in the function's source: a string of capitals with an underscore.
fn named_in_the_source(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            named_in_the_source(&path, names);
            continue;
        }
        let is_variable = |text: &&str| {
            text.contains('_')
                // Read when the code is compiled.
                && !text.starts_with("CARGO_")
                && text.starts_with(|first: char| first.is_ascii_uppercase())
                && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
        };
        let source = fs::read_to_string(path).unwrap();
        names.extend(source.split('"').filter(is_variable).map(str::to_owned));
    }
}

#[test]
fn the_reference_names_every_variable_that_the_code_reads_and_no_other() {
    let listed: BTreeSet<String> = table().into_iter().map(|row| row.name).collect();
    let asked = of_the_configuration();
    assert!(asked.is_subset(&listed), "not in the table of docs/configuration.md: {:?}", &asked - &listed);
    let mut named = asked;
    named_in_the_source(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut named);
    let section = section();
    let missing: Vec<_> = named.iter().filter(|name| !section.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "not in docs/configuration.md: {missing:?}");
    assert!(
        listed.is_subset(&named),
        "in the table of docs/configuration.md, but not in the code: {:?}",
        &listed - &named
    );
}

#[test]
fn a_default_of_the_reference_is_what_happens_without_the_variable() {
    let least = read_with(LEAST[0].0, LEAST[0].1).unwrap();
    let asked = of_the_configuration();
    for Row { name, default, .. } in table().into_iter().filter(|row| asked.contains(&row.name)) {
        if default == "required" {
            let variables = BTreeMap::from(LEAST);
            let without = |asked: &str| variables.get(asked).filter(|_| asked != name).map(|value| (*value).to_owned());
            assert_eq!(Config::read(without).unwrap_err().mistakes[0].0, name);
        }
        for default in in_backticks(&default) {
            let with = read_with(&name, &default).unwrap();
            assert_eq!(with, least, "the default of {name} is not {default}, as docs/configuration.md says");
        }
    }
}

#[test]
fn the_values_of_the_reference_are_those_that_the_code_takes() {
    let asked = of_the_configuration();
    for Row { name, values, .. } in table().into_iter().filter(|row| asked.contains(&row.name)) {
        match values {
            Values::Any => assert_accepted(&name, "anything goes"),
            Values::Range(first, last) => {
                assert_accepted(&name, &first.to_string());
                assert_accepted(&name, &last.to_string());
                assert_refused(&name, &(first - 1).to_string());
                assert_refused(&name, &(last + 1).to_string());
            }
            Values::Names(names) => {
                names.iter().for_each(|value| assert_accepted(&name, value));
                assert_refused(&name, "anything goes");
            }
            Values::Described => assert_refused(&name, "anything goes"),
        }
    }
}

#[test]
fn the_function_does_not_start_with_a_wrong_configuration_and_names_every_mistake_in_one_line() {
    let mut function = Command::new(crate::lambda_binary());
    let output = function.env_clear().env("QUEUE_URL", "events").env("WEBHOOK_TOKEN", "too-short").output().unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["level"], "ERROR");
    for variable in ["ENABLEX_APP_ID", "QUEUE_URL", "WEBHOOK_TOKEN", "AWS_REGION", "AWS_ACCESS_KEY_ID"] {
        assert!(line["error"].as_str().unwrap().contains(variable), "{variable}: {text}");
    }
    assert!(!text.contains("too-short"), "{text}");
}
