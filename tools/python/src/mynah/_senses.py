"""What a policy perceives of sessions: events of a step, and what follows from them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mynah.constants import EventFlags, Kind
from mynah.step import Step

EVENTS = tuple(kind.name.lower() for kind in Kind)
"""Columns of events: 1 where the step had one of the kind."""

FEATURES = ("speech", "confirmed", "ended", "since_end_s", "since_onset_s", "level", "answer")
"""Columns behind them, with features:

- `speech`: a segment is open; `confirmed`: it is speech; `ended`: the speaker seems to have finished. 0 or 1
- `since_end_s`: since the end that is believed, 0 while somebody speaks, 10 at most
- `since_onset_s`: since the segment's beginning, 0 without one, 10 at most
- `level`: of the input of the step, 0 (-60 dB of full scale, RMS, and less) to 1
- `answer`: an answer sounds. 0 or 1
"""

_MOST_S = 10.0
_NEVER_US = -(10**9)


class Senses:
    """What is known of each of N sessions, from its events alone."""

    def __init__(self, n: int) -> None:
        """N sessions of which nothing is known yet."""
        self.open = np.zeros(n, np.bool_)
        """Whether a segment is open: something was heard that no answer was asked for yet."""
        self.sounds = np.zeros(n, np.bool_)
        """Whether an answer sounds."""
        self._confirmed = np.zeros(n, np.bool_)
        self._ended = np.zeros(n, np.bool_)
        self._end_us = np.full(n, _NEVER_US, np.int64)
        self._onset_us = np.zeros(n, np.int64)
        self._now_us = np.zeros(n, np.int64)

    def forget(self, which: NDArray[np.bool_]) -> None:
        """Some sessions begin anew."""
        for known in (self.open, self.sounds, self._confirmed, self._ended, self._onset_us, self._now_us):
            known[which] = 0
        self._end_us[which] = _NEVER_US

    def take_in(self, step: Step, step_us: int, which: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Follows the events of a step of `step_us` in some sessions; the columns of events, float32 [N, 23]."""
        flags = np.zeros((len(which), len(EVENTS)), np.float32)
        self._now_us += step_us
        self.sounds = (step.got > 0) & which
        for event in step.events:
            i = int(event["session"])
            if which[i]:
                kind = int(event["kind"])
                if kind <= len(EVENTS):
                    flags[i, kind - 1] = 1.0
                self._follow(i, kind, event)
        return flags

    def _follow(self, i: int, kind: int, event: np.void) -> None:
        if kind == Kind.SPEECH_STARTED:
            self.open[i], self._confirmed[i], self._ended[i] = True, False, False
            self._onset_us[i] = event["from_us"]
        elif kind == Kind.SPEECH_CONFIRMED:
            self._confirmed[i] = True
        elif kind == Kind.SPEECH_CANCELLED:
            self.open[i], self._confirmed[i], self._ended[i] = False, False, False
        elif kind == Kind.END_OF_SPEECH:
            self._ended[i], self._end_us[i] = True, event["until_us"]
            if event["flags"] & EventFlags.LAST:
                self.open[i], self._confirmed[i] = False, False
        elif kind == Kind.END_OF_SPEECH_RETRACTED:
            self._ended[i] = False

    def features(self, pcm: NDArray[np.float32]) -> NDArray[np.float32]:
        """The columns `FEATURES` after a step that had the input `pcm`, float32 [N, 7]."""
        speaks = self.open & ~self._ended
        since_end = np.where(speaks, 0.0, (self._now_us - self._end_us) / 1e6)
        since_onset = np.where(self.open, (self._now_us - self._onset_us) / 1e6, 0.0)
        power = np.square(pcm, dtype=np.float32).mean(axis=tuple(range(1, pcm.ndim)))
        level = 1.0 + np.log10(np.maximum(power, 1e-6)) / 6.0
        columns = (
            self.open,
            self._confirmed,
            self._ended & self.open,
            np.clip(since_end, 0.0, _MOST_S),
            np.clip(since_onset, 0.0, _MOST_S),
            np.clip(level, 0.0, 1.0),
            self.sounds,
        )
        return np.stack(columns, axis=1).astype(np.float32)


def highs(features: bool) -> NDArray[np.float32]:
    """The greatest values of the columns; the least are 0."""
    times = [name.endswith("_s") for name in (*EVENTS, *(FEATURES if features else ()))]
    return np.where(times, _MOST_S, 1.0).astype(np.float32)
