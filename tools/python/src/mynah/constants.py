"""The numbers of `mynah.h` by their names, as enumerations."""

from __future__ import annotations

from enum import IntEnum, IntFlag

ABI = 1
"""Number of the interface that this package speaks; the library has to serve the same."""

SCENE = -1
"""Of a session's setting: the scene's own value."""

NEVER = -2
"""Of `interrupt_min_ms`: no speech interrupts."""

PHONE_BYTES = 8
"""Bytes of a phone's name, the zero behind it included."""


class Status(IntEnum):
    """What a call returns."""

    OK = 0
    BAD_ARGUMENT = -1
    BAD_ABI = -2
    BAD_SCENE = -3
    BAD_SETTING = -4
    BAD_HANDLE = -5
    FULL = -6
    ENDED = -7
    NO_ROOM = -8
    NO_VOICE = -9
    BAD_DRIVE = -10
    BUSY = -11
    UNAVAILABLE = -12
    PANIC = -13


class Drive(IntEnum):
    """Who ticks an engine."""

    REAL = 0
    """The program, on the wall clock; voices and models work beside it."""
    VIRTUAL = 1
    """The program, and time is what it says: everything repeats exactly, as fast as it can be computed."""
    THREAD = 2
    """The library, on a thread of its own."""


class Gate(IntEnum):
    """Who decides what is speech."""

    AUTO = 0
    """The detector."""
    OPEN = 1
    """Everything is speech: the key is down."""
    SHUT = 2
    """Nothing is speech: the key is up."""


class Interrupt(IntEnum):
    """What an interruption withdraws."""

    SOFT = 0
    """What the user's speech would: lines that must not be interrupted go on."""
    NOW = 1
    """Everything that sounds or is to be answered, and the lines that wait."""


class Kind(IntEnum):
    """Kinds of events. `mynah.h` says what each has."""

    SPEECH_STARTED = 1
    SPEECH_CONFIRMED = 2
    SPEECH_CANCELLED = 3
    END_OF_SPEECH = 4
    END_OF_SPEECH_RETRACTED = 5
    PARTIAL_TRANSCRIPT = 6
    TRANSCRIPT = 7
    LINE = 8
    SPOKEN = 9
    ANSWER_STARTED = 10
    ANSWER_PAUSED = 11
    ANSWER_RESUMED = 12
    ANSWER_INTERRUPTED = 13
    ANSWER_ENDED = 14
    LINE_DROPPED = 15
    TEXT = 16
    TOOL_CALL = 17
    REPLY_REQUESTED = 18
    REPLY_CANCELLED = 19
    SERVICE_FAILED = 20
    DEADLINE_WARNING = 21
    APPLIED = 22
    CLOSED = 23


class EventFlags(IntFlag):
    """Of an event."""

    LAST = 1
    """Nothing of this kind follows for the segment and revision."""
    LATE = 2
    """Some of it had left already."""


class What(IntEnum):
    """Parts of speech."""

    WORD = 0
    PHONE = 1
    PAUSE = 2


class PullFlags(IntFlag):
    """Of what was pulled."""

    BEGAN = 1
    """An answer began among the frames."""
    ENDED_HERE = 2
    """An answer ended among the frames."""
    CUT = 4
    """What sounded before was withdrawn: it breaks off."""
