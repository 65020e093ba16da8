"""Recordings with labels of who says what, and when."""

from __future__ import annotations

import json
import os
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mynah._library import checkout


@dataclass(frozen=True)
class Utterance:
    """What somebody says, pauses inside included: milliseconds from the beginning of the recording."""

    start_ms: int
    end_ms: int
    text: str


@dataclass(frozen=True)
class Recording:
    """A recording of one channel, and its utterances in order."""

    name: str
    rate_hz: int
    sound: NDArray[np.float32]
    """Samples from -1 to 1, [samples]."""
    utterances: tuple[Utterance, ...]


def wav_samples(path: str | os.PathLike[str]) -> tuple[int, NDArray[np.float32]]:
    """Rate in Hz and samples of a WAV file with 16-bit PCM: float32, [samples], or [samples, channels] with several.

    `ValueError`: it has another format.
    """
    with wave.open(os.fspath(path)) as wav:
        if wav.getsampwidth() != 2:
            raise ValueError(f"{path}: {8 * wav.getsampwidth()} bits a sample; expected 16-bit PCM")
        samples = np.frombuffer(wav.readframes(wav.getnframes()), "<i2").astype(np.float32) / np.float32(
            32_768
        )
        channels = wav.getnchannels()
        return wav.getframerate(), samples if channels == 1 else samples.reshape(-1, channels)


def labelled(folder: str | os.PathLike[str] | None = None, rate_hz: int = 16_000) -> list[Recording]:
    """The recordings of `labels.jsonl` in a folder that have this rate, one channel and an utterance.

    `folder`: `None` is `tests/recordings` of the checkout. A line a recording: `file`, and `segments` with `kind`
    ("utterance"), `start_ms`, `end_ms` and `text`. `FileNotFoundError`, `ValueError`: there are none.
    """
    if folder is None:
        top = checkout()
        if top is None:
            raise FileNotFoundError(
                "neither this package nor the working directory lies in a checkout: name a folder with "
                "labels.jsonl and recordings"
            )
        folder = top / "tests/recordings"
    found = []
    for line in (Path(folder) / "labels.jsonl").read_text(encoding="utf-8").splitlines():
        label = json.loads(line)
        spoken = [part for part in label["segments"] if part["kind"] == "utterance"]
        if not spoken or label["rate"] != rate_hz:
            continue
        _, sound = wav_samples(Path(folder) / label["file"])
        if sound.ndim == 1:
            said = sorted(
                (Utterance(u["start_ms"], u["end_ms"], u["text"]) for u in spoken), key=lambda u: u.start_ms
            )
            found.append(Recording(label["file"], rate_hz, sound, tuple(said)))
    if not found:
        raise ValueError(
            f"{folder}: labels.jsonl names no recording of {rate_hz} Hz with one channel and an utterance"
        )
    return found
