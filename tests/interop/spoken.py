"""Speech for clients: what a caller says, at the pace of real time, and what an ear has heard of the answer."""

from __future__ import annotations

import argparse
import asyncio
import os
import time
import wave
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

import numpy as np

PAUSE_MS = 300
"""Inside a sentence: long enough to seem its end."""
TRIM = 0.02
"""What is quieter than this part of the loudest at either end of a recording is cut off."""


@dataclass
class Wishes:
    """What a script was asked to do."""

    host: str
    """With the port."""
    model: str
    key: str
    first: np.ndarray
    """What is said first: 16-bit samples at the client's rate."""
    second: np.ndarray
    seconds: float
    """How long everything may take."""
    trace: bool = False
    """Every event is printed, with its time."""

    def url(self, scheme: str, path: str = "") -> str:
        """Address of something at the server."""
        return f"{scheme}://{self.host}{path}"


def wishes(story: str, rate_hz: int, model: str) -> Wishes:
    """Reads the command line. Speech of another rate is resampled; one recording is said twice."""
    options = argparse.ArgumentParser(description=story)
    options.add_argument("url", help="the server, http://127.0.0.1:8080")
    options.add_argument(
        "speech", nargs="*", help="one or two 16-bit mono WAV files; default: MYNAH_SPEECH, separated by ':'"
    )
    options.add_argument(
        "--tones", action="store_true", help="two tones in place of speech, for servers that go by loudness"
    )
    options.add_argument("--model", default=os.environ.get("MYNAH_MODEL", model), help="default: %(default)s")
    options.add_argument(
        "--key", default=os.environ.get("MYNAH_KEY", "sk-test"), help="default: MYNAH_KEY, or one for tests"
    )
    options.add_argument(
        "--seconds", type=float, default=60, help="how long it may take; default: %(default)s"
    )
    options.add_argument("--trace", action="store_true", help="prints every event, but for repeated audio")
    given = options.parse_args()
    if given.tones:
        first, second = tone(0.6, rate_hz), tone(0.5, rate_hz)
    else:
        paths = given.speech or list(filter(None, os.environ.get("MYNAH_SPEECH", "").split(os.pathsep)))
        if not 1 <= len(paths) <= 2:
            options.error(f"{len(paths)} speech files, expected one or two, or --tones")
        sounds = [recorded(path, rate_hz) for path in paths]
        first, second = sounds[0], sounds[-1]
    host = urlsplit(given.url).netloc
    if not host:
        options.error(f"{given.url}: expected an address like http://127.0.0.1:8080")
    return Wishes(host, given.model, given.key, first, second, given.seconds, given.trace)


def tone(seconds: float, rate_hz: int) -> np.ndarray:
    """300 Hz."""
    return (9_000 * np.sin(2 * np.pi * 300 * np.arange(int(seconds * rate_hz)) / rate_hz)).astype("<i2")


def silence(seconds: float, rate_hz: int) -> np.ndarray:
    """Nothing."""
    return np.zeros(int(seconds * rate_hz), "<i2")


def recorded(path: str, rate_hz: int) -> np.ndarray:
    """A recording without the silence at its ends."""
    with wave.open(path, "rb") as file:
        if (file.getsampwidth(), file.getnchannels()) != (2, 1):
            raise SystemExit(f"{path}: expected 16-bit mono")
        rate_in, samples = file.getframerate(), np.frombuffer(file.readframes(file.getnframes()), "<i2")
    loud = np.flatnonzero(np.abs(samples.astype(int)) > TRIM * np.abs(samples.astype(int)).max(initial=1))
    if not len(loud):
        raise SystemExit(f"{path}: nothing is said in it")
    return resampled(samples[loud[0] : loud[-1] + 1], rate_in, rate_hz)


def resampled(samples: np.ndarray, rate_in: int, rate_out: int) -> np.ndarray:
    """The same at another rate, exactly: over its whole spectrum."""
    if rate_in == rate_out:
        return samples
    count = len(samples) * rate_out // rate_in
    spectrum = np.fft.rfft(samples.astype(float))
    wide = np.zeros(count // 2 + 1, complex)
    kept = min(len(wide), len(spectrum))
    wide[:kept] = spectrum[:kept]
    return np.clip(np.fft.irfft(wide, count) * count / len(samples), -32_768, 32_767).astype("<i2")


class Judged(Protocol):
    """What can be judged: it prints a line, and ends the program with 0 or 1."""

    def judge(self) -> None:
        """Judges."""


def run(client: str, story: Coroutine[Any, Any, Judged]) -> None:
    """Runs a story and judges it. A client that gives up fails like one that errs."""
    try:
        judged = asyncio.run(story)
    except Exception as error:
        print(f"{client}: FAILED: {type(error).__name__}: {str(error)[:300]}")
        raise SystemExit(1) from None
    judged.judge()


Send = Callable[[bytes], Awaitable[None]]


@dataclass
class Caller:
    """Says the first, waits until the answer has sounded for a while, says the second over it, and is silent."""

    wishes: Wishes
    rate_hz: int
    step_ms: int = 20
    """Length of a piece of audio."""
    after_s: float = 0.8
    """How long the answer sounds before it is interrupted."""
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    """The answer has begun to sound."""
    done: asyncio.Event = field(default_factory=asyncio.Event)
    """There is nothing more to wait for."""

    async def speak(self, send: Send) -> None:
        """Says all of it."""
        await self._send(send, self.wishes.first)
        await self._until(send, self.answered)
        await self._send(send, silence(self.after_s, self.rate_hz))
        await self._send(send, self.wishes.second)
        await self._until(send, self.done)

    async def _until(self, send: Send, event: asyncio.Event) -> None:
        while not event.is_set():
            await self._send(send, silence(self.step_ms / 1e3, self.rate_hz))

    async def _send(self, send: Send, samples: np.ndarray) -> None:
        step, due_s = self.rate_hz * self.step_ms // 1_000, time.monotonic()
        for at in range(0, len(samples), step):
            piece = samples[at : at + step]
            await send(piece.tobytes())
            due_s += len(piece) / self.rate_hz
            await asyncio.sleep(due_s - time.monotonic())


class Ear:
    """How much of an answer has sounded by now, if all of it is played as it comes: 16-bit mono."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self.start_anew()

    def start_anew(self) -> None:
        """The next audio is that of another answer."""
        self._began_s: float | None = None
        self._end_s = self._gaps_s = 0.0

    def plays(self, data: bytes) -> None:
        """Audio comes, behind what was there."""
        now_s = time.monotonic()
        if self._began_s is None:
            self._began_s = self._end_s = now_s
        elif now_s > self._end_s:
            self._gaps_s += now_s - self._end_s
            self._end_s = now_s
        self._end_s += len(data) / 2 / self._rate_hz

    @property
    def left_ms(self) -> float:
        """What has come and not sounded."""
        return 1e3 * max(0.0, self._end_s - time.monotonic())

    @property
    def heard_ms(self) -> float:
        """What has sounded, without gaps."""
        if self._began_s is None:
            return 0.0
        return 1e3 * (min(time.monotonic(), self._end_s) - self._began_s - self._gaps_s)
