"""What the thread of the ports and the threads that work have in common: jobs, and what waits to be sent."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from mynah.worker._call import Call
from mynah.worker._cancel import Cancelled
from mynah.worker._output import AudioPiece, ToolCall, audio_pieces, text_pieces
from mynah.worker._wire import AUDIO, CONTROL, TEXT, AudioPart, audio_payload, text_payload

WAITING_MAX = 64
"""Most messages that wait for room in shared memory; who has more to say waits."""
STALL_S = 30.0
"""So long may no message get through before a call that waits for room fails."""
RETRY_S = 0.005
CONTROL_CHARS_MAX = 10_000
"""Most characters of a partial or a tool's arguments: a message has 64 KiB, and JSON may take six bytes for each."""


class Stalled(Exception):
    """The engine took nothing for too long."""


@dataclass
class Letter:
    """A message that waits: control with its type and fields, or data with its payload."""

    kind: int
    session: str
    call: int | None = None
    type: str = ""
    fields: dict[str, Any] = field(default_factory=dict)
    payload: bytes = b""


class Job:
    """A call under way. Its methods are called by the threads that work."""

    def __init__(self, desk: Desk, call: Call) -> None:
        self.call = call
        self.began_s: float | None = None
        self.parts = 0
        self.cancels: list[int] = []
        """Ids of the messages that cancelled it."""
        self.stop: Callable[[], object] | None = None
        """What stops the work beside the token; called by the thread of the ports."""
        self._desk = desk
        self._asked = itertools.count(1)
        call._asks = self

    @property
    def cancelled(self) -> bool:
        """Whether the call was cancelled: nothing of it is to be said any more."""
        return self.call.cancel.cancelled

    def letters(self, output: Any) -> Iterator[Letter]:
        """The messages that say an output."""
        call = self.call
        if isinstance(output, str):
            for piece in text_pieces(output):
                yield Letter(TEXT, call.session, call.id, payload=piece)
        else:
            for sound in audio_pieces(output, call.speaks):
                yield Letter(AUDIO, call.session, call.id, fields={"sound": sound})

    def say(self, output: Any) -> None:
        """Sends an output; waits in this thread while there is no room. `Stalled`, `Cancelled`: it did not go."""
        for letter in self.letters(output):
            while not self._desk.post(self, letter):
                self._desk.check_stall()
                self.call.cancel.wait(RETRY_S)

    async def say_async(self, output: Any) -> None:
        """The same for services that await."""
        for letter in self.letters(output):
            while not self._desk.post(self, letter):
                self._desk.check_stall()
                await asyncio.sleep(RETRY_S)

    def tell(self, kind: str, fields: dict[str, Any]) -> bool:
        """Sends a control message about the call; what was said before comes first. `ValueError`: it is too long."""
        size = sum(len(value) for value in fields.values() if isinstance(value, str))
        if size > CONTROL_CHARS_MAX:
            raise ValueError(f"{kind} has {size} characters; expected at most {CONTROL_CHARS_MAX}")
        letter = Letter(CONTROL, self.call.session, self.call.id, kind, {"call": self.call.id, **fields})
        return self._desk.post(self, letter, always=True)

    def ask(self, tool: ToolCall) -> str:
        """Asks the host; waits in this thread."""
        return self._desk.wait_for_result(self, self._ask(tool))

    async def ask_async(self, tool: ToolCall) -> str:
        """Asks the host; awaits the result."""
        loop, arrived = asyncio.get_running_loop(), asyncio.Event()
        call_id = self._ask(tool, lambda: loop.call_soon_threadsafe(arrived.set))
        while (result := self._desk.result(self, call_id)) is None:
            await arrived.wait()
            arrived.clear()
        return result

    def _ask(self, tool: ToolCall, arrived: Callable[[], object] | None = None) -> str:
        call_id = f"{self.call.id}-{next(self._asked)}"
        self._desk.expect(call_id, arrived)
        self.tell(
            "ToolCall", {"parts": None, "call_id": call_id, "name": tool.name, "arguments": tool.text()}
        )
        # The engine waits for nothing of the call until the host has answered.
        self.tell("AwaitHost", {"parts": None})
        return call_id


class Desk:
    """Jobs by call, and letters in the order in which they are sent."""

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._results_came = threading.Condition(self._lock)
        self._jobs: dict[int, Job] = {}
        self._urgent: deque[Letter] = deque()
        self._letters: deque[Letter] = deque()
        self._results: dict[str, str] = {}
        self._expected: dict[str, Callable[[], object] | None] = {}
        self._moved_s = time.monotonic()

    # What threads that work call.

    def post(self, job: Job, letter: Letter, always: bool = False) -> bool:
        """Queues a message of a job. `False`: there is no room now. `Cancelled`: nobody wants it."""
        with self._lock:
            if job.cancelled or self._jobs.get(job.call.id) is not job:
                raise Cancelled
            if len(self._letters) >= WAITING_MAX and not always:
                return False
            if letter.kind == CONTROL:
                if "parts" in letter.fields:
                    letter.fields["parts"] = job.parts
            else:
                letter.payload = _numbered(letter, job.call.id, job.parts)
                job.parts += 1
            self._queue(letter)
        self._wake()
        return True

    def check_stall(self) -> None:
        """`Stalled`: no message has got through for `STALL_S` seconds."""
        if time.monotonic() - self._moved_s > STALL_S:
            raise Stalled(f"the engine has taken nothing for {STALL_S:.0f} s")

    def expect(self, call_id: str, arrived: Callable[[], object] | None) -> None:
        """A result of a tool is about to be asked for."""
        with self._lock:
            self._expected[call_id] = arrived

    def result(self, job: Job, call_id: str) -> str | None:
        """A result of a tool, once. `Cancelled`: nobody wants it any more."""
        with self._lock:
            if job.cancelled:
                raise Cancelled
            return self._results.pop(call_id, None)

    def wait_for_result(self, job: Job, call_id: str) -> str:
        """Waits for a result of a tool. `Cancelled`: nobody wants it any more."""
        with self._lock:
            while not job.cancelled and call_id not in self._results:
                self._results_came.wait(1.0)
            if job.cancelled:
                raise Cancelled
            return self._results.pop(call_id)

    def end(self, job: Job, kind: str, fields: dict[str, Any]) -> None:
        """The work of a job has ended: says so, or that a cancel has taken effect."""
        call, busy_s = job.call, time.monotonic() - (job.began_s or time.monotonic())
        with self._lock:
            if self._jobs.get(call.id) is not job:
                return
            del self._jobs[call.id]
            mine = f"{call.id}-"
            for known in [known for known in (*self._expected, *self._results) if known.startswith(mine)]:
                self._expected.pop(known, None)
                self._results.pop(known, None)
            if job.cancelled:
                for message_id in job.cancels:
                    self._urgent.append(ack(call.session, message_id, "Applied"))
            else:
                said = {"call": call.id, "parts": job.parts, **fields}
                if kind == "Done":
                    said["busy_us"] = int(busy_s * 1e6)
                self._queue(Letter(CONTROL, call.session, call.id, kind, said))
        self._wake()

    def _queue(self, letter: Letter) -> None:
        if not self._letters:
            # Waiting begins now.
            self._moved_s = time.monotonic()
        self._letters.append(letter)

    # What the thread of the ports calls.

    def add(self, job: Job) -> None:
        """A call has come."""
        with self._lock:
            self._jobs[job.call.id] = job

    def cancel(self, call: int, message_id: int | None) -> tuple[bool, Job | None]:
        """Nothing of a call is to be said any more. Whether it is under way; the job, if it is to be stopped."""
        with self._lock:
            self._letters = deque(letter for letter in self._letters if letter.call != call)
            job = self._jobs.get(call)
            if job is None:
                return False, None
            first = not job.cancelled
            if message_id is not None:
                job.cancels.append(message_id)
            job.call.cancel._set()
            self._results_came.notify_all()
            return True, job if first else None

    def tool_result(self, call_id: str, result: str) -> None:
        """A result has come; one that nobody expects is dropped."""
        with self._lock:
            if call_id not in self._expected:
                return
            arrived = self._expected.pop(call_id)
            self._results[call_id] = result
            self._results_came.notify_all()
        if arrived is not None:
            arrived()

    def urgent(self, letter: Letter) -> None:
        """Queues what overtakes."""
        with self._lock:
            self._urgent.append(letter)

    def calls(self) -> list[int]:
        """The calls under way."""
        with self._lock:
            return list(self._jobs)

    def next(self) -> Letter | None:
        """The next message to be sent; it stays until `sent`."""
        with self._lock:
            queue = self._urgent or self._letters
            return queue[0] if queue else None

    def sent(self, letter: Letter) -> None:
        """A message has gone; a cancel may have removed it meanwhile."""
        with self._lock:
            self._moved_s = time.monotonic()
            for queue in (self._urgent, self._letters):
                if queue and queue[0] is letter:
                    queue.popleft()
                    return


def ack(session: str, message_id: int, stage: str) -> Letter:
    """An acknowledgement."""
    return Letter(CONTROL, session, type="Ack", fields={"message_id": message_id, "stage": stage})


def _numbered(letter: Letter, call: int, part: int) -> bytes:
    if letter.kind == TEXT:
        return text_payload(call, part, 0, letter.payload)
    sound: AudioPiece = letter.fields["sound"]
    return audio_payload(AudioPart(call, part, sound.rate_hz, 1, sound.format, 0, sound.samples))
