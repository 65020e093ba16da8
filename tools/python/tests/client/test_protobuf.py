"""The vectors of control messages in Protocol Buffers, read and written by Google's library."""

from __future__ import annotations

import base64
import importlib
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

protoc = pytest.importorskip("grpc_tools.protoc", reason="needs grpcio-tools")

TOP = Path(__file__).resolve().parents[4]
DEFINITION = TOP / "tools/serve/transports/grpc/proto"
VECTORS = TOP / "tests/vectors/protobuf"

ARMS = {
    "CancelSpeculation": "cancel",
    "BatchHint": "batch_hint",
    "DeadlineWarning": "deadline",
    "ConfirmSpeculation": "confirm",
    "EndOfSpeech": "end_of_speech",
    "RetractEndOfSpeech": "retract",
    "Ack": "ack",
    "CancelAnswer": "cancel_answer",
    "Say": "say",
    "Interrupt": "interrupt",
    "Gate": "gate",
    "EndTurn": "end_turn",
    "Discard": "discard",
    "Respond": "respond",
    "Heard": "heard",
    "SendText": "send_text",
    "Set": "set",
    "ToolResult": "tool_result",
    "Transcript": "transcript",
    "Line": "line",
    "AnswerStarted": "answer_started",
    "AnswerPaused": "answer_paused",
    "AnswerResumed": "answer_resumed",
    "AnswerInterrupted": "answer_interrupted",
    "AnswerEnded": "answer_ended",
    "ToolCall": "tool_call",
    "ServiceFailed": "service_failed",
    "Closed": "closed",
    "ReplyRequested": "reply_requested",
    "ReplyCancelled": "reply_cancelled",
    "LineDropped": "line_dropped",
    "ReplyTo": "reply_to",
}
"""Types of messages by their arm."""
NUMBERS = {
    **{"cancel": 1, "batch_hint": 2, "deadline": 3, "confirm": 4, "end_of_speech": 5, "retract": 6, "ack": 7},
    **{"cancel_answer": 8, "say": 9, "interrupt": 10, "gate": 11, "end_turn": 12, "discard": 13},
    **{"respond": 14, "heard": 15, "send_text": 16, "set": 17, "tool_result": 18, "judge": 19},
    **{"transcript": 30, "line": 31, "answer_started": 32, "answer_paused": 33, "answer_resumed": 34},
    **{"answer_interrupted": 35, "answer_ended": 36, "tool_call": 37, "service_failed": 38, "closed": 39},
    **{"reply_requested": 40, "reply_cancelled": 41, "line_dropped": 42, "reply_to": 43},
}
"""Arms as the contract numbers them."""
MODES = {"Soft": 1, "Now": 2, "Auto": 1, "Open": 2, "Shut": 3}
STAGES = {"Delivered": 1, "Applied": 2}
ENCODINGS = {"s16": 0, "f32": 1}


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The messages, as the definition has them now."""
    out = tmp_path_factory.mktemp("voice")
    made = protoc.main(["protoc", f"-I{DEFINITION}", f"--python_out={out}", "mynah/v1/voice.proto"])
    assert made == 0, "the definition is not well-formed"
    # Beside the package of the same name, not inside it.
    (out / "voice_pb2.py").write_text((out / "mynah/v1/voice_pb2.py").read_text("utf-8"), "utf-8")
    sys.path.insert(0, str(out))
    try:
        return importlib.import_module("voice_pb2")
    finally:
        sys.path.remove(str(out))


def compact(value: Any) -> str:
    """JSON as the engine writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def to_part(voice: ModuleType, message: dict[str, Any]) -> Any:
    """A message in JSON as a part of a server's stream."""
    [(kind, body)] = message["message_type"].items()
    body = dict(body)
    if "mode" in body:
        body["mode"] = MODES[body["mode"]]
    if "stage" in body:
        body["stage"] = STAGES[body["stage"]]
    if "params" in body:
        body["params_json"] = compact(body.pop("params"))
    if "clip" in body:
        clip = body["clip"]
        samples, encoding = base64.b64decode(clip["samples"]), ENCODINGS[clip["encoding"]]
        body["clip"] = voice.Clip(**{**clip, "samples": samples, "encoding": encoding})
    arm = ARMS[kind]
    what = getattr(voice, kind)(**body)
    part = voice.ServerPart(control=voice.Control(**{arm: what}))
    part.session_id, part.timestamp = message["session_id"], message["timestamp"]
    part.message_id = message["message_id"]
    for name in ("target_segment_id", "revision", "turn"):
        if message[name] is not None:
            setattr(part, name, message[name])
    if message["metadata"]:
        part.metadata_json = compact(message["metadata"])
    return part


def names() -> list[str]:
    """The vectors."""
    return sorted(path.stem for path in VECTORS.glob("*.hex"))


def test_every_message_of_the_contract_has_a_vector(vectors: dict[str, Any]) -> None:
    messages = {name for name, value in vectors.items() if "message_type" in value}
    assert set(names()) == messages
    kinds = {kind for name in messages for kind in vectors[name]["message_type"]}
    assert kinds == set(ARMS)


@pytest.mark.parametrize("name", names())
def test_a_vector_reads_and_writes_byte_for_byte(
    name: str, voice: ModuleType, vectors: dict[str, Any]
) -> None:
    data = bytes.fromhex((VECTORS / f"{name}.hex").read_text("ascii"))
    part = to_part(voice, vectors[name])
    assert part.SerializeToString(deterministic=True) == data
    assert voice.ServerPart.FromString(data) == part
    # Both directions have the same numbers.
    assert voice.ClientPart.FromString(data).control == part.control


def test_numbers_are_those_of_the_contract(voice: ModuleType) -> None:
    fields = voice.Control.DESCRIPTOR.oneofs_by_name["what"].fields
    assert {field.name: field.number for field in fields} == NUMBERS
    beside = {"session_id": 10, "timestamp": 11, "target_segment_id": 12, "metadata_json": 13}
    beside |= {"message_id": 14, "revision": 15, "turn": 16}
    for part in (voice.ClientPart, voice.ServerPart):
        numbers = {field.name: field.number for field in part.DESCRIPTOR.fields}
        assert beside.items() <= numbers.items()
        assert (numbers["audio"], numbers["control"]) == (1, 5)
    assert voice.ServerPart.DESCRIPTOR.fields_by_name["text"].number == 3


def test_what_a_newer_sender_says_is_no_error(voice: ModuleType) -> None:
    # Arm 60, empty: nobody's yet.
    unknown = voice.Control.FromString(bytes.fromhex("e20300"))
    assert unknown.WhichOneof("what") is None
