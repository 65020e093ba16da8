"""What comes down: each message once, calls complete with their audio."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from mynah.worker._call import Call, Hears, Speaks
from mynah.worker._wire import AudioPart, Control, WireError

IDS_MAX = 512
"""So many of the last message ids are known; older ones are neither processed nor acknowledged."""
AUDIO_BYTES_MAX = 64 * 1024 * 1024
"""Most audio of one call."""
CALLS_MAX = 1024
"""Most calls that wait for their audio."""


class Ids:
    """Which messages have been seen."""

    def __init__(self) -> None:
        self._order: deque[int] = deque()
        self._seen: set[int] = set()
        self._newest = -1

    def verdict(self, message_id: int) -> str:
        """ "new", "again" (acknowledge, do nothing) or "old" (do nothing)."""
        if message_id in self._seen:
            return "again"
        if message_id <= self._newest - IDS_MAX:
            return "old"
        self._newest = max(self._newest, message_id)
        self._seen.add(message_id)
        self._order.append(message_id)
        while len(self._order) > IDS_MAX:
            self._seen.discard(self._order.popleft())
        return "new"


@dataclass
class Gathering:
    """A call whose audio is still to come."""

    call: Call
    parts: int
    audio: list[AudioPart] = field(default_factory=list)
    size: int = 0


class Intake:
    """Puts calls together with their audio."""

    def __init__(self, hears: Hears | None, speaks: Speaks | None) -> None:
        self._hears, self._speaks = hears, speaks
        self._gathering: dict[int, Gathering] = {}

    def call(self, control: Control) -> Call | None:
        """A call has come; it, if it is complete. `WireError`: a field is missing or mistyped."""
        call, parts = call_of(control, self._hears, self._speaks)
        if parts == 0:
            return call
        if len(self._gathering) >= CALLS_MAX:
            raise WireError(f"{CALLS_MAX} calls wait for their audio")
        self._gathering[call.id] = Gathering(call, parts)
        return None

    def expects(self, call: int) -> bool:
        """Whether audio of this call is still to come."""
        return call in self._gathering

    def audio(self, part: AudioPart) -> Call | None:
        """Audio has come; the call, if that was the last of it. `WireError`: a part is missing, or it is too much."""
        gathering = self._gathering.get(part.call)
        if gathering is None:
            return None
        if part.part < len(gathering.audio):
            return None
        if part.part > len(gathering.audio):
            raise WireError(f"part {len(gathering.audio)} of the audio is missing: part {part.part} came")
        first = gathering.audio[0] if gathering.audio else part
        if (part.rate_hz, part.channels) != (first.rate_hz, first.channels):
            raise WireError("the audio changes its format from one part to the next")
        gathering.size += len(part.samples)
        if gathering.size > AUDIO_BYTES_MAX:
            raise WireError(f"the audio has more than {AUDIO_BYTES_MAX} bytes")
        gathering.audio.append(part)
        if len(gathering.audio) < gathering.parts:
            return None
        del self._gathering[part.call]
        gathering.call.hears = Hears(part.rate_hz, part.channels)
        gathering.call._audio = gathering.audio
        return gathering.call

    def drop(self, call: int) -> Call | None:
        """Audio of this call is not awaited any more; the call, if it was."""
        gathering = self._gathering.pop(call, None)
        return gathering.call if gathering else None


def number(fields: dict[str, Any], name: str, default: int | None = None) -> int:
    """An integer from 0 on. `WireError`: there is none."""
    value = fields.get(name, default)
    if value is None:
        value = default
    if type(value) is not int or not 0 <= value < 2**64:
        raise WireError(f"{name} is {value!r:.40}; expected an integer from 0 on")
    return value


def text(fields: dict[str, Any], name: str) -> str:
    """A text; empty where there is none. `WireError`: it is something else."""
    value = fields.get(name) or ""
    if not isinstance(value, str):
        raise WireError(f"{name} is {value!r:.40}; expected a text")
    return value


def hears_of(fields: dict[str, Any]) -> Hears | None:
    """The format in `hears`."""
    found = fields.get("hears")
    return Hears(number(found, "rate_hz"), number(found, "channels", 1)) if isinstance(found, dict) else None


def speaks_of(fields: dict[str, Any]) -> Speaks | None:
    """The format in `speaks`."""
    found = fields.get("speaks")
    return Speaks(number(found, "rate_hz")) if isinstance(found, dict) else None


def call_of(control: Control, hears: Hears | None, speaks: Speaks | None) -> tuple[Call, int]:
    """The call of a message, and how many data messages follow it. `WireError`: a field is missing or mistyped."""
    fields = control.fields
    history = fields.get("history") or []
    if isinstance(history, dict):
        history = history.get("entries") or []
    params = fields.get("params") or {}
    if not isinstance(history, list) or not isinstance(params, dict):
        raise WireError("history is no list, or params no object")
    call = Call(
        id=number(fields, "call"),
        session=control.session,
        task=text(fields, "task"),
        text=text(fields, "text"),
        history=[entry for entry in history if isinstance(entry, dict)],
        params=params,
        reduced=bool(fields.get("reduced")),
        hears=hears,
        speaks=speaks_of(fields) if "speaks" in fields else speaks,
        segment=number(fields, "segment", 0),
        turn=number(fields, "turn", 0),
        revision=number(fields, "revision", 0),
        attempt=number(fields, "attempt", 0),
        from_us=number(fields, "from_us", 0),
        to_us=number(fields, "to_us", 0),
        deadline_us=number(fields, "deadline_us", 0),
    )
    return call, number(fields, "parts", 0)
