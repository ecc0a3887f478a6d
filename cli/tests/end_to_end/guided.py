"""Deploys as a new user does: `sam deploy --guided` in a terminal, with Enter at every prompt but the AppID's.

    python guided.py --endpoint http://127.0.0.1:4566 --built target/tmp/sam-build --architecture x86_64

It runs in a folder of its own, with the template and what `sam build` made of it, against a stack that is not there, and
then again over that stack; once more with a generated token, and again with Enter only, after which the token must be the
same. Prints one line for each run, and at the end "4 guided deployments, ..."; any other ending is a failure, with what
the terminal showed.
"""

import argparse
import json
import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time

import boto3

PROJECT = next(folder for folder in pathlib.Path(__file__).resolve().parents if (folder / "template.yaml").exists())
COMMAND = ["sam", "deploy", "--guided", "--stack-name", "guided", "--no-fail-on-empty-changeset"]
APP_ID = "an-app-id-of-the-guided-test"
# What click writes and then waits behind: "Stack Name [voicehook]: ", "Disable rollback [y/N]: ", "Parameter AppId: ".
PROMPT = re.compile(r"(?P<question>[^\n]*?)(?: \[(?P<default>[^\n]*)\])?: $")
ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
LONGEST_RUN_SECONDS = 180

parser = argparse.ArgumentParser()
parser.add_argument("--endpoint", required=True, help="URL of the emulator")
parser.add_argument("--built", required=True, type=pathlib.Path, help="the folder that sam build made")
parser.add_argument("--architecture", required=True, choices=["arm64", "x86_64"], help="what it was built for")
args = parser.parse_args()


class Guided:
    """One `sam deploy --guided` in a terminal of its own."""

    def __init__(self, folder: pathlib.Path, answers: dict[str, str]):
        self.answers = answers
        self.asked: list[str] = []
        self.shown = ""
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            os.chdir(folder)
            # Once: the saved answers have it, and SAM ignores all saved parameters where the command line has one.
            saved = (folder / "samconfig.toml").exists()
            overrides = [] if saved else ["--parameter-overrides", f"Architecture={args.architecture}"]
            os.execvp(COMMAND[0], [*COMMAND, *overrides])

    def fail(self, why: str) -> None:
        sys.exit(f"{self.shown}\n\n{why}")

    def answer(self, question: str) -> None:
        name = question.split()[-1]
        self.asked.append(name)
        if self.asked.count(name) > 1 and "Parameter" in question:
            self.fail(f"the terminal asks for {name} again: it did not accept the answer")
        os.write(self.terminal, f"{self.answers.get(name, '')}\n".encode())

    def run(self) -> int:
        """Answers until the command ends; returns its exit code."""
        end, unanswered = time.monotonic() + LONGEST_RUN_SECONDS, ""
        while time.monotonic() < end:
            readable, _, _ = select.select([self.terminal], [], [], 0.15)
            if not readable:
                # It waits, or it works: only what looks like a prompt is answered.
                prompt = PROMPT.search(unanswered)
                if prompt:
                    self.answer(prompt["question"].strip())
                    unanswered = ""
                continue
            try:
                read = os.read(self.terminal, 65536)
            except OSError:  # the terminal's other side is closed
                break
            text = ESCAPES.sub("", read.decode(errors="replace")).replace("\r", "")
            self.shown += text
            unanswered = (unanswered + text).rsplit("\n", 1)[-1]
        else:
            os.kill(self.process, 9)
            self.fail(f"no end after {LONGEST_RUN_SECONDS} seconds")
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])


def client(service: str):
    return boto3.client(service, endpoint_url=args.endpoint)


def secret() -> str:
    resource = client("cloudformation").describe_stack_resource(StackName="guided", LogicalResourceId="AppIdSecret")
    name = resource["StackResourceDetail"]["PhysicalResourceId"]
    return client("secretsmanager").get_secret_value(SecretId=name)["SecretString"]


def deploy(folder: pathlib.Path, what: str, **answers: str) -> str:
    """One deployment; returns the secret after it."""
    guided, began = Guided(folder, {"AppId": APP_ID, **answers}), time.monotonic()
    code = guided.run()
    if code != 0:
        guided.fail(f"sam deploy --guided ended with {code}")
    if not re.search("Successfully created/updated stack|No changes to deploy", guided.shown):
        guided.fail("it deployed nothing")
    status = client("cloudformation").describe_stacks(StackName="guided")["Stacks"][0]["StackStatus"]
    print(f"{what}: {len(guided.asked)} prompts, {status}, {time.monotonic() - began:.0f} s", flush=True)
    return secret()


def assert_answers_touch_no_tracked_file() -> None:
    """`sam` saves the answers in samconfig.toml, beside the template. No repository: nothing to look at."""
    if (PROJECT / ".git").exists():
        tracked = subprocess.run(["git", "ls-files", "samconfig.toml"], cwd=PROJECT, capture_output=True, text=True)
        ignored = subprocess.run(["git", "check-ignore", "samconfig.toml"], cwd=PROJECT, capture_output=True)
        assert tracked.stdout == "", "samconfig.toml is tracked, and the answers would change it"
        assert ignored.returncode == 0, "samconfig.toml is not ignored, and the answers would be committed"


assert_answers_touch_no_tracked_file()
with tempfile.TemporaryDirectory() as temporary:
    folder = pathlib.Path(temporary)
    shutil.copy(PROJECT / "template.yaml", folder)
    shutil.copytree(args.built, folder / ".aws-sam/build")
    first = deploy(folder, "a new stack")
    assert first == APP_ID, "the secret is not the AppID"
    assert (folder / "samconfig.toml").exists(), "the answers were not saved where git ignores them"
    assert APP_ID not in (folder / "samconfig.toml").read_text(), "the AppID was saved in clear"
    assert deploy(folder, "over the stack") == APP_ID
    with_token = deploy(folder, "with a generated token", WebhookToken="generated")
    token = json.loads(with_token)["token"]
    assert json.loads(with_token) == {"app_id": APP_ID, "token": token}
    assert re.fullmatch(r"[A-Za-z0-9]{32}", token), "the token does not fit into a URL"
    assert deploy(folder, "over the stack with the token") == with_token, "the token changed"
    # With the saved answers, and so without a flag or a question.
    plain = ["sam", "deploy", "--no-fail-on-empty-changeset"]
    subprocess.run(plain, cwd=folder, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    assert secret() == with_token, "a deployment without questions changed the secret"
print("4 guided deployments, Enter at every prompt but AppId; the token survived")
