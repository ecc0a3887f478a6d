"""What is known about one call, put together from its events in whatever order they arrive, once or more often.

The same merge as `voicehook::event::Call` in Rust and call.js; examples/fixtures/calls holds all three to the same results.
A call is plain JSON, with the shape of schemas/call.schema.json. Everything is derived from `seen`, and each part of `seen`
is the earliest, the latest or the set of what was given. That is why order and duplicates do not matter.

    call = new_call("v")
    call = apply(call, event_id, received_at, json.loads(body))
"""

from __future__ import annotations

import json
import math
import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voice_event import Call, VoiceEvent

# Of prompts, keys and speech, and of recordings, the latest are kept, so that a call stays below DynamoDB's 400 KB.
INTERACTIONS_BUDGET, RECORDINGS_BUDGET, ENTRY_OVERHEAD = 96 * 1024, 32 * 1024, 256
# The longest texts, in characters. Longer ones are cut; a link that is longer is left out.
LONGEST_ID, LONGEST_DIGITS, LONGEST_SPEECH, LONGEST_FACT, LONGEST_URL = 128, 64, 1000, 256, 2048
# A timestamp out of the years 2000 to 2099 is a mistake, such as seconds taken for milliseconds.
EARLIEST, LATEST = 946684800000, 4102444800000
LONGEST_CALL = 1e9  # seconds
TALKING = 2
PHASES = {  # how far a call is: stage, and rank in it
    "incomingcall": (0, 0), "initiated": (0, 0), "ringing": (1, 0), "connected": (2, 0), "bridging": (2, 1),
    "bridged": (2, 2), "bridge_disconnected": (2, 3), "hold": (2, 4), "joined": (2, 5), "disconnected": (3, 0),
}
STATES = {*PHASES, "recording_complete", "transcript", "recognized", "dtmfcollected", "stream_started", "stream_stopped",
          "stream_failed", "broadcastcall_complete"}
PLAYSTATES = {"initiated", "playfinished", "digitcollected", "menutimeout", "speech_recognized"}
STEPS = {"play.initiated": 0, "play.playfinished": 2, "play.menutimeout": 3}  # at one time; all others 1
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def new_call(voice_id: str) -> Call:
    """A call of which nothing but its id is known."""
    return _derive(voice_id, _empty_seen())


def apply(call: Call, event_id: str, received_at: str, event: VoiceEvent) -> Call:
    """Takes in an event. `event_id` and `received_at` are attributes of the message, and `event` is its parsed body.

    Returns the new call, or the very same object where nothing has changed: the event was applied before, or is of
    another call.
    """
    if _voice_id(event) != call["voice_id"]:
        return call
    return merge(call, _derive(call["voice_id"], _seen_in(event_id, received_at, event)))


def merge(call: Call, other: Call) -> Call:
    """Puts together what two calls know about the same call. Returns the first one where the other knows nothing new."""
    if call["voice_id"] != other["voice_id"]:
        return call
    merged = _derive(call["voice_id"], _merge_seen(call["seen"], other["seen"]))
    return call if merged == call else merged


# Reading an event.


def _text(value: Any) -> str | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return json.dumps(value)
    if not isinstance(value, str) or not value:
        return None
    return re.sub("[\ud800-\udfff]", "\ufffd" * 3, value)  # half a character, as Rust reads it


def _first_text(event: Any, *names: str) -> str | None:
    return next((text for name in names if (text := _text(event.get(name))) is not None), None)


def _voice_id(event: Any) -> str | None:
    return _first_text(event, "voice_id", "voiceId", "voice_Id")


def _number(value: Any) -> float | None:
    written = (_text(value) or "").strip()
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", written):
        return None
    return number if math.isfinite(number := float(written)) else None


def _integer(value: Any) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number.is_integer() and abs(number) <= 2**53 - 1 else None


def _normalized(name: str) -> str:
    kept = re.sub(r"[^A-Za-z0-9_-]", "", name).lower()
    return "broadcastcall_complete" if kept == "broadcastcomplete" else kept


def _kind(event: Any) -> tuple[str | None, str]:
    """Whether an event is of a call or of a prompt, and what happened."""
    state, playstate, name = (_text(event.get(field)) for field in ("state", "playstate", "event"))
    if state is not None:
        return "call", _normalized(state)
    if playstate is not None:
        return "play", _normalized(playstate)
    if name is None:
        return None, ""
    name = _normalized(name)
    names_prompt = name != "initiated" or _first_text(event, "play_id", "prompt_ref") is not None
    return ("play" if name in PLAYSTATES and names_prompt else "call"), name


def _own_time(written: str) -> int | None:
    """An event's own time in milliseconds, if it is exact to the second or finer."""
    since_1970 = _number(written)
    if since_1970 is not None:
        return math.floor((since_1970 if abs(since_1970) >= 1e11 else since_1970 * 1000) + 0.5)
    form = r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}):([0-9]{2})(?:[.,]([0-9]{1,9}))?(?:[Zz]|([+-])([0-9]{2})(?::?([0-9]{2}))?[Zz]?)"
    parts = re.fullmatch(form, written.strip())
    if not parts or int(parts[3]) > 60:
        return None
    try:
        at = datetime.fromisoformat(f"{parts[1]}T{parts[2]}:{min(int(parts[3]), 59):02}+00:00")
        at -= timedelta(hours=int(parts[6] or 0), minutes=int(parts[7] or 0)) * (-1 if parts[5] == "-" else 1)
    except (ValueError, OverflowError):
        return None
    return (at - EPOCH) // timedelta(milliseconds=1) + int((parts[4] or "")[:3].ljust(3, "0"))


def _time(event: Any, received_at: str) -> str:
    own = _own_time(_text(event.get("timestamp")) or "")
    is_plausible = own is not None and EARLIEST <= own < LATEST and _kind(event)[0] is not None
    at = own if is_plausible else _own_time(received_at)
    if at is None:
        raise ValueError(f"received_at is not a timestamp: {received_at}")
    return (EPOCH + timedelta(milliseconds=at)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _empty_seen() -> Any:
    return {"states": {}, "facts": {}, "interactions": [], "recordings": [], "cut": False}


def _seen_in(event_id: str, received_at: str, event: Any) -> Any:
    """What one event says."""
    seen = _empty_seen()

    def cut(text: str | None, longest: int) -> str | None:
        seen["cut"] |= text is not None and len(text) > longest
        return text and text[:longest]

    at = seen["last_at"] = _time(event, received_at)
    stamp = {"at": at, "event_id": cut(event_id, LONGEST_ID)}
    subject, name = _kind(event)
    facts: dict[str, Any] = {}
    if subject:
        for field in ("from", "to", "broadcast_id", "owner_ref"):
            facts[field] = cut(_text(event.get(field)), LONGEST_FACT)
    digits, said = _first_text(event, "digit", "digits"), _text(event.get("text"))
    if subject == "play":
        spoken = _text(event.get("asrtext")) or said
        seen["interactions"].append(_defined({
            **stamp, "type": cut(f"play.{name}", LONGEST_ID), "prompt_ref": cut(_text(event.get("prompt_ref")), LONGEST_ID),
            "play_id": cut(_text(event.get("play_id")), LONGEST_ID), "digits": cut(digits, LONGEST_DIGITS),
            "text": cut(spoken, LONGEST_SPEECH),
        }))
    elif subject == "call" and name in STATES:
        seen["states"][name] = {"first": stamp, "last": stamp}
        if name == "disconnected":
            seconds = _number(event.get("call_duration"))
            if seconds is not None and 0 <= seconds <= LONGEST_CALL:
                facts["duration_ms"] = math.floor(seconds * 1000 + 0.5)
            facts["disconnect_cause_code"] = _integer(event.get("disconnect_cause_code"))
            facts["disconnect_reason"] = cut(_text(event.get("disconnect_reason")), LONGEST_FACT)
        elif name == "recording_complete":
            url = _text(event.get("recording_url"))
            if url is not None and len(url) > LONGEST_URL:
                seen["cut"] = True
            elif url is not None:
                seen["recordings"].append({**stamp, "url": url})
        elif name in ("dtmfcollected", "recognized"):
            seen["interactions"].append(_defined({
                **stamp, "type": f"call.{name}", "digits": cut(digits, LONGEST_DIGITS), "text": cut(said, LONGEST_SPEECH),
            }))
    seen["facts"] = {field: {**stamp, "value": value} for field, value in _defined(facts).items()}
    return seen


# Merging.


def _order(entry: Any) -> tuple[Any, ...]:
    """By time, and at one time by step. What is not there comes first."""
    texts = (entry.get(name) for name in ("prompt_ref", "play_id", "digits", "text", "url"))
    kind = entry.get("type", "")
    return (entry["at"], STEPS.get(kind, 1), entry["event_id"], kind, *((text is not None, text or "") for text in texts))


def _earlier(a: Any, b: Any) -> Any:
    return min(a, b, key=lambda fact: (fact["at"], fact["event_id"], fact.get("value")))


def _later(a: Any, b: Any) -> Any:
    return max(a, b, key=lambda stamp: (stamp["at"], stamp["event_id"]))


def _latest(a: str | None, b: str | None) -> str | None:
    return max(a or "", b or "") or None


def _merge_by_name(a: Any, b: Any, join: Any) -> Any:
    return {**a, **{name: join(a[name], value) if name in a else value for name, value in b.items()}}


def _size(text: str) -> int:
    """How many bytes a text has in JSON at most, whatever writes it."""
    return sum(1 if " " <= it <= "~" and it not in '"\\' else 12 if it > "\uffff" else 6 for it in text)


def _keep_latest(entries: list[Any], dropped_until: str | None, budget: int) -> tuple[list[Any], str | None]:
    """Sorts entries and drops the oldest until the others fit, and everything from before that time for good."""
    once = {_order(entry): entry for entry in entries if entry["at"] > (dropped_until or "")}
    kept, total = [once[order] for order in sorted(once)], 0
    for entry in reversed(kept):
        total += ENTRY_OVERHEAD + sum(_size(text) for name, text in entry.items() if name != "at")
        if total > budget:
            return [other for other in kept if other["at"] > entry["at"]], entry["at"]
    return kept, dropped_until


def _merge_seen(a: Any, b: Any) -> Any:
    merged: dict[str, Any] = {
        "last_at": _latest(a.get("last_at"), b.get("last_at")),
        "states": _merge_by_name(a["states"], b["states"], lambda x, y: {
            "first": _earlier(x["first"], y["first"]), "last": _later(x["last"], y["last"])}),
        "facts": _merge_by_name(a["facts"], b["facts"], _earlier),
        "cut": a["cut"] or b["cut"],
    }
    for name, budget in (("interactions", INTERACTIONS_BUDGET), ("recordings", RECORDINGS_BUDGET)):
        until = f"{name}_dropped_until"
        merged[name], merged[until] = _keep_latest(a[name] + b[name], _latest(a.get(until), b.get(until)), budget)
    return _defined(merged)


# What follows from it.


def _derive(voice_id: str, seen: Any) -> Call:
    states, facts = seen["states"], seen["facts"]

    def seen_any(*names: str) -> bool:
        return any(name in states for name in names)

    phases = []
    for name, span in states.items():
        if name in PHASES:
            stage, rank = PHASES[name]
            stamp = span["last" if stage == TALKING else "first"]
            phases.append((stage, stamp["at"], rank, stamp["event_id"], name))
    _, since, _, _, state = max(phases, default=(None,) * 5)
    was_connected = (seen_any("bridged", "bridge_disconnected", "hold", "joined")
                     or facts.get("duration_ms", {"value": 0})["value"] > 0)
    missing = {
        "start": "last_at" in seen and not seen_any("incomingcall", "initiated"),
        "connected": was_connected and not seen_any("connected"),
        "bridged": seen_any("bridge_disconnected") and not seen_any("bridging", "bridged"),
    }
    events = _unique_by(seen["interactions"], "event_id")
    call: Call = _defined({
        "voice_id": voice_id,
        "state": state,
        "since": since,
        "direction": "inbound" if seen_any("incomingcall") else "outbound" if seen_any("initiated") else None,
        **{name: fact["value"] for name, fact in facts.items()},
        "prompts": _prompts(events),
        "inputs": [answer for event in events if not event["type"].startswith("play.") for answer in _answer(event)],
        "recordings": [{"at": it["at"], "url": it["url"]} for it in _unique_by(seen["recordings"], "url")],
        "missing": [name for name, is_missing in missing.items() if is_missing],
        "truncated": seen["cut"] or "interactions_dropped_until" in seen or "recordings_dropped_until" in seen,
        "seen": seen,
    })
    return call


def _prompts(events: list[Any]) -> list[Any]:
    """The prompts with what was answered: each `initiated` begins one."""
    prompts: list[Any] = []
    times = {"play.initiated": "started_at", "play.playfinished": "finished_at", "play.menutimeout": "timed_out_at"}

    def fits(prompt: Any, event: Any) -> bool:
        ids = ((prompt[name], event.get(name)) for name in ("prompt_ref", "play_id"))
        return all(known is None or new is None or known == new for known, new in ids)

    for event in events:
        if not event["type"].startswith("play."):
            continue
        prompt = next((it for it in reversed(prompts) if fits(it, event)), None)
        if prompt is None or event["type"] == "play.initiated":
            prompt = {"prompt_ref": None, "play_id": None, "answers": []}
            prompts.append(prompt)
        for name in ("prompt_ref", "play_id"):
            prompt[name] = event.get(name) if prompt[name] is None else prompt[name]
        if event["type"] in times:
            prompt[times[event["type"]]] = event["at"]
        prompt["answers"] += _answer(event)
    return [_defined(prompt) for prompt in prompts]


def _answer(event: Any) -> list[Any]:
    answer = {name: event[name] for name in ("at", "digits", "text") if name in event}
    return [answer] if len(answer) > 1 else []


def _unique_by(entries: list[Any], field: str) -> list[Any]:
    first: dict[str, Any] = {}
    for entry in entries:
        first.setdefault(entry[field], entry)
    return list(first.values())


def _defined(it: dict[str, Any]) -> Any:
    """A dictionary without what is not there."""
    return {name: value for name, value in it.items() if value is not None}
