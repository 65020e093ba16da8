"""Speaks, and speaks again while the answer sounds: how long until it is silent, and how much of it was heard.

    pip install './tools/python[client]'
    python tools/python/examples/client/barge_in.py question.wav interruption.wav --url ws://127.0.0.1:8080

Both files have the same rate and channel count, and begin with speech: the time is counted from their first sample. The
answer plays into the void, by a clock: what a loudspeaker has not played when it is taken back is dropped.
"""

from __future__ import annotations

import argparse
import asyncio
import time
import wave
from collections import deque

from mynah.client import (
    AnswerEnded,
    AnswerInterrupted,
    Audio,
    ClientError,
    Correction,
    Format,
    Message,
    Session,
    Transcripts,
    connect,
    takes_back,
)

STEP_S, SILENCE_S = 0.02, 8.0


def recorded(path: str) -> tuple[Format, bytes]:
    """Format and samples of a 16-bit WAV file."""
    with wave.open(path, "rb") as file:
        if file.getsampwidth() != 2:
            raise SystemExit(f"{path}: {8 * file.getsampwidth()}-bit samples, expected 16-bit")
        return Format(file.getframerate(), file.getnchannels()), file.readframes(file.getnframes())


class Loudspeaker:
    """Plays by a clock what it is given, one after the other."""

    def __init__(self, output: Format) -> None:
        self._output = output
        self._queue: deque[tuple[float, Audio]] = deque()
        self._free_s = 0.0

    def play(self, audio: Audio) -> None:
        """Plays it behind the rest."""
        self._free_s = max(self._free_s, time.monotonic()) + self._output.us(len(audio.data)) / 1e6
        self._queue.append((self._free_s, audio))

    @property
    def silent_s(self) -> float:
        """Since when it is silent, or when it will be, by the monotonic clock."""
        return self._free_s

    def drop(self, message: Message) -> float:
        """Drops what a message takes back and has not sounded; how much, seconds."""
        now_s, before_s = time.monotonic(), self._free_s
        if before_s <= now_s:
            return 0.0
        kept = [audio for end_s, audio in self._queue if end_s > now_s and not takes_back(message, audio)]
        self._queue.clear()
        self._free_s = now_s
        for audio in kept:
            self.play(audio)
        return before_s - self._free_s


class Caller:
    """Says the first, and the second `after_s` after the answer began to come."""

    def __init__(self, session: Session, first: bytes, second: bytes, after_s: float) -> None:
        self._session, self._sounds, self._after_s = session, [first, second], after_s
        self.answered = asyncio.Event()
        self.interrupts_s: float | None = None
        """When the second begins, by the monotonic clock."""

    async def speak(self) -> None:
        """Sends both, and silence before and after, as a microphone would."""
        first, second = self._sounds
        await self._send(first)
        silence = bytes(self._bytes(STEP_S))
        wait = asyncio.create_task(self._begins())
        while not wait.done():
            await self._send(silence)
        self.interrupts_s = time.monotonic()
        await self._send(second)
        await self._send(bytes(self._bytes(SILENCE_S)))
        await self._session.finish()

    async def _begins(self) -> None:
        await self.answered.wait()
        await asyncio.sleep(self._after_s)

    async def _send(self, sound: bytes) -> None:
        step, began_s = self._bytes(STEP_S), time.monotonic()
        for number, at in enumerate(range(0, len(sound), step), 1):
            await self._session.push(sound[at : at + step])
            await asyncio.sleep(max(0.0, began_s + number * STEP_S - time.monotonic()))

    def _bytes(self, seconds: float) -> int:
        hears = self._session.input
        return int(seconds * (hears.rate_hz or 0)) * hears.frame_bytes


async def talk(session: Session, caller: Caller) -> bool:
    """Tells the story until the session ends; whether an answer was interrupted."""
    if session.output is None:
        raise SystemExit("this scene does not speak")
    loudspeaker, transcripts, interrupted = Loudspeaker(session.output), Transcripts(), False
    async for event in session:
        if isinstance(event, Audio):
            loudspeaker.play(event)
            caller.answered.set()
        if isinstance(event, Correction | AnswerInterrupted):
            dropped_s = loudspeaker.drop(event)
            if isinstance(event, AnswerInterrupted) and caller.interrupts_s is not None:
                after_ms = 1e3 * (loudspeaker.silent_s - caller.interrupts_s)
                print(
                    f"silent {after_ms:.0f} ms after the interruption began, {dropped_s:.2f} s were not played"
                )
        if heard := transcripts.take(event):
            print(f"heard: {heard}")
        match event:
            case AnswerInterrupted(heard_us):
                interrupted = True
                print(f"turn {event.turn}: interrupted, {heard_us / 1e6:.2f} s were heard")
            case AnswerEnded(heard_us):
                print(f"turn {event.turn}: heard to its end, {heard_us / 1e6:.2f} s")
    return interrupted


async def run(first: str, second: str, url: str, model: str | None, key: str | None, after_s: float) -> None:
    """Two utterances."""
    (hears, question), (other, interruption) = recorded(first), recorded(second)
    if hears != other:
        raise SystemExit(
            f"{second}: {other.rate_hz} Hz, {other.channels} channels; {first} has {hears.rate_hz} Hz, "
            f"{hears.channels}"
        )
    async with connect(url, model=model, key=key, input=hears) as session:
        caller = Caller(session, question, interruption, after_s)
        speaking = asyncio.create_task(caller.speak())
        interrupted = await talk(session, caller)
        speaking.cancel()
    if not interrupted:
        raise SystemExit("no answer was interrupted")


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("first", help="a 16-bit WAV file of any rate")
    options.add_argument("second", help="another, of the same rate")
    options.add_argument("--url", default="ws://127.0.0.1:8080", help="the server; default: %(default)s")
    options.add_argument("--model", help="which of its scenes; default: the first")
    options.add_argument("--key", help="where the server asks for one")
    options.add_argument("--after-ms", type=float, default=800, help="into the answer; default: %(default)s")
    given = options.parse_args()
    try:
        asyncio.run(run(given.first, given.second, given.url, given.model, given.key, given.after_ms / 1e3))
    except (ClientError, OSError) as error:
        raise SystemExit(str(error)) from None
