"""What goes wrong is an exception that says what, where, and what would do."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import TOP

import mynah
from mynah import Drive, Status


def test_a_wrong_scene_has_its_diagnostics() -> None:
    with pytest.raises(mynah.SceneError) as found:
        mynah.VoiceVec("gate_only", 1, settings=["gate.treshold=0.8"])
    assert found.value.status == Status.BAD_SCENE
    assert "did you mean `threshold`?" in str(found.value)
    with pytest.raises(mynah.SceneError):
        mynah.Engine("(name: 3)")
    again = pickle.loads(pickle.dumps(found.value))
    assert type(again) is mynah.SceneError and again.text == found.value.text


def test_an_unknown_scene_lists_those_there_are() -> None:
    with pytest.raises(FileNotFoundError, match="barge_in"):
        mynah.VoiceVec("bargein", 1)


def test_scenes_are_texts_paths_and_names() -> None:
    path = TOP / "scenes/gate_only.ron"
    for scene in (path, str(path), path.read_text(encoding="utf-8"), "gate_only", "gate_only.ron"):
        mynah.VoiceVec(scene, 1).close()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"n": 0}, "n is 0"),
        ({"n": 1, "step_ms": 0}, "step_ms is 0"),
        ({"n": 1, "input_rate": 11_025, "step_ms": 5}, "no whole frames"),
        ({"n": 1, "input_rate": 100}, "100"),
        ({"n": 1, "threads": 0}, "threads is 0"),
        ({"n": 1, "lead_ms": 99_999}, "lead_ms"),
    ],
)
def test_numbers_out_of_range_are_named(options: dict[str, int], named: str) -> None:
    with pytest.raises((ValueError, mynah.MynahError), match=named):
        mynah.VoiceVec("barge_in", **options)  # type: ignore[arg-type]


def test_arrays_of_another_kind_are_refused() -> None:
    with mynah.VoiceVec("gate_only", 2) as vec:
        with pytest.raises(TypeError, match="float64"):
            vec.step(np.zeros((2, 320)))  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=r"\(2, 320\)"):
            vec.step(np.zeros((2, 160), np.float32))
        with pytest.raises(IndexError, match="session 2 of 2"):
            vec.interrupt(2)
        with pytest.raises(ValueError, match="mask"):
            vec.reset(np.array([True]))
        with pytest.raises(ValueError, match="seed"):
            vec.reset(np.array([True, False]), seed=3)
        with pytest.raises(mynah.MynahError, match="said") as found:
            vec.say(0, "This scene has no voice.")
        assert found.value.status == Status.NO_VOICE
        assert vec.step(np.zeros((2, 320), np.float32)).got.tolist() == [0, 0]
    with pytest.raises(mynah.ClosedError):
        vec.step(np.zeros((2, 320), np.float32))
    with pytest.raises(mynah.ClosedError):
        vec.interrupt(0)


def test_a_session_that_has_ended_gets_silence(turns: np.ndarray) -> None:
    with mynah.VoiceVec("barge_in", 2) as vec:
        vec.hang_up(0)
        told = []
        for step in range(100):
            given = vec.step(np.stack([turns[step * 320 :][:320]] * 2))
            told += [
                (int(e["session"]), mynah.Kind(e["kind"]), given.detail(i))
                for i, e in enumerate(given.events)
            ]
            assert given.got[0] == 0
        assert vec.is_over(0) and not vec.is_over(1)
        assert [(kind, detail) for session, kind, detail in told if session == 0] == [
            (mynah.Kind.CLOSED, "hung_up")
        ]
        with pytest.raises(mynah.ClosedError):
            vec.say(0, "Nobody hears this.")
        vec.reset(np.array([True, False]))
        assert not vec.is_over(0)


def test_an_engine_of_another_drive_says_so() -> None:
    with mynah.Engine("gate_only", drive=Drive.THREAD) as engine, pytest.raises(mynah.MynahError) as found:
        engine.tick(5_000)
    assert found.value.status == Status.BAD_DRIVE


def test_without_a_library_the_error_names_the_places(tmp_path: Path) -> None:
    program = "import mynah\nprint(mynah.Kind.LINE.name)\ntry: mynah.Engine('(x)')\nexcept ImportError as e: print(e)"
    environment = {**os.environ, "PYTHONPATH": str(Path(mynah.__file__).parents[1])}
    missing = tmp_path / "nothing.so"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**environment, "MYNAH_LIBRARY": str(missing)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("LINE\n") and str(missing) in done.stdout
    for place in (
        "MYNAH_LIBRARY",
        "beside the package",
        "target/release",
        "cargo build --release -p libmynah",
    ):
        assert place in done.stdout
    other = tmp_path / "other.so"
    other.write_bytes(b"no library")
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**environment, "MYNAH_LIBRARY": str(other)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "is no library of mynah" in done.stdout
