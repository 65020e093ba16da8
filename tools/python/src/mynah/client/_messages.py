"""What an engine says: a dataclass for each control message, called as it is on the wire.

Fields of a type come first, so `case Transcript(text, last=True):` matches. Times in `*_us` are microseconds: of a
caller's audio, since the session began (media time); of an answer, since its first sample.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What all control messages have."""

    id: int = 0
    """Ascending, from 1."""
    timestamp_us: int = 0
    """When it was made: microseconds since the Unix epoch, by the engine's clock."""
    segment: str | None = None
    """UUID of the segment that it is about."""
    revision: int | None = None
    """Which end of the segment: earlier ones were retracted."""
    turn: int | None = None
    """The turn."""
    metadata: dict[str, Any] = field(default_factory=dict)
    """What the engine adds."""


class Correction(Message):
    """What takes something back. It is acknowledged as applied once the handler asks for the event behind it."""

    __slots__ = ()


# What is said of speech, and advice: always acknowledged.


@dataclass(frozen=True, slots=True)
class CancelSpeculation(Correction):
    """Not speech: drop the segment's audio, and everything derived from it."""

    from_us: int
    to_us: int
    late: bool = False
    """Some output of the segment had already left."""


@dataclass(frozen=True, slots=True)
class ConfirmSpeculation(Message):
    """The segment is speech; once per segment."""

    from_us: int
    to_us: int


@dataclass(frozen=True, slots=True)
class EndOfSpeech(Message):
    """The speaker has finished."""

    at_us: int
    final: bool
    """`False`: the gate believes so, and may retract it."""


@dataclass(frozen=True, slots=True)
class RetractEndOfSpeech(Correction):
    """The revision is void: drop what was derived from it, keep the audio."""

    at_us: int


@dataclass(frozen=True, slots=True)
class CancelAnswer(Correction):
    """Stop and drop the answer of the turn."""


@dataclass(frozen=True, slots=True)
class BatchHint(Message):
    """Advice: how many items a batch should have."""

    suggested_batch_size: int


@dataclass(frozen=True, slots=True)
class DeadlineWarning(Message):
    """Advice: a result of the turn is wanted soon."""

    deadline_us: int
    """Left from now."""


# Events: in order with the audio, never acknowledged.


@dataclass(frozen=True, slots=True)
class Transcript(Message):
    """A piece of what was recognised of the segment, up to the end that the revision names: see `Transcripts`."""

    text: str
    """Words that follow those of the piece before; may be empty."""
    last: bool
    """The recognition is complete."""


@dataclass(frozen=True, slots=True)
class Line(Message):
    """What is being spoken. Where its length was not known, it is told again when it has been spoken."""

    text: str
    from_us: int
    until_us: int | None = None
    """`None`: the length is not known yet."""


@dataclass(frozen=True, slots=True)
class AnswerStarted(Message):
    """The first sample of an answer leaves."""

    line: int = 0
    """Id of the `say` that asked for it; 0: the scene answers."""


@dataclass(frozen=True, slots=True)
class AnswerPaused(Message):
    """The user speaks: the answer waits."""


@dataclass(frozen=True, slots=True)
class AnswerResumed(Message):
    """The answer goes on."""


@dataclass(frozen=True, slots=True)
class AnswerInterrupted(Message):
    """The answer is withdrawn: its audio is to be dropped."""

    heard_us: int
    """How much of it was heard."""


@dataclass(frozen=True, slots=True)
class AnswerEnded(Message):
    """The answer was heard to its end."""

    heard_us: int


@dataclass(frozen=True, slots=True)
class LineDropped(Message):
    """A line of the client's is not spoken."""

    line: int
    """Id of its `say`."""
    reason: str


@dataclass(frozen=True, slots=True)
class ToolCall(Message):
    """A service asks for something to be done; `Session.tool_result` answers."""

    call_id: str
    name: str
    arguments: str
    """JSON."""


@dataclass(frozen=True, slots=True)
class ReplyRequested(Message):
    """The client is to answer what was said; `Session.reply_to` does."""

    request: int
    text: str


@dataclass(frozen=True, slots=True)
class ReplyCancelled(Message):
    """Nobody waits for the answer to the request any more."""

    request: int


@dataclass(frozen=True, slots=True)
class ServiceFailed(Message):
    """A service failed a call of the turn."""

    service: str
    reason: str


@dataclass(frozen=True, slots=True)
class SessionClosed(Message):
    """The session is over (`Closed` on the wire); nothing follows."""

    reason: str
