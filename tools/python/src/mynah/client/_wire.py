"""Reads and writes the JSON of a connection."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from mynah.client import _messages as m
from mynah.client import _notes as n

MESSAGE_BYTES_MAX = 65_536
"""Longest message of a client, in UTF-8."""
ID_MAX = 2**53 - 1
"""Greatest id of a message."""
_U32_MAX, _U64_MAX = 2**32 - 1, 2**64 - 1
_NAME_BYTES_MAX = 128
_DEPTH_MAX = 128
"""How deep JSON may be: the engine's own limit."""


class WireError(ValueError):
    """What came is no message."""


class Ack(NamedTuple):
    """Receipt of a message of this end's."""

    message_id: int
    applied: bool


class AudioTag(NamedTuple):
    """Whose audio the binary messages behind it are."""

    segment: str | None
    revision: int
    turn: int | None
    pts_us: int


Fields = Mapping[str, Any]
_REQUIRED = object()


class _Field(NamedTuple):
    """A field of a message: its key on the wire, what it must be, and what it is where it is left out."""

    key: str
    kind: type
    default: Any = _REQUIRED
    low: int = 0
    high: int = _U64_MAX


def _field(fields: Fields, field: _Field) -> Any:
    value: Any = fields.get(field.key)
    if value is None:
        if field.default is _REQUIRED:
            raise WireError(f"{field.key}: missing")
        return field.default
    # A bool is an int, and no number of anything.
    if not isinstance(value, field.kind) or (field.kind is int and isinstance(value, bool)):
        raise WireError(f"{field.key}: {value!r}, expected {field.kind.__name__}")
    number: Any = value
    if field.kind is int and not field.low <= number <= field.high:
        raise WireError(f"{field.key}: {number}, expected {field.low} to {field.high}")
    return number


_TEXT = _Field("text", str)
_REASON = _Field("reason", str)
_HEARD = _Field("heard_us", int)
_STRETCH = {"from_us": _Field("from_timestamp", int), "to_us": _Field("to_timestamp", int)}
_AT = {"at_us": _Field("at_timestamp", int)}
_REQUEST = _Field("request", int, high=ID_MAX)
_LINE = _Field("line", int, high=ID_MAX)

MESSAGES: dict[str, tuple[type[m.Message], dict[str, _Field]]] = {
    "CancelSpeculation": (m.CancelSpeculation, {**_STRETCH, "late": _Field("late", bool, False)}),
    "ConfirmSpeculation": (m.ConfirmSpeculation, _STRETCH),
    "EndOfSpeech": (m.EndOfSpeech, {**_AT, "final": _Field("final", bool)}),
    "RetractEndOfSpeech": (m.RetractEndOfSpeech, _AT),
    "CancelAnswer": (m.CancelAnswer, {}),
    "BatchHint": (
        m.BatchHint,
        {"suggested_batch_size": _Field("suggested_batch_size", int, low=1, high=_U32_MAX)},
    ),
    "DeadlineWarning": (m.DeadlineWarning, {"deadline_us": _Field("deadline_us", int, low=1)}),
    "Transcript": (m.Transcript, {"text": _TEXT, "last": _Field("last", bool)}),
    "Line": (
        m.Line,
        {"text": _TEXT, "from_us": _Field("from_us", int), "until_us": _Field("until_us", int, None)},
    ),
    "AnswerStarted": (m.AnswerStarted, {"line": _LINE._replace(default=0)}),
    "AnswerPaused": (m.AnswerPaused, {}),
    "AnswerResumed": (m.AnswerResumed, {}),
    "AnswerInterrupted": (m.AnswerInterrupted, {"heard_us": _HEARD}),
    "AnswerEnded": (m.AnswerEnded, {"heard_us": _HEARD}),
    "LineDropped": (m.LineDropped, {"line": _LINE, "reason": _REASON}),
    "ToolCall": (
        m.ToolCall,
        {
            "call_id": _Field("call_id", str),
            "name": _Field("name", str),
            "arguments": _Field("arguments", str),
        },
    ),
    "ReplyRequested": (m.ReplyRequested, {"request": _REQUEST, "text": _TEXT}),
    "ReplyCancelled": (m.ReplyCancelled, {"request": _REQUEST}),
    "ServiceFailed": (m.ServiceFailed, {"service": _Field("service", str), "reason": _REASON}),
    "Closed": (m.SessionClosed, {"reason": _REASON}),
}
"""By their names on the wire."""

ACKNOWLEDGED = (
    m.Correction,
    m.ConfirmSpeculation,
    m.EndOfSpeech,
    m.BatchHint,
    m.DeadlineWarning,
)
"""What is no event: its sender waits for the receipt."""


def control(fields: Fields) -> m.Message | Ack | None:
    """The control message in an object; `None`: of a type that this version does not know.

    `WireError`: it is none.
    """
    # What every message has, whatever it is.
    message_id = _field(fields, _Field("message_id", int, high=ID_MAX))
    _check_name(_field(fields, _Field("session_id", str)))
    timestamp_us = _field(fields, _Field("timestamp", int))
    name, body = _tagged(fields.get("message_type"))
    if name == "Ack":
        stage = _field(body, _Field("stage", str))
        if stage not in ("Delivered", "Applied"):
            raise WireError(f"stage: {stage!r}, expected Delivered or Applied")
        return Ack(_field(body, _Field("message_id", int, high=ID_MAX)), stage == "Applied")
    if name not in MESSAGES:
        return None
    kind, own = MESSAGES[name]
    found = kind(
        **{at: _field(body, field) for at, field in own.items()},
        id=message_id,
        timestamp_us=timestamp_us,
        segment=_segment(fields.get("target_segment_id")),
        revision=_field(fields, _Field("revision", int, None, high=_U32_MAX)),
        turn=_field(fields, _Field("turn", int, None, high=_U32_MAX)),
        metadata=_metadata(fields),
    )
    _check_order(found)
    return found


def _tagged(message_type: Any) -> tuple[str, Fields]:
    """Name and fields of a type. Those of an unknown type may be anything."""
    if isinstance(message_type, str) and message_type not in (*MESSAGES, "Ack"):
        return message_type, {}
    if not isinstance(message_type, dict) or len(message_type) != 1:
        raise WireError("message_type: expected an object with one key")
    ((name, body),) = message_type.items()
    if name not in (*MESSAGES, "Ack"):
        return name, {}
    if not isinstance(body, dict):
        raise WireError(f"{name}: expected an object")
    return name, body


def _check_name(session: str) -> None:
    try:
        size = len(session.encode())
    except UnicodeEncodeError:
        raise WireError("session_id: half a character") from None
    if not 1 <= size <= _NAME_BYTES_MAX:
        raise WireError(f"session_id: {size} bytes, expected 1 to {_NAME_BYTES_MAX}")


def _segment(text: Any) -> str | None:
    if text is None:
        return None
    try:
        found = str(uuid.UUID(text))
    except (TypeError, ValueError, AttributeError):
        found = ""
    # The reader of UUIDs takes other forms, too.
    if not isinstance(text, str) or found != text.lower():
        raise WireError(f"target_segment_id: {text!r}, expected a UUID of 36 characters")
    return found


def _metadata(fields: Fields) -> dict[str, Any]:
    if "metadata" not in fields:
        return {}
    metadata: dict[str, Any] = _field(fields, _Field("metadata", dict))
    level: list[Any] = [metadata]
    for _ in range(_DEPTH_MAX - 1):
        inner = [item.values() if isinstance(item, dict) else item for item in level]
        level = [value for values in inner for value in values if isinstance(value, dict | list)]
        if not level:
            return metadata
    raise WireError(f"metadata: deeper than {_DEPTH_MAX} levels")


def _check_order(found: m.Message) -> None:
    match found:
        case m.CancelSpeculation(from_us, to_us) | m.ConfirmSpeculation(from_us, to_us) if from_us >= to_us:
            raise WireError(f"from_timestamp: {from_us}, expected less than to_timestamp {to_us}")
        case m.Line(_, from_us, int(until_us)) if until_us < from_us:
            raise WireError(f"until_us: {until_us}, expected {from_us} or more")


_SEGMENT = _Field("segment", str, None)
_REVISION = _Field("revision", int, 0, high=_U32_MAX)
_TURN = _Field("turn", int, None, high=_U32_MAX)


def _number(fields: Fields, key: str) -> float:
    value = fields.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WireError(f"{key}: {value!r}, expected a number")
    return value


def _list(fields: Fields, key: str) -> list[Any]:
    value: list[Any] = _field(fields, _Field(key, list, []))
    return value


def _objects(fields: Fields, key: str) -> list[Fields]:
    found = _list(fields, key)
    if not all(isinstance(item, dict) for item in found):
        raise WireError(f"{key}: expected objects")
    return found


def audio_tag(fields: Fields) -> AudioTag:
    """Reads `{"type": "audio", ...}`."""
    return AudioTag(
        _field(fields, _SEGMENT),
        _field(fields, _REVISION),
        _field(fields, _TURN),
        _field(fields, _Field("pts_us", int, 0)),
    )


def _text(fields: Fields) -> n.Text:
    return n.Text(
        _field(fields, _TEXT), _field(fields, _SEGMENT), _field(fields, _REVISION), _field(fields, _TURN)
    )


def _error(fields: Fields) -> n.NotUnderstood:
    code, message = error_of(fields)
    error = fields.get("error")
    silent = _field(error, _Field("silent", int, 0)) if isinstance(error, dict) else 0
    return n.NotUnderstood(code, message, silent)


def _speech_started(fields: Fields) -> n.SpeechStarted:
    return n.SpeechStarted(_field(fields, _SEGMENT), _field(fields, _Field("from_us", int)))


def _probability(fields: Fields) -> n.Probability:
    more = []
    for pair in _list(fields, "more"):
        if not isinstance(pair, list) or len(pair) != 2:
            raise WireError("more: expected pairs of at_us and p")
        named = {"at_us": pair[0], "p": pair[1]}
        more.append((_field(named, _Field("at_us", int)), _number(named, "p")))
    return n.Probability(_field(fields, _Field("at_us", int)), _number(fields, "p"), tuple(more))


def _partial(fields: Fields) -> n.PartialTranscript:
    return n.PartialTranscript(_field(fields, _SEGMENT), _field(fields, _TEXT))


def _spoken(fields: Fields) -> n.Spoken:
    times = tuple(
        n.Timed(
            _field(item, _Field("from_us", int)),
            _field(item, _Field("until_us", int)),
            _field(item, _Field("word", str, None)),
            _field(item, _Field("phone", str, None)),
        )
        for item in _objects(fields, "times")
    )
    return n.Spoken(_field(fields, _TURN), _field(fields, _Field("from_us", int, 0)), times)


def _turn(fields: Fields) -> n.Turn:
    stages = tuple(
        n.Stage(_field(item, _Field("stage", str)), _number(item, "ms"))
        for item in _objects(fields, "stages")
    )
    return n.Turn(_field(fields, _Field("turn", int)), _number(fields, "response_ms"), stages)


NOTES: dict[str, Callable[[Fields], Any]] = {
    "audio": audio_tag,
    "text": _text,
    "error": _error,
    "speech_started": _speech_started,
    "probability": _probability,
    "partial_transcript": _partial,
    "spoken": _spoken,
    "turn": _turn,
}
"""Readers of what has a `type`, by it."""


def error_of(fields: Fields) -> tuple[str, str]:
    """Code and sentence of `{"error": {"type", "code", "message"}}`, whatever is in it."""
    error = fields.get("error")
    if not isinstance(error, dict):
        return "unknown", "no reason was given"
    code = error.get("code") or error.get("type") or "unknown"
    return str(code), str(error.get("message") or "no reason was given")


def read(text: str | bytes) -> Fields:
    """The object in a text message.

    `WireError`: there is none.
    """
    try:
        fields = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise WireError(f"no JSON: {error}") from None
    if not isinstance(fields, dict):
        raise WireError("expected an object")
    return fields


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key comes twice")
    return found


def write(fields: Fields) -> str:
    """JSON in one line.

    `ValueError`: not a number, half a character, or longer than a server takes.
    """
    text = json.dumps(fields, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    size = len(text.encode())
    if size > MESSAGE_BYTES_MAX:
        raise ValueError(f"the message has {size} bytes, a server takes {MESSAGE_BYTES_MAX}: say it in parts")
    return text
