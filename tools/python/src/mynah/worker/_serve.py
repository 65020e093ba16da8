"""A worker from its start to its end."""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from mynah.worker._ending import Ended, WorkerEnd
from mynah.worker._line import LEAVE_S, Line, exit_late
from mynah.worker._names import PROTOCOL, TASKS, ServiceNames, checked_name, worker_name
from mynah.worker._ports import checked_iceoryx2
from mynah.worker._say import say, say_trace
from mynah.worker._signals import asked_to_end, waking
from mynah.worker._work import TaskWork, ThreadWork, failure, is_async

SWITCH_S = 0.001


def serve(
    service: Any,
    task: str = "Reply",
    *,
    engine: str | None = None,
    name: str | None = None,
    parallel: int = 4,
    wait_s: float = 30.0,
    label: str | None = None,
    prefix: str | None = None,
) -> None:
    """Answers the calls of an engine until it says goodbye, or Ctrl-C or SIGTERM ends the worker.

    `service` takes a `Call` and is an async generator function or async function, which run as tasks of one loop in
    this thread, or a generator function or function, which run in `parallel` threads; or an object or class whose
    instances are called like one of these. It yields, or returns, `Output`. An object may also have `open()` (before
    the engine hears of the worker: load a model there), `close()` (at the end) and `forget(session)`; all may be async
    where the service is.

    A call that is cancelled: a task is cancelled, in a thread `call.cancel` says so. What the service gives afterwards
    is dropped, and the engine is told when it has stopped. An exception fails its call, and the worker goes on.

    `task`: "Transcribe" (audio to text), "Reply" (text to text or audio) or "Synthesize" (text to audio). `engine` and
    `name` name the engine and the scene's service; where an engine starts the worker, it sets `MYNAH_ENGINE` and
    `MYNAH_SERVICE`. `parallel`: calls at once, 1 to 64. `wait_s`: so long the worker waits for an engine. `label`: how
    the engine calls it in its log. `prefix`: of files in shared memory, `MYNAH_IPC_PREFIX` where there is none.

    Raises `Ended`, which is a `SystemExit`, after a sentence on stderr: the engine refused the worker or nobody
    answered (1), the worker could not run (2), the engine died (3).
    """
    try:
        checked_iceoryx2()
        names = _checked_names(task, engine, name, parallel)
        if inspect.isclass(service):
            service = service()
        hello = _hello(names, task, label or _label(service), parallel)
        _Worker(service, Line(names, hello, wait_s, prefix), parallel).run()
    except Ended as end:
        say(end.sentence)
        raise


def _checked_names(task: str, engine: str | None, name: str | None, parallel: int) -> ServiceNames:
    try:
        if task not in TASKS:
            raise ValueError(f"task is {task!r}; expected one of {', '.join(TASKS)}")
        if not 1 <= parallel <= 64:
            raise ValueError(f"parallel is {parallel}; expected 1 to 64")
        return ServiceNames(
            checked_name("engine", engine, "MYNAH_ENGINE"),
            checked_name("name", name, "MYNAH_SERVICE"),
            worker_name(),
        )
    except ValueError as error:
        raise Ended(WorkerEnd.UNABLE, str(error)) from None


def _hello(names: ServiceNames, task: str, label: str, parallel: int) -> dict[str, Any]:
    from mynah import __version__

    return {
        "protocol": PROTOCOL,
        "worker": names.worker,
        "pid": os.getpid(),
        "package": f"mynah {__version__}",
        "serves": task,
        "name": label,
        "parallel": parallel,
    }


def _label(service: Any) -> str:
    return str(getattr(service, "__name__", type(service).__name__))[:40]


class _Worker:
    """A service, the thread that talks to the engine, and this thread, in which the service opens and closes."""

    def __init__(self, service: Any, line: Line, parallel: int) -> None:
        self._service, self._line, self._parallel = service, line, parallel
        self._finished = threading.Event()

    def run(self) -> None:
        """Until the end. `Ended`: it was none by goodbye."""
        # The thread of the ports waits for the interpreter no longer than this where a service computes in Python.
        sys.setswitchinterval(SWITCH_S)
        with asked_to_end(lambda name: self._line.leave(f"it was asked to end by {name}")):
            if is_async(self._service):
                loop = asyncio.new_event_loop()
                try:
                    with waking(loop):
                        loop.run_until_complete(self._run_tasks(loop))
                finally:
                    # Tasks that nothing stops are left behind: the process ends.
                    loop.close()
            else:
                self._run_threads()
        self._finished.set()
        if self._line.end is not None:
            raise self._line.end
        say(self._sentence())

    def _run_threads(self) -> None:
        opened = self._guarded("open")
        if inspect.isawaitable(opened):
            raise Ended(WorkerEnd.UNABLE, "open() is async, but the service is not")
        self._line.work = ThreadWork(self._service, self._line.desk, self._parallel)
        self._start(lambda: None)
        # Signals are looked at between two waits, whichever thread they reached.
        while not self._line.ended.wait(0.5):
            pass
        self._guarded("close")

    async def _run_tasks(self, loop: asyncio.AbstractEventLoop) -> None:
        opened = self._guarded("open")
        if inspect.isawaitable(opened):
            await self._awaited("open", opened)
        over = asyncio.Event()
        self._line.work = TaskWork(self._service, self._line.desk, loop)
        self._start(lambda: loop.call_soon_threadsafe(over.set))
        await over.wait()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        if tasks:
            await asyncio.wait(tasks, timeout=LEAVE_S)
        closed = self._guarded("close")
        if inspect.isawaitable(closed):
            await self._awaited("close", closed)

    def _guarded(self, step: str) -> Any:
        """Calls `open` or `close`, where the service has it. `Ended`: it failed to open."""
        function = getattr(self._service, step, None)
        if function is None:
            return None
        try:
            return function()
        except Exception as error:
            self._failed(step, error)

    async def _awaited(self, step: str, awaitable: Awaitable[Any]) -> None:
        try:
            await awaitable
        except Exception as error:
            self._failed(step, error)

    def _failed(self, step: str, error: Exception) -> None:
        say_trace(error)
        if step == "open":
            raise Ended(WorkerEnd.UNABLE, f"the service failed to open: {failure(error)}") from None

    def _start(self, on_end: Callable[[], object]) -> None:
        threading.Thread(target=self._line.run, args=(on_end,), name="mynah-line", daemon=True).start()
        threading.Thread(
            target=exit_late,
            args=(self._line, self._finished, self._sentence),
            name="mynah-exit",
            daemon=True,
        ).start()

    def _sentence(self) -> str:
        return self._line.end.sentence if self._line.end is not None else f"the end: {self._line.why}"
