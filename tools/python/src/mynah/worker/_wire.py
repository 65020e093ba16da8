"""The messages between engine and workers, as bytes. Does no input or output, and never trusts a length.

    u8 type | u16 LE session length | session id, UTF-8 | u64 LE timestamp us | u32 LE payload length | payload

Where header and payload disagree, the header wins.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Any, NamedTuple

AUDIO, TEXT, CONTROL = 1, 3, 5
"""Types of messages."""
F32, S16 = 1, 2
"""Formats of samples."""
LAST = 1
"""Flag: the last data message of the call in this direction."""
SESSION_BYTES_MAX = 128
PAYLOAD_BYTES_MAX = 64 * 1024
"""Most bytes of a payload."""
RATES_HZ, CHANNELS = range(1_000, 384_001), range(1, 9)
"""Audio that is read."""

_FRONT = struct.Struct("<BH")
_BACK = struct.Struct("<QI")
_AUDIO = struct.Struct("<QIIHBB")
_TEXT = struct.Struct("<QIB")
_BYTES = {F32: 4, S16: 2}


class WireError(ValueError):
    """Bytes that are no message. The text says where and why."""


class Frame(NamedTuple):
    """A message as its header has it."""

    kind: int
    session: str
    timestamp_us: int
    payload: bytes


class AudioPart(NamedTuple):
    """Audio of a call: `samples` interleaved, little-endian, whole frames."""

    call: int
    part: int
    rate_hz: int
    channels: int
    format: int
    flags: int
    samples: bytes


class TextPart(NamedTuple):
    """Text of a call."""

    call: int
    part: int
    flags: int
    text: str


@dataclass(frozen=True)
class Control:
    """A control message: its type and that type's fields."""

    message_id: int
    session: str
    timestamp_us: int
    type: str
    fields: dict[str, Any]


def encode(kind: int, session: str, timestamp_us: int, payload: bytes) -> bytes:
    """A message as bytes. `WireError`: session id or payload are too long."""
    name = session.encode("utf-8")
    if len(name) > SESSION_BYTES_MAX:
        raise WireError(f"the session id has {len(name)} bytes; expected at most {SESSION_BYTES_MAX}")
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise WireError(f"the payload has {len(payload)} bytes; expected at most {PAYLOAD_BYTES_MAX}")
    return b"".join((_FRONT.pack(kind, len(name)), name, _BACK.pack(timestamp_us, len(payload)), payload))


def decode(data: bytes) -> Frame:
    """The message in `data`, all of it.

    `WireError`: an unknown type byte, a length beyond the limit or not that of the data, a session id that is no UTF-8.
    """
    if len(data) < _FRONT.size:
        raise WireError(f"the header ends after {len(data)} bytes")
    kind, length = _FRONT.unpack_from(data)
    if kind not in (AUDIO, TEXT, CONTROL):
        raise WireError(f"the type byte is {kind}; expected {AUDIO}, {TEXT} or {CONTROL}")
    if length > SESSION_BYTES_MAX:
        raise WireError(f"the session id has {length} bytes; expected at most {SESSION_BYTES_MAX}")
    at = _FRONT.size + length
    if len(data) < at + _BACK.size:
        raise WireError(f"the header ends after {len(data)} bytes of {at + _BACK.size}")
    try:
        session = data[_FRONT.size : at].decode("utf-8")
    except UnicodeDecodeError as error:
        raise WireError(f"the session id is no UTF-8 from byte {error.start} on") from None
    timestamp_us, size = _BACK.unpack_from(data, at)
    if size > PAYLOAD_BYTES_MAX:
        raise WireError(f"the payload has {size} bytes; expected at most {PAYLOAD_BYTES_MAX}")
    at += _BACK.size
    if len(data) < at + size:
        raise WireError(f"the payload ends after {len(data) - at} bytes of {size}")
    if len(data) > at + size:
        raise WireError(f"{len(data) - at - size} bytes follow the payload")
    return Frame(kind, session, timestamp_us, bytes(data[at:]))


def audio_payload(part: AudioPart) -> bytes:
    """The payload of an audio message."""
    return _AUDIO.pack(*part[:6]) + part.samples


def audio_part(payload: bytes) -> AudioPart:
    """The audio of a payload. `WireError`: it is too short, or its samples are no whole frames of a known format."""
    if len(payload) < _AUDIO.size:
        raise WireError(f"the audio ends after {len(payload)} bytes of {_AUDIO.size}")
    call, part, rate_hz, channels, form, flags = _AUDIO.unpack_from(payload)
    samples = payload[_AUDIO.size :]
    if form not in _BYTES:
        raise WireError(f"the format of the samples is {form}; expected {F32} (f32) or {S16} (s16)")
    if rate_hz not in RATES_HZ or channels not in CHANNELS:
        raise WireError(f"audio of {rate_hz} Hz in {channels} channels; expected 1000 to 384000, and 1 to 8")
    if len(samples) % (_BYTES[form] * channels):
        raise WireError(f"{len(samples)} bytes are no whole frames of {channels} channels")
    return AudioPart(call, part, rate_hz, channels, form, flags, samples)


def text_payload(call: int, part: int, flags: int, text: bytes) -> bytes:
    """The payload of a text message."""
    return _TEXT.pack(call, part, flags) + text


def text_part(payload: bytes) -> TextPart:
    """The text of a payload. `WireError`: it is too short, or no UTF-8."""
    if len(payload) < _TEXT.size:
        raise WireError(f"the text ends after {len(payload)} bytes of {_TEXT.size}")
    call, part, flags = _TEXT.unpack_from(payload)
    try:
        return TextPart(call, part, flags, payload[_TEXT.size :].decode("utf-8"))
    except UnicodeDecodeError as error:
        raise WireError(f"the text is no UTF-8 from byte {error.start} on") from None


def encode_control(control: Control) -> bytes:
    """A control message as bytes. `WireError`: it is too long."""
    message = {
        "message_id": control.message_id,
        "session_id": control.session,
        "timestamp": control.timestamp_us,
        "target_segment_id": None,
        "revision": None,
        "turn": None,
        "metadata": {},
        "message_type": {control.type: control.fields},
    }
    text = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return encode(CONTROL, control.session, control.timestamp_us, text)


def control_of(frame: Frame) -> Control:
    """The control message of a frame. `WireError`: bad JSON, a missing or mistyped field."""
    try:
        message = json.loads(frame.payload)
    except (ValueError, RecursionError) as error:
        raise WireError(f"the payload is no JSON: {error}") from None
    if not isinstance(message, dict):
        raise WireError("the payload is no JSON object")
    message_id, tagged = message.get("message_id"), message.get("message_type")
    if type(message_id) is not int or not 0 <= message_id < 2**53:
        raise WireError(f"message_id is {message_id!r:.40}; expected an integer from 0 to 2^53-1")
    if isinstance(tagged, str):
        tagged = {tagged: {}}
    if not isinstance(tagged, dict) or len(tagged) != 1:
        raise WireError("message_type is no object with one key")
    ((name, fields),) = tagged.items()
    if not isinstance(fields, dict):
        raise WireError(f"{name[:40]} has no object of fields")
    return Control(message_id, frame.session, frame.timestamp_us, name, fields)
