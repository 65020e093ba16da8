"""What a service may yield or return, and how it is cut into messages."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from mynah.worker._call import Speaks

PART_S = 0.1
"""Most audio in one message, in seconds: little enough to be cancelled, much enough to cost little."""
TEXT_CHARS = 8_000
"""Most characters in one message; UTF-8 takes at most four bytes for each."""


@dataclass(frozen=True)
class Partial:
    """What was heard so far, in place of what was told before. For the host: it is no part of the answer."""

    text: str


@dataclass(frozen=True)
class ToolCall:
    """Asks the session's host to do something. The value of the `yield` is the result, a `str`.

    `arguments` are written as JSON; a `str` is taken as it is.
    """

    name: str
    arguments: Mapping[str, Any] | str = field(default_factory=dict)

    def text(self) -> str:
        """The arguments as text."""
        if isinstance(self.arguments, str):
            return self.arguments
        return json.dumps(dict(self.arguments), ensure_ascii=False)


Output = Any
"""`str` (a piece of text), a float32 or int16 array of shape [samples] (mono, at `call.speaks.rate_hz`), `Partial`,
`ToolCall`, or `None` (nothing)."""


class AudioPiece(NamedTuple):
    """Samples of one message: little-endian, format as on the wire."""

    rate_hz: int
    format: int
    samples: bytes


def text_pieces(text: str) -> Iterator[bytes]:
    """A text in pieces that fit into messages; none for an empty one."""
    for at in range(0, len(text), TEXT_CHARS):
        yield text[at : at + TEXT_CHARS].encode("utf-8", "replace")


def audio_pieces(output: Any, speaks: Speaks | None) -> Iterator[AudioPiece]:
    """Audio in pieces that fit into messages.

    `TypeError`: it is neither text nor audio. `ValueError`: not mono, or nobody hears it.
    """
    import numpy as np

    from mynah.worker._wire import F32, S16

    if not isinstance(output, np.ndarray):
        raise TypeError(
            f"the service gave a {type(output).__name__}; expected str, a NumPy array, Partial or ToolCall"
        )
    if speaks is None:
        raise ValueError("the service gave audio, but the node that called takes text only")
    if output.ndim == 2 and output.shape[1] == 1:
        output = output[:, 0]
    if output.ndim != 1:
        raise ValueError(f"the service gave audio of shape {list(output.shape)}; expected [samples], mono")
    if output.dtype == np.int16:
        kind, samples = S16, output.astype("<i2", copy=False)
    elif output.dtype in (np.float32, np.float64, np.float16):
        kind, samples = F32, output.astype("<f4", copy=False)
    else:
        raise TypeError(f"the service gave audio of {output.dtype}; expected float32 or int16")
    step = max(1, int(speaks.rate_hz * PART_S))
    for at in range(0, len(samples), step):
        yield AudioPiece(speaks.rate_hz, kind, samples[at : at + step].tobytes())
