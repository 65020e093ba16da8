"""What a session counts, and what it holds at most."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Figures:
    """Counts of a session so far."""

    sent: int = 0
    """Control messages, each counted once."""
    acked: int = 0
    """Of these, acknowledged."""
    resent: int = 0
    """Transmissions beyond the first of a connection."""
    failed: int = 0
    """Given up: not known to have arrived."""
    repeated: int = 0
    """Messages that came again, and had no second effect."""
    too_old: int = 0
    """Messages behind the window of ids, dropped."""
    receipts_dropped: int = 0
    """Receipts for which there was no room; their messages come again."""
    rejected: int = 0
    """What came and is no message, dropped: no JSON, a field of the wrong kind, audio without a tag."""
    unknown: int = 0
    """Messages and notes of a kind that this version does not know, ignored."""
    withdrawn_us: int = 0
    """Audio that waited and was taken back, dropped as it has to be."""
    withdrawn_texts: int = 0
    """Texts, likewise."""
    audio_dropped_us: int = 0
    """Audio that waited for too long, dropped: the oldest."""
    notes_dropped: int = 0
    """Notes, likewise."""
    audio_lost_us: int = 0
    """Audio of this end that was being sent when the connection was lost. What the network held is not known."""
    resumes: int = 0
    """Connections that took the place of a lost one."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a session holds for a handler that is slow, and how patient it is."""

    audio_s: float = 30.0
    """Audio that may wait, seconds. At the bound the oldest is dropped and counted."""
    notes: int = 1024
    """Notes that may wait. At the bound the oldest of its kind is dropped and counted."""
    events: int = 4096
    """Other events that may wait. They are never dropped: one more closes the session with 4000."""
    resend_s: float = 0.05
    """A control message is sent again after so long without receipt, and given up after four times that."""
    open_s: float = 10.0
    """How long opening may take."""
    silence_s: float | None = 20.0
    """A connection is lost when the server answers no ping for so long. A server does not read while its session has no
    room: who sends audio much faster than it sounds sets `None`."""

    def __post_init__(self) -> None:
        for name in ("audio_s", "notes", "events", "resend_s", "open_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: {getattr(self, name)}, expected more than 0")
