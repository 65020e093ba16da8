"""The same calls give the same results, bit for bit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import TOP, digest, play

import mynah

STEPS, SESSIONS = 200, 6

ELSEWHERE = """
import sys
sys.path[:0] = sys.argv[1].split("|")
import mynah
from conftest import TOP, digest, play
from mynah.recordings import wav_samples
import numpy as np
_, samples = wav_samples(TOP / "tests/recordings/turns.wav")
sound = np.concatenate([samples, np.zeros(32_000, np.float32)])
with mynah.VoiceVec("barge_in", int(sys.argv[2])) as vec:
    print(digest(play(vec, sound, int(sys.argv[3]))))
"""


def run(sound: np.ndarray, **options: object) -> str:
    with mynah.VoiceVec("barge_in", SESSIONS, **options) as vec:  # type: ignore[arg-type]
        return digest(play(vec, sound, STEPS))


@pytest.fixture(scope="module")
def expected(turns: np.ndarray) -> str:
    return run(turns)


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_threads_change_nothing(turns: np.ndarray, expected: str, threads: int) -> None:
    assert run(turns, threads=threads) == expected


def test_a_seed_repeats_and_another_does_not(turns: np.ndarray, expected: str) -> None:
    with mynah.VoiceVec("barge_in", SESSIONS, seed=7) as vec:
        other = digest(play(vec, turns, STEPS))
        assert other != expected
        vec.reset(seed=1)
        assert vec.now_us == 0 and vec.seed == 1
        assert digest(play(vec, turns, STEPS)) == expected
        vec.reset(seed=7)
        assert digest(play(vec, turns, STEPS)) == other


def test_another_process_gives_the_same(expected: str) -> None:
    paths = "|".join([str(Path(__file__).parent), str(Path(mynah.__file__).parents[1])])
    line = [sys.executable, "-c", ELSEWHERE, paths, str(SESSIONS), str(STEPS)]
    done = subprocess.run(
        line, capture_output=True, text=True, env={**os.environ, "PYTHONHASHSEED": "3"}, cwd=TOP
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == expected


def test_resets_of_some_repeat_too(turns: np.ndarray) -> None:
    def once() -> str:
        with mynah.VoiceVec("barge_in", SESSIONS) as vec:
            steps = play(vec, turns, 60)
            vec.reset(np.arange(SESSIONS) % 2 == 0)
            return digest(steps + play(vec, turns, 60, first=60))

    assert once() == once()


def test_a_session_begins_anew_and_the_others_go_on(turns: np.ndarray) -> None:
    with mynah.VoiceVec("gate_only", 2) as vec, mynah.VoiceVec("gate_only", 2) as untouched:
        play(vec, turns, 60), play(untouched, turns, 60)
        vec.reset(np.array([True, False]))
        after, same = play(vec, turns, 200), play(untouched, turns, 200)
        told = [event for step in after for event in step.events if event["session"] == 0]
        kept, unchanged = (
            [event.tolist() for step in steps for event in step.events if event["session"] == 1]
            for steps in (after, same)
        )
    assert kept == unchanged and kept
    first = told[0]
    assert first["kind"] == mynah.Kind.SPEECH_STARTED and first["segment"] == 1
    assert first["from_us"] < 1_000_000 < first["t_us"], (
        "media time counts from the reset, engine time goes on"
    )
