//! The files of this folder against the types that they are generated from. Part of the tests of the packages that have
//! these types.

use std::{fs, path::Path};

/// Fails where a file is not what its type says. With `UPDATE_SCHEMAS` set, the file is written first.
pub(crate) fn assert_in_sync(name: &str, schema: &schemars::Schema) {
    let generated = format!("{}\n", serde_json::to_string_pretty(schema).unwrap());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|folder| folder.join("schemas"));
    let file = folder.take(2).find(|folder| folder.exists()).unwrap().join(name);
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        fs::write(&file, &generated).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == generated,
        "schemas/{name} differs from the types; `UPDATE_SCHEMAS=1 cargo test --workspace --lib schema` updates it"
    );
}
