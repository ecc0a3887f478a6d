"""Reads examples/terraform/ as Terraform would, expressions included, and compares it with the plain CloudFormation template.

    python check.py FOLDER

The folder has main.tf and the two files of a release. There is no provider and no AWS here: what is checked is that it
parses, that its expressions have values, and that each parameter and output is one of the template's.
"""

import json
import pathlib
import sys

import tfparse

folder = pathlib.Path(sys.argv[1])
text = (folder / "voicehook.template.json").read_text()
template = json.loads(text)
parsed = tfparse.load_from_path(folder)

(stack,) = parsed["aws_cloudformation_stack"]
assert stack["template_body"] == text, "the stack has another template"
assert stack["capabilities"] == ["CAPABILITY_IAM"], stack["capabilities"]
unknown = set(stack["parameters"]) - set(template["Parameters"])
assert not unknown, f"not parameters of the template: {unknown}"
required = {name for name, parameter in template["Parameters"].items() if "Default" not in parameter}
assert required <= set(stack["parameters"]), f"not given: {required - set(stack['parameters'])}"

(code,) = parsed["aws_s3_object"]
assert (folder / code["source"]).exists() or pathlib.Path(code["source"]).exists(), code["source"]
assert stack["parameters"]["CodeS3Key"] == code["key"], "the stack has another key"

for output in parsed["output"]:
    name = output["value"]["__attribute__"].rsplit("[", 1)[1].rstrip("]")
    assert name in template["Outputs"], f"no output of the template: {name}"
print(f"{len(stack['parameters'])} parameters and {len(parsed['output'])} outputs are the template's")
