"""Services that tests run in worker processes: `services.py MODE [TASK]`."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterator

import numpy as np

from mynah.worker import Call, Output, Partial, ToolCall, serve


async def says_back(call: Call) -> AsyncIterator[Output]:
    """An async generator."""
    yield Partial("hm")
    for word in call.text.split():
        yield word + " "
    yield "!"


async def says_back_at_once(call: Call) -> str:
    """An async function."""
    return call.text


def says_back_in_threads(call: Call) -> Iterator[Output]:
    """A generator."""
    yield Partial("hm")
    for word in call.text.split():
        yield word + " "
    yield "!"


def tells_of_the_call(call: Call) -> str:
    """A function; what it was asked."""
    audio = call.audio
    return (
        f"{call.task} {call.session} {call.turn} {call.params.get('lang')} {call.messages()} "
        f"{audio.dtype} {audio.shape} {float(np.abs(audio).sum()):.3f} {call.hears} {call.speaks}"
    )


async def sings(call: Call) -> AsyncIterator[Output]:
    """So many seconds of a ramp, then a little of int16."""
    n = int(float(call.text) * 16_000)
    yield np.arange(n, dtype=np.float32) / max(n, 1)
    yield "and "
    yield np.arange(100, dtype=np.int16)


def hums(call: Call) -> Output:
    """So many seconds of a tone."""
    return np.sin(np.arange(int(float(call.text) * 16_000)) * 0.1).astype(np.float32) / 2


async def sleeps(call: Call) -> AsyncIterator[Output]:
    """Awaits, and says something all the while."""
    for number in range(10_000):
        yield f"{number} "
        await asyncio.sleep(0.01)


async def clings(call: Call) -> AsyncIterator[Output]:
    """Swallows the cancel and goes on for a while."""
    yield "first "
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        await asyncio.sleep(0.5)
    yield "late"


async def clings_at_once(call: Call) -> str:
    """The same as a function."""
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        await asyncio.sleep(0.5)
    return "late"


def computes(call: Call) -> Iterator[Output]:
    """Burns the processor in a thread, in pieces of about a millisecond, and asks its token between them."""
    yield "first "
    while True:
        call.cancel.check()
        end_s = time.perf_counter() + 0.001
        while time.perf_counter() < end_s:
            pass


def deaf(call: Call) -> Iterator[Output]:
    """Does not ask its token, but ends."""
    yield "first "
    time.sleep(0.7)
    yield "late"


def told(call: Call) -> str:
    """Is told by a callback."""
    stopped = []
    call.cancel.on_cancel(lambda: stopped.append(True))
    while not stopped:
        time.sleep(0.002)
    return "late"


async def asks(call: Call) -> AsyncIterator[Output]:
    """Asks tools in both ways."""
    found = yield ToolCall("look", {"at": "the clock"})
    yield f"saw {found}, "
    yield "then " + await call.tool("touch", "{}")


def asks_in_threads(call: Call) -> Iterator[Output]:
    """The same in threads."""
    found = yield ToolCall("look", {"at": "the clock"})
    yield f"saw {found}, "
    yield "then " + call.tool_wait("touch", "{}")


async def fails(call: Call) -> AsyncIterator[Output]:
    """Says something, and then fails."""
    yield "first "
    raise ValueError("no such thing: " + "x" * 1_000)


def gives_a_number(call: Call) -> int:
    """Gives what is no output."""
    return 7


class Opened:
    """Has a state from its opening to its end."""

    def open(self) -> None:
        self.word = "open"
        print("opened", file=sys.stderr)

    def close(self) -> None:
        print("closed", file=sys.stderr)

    def forget(self, session: str) -> None:
        print(f"forgot {session}", file=sys.stderr, flush=True)

    async def __call__(self, call: Call) -> str:
        return f"{self.word} {call.text}"


class Broken:
    """Fails to open."""

    def open(self) -> None:
        raise FileNotFoundError("no model here")

    def __call__(self, call: Call) -> str:
        return ""


async def blocks(call: Call) -> str:
    """Blocks the loop for good."""
    time.sleep(600)
    return "late"


if __name__ == "__main__":
    serve(globals()[sys.argv[1]], *sys.argv[2:], wait_s=20.0, parallel=2)
