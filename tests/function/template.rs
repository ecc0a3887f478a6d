//! What `template.yaml` says elsewhere too: the version, and the headings of the documents that the alarms point to.

const TEMPLATE: &str = include_str!("../../template.yaml");
const OPERATIONS: &str = include_str!("../../docs/operations.md");
const TROUBLESHOOTING: &str = include_str!("../../docs/troubleshooting.md");

/// The text behind a key, over all lines of a folded block.
fn folded_blocks(key: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = TEMPLATE.lines().peekable();
    while let Some(line) = lines.next() {
        if line.trim() != format!("{key}: >-") {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        let mut block = Vec::new();
        while let Some(text) = lines.next_if(|next| next.len() - next.trim_start().len() > indent) {
            block.push(text.trim());
        }
        blocks.push(block.join(" "));
    }
    blocks
}

#[test]
fn the_application_has_the_version_of_the_package() {
    let line = TEMPLATE.lines().find(|line| line.trim_start().starts_with("SemanticVersion:")).unwrap();
    assert_eq!(line.split_whitespace().nth(1), Some(env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_application_metadata_keep_to_the_repositorys_limits() {
    let description = &folded_blocks("Description")[0];
    assert!(description.len() <= 256, "{} characters", description.len());
    for file in ["LICENSE-MIT", "README.md"] {
        assert!(TEMPLATE.contains(&format!("Url: {file}\n")), "{file}");
        assert!(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file).exists(), "{file}");
    }
}

#[test]
fn every_alarm_points_to_headings_that_exist() {
    let descriptions = folded_blocks("AlarmDescription");
    assert_eq!(descriptions.len(), TEMPLATE.matches("AWS::CloudWatch::Alarm").count());
    for description in descriptions {
        assert!(description.len() <= 1024, "{} characters", description.len());
        let (_, pointers) = description.split_once("docs/").unwrap_or_else(|| panic!("no pointer: {description}"));
        let mut named = 0;
        for pointer in pointers.split("docs/") {
            let (file, headings) = pointer.split_once(".md").unwrap();
            let document = if file == "operations" { OPERATIONS } else { TROUBLESHOOTING };
            for name in headings.split('"').skip(1).step_by(2) {
                let has_it = |line: &str| line.starts_with("##") && line.contains(name);
                assert!(document.lines().any(has_it), "docs/{file}.md has no heading {name:?}");
                named += 1;
            }
        }
        assert!(named > 0, "{description}");
    }
}

#[test]
fn no_alarm_and_no_widget_takes_a_status_for_what_became_of_a_webhook() {
    let query = TEMPLATE.lines().find(|line| line.contains("SOURCE '${WebhookFunctionLogGroup}'")).unwrap();
    assert!(query.contains("outcome not in ['queued', 'probe']") && !query.contains("filter status"), "{query}");
    let search = TEMPLATE.lines().find(|line| line.contains("service,reason")).unwrap();
    assert!(search.contains("Quarantined") && search.contains("Refused"), "{search}");
}

#[test]
fn the_example_of_the_parameter_actions_is_what_the_variable_takes() {
    let descriptions = folded_blocks("Description");
    let description = descriptions.iter().find(|text| text.contains("action, for example")).unwrap();
    let example = &description[description.find('{').unwrap()..];
    let mut values = serde_json::Deserializer::from_str(example).into_iter::<serde_json::Value>();
    let example = values.next().unwrap().unwrap();
    assert!(example["call.incomingcall"]["play"].is_object(), "{example}");
    assert!(TEMPLATE.contains("ACTIONS: !If [HasActions, !Ref Actions, !Ref AWS::NoValue]"));
}
