"""Events of sessions, with everything they have copied out of the library."""

from __future__ import annotations

import ctypes as c
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, TypeVar

from mynah import _structs as s
from mynah.constants import EventFlags, Kind, What

if TYPE_CHECKING:
    from mynah.session import Session


@dataclass(frozen=True, slots=True)
class Spoken:
    """A word, a phone or a pause, and when it sounds: microseconds from the beginning of its line."""

    what: What | int
    viseme: int
    """Shape of the mouth, 0 (rest) to 14 as `viseme_name` names them; -1: of words, and of unknown phones."""
    from_us: int
    until_us: int
    from_byte: int
    """First byte of a word in the line's UTF-8 text."""
    until_byte: int
    """The byte after its last."""
    phone: str
    """Name of a phone, such as "aa" (ARPAbet); empty for the others."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a session. Times are media time of the session in microseconds, unless the kind says
    otherwise in `mynah.h`. What a kind does not have is 0, `None` or empty."""

    kind: Kind | int
    flags: EventFlags
    session: Session | None
    """The session; `None`: it was closed meanwhile."""
    user: int
    """What the session was opened with."""
    t_us: int
    """Engine time of the tick in which it happened."""
    from_us: int
    until_us: int
    number: int
    """A message of the program's, or a request to it."""
    segment: int
    """Number of the segment within the session, from 1."""
    revision: int
    """How often its end was believed."""
    turn: int
    """The turn, from 1."""
    session_id: int
    """Number of the session within the engine."""
    text: str | None
    detail: str | None
    """A reason or a name."""
    id: str | None
    """Who it is about."""
    spoken: tuple[Spoken, ...]
    """Of `Kind.SPOKEN`: the parts of speech, in order of their ends."""


_Named = TypeVar("_Named", bound=IntEnum)


def named(kinds: type[_Named], number: int) -> _Named | int:
    """The number by its name; a newer library may have more than this package knows."""
    return kinds(number) if number in kinds._value2member_map_ else number


def text_at(address: int | None, length: int | None = None) -> str | None:
    """A copy of the UTF-8 text at an address, up to its zero or of `length` bytes; `None`: the address is null."""
    if not address:
        return None
    return (c.string_at(address) if length is None else c.string_at(address, length)).decode()


def spoken_at(address: int | None, length: int) -> tuple[Spoken, ...]:
    """A copy of `length` parts of speech at an address."""
    if not address or not length:
        return ()
    parts = (s.SpokenPart * length).from_address(address)
    return tuple(
        Spoken(
            what=named(What, part.what),
            viseme=part.viseme,
            from_us=part.from_us,
            until_us=part.until_us,
            from_byte=part.from_byte,
            until_byte=part.until_byte,
            phone=part.phone.decode(),
        )
        for part in parts
    )


def event_of(raw: s.EventStruct, session: Session | None) -> Event:
    """A copy of an event that was just fetched."""
    return Event(
        kind=named(Kind, raw.kind),
        flags=EventFlags(raw.flags),
        session=session,
        user=raw.user or 0,
        t_us=raw.t_us,
        from_us=raw.from_us,
        until_us=raw.until_us,
        number=raw.number,
        segment=raw.segment,
        revision=raw.revision,
        turn=raw.turn,
        session_id=raw.session_id,
        text=text_at(raw.text, raw.text_len),
        detail=text_at(raw.detail),
        id=text_at(raw.id),
        spoken=spoken_at(c.cast(raw.spoken, c.c_void_p).value, raw.spoken_len),
    )
