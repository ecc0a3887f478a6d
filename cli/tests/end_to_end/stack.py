"""Prints what a deployment made, as JSON, asked of the services themselves and not of the template.

    python stack.py --stack voicehook --endpoint http://127.0.0.1:4566 --parameters QueueType=fifo ...

api_id       the id of the HTTP API or the REST API
outputs      the stack's outputs
conditions   each condition of the template, and whether it was true
properties   logical id: the properties in the processed template, with Fn::If and parameters resolved; only for what
             the emulator drops, as reserved concurrency
resources    logical id: type and physical id
alarms       logical id: the alarm as CloudWatch describes it
dashboard    the body of the dashboard
queues       logical id: the attributes of the queue
function     the configuration of the function, with its policy and reserved concurrency
role         the role and its inline policy
stage        the stage of the HTTP API or the REST API
log_groups   logical id: the log group
secret       the created secret, without its value, where there is one
"""

import argparse
import json

import boto3

parser = argparse.ArgumentParser()
parser.add_argument("--stack", required=True, help="name of the deployed stack")
parser.add_argument("--endpoint", required=True, help="URL of the emulator")
parser.add_argument("--parameters", nargs="*", default=[], help="what the stack was deployed with, as NAME=VALUE")
args = parser.parse_args()


def client(service):
    return boto3.client(service, endpoint_url=args.endpoint)


cloudformation = client("cloudformation")
stack = cloudformation.describe_stacks(StackName=args.stack)["Stacks"][0]
template = cloudformation.get_template(StackName=args.stack, TemplateStage="Processed")["TemplateBody"]
# Not those that the stack names: it shows the secret ones as asterisks.
parameters = {name: str(parameter.get("Default", "")) for name, parameter in template["Parameters"].items()}
parameters.update((name, value.strip('"')) for name, value in (given.split("=", 1) for given in args.parameters))
resources = {
    resource["LogicalResourceId"]: {"type": resource["ResourceType"], "id": resource["PhysicalResourceId"]}
    for resource in cloudformation.describe_stack_resources(StackName=args.stack)["StackResources"]
}


def value_of(expression):
    """The value of an expression of the section Conditions."""
    if not isinstance(expression, dict):
        return expression
    ((function, arguments),) = expression.items()
    if function == "Ref":
        return parameters[arguments]
    if function == "Fn::Equals":
        return str(value_of(arguments[0])) == str(value_of(arguments[1]))
    if function == "Fn::Not":
        return not value_of(arguments[0])
    raise ValueError(f"no condition of the template uses {function} yet: teach it to stack.py")


def resolved(node):
    """A part of the template with what the conditions and parameters decide; None stands for AWS::NoValue."""
    if isinstance(node, list):
        return [item for item in map(resolved, node) if item is not None]
    if not isinstance(node, dict):
        return node
    if "Fn::If" in node:
        condition, then, otherwise = node["Fn::If"]
        return resolved(then if value_of(template["Conditions"][condition]) else otherwise)
    if "Ref" in node:
        return None if node["Ref"] == "AWS::NoValue" else parameters.get(node["Ref"], node)
    values = {name: resolved(value) for name, value in node.items()}
    return {name: value for name, value in values.items() if value is not None}


def physical_ids(resource_type):
    return {name: resource["id"] for name, resource in resources.items() if resource["type"] == resource_type}


def queues():
    attributes = client("sqs").get_queue_attributes
    urls = physical_ids("AWS::SQS::Queue")
    return {name: attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"] for name, url in urls.items()}


def function():
    name = resources["WebhookFunction"]["id"]
    found = client("lambda").get_function(FunctionName=name)
    policy = json.loads(client("lambda").get_policy(FunctionName=name)["Policy"])
    return {**found["Configuration"], "Concurrency": found.get("Concurrency"), "Policy": policy}


def role():
    name, iam = resources["WebhookFunctionRole"]["id"], client("iam")
    policy = iam.get_role_policy(RoleName=name, PolicyName="webhook")["PolicyDocument"]
    return {**iam.get_role(RoleName=name)["Role"], "Policy": policy}


def stage():
    if "HttpApi" in resources:
        return client("apigatewayv2").get_stage(ApiId=resources["HttpApi"]["id"], StageName="$default")
    return client("apigateway").get_stage(restApiId=resources["RestApi"]["id"], stageName="prod")


def log_groups():
    groups = {group["logGroupName"]: group for group in client("logs").describe_log_groups()["logGroups"]}
    return {name: groups[id] for name, id in physical_ids("AWS::Logs::LogGroup").items()}


def secret():
    if "AppIdSecret" in resources:
        return client("secretsmanager").describe_secret(SecretId=resources["AppIdSecret"]["id"])


alarms = {alarm["AlarmName"]: alarm for alarm in client("cloudwatch").describe_alarms()["MetricAlarms"]}
dashboard = client("cloudwatch").get_dashboard(DashboardName=resources["Dashboard"]["id"])["DashboardBody"]
described = {
    "api_id": resources["HttpApi" if "HttpApi" in resources else "RestApi"]["id"],
    "outputs": {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]},
    "conditions": {name: value_of(condition) for name, condition in template["Conditions"].items()},
    "properties": {name: resolved(template["Resources"][name].get("Properties", {})) for name in resources},
    "resources": resources,
    "alarms": {name: alarms[id] for name, id in physical_ids("AWS::CloudWatch::Alarm").items()},
    "dashboard": json.loads(dashboard),
    "queues": queues(),
    "function": function(),
    "role": role(),
    "stage": {name: value for name, value in stage().items() if name != "ResponseMetadata"},
    "log_groups": log_groups(),
    "secret": secret(),
}
print(json.dumps(described, default=str))
