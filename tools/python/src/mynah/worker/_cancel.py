"""How code that does not await learns that nobody wants its answer any more."""

from __future__ import annotations

import threading
from collections.abc import Callable

from mynah.worker._say import say_trace


class Cancelled(Exception):
    """The call was cancelled: raised by `CancelToken.check`, and by waits for tools. Let it pass."""


class CancelToken:
    """Tells whether a call was cancelled; any thread may ask. An asyncio service needs none: its task is cancelled."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], object]] = []

    @property
    def cancelled(self) -> bool:
        """Whether the call was cancelled."""
        return self._event.is_set()

    def check(self) -> None:
        """Raises `Cancelled` if the call was cancelled: to be called between chunks of work."""
        if self._event.is_set():
            raise Cancelled

    def wait(self, timeout_s: float | None = None) -> bool:
        """Waits until the call is cancelled, at most `timeout_s` seconds; whether it was. A sleep that ends early."""
        return self._event.wait(timeout_s)

    def on_cancel(self, callback: Callable[[], object]) -> None:
        """Runs `callback` once when the call is cancelled, in a thread of its own; at once if it was already.

        For libraries that are stopped from outside. It should return soon.
        """
        with self._lock:
            if not self._event.is_set():
                self._callbacks.append(callback)
                return
        callback()

    def _set(self) -> None:
        with self._lock:
            self._event.set()
            callbacks, self._callbacks = self._callbacks, []
        if callbacks:
            threading.Thread(target=_run, args=(callbacks,), name="mynah-on-cancel", daemon=True).start()


def _run(callbacks: list[Callable[[], object]]) -> None:
    for callback in callbacks:
        try:
            callback()
        except Exception as error:
            say_trace(error)
