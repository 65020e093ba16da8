"""Workers and the engine's own side: `ask` is an example of the crate `mynah-worker`.

cd tools/services && cargo build -p mynah-worker --example ask
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("iceoryx2", reason="NOT TESTED: workers, as iceoryx2==0.10.0 is not installed")

from fake_engine import SERVICES, SOURCES, swept

TOP = Path(__file__).resolve().parents[4]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", TOP / "tools/services/target"))
ASK = next(
    (path for kind in ("debug", "release") if (path := TARGET / kind / "examples/ask").is_file()), None
)

pytestmark = pytest.mark.skipif(
    ASK is None, reason=f"NOT TESTED: Python against Rust, as {TARGET} has no examples/ask"
)


def asked(service: str, *arguments: str) -> tuple[str, int, str]:
    """What the engine tells of a call, and how the worker ended."""
    prefix = f"mynah_test_{os.getpid()}_rust_{service}_"
    environment = {**os.environ, "MYNAH_IPC_PREFIX": prefix, "PYTHONPATH": str(SOURCES)}
    environment |= {"MYNAH_ENGINE": "asks", "MYNAH_SERVICE": "reply"}
    task = next((each.removeprefix("task=") for each in arguments if each.startswith("task=")), "Reply")
    command = [sys.executable, str(SERVICES), service, task]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as worker:
        done = subprocess.run(
            [str(ASK), "engine=asks", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        said = worker.communicate(timeout=30)[1]
    assert done.returncode == 0, done.stderr
    swept(prefix)
    return done.stdout, worker.returncode, said


@pytest.mark.parametrize("service", ["says_back", "says_back_in_threads"])
def test_an_engine_is_answered(service: str) -> None:
    told, code, said = asked(service, "hello", "world")
    assert (
        'Partial("hm")' in told and 'Text("hello ")' in told and 'Text("world ")' in told and "Done {" in told
    )
    assert code == 0 and "the engine says goodbye" in said


def test_an_engine_gets_audio_and_gives_it() -> None:
    told, _, _ = asked("hums", "task=Synthesize", "1.5")
    assert "24000 samples of audio" in told and "Done {" in told, told
    told, _, _ = asked("tells_of_the_call", "task=Transcribe")
    assert "float32 (32000,)" in told and "Hears(rate_hz=16000, channels=1) None" in told, told


@pytest.mark.parametrize("service", ["sleeps", "computes"])
def test_an_engine_is_told_that_it_has_stopped(service: str) -> None:
    told, code, _ = asked(service, "cancel_ms=3000", "count=3", "hello")
    # The last cancel is the last that the example does: nobody waits for what comes of it.
    assert told.count("cancelled\n") == 3 and told.count("Stopped {") >= 2 and code == 0, told


def test_an_engine_is_asked_for_tools_and_told_of_failures() -> None:
    told, _, _ = asked("asks", "cancel_ms=3000", "hello")
    assert 'name: "look"' in told, told
    told, _, _ = asked("fails", "hello")
    assert 'Failed("ValueError: no such thing' in told, told
