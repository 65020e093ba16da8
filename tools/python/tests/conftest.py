"""What tests share: the checkout, a recording, and a run of many sessions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mynah
from mynah.recordings import wav_samples

TOP = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def turns() -> np.ndarray:
    """Two utterances by two voices and two seconds of silence, float32 at 16 kHz."""
    _, samples = wav_samples(TOP / "tests/recordings/turns.wav")
    return np.concatenate([samples, np.zeros(32_000, np.float32)])


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> Iterator[Any]:
    """What speaks to workers as an engine does: `tests/worker/fake_engine.py`."""
    from fake_engine import own_engine

    with own_engine(request.node.name) as fake:
        yield fake


@pytest.fixture(scope="session")
def vectors() -> dict[str, Any]:
    """Control messages as they stand in JSON, by name."""
    paths = sorted((TOP / "tests/vectors/control").glob("*.json"))
    return {path.stem: json.loads(path.read_text("utf-8")) for path in paths}


def play(vec: mynah.VoiceVec, sound: np.ndarray, steps: int, first: int = 0) -> list[mynah.Step]:
    """Plays a recording into all sessions, into each from another place on; the steps, with their texts."""
    starts = np.arange(vec.n) * 4_000
    window = np.arange(vec.samples)
    given = []
    for step in range(first, first + steps):
        at = (step * vec.samples + starts) % (len(sound) - vec.samples)
        given.append(vec.step(sound[at[:, None] + window]).keep())
    return given


def digest(steps: list[mynah.Step]) -> str:
    """A hash over everything that the steps gave: sound, events and texts."""
    found = hashlib.blake2b(digest_size=16)
    for step in steps:
        for part in (step.out, step.got, step.events):
            found.update(part.tobytes())
        for i in range(len(step.events)):
            found.update(repr((step.text(i), step.detail(i), step.id(i), step.spoken(i))).encode())
    return found.hexdigest()
