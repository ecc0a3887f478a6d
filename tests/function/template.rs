//! What only the text of `template.yaml` shows: the headings of the documents that the alarms point to, how alarms treat
//! missing data, and that the routes of the API are made one after the other.

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

/// The lines of a resource, without its name.
fn resource(name: &str) -> String {
    let heading = format!("\n  {name}:\n");
    let (_, from_here) = TEMPLATE.split_once(&heading).unwrap_or_else(|| panic!("no resource {name}"));
    let of_the_resource = |line: &&str| line.is_empty() || line.starts_with("   ");
    from_here.lines().take_while(of_the_resource).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_queue_that_sleeps_neither_ends_nor_raises_an_alarm() {
    for name in ["QuarantineAlarm", "DeadLettersAlarm"] {
        let alarm = resource(name);
        assert!(alarm.contains("MetricName: ApproximateNumberOfMessagesVisible"), "{alarm}");
        assert!(alarm.contains("TreatMissingData: ignore"), "{alarm}");
        assert!(alarm.contains("15 minutes"), "{alarm}");
    }
    let quarantined = resource("QuarantinedAlarm");
    for line in ["Namespace: voicehook", "MetricName: Quarantined", "TreatMissingData: notBreaching"] {
        assert!(quarantined.contains(line), "{quarantined}");
    }
    let ignoring = TEMPLATE.matches("TreatMissingData: ignore").count();
    let others = TEMPLATE.matches("TreatMissingData: notBreaching").count();
    assert_eq!((ignoring, ignoring + others), (2, TEMPLATE.matches("Type: AWS::CloudWatch::Alarm").count()));
}

#[test]
fn the_routes_of_an_api_are_made_one_after_the_other() {
    for (resource_name, after) in [
        ("HttpApiWebhookRoute", "HttpApiRootRoute"),
        ("HttpApiAppRoute", "HttpApiWebhookRoute"),
        ("HttpApiTokenRoute", "HttpApiAppRoute"),
        ("HttpApiStage", "HttpApiTokenRoute"),
        ("RestApiWebhookMethod", "RestApiRootMethod"),
        ("RestApiAppMethod", "RestApiWebhookMethod"),
        ("RestApiTokenMethod", "RestApiAppMethod"),
        ("RestApiDeployment", "RestApiTokenMethod"),
    ] {
        let resource = resource(resource_name);
        assert!(resource.contains(&format!("DependsOn: {after}")), "{resource_name} does not wait for {after}");
    }
    assert_eq!(TEMPLATE.matches("Type: AWS::ApiGatewayV2::Route").count(), 4, "a new route has to join the chain");
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

/// `sam deploy --guided` takes no empty answer for a parameter that it does not show, nor for one without a default.
#[test]
fn a_guided_deployment_can_answer_every_question_but_the_app_ids_with_enter() {
    let (_, parameters) = TEMPLATE.split_once("\nParameters:\n").unwrap();
    let (parameters, _) = parameters.split_once("\nRules:\n").unwrap();
    let names = parameters.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   ")).count();
    assert_eq!(names, parameters.matches("\n    Default:").count(), "a parameter has no default");
    assert_eq!(parameters.matches("\n    NoEcho:").count(), 1);
    assert!(resource("AppId").contains("NoEcho: true"), "the one that is not shown is the AppID");
}
