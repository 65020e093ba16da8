"""The vectors that the engine's own side wrote: both sides read the same bytes alike."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mynah.worker._wire import (
    AUDIO,
    CONTROL,
    TEXT,
    AudioPart,
    Control,
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

VECTORS = Path(__file__).resolve().parents[4] / "tests/vectors/worker"
NAMES = sorted(path.stem for path in VECTORS.glob("*.hex"))

pytestmark = pytest.mark.skipif(not NAMES, reason=f"NOT TESTED: vectors, as {VECTORS} has none")


@pytest.mark.parametrize("name", NAMES or ["none"])
def test_bytes_mean_what_the_vector_says(name: str) -> None:
    data = bytes.fromhex((VECTORS / f"{name}.hex").read_text())
    means = json.loads((VECTORS / f"{name}.json").read_text())
    if means["kind"] == "rejected":
        with pytest.raises(WireError):
            frame = decode(data)
            {CONTROL: lambda: control_of(frame), AUDIO: lambda: audio_part(frame.payload)}.get(
                frame.kind, lambda: text_part(frame.payload)
            )()
        return
    frame = decode(data)
    assert (frame.session, frame.timestamp_us) == (means["session"], means["timestamp_us"])
    if means["kind"] == "control":
        found = control_of(frame)
        assert found == Control(
            means["message_id"], means["session"], means["timestamp_us"], means["type"], means["fields"]
        )
        assert control_of(decode(encode_control(found))) == found
    elif means["kind"] == "audio":
        part = audio_part(frame.payload)
        names = ("call", "part", "rate_hz", "channels", "format", "flags")
        assert part == AudioPart(*(means[key] for key in names), bytes.fromhex(means["samples"]))
        assert encode(AUDIO, frame.session, frame.timestamp_us, audio_payload(part)) == data
    else:
        text = text_part(frame.payload)
        assert text == (means["call"], means["part"], means["flags"], means["text"])
        payload = text_payload(text.call, text.part, text.flags, text.text.encode())
        assert encode(TEXT, frame.session, frame.timestamp_us, payload) == data
