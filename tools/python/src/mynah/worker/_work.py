"""Runs a service: as tasks of asyncio, or in threads."""

from __future__ import annotations

import asyncio
import functools
import inspect
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from mynah.worker._cancel import Cancelled
from mynah.worker._desk import Desk, Job
from mynah.worker._output import Partial, ToolCall
from mynah.worker._say import say, say_trace

REASON_CHARS_MAX = 300
"""Most characters of the reason that a call failed for."""


class Work(Protocol):
    """Runs jobs. `start` and `forget` are called by the thread of the ports and return at once."""

    def start(self, job: Job) -> None:
        """Begins a job as soon as it can."""

    def forget(self, session: str) -> None:
        """A session is over."""


def is_async(service: Any) -> bool:
    """Whether a service awaits: an async function or generator, or an object that is called like one."""
    while isinstance(service, functools.partial):
        service = service.func
    kinds = (inspect.iscoroutinefunction, inspect.isasyncgenfunction)
    if inspect.isfunction(service) or inspect.ismethod(service):
        return any(kind(service) for kind in kinds)
    return any(kind(type(service).__call__) for kind in kinds)


def failure(error: BaseException) -> str:
    """Class and message of an exception."""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return text[:REASON_CHARS_MAX]


class TaskWork:
    """Jobs as tasks of a loop. A cancel cancels the task; the job has ended when the task has."""

    def __init__(self, service: Any, desk: Desk, loop: asyncio.AbstractEventLoop) -> None:
        self._service, self._desk, self._loop = service, desk, loop
        self._forgets: set[asyncio.Task[None]] = set()

    def start(self, job: Job) -> None:
        """Begins a job as soon as the loop is free."""
        self._loop.call_soon_threadsafe(self._begin, job)

    def forget(self, session: str) -> None:
        """Tells the service, if it wants to know."""
        if hasattr(self._service, "forget"):
            self._loop.call_soon_threadsafe(self._forget, session)

    def _forget(self, session: str) -> None:
        task = self._loop.create_task(self._forgets_session(session))
        self._forgets.add(task)
        task.add_done_callback(self._forgets.discard)

    async def _forgets_session(self, session: str) -> None:
        try:
            result = self._service.forget(session)
            if inspect.isawaitable(result):
                await result
        except Exception as error:
            say_trace(error)

    def _begin(self, job: Job) -> None:
        job.began_s = time.monotonic()
        task = self._loop.create_task(self._answer(job))
        # First the means to stop it, then the look whether it is to be stopped: the cancel does it the other way round.
        job.stop = lambda: self._loop.call_soon_threadsafe(task.cancel)
        # A task that is cancelled before its first step never runs: only its end is sure to come.
        task.add_done_callback(lambda ended: self._ended(job, ended))
        if job.cancelled:
            task.cancel()

    def _ended(self, job: Job, task: asyncio.Task[str]) -> None:
        if task.cancelled():
            self._desk.end(job, "Failed", {"reason": "CancelledError: the service cancelled itself"})
            return
        error = task.exception()
        if error is None:
            self._desk.end(job, task.result(), {})
        else:
            tell(job, error)
            self._desk.end(job, "Failed", {"reason": failure(error)})

    async def _answer(self, job: Job) -> str:
        """Runs the service; how the job ends."""
        given = self._service(job.call)
        if inspect.isawaitable(given):
            given = await given
        if not hasattr(given, "__anext__"):
            return await self._say_all(job, given)
        value = None
        try:
            while True:
                try:
                    output = await (given.asend(value) if hasattr(given, "asend") else given.__anext__())
                except StopAsyncIteration:
                    return "Done"
                value = await self._say(job, output)
        finally:
            if hasattr(given, "aclose"):
                await given.aclose()

    async def _say_all(self, job: Job, given: Any) -> str:
        for output in given if isinstance(given, (list, tuple)) or hasattr(given, "__next__") else [given]:
            await self._say(job, output)
        return "Done"

    async def _say(self, job: Job, output: Any) -> str | None:
        if isinstance(output, ToolCall):
            return await job.ask_async(output)
        if isinstance(output, Partial):
            job.tell("Partial", {"text": output.text})
        elif output is not None:
            await job.say_async(output)
        return None


class ThreadWork:
    """Jobs in threads. A cancel sets the call's token; the job has ended when the service has returned."""

    def __init__(self, service: Any, desk: Desk, threads: int) -> None:
        self._service, self._desk = service, desk
        self._claim = threading.Lock()
        self._claimed: set[int] = set()
        self._waiting: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        for number in range(threads):
            threading.Thread(target=self._run, name=f"mynah-work-{number}", daemon=True).start()

    def start(self, job: Job) -> None:
        """Begins a job as soon as a thread is free."""
        job.stop = lambda: self._stop(job)
        self._waiting.put(lambda: self._work(job))

    def forget(self, session: str) -> None:
        """Tells the service, if it wants to know."""
        if hasattr(self._service, "forget"):
            self._waiting.put(lambda: self._service.forget(session))

    def _run(self) -> None:
        while True:
            try:
                self._waiting.get()()
            except Exception as error:
                say_trace(error)

    def _is_mine(self, job: Job) -> bool:
        """Whether the caller is the first: who waits is stopped at once, and not begun any more."""
        with self._claim:
            if id(job) in self._claimed:
                return False
            self._claimed.add(id(job))
            return True

    def _stop(self, job: Job) -> None:
        if self._is_mine(job):
            self._desk.end(job, "Failed", {"reason": "it was cancelled before it began"})

    def _work(self, job: Job) -> None:
        mine = self._is_mine(job)
        if mine:
            job.began_s = time.monotonic()
            try:
                end, fields = self._answer(job), {}
            except BaseException as error:
                tell(job, error)
                end, fields = "Failed", {"reason": failure(error)}
            self._desk.end(job, end, fields)
        with self._claim:
            self._claimed.discard(id(job))

    def _answer(self, job: Job) -> str:
        """Runs the service; how the job ends."""
        given = self._service(job.call)
        if inspect.isawaitable(given) or hasattr(given, "__anext__"):
            raise TypeError("the service is no async function, but gives what must be awaited: make it one")
        if not hasattr(given, "__next__"):
            given = iter(given if isinstance(given, (list, tuple)) else [given])
        value: str | None = None
        try:
            while True:
                try:
                    output = given.send(value) if hasattr(given, "send") else next(given)
                except StopIteration:
                    return "Done"
                value = self._say(job, output)
        finally:
            if hasattr(given, "close"):
                given.close()

    def _say(self, job: Job, output: Any) -> str | None:
        if isinstance(output, ToolCall):
            return job.ask(output)
        if isinstance(output, Partial):
            job.tell("Partial", {"text": output.text})
        elif output is not None:
            job.say(output)
        return None


def tell(job: Job, error: BaseException) -> None:
    """Says on stderr what went wrong; of a call that was cancelled, only what is no consequence of that."""
    if isinstance(error, Cancelled) and job.cancelled:
        return
    say(f"call {job.call.id} of session {job.call.session!r} failed:")
    say_trace(error)
