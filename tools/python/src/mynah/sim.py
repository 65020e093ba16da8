"""Many sessions in virtual time, a step at a time, with NumPy arrays."""

from __future__ import annotations

import ctypes as c
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mynah._library import check, library
from mynah._messages import Entry, Messages
from mynah.constants import SCENE, Drive, Gate
from mynah.engine import Engine
from mynah.session import Formats, Session
from mynah.step import EVENT, RAW, Step

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["EVENT", "Step", "VoiceVec"]


@dataclass(frozen=True)
class _Setup:
    """What a `VoiceVec` is made of: enough to make another."""

    scene: str | os.PathLike[str]
    n: int
    seed: int
    threads: int
    step_ms: int
    settings: tuple[str, ...]
    events_max: int
    session: dict[str, Any] = field(default_factory=dict)


class VoiceVec(Messages):
    """N sessions of one scene that step together in virtual time: push, ticks, pull, events, in one call.

    The same scene, seed and calls give the same results bit for bit, for any number of threads. One Python thread at a
    time; the interpreter's lock is free while the library works. A context manager; without one `close` ends it.
    """

    def __init__(
        self,
        scene: str | os.PathLike[str],
        n: int,
        *,
        seed: int = 1,
        threads: int = 1,
        step_ms: int = 20,
        settings: Iterable[str] = (),
        input_rate: int | None = None,
        input_channels: int = 1,
        output_rate: int | None = None,
        output_channels: int = 1,
        lead_ms: int | None = None,
        interrupt_min_ms: int = SCENE,
        half_duplex: bool | None = None,
        gate: Gate = Gate.AUTO,
        params: Mapping[str, Any] | None = None,
        events_max: int | None = None,
        keep_inputs: bool = False,
    ) -> None:
        """Opens an engine and `n` sessions.

        `scene`: RON text, a path, or the name of a scene of the checkout. `step_ms`: 1 to 1,000. `settings`: replace
        the scene's, such as "gate.threshold=0.8". `input_rate`, `output_rate`: Hz, with the channels beside them;
        `None`: rate and channels of the scene. Rates times `step_ms` are whole frames. `lead_ms`: how far ahead of the
        ear answers leave; `None`: as the scene has it, with steps above 20 ms a step, as less would leave holes in
        answers. The rest of a session: `Engine.open`. `events_max`: most events of one step; more come with the next.
        `keep_inputs`: for `fork`.

        `SceneError`, `SettingError`, `ValueError`: something is out of range. `ImportError`: no library.
        """
        if n < 1:
            raise ValueError(f"n is {n}; expected 1 or more")
        if not 1 <= step_ms <= 1_000:
            raise ValueError(f"step_ms is {step_ms}; expected 1 to 1000")
        session = {
            "input": None if input_rate is None else (input_rate, input_channels),
            "output": None if output_rate is None else (output_rate, output_channels),
            "lead_ms": lead_ms if lead_ms is not None else SCENE if step_ms <= 20 else step_ms,
            "interrupt_min_ms": interrupt_min_ms,
            "half_duplex": half_duplex,
            "gate": gate,
            "params": params,
        }
        most = events_max or min(1 << 20, max(4_096, 64 * n))
        self._setup = _Setup(scene, n, seed, threads, step_ms, tuple(settings), most, session)
        self._journal: list[Entry] | None = [] if keep_inputs else None
        self._raw = np.zeros(most, RAW)
        self._count = c.c_size_t()
        self._handles = np.zeros(n, np.uintp)
        self._number = 0
        self._begin()

    def _begin(self) -> None:
        """A fresh engine with all sessions."""
        setup = self._setup
        self._engine = Engine(
            setup.scene,
            drive=Drive.VIRTUAL,
            # A place is free again at the tick behind a close.
            sessions_max=min(2 * setup.n, 1_000_000),
            threads=setup.threads,
            events_max=setup.events_max,
            seed=setup.seed,
            settings=setup.settings,
        )
        try:
            self._sessions: list[Session] = [self._open(i, 0) for i in range(setup.n)]
            self._episodes = [0] * setup.n
            self._held = np.zeros(setup.n, np.bool_)
            self._measure()
        except BaseException:
            self._engine.close()
            raise

    def _open(self, i: int, episode: int) -> Session:
        name = f"s{i}" if episode == 0 else f"s{i}.{episode}"
        session = self._engine.open(name, user=i, **self._setup.session)
        self._handles[i] = session.handle
        return session

    def _measure(self) -> None:
        """Shapes of the arrays, from the sessions' formats."""
        formats, n = self._sessions[0].formats, self.n
        self.formats: Formats = formats
        """Rates and channels of the sessions."""
        self.samples: int = self._frames("input", formats.input_rate_hz)
        """Sample frames that a step takes of each session."""
        self.out_samples: int = self._frames("output", formats.output_rate_hz)
        """Sample frames that a step gives of each session; 0: the scene puts out no audio."""
        inward, outward = formats.input_channels, formats.output_channels
        self._in_shape = (n, self.samples) if inward == 1 else (n, self.samples, inward)
        self._out_shape = (n, self.out_samples) if outward <= 1 else (n, self.out_samples, outward)

    def _frames(self, side: str, rate_hz: int) -> int:
        frames, rest = divmod(rate_hz * self._setup.step_ms, 1_000)
        if rest:
            raise ValueError(
                f"{self._setup.step_ms} ms of {side} at {rate_hz} Hz are no whole frames: choose another step or rate"
            )
        return frames

    @property
    def n(self) -> int:
        """How many sessions there are."""
        return self._setup.n

    @property
    def seed(self) -> int:
        """Seed of all random numbers."""
        return self._setup.seed

    @property
    def step_ms(self) -> int:
        """Length of a step, ms."""
        return self._setup.step_ms

    @property
    def now_us(self) -> int:
        """Engine time, microseconds: that of the last step's end."""
        return self._engine.now_us

    @property
    def steps(self) -> int:
        """Steps since the engine began."""
        return self.now_us // (1_000 * self._setup.step_ms)

    def step(self, pcm: NDArray[np.float32]) -> Step:
        """Pushes a step of sound into every session, lets time pass, and gives what came of it.

        `pcm`: float32 from -1 to 1, [N, samples], or [N, samples, channels] with several. A session that has ended gets
        silence. `TypeError`, `ValueError`: the array is another; `FullError`: a session takes no more, and the step is
        done for the others.
        """
        pcm = self._checked(pcm)
        if self._journal is not None:
            self._journal.append(("step", pcm.copy()))
        return self._step(pcm)

    def _step(self, pcm: NDArray[np.float32]) -> Step:
        engine, n, out_samples = self._engine, self.n, self.out_samples
        out = np.empty(self._out_shape, np.float32)
        got = np.empty(n, np.uint32)
        until_us = engine.now_us + 1_000 * self._setup.step_ms
        # Whatever fails, the texts of the step before may be gone.
        self._number += 1
        engine.step(
            self._handles.ctypes.data,
            n,
            pcm.ctypes.data,
            self.samples,
            out.ctypes.data,
            out_samples,
            got.ctypes.data,
            until_us,
        )
        room, count = self._raw, self._count
        check(library().mynah_events(engine.handle, room.ctypes.data, len(room), c.addressof(count)))
        return Step(self, self._number, out, got, room[: count.value])

    def _checked(self, pcm: NDArray[np.float32]) -> NDArray[np.float32]:
        if not isinstance(pcm, np.ndarray) or pcm.dtype != np.float32:
            kind = pcm.dtype if isinstance(pcm, np.ndarray) else type(pcm).__name__
            raise TypeError(f"pcm is {kind}; expected a NumPy array of float32 from -1 to 1")
        if pcm.shape != self._in_shape:
            raise ValueError(f"pcm has the shape {pcm.shape}; expected {self._in_shape}")
        return np.ascontiguousarray(pcm)

    def has_texts_of(self, number: int) -> bool:
        """Whether the texts of the step with this number still live."""
        return number == self._number and not self._engine.closed

    # Beginning anew.

    def reset(self, mask: NDArray[np.bool_] | None = None, seed: int | None = None) -> None:
        """Closes sessions and opens new ones in their places.

        `mask`: bool [N], which; `None`: all. `seed`: with all sessions, a fresh engine, so that the same seed repeats
        the same results bit for bit; without it engine time goes on. `ValueError`: a seed for some of the sessions.
        """
        which = np.ones(self.n, np.bool_) if mask is None else np.asarray(mask, np.bool_)
        if which.shape != (self.n,):
            raise ValueError(f"mask has the shape {which.shape}; expected ({self.n},)")
        if seed is None:
            if self._journal is not None:
                self._journal.append(("reset", which.copy()))
            self._reopen(which)
            return
        if not which.all():
            raise ValueError("the seed is the engine's: reset all sessions with it, or give no seed")
        self._engine.close()
        self._setup = _Setup(**{**self._setup.__dict__, "seed": int(seed)})
        self._number += 1
        if self._journal is not None:
            self._journal = []
        self._begin()

    def _reopen(self, which: NDArray[np.bool_]) -> None:
        for i in np.flatnonzero(which).tolist():
            self._sessions[i].close()
            self._episodes[i] += 1
            self._sessions[i] = self._open(i, self._episodes[i])
            self._held[i] = False

    def fork(self, prefix: int | None = None) -> VoiceVec:
        """Another `VoiceVec` in the state that this one had behind its first `prefix` steps; `None`: has now.

        The inputs are kept (`keep_inputs`) and computed again, which is exact, and costs what the prefix cost.
        `RuntimeError`: they were not kept. `ValueError`: there were fewer steps.
        """
        if self._journal is None:
            raise RuntimeError("the inputs were not kept: make the VoiceVec with keep_inputs=True")
        entries = self._journal
        if prefix is not None:
            steps = [at for at, (what, _) in enumerate(entries) if what == "step"]
            if not 0 <= prefix <= len(steps):
                raise ValueError(f"prefix is {prefix}; expected 0 to {len(steps)}, the steps there were")
            entries = entries[: steps[prefix - 1] + 1] if prefix else []
        other = VoiceVec.__new__(VoiceVec)
        other._setup, other._journal, other._count = self._setup, [], c.c_size_t()
        other._raw, other._handles, other._number = np.zeros_like(self._raw), np.zeros_like(self._handles), 0
        other._begin()
        try:
            for entry in entries:
                other._replay(entry)
        except BaseException:
            other.close()
            raise
        return other

    def _replay(self, entry: Entry) -> None:
        what, given = entry
        if what == "step":
            self._step(given)
        elif what == "reset":
            self._reopen(given)
        elif what == "held":
            self._held[:] = given
        else:
            i, arguments, named = given
            getattr(self._sessions[i], what)(*arguments, **named)
        assert self._journal is not None
        self._journal.append(entry)

    # What is asked of a session.

    def history(self, i: int) -> str:
        """The conversation of session `i` so far, as JSON."""
        return self._session(i).history()

    def is_over(self, i: int) -> bool:
        """Whether session `i` has ended."""
        return self._session(i).is_over

    def close(self) -> None:
        """Ends the engine and its sessions. Again: does nothing."""
        self._engine.close()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._engine.closed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
