"""Messages as bytes: they come back as they went, and no bytes do harm."""

from __future__ import annotations

import random

import pytest

from mynah.worker._intake import Ids, Intake, call_of
from mynah.worker._wire import (
    AUDIO,
    CONTROL,
    F32,
    S16,
    TEXT,
    AudioPart,
    Control,
    TextPart,
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


def test_the_example_of_the_contract() -> None:
    data = encode_control(Control(1, "sess_abc123", 1_700_000_000_000_000, "Heartbeat", {}))
    assert data[:22] == bytes.fromhex("050b00736573735f616263313233 00401e18240a0600")


@pytest.mark.parametrize(
    "control",
    [
        Control(1, "", 0, "Heartbeat", {"busy": 0}),
        Control(
            2**53 - 1,
            "s" * 128,
            2**64 - 1,
            "Call",
            {"text": "für \u0000 \U0001f426", "history": [{"entry": "said"}]},
        ),
    ],
)
def test_control_comes_back(control: Control) -> None:
    assert control_of(decode(encode_control(control))) == control


def test_audio_and_text_come_back() -> None:
    for part in (
        AudioPart(7, 3, 16_000, 1, F32, 1, b"\0\0\x80?"),
        AudioPart(2**64 - 1, 0, 48_000, 2, S16, 0, b"\1\0\2\0"),
    ):
        frame = decode(encode(AUDIO, "s", 5, audio_payload(part)))
        assert (frame.kind, frame.session, frame.timestamp_us) == (AUDIO, "s", 5)
        assert audio_part(frame.payload) == part
    frame = decode(encode(TEXT, "s", 0, text_payload(7, 2, 0, "grün".encode())))
    assert text_part(frame.payload) == TextPart(7, 2, 0, "grün")


def test_the_header_wins() -> None:
    inner = encode_control(Control(1, "inner", 1, "Heartbeat", {}))
    data = encode(CONTROL, "outer", 2, decode(inner).payload)
    found = control_of(decode(data))
    assert (found.session, found.timestamp_us) == ("outer", 2)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "the header ends"),
        (b"\x02\0\0" + bytes(12), "type byte is 2"),
        (b"\x05\x81\0" + bytes(200), "session id has 129 bytes"),
        (b"\x05\x01\0\xff" + bytes(12), "no UTF-8"),
        (b"\x05\0\0" + bytes(8) + b"\x01\0\x01\0", "payload has 65537 bytes"),
        (b"\x05\0\0" + bytes(8) + b"\x05\0\0\0abc", "payload ends after 3 bytes of 5"),
        (b"\x05\0\0" + bytes(8) + b"\x02\0\0\0abc", "1 bytes follow the payload"),
    ],
)
def test_broken_frames_are_told(data: bytes, says: str) -> None:
    with pytest.raises(WireError, match=says):
        decode(data)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"[]",
        b'{"message_id":-1}',
        b'{"message_id":true}',
        b'{"message_id":1,"message_type":{"A":{},"B":{}}}',
        b"[" * 60_000,
    ],
)
def test_broken_control_is_told(payload: bytes) -> None:
    with pytest.raises(WireError):
        control_of(decode(encode(CONTROL, "s", 0, payload)))


def test_broken_parts_are_told() -> None:
    good = AudioPart(1, 0, 16_000, 2, F32, 0, bytes(8))
    for wrong in ({"format": 3}, {"rate_hz": 0}, {"channels": 0}, {"samples": bytes(7)}):
        with pytest.raises(WireError):
            audio_part(audio_payload(good._replace(**wrong)))
    for payload in (b"", bytes(12), text_payload(1, 0, 0, b"\xff")):
        with pytest.raises(WireError):
            text_part(payload)


def test_noise_does_no_harm() -> None:
    chance = random.Random(7)
    whole = [
        encode_control(
            Control(9, "s1", 3, "Call", {"call": 1, "text": "x", "params": {"a": [1]}, "parts": 2})
        ),
        encode(AUDIO, "s1", 0, audio_payload(AudioPart(1, 0, 16_000, 1, S16, 0, bytes(64)))),
        encode(TEXT, "s1", 0, text_payload(1, 0, 0, b"hello")),
    ]
    for _ in range(20_000):
        data = bytearray(chance.choice(whole))
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        data = data[: chance.randint(0, len(data))] if chance.random() < 0.3 else data
        try:
            frame = decode(bytes(data))
            if frame.kind == CONTROL:
                call_of(control_of(frame), None, None)
            else:
                (audio_part if frame.kind == AUDIO else text_part)(frame.payload)
        except WireError:
            continue


def test_an_id_counts_once() -> None:
    ids = Ids()
    assert [ids.verdict(number) for number in (5, 6, 5, 3, 3)] == ["new", "new", "again", "new", "again"]
    for number in range(7, 2_000):
        assert ids.verdict(number) == "new"
    assert ids.verdict(5) == "old" and ids.verdict(1_600) == "again"


def test_audio_without_a_gap_makes_a_call() -> None:
    def asked(call: int) -> Control:
        return Control(call, "s", 0, "Call", {"call": call, "parts": 2})

    intake = Intake(None, None)
    assert intake.call(asked(1)) is None and intake.expects(1)
    part = AudioPart(1, 0, 16_000, 1, S16, 0, b"\0\x40")
    assert intake.audio(part) is None
    assert intake.audio(part) is None, "a part that came before"
    call = intake.audio(part._replace(part=1))
    assert call is not None and call.audio.tolist() == [0.5, 0.5] and not intake.expects(1)
    assert intake.audio(part) is None, "audio of no call"
    intake.call(asked(2))
    with pytest.raises(WireError, match="part 0 of the audio is missing"):
        intake.audio(part._replace(call=2, part=1))
