"""Audio as bytes."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

Buffer = Any
"""`bytes`, `array.array`, a NumPy array: whatever has the buffer protocol, which has no type before Python 3.12."""

Encoding = Literal["s16", "f32"]

_WIDTH = {"s16": 2, "f32": 4}
_OWN = {"s16": "h", "f32": "f"}
"""Item format that a buffer of numbers has."""
PIECE_S_MAX = 0.1
"""Longest message of audio; a server takes a second. Short ones let control messages through between them."""


@dataclass(frozen=True, slots=True)
class Format:
    """Format of audio, little endian and interleaved. What is `None` is the scene's own."""

    rate_hz: int | None = None
    """Samples of a channel a second."""
    channels: int | None = None
    """Channels."""
    encoding: Encoding = "s16"
    """`s16`: 16-bit; `f32`: float, full scale 1."""

    def __post_init__(self) -> None:
        if self.encoding not in _WIDTH:
            raise ValueError(f"encoding: {self.encoding!r}, expected 's16' or 'f32'")

    def fields(self) -> dict[str, Any]:
        """As it stands in JSON."""
        fields = {"rate_hz": self.rate_hz, "channels": self.channels, "encoding": self.encoding}
        return {name: value for name, value in fields.items() if value is not None}

    @property
    def frame_bytes(self) -> int:
        """Bytes of a sample of all channels; one channel where the scene has not said how many."""
        return _WIDTH[self.encoding] * (self.channels or 1)

    def us(self, size: int) -> int:
        """How long `size` bytes sound, microseconds; 0 while the rate is not known."""
        return size // self.frame_bytes * 1_000_000 // self.rate_hz if self.rate_hz else 0

    def bytes_of(self, samples: Buffer) -> bytes:
        """The bytes of a buffer.

        Raises `ValueError`: it ends within a sample, or is of numbers that are not of this encoding.
        """
        view = memoryview(samples)
        kind = view.format.lstrip("<=@")
        if kind not in ("B", "b", "c", _OWN[self.encoding]):
            raise ValueError(
                f"samples of item format {view.format!r}, expected bytes or {_OWN[self.encoding]!r}: convert them, or "
                f"open the session with another encoding than {self.encoding!r}"
            )
        data = view.tobytes()
        if len(data) % self.frame_bytes:
            raise ValueError(
                f"{len(data)} bytes of audio, expected whole samples of {self.frame_bytes} bytes"
            )
        return data

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """Cuts audio into messages of at most `PIECE_S_MAX`."""
        step = max(1, int((self.rate_hz or 16_000) * PIECE_S_MAX)) * self.frame_bytes
        return (data[at : at + step] for at in range(0, len(data), step))


@dataclass(frozen=True, slots=True)
class Clip:
    """A short recording to be played in place of a text: some 1.5 s of 16 kHz mono as `s16` find room."""

    samples: Buffer
    """Interleaved, in the format."""
    rate_hz: int
    """8000 to 192000."""
    channels: int = 1
    """1 to 8."""
    encoding: Encoding = "s16"
    """As in `Format`."""
    subtitle: str = ""
    """What is said in it."""

    def fields(self) -> dict[str, Any]:
        """As it stands in JSON."""
        data = Format(self.rate_hz, self.channels, self.encoding).bytes_of(self.samples)
        return {
            "subtitle": self.subtitle,
            "rate_hz": self.rate_hz,
            "channels": self.channels,
            "encoding": self.encoding,
            "samples": base64.b64encode(data).decode(),
        }
