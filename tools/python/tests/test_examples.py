"""The examples end by themselves and print what they say; a story is the same by plain ctypes and by the package."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import TOP

import mynah
from mynah import Drive, Kind, layout
from mynah.recordings import wav_samples

EXAMPLES = TOP / "tools/python/examples"


def run(program: Path, *arguments: str) -> str:
    """What an example prints."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(mynah.__file__).parents[1]),
        "MYNAH_LIBRARY": str(mynah.library_path()),
    }
    line = [sys.executable, str(program), *arguments]
    done = subprocess.run(line, capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_more_silence_is_less_premature_and_later() -> None:
    rows = [
        [int(number) for number in re.findall(r"\d+", line)[:4]]
        for line in run(EXAMPLES / "silence_threshold.py").splitlines()
        if re.match(r" +\d+ +\d+ +\d+ %", line)
    ]
    assert len(rows) == 10
    premature, decided = [row[2] for row in rows], [row[3] for row in rows]
    assert premature == sorted(premature, reverse=True) and premature[0] > premature[-1] == 0
    assert decided == sorted(decided)


def test_a_sentence_withdraws_an_answer_and_a_word_does_not() -> None:
    lines = run(EXAMPLES / "barge_in.py").splitlines()
    assert lines[-2].startswith("sentence") and lines[-2].endswith(
        "16 of 16 fell silent, 16 answers withdrawn"
    )
    assert lines[-1].startswith("word") and lines[-1].endswith("16 of 16 fell silent, 0 answers withdrawn")
    slowest = [int(re.search(r"max (\d+) ms", line)[1]) for line in lines[-2:]]  # type: ignore[index]
    assert max(slowest) <= 200


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_python_and_c_step_alike() -> None:
    # It fails where sound and events differ; how fast they are is nobody's business here.
    assert "Python / C: best" in run(EXAMPLES / "throughput.py", "--rounds", "1", "--steps", "60")


@pytest.mark.parametrize(("scene", "call"), [("barge_in", "turns.wav"), ("gate_only", "two_cities_48k.wav")])
def test_a_story_is_the_same_by_the_package(tmp_path: Path, scene: str, call: str) -> None:
    path, wav = TOP / f"scenes/{scene}.ron", TOP / "tests/recordings" / call
    out = tmp_path / "heard.f32"
    told = run(TOP / "tools/capi/examples/sim.py", "--story", str(path), str(wav), str(out))
    lines, heard = story(path, wav)
    assert told == "".join(f"{line}\n" for line in lines)
    assert out.read_bytes() == heard


def test_a_step_hears_what_a_call_hears() -> None:
    path, wav = TOP / "scenes/barge_in.ron", TOP / "tests/recordings/turns.wav"
    lines, heard = story(path, wav)
    _, turns = wav_samples(wav)
    sound = np.concatenate([turns, np.zeros(16_000 * 9, np.float32)])
    told, given = [], b""
    with mynah.VoiceVec(path, 1) as vec:
        for piece in sound[: len(sound) // vec.samples * vec.samples].reshape(-1, 1, vec.samples):
            step = vec.step(piece)
            given += step.out[0, : step.got[0]].tobytes()
            told += [(int(event["t_us"]), Kind(event["kind"]).name.lower()) for event in step.events]
    assert given == heard
    # The call ends behind the recording, and with it the last wait for silence; a step has no such end.
    expected = [
        (int(us), kind) for us, kind in (line.split()[:2] for line in lines[:-1]) if int(us) < 4_900_000
    ]
    assert [event for event in told if event[0] < 4_900_000] == expected
    assert len(expected) > 10


def test_layouts_are_the_same_by_the_package() -> None:
    assert run(TOP / "tools/capi/examples/sim.py", "--layout").splitlines() == list(layout.lines())


def story(scene: Path, call: Path) -> tuple[list[str], bytes]:
    """The lines of a call, and what is heard."""
    rate, sound = wav_samples(call)
    chunk = rate // 50
    ends = [min(at + chunk, len(sound)) for at in range(0, len(sound), chunk)]
    lines, heard, pushed, closed, now_us = [], b"", 0, False, 0
    with (
        mynah.Engine(scene, drive=Drive.VIRTUAL) as engine,
        engine.open(call.name, input=(rate, 1)) as session,
    ):
        finished = False
        while True:
            if pushed == len(ends) and not finished:
                session.finish()
                finished = True
            while pushed < len(ends) and -(-ends[pushed] * 1_000_000 // rate) <= now_us:
                session.push(sound[pushed * chunk : ends[pushed]])
                pushed += 1
            engine.tick(now_us)
            for event in engine.events():
                closed = closed or event.kind == Kind.CLOSED
                lines.append(line_of(event))
            samples, pulled = session.pull(session.formats.output_rate_hz // 200)
            heard += samples[: pulled.frames].tobytes()
            if closed and pulled.frames == 0:
                return [*lines, f"frames {len(heard) // 4}"], heard
            now_us += 5_000


def line_of(event: mynah.Event) -> str:
    """An event as stories have it."""
    parts = ",".join(f"{int(p.what)}:{p.viseme}:{p.from_us}-{p.until_us}" for p in event.spoken)
    names = ("segment", "revision", "turn", "from_us", "until_us", "number")
    numbers = " ".join(f"{name}={getattr(event, name)}" for name in names)
    texts = " ".join(f"{name}={getattr(event, name) or ''}" for name in ("text", "detail", "id"))
    kind = Kind(event.kind).name.lower()
    return f"{event.t_us} {kind} flags={int(event.flags)} {numbers} {texts} spoken={parts}"
