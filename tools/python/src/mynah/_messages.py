"""What a program wants of one of many sessions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mynah.constants import Gate, Interrupt
from mynah.session import Session

Entry = tuple[str, Any]
"""Something that happened to a `VoiceVec`: a step's input, a reset, or a message."""


class Messages:
    """Messages to sessions 0 to N-1: each takes effect in the next step. Indexes out of range are `IndexError`."""

    _sessions: list[Session]
    _journal: list[Entry] | None
    _held: NDArray[np.bool_]

    def _session(self, i: int) -> Session:
        if not 0 <= i < len(self._sessions):
            raise IndexError(f"session {i} of {len(self._sessions)}")
        return self._sessions[i]

    def _send(self, what: str, i: int, *arguments: Any, **named: Any) -> Any:
        result = getattr(self._session(i), what)(*arguments, **named)
        if self._journal is not None:
            self._journal.append((what, (i, arguments, named)))
        return result

    def _mark(self, i: int, held: bool) -> None:
        self._held[i] = held
        if self._journal is not None:
            self._journal.append(("held", self._held.copy()))

    def say(
        self, i: int, text: str, *, interruptible: bool = True, priority: int = 0, wait: bool = True
    ) -> int:
        """Session `i` speaks a text, a turn of its own; returns the line's number. See `Session.say`."""
        return self._send("say", i, text, interruptible=interruptible, priority=priority, wait=wait)

    def reply(self, i: int, request: int, text: str, *, last: bool = True) -> None:
        """Answers a `Kind.REPLY_REQUESTED` of session `i` with its `number`."""
        self._send("reply", i, request, text, last=last)

    def send_text(self, i: int, text: str) -> None:
        """Sends what the user of session `i` typed, answered like speech."""
        self._send("send_text", i, text)

    def set(self, i: int, params: Mapping[str, Any]) -> None:
        """Changes parameters that services see of session `i`; `None` removes one."""
        self._send("set", i, dict(params))

    def tool_result(self, i: int, id: str, result: str) -> None:
        """Answers a `Kind.TOOL_CALL` of session `i` with its `id`."""
        self._send("tool_result", i, id, result)

    def heard(self, i: int, turn: int, us: int) -> None:
        """The listener of session `i` has heard `us` microseconds of the answer of `turn`."""
        self._send("heard", i, turn, us)

    def interrupt(self, i: int, mode: Interrupt = Interrupt.SOFT) -> None:
        """Withdraws what sounds or is to be answered in session `i`."""
        self._send("interrupt", i, mode)

    def gate(self, i: int, mode: Gate) -> None:
        """Sets who decides what is speech in session `i`."""
        self._send("gate", i, mode)
        self._mark(i, False)

    def hold(self, i: int) -> None:
        """Leaves the floor to the user of session `i`: no silence ends his turn until `release`, `end_turn` or
        `respond`.

        The gate stays open meanwhile, so everything is speech and answers wait. Where the scene's gate ends late
        (`gate.min_silence_ms`), doing nothing holds the floor open as long, without that.
        """
        self._send("gate", i, Gate.OPEN)
        self._mark(i, True)

    def release(self, i: int) -> None:
        """Lets the detector decide again in session `i`; silence counts from here."""
        self.gate(i, Gate.AUTO)

    def end_turn(self, i: int) -> None:
        """The turn of the user of session `i` ends here, without waiting for silence."""
        if self._held[i]:
            self.release(i)
        self._send("end_turn", i)

    def respond(self, i: int) -> None:
        """Session `i` answers now: what is open ends, and where nothing was said the reply is asked for without
        words."""
        if self._held[i]:
            self.release(i)
        self._send("respond", i)

    def discard(self, i: int) -> None:
        """Forgets what the user of session `i` has said and was not answered yet."""
        self._send("discard", i)

    def finish(self, i: int) -> None:
        """Ends the input of session `i`; what was pushed is still answered."""
        self._send("finish", i)

    def hang_up(self, i: int) -> None:
        """Ends session `i` at the next step."""
        self._send("hang_up", i)
