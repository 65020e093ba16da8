"""What has to be true of a sentence with a pause in it in the Flux protocol: its end is believed, taken back, believed
again, and then it holds."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable

import numpy as np

from spoken import PAUSE_MS, Caller, Wishes, silence

INPUT_HZ = 16_000
ORDER = ["Start", "Eager", "Resumed", "Eager", "End"]


def sentence(given: Wishes) -> np.ndarray:
    """The first, a pause, and the second; one recording that was given alone holds its own pause."""
    if given.first is given.second:
        return given.first
    return np.concatenate([given.first, silence(PAUSE_MS / 1e3, INPUT_HZ), given.second])


class Order:
    """Notes what the client makes of the server's words, by the names of `ORDER`."""

    def __init__(self, client: str, done: asyncio.Event) -> None:
        self._client, self._done = client, done
        self.told: list[str] = []
        self.transcripts: dict[str, str] = {}
        """The last, by name."""
        self.errors: list[str] = []

    def tells(self, name: str, transcript: str = "") -> None:
        """Something was told."""
        self.told.append(name)
        self.transcripts[name] = transcript
        if name == "End":
            self._done.set()

    def judge(self) -> None:
        """Prints a line, and ends the program: 0 if everything holds."""
        found = [f"error: {error}" for error in self.errors]
        if self.told != ORDER:
            found.append(f"told {self.told}, expected {ORDER}")
        final, eager = self.transcripts.get("End"), self.transcripts.get("Eager")
        if not final or final != eager:
            found.append(
                f"the transcript is {final!r}, the last eager one {eager!r}: expected the same words"
            )
        for what in found:
            print(f"{self._client}: {what}", file=sys.stderr)
        print(
            f"{self._client}: {'FAILED' if found else 'ok'}: {', '.join(self.told) or 'nothing'}; {final!r}"
        )
        raise SystemExit(1 if found else 0)


async def speak(
    given: Wishes, order: Order, done: asyncio.Event, send: Callable[[bytes], Awaitable[None]]
) -> None:
    """Says the sentence, and is silent until its end is told."""
    caller = Caller(given, INPUT_HZ, done=done)
    # There is no answer to wait for.
    caller.answered.set()
    caller.wishes.first, caller.wishes.second, caller.after_s = sentence(given), silence(0, INPUT_HZ), 0
    try:
        await asyncio.wait_for(caller.speak(send), given.seconds)
        await asyncio.sleep(0.3)
    except TimeoutError:
        order.errors.append(f"not over after {given.seconds:g} s")
