#!/usr/bin/env python3
"""Generates the types of the examples in TypeScript and Python from the JSON schemas of events and calls.

    python schemas/generate.py           writes examples/node/voice-event.d.ts and examples/python/voice_event.py
    python schemas/generate.py --check   fails where a file is not what the schemas say
"""

import json
import keyword
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTE = "Generated from schemas/*.schema.json by schemas/generate.py: change the schemas instead."
WIDTH = 116


class Types:
    """The named types of a schema. What voicehook itself writes (a call) has every field with a default, and no nulls."""

    def __init__(self, file, written_by_us):
        self.schema = json.loads((ROOT / "schemas" / file).read_text("utf-8"))
        self.written_by_us = written_by_us
        self.named = {pascal_case(name): schema for name, schema in self.schema["$defs"].items()}
        top = {name: value for name, value in self.schema.items() if name not in ("$schema", "$defs")}
        for case in top.get("anyOf", []):
            if "$ref" not in case:  # the event without a kind has no name of its own in the schema
                self.named["OtherEvent"] = dict(case)
                case.clear()
                case["$ref"] = "#/$defs/OtherEvent"
        self.named[top.pop("title")] = top

    def fields(self, schema):
        """Each field with its schema and whether it is always there."""
        for name, field in schema["properties"].items():
            if "not" not in field:
                always = name in schema.get("required", []) or (self.written_by_us and "default" in field)
                yield name, field, always

    def cases(self, schema):
        """The types that a value can have, as schemas of one type each."""
        if "anyOf" in schema or "oneOf" in schema:
            cases = [case for one in schema.get("anyOf", schema.get("oneOf")) for case in self.cases(one)]
        elif isinstance(schema.get("type"), list):
            cases = [{**schema, "type": one} for one in schema["type"]]
        else:
            cases = [schema]
        return [case for case in cases if case.get("type") != "null"] if self.written_by_us else cases


def pascal_case(name):
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def lines_of(text, indent, first, rest):
    return textwrap.wrap(text, WIDTH, initial_indent=indent + first, subsequent_indent=indent + rest)


class TypeScript:
    file = ROOT / "examples/node/voice-event.d.ts"
    head = f"// {NOTE}\n"

    def comment(self, schema, indent=""):
        if "description" not in schema:
            return []
        whole = f"{indent}/** {schema['description']} */"
        if len(whole) <= WIDTH:
            return [whole]
        return [f"{indent}/**", *lines_of(schema["description"], indent, " * ", " * "), f"{indent} */"]

    def type(self, types, schema):
        names = list(dict.fromkeys(self.one(types, case) for case in types.cases(schema)))
        if len(names) > 1 and "string" in names and any(name.startswith("'") for name in names):
            names[names.index("string")] = "(string & {})"  # keeps the known names in an editor's completion
        return " | ".join(names)

    def one(self, types, schema):
        if "$ref" in schema:
            return pascal_case(schema["$ref"].rsplit("/", 1)[1])
        if "const" in schema or "enum" in schema:
            return " | ".join(f"'{name}'" for name in schema.get("enum", [schema.get("const")]))
        match schema.get("type"):
            case "array":
                return f"{self.type(types, schema['items'])}[]"
            case "object":
                return f"Record<string, {self.type(types, schema['additionalProperties'])}>"
            case "integer":
                return "number"
            case None:
                return "unknown"
            case name:
                return name

    def define(self, types, name, schema):
        if "properties" not in schema:
            return [*self.comment(schema), f"export type {name} = {self.type(types, schema)};"]
        lines = [*self.comment(schema), f"export interface {name} {{"]
        for field, its, always in types.fields(schema):
            lines += [*self.comment(its, "  "), f"  {field}{'' if always else '?'}: {self.type(types, its)};"]
        if not types.written_by_us:
            lines += ["  /** What EnableX adds tomorrow. */", "  [field: string]: unknown;"]
        return [*lines, "}"]

    def text(self, definitions):
        return "\n".join([self.head, *("\n".join(lines) + "\n" for _, lines in definitions)])


class Python(TypeScript):
    file = ROOT / "examples/python/voice_event.py"
    head = f'"""The events and calls of voicehook as types.\n\n{NOTE}\n"""\n\nfrom __future__ import annotations\n\n' \
           "from typing import Any, Literal, NotRequired, TypedDict, Union\n\n"

    def comment(self, schema, indent=""):
        return lines_of(schema["description"], indent, "# ", "# ") if "description" in schema else []

    def type(self, types, schema):
        names = list(dict.fromkeys(self.one(types, case) for case in types.cases(schema)))
        return names[0] if len(names) == 1 else f"Union[{', '.join(names)}]"

    def one(self, types, schema):
        if "$ref" in schema:
            return f'"{pascal_case(schema["$ref"].rsplit("/", 1)[1])}"'
        if "const" in schema or "enum" in schema:
            return f"Literal[{', '.join(json.dumps(name) for name in schema.get('enum', [schema.get('const')]))}]"
        match schema.get("type"):
            case "array":
                return f"list[{self.type(types, schema['items'])}]"
            case "object":
                return f"dict[str, {self.type(types, schema['additionalProperties'])}]"
            case "string":
                return "str"
            case "number":
                return "float"
            case "integer":
                return "int"
            case "boolean":
                return "bool"
            case "null":
                return "None"
            case _:
                return "Any"

    def define(self, types, name, schema):
        if "properties" not in schema:
            return [*self.comment(schema), f"{name} = {self.type(types, schema)}"]
        # The syntax for fields such as `from`, which Python keeps for itself.
        by_call = any(keyword.iskeyword(field) for field in schema["properties"])
        lines = [*self.comment(schema), f'{name} = TypedDict("{name}", {{' if by_call else f"class {name}(TypedDict):"]
        for field, its, always in types.fields(schema):
            kind = self.type(types, its)
            kind = kind if always else f"NotRequired[{kind}]"
            lines += [*self.comment(its, "    "), f'    "{field}": {kind},' if by_call else f"    {field}: {kind}"]
        return [*lines, "})"] if by_call else lines

    def text(self, definitions):
        return self.head + "\n\n".join("\n".join(lines) + "\n" for _, lines in definitions)


def generated(language):
    definitions = {}
    for types in (Types("voice-event.schema.json", False), Types("call.schema.json", True)):
        for name, schema in types.named.items():
            lines = language.define(types, name, schema)
            assert definitions.setdefault(name, lines) == lines, f"the schemas disagree about {name}"
    return language.text(definitions.items())


def main():
    check, failed = "--check" in sys.argv[1:], False
    for language in (TypeScript(), Python()):
        text = generated(language)
        if not check:
            language.file.write_text(text, "utf-8")
        elif not language.file.exists() or language.file.read_text("utf-8") != text:
            failed = True
            print(f"{language.file.relative_to(ROOT)} is not what the schemas say: run schemas/generate.py", file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
