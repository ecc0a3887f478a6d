//! The model of docs/capacity.md against that page.

use std::process::Command;

const CAPACITY: &str = include_str!("../../docs/capacity.md");

#[test]
fn the_tables_in_the_page_about_capacity_are_those_that_its_model_prints() {
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/capacity.py");
    let output = Command::new("python3").arg(model).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tables = String::from_utf8(output.stdout).unwrap();
    for table in tables.split("\n\n") {
        assert!(
            CAPACITY.contains(table.trim_end()),
            "docs/capacity.md does not have what docs/capacity.py prints:\n{table}"
        );
    }
}
