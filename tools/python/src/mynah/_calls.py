"""Callers from recordings: what they say next, and whether they speak or wait for an answer, by the labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mynah.recordings import Recording

_NEVER = np.iinfo(np.int64).max


class Callers:
    """N callers, each with a recording and a position in it. Times are sample frames."""

    def __init__(
        self, n: int, recordings: Sequence[Recording], step: int, lead_ms: int, tail_ms: int
    ) -> None:
        """`step`: frames that a caller says at once; `lead_ms`, `tail_ms`: most silence before, and silence behind."""
        rate = recordings[0].rate_hz
        self._step, self._rate = step, rate
        self._lead = lead_ms * rate // 1_000
        tail = tail_ms * rate // 1_000
        lengths = [self._lead + len(recording.sound) + tail for recording in recordings]
        # Whole steps, so that the last one of a call lies inside.
        self._sound = np.zeros((len(recordings), max(lengths) + 2 * step), np.float32)
        most = max(len(recording.utterances) for recording in recordings)
        starts = np.full((len(recordings), most), _NEVER)
        ends = np.full((len(recordings), most), _NEVER)
        for at, recording in enumerate(recordings):
            self._sound[at, self._lead : self._lead + len(recording.sound)] = recording.sound
            for number, said in enumerate(recording.utterances):
                starts[at, number] = self._lead + said.start_ms * rate // 1_000
                ends[at, number] = self._lead + said.end_ms * rate // 1_000
        self._starts, self._ends, self._lengths = starts, ends, np.array(lengths)
        self._window = np.arange(step)
        self.which = np.zeros(n, np.int64)
        """Number of each caller's recording."""
        self.at = np.zeros(n, np.int64)
        """Where each caller is."""
        self.answered = np.zeros(n, np.int64)
        """Utterances of each caller that are answered, or were ended by a later answer."""

    def begin(self, which: NDArray[np.bool_], random: np.random.Generator) -> None:
        """Gives some callers a recording each, and a little silence before it, by chance."""
        count = int(which.sum())
        self.which[which] = random.integers(0, len(self._sound), count)
        self.at[which] = random.integers(0, self._lead + 1, count)
        self.answered[which] = 0

    def hear(self) -> NDArray[np.float32]:
        """What the callers say in the next step, float32 [N, step]."""
        return self._sound[self.which[:, None], self.at[:, None] + self._window]

    def go_on(self, which: NDArray[np.bool_]) -> None:
        """Some callers have said it."""
        self.at[which] += self._step

    def state(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.int64]]:
        """Who speaks, who waits for an answer, and how many utterances of each are over; [N] each."""
        started = (self._starts[self.which] <= self.at[:, None]).sum(1)
        over = (self._ends[self.which] <= self.at[:, None]).sum(1)
        speaks = started > over
        return speaks, ~speaks & (over > self.answered), over

    def waited_ms(self, over: NDArray[np.int64]) -> NDArray[np.float64]:
        """Milliseconds since the end of each caller's last utterance of `over`; 0 without one."""
        last = np.maximum(over - 1, 0)
        ends = self._ends[self.which, last]
        return np.where(over > 0, (self.at - ends) * (1_000.0 / self._rate), 0.0)

    def are_done(self) -> NDArray[np.bool_]:
        """Whose recording and the silence behind it are over, [N]."""
        return self.at >= self._lengths[self.which]
