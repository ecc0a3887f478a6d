#!/usr/bin/env python3
"""Makes the first inputs of every fuzz target from the reference webhooks, in fuzz/corpus.

What an input consists of is said at the head of each target; a change there is a change here.
"""

import base64
import hashlib
import json
import re
import urllib.parse
from pathlib import Path

FUZZ = Path(__file__).resolve().parent
VECTORS = FUZZ.parent / "tests/vectors/reference.jsonl"
NAMES = FUZZ.parent / "src/decrypt/names.rs"

# What no reference webhook holds: text that is not quite an event, and values that SQS would refuse.
EVENTS = [
    "",
    "{}",
    '{"timestamp":"2026-11-23T16:22:06+05:30"}',
    '{"timestamp":1795431126000}',
    '{"timestamp":"-1e400"}',
    '{"timestamp":"NaN"}',
    "[]",
    "null",
    "{} x",
    '{"a":1e999}',
    '{"\0":1}',
    '{"state":"","voice_id":""}',
    '{"voice_id":-1.5e3,"voiceId":42,"state":null,"playstate":"initiated"}',
    '{"voice\\u005fid":"first","voice_id":"last","broadcast_id":"b","channel_id":"c"}',
    '{"\\ud800":"\\udfff","state":"x\\ud800","voice_id":"\\u0000\\u001f\\u007f\\uffff"}',
    '{"state":"\ufffe\uffff","\uffff":"\\\\\ufffe","voice_id":"\U0001f4de \u2028"}',
    json.dumps({"state": "s" * 300, "voice_id": "é" * 300}, ensure_ascii=False),
    '{"a":' + "[" * 200 + "]" * 200 + "}",
    '{"voice_id":' + '{"a":' * 200 + "1" + "}" * 201,
]


# Secrets in every form, and what is not quite one.
SECRETS = [
    "2d28cdb87cb578c4af2cffda",
    " 2d28cdb87cb578c4af2cffda\n",
    '{"app_id":"2d28cdb87cb578c4af2cffda"}',
    '{"app_id":"2d28cdb87cb578c4af2cffda","token":"abcdefghijklmnop0123"}',
    '{"apps":{"sales":"2d28cdb87cb578c4af2cffda","support":"3e39dec98dc689d5b03d00eb"}}',
    '{"apps":{"sales":"a","sales":"b"}}',
    '{"apps":{"":"a"}}',
    '{"apps":{}}',
    '{"app_id":"a","apps":{"b":"c"}}',
    '{"app_id":1}',
    '{"app_id":""}',
    '{"token":"short"}',
    '"2d28cdb87cb578c4af2cffda"',
    "\ufeff{}",
    "{",
    "",
]


def tables() -> list[dict[str, int]]:
    """The numbers of the algorithms, formats and encodings, read from the source so that they are the targets' own."""
    _, *source = NAMES.read_text(encoding="utf-8").split("pub const NAMES")
    return [{name: at for at, name in enumerate(re.findall(r'\("([^"]+)", Self::', table))} for table in source]


def utf8(text: str) -> bytes:
    """UTF-8, in which a lone surrogate has three bytes, as voicehook keeps it."""
    return text.encode("utf-8", "surrogatepass")


def request(case: dict) -> bytes:
    head = "".join(f"{name}: {value}\n" for name, value in case["headers"].items())
    return utf8(head + "\n" + case["body"])


def encrypted_data(case: dict) -> str | None:
    try:
        if case["headers"]["content-type"].startswith("application/json"):
            data = json.loads(case["body"])["encrypted_data"]
        else:
            data = dict(urllib.parse.parse_qsl(case["body"], strict_parsing=True))["encrypted_data"]
    except (ValueError, KeyError, TypeError):
        return None
    return data if isinstance(data, str) else None


def decrypt(case: dict, numbers: list[dict[str, int]]) -> bytes | None:
    headers, data = case["headers"], encrypted_data(case)
    algorithm = headers.get("x-algoritm", headers.get("x-algorithm"))
    names = [algorithm, headers["x-format"], headers["x-encoding"]]
    selectors = [table.get(name.lower()) for table, name in zip(numbers, names, strict=True)]
    if data is None or None in selectors:
        return None
    return bytes(selectors) + utf8(case["app_id"] + "\n" + data)


def kept(target: str) -> list[bytes]:
    """What an earlier run found, minimised: a line of base64 for each, written by `fuzz/keep.py`."""
    file = FUZZ / "seeds" / f"{target}.txt"
    return [base64.b64decode(line) for line in file.read_text().splitlines()] if file.exists() else []


def captures(cases: list[dict]) -> list[bytes]:
    """Files for the tool, each behind the byte that chooses its form."""
    texts = [path.read_text(encoding="utf-8") for path in sorted((FUZZ.parent / "events").glob("**/*.json"))]
    for case in cases[:60]:
        headers = case["headers"]
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        texts.append(f"POST /webhook HTTP/1.1\r\n{head}\r\n{case['body']}")
        options = " ".join(f"-H '{name}: {value}'" for name, value in headers.items())
        texts.append(f"curl https://example.com/webhook {options} -d '{case['body']}'")
        pairs = [{"name": name, "value": value} for name, value in headers.items()]
        post = {"method": "POST", "url": "https://example.com/webhook", "headers": pairs, "postData": {"text": case["body"]}}
        texts.append(json.dumps({"log": {"entries": [{"request": post, "startedDateTime": "2026-11-23T10:52:06Z"}]}}))
        body = base64.b64encode(utf8(case["body"])).decode()
        record = {"version": 1, "id": "i", "part": 1, "parts": 1, "reason": "undecryptable", "app": "default",
                  "received_at": "2026-11-23T10:52:06.007Z", "request_id": "r", "headers": headers, "body_base64": body}
        texts.append(json.dumps(record))
        texts.append(json.dumps({"Messages": [{"Body": json.dumps(record)}]}))
        texts.append(case["body"])
        line = {"version": 1, "at_ms": 7, "headers": headers, "body": case["body"], "event": {"state": "connected"}}
        texts.append(json.dumps(line) + "\n" + json.dumps({**line, "at_ms": 9}))
    return [bytes([form]) + utf8(text) for at, text in enumerate(texts) for form in (0, 1 + at % 8)]


def seeds() -> dict[str, set[bytes]]:
    """The inputs of each target that are made here."""
    with VECTORS.open(encoding="utf-8") as lines:
        cases = [json.loads(line) for line in lines]
    numbers = tables()
    made = {
        "request": map(request, cases),
        "decrypt": (decrypt(case, numbers) for case in cases),
        "event": [utf8(case["expect"]["event"]) for case in cases if "event" in case["expect"]] + list(map(utf8, EVENTS)),
        "receiver": (utf8(case["app_id"] + "\n") + request(case) for case in cases),
        "secret": [utf8(case["app_id"]) for case in cases] + list(map(utf8, SECRETS)),
        "capture": captures(cases),
    }
    return {target: {one for one in inputs if one is not None} for target, inputs in made.items()}


def main() -> None:
    for target, inputs in seeds().items():
        if len(inputs) < 100:
            raise SystemExit(f"{target}: only {len(inputs)} seeds; seed.py no longer understands the vectors")
        folder = FUZZ / "corpus" / target
        folder.mkdir(parents=True, exist_ok=True)
        before = kept(target)
        for one in inputs.union(before):
            (folder / hashlib.sha1(one).hexdigest()).write_bytes(one)
        print(f"{target}: {len(inputs)} seeds, and {len(before)} that were kept")


if __name__ == "__main__":
    main()
