"""How many seconds of sessions a second of processor carries: `VoiceVec` against the same calls in C.

    python tools/python/examples/throughput.py [--rounds 5] [--steps 400]

64 sessions, steps of 20 ms, a detector and a real recording. Both are measured in turn, in processor time, so that
other programs on the machine weigh on both. Without gcc only Python is measured.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import wave
from pathlib import Path

import numpy as np

import mynah

TOP = Path(__file__).resolve().parents[3]
SCENE = TOP / "scenes/gate_only.ron"
RECORDING = TOP / "tests/recordings/voices.wav"
SESSIONS, STEP_S = 64, 0.02


def sound() -> np.ndarray:
    """The recording, float32, with its beginning once more behind its end."""
    with wave.open(str(RECORDING)) as wav:
        samples = np.frombuffer(wav.readframes(wav.getnframes()), "<i2").astype(np.float32) / 32_768
    return np.concatenate([samples, samples[:320]])


def in_python(steps: int) -> tuple[float, float, str]:
    """Processor seconds of the calls and of everything, and what came of it."""
    heard = sound()
    length = len(heard) - 320
    windows = np.lib.stride_tricks.sliding_window_view(heard, 320)
    offsets = np.arange(SESSIONS) * 16_000
    told, sounding, total, calls_s = 0, 0, 0.0, 0.0
    with mynah.VoiceVec(SCENE, SESSIONS) as vec:
        began_s = time.process_time()
        for step in range(steps):
            pcm = windows[(step * 320 + offsets) % length]
            before_s = time.process_time()
            given = vec.step(pcm)
            calls_s += time.process_time() - before_s
            told += len(given.events)
            sounding += int(given.got.sum())
            total += float(given.out.ravel()[(step * 7_919) % given.out.size])
        all_s = time.process_time() - began_s
    return calls_s, all_s, f"events={told} frames={sounding} sum={total:.9f}"


def in_c(program: Path, steps: int) -> tuple[float, float, str]:
    """The same of the C program."""
    line = subprocess.run(
        [program, SCENE, RECORDING, str(SESSIONS), str(steps)],
        env={**os.environ, "LD_LIBRARY_PATH": str(mynah.library_path().parent)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    found = re.fullmatch(r"calls_s=(\S+) all_s=(\S+) (.*)\n", line)
    assert found, f"step.c printed {line!r}"
    return float(found[1]), float(found[2]), found[3]


def compiled(folder: str) -> Path | None:
    """`step.c`, compiled; `None`: there is no gcc."""
    if shutil.which("gcc") is None:
        return None
    program = Path(folder) / "step"
    source = TOP / "tools/capi/examples/step.c"
    flags = [
        "-O2",
        f"-I{TOP / 'tools/capi'}",
        f"-L{mynah.library_path().parent}",
        "-lmynah",
        "-o",
        str(program),
    ]
    subprocess.run(["gcc", str(source), *flags], check=True)
    return program


def main() -> int:
    """Measures in turn and prints best and median."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--steps", type=int, default=400)
    given = options.parse_args()
    seconds = SESSIONS * given.steps * STEP_S
    rates: dict[str, list[tuple[float, float]]] = {"C": [], "Python": []}
    with tempfile.TemporaryDirectory() as folder:
        program = compiled(folder)
        for _ in range(given.rounds):
            results = {"Python": in_python(given.steps)}
            if program is not None:
                results["C"] = in_c(program, given.steps)
                if results["C"][2] != results["Python"][2]:
                    print(f"the two differ: {results}", file=sys.stderr)
                    return 1
            for name, (calls_s, all_s, _) in results.items():
                rates[name].append((seconds / calls_s, seconds / all_s))
    print(
        f"{SESSIONS} sessions, {given.steps} steps of 20 ms, {given.rounds} rounds; session-s a processor-s"
    )
    print("          calls best  median    with input best  median")
    for name, found in rates.items():
        if found:
            calls, alls = zip(*found, strict=True)
            of = [max(calls), statistics.median(calls), max(alls), statistics.median(alls)]
            print(f"{name:8}  {of[0]:10.0f}  {of[1]:6.0f}    {of[2]:15.0f}  {of[3]:6.0f}")
    if rates["C"]:
        best = max(c for c, _ in rates["Python"]) / max(c for c, _ in rates["C"])
        median = statistics.median(p[0] / c[0] for p, c in zip(rates["Python"], rates["C"], strict=True))
        print(f"Python / C: best {best:.2f}, median of the rounds {median:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
