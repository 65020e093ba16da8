"""What is said to open a session, and what the server answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from mynah.client._format import Format
from mynah.client._wire import Fields, WireError

PATH = "/v1/session"
NOTES = ("speech", "probability", "partial", "words", "turns")
_SCHEMES = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}

Note = Literal["speech", "probability", "partial", "words", "turns"]


@dataclass(frozen=True, slots=True)
class Opening:
    """What a session is to be like; `docs/protocols.md` has the fields."""

    input: Format = field(default_factory=Format)
    output: Format = field(default_factory=Format)
    session: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[Note] = ()
    lead_ms: int | None = None
    latency_ms: int | None = None
    gate: Mapping[str, Any] | None = None
    interruption: Literal["never"] | int | None = None
    history: Any = None

    def __post_init__(self) -> None:
        for note in self.notes:
            if note not in NOTES:
                raise ValueError(f"notes: {note!r}, expected any of {', '.join(NOTES)}")

    def fields(self) -> dict[str, Any]:
        """The first message: what is left out is the scene's."""
        told = {
            "type": "open",
            "session": self.session,
            "input": self.input.fields(),
            "output": self.output.fields(),
            "params": dict(self.params) or None,
            "lead_ms": self.lead_ms,
            "latency_ms": self.latency_ms,
            "gate": None if self.gate is None else dict(self.gate),
            "interruption": self.interruption,
            "history": self.history,
            "notes": list(self.notes) or None,
        }
        return {name: value for name, value in told.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Opened:
    """A session as the server opened it."""

    session: str
    """Its name."""
    generation: int
    """With the name: what the ids of segments are made of."""
    token: str = field(repr=False)
    """Key to go on with it."""
    resume_ms: int
    """How long it goes on without a connection."""
    scene: str
    input: Format
    output: Format | None
    """`None`: the scene puts out no audio."""


def opened(fields: Fields) -> Opened:
    """Reads the server's answer.

    `WireError`: it is none.
    """
    try:
        return Opened(
            session=str(fields["session"]),
            generation=int(fields["generation"]),
            token=str(fields.get("token") or ""),
            resume_ms=int(fields.get("resume_ms") or 0),
            scene=str(fields.get("scene") or ""),
            input=_format(fields["input"]),
            output=None if fields.get("output") is None else _format(fields["output"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise WireError(f"opened: {type(error).__name__}: {error}") from None


def _format(fields: Any) -> Format:
    rate_hz, channels = int(fields["rate_hz"]), int(fields["channels"])
    if rate_hz <= 0 or channels <= 0:
        raise ValueError(f"{rate_hz} Hz, {channels} channels")
    return Format(rate_hz, channels, fields.get("encoding", "s16"))


def address(url: str, model: str | None) -> str:
    """Where sessions are opened: a URL without a path gets the server's own.

    `ValueError`: it is no URL of a server.
    """
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES or not parts.netloc:
        raise ValueError(f"url: {url!r}, expected one like ws://127.0.0.1:8080")
    query = parse_qsl(parts.query, keep_blank_values=True)
    if model is not None:
        query.append(("model", model))
    path = parts.path if parts.path.strip("/") else PATH
    return urlunsplit((_SCHEMES[parts.scheme], parts.netloc, path, urlencode(query), ""))


def resuming(where: str, session: str) -> str:
    """The same address for a client that goes on with its session: also a full server has its place."""
    parts = urlsplit(where)
    query = [*parse_qsl(parts.query, keep_blank_values=True), ("resume", session)]
    return urlunsplit(parts._replace(query=urlencode(query)))
