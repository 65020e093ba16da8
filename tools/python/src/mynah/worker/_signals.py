"""Ctrl-C and SIGTERM: they ask the worker to say goodbye."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_NUMBERS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def asked_to_end(leave: Callable[[str], object]) -> Iterator[None]:
    """Calls `leave` with the signal's name the first time; the second time the signal ends the process at once.

    Only the main thread may do so; in any other, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _NUMBERS}

    def asked(number: int, _frame: object) -> None:
        for each in _NUMBERS:
            signal.signal(each, signal.SIG_DFL)
        leave(signal.Signals(number).name)

    for number in _NUMBERS:
        signal.signal(number, asked)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def waking(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Signals wake the loop, whichever thread they reached: their handlers run in the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    end, other = socket.socketpair()
    try:
        for each in (end, other):
            each.setblocking(False)
        loop.add_reader(end, lambda: end.recv(4096))
        before = signal.set_wakeup_fd(other.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            loop.remove_reader(end)
    finally:
        end.close()
        other.close()


def leave_signals_to_others() -> None:
    """This thread gets no signals, so that its waits are not interrupted."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, _NUMBERS)
