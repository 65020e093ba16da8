"""Sessions that go on all the time while a server is attacked, in a process of their own: what comes back late there is
what the attacks cost, and nothing that the attacker's process does to itself.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from multiprocessing.connection import Connection

from serving import PIECE_BYTES, Session


async def _live(url: str, headers: dict[str, str], count: int, asks: Connection) -> None:
    sessions = [await Session.open(url, headers) for _ in range(count)]
    talks = [asyncio.create_task(one.say_in_time(3_600, bytes(PIECE_BYTES))) for one in sessions]
    asks.send("open")
    while True:
        while not asks.poll():
            await asyncio.sleep(0.02)
        if asks.recv() == "end":
            break
        asks.send([ms for one in sessions for ms in one.echo_ms])
        for one in sessions:
            one.echo_ms = []
    for talk in talks:
        talk.cancel()
    await asyncio.gather(*talks, return_exceptions=True)
    codes = await asyncio.gather(*(one.finish() for one in sessions))
    asks.send(all(code == 1000 for code in codes) and all(one.sent == one.got for one in sessions))


def _process(url: str, headers: dict[str, str], count: int, asks: Connection) -> None:
    asyncio.run(_live(url, headers, count, asks))


class Honest:
    """Callers whose audio comes back."""

    def __init__(self, url: str, headers: dict[str, str], count: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._asks, theirs = context.Pipe()
        self._process = context.Process(target=_process, args=(url, headers, count, theirs), daemon=True)
        self._process.start()
        theirs.close()
        self._answer()

    def _answer(self) -> object:
        if not self._asks.poll(20):
            raise SystemExit("the honest sessions do not answer")
        try:
            return self._asks.recv()
        except EOFError:
            raise SystemExit("the honest sessions have ended") from None

    def echoes_ms(self) -> list[float]:
        """Round trips since this was last asked."""
        self._asks.send("take")
        return self._answer()

    def end(self) -> bool:
        """Stops them. Whether all that was said has come back."""
        self._asks.send("end")
        held = self._answer()
        self._process.join()
        return held
