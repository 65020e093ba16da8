"""What was said, once it holds."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from mynah.client._messages import CancelSpeculation, EndOfSpeech, Transcript

OPEN_MAX = 64
"""Segments and turns that are followed at a time; the oldest is forgotten."""


@dataclass(slots=True)
class _Said:
    pieces: list[tuple[int | None, str]] = field(default_factory=list)
    """Revision and words."""
    complete: int | None = None
    """The revision whose recognition is complete."""
    final: int | None = None
    """The revision whose end is final."""


class Transcripts:
    """Joins the pieces of transcripts. An end that only seems to be one is transcribed, too, and may be retracted: what
    is given here holds."""

    def __init__(self) -> None:
        self._open: OrderedDict[object, _Said] = OrderedDict()

    def take(self, event: object) -> str | None:
        """Takes an event of a session; the words of a segment, or those that were typed, as soon as they are complete
        and final. `None`: nothing is."""
        match event:
            case CancelSpeculation():
                self._open.pop(event.segment, None)
            case EndOfSpeech(_, final=True):
                self._of(event.segment).final = event.revision
                return self._holds(event.segment)
            case Transcript(text, last):
                # What was typed is of no segment, and nothing of it is taken back.
                key = event.segment if event.segment is not None else event.turn
                said = self._of(key)
                said.pieces.append((event.revision, text.strip()))
                if last:
                    said.complete = event.revision
                    if event.segment is None:
                        said.final = event.revision
                    return self._holds(key, typed=event.segment is None)
        return None

    def _of(self, key: object) -> _Said:
        if key not in self._open and len(self._open) >= OPEN_MAX:
            self._open.popitem(last=False)
        return self._open.setdefault(key, _Said())

    def _holds(self, key: object, typed: bool = False) -> str | None:
        said = self._open[key]
        if not typed and (said.final is None or said.final != said.complete):
            return None
        del self._open[key]
        return " ".join(text for revision, text in said.pieces if revision == said.final and text) or None
