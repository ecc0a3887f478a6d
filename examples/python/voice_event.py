"""The events and calls of voicehook as types.

Generated from schemas/*.schema.json by schemas/generate.py: change the schemas instead.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict, Union

# A call of a broadcast.
class BroadcastCall(TypedDict):
    # What came of it.
    result: NotRequired[Union[str, None]]
    # The number that was called.
    to: NotRequired[Union[str, None]]


# The numbers of a broadcast.
class BroadcastResult(TypedDict):
    # Calls that were not.
    failed_calls: NotRequired[Union[float, str, None]]
    # Calls that were answered. EnableX spells it so.
    successfull_calls: NotRequired[Union[float, str, None]]


# An event of a call.
CallEvent = TypedDict("CallEvent", {
    # Which attempt to reach a recipient of a broadcast this is, from 2; the first one does not say.
    "attempt": NotRequired[Union[float, str, None]],
    # The calls of a broadcast.
    "broadcast_call_info": NotRequired[list["BroadcastCall"]],
    # The broadcast's id, in events of a broadcast and of its calls.
    "broadcast_id": NotRequired[Union[str, None]],
    # How long the call was, in seconds.
    "call_duration": NotRequired[Union[float, str, None]],
    # Id of the channel.
    "channel_id": NotRequired[Union[str, None]],
    # What your application gave to the call as its data.
    "custom_data": NotRequired[Any],
    # What was pressed while the call was bridged.
    "digit": NotRequired[Union[float, str, None]],
    # The same as a number: the cause of ITU-T Q.850.
    "disconnect_cause_code": NotRequired[Union[float, str, None]],
    # Why the call is over.
    "disconnect_reason": NotRequired[Union[str, None]],
    # The number that calls.
    "from": NotRequired[Union[str, None]],
    # What your application gave to the call as its reference.
    "owner_ref": NotRequired[Union[float, str, None]],
    # Where the recording is.
    "recording_url": NotRequired[Union[str, None]],
    # How many calls of a broadcast were answered.
    "resultSet": NotRequired[Union["BroadcastResult", None]],
    # What happened: the field `state`, or `event`.
    "state": "CallState",
    # What was said.
    "text": NotRequired[Union[str, None]],
    # When it happened, as EnableX wrote it.
    "timestamp": NotRequired[Union[float, str, None]],
    # The number that is called.
    "to": NotRequired[Union[str, None]],
    # The call's id.
    "voice_id": NotRequired[Union[str, None]],
})


CallState = Union[Literal["incomingcall", "initiated", "ringing", "connected", "bridging", "bridged", "bridge_disconnected", "hold", "joined", "recording_complete", "transcript", "recognized", "dtmfcollected", "stream_started", "stream_stopped", "stream_failed", "disconnected", "broadcastcall_complete"], str]


# An event of a prompt.
PlayEvent = TypedDict("PlayEvent", {
    # What the caller said, where speech recognition is on.
    "asrtext": NotRequired[Union[str, None]],
    # The broadcast's id, in calls of a broadcast.
    "broadcast_id": NotRequired[Union[str, None]],
    # What your application gave to the call as its data.
    "custom_data": NotRequired[Any],
    # What the caller pressed: `0` to `9`, `*`, `#`, or several of them (`digit` or `digits`).
    "digit": NotRequired[Union[str, None]],
    # The number that calls.
    "from": NotRequired[Union[str, None]],
    # What your application gave to the call as its reference.
    "owner_ref": NotRequired[Union[float, str, None]],
    # Id of this playing of the prompt.
    "play_id": NotRequired[Union[str, None]],
    # What happened: the field `playstate`, or `event`.
    "playstate": "PlayState",
    # The name that your application gave to the prompt.
    "prompt_ref": NotRequired[Union[str, None]],
    # Why the recognition of speech ended.
    "reason": NotRequired[Union[str, None]],
    # The same in events with the state `speech_recognized`.
    "text": NotRequired[Union[str, None]],
    # When it happened, as EnableX wrote it.
    "timestamp": NotRequired[Union[float, str, None]],
    # The number that is called.
    "to": NotRequired[Union[str, None]],
    # The call's id.
    "voice_id": NotRequired[Union[str, None]],
})


PlayState = Union[Literal["initiated", "playfinished", "digitcollected", "menutimeout", "speech_recognized"], str]


# It has neither, nor an `event`, which the newest generation has instead of the two.
class OtherEvent(TypedDict):
    # What happened: a name of `state`, or of `playstate` for a prompt.
    event: NotRequired[Union[str, None]]


# A voice event of EnableX.
VoiceEvent = Union["CallEvent", "PlayEvent", "OtherEvent"]


# What a party pressed or said.
class Answer(TypedDict):
    # When.
    at: str
    # The keys.
    digits: NotRequired[str]
    # The words.
    text: NotRequired[str]


# Who began a call.
Direction = Union[Literal["inbound"], Literal["outbound"]]


# What an event says about the call. The earliest one counts: after a transfer, `to` is somebody else.
class FactOfInt64(TypedDict):
    at: str
    event_id: str
    value: int


# What an event says about the call. The earliest one counts: after a transfer, `to` is somebody else.
class FactOfString(TypedDict):
    at: str
    event_id: str
    value: str


# What an event says about the call. The earliest one counts: after a transfer, `to` is somebody else.
class FactOfUint64(TypedDict):
    at: str
    event_id: str
    value: int


# What the events say about the call.
Facts = TypedDict("Facts", {
    "broadcast_id": NotRequired["FactOfString"],
    "disconnect_cause_code": NotRequired["FactOfInt64"],
    "disconnect_reason": NotRequired["FactOfString"],
    "duration_ms": NotRequired["FactOfUint64"],
    "from": NotRequired["FactOfString"],
    "owner_ref": NotRequired["FactOfString"],
    "to": NotRequired["FactOfString"],
})


# An event of a prompt, a key or speech.
class Interaction(TypedDict):
    at: str
    digits: NotRequired[str]
    event_id: str
    play_id: NotRequired[str]
    prompt_ref: NotRequired[str]
    text: NotRequired[str]
    type: str


# An event that must have happened, by what else is known, but has not arrived.
Missing = Union[Literal["start"], Literal["connected"], Literal["bridged"]]


# One playing of a prompt. A menu that is played again is another one.
class Prompt(TypedDict):
    # What the caller pressed or said.
    answers: list["Answer"]
    # When it had been played to its end.
    finished_at: NotRequired[str]
    # EnableX's id of the playing.
    play_id: NotRequired[str]
    # The name that your application gave to the prompt.
    prompt_ref: NotRequired[str]
    # When it began, if that event has arrived.
    started_at: NotRequired[str]
    # When the caller had pressed nothing in time.
    timed_out_at: NotRequired[str]


# A recording of the call.
class Recording(TypedDict):
    # When it was first announced.
    at: str
    # Where it is.
    url: str


# Everything that the rest is derived from. Each part is merged on its own.
class Seen(TypedDict):
    # Whether a text was cut, or a link left out, because it was too long.
    cut: bool
    # What the call's first event that has it says.
    facts: "Facts"
    # Events of prompts, keys and speech, by time.
    interactions: list["Interaction"]
    # Up to which time interactions were dropped.
    interactions_dropped_until: NotRequired[str]
    # The latest time of any event.
    last_at: NotRequired[str]
    # Recordings, by time.
    recordings: list["SeenRecording"]
    # Up to which time recordings were dropped.
    recordings_dropped_until: NotRequired[str]
    # Each state that was reported, by its name.
    states: dict[str, "Span"]


# An event that announced a recording.
class SeenRecording(TypedDict):
    at: str
    event_id: str
    url: str


# The first and the last event that reported a state.
class Span(TypedDict):
    first: "Stamp"
    last: "Stamp"


# Which event reported something, and when it happened.
class Stamp(TypedDict):
    at: str
    event_id: str


# What is known about a call, whatever order its events arrived in.
Call = TypedDict("Call", {
    # The id of the broadcast that the call is part of.
    "broadcast_id": NotRequired[str],
    # Who began the call.
    "direction": NotRequired["Direction"],
    # The same as a number: the cause of ITU-T Q.850.
    "disconnect_cause_code": NotRequired[int],
    # Why the call is over.
    "disconnect_reason": NotRequired[str],
    # How long the call was, in milliseconds.
    "duration_ms": NotRequired[int],
    # The number that calls.
    "from": NotRequired[str],
    # What was pressed or said outside of prompts.
    "inputs": list["Answer"],
    # Events that must have happened but have not arrived.
    "missing": list["Missing"],
    # What your application gave to the call as its reference.
    "owner_ref": NotRequired[str],
    # The prompts that were played, with what was answered.
    "prompts": list["Prompt"],
    # The recordings.
    "recordings": list["Recording"],
    # What all of this is derived from, and what is merged.
    "seen": "Seen",
    # Since when: RFC 3339, UTC, milliseconds, like all times here.
    "since": NotRequired[str],
    # The state that the call is in.
    "state": NotRequired["CallState"],
    # The number that was called first.
    "to": NotRequired[str],
    # Whether something was cut or dropped to keep the call small.
    "truncated": bool,
    # The call's id.
    "voice_id": str,
})
