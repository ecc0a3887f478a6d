//! Reads a deployed stack for `doctor --stack` and `inspect --stack`: its outputs, and the environment variables of its
//! function.

use std::{collections::BTreeMap, ffi::OsString};

use aws_sdk_lambda::types::{LastUpdateStatus, State};
use voicehook_lambda::aws::{Aws, described};

use crate::checks::Checks;

/// What a command needs to know of a stack.
pub(crate) struct Stack {
    /// The function's environment variables.
    pub(crate) variables: BTreeMap<String, String>,
    /// The output `WebhookUrl`.
    pub(crate) webhook_url: Option<String>,
}

/// The variables of this process, for a command that is given no stack.
pub(crate) fn environment() -> BTreeMap<String, String> {
    let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    std::env::vars_os().filter_map(text).collect()
}

/// Reads the stack and reports what is wrong with it. `None` if its variables cannot be read.
pub(crate) async fn read(aws: &Aws, name: &str, checks: &mut Checks) -> Option<Stack> {
    let mut config = aws_sdk_cloudformation::config::Builder::from(aws.shared());
    config.set_endpoint_url(aws.endpoint_url("CLOUDFORMATION"));
    let client = aws_sdk_cloudformation::Client::from_conf(config.build());
    let answer = match client.describe_stacks().stack_name(name).send().await {
        Ok(answer) => answer,
        Err(error) => {
            let region = aws.shared().region().map_or(String::new(), |region| format!(" in {region}"));
            let next = "Check that the name, AWS_REGION and your credentials (AWS_PROFILE) are those of the deployment; this \
                        needs cloudformation:DescribeStacks";
            checks.failed("stack", format!("{name} cannot be read{region}: {}", described(&error)), next);
            return None;
        }
    };
    let Some(stack) = answer.stacks().first() else {
        checks.failed("stack", format!("there is no stack {name}"), "Check that the name is that of the deployment");
        return None;
    };
    let status = stack.stack_status().map_or("", aws_sdk_cloudformation::types::StackStatus::as_str);
    let detail = format!("{name} is {status}");
    if matches!(status, "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE") {
        checks.ok("stack", detail);
    } else {
        checks.warning("stack", detail, "Check the stack's events for the resource that failed, and deploy again");
    }
    let outputs = stack.outputs().iter();
    let outputs: BTreeMap<&str, &str> =
        outputs.filter_map(|output| Some((output.output_key()?, output.output_value()?))).collect();
    let Some(function) = outputs.get("FunctionName") else {
        let next = "Give the name of a stack that was deployed with voicehook's template";
        checks.failed("function", format!("{name} has no output FunctionName"), next);
        return None;
    };
    let variables = function_variables(aws, function, checks).await?;
    Some(Stack { variables, webhook_url: outputs.get("WebhookUrl").map(|url| (*url).to_owned()) })
}

async fn function_variables(aws: &Aws, name: &str, checks: &mut Checks) -> Option<BTreeMap<String, String>> {
    let mut config = aws_sdk_lambda::config::Builder::from(aws.shared());
    config.set_endpoint_url(aws.endpoint_url("LAMBDA"));
    let client = aws_sdk_lambda::Client::from_conf(config.build());
    let function = match client.get_function_configuration().function_name(name).send().await {
        Ok(function) => function,
        Err(error) => {
            let next =
                "Deploy the stack again if the function was deleted; reading it needs lambda:GetFunctionConfiguration";
            checks.failed("function", format!("{name} cannot be read: {}", described(&error)), next);
            return None;
        }
    };
    let (state, update) = (function.state(), function.last_update_status());
    if matches!(state, Some(State::Failed)) || matches!(update, Some(LastUpdateStatus::Failed)) {
        let reason = function.state_reason().or_else(|| function.last_update_status_reason()).unwrap_or_default();
        checks.failed("function", format!("{name} is broken: {reason}"), "Fix that, and deploy again");
    } else if matches!(state, Some(State::Pending)) || matches!(update, Some(LastUpdateStatus::InProgress)) {
        checks.warning("function", format!("{name} is being updated"), "Wait a minute, then try again");
    } else {
        checks.ok("function", format!("{name} is active"));
    }
    let environment = function.environment();
    if environment.is_some_and(|environment| environment.error().is_some()) {
        let next = "Allow your own role to use the function's KMS key too (kms:Decrypt): docs/kms.md";
        checks.failed(
            "variables",
            "the function's variables are encrypted with a key that you are not allowed to use",
            next,
        );
        return None;
    }
    let variables = environment.and_then(|environment| environment.variables()).cloned().unwrap_or_default();
    Some(variables.into_iter().collect())
}
