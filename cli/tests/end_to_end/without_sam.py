"""Deploys the plain CloudFormation template, as one does who has neither Rust nor SAM: the code from an S3 object, and
CloudFormation asked directly, with CAPABILITY_IAM and nothing else.

    python without_sam.py --endpoint http://127.0.0.1:4566 --bootstrap target/tmp/sam-build/WebhookFunction/bootstrap \\
        --stack plain --parameters AppId=... Architecture=x86_64

Prints the outputs of the stack as JSON, and with them "api_id" and "secret", what the secret holds.
"""

import argparse
import io
import json
import pathlib
import subprocess
import sys
import zipfile

import boto3

PROJECT = next(folder for folder in pathlib.Path(__file__).resolve().parents if (folder / "template.yaml").exists())
BUCKET, KEY = "code-of-voicehook", "voicehook/v1/voicehook-function.zip"

parser = argparse.ArgumentParser()
parser.add_argument("--endpoint", required=True, help="URL of the emulator")
parser.add_argument("--bootstrap", required=True, type=pathlib.Path, help="the built function")
parser.add_argument("--stack", required=True, help="name of the stack")
parser.add_argument("--parameters", nargs="*", default=[], help="parameters of the stack, as NAME=VALUE")
args = parser.parse_args()


def client(service):
    return boto3.client(service, endpoint_url=args.endpoint)


def archive() -> bytes:
    """The archive that a release has."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as file:
        bootstrap = zipfile.ZipInfo("bootstrap")
        bootstrap.external_attr = 0o755 << 16
        file.writestr(bootstrap, args.bootstrap.read_bytes())
    return written.getvalue()


made = subprocess.run([sys.executable, PROJECT / "deploy/cloudformation"], capture_output=True, text=True, check=True)
client("s3").create_bucket(Bucket=BUCKET)
client("s3").put_object(Bucket=BUCKET, Key=KEY, Body=archive())
cloudformation = client("cloudformation")
parameters = [f"CodeS3Bucket={BUCKET}", f"CodeS3Key={KEY}", *args.parameters]
cloudformation.create_stack(
    StackName=args.stack,
    TemplateBody=made.stdout,
    Capabilities=["CAPABILITY_IAM"],
    Parameters=[dict(zip(("ParameterKey", "ParameterValue"), given.split("=", 1))) for given in parameters],
)
waiter = cloudformation.get_waiter("stack_create_complete")
waiter.wait(StackName=args.stack, WaiterConfig={"Delay": 1, "MaxAttempts": 120})

stack = cloudformation.describe_stacks(StackName=args.stack)["Stacks"][0]
outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
secret = client("secretsmanager").get_secret_value(SecretId=outputs["SecretArn"])["SecretString"]
api_id = outputs["WebhookUrl"].removeprefix("https://").split(".")[0]
print(json.dumps({**outputs, "api_id": api_id, "secret": secret}))
