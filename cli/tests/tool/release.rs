//! The assets of a release, as `cargo binstall` looks for them.

const MANIFEST: &str = include_str!("../../Cargo.toml");
const WORKFLOW: &str = include_str!("../../../.github/workflows/release.yml");
const BUILD: &str = include_str!("../../../.ci/build-release");

/// The value of a key of the manifest, behind a heading.
fn value(heading: &str, key: &str) -> &'static str {
    let section = MANIFEST.split_once(heading).unwrap().1;
    let line = section.lines().find_map(|line| line.strip_prefix(&format!("{key} = "))).unwrap();
    line.trim_matches('"')
}

#[test]
fn binstall_looks_for_the_assets_that_the_workflow_makes() {
    let targets: Vec<&str> =
        WORKFLOW.lines().filter_map(|line| line.split_once("{ target: ")?.1.split(',').next()).collect();
    assert_eq!(targets.len(), 5, "{targets:?}");
    for target in targets {
        let heading = if target.contains("windows") { "overrides.x86_64-pc-windows-msvc]" } else { "binstall]" };
        let url = value(heading, "pkg-url").replace("{ target }", target);
        let asset = url.rsplit('/').next().unwrap();
        let made = if target.contains("windows") { "voicehook-$target.zip" } else { "voicehook-$target.tar.gz" };
        assert!(BUILD.contains(&format!("\"$folder/{made}\"")), "{made}");
        assert_eq!(asset, made.replace("$target", target));
    }
    assert_eq!(value("binstall]", "bin-dir"), "{ bin }{ binary-ext }");
}
