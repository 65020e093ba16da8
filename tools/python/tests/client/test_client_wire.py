"""The client reads what the contract says an engine sends, refuses what it refuses, and no message does harm."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from mynah.client import (
    CancelSpeculation,
    EndOfSpeech,
    Line,
    PartialTranscript,
    Probability,
    SpeechStarted,
    Spoken,
    Stage,
    Timed,
    Transcript,
    Turn,
)
from mynah.client import _wire as wire


def verdict(text: str) -> tuple[str, Any]:
    """What is made of a message: "processed", "ignored" or "rejected"."""
    try:
        found = wire.control(wire.read(text))
    except wire.WireError as error:
        return "rejected", error
    return ("ignored", None) if found is None else ("processed", found)


def test_every_verdict_of_the_contract_is_this_clients_too(vectors: dict[str, Any]) -> None:
    looked_at, wrong = 0, []
    for row in vectors["verdicts"]:
        if "json" not in row:
            continue
        found, why = verdict(row["json"])
        # Who is only told does not look at what a host says.
        if found == "ignored" and "message_type" in row["json"] and row["verdict"] != "ignored":
            tagged = json.loads(row["json"])["message_type"]
            kind = tagged if isinstance(tagged, str) else next(iter(tagged))
            assert kind not in wire.MESSAGES, row["name"]
            continue
        looked_at += 1
        if found != row["verdict"]:
            wrong.append((row["name"], row["verdict"], found, why))
    assert not wrong
    assert looked_at > 80


def test_every_message_of_an_engine_is_read(vectors: dict[str, Any]) -> None:
    read = set()
    for name, message in vectors.items():
        if not isinstance(message, dict):
            continue
        ((kind, _),) = message["message_type"].items()
        found, told = verdict(json.dumps(message))
        if kind not in wire.MESSAGES:
            assert found == ("processed" if kind == "Ack" else "ignored"), name
            continue
        read.add(kind)
        about = (told.id, told.timestamp_us, told.segment, told.revision, told.turn, told.metadata)
        keys = ("message_id", "timestamp", "target_segment_id", "revision", "turn", "metadata")
        assert about == tuple(message[key] for key in keys), name
    assert read == set(wire.MESSAGES)


def test_fields_are_where_they_belong(vectors: dict[str, Any]) -> None:
    def told(name: str) -> Any:
        return verdict(json.dumps(vectors[name]))[1]

    match told("transcript_last"):
        case Transcript(text, last=True, revision=2, turn=3):
            assert text == "two coffees, please"
        case other:
            pytest.fail(repr(other))
    match told("line_of_unknown_length"):
        case Line(_, 250_000, None):
            pass
        case other:
            pytest.fail(repr(other))
    match told("cancel_speculation_late"):
        case CancelSpeculation(0, 1, True):
            pass
        case other:
            pytest.fail(repr(other))
    assert [told(name).final for name in ("end_of_speech", "end_of_speech_final")] == [False, True]
    assert told("end_of_speech") == EndOfSpeech(
        2_400_000,
        False,
        id=4,
        timestamp_us=1_700_000_000_000_000,
        segment="bdcc9b9e-6448-52a1-840d-f205b17fd296",
        revision=1,
        turn=3,
    )


def test_notes_are_read() -> None:
    def note(**fields: Any) -> Any:
        return wire.NOTES[fields["type"]](wire.read(json.dumps(fields)))

    assert note(type="speech_started", segment="s", from_us=7) == SpeechStarted("s", 7)
    assert note(type="probability", at_us=9, p=1) == Probability(9, 1.0)
    assert note(type="probability", at_us=9, p=0.5, more=[[5, 0.25], [7, 0]]).more == ((5, 0.25), (7, 0))
    assert note(type="partial_transcript", segment="s", text="two cof") == PartialTranscript("s", "two cof")
    times = [{"word": "two", "from_us": 1, "until_us": 2}, {"phone": "t", "from_us": 1, "until_us": 2}]
    timed = (Timed(1, 2, word="two"), Timed(1, 2, phone="t"))
    assert note(type="spoken", turn=2, from_us=0, times=times) == Spoken(2, 0, timed)
    stages = [{"stage": "asr", "ms": 12.5}]
    assert note(type="turn", turn=2, response_ms=310, stages=stages) == Turn(2, 310, (Stage("asr", 12.5),))
    for broken in (
        {"type": "probability", "at_us": 9, "p": "high"},
        {"type": "probability", "at_us": 9, "p": True},
        {"type": "probability", "at_us": 9, "p": 1, "more": [[1, 2, 3]]},
        {"type": "probability", "at_us": 9, "p": 1, "more": {"at_us": 1}},
        {"type": "spoken", "turn": -1, "from_us": 0, "times": []},
        {"type": "spoken", "turn": 1, "from_us": 0, "times": ["two"]},
        {"type": "turn", "turn": 2, "response_ms": 1, "stages": [{"stage": 1, "ms": 1}]},
        {"type": "audio", "segment": 7},
        {"type": "text", "text": None},
    ):
        with pytest.raises(wire.WireError):
            note(**broken)


def test_no_text_does_harm(vectors: dict[str, Any]) -> None:
    seed = 7
    dice = random.Random(seed)
    texts = [json.dumps(message) for message in vectors.values()]
    texts += ["[" * 100_000, "{", "", "null", '{"message_type":{}}', '{"type":[]}', "\ud800", "NaN", "1e999"]
    for _ in range(5_000):
        text = list(dice.choice(texts))
        for _ in range(dice.randint(1, 4)):
            at = dice.randrange(len(text) + 1)
            text[at : at + dice.randint(0, 3)] = dice.choice(
                ["", '"', "{", "}", "-1", "null", "9" * 30, "\\u0000"]
            )
        try:
            fields = wire.read("".join(text))
        except wire.WireError:
            continue
        reader = wire.NOTES.get(str(fields.get("type")), wire.control)
        try:
            reader(fields)
        except wire.WireError:
            continue


def test_a_message_that_no_server_takes_is_not_written() -> None:
    with pytest.raises(ValueError, match="a server takes 65536"):
        wire.write({"text": "ü" * 40_000})
    with pytest.raises(ValueError):
        wire.write({"text": "\ud800"})
