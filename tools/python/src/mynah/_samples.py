"""Samples as programs have them: NumPy arrays, `array.array`, bytes, anything with a buffer."""

from __future__ import annotations

import ctypes as c
from collections.abc import Sequence
from typing import Any, NamedTuple

Samples = Any
"""Interleaved samples, float32 from -1 to 1 or int16: a buffer (NumPy, `array.array`, `memoryview`), or a sequence of
floats."""


class Block(NamedTuple):
    """Samples in memory: where, how many, which. `keep` holds them there."""

    address: int
    samples: int
    is_i16: bool
    keep: object


def block_of(samples: Samples) -> Block:
    """Where samples lie, copied only where they cannot be used as they are.

    `TypeError`: they are neither float32 nor int16, or do not lie in one piece.
    """
    try:
        view = memoryview(samples)
    except TypeError:
        if not isinstance(samples, Sequence):
            raise TypeError(
                f"samples are a {type(samples).__name__}; expected a buffer or a sequence of floats"
            ) from None
        view = memoryview((c.c_float * len(samples))(*samples))
    form = view.format.lstrip("<=@")
    if form not in ("f", "h"):
        raise TypeError(f"samples have the format {view.format!r}; expected float32 ('f') or int16 ('h')")
    if not view.c_contiguous:
        raise TypeError("samples do not lie in one piece: copy them, as by numpy.ascontiguousarray")
    kind = c.c_float if form == "f" else c.c_int16
    count = view.nbytes // view.itemsize
    if count == 0:
        return Block(0, 0, form == "h", view)
    flat = view.cast("B")
    array = (kind * count).from_buffer_copy(flat) if view.readonly else (kind * count).from_buffer(flat)
    return Block(c.addressof(array), count, form == "h", array)


def frames_of(block: Block, channels: int) -> int:
    """Sample frames of a block. `ValueError`: it ends within one."""
    frames, rest = divmod(block.samples, channels)
    if rest:
        raise ValueError(f"{block.samples} samples are no whole frames of {channels} channels")
    return frames
