"""How a worker ends: a sentence and an exit code, whatever the reason."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

pytest.importorskip("iceoryx2", reason="NOT TESTED: workers, as iceoryx2==0.10.0 is not installed")

from fake_engine import HERE, SERVICES, FakeEngine, swept

from mynah.worker import _names


def ended(engine: FakeEngine, worker: subprocess.Popen[str], timeout_s: float = 20.0) -> tuple[int, str]:
    """Exit code and last line."""
    engine.until(lambda: worker.poll() is not None, timeout_s)
    assert worker.stderr is not None
    return worker.returncode, worker.stderr.read().strip().splitlines()[-1]


def test_the_engine_says_goodbye(engine: FakeEngine) -> None:
    with engine.worker("sleeps") as worker:
        peer = engine.peer()
        call = engine.call(peer)
        engine.until(lambda: peer.texts(call))
        engine.send(peer, "Goodbye", session="", reason="the scene is over")
        assert ended(engine, worker) == (
            0,
            "mynah worker: the end: the engine says goodbye: the scene is over",
        )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("service", ["sleeps", "computes", "clings"])
def test_asked_to_end_it_says_goodbye(engine: FakeEngine, service: str, number: signal.Signals) -> None:
    with engine.worker(service) as worker:
        peer = engine.peer()
        call = engine.call(peer)
        engine.until(lambda: peer.texts(call))
        worker.send_signal(number)
        code, line = ended(engine, worker)
        assert (code, line) == (0, f"mynah worker: the end: it was asked to end by {number.name}")
        assert engine.first(peer, "Goodbye").what.fields["reason"] == f"it was asked to end by {number.name}"


def test_the_engine_refuses(engine: FakeEngine) -> None:
    engine.refusal = "the scene asks for Transcribe, and this worker serves Reply"
    with engine.worker("sleeps") as worker:
        assert ended(engine, worker) == (1, f"mynah worker: the engine refused the worker: {engine.refusal}")


def test_the_engine_refuses_later(engine: FakeEngine) -> None:
    with engine.worker("sleeps") as worker:
        engine.send(engine.peer(), "Refused", session="", reason="too many")
        assert ended(engine, worker) == (1, "mynah worker: the engine refused the worker: too many")


def test_the_engine_speaks_another_protocol(engine: FakeEngine) -> None:
    engine.welcome["protocol"] = 2
    with engine.worker("sleeps") as worker:
        code, line = ended(engine, worker)
        assert code == 1 and "the engine speaks protocol 2, this worker 1: install" in line


def test_the_engine_falls_silent(engine: FakeEngine) -> None:
    with engine.worker("sleeps") as worker:
        engine.peer()
        engine.beats = False
        began_s = time.monotonic()
        assert ended(engine, worker) == (3, "mynah worker: the engine has said nothing for 5 s")
        assert time.monotonic() - began_s > 4.5


def test_a_worker_that_was_stopped_goes_on(engine: FakeEngine) -> None:
    with engine.worker("says_back_at_once") as worker:
        peer = engine.peer()
        worker.send_signal(signal.SIGSTOP)
        engine.pass_s(7.0)
        call = engine.call(peer, "still here")
        worker.send_signal(signal.SIGCONT)
        engine.first(peer, "Done", call=call)
        assert worker.poll() is None


@pytest.mark.parametrize("service", ["says_back", "computes", "blocks"])
def test_the_engine_dies(service: str) -> None:
    prefix = f"mynah_test_{os.getpid()}_dies_{service}_"
    program = (
        f"import sys; sys.path.insert(0, {str(HERE)!r})\n"
        "from fake_engine import FakeEngine\n"
        f"engine = FakeEngine({prefix!r})\n"
        f"context = engine.worker({service!r}); worker = context.__enter__()\n"
        "peer = engine.peer(); engine.call(peer, 'x'); engine.pass_s(0.3)\n"
        "print(worker.pid, flush=True)\n"
        "while True: engine.pump(0.05)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1] / "src")}
    # The worker's stderr is a pipe that dies with the engine: it must end nevertheless.
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.kill()
        died_s = time.monotonic()
    while is_there(pid):
        assert time.monotonic() - died_s < 15, "the worker lives on"
        time.sleep(0.02)
    # 0.5 s between two looks, 2 s for work that does not stop; generous for a loaded machine.
    assert time.monotonic() - died_s < 10
    swept(prefix)


def is_there(pid: int) -> bool:
    """Whether a process lives; one that has died and waits for its parent does not."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_service_that_blocks_for_good_ends_nevertheless(engine: FakeEngine) -> None:
    with engine.worker("blocks") as worker:
        peer = engine.peer()
        engine.call(peer)
        engine.first(peer, "Heartbeat", busy=1)
        engine.send(peer, "Goodbye", session="", reason="enough")
        assert ended(engine, worker) == (0, "mynah worker: the end: the engine says goodbye: enough")


def test_a_service_that_fails_to_open(engine: FakeEngine) -> None:
    with engine.worker("Broken") as worker:
        assert ended(engine, worker) == (
            2,
            "mynah worker: the service failed to open: FileNotFoundError: no model here",
        )
        assert not engine.peers


def run(code: str, **variables: str) -> tuple[int, str]:
    """Runs a worker without an engine; exit code and what it says."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MYNAH_")}
    environment |= {"PYTHONPATH": str(HERE.parents[1] / "src"), **variables}
    done = subprocess.run(
        [sys.executable, "-c", f"from mynah.worker import serve\n{code}"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


def test_nobody_answers() -> None:
    prefix = f"mynah_test_{os.getpid()}_nobody_"
    code, said = run("serve(print, engine='none', name='reply', wait_s=0.3)", MYNAH_IPC_PREFIX=prefix)
    assert code == 1 and said == (
        "mynah worker: nobody has answered for 0.3 s: does an engine 'none' run, with a service 'reply' in worker "
        "processes?\n"
    )
    swept(prefix)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("serve(print)", "which engine? Give serve(engine=...) or set MYNAH_ENGINE"),
        ("serve(print, engine='e')", "which name? Give serve(name=...) or set MYNAH_SERVICE"),
        ("serve(print, engine='a/b', name='s')", "engine is 'a/b'; expected 1 to 40 of the characters"),
        (
            "serve(print, 'Sing', engine='e', name='s')",
            "task is 'Sing'; expected one of Transcribe, Reply, Synthesize",
        ),
        ("serve(print, engine='e', name='s', parallel=0)", "parallel is 0; expected 1 to 64"),
    ],
)
def test_wrong_settings(code: str, says: str) -> None:
    returned, said = run(code)
    assert returned == 2 and said.startswith(f"mynah worker: {says}") and "Traceback" not in said


def test_shared_memory_of_another_making(engine: FakeEngine) -> None:
    # An engine whose table of settings is another one.
    names = replace(engine.names, service="other")
    other = engine.memory.pipe(names.lobby, replace(_names.LOBBY, buffer=32))
    environment = {**engine.environment(), "MYNAH_SERVICE": "other"}
    done = subprocess.run(
        [sys.executable, str(SERVICES), "sleeps"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert (
        "cannot be opened" in done.stderr and "need iceoryx2 0.10.0 both; installed is 0.10.0" in done.stderr
    )
    del other
