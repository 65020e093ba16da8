"""Wakes all tasks that wait for something to have changed."""

from __future__ import annotations

import asyncio


class Bell:
    """Rung when something has changed. Who waits looks again, and waits again."""

    def __init__(self) -> None:
        self._next: asyncio.Future[None] | None = None

    def ring(self) -> None:
        """Wakes all that wait now."""
        if self._next is not None and not self._next.done():
            self._next.set_result(None)
        self._next = None

    async def wait(self, timeout_s: float | None = None) -> None:
        """Waits for the next ring, or so long."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        # The future is everybody's: who gives up must not cancel it.
        await asyncio.wait([self._next], timeout=timeout_s)
