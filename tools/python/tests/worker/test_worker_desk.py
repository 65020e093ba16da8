"""What waits to be sent: bounded, in order, and gone with a cancel."""

from __future__ import annotations

import asyncio
import threading
import time

import numpy as np
import pytest

from mynah.worker import Call, Cancelled, CancelToken, Speaks, _desk
from mynah.worker._desk import Desk, Job, Stalled, ack
from mynah.worker._output import ToolCall


def begun(number: int = 1) -> tuple[Desk, Job]:
    """A desk with a job."""
    desk = Desk(lambda: None)
    job = Job(desk, Call(id=number, session="s", task="Reply", text="", speaks=Speaks(16_000)))
    desk.add(job)
    return desk, job


def emptied(desk: Desk) -> list[str]:
    """All letters in order, sent."""
    found = []
    while (letter := desk.next()) is not None:
        found.append(letter.type or "data")
        desk.sent(letter)
    return found


def test_what_overtakes_goes_first_and_the_end_goes_last() -> None:
    desk, job = begun()
    job.say("hello")
    job.tell("Partial", {"text": "hm"})
    job.say(np.zeros(4_000, np.float32))
    desk.end(job, "Done", {})
    desk.urgent(ack("s", 1, "Delivered"))
    assert emptied(desk) == ["Ack", "data", "Partial", "data", "data", "data", "Done"]
    assert job.parts == 4


def test_a_cancel_takes_everything_along() -> None:
    desk, job = begun()
    job.say("hello")
    assert desk.cancel(1, 7) == (True, job) and desk.cancel(1, 8) == (True, None)
    assert desk.cancel(2, 9) == (False, None)
    for say in (
        lambda: job.say("late"),
        lambda: job.tell("Partial", {"text": "late"}),
        lambda: job.ask(ToolCall("a")),
    ):
        with pytest.raises(Cancelled):
            say()
    assert emptied(desk) == []
    desk.end(job, "Done", {})
    assert emptied(desk) == ["Ack", "Ack"] and desk.calls() == []
    desk.end(job, "Done", {})
    assert emptied(desk) == []


@pytest.mark.parametrize("awaits", [False, True])
def test_who_finds_no_room_waits_and_does_not_for_ever(monkeypatch: pytest.MonkeyPatch, awaits: bool) -> None:
    monkeypatch.setattr(_desk, "STALL_S", 0.2)
    _, job = begun()
    with pytest.raises(Stalled, match="has taken nothing"):
        sound = np.zeros(16_000 * 60, np.float32)
        asyncio.run(job.say_async(sound)) if awaits else job.say(sound)
    assert job.parts == _desk.WAITING_MAX


def test_who_waits_for_room_is_cancelled() -> None:
    desk, job = begun()
    threading.Timer(0.1, lambda: desk.cancel(1, 1)).start()
    with pytest.raises(Cancelled):
        job.say(np.zeros(16_000 * 60, np.float32))


def test_what_is_too_long_fails() -> None:
    _, job = begun()
    with pytest.raises(ValueError, match="Partial has 10001 characters"):
        job.tell("Partial", {"text": "x" * 10_001})


@pytest.mark.parametrize(
    ("output", "error"),
    [
        (np.zeros((10, 2), np.float32), ValueError),
        (np.zeros(10, np.int32), TypeError),
        (b"bytes", TypeError),
        (3, TypeError),
    ],
)
def test_what_is_no_output_is_told(output: object, error: type[Exception]) -> None:
    _, job = begun()
    with pytest.raises(error, match="expected"):
        job.say(output)


def test_a_token() -> None:
    token, told = CancelToken(), threading.Event()
    token.check()
    assert not token.cancelled and not token.wait(0.01)
    token.on_cancel(lambda: 1 / 0)
    token.on_cancel(told.set)
    token._set()
    assert told.wait(10) and token.cancelled and token.wait()
    with pytest.raises(Cancelled):
        token.check()
    late: list[float] = []
    token.on_cancel(lambda: late.append(time.monotonic()))
    assert len(late) == 1
