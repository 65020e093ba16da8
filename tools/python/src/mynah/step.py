"""What a step of many sessions gives: sound, and events as a structured array with texts on demand."""

from __future__ import annotations

import ctypes as c
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mynah._structs import EventStruct
from mynah.event import Spoken, spoken_at, text_at

if TYPE_CHECKING:
    from mynah.sim import VoiceVec

_SIZES = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


def _raw_dtype() -> np.dtype[np.void]:
    names = [field for field, *_ in EventStruct._fields_]
    places = [getattr(EventStruct, name) for name in names]
    return np.dtype(
        {
            "names": names,
            "formats": [_SIZES[place.size] for place in places],
            "offsets": [place.offset for place in places],
            "itemsize": c.sizeof(EventStruct),
        }
    )


RAW = _raw_dtype()
"""`mynah_event` as the library writes it, addresses included."""

EVENT = np.dtype(
    [
        ("kind", np.uint8),
        ("flags", np.uint8),
        ("session", np.uint32),
        ("segment", np.uint32),
        ("revision", np.uint32),
        ("turn", np.uint32),
        ("t_us", np.uint64),
        ("from_us", np.uint64),
        ("until_us", np.uint64),
        ("number", np.uint64),
    ]
)
"""An event: `kind` (a `Kind`), `flags` (`EventFlags`), `session` (0 to N-1), and the numbers of `mynah_event`. It has
no addresses, so that equal runs have equal bytes."""

_NONE = np.empty(0, EVENT)
_NO_RAW = np.empty(0, RAW)
_SHARED = tuple(name for name in EVENT.names or () if name != "session")


def events_of(raw: NDArray[np.void]) -> NDArray[np.void]:
    """A copy of raw events in the dtype `EVENT`; the session is what it was opened with, `user`."""
    if not len(raw):
        return _NONE.copy()
    events = np.empty(len(raw), EVENT)
    for name in _SHARED:
        events[name] = raw[name]
    events["session"] = raw["user"]
    return events


class Step:
    """What one step gave. Sound and events are the caller's; texts live with the library until the next step, and
    longer once `keep` was called."""

    __slots__ = ("_number", "_raw", "_texts", "_vec", "events", "got", "out")

    def __init__(
        self,
        vec: VoiceVec,
        number: int,
        out: NDArray[np.float32],
        got: NDArray[np.uint32],
        raw: NDArray[np.void],
    ) -> None:
        """The step `number` of `vec`; `VoiceVec.step` makes it."""
        self.out = out
        """Sound, float32 [N, out_samples], or [N, out_samples, channels] with several; silence behind `got`."""
        self.got = got
        """Sample frames of sound of each session, uint32 [N]."""
        self.events = events_of(raw)
        """Events of all sessions in order, structured as `EVENT`."""
        self._vec = vec
        self._number = number
        # With the buffer it points into the library: read before the next step, or never.
        self._raw = raw.copy() if len(raw) else _NO_RAW
        self._texts: list[tuple[str | None, str | None, str | None, tuple[Spoken, ...]]] | None = None

    def __iter__(self) -> Iterator[Any]:
        """As a tuple: `out, got, events = vec.step(pcm)`."""
        return iter((self.out, self.got, self.events))

    def text(self, i: int) -> str | None:
        """Words of event `i`; `None`: it has none. `RuntimeError`: there was another step since."""
        return self._of(i)[0]

    def detail(self, i: int) -> str | None:
        """A reason or a name of event `i`; `None`: it has none. `RuntimeError`: there was another step since."""
        return self._of(i)[1]

    def id(self, i: int) -> str | None:
        """Who event `i` is about; `None`: nobody. `RuntimeError`: there was another step since."""
        return self._of(i)[2]

    def spoken(self, i: int) -> tuple[Spoken, ...]:
        """Words and phones of event `i`. `RuntimeError`: there was another step since."""
        return self._of(i)[3]

    def keep(self) -> Step:
        """Copies all texts, so that they outlive the next step; returns the step itself."""
        if self._texts is None:
            self._texts = [self._read(i) for i in range(len(self._raw))]
        return self

    def _of(self, i: int) -> tuple[str | None, str | None, str | None, tuple[Spoken, ...]]:
        if not -len(self._raw) <= i < len(self._raw):
            raise IndexError(f"event {i} of {len(self._raw)}")
        return self._texts[i] if self._texts is not None else self._read(i)

    def _read(self, i: int) -> tuple[str | None, str | None, str | None, tuple[Spoken, ...]]:
        if not self._vec.has_texts_of(self._number):
            raise RuntimeError(
                "texts of a step live until the next one, a reset with a seed, or a close: read them before, or keep()"
            )
        raw = EventStruct.from_buffer_copy(self._raw[i].tobytes())
        spoken = c.cast(raw.spoken, c.c_void_p).value
        text = text_at(raw.text, raw.text_len)
        return text, text_at(raw.detail), text_at(raw.id), spoken_at(spoken, raw.spoken_len)
