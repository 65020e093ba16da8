"""What came and was not taken yet, in order and within bounds."""

from __future__ import annotations

from collections import deque
from typing import TypeVar

from mynah.client._figures import Figures, Limits
from mynah.client._format import Format
from mynah.client._messages import (
    AnswerInterrupted,
    CancelAnswer,
    CancelSpeculation,
    Message,
    RetractEndOfSpeech,
)
from mynah.client._notes import Audio, Resumed, Text

Event = object
"""A control message, audio, text or a note."""
_Kind = TypeVar("_Kind")


class Overflow(Exception):
    """Events wait that may not be dropped, and there is room for no more."""


class Inbox:
    """A queue out of which audio is dropped when it is taken back."""

    def __init__(self, limits: Limits, output: Format, figures: Figures) -> None:
        self._limits, self._output, self._figures = limits, output, figures
        self._waiting: deque[Event] = deque()
        self._audio_us = self._notes = self._events = 0
        """How much waits, of each kind."""

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, event: Event) -> None:
        """Takes an event. A correction first drops what it names.

        Raises `Overflow`: more than `Limits.events` wait.
        """
        if isinstance(event, Message):
            self._withdraw(event)
        self._waiting.append(event)
        self._count(event, 1)
        if isinstance(event, Audio):
            while self._audio_us > self._limits.audio_s * 1e6:
                dropped = self._drop_oldest(Audio)
                self._figures.audio_dropped_us += self._output.us(len(dropped.data))
        elif _is_note(event):
            if self._notes > self._limits.notes:
                self._drop_oldest(type(event))
                self._figures.notes_dropped += 1
        elif self._events > self._limits.events:
            raise Overflow

    def take(self) -> Event:
        """The oldest event; there is one."""
        event = self._waiting.popleft()
        self._count(event, -1)
        return event

    def _count(self, event: Event, by: int) -> None:
        if isinstance(event, Audio):
            self._audio_us += by * self._output.us(len(event.data))
        elif _is_note(event):
            self._notes += by
        else:
            self._events += by

    def _drop_oldest(self, kind: type[_Kind]) -> _Kind:
        """Drops the oldest event of a kind of which one waits."""
        at, found = next((i, event) for i, event in enumerate(self._waiting) if isinstance(event, kind))
        del self._waiting[at]
        self._count(found, -1)
        return found

    def _withdraw(self, message: Message) -> None:
        kept: deque[Event] = deque()
        for event in self._waiting:
            if isinstance(event, Audio | Text) and takes_back(message, event):
                self._count(event, -1)
                if isinstance(event, Audio):
                    self._figures.withdrawn_us += self._output.us(len(event.data))
                else:
                    self._figures.withdrawn_texts += 1
            else:
                kept.append(event)
        self._waiting = kept


def _is_note(event: Event) -> bool:
    return not isinstance(event, Message | Audio | Text | Resumed)


def takes_back(message: Message, what: Audio | Text) -> bool:
    """Whether a message says that this is to be dropped."""
    match message:
        case CancelSpeculation():
            return message.segment is not None and what.segment == message.segment
        case RetractEndOfSpeech():
            same = message.segment is not None and what.segment == message.segment
            return same and what.revision == message.revision
        case CancelAnswer() | AnswerInterrupted():
            return message.turn is not None and what.turn == message.turn
    return False
