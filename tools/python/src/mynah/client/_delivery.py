"""Delivery of control messages: ids, receipts, and sending again. No socket and no clock: time is an argument.

A message takes effect at most once, and one that its sender saw acknowledged took effect exactly once. A delivery
lives as long as its session, not as long as a connection.
"""

from __future__ import annotations

import bisect
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

from mynah.client._figures import Figures
from mynah.client._wire import Ack, Fields

Seal = Callable[[int, Fields, Fields], str]
"""Makes a message of its id, its type, and what it is about."""

TRANSMITS_MAX = 4
"""The first and three more."""
WINDOW_MAX = 512
"""Greatest ids of the other end that are remembered; older ones count as seen."""
FATES_MAX = 512
"""Messages of this end whose fate is remembered."""
UNACKNOWLEDGED_MAX = 64
"""Most messages of this end that are under way."""
WATCHED_MAX = 256
"""Messages of this end that are delivered and not applied, of which the text is kept."""
ACKS_MAX = 1024
"""Receipts that may wait to be sent; further ones are dropped and counted, and their messages come again."""


@dataclass(slots=True)
class Fate:
    """What has become of a message."""

    delivered: bool = False
    applied: bool = False
    failed: bool = False


@dataclass(slots=True)
class _Pending:
    text: str
    due_s: float = 0.0
    transmits: int = 0


class Window:
    """Knows which ids have been seen, in bounded memory."""

    def __init__(self) -> None:
        self._ids: list[int] = []
        self._applied: set[int] = set()
        self._floor = 0

    def note(self, message_id: int) -> bool | None:
        """Whether the id is new; `None`: it is older than the window, so nobody knows."""
        at = bisect.bisect_left(self._ids, message_id)
        if at < len(self._ids) and self._ids[at] == message_id:
            return False
        if message_id < self._floor:
            return None
        self._ids.insert(at, message_id)
        if len(self._ids) > WINDOW_MAX:
            gone = self._ids.pop(0)
            self._applied.discard(gone)
            self._floor = gone + 1
        return True

    def note_applied(self, message_id: int) -> bool:
        """Marks an id as applied; whether it was not before."""
        if message_id < self._floor or message_id in self._applied:
            return False
        self._applied.add(message_id)
        return True

    def is_applied(self, message_id: int) -> bool:
        """Whether it was marked."""
        return message_id in self._applied


class Delivery:
    """This end of a session's control messages."""

    def __init__(self, seal: Seal, resend_s: float, figures: Figures) -> None:
        self._seal, self._resend_s, self._figures = seal, resend_s, figures
        self._last_id = 0
        self._fresh: OrderedDict[int, _Pending] = OrderedDict()
        """Not yet transmitted on this connection, in the order of their ids."""
        self._waiting: OrderedDict[int, _Pending] = OrderedDict()
        """Transmitted, in the order of their next transmission: the gap is the same for all."""
        self._watched: OrderedDict[int, _Pending] = OrderedDict()
        """Delivered, and not yet applied. Nobody acknowledges an `Applied`: one that is lost with its connection comes
        again when the message does."""
        self._fates: OrderedDict[int, Fate] = OrderedDict()
        self._window = Window()
        self._acks: deque[Ack] = deque()

    # Up.

    def send(self, message_type: Fields, about: Fields) -> int:
        """Takes a message to be sent; its id."""
        message_id = self._last_id + 1
        # First what may fail: an id that is not used would be a message that never comes.
        text = self._seal(message_id, message_type, about)
        self._last_id = message_id
        self._fresh[message_id] = _Pending(text)
        self._fates[message_id] = Fate()
        while len(self._fates) > FATES_MAX:
            self._fates.popitem(last=False)
        self._figures.sent += 1
        return message_id

    @property
    def unacknowledged(self) -> int:
        """Messages neither acknowledged nor given up."""
        return len(self._fresh) + len(self._waiting)

    def fate(self, message_id: int) -> Fate:
        """What has become of a message.

        Raises `KeyError`: it was never sent, or so long ago that nobody remembers.
        """
        if message_id not in self._fates:
            raise KeyError(f"message {message_id} is none of the last {FATES_MAX} of this session")
        return self._fates[message_id]

    def acknowledged(self, ack: Ack) -> None:
        """Takes a receipt. One that comes after its message was given up still says that it has arrived."""
        pending = self._waiting.pop(ack.message_id, None) or self._fresh.pop(ack.message_id, None)
        fate = self._fates.get(ack.message_id)
        if fate is None:
            return
        self._figures.acked += not fate.delivered
        fate.delivered, fate.failed = True, False
        fate.applied = fate.applied or ack.applied
        if fate.applied:
            self._watched.pop(ack.message_id, None)
        elif pending is not None:
            self._watched[ack.message_id] = pending
            if len(self._watched) > WATCHED_MAX:
                self._watched.popitem(last=False)

    def reconnected(self) -> None:
        """A new connection: what is not acknowledged as applied is due now, as if it had never been sent."""
        self._fresh = OrderedDict(sorted({**self._watched, **self._waiting, **self._fresh}.items()))
        self._watched.clear()
        self._waiting.clear()
        for pending in self._fresh.values():
            pending.transmits = 0

    def continue_after(self, last_id: int) -> None:
        """Goes on behind the greatest id that the server has had from this end."""
        self._last_id = max(self._last_id, last_id)

    # Down.

    def received(self, message_id: int, wants_receipt: bool) -> bool:
        """Whether a message of the other end is new. One that comes again is acknowledged again."""
        new = self._window.note(message_id)
        if new is None:
            self._figures.too_old += 1
            return False
        if wants_receipt:
            self._acknowledge(message_id, applied=False)
            if self._window.is_applied(message_id):
                self._acknowledge(message_id, applied=True)
        if not new:
            self._figures.repeated += 1
        return new

    def applied(self, message_id: int) -> None:
        """What a message stops has stopped."""
        if self._window.note_applied(message_id):
            self._acknowledge(message_id, applied=True)

    def _acknowledge(self, message_id: int, applied: bool) -> None:
        if len(self._acks) < ACKS_MAX:
            self._acks.append(Ack(message_id, applied))
        else:
            self._figures.receipts_dropped += 1

    # Both.

    def poll(self, now_s: float) -> str | None:
        """The next message to be sent now; `None`: none. Receipts first, then the rest in order."""
        if self._acks:
            ack = self._acks.popleft()
            self._last_id += 1
            stage = "Applied" if ack.applied else "Delivered"
            return self._seal(self._last_id, {"Ack": {"message_id": ack.message_id, "stage": stage}}, {})
        while self._waiting:
            message_id, pending = next(iter(self._waiting.items()))
            if pending.due_s > now_s:
                break
            del self._waiting[message_id]
            if pending.transmits < TRANSMITS_MAX:
                self._figures.resent += 1
                return self._transmit(now_s, message_id, pending)
            self._give_up(message_id)
        if self._fresh:
            return self._transmit(now_s, *self._fresh.popitem(last=False))
        return None

    def _transmit(self, now_s: float, message_id: int, pending: _Pending) -> str:
        pending.transmits += 1
        pending.due_s = now_s + self._resend_s
        self._waiting[message_id] = pending
        return pending.text

    def _give_up(self, message_id: int) -> None:
        fate = self._fates.get(message_id)
        if fate is not None and not fate.delivered:
            fate.failed = True
            self._figures.failed += 1

    def next_due_s(self) -> float | None:
        """When `poll` has something to do next; `None`: not by itself."""
        if self._acks or self._fresh:
            return 0.0
        first = next(iter(self._waiting.values()), None)
        return None if first is None else first.due_s
