"""The vectors that the engine's own side wrote: both sides read the same bytes alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mynah.worker._call import Call
from mynah.worker._intake import call_of, number
from mynah.worker._wire import (
    AUDIO,
    CONTROL,
    F32,
    TEXT,
    WireError,
    audio_part,
    audio_payload,
    control_of,
    decode,
    encode,
    encode_control,
    text_part,
    text_payload,
)

FILE = Path(__file__).resolve().parents[4] / "tests/vectors/worker/messages.json"
VECTORS: list[dict[str, Any]] = json.loads(FILE.read_text())["messages"] if FILE.is_file() else []
KNOWN = {
    "Call",
    "Cancel",
    "ToolResult",
    "Heartbeat",
    "Close",
    "Goodbye",
    "Welcome",
    "Refused",
    "Hello",
    "Ack",
    "Done",
}
KNOWN |= {"Failed", "Partial", "ToolCall", "AwaitHost"}

pytestmark = pytest.mark.skipif(not VECTORS, reason=f"NOT TESTED: vectors, as there is no {FILE}")


def understood(data: bytes) -> dict[str, Any]:
    """What bytes mean, as vectors say it. The message that comes back is encoded again: the bytes are the same."""
    frame = decode(data)
    head = {"session": frame.session, "timestamp_us": frame.timestamp_us}
    if frame.kind == CONTROL:
        control = control_of(frame)
        if control.type not in KNOWN:
            return {**head, "type": "control", "unknown": control.type}
        if control.type in ("Call", "Cancel"):
            number(control.fields, "call")
        assert control_of(decode(encode_control(control))) == control
        said = {"message_id": control.message_id, "message_type": {control.type: control.fields}}
        return {**head, "type": "control", **said}
    if frame.kind == AUDIO:
        part = audio_part(frame.payload)
        assert encode(AUDIO, frame.session, frame.timestamp_us, audio_payload(part)) == data
        samples = Call(id=0, session="", task="", text="", _audio=[part]).audio.ravel()
        names = {name: getattr(part, name) for name in ("call", "part", "rate_hz", "channels")}
        return {**head, **names, "type": "audio", "last": bool(part.flags & 1), "samples": samples.tolist()}
    text = text_part(frame.payload)
    assert (
        encode(TEXT, frame.session, frame.timestamp_us, text_payload(*text[:3], text.text.encode())) == data
    )
    names = {"call": text.call, "part": text.part, "text": text.text, "last": bool(text.flags & 1)}
    return {**head, **names, "type": "text"}


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_bytes_mean_what_the_vector_says(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["hex"])
    if vector["meaning"].get("error"):
        with pytest.raises(WireError):
            understood(data)
    else:
        assert understood(data) == vector["meaning"]


def test_a_call_is_what_the_vector_says() -> None:
    data = next(bytes.fromhex(vector["hex"]) for vector in VECTORS if vector["name"] == "call")
    call, parts = call_of(control_of(decode(data)), None, None)
    assert (call.id, call.task, call.text, parts, call.session) == (12, "Synthesize", "Grüß Gott.", 0, "s1")
    assert call.speaks == (24_000,) and call.reduced and call.deadline_us == 250_000 and call.attempt == 1
    assert [message["role"] for message in call.messages()] == ["user", "assistant", "tool", "user"]
    assert call.audio.dtype == np.float32 and F32 == 1
