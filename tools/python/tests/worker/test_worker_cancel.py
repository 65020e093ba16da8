"""A cancel takes effect: the work stops, nothing of it is said any more, and the engine is told."""

from __future__ import annotations

import time

import pytest

pytest.importorskip("iceoryx2", reason="NOT TESTED: workers, as iceoryx2==0.10.0 is not installed")

from fake_engine import FakeEngine, Peer


def cpu_s(pid: int) -> float:
    """Processor time of a process."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def cancelled(engine: FakeEngine, peer: Peer, call: int) -> tuple[float, float]:
    """Cancels; seconds until it was delivered, and until it had taken effect."""
    began_s = time.monotonic()
    message_id = engine.send(peer, "Cancel", call=call)
    delivered = engine.first(peer, "Ack", message_id=message_id, stage="Delivered")
    applied = engine.first(peer, "Ack", message_id=message_id, stage="Applied")
    assert delivered.at_s <= applied.at_s
    return delivered.at_s - began_s, applied.at_s - began_s


@pytest.mark.parametrize(
    ("service", "at_least_s"),
    [
        ("sleeps", 0.0),
        ("clings", 0.5),
        ("clings_at_once", 0.5),
        ("computes", 0.0),
        ("deaf", 0.3),
        ("told", 0.0),
    ],
)
def test_applied_means_it_has_stopped(engine: FakeEngine, service: str, at_least_s: float) -> None:
    with engine.worker(service) as worker:
        peer = engine.peer()
        call = engine.call(peer)
        if service not in ("clings_at_once", "told"):
            engine.until(lambda: peer.texts(call))
        engine.pass_s(0.15)
        _, applied_s = cancelled(engine, peer, call)
        assert applied_s >= at_least_s
        known, before_s = len(peer.of(call)), cpu_s(worker.pid)
        engine.pass_s(1.0)
        assert len(peer.of(call)) == known, "something came after Applied"
        assert not [
            heard for heard in peer.of(call) if heard.is_control("Done") or heard.is_control("Failed")
        ]
        assert "late" not in peer.texts(call)
        # Heartbeats are all that is left; a busy thread would have taken a second, or half of one on a loaded machine.
        assert cpu_s(worker.pid) - before_s < 0.2
        assert worker.poll() is None


def test_what_is_unknown_or_over_has_stopped(engine: FakeEngine) -> None:
    with engine.worker("says_back_at_once"):
        peer = engine.peer()
        cancelled(engine, peer, 777)
        call = engine.call(peer, "over")
        engine.first(peer, "Done", call=call)
        cancelled(engine, peer, call)


def test_what_waits_for_a_thread_stops_at_once(engine: FakeEngine) -> None:
    # Two threads, both busy; the third call has not begun.
    with engine.worker("deaf"):
        peer = engine.peer()
        for _ in range(2):
            call = engine.call(peer)
            engine.until(lambda call=call: peer.texts(call))
        waits = engine.call(peer)
        cancelled(engine, peer, waits)
        assert not [heard for heard in peer.heard if heard.is_control("Done")], (
            "it stopped before the others ended"
        )
        for busy in (1, 2):
            engine.first(peer, "Done", call=busy)
        engine.pass_s(0.2)
        assert not peer.of(waits)


def test_every_cancel_is_answered(engine: FakeEngine) -> None:
    with engine.worker("clings"):
        peer = engine.peer()
        call = engine.call(peer)
        engine.until(lambda: peer.texts(call))
        ids = [engine.send(peer, "Cancel", call=call) for _ in range(3)]
        for message_id in ids:
            engine.first(peer, "Ack", message_id=message_id, stage="Applied")


def test_what_waits_for_room_is_dropped(engine: FakeEngine) -> None:
    with engine.worker("sings"):
        peer = engine.peer()
        engine.reads = False
        call = engine.call(peer, "30")
        engine.pass_s(0.5)
        cancelled(engine, peer, call)
        engine.reads = True
        engine.pass_s(0.5)
        # What lay in shared memory is the engine's to drop; the rest was never sent.
        assert 1 <= len(peer.sounds(call)) <= 33
        assert engine.first(peer, "Heartbeat", busy=0)


def test_a_call_is_cancelled_before_its_audio_is_there(engine: FakeEngine) -> None:
    with engine.worker("tells_of_the_call", "Transcribe"):
        peer = engine.peer()
        engine.send(peer, "Call", call=50, parts=3)
        cancelled(engine, peer, 50)
        engine.pass_s(0.2)
        assert not peer.of(50)


@pytest.mark.parametrize("service", ["sleeps", "computes"])
def test_many_cancels_lose_nothing(engine: FakeEngine, service: str) -> None:
    with engine.worker(service):
        peer = engine.peer()
        for _ in range(100):
            calls = [engine.call(peer) for _ in range(2)]
            ids = [engine.send(peer, "Cancel", call=call) for call in calls]
            for message_id in ids:
                engine.first(peer, "Ack", message_id=message_id, stage="Applied")
        assert engine.first(peer, "Heartbeat", busy=0)
