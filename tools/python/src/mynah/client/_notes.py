"""What a server tells beside control messages: sound, text, and the notes that were asked for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Audio:
    """Sound in the session's output format."""

    data: bytes
    segment: str | None = None
    """UUID of the segment that it answers; `None`: none, as with lines of the client's."""
    revision: int = 0
    """The end that it was derived from; 0: the caller's own audio."""
    turn: int | None = None
    """Its turn; 0 or `None`: none."""
    pts_us: int = 0
    """When it sounds, microseconds: of an answer, since its first sample; of the caller's own audio, media time."""


@dataclass(frozen=True, slots=True)
class Text:
    """Text that leaves at the scene's output."""

    text: str
    segment: str | None = None
    revision: int = 0
    turn: int | None = None


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """A message of this client was not understood; the session goes on. At most one a second is told."""

    code: str
    message: str
    silent: int = 0
    """How many before it were not told."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """The connection was lost and is back. Audio and events of the meantime are missing."""

    away_ms: int
    """How long it was gone."""


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Somebody seems to speak; nothing is decided. With the note `speech`."""

    segment: str | None
    from_us: int


@dataclass(frozen=True, slots=True)
class Probability:
    """Judgements of the detector: how likely it is speech, 0 to 1. With the note `probability`."""

    at_us: int
    p: float
    more: tuple[tuple[int, float], ...] = ()
    """Those before it that no message had, oldest first: `(at_us, p)`."""


@dataclass(frozen=True, slots=True)
class PartialTranscript:
    """What was heard so far. With the note `partial`."""

    segment: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Timed:
    """A word or a speech sound, or a rest if it is neither, and when: microseconds behind `Spoken.from_us`."""

    from_us: int
    until_us: int
    word: str | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class Spoken:
    """When the words of a `Line` sound. With the note `words`."""

    turn: int | None
    from_us: int
    """Since the first sample of the answer."""
    times: tuple[Timed, ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """Where some of the time of an answer went."""

    stage: str
    ms: float


@dataclass(frozen=True, slots=True)
class Turn:
    """An answer has begun to sound. With the note `turns`."""

    turn: int
    response_ms: float
    """From the end of speech to the first sample."""
    stages: tuple[Stage, ...]
