"""What a service is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from mynah.worker._cancel import CancelToken
from mynah.worker._output import ToolCall
from mynah.worker._wire import F32, AudioPart

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Hears(NamedTuple):
    """Format of the audio of calls."""

    rate_hz: int
    channels: int


class Speaks(NamedTuple):
    """Format of the audio that answers must have: mono, at this rate."""

    rate_hz: int


class Asks(Protocol):
    """Asks the session's host, for a call."""

    def ask(self, tool: ToolCall) -> str:
        """Sends the request and waits in this thread."""

    async def ask_async(self, tool: ToolCall) -> str:
        """Sends the request and awaits the result."""


@dataclass
class Call:
    """One piece of work for a service."""

    id: int
    """Names the call."""
    session: str
    """Name of the session."""
    task: str
    """"Transcribe", "Reply" or "Synthesize"."""
    text: str
    """Text to work on; empty for a recogniser."""
    segment: int = 0
    """Serial of the segment within the session, from 1."""
    turn: int = 0
    """The turn."""
    revision: int = 0
    """Revision of the segment's end."""
    attempt: int = 0
    """Attempts at this call that have failed before."""
    from_us: int = 0
    """Media time of the first sample, in microseconds since the session began."""
    to_us: int = 0
    """Media time after the last sample."""
    reduced: bool = False
    """Lower quality will do, if it is faster."""
    deadline_us: int = 0
    """Soft deadline in engine time; 0: none."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """What the session's host says of the caller."""
    history: list[dict[str, Any]] = field(default_factory=list)
    """The conversation before this call, oldest first: entries with `entry` "said" (`by`, `turn`, `text`,
    `interrupted`), "tool_call" (`turn`, `call_id`, `name`, `arguments`) or "tool_result" (`turn`, `call_id`,
    `result`)."""
    hears: Hears | None = None
    """Format of `audio`; `None`: calls bring none."""
    speaks: Speaks | None = None
    """Format of the answer's audio; `None`: answers are text."""
    cancel: CancelToken = field(default_factory=CancelToken)
    """Tells code that does not await whether the answer is still wanted."""
    _audio: list[AudioPart] = field(default_factory=list, repr=False)
    _asks: Asks | None = field(default=None, repr=False)

    @property
    def audio(self) -> NDArray[np.float32]:
        """The audio to work on, float32 from -1 to 1: [samples], or [samples, channels] with several channels."""
        import numpy as np

        if not self._audio:
            return np.zeros(0, np.float32)
        samples = np.concatenate([_floats(part) for part in self._audio])
        channels = self._audio[0].channels
        return samples if channels == 1 else samples.reshape(-1, channels)

    def messages(self) -> list[dict[str, Any]]:
        """History and text as language models take them: `role`, `content`, and tools as OpenAI has them."""
        found = [_message(entry) for entry in self.history]
        return [message for message in found if message] + (
            [{"role": "user", "content": self.text}] if self.text else []
        )

    async def tool(self, name: str, arguments: Mapping[str, Any] | str = "{}") -> str:
        """Asks the session's host to do something; the result. For services that await."""
        return await self._asking().ask_async(ToolCall(name, arguments))

    def tool_wait(self, name: str, arguments: Mapping[str, Any] | str = "{}") -> str:
        """The same for services that do not await. `Cancelled`: the call was cancelled meanwhile."""
        return self._asking().ask(ToolCall(name, arguments))

    def _asking(self) -> Asks:
        if self._asks is None:
            raise RuntimeError("this call came from no engine: there is no host to ask")
        return self._asks


def _floats(part: AudioPart) -> NDArray[np.float32]:
    import numpy as np

    if part.format == F32:
        return np.frombuffer(part.samples, "<f4").astype(np.float32)
    return np.frombuffer(part.samples, "<i2").astype(np.float32) / np.float32(32_768)


def _message(entry: dict[str, Any]) -> dict[str, Any] | None:
    """An entry of a history as a chat message; `None`: of an unknown kind."""
    kind = entry.get("entry")
    if kind == "said":
        role = "user" if entry.get("by") == "user" else "assistant"
        return {"role": role, "content": entry.get("text", "")}
    if kind == "tool_call":
        function = {"name": entry.get("name"), "arguments": entry.get("arguments")}
        call = {"id": entry.get("call_id"), "type": "function", "function": function}
        return {"role": "assistant", "content": None, "tool_calls": [call]}
    if kind == "tool_result":
        return {"role": "tool", "tool_call_id": entry.get("call_id"), "content": entry.get("result")}
    return None
