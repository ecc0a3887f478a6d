//! The template under every parameter that changes its resources: what is asked for is there, what is not is not, and a
//! webhook gets through.
//!
//! Three deployments set each condition of the template to true and to false at least once, and the test adds up that
//! none is left out.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::{
    APP_ID,
    aws_emulator::AwsEmulator,
    encrypted_by_node,
    process::run,
    tools::{Tools, architecture},
};

const TOKEN: &str = "0123456789abcdef";
const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:operators";
const KEY: &str = "arn:aws:kms:us-east-1:000000000000:key/11111111-2222-3333-4444-555555555555";
const BOUNDARY: &str = "arn:aws:iam::000000000000:policy/boundary";
const CAPACITY_PROVIDER: &str = "arn:aws:lambda:us-east-1:000000000000:capacity-provider:voice";
const SECRET: &str = "arn:aws:secretsmanager:us-east-1:000000000000:secret:enablex-AbCdEf";
/// As the function gets it, and as the SAM command line takes it.
const ACTIONS: &str = r#"{"call.*":{"play":{"text":"hello"}}}"#;
const ACTIONS_QUOTED: &str = r#""{\"call.*\":{\"play\":{\"text\":\"hello\"}}}""#;
const ALARMS: [&str; 8] = [
    "ApiErrorsAlarm",
    "DeadLettersAlarm",
    "EventAgeAlarm",
    "FailuresAlarm",
    "FunctionErrorsAlarm",
    "FunctionThrottlesAlarm",
    "LatencyAlarm",
    "RefusalsAlarm",
];

/// Every option that a security review may ask for, all at once, with the AppID in an existing secret.
fn all_options(secret: &str) -> String {
    format!(
        "AppId=none AppIdSecretArn={secret} AllowedAlgorithms=\"\" Tracing=Active Actions={ACTIONS_QUOTED} \
         AllowPlaintext=true MaxEventAgeSeconds=3600 ApiType=rest QueueType=standard \
         Quarantine=false FailoverQueueUrl=https://sqs.eu-west-1.amazonaws.com/000000000000/events \
         EventFormat=cloudevents ReservedConcurrency=5 AlarmTopicArn={TOPIC} \
         EventAgeAlarmSeconds=60 RefusalsAlarmThreshold=7 KmsKeyArn={KEY} PermissionsBoundaryArn={BOUNDARY}"
    )
}

/// `deploy/web-acl.yaml` without the one resource type that the emulator does not know,
/// `AWS::WAFv2::WebACLAssociation`. That resource is checked against its schema by cfn-lint.
fn web_acl_without_association() -> PathBuf {
    let template = include_str!("../../../deploy/web-acl.yaml");
    let (before, association) = template.split_once("  WebAclAssociation:\n").unwrap();
    let (_, after) = association.split_once("\n\n").unwrap();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("web-acl-without-association.yaml");
    fs::write(&path, format!("{before}\n{after}")).unwrap();
    path
}

fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

fn statement<'s>(stack: &'s Value, sid: &str) -> Option<&'s Value> {
    let statements = stack["role"]["Policy"]["Statement"].as_array().unwrap();
    statements.iter().find(|statement| statement["Sid"] == sid)
}

/// What must hold whatever the parameters are.
fn assert_hardened(stack: &Value) {
    for (name, queue) in stack["queues"].as_object().unwrap() {
        let policy: Value = serde_json::from_str(queue["Policy"].as_str().unwrap()).unwrap();
        let deny = &policy["Statement"][0];
        assert_eq!(deny["Effect"], "Deny", "{name}");
        assert_eq!(deny["Condition"]["Bool"]["aws:SecureTransport"], "false", "{name}");
        assert_eq!(deny["Resource"], queue["QueueArn"], "{name}");
        assert!(queue["SqsManagedSseEnabled"] == "true" || queue["KmsMasterKeyId"] == KEY, "{name} is not encrypted");
    }
    let properties = &stack["properties"];
    let of_http_api = properties["HttpApiStage"]["AccessLogSettings"]["Format"].as_str();
    let format = of_http_api.or(properties["RestApiStage"]["AccessLogSetting"]["Format"].as_str());
    let format = format.expect("the API has an access log");
    serde_json::from_str::<Value>(format).expect("each line of the access log is JSON");
    for secret in
        ["$context.path", "querystring", "queryString", "$context.requestOverride", "$context.extendedRequest"]
    {
        assert!(!format.contains(secret), "{secret} would put the token into the access log");
    }
    for (name, group) in stack["log_groups"].as_object().unwrap() {
        assert_eq!(group["retentionInDays"], 30, "{name}");
    }
    let may_call = stack["function"]["Policy"]["Statement"].as_array().unwrap();
    assert_eq!(may_call.len(), 1);
    let source = may_call[0]["Condition"]["ArnLike"]["AWS:SourceArn"].as_str().unwrap();
    assert!(source.contains(stack["api_id"].as_str().unwrap()), "{source}");
}

fn assert_alarms_tell(stack: &Value, topic: Option<&str>) {
    let actions = topic.map_or_else(|| json!([]), |topic| json!([topic]));
    for (name, alarm) in stack["alarms"].as_object().unwrap() {
        assert_eq!((&alarm["AlarmActions"], &alarm["OKActions"]), (&actions, &actions), "{name}");
        // A queue that sleeps reports nothing, and is not empty for that.
        let sleeps = ["QuarantineAlarm", "DeadLettersAlarm"].contains(&name.as_str());
        let missing = if sleeps { "ignore" } else { "notBreaching" };
        assert_eq!(alarm["TreatMissingData"], missing, "{name}: no traffic is no fault");
    }
}

/// Each metric of the dashboard and of the alarms that has a dimension must name something that the stack made.
fn assert_metrics_name_what_is_there(stack: &Value) {
    let function = stack["outputs"]["FunctionName"].as_str().unwrap();
    let queue = |name: &str| stack["queues"][name]["QueueArn"].as_str().map(|arn| arn.rsplit(':').next().unwrap());
    let made = [Some(function), queue("EventQueue"), queue("DeadLetterQueue"), queue("QuarantineQueue")];
    let mut seen = 0;
    for alarm in stack["alarms"].as_object().unwrap().values() {
        for dimension in alarm["Dimensions"].as_array().unwrap() {
            let value = dimension["Value"].as_str();
            seen += usize::from(made.contains(&value));
            let of_api = ["ApiId", "ApiName", "Stage"].contains(&dimension["Name"].as_str().unwrap());
            assert!(of_api || made.contains(&value), "{dimension}");
        }
    }
    assert!(seen >= 6, "{seen}");
    let dashboard = stack["dashboard"].to_string();
    assert!(!dashboard.contains("${"), "{dashboard}");
    for value in made.iter().flatten() {
        assert!(dashboard.contains(value), "the dashboard does not show {value}");
    }
    let alarms = stack["dashboard"]["widgets"][0]["properties"]["alarms"].as_array().unwrap();
    assert_eq!(alarms.len(), stack["alarms"].as_object().unwrap().len());
}

fn assert_defaults(stack: &Value) {
    assert_hardened(stack);
    assert_alarms_tell(stack, None);
    assert_metrics_name_what_is_there(stack);
    assert_eq!(keys(&stack["queues"]), ["DeadLetterQueue", "EventQueue", "QuarantineQueue"]);
    let mut alarms = ALARMS.to_vec();
    alarms.extend(["QuarantineAlarm", "QuarantinedAlarm"]);
    alarms.sort_unstable();
    assert_eq!(keys(&stack["alarms"]), alarms);
    let variables = &stack["function"]["Environment"]["Variables"];
    let set = [
        "ALLOWED_ALGORITHMS",
        "ENABLEX_APP_ID_SECRET",
        "MALLOC_MMAP_THRESHOLD_",
        "MALLOC_TRIM_THRESHOLD_",
        "QUARANTINE_QUEUE_URL",
        "QUEUE_URL",
    ];
    assert_eq!(keys(variables), set);
    let function = &stack["properties"]["WebhookFunction"];
    for option in ["ReservedConcurrentExecutions", "KmsKeyArn", "CapacityProviderConfig", "PublishToLatestPublished"] {
        assert!(function.get(option).is_none(), "{option} is set without being asked for");
    }
    assert!(stack["properties"]["WebhookFunctionRole"].get("PermissionsBoundary").is_none());
    let optional = ["UseKey", "DecryptAppId", "SendEventsToFailover", "WriteTraces"];
    assert!(optional.iter().all(|sid| statement(stack, sid).is_none()));
    assert_eq!(stack["function"]["TracingConfig"]["Mode"], "PassThrough");
    assert!(stack["secret"].get("KmsKeyId").is_none());
    let throttling = &stack["properties"]["HttpApiStage"]["DefaultRouteSettings"];
    assert_eq!(throttling, &json!({"ThrottlingRateLimit": "500", "ThrottlingBurstLimit": "500"}));
}

fn assert_all_options(stack: &Value, secret: &str) {
    assert_hardened(stack);
    assert_alarms_tell(stack, Some(TOPIC));
    assert_metrics_name_what_is_there(stack);
    assert_eq!(keys(&stack["queues"]), ["DeadLetterQueue", "EventQueue"]);
    assert_eq!(keys(&stack["alarms"]), ALARMS);
    assert_eq!(stack["alarms"]["RefusalsAlarm"]["Threshold"], 7.0);
    assert_eq!(stack["alarms"]["RefusalsAlarm"]["Namespace"], "voicehook");
    assert_eq!(stack["alarms"]["EventAgeAlarm"]["Threshold"], 60.0);
    assert_eq!(stack["alarms"]["ApiErrorsAlarm"]["MetricName"], "5XXError");
    for queue in stack["queues"].as_object().unwrap().values() {
        assert_eq!(queue["KmsMasterKeyId"], KEY);
    }
    for group in stack["log_groups"].as_object().unwrap().values() {
        assert_eq!(group["kmsKeyId"], KEY);
    }
    let variables = &stack["function"]["Environment"]["Variables"];
    assert_eq!(variables["ENABLEX_APP_ID_SECRET"], secret);
    let expected = [
        ("ALLOW_PLAINTEXT", "true"),
        ("MAX_EVENT_AGE_SECONDS", "3600"),
        ("FAILOVER_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/000000000000/events"),
        ("EVENT_FORMAT", "cloudevents"),
        ("ACTIONS", ACTIONS),
    ];
    assert!(expected.iter().all(|(name, value)| variables[*name] == *value), "{variables}");
    assert!(variables.get("ALLOWED_ALGORITHMS").is_none() && variables.get("QUARANTINE_QUEUE_URL").is_none());
    let function = &stack["properties"]["WebhookFunction"];
    assert_eq!((&function["ReservedConcurrentExecutions"], &function["KmsKeyArn"]), (&json!("5"), &json!(KEY)));
    assert_eq!(stack["properties"]["WebhookFunctionRole"]["PermissionsBoundary"], BOUNDARY);
    let use_key = statement(stack, "UseKey").unwrap();
    assert_eq!(use_key["Action"], json!(["kms:GenerateDataKey", "kms:Decrypt"]));
    let services = use_key["Condition"]["StringEquals"]["kms:ViaService"].as_array().unwrap();
    assert!(services.contains(&json!("sqs.us-east-1.amazonaws.com")), "{services:?}");
    assert_eq!(
        statement(stack, "SendEventsToFailover").unwrap()["Resource"],
        "arn:aws:sqs:eu-west-1:000000000000:events"
    );
    let context =
        &statement(stack, "DecryptAppId").unwrap()["Condition"]["StringEquals"]["kms:EncryptionContext:SecretARN"];
    assert_eq!(context, secret, "the role may decrypt this secret, and nothing else");
    assert!(statement(stack, "WriteTraces").is_some() && statement(stack, "KeepInQuarantine").is_none());
    assert_eq!(stack["function"]["TracingConfig"]["Mode"], "Active");
    assert!(stack["resources"].get("HttpApi").is_none() && stack["resources"].get("AppIdSecret").is_none());
    let settings = &stack["stage"]["methodSettings"]["*/*"];
    assert_eq!((&settings["throttlingRateLimit"], &settings["loggingLevel"]), (&json!(500.0), &json!("OFF")));
}

fn assert_managed_instances(stack: &Value) {
    assert_hardened(stack);
    assert_eq!(stack["queues"]["QuarantineQueue"]["KmsMasterKeyId"], KEY);
    let function = &stack["properties"]["WebhookFunction"];
    let expected = json!({"LambdaManagedInstancesCapacityProviderConfig": {
        "CapacityProviderArn": CAPACITY_PROVIDER, "PerExecutionEnvironmentMaxConcurrency": 64,
    }});
    assert_eq!(function["CapacityProviderConfig"], expected);
    assert_eq!(function["PublishToLatestPublished"], true);
    assert_eq!(stack["function"]["MemorySize"], 2048);
    assert_eq!(stack["secret"]["KmsKeyId"], KEY, "the secret that the stack makes is under the customer's key too");
}

#[tokio::test]
async fn every_parameter_of_the_template_makes_the_resources_that_it_promises() {
    let Some(tools) = Tools::install() else { return };
    let event = r#"{"voice_id":"a-call","state":"connected"}"#.to_owned();
    let Some(webhooks) = encrypted_by_node(APP_ID, std::slice::from_ref(&event)) else {
        return;
    };
    let aws = AwsEmulator::start(&tools);
    aws.create_secret("enablex", &format!(r#"{{"app_id":"{APP_ID}","token":"{TOKEN}"}}"#)).await;
    let secret = aws.secret_arn("enablex").await;
    let everything = all_options(&secret);
    let managed = format!(
        "AppId={APP_ID} WebhookToken=generated CapacityProviderArn={CAPACITY_PROVIDER} MemorySize=2048 KmsKeyArn={KEY}"
    );
    let with_defaults = format!("AppId={APP_ID}");

    let deploy = |stack, parameters: &str| {
        tools.deploy_template(&tools.built_template(), &aws, stack, parameters);
        tools.describe(&aws, stack, parameters)
    };
    let defaults = deploy("defaults", &with_defaults);
    let hardened = deploy("hardened", &everything);
    let managed = deploy("managed", &managed);

    let stage = format!("ApiStageArn={}", hardened["outputs"]["ApiStageArn"].as_str().unwrap());
    tools.deploy_template(&web_acl_without_association(), &aws, "web-acl", &stage);

    assert_defaults(&defaults);
    assert_all_options(&hardened, &secret);
    assert_managed_instances(&managed);
    let mut seen: BTreeMap<&str, Vec<bool>> = BTreeMap::new();
    for (name, value) in
        [&defaults, &hardened, &managed].iter().flat_map(|stack| stack["conditions"].as_object().unwrap())
    {
        seen.entry(name).or_default().push(value.as_bool().unwrap());
    }
    for (condition, values) in seen {
        assert!(values.contains(&true) && values.contains(&false), "{condition} was {values:?} in all deployments");
    }

    let with_token = format!("/prod/webhook/default/{TOKEN}");
    let action = json!({"play": {"text": "hello"}, "voice_id": "a-call"});
    for (stack, path, without_token, answer) in
        [(&defaults, "/webhook", 200, json!({})), (&hardened, with_token.as_str(), 404, action)]
    {
        let host = format!("{}.execute-api.localhost", stack["api_id"].as_str().unwrap());
        let (status, body) = aws.post(&host, path, &webhooks[0].body());
        assert_eq!((status, serde_json::from_str::<Value>(&body).unwrap()), (200, answer), "{path}");
        let bare = path.split("/default").next().unwrap();
        assert_eq!(aws.post(&host, bare, "").0, without_token, "{bare}");
        let messages = aws.receive_all(stack["outputs"]["QueueUrl"].as_str().unwrap(), 1).await;
        assert_eq!(messages.len(), 1, "{path}");
        assert_eq!(messages[0].attributes["event_type"], "call.connected");
        assert!(messages[0].body.contains("a-call"), "{}", messages[0].body);
    }
}

#[tokio::test]
async fn parameters_that_contradict_each_other_are_refused_with_what_would_be_right() {
    let Some(tools) = Tools::install() else { return };
    let aws = AwsEmulator::start(&tools);
    let managed = format!("AppId={APP_ID} CapacityProviderArn={CAPACITY_PROVIDER}");
    for (parameters, says) in [
        ("QueueType=fifo".to_owned(), "The AppID is missing. Set AppId"),
        (managed.clone(), "MemorySize must be 2048"),
        (format!("{managed} MemorySize=2048 ReservedConcurrency=5"), "Set ReservedConcurrency to 0"),
        (format!("AppId={APP_ID} Actions={ACTIONS_QUOTED}"), "Set WebhookToken to generated, or leave Actions empty"),
        (format!("AppIdSecretArn={SECRET} WebhookToken=generated"), "A token is generated only into the secret"),
    ] {
        let said = tools.refused_deployment(&aws, "contradiction", &parameters);
        assert!(said.contains(says), "{said}");
    }
}

/// The script answers each prompt of a real terminal, and says in its last line what it did.
#[test]
fn in_the_guided_way_the_app_id_is_the_only_answer_and_the_token_survives() {
    let Some(tools) = Tools::install() else { return };
    let aws = AwsEmulator::start(&tools);
    let mut guided = tools.command("python");
    guided.args(["cli/tests/end_to_end/guided.py", "--endpoint", &aws.endpoint(), "--architecture", architecture()]);
    let printed = run(aws.client_environment(guided.arg("--built").arg(tools.built())));
    assert!(printed.lines().last().is_some_and(|line| line.starts_with("4 guided deployments,")), "{printed}");
}

#[tokio::test]
async fn the_plain_template_deploys_without_sam_and_queues_a_webhook() {
    let Some(tools) = Tools::install() else { return };
    let event = r#"{"voice_id":"a-call","state":"connected"}"#.to_owned();
    let Some(webhooks) = encrypted_by_node(APP_ID, std::slice::from_ref(&event)) else {
        return;
    };
    let aws = AwsEmulator::start(&tools);
    let mut deploy = tools.command("python");
    deploy.args([
        "cli/tests/end_to_end/without_sam.py",
        "--endpoint",
        &aws.endpoint(),
        "--stack",
        "plain",
        "--bootstrap",
    ]);
    deploy.arg(tools.bootstrap()).arg("--parameters").arg(format!("AppId={APP_ID}"));
    deploy.arg(format!("Architecture={}", architecture()));
    let outputs: BTreeMap<String, String> = serde_json::from_str(&run(aws.client_environment(&mut deploy))).unwrap();
    assert_eq!(outputs["secret"], APP_ID);
    let host = format!("{}.execute-api.localhost", outputs["api_id"]);
    assert_eq!(aws.post(&host, "/webhook", &webhooks[0].body()), (200, "{}".to_owned()));
    let messages = aws.receive_all(&outputs["QueueUrl"], 1).await;
    assert_eq!(messages[0].body, event);
}
