"""Sessions: their audio, what they are told, and what they are asked."""

from __future__ import annotations

import ctypes as c
import json
import weakref
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

from mynah import _structs as s
from mynah._library import check, check_audio, library, say_config
from mynah._running import Running
from mynah._samples import Samples, block_of, frames_of
from mynah.constants import Gate, Interrupt, PullFlags, Status
from mynah.errors import ClosedError

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True, slots=True)
class Formats:
    """Rates in Hz and channels of a session's audio. `output_rate_hz` 0: the scene puts out none, and silence of one
    channel is pulled."""

    input_rate_hz: int
    input_channels: int
    output_rate_hz: int
    output_channels: int


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a pull gave."""

    frames: int
    """Frames of sound; they come first, and silence fills the rest."""
    skipped: int
    """Frames that were withdrawn and are skipped."""
    turn: int
    """The turn that the last of them answers; 0: none."""
    flags: PullFlags
    level: float
    """Root mean square of the sound, 0 to 1."""


def json_of(values: Mapping[str, Any]) -> bytes:
    """A JSON object as the library takes it."""
    return json.dumps(values, ensure_ascii=False).encode()


class Session:
    """A session of an engine; `Engine.open` makes it. A context manager that hangs up.

    `push` and `pull` are for audio threads, one thread each; everything else is for the thread that ticks.
    Calls raise `ClosedError` once the session is closed.
    """

    def __init__(
        self, running: Running, handle: int, name: str, forget: weakref.WeakMethod[Callable[[int], None]]
    ) -> None:
        """A session that was just opened; programs use `Engine.open`."""
        # The engine lives as long as one of its sessions, and has it without a circle.
        self._running = running
        self._forget = forget
        self.name = name
        self._handle = handle
        self._closed = False
        self.formats = self._formats()

    def _formats(self) -> Formats:
        found = s.Formats()
        check(library().mynah_session_formats(self.handle, c.addressof(found)))
        return Formats(found.input_rate_hz, found.input_channels, found.output_rate_hz, found.output_channels)

    @property
    def handle(self) -> int:
        """The library's number for the session. `ClosedError`: it is closed, or its engine."""
        if self._closed or self._running.closed:
            raise ClosedError(Status.BAD_HANDLE, f"the session {self.name!r} is closed")
        return self._handle

    @property
    def id(self) -> int:
        """Number of the session within its engine, as events have it."""
        return library().mynah_session_id(self.handle)

    @property
    def is_over(self) -> bool:
        """Whether the session has ended: by itself, by `hang_up`, or by `close`."""
        return self._closed or self._running.closed or bool(library().mynah_is_closed(self._handle))

    # Audio.

    def push(self, samples: Samples) -> None:
        """Takes interleaved samples in, all or none: float32 from -1 to 1, or int16.

        `FullError`: 1.1 s wait already. `ClosedError`: the input has ended.
        """
        handle, block = self.handle, block_of(samples)
        frames = frames_of(block, self.formats.input_channels)
        call = library().mynah_push_i16 if block.is_i16 else library().mynah_push
        check_audio(call(handle, block.address, frames))

    def pull(self, frames: int) -> tuple[array[float], Pulled]:
        """`frames` interleaved sample frames, float32: sound as far as there is any, then silence."""
        samples = array("f", bytes(4 * frames * max(self.formats.output_channels, 1)))
        return samples, self.pull_into(samples)

    def pull_into(self, samples: Samples) -> Pulled:
        """Fills a writable float32 buffer of whole frames, without allocating samples."""
        if memoryview(samples).readonly:
            raise TypeError("the buffer is read-only; expected a writable one, float32")
        handle, block = self.handle, block_of(samples)
        if block.is_i16:
            raise TypeError("the buffer has int16; expected float32")
        frames, pulled = frames_of(block, max(self.formats.output_channels, 1)), s.PulledStruct()
        check_audio(library().mynah_pull(handle, block.address or None, frames, c.addressof(pulled)))
        return Pulled(pulled.frames, pulled.skipped, pulled.turn, PullFlags(pulled.flags), pulled.level)

    @property
    def room(self) -> int:
        """Sample frames for which there is room."""
        return library().mynah_room(self.handle)

    @property
    def available(self) -> int:
        """Sample frames of sound that are there."""
        return library().mynah_available(self.handle)

    # What a program wants of it.

    def say(self, text: str, *, interruptible: bool = True, priority: int = 0, wait: bool = True) -> int:
        """Speaks a text, a turn of its own; returns the line's number.

        `interruptible`: the user's speech may pause and withdraw it. `priority`: -128 to 127; answers have 0. `wait`:
        until nobody speaks; otherwise at once, or not at all. `MynahError`: the scene has no voice for it.
        """
        words, number = text.encode(), c.c_uint64()
        config = _say(interruptible, priority, wait)
        check(library().mynah_say(self.handle, words, len(words), c.addressof(config), c.addressof(number)))
        return number.value

    def say_clip(
        self,
        samples: Samples,
        rate_hz: int,
        channels: int = 1,
        *,
        subtitle: str = "",
        interruptible: bool = True,
        priority: int = 0,
        wait: bool = True,
    ) -> int:
        """Plays a recording, interleaved float32 of at most 30 s, as a line; returns the line's number."""
        block, number = block_of(samples), c.c_uint64()
        if block.is_i16:
            raise TypeError("the recording has int16; expected float32 from -1 to 1")
        frames, config = frames_of(block, channels), _say(interruptible, priority, wait)
        check(
            library().mynah_say_clip(
                self.handle,
                block.address or None,
                frames,
                rate_hz,
                channels,
                subtitle.encode(),
                c.addressof(config),
                c.addressof(number),
            )
        )
        return number.value

    def reply(self, request: int, text: str, *, last: bool = True) -> None:
        """Answers a `Kind.REPLY_REQUESTED` with its `number`, in one part or in many; `last`: nothing follows."""
        words = text.encode()
        check(library().mynah_reply(self.handle, request, words, len(words), int(last)))

    def interrupt(self, mode: Interrupt = Interrupt.SOFT) -> None:
        """Withdraws what sounds or is to be answered."""
        check(library().mynah_interrupt(self.handle, int(mode)))

    def gate(self, mode: Gate) -> None:
        """Sets who decides what is speech."""
        check(library().mynah_gate(self.handle, int(mode)))

    def end_turn(self) -> None:
        """The user's turn ends here, without waiting for silence."""
        check(library().mynah_end_turn(self.handle))

    def discard(self) -> None:
        """Forgets what the user has said and was not answered yet."""
        check(library().mynah_discard(self.handle))

    def respond(self) -> None:
        """Has the scene answer now, whether anything was said or not."""
        check(library().mynah_respond(self.handle))

    def heard(self, turn: int, us: int) -> None:
        """The listener has heard `us` microseconds of the answer of `turn`; from then on reports count."""
        check(library().mynah_heard(self.handle, turn, us))

    def send_text(self, text: str) -> None:
        """Sends what the user typed, answered like speech."""
        words = text.encode()
        check(library().mynah_send_text(self.handle, words, len(words)))

    def set(self, params: Mapping[str, Any]) -> None:
        """Changes parameters that services see from the next call on; `None` removes one."""
        check(library().mynah_set(self.handle, json_of(params)))

    def tool_result(self, id: str, result: str) -> None:
        """Answers a `Kind.TOOL_CALL` with its `id`."""
        words = result.encode()
        check(library().mynah_tool_result(self.handle, id.encode(), words, len(words)))

    def history(self) -> str:
        """The conversation so far as JSON, to be kept and given to another session."""
        length, room = c.c_size_t(), 0
        while True:
            json_text = c.create_string_buffer(room + 1)
            check(library().mynah_history(self.handle, c.addressof(json_text), room, c.addressof(length)))
            if length.value <= room:
                return json_text.raw[: length.value].decode()
            room = length.value

    # The end.

    def finish(self) -> None:
        """Ends the input. What was pushed is still answered; then `Kind.CLOSED` is told."""
        check(library().mynah_finish(self.handle))

    def hang_up(self) -> None:
        """Ends the session at the next tick, whatever is under way; then `Kind.CLOSED` is told."""
        check(library().mynah_hang_up(self.handle))

    def close(self) -> None:
        """Hangs up and gives the session's place back; nothing is told of it any more. Again: does nothing."""
        if not self._closed and not self._running.closed:
            check(library().mynah_session_close(self._handle))
            forget = self._forget()
            if forget is not None:
                forget(self._handle)
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _say(interruptible: bool, priority: int, wait: bool) -> s.SayConfig:
    config = say_config()
    config.interruptible, config.priority, config.wait = int(interruptible), priority, int(wait)
    return config
