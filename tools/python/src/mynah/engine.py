"""Engines: a scene that runs, its clock and its events."""

from __future__ import annotations

import ctypes as c
import logging
import os
import weakref
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from mynah import _structs as s
from mynah._library import check, engine_config, library, session_config
from mynah._running import Running
from mynah.constants import SCENE, Drive, Gate
from mynah.event import Event, event_of
from mynah.scenes import scene_text
from mynah.session import Session, json_of

if TYPE_CHECKING:
    from typing_extensions import Self

_LOG = logging.getLogger("mynah")
_FETCH = 256


def _log_to_logging(level: int, text: str) -> None:
    _LOG.log(logging.ERROR if level == 2 else logging.WARNING, "%s", text)


class Engine:
    """An engine that runs a scene. A context manager; without one `close` ends it.

    One thread at a time calls it; `Session.push` and `Session.pull` may be called from audio threads.
    """

    def __init__(
        self,
        scene: str | os.PathLike[str],
        *,
        drive: Drive = Drive.REAL,
        sessions_max: int = 64,
        threads: int = 1,
        events_max: int = 4_096,
        seed: int = 1,
        settings: Iterable[str] = (),
        log: Callable[[int, str], None] | None = None,
    ) -> None:
        """Compiles a scene and starts it.

        `scene`: RON text, a path, or the name of a scene of the checkout. `sessions_max`: 1 to 1,000,000 open at once.
        `threads`: 1 to 256, never changes a result. `events_max`: 64 to 1,048,576 wait to be fetched. `seed`: of all
        random numbers. `settings`: replace the scene's, such as "gate.threshold=0.8". `log`: told of warnings, with 1
        (warning) or 2 (error) and the text; `None`: the logger "mynah" is.

        `SceneError`: scene or settings are wrong. `MynahError`: a number is out of range. `ImportError`: no library.
        """
        name, text = scene_text(scene)
        told = log or _log_to_logging
        call = s.LogFn(lambda _, level, said: told(level, (said or b"").decode("utf-8", "replace")))
        config = engine_config()
        config.drive, config.sessions_max, config.threads = int(drive), sessions_max, threads
        config.events_max, config.seed = events_max, seed
        config.scene_name = name.encode()
        config.settings = "\n".join(settings).encode()
        config.log = call
        source, handle = text.encode(), c.c_void_p()
        check(library().mynah_open(c.addressof(config), source, len(source), c.addressof(handle)))
        assert handle.value is not None, "an open engine has a handle"
        self._running = Running(handle.value, call)
        self._sessions: dict[int, Session] = {}
        self._fetched = (s.EventStruct * _FETCH)()

    @property
    def handle(self) -> int:
        """The library's number for the engine. `ClosedError`: it is closed."""
        return self._running.handle

    @property
    def now_us(self) -> int:
        """Engine time in microseconds: of the last tick, or of now with `Drive.THREAD`."""
        return library().mynah_now_us(self.handle)

    def tick(self, now_us: int) -> None:
        """One tick at engine time `now_us`, microseconds; times ascend. Not with `Drive.THREAD`."""
        check(library().mynah_tick(self.handle, now_us))

    def step(
        self, sessions: Any, n: int, pcm: Any, frames: int, out: Any, out_frames: int, got: Any, until_us: int
    ) -> None:
        """`mynah_step` as it is, with addresses: push, ticks up to `until_us`, pull for `n` sessions. `VoiceVec` has it
        with arrays."""
        check(library().mynah_step(self.handle, sessions, n, pcm, frames, out, out_frames, got, until_us))

    def events(self) -> list[Event]:
        """What has happened since the last call, oldest first."""
        events: list[Event] = []
        count = c.c_size_t()
        while True:
            check(library().mynah_events(self.handle, c.addressof(self._fetched), _FETCH, c.addressof(count)))
            for raw in self._fetched[: count.value]:
                events.append(event_of(raw, self._sessions.get(raw.session)))
            if count.value < _FETCH:
                return events

    def open(
        self,
        name: str,
        *,
        user: int = 0,
        input: tuple[int, int] | None = None,
        output: tuple[int, int] | None = None,
        lead_ms: int = SCENE,
        latency_ms: int = 0,
        interrupt_min_ms: int = SCENE,
        half_duplex: bool | None = None,
        gate: Gate = Gate.AUTO,
        params: Mapping[str, Any] | None = None,
        history: str | None = None,
    ) -> Session:
        """Opens a session. It takes audio at once and is admitted by the next tick.

        `name`: 1 to 128 bytes, not in use. `user`: comes back with its events. `input`, `output`: (Hz, channels) of the
        audio that arrives and leaves; `None`: the scene's. `lead_ms`: how far ahead of the ear answers leave, 0 to
        10,000. `latency_ms`: of the device, 0 to 10,000. `interrupt_min_ms`: speech of this length withdraws an answer,
        100 to 5,000, or `NEVER`. `half_duplex`: whether nothing counts as speech while an answer sounds. `gate`: its
        mode at first. `params`: what services should know. `history`: the conversation that goes on, as
        `Session.history` gave it.

        `SettingError`: one is out of range. `FullError`: the name is in use, or as many are open as may be.
        """
        config = session_config()
        config.name, config.user = name.encode(), user
        config.input_rate_hz, config.input_channels = input or (0, 0)
        config.output_rate_hz, config.output_channels = output or (0, 0)
        config.lead_ms, config.latency_ms, config.interrupt_min_ms = lead_ms, latency_ms, interrupt_min_ms
        config.half_duplex = SCENE if half_duplex is None else int(half_duplex)
        config.gate = int(gate)
        config.params = None if params is None else json_of(params)
        config.history = None if history is None else history.encode()
        handle = c.c_void_p()
        check(library().mynah_session_open(self.handle, c.addressof(config), c.addressof(handle)))
        assert handle.value is not None, "an open session has a handle"
        session = Session(self._running, handle.value, name, weakref.WeakMethod(self._forget))
        self._sessions[handle.value] = session
        return session

    def _forget(self, handle: int) -> None:
        # Of a session that closes: events name it no more.
        self._sessions.pop(handle, None)

    def close(self) -> None:
        """Ends the engine and its sessions; waits for a tick under way. Again: does nothing."""
        self._running.close()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._running.closed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def close_all() -> None:
    """Ends all engines of the process."""
    check(library().mynah_close_all())
