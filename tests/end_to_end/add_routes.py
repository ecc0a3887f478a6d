"""Gives the HTTP API of a deployed stack its routes, and prints its id and the stack's outputs as JSON.

    python add_routes.py --stack voicehook --endpoint http://127.0.0.1:4566

Only for the local emulator: it creates the API but ignores the OpenAPI document that SAM writes the routes into
(`Body` of AWS::ApiGatewayV2::Api). AWS itself reads that document and needs none of this.
"""

import argparse
import json
import re

import boto3

parser = argparse.ArgumentParser()
parser.add_argument("--stack", required=True, help="name of the deployed stack")
parser.add_argument("--endpoint", required=True, help="URL of the emulator")
args = parser.parse_args()


def client(service):
    return boto3.client(service, endpoint_url=args.endpoint)


cloudformation, gateway = client("cloudformation"), client("apigatewayv2")
resources = cloudformation.get_template(StackName=args.stack, TemplateStage="Processed")["TemplateBody"]["Resources"]
physical_ids = {
    resource["LogicalResourceId"]: resource["PhysicalResourceId"]
    for resource in cloudformation.describe_stack_resources(StackName=args.stack)["StackResources"]
}


def integration(api_id, uri):
    """Makes the integration of an OpenAPI `uri`, which names the function as `${LogicalId.Arn}`."""
    function = physical_ids[re.search(r"\$\{(\w+)\.Arn\}", uri["Fn::Sub"])[1]]
    arn = client("lambda").get_function(FunctionName=function)["Configuration"]["FunctionArn"]
    return gateway.create_integration(
        ApiId=api_id, IntegrationType="AWS_PROXY", IntegrationUri=arn, PayloadFormatVersion="2.0"
    )["IntegrationId"]


for logical_id, resource in resources.items():
    if resource["Type"] != "AWS::ApiGatewayV2::Api":
        continue
    api_id = physical_ids[logical_id]
    routes = {route["RouteKey"] for route in gateway.get_routes(ApiId=api_id)["Items"]}
    for path, operations in resource["Properties"]["Body"]["paths"].items():
        for method, operation in operations.items():
            method = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
            if f"{method} {path}" not in routes:
                target = integration(api_id, operation["x-amazon-apigateway-integration"]["uri"])
                gateway.create_route(ApiId=api_id, RouteKey=f"{method} {path}", Target=f"integrations/{target}")
    outputs = cloudformation.describe_stacks(StackName=args.stack)["Stacks"][0]["Outputs"]
    print(json.dumps({"api_id": api_id, **{output["OutputKey"]: output["OutputValue"] for output in outputs}}))
