"""Calls of an engine, answered by worker processes."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("iceoryx2", reason="NOT TESTED: workers, as iceoryx2==0.10.0 is not installed")

from fake_engine import FakeEngine, Peer

from mynah.worker._wire import F32, S16


def said(engine: FakeEngine, peer: Peer, call: int) -> str:
    """The text of an answer that is complete, with nothing missing."""
    parts = engine.first(peer, "Done", call=call).what.fields["parts"]
    engine.until(lambda: len(peer.texts(call)) + len(peer.sounds(call)) == parts)
    return "".join(peer.texts(call))


@pytest.mark.parametrize("service", ["says_back", "says_back_in_threads"])
def test_an_answer_comes_in_pieces(engine: FakeEngine, service: str) -> None:
    with engine.worker(service):
        peer = engine.peer()
        assert (
            peer.hello["protocol"] == 1 and peer.hello["serves"] == "Reply" and peer.hello["name"] == service
        )
        call = engine.call(peer, "hello big world")
        assert said(engine, peer, call) == "hello big world !"
        assert engine.first(peer, "Partial", call=call).what.fields["text"] == "hm"
        done = engine.first(peer, "Done", call=call).what.fields
        assert done["parts"] == 4 and 0 <= done["busy_us"] < 20_000_000


def test_many_calls_and_an_empty_answer(engine: FakeEngine) -> None:
    with engine.worker("says_back_at_once"):
        peer = engine.peer()
        calls = {engine.call(peer, f"number {number}"): f"number {number}" for number in range(60)}
        for call, text in calls.items():
            assert said(engine, peer, call) == text
        assert said(engine, peer, engine.call(peer, "")) == ""
        long = "Vögel " * 20_000
        # A call's own text is bounded by the message; what is answered is not.
        assert said(engine, peer, engine.call(peer, long[:9_000])) == long[:9_000]


def test_a_call_brings_what_the_protocol_says(engine: FakeEngine) -> None:
    history = [
        {"entry": "said", "by": "user", "turn": 1, "text": "hi", "interrupted": False},
        {"entry": "tool_call", "turn": 1, "call_id": "c", "name": "look", "arguments": "{}"},
        {"entry": "tool_result", "turn": 1, "call_id": "c", "result": "a bird"},
        {"entry": "said", "by": "assistant", "turn": 1, "text": "a bird", "interrupted": True},
    ]
    with engine.worker("tells_of_the_call", "Transcribe"):
        peer = engine.peer()
        sound = np.full(5_000, -0.5, np.float32)
        call = engine.call(
            peer,
            "what?",
            sound,
            task="Transcribe",
            turn=2,
            params={"lang": "en"},
            history=history,
            speaks=None,
        )
        text = said(engine, peer, call)
        assert text.startswith(
            "Transcribe s1 2 en [{'role': 'user', 'content': 'hi'}, {'role': 'assistant', 'content'"
        )
        assert "{'role': 'tool', 'tool_call_id': 'c', 'content': 'a bird'}" in text
        assert text.endswith("float32 (5000,) 2500.000 Hears(rate_hz=16000, channels=1) None")


def test_audio_is_whole_although_it_is_more_than_there_is_room_for(engine: FakeEngine) -> None:
    with engine.worker("sings", "Synthesize"):
        peer = engine.peer()
        engine.reads = False
        call = engine.call(peer, "30")
        # The queue is full, and the worker waits; control goes on meanwhile.
        engine.pass_s(1.0)
        assert not peer.sounds(call) and engine.first(peer, "Heartbeat", busy=1)
        engine.reads = True
        assert said(engine, peer, call) == "and "
        ramp, tail = peer.sounds(call)[:-1], peer.sounds(call)[-1]
        heard = np.concatenate([np.frombuffer(part.samples, "<f4") for part in ramp])
        assert np.array_equal(heard, np.arange(480_000, dtype=np.float32) / 480_000)
        assert {part.format for part in ramp} == {F32} and {part.rate_hz for part in ramp} == {16_000}
        assert tail.format == S16 and np.frombuffer(tail.samples, "<i2").tolist() == list(range(100))
        parts = [heard.what.part for heard in peer.of(call) if hasattr(heard.what, "part")]
        assert sorted(parts) == list(range(len(parts)))


def test_audio_for_who_takes_text_fails(engine: FakeEngine) -> None:
    with engine.worker("sings"):
        peer = engine.peer()
        failed = engine.first(peer, "Failed", call=engine.call(peer, "1", speaks=None)).what.fields
        assert (
            failed["reason"] == "ValueError: the service gave audio, but the node that called takes text only"
        )


@pytest.mark.parametrize("service", ["asks", "asks_in_threads"])
def test_tools_are_asked(engine: FakeEngine, service: str) -> None:
    with engine.worker(service):
        peer = engine.peer()
        call = engine.call(peer)
        look = engine.first(peer, "ToolCall", call=call, name="look").what.fields
        assert look["arguments"] == '{"at": "the clock"}' and look["parts"] == 0
        # An engine in virtual time waits for nothing else by then.
        assert engine.first(peer, "AwaitHost", call=call).what.fields["parts"] == 0
        engine.send(peer, "ToolResult", call=call, call_id=look["call_id"], result="noon")
        touch = engine.first(peer, "ToolCall", call=call, name="touch").what.fields
        assert touch["parts"] == 1
        engine.send(peer, "ToolResult", call=call, call_id="nobody's", result="?")
        engine.send(peer, "ToolResult", call=call, call_id=touch["call_id"], result="cold")
        assert said(engine, peer, call) == "saw noon, then cold"


@pytest.mark.parametrize("service", ["asks", "asks_in_threads"])
def test_waiting_for_a_tool_is_cancelled(engine: FakeEngine, service: str) -> None:
    with engine.worker(service):
        peer = engine.peer()
        call = engine.call(peer)
        engine.first(peer, "ToolCall", call=call)
        cancel = engine.send(peer, "Cancel", call=call)
        engine.first(peer, "Ack", message_id=cancel, stage="Applied")


def test_a_failure_is_told_and_the_worker_goes_on(engine: FakeEngine) -> None:
    with engine.worker("fails") as worker:
        peer = engine.peer()
        for _ in range(2):
            failed = engine.first(peer, "Failed", call=engine.call(peer)).what.fields
            assert failed["parts"] == 1 and failed["reason"].startswith("ValueError: no such thing: xxx")
            assert len(failed["reason"]) == 300
        worker.terminate()
        assert engine.until(lambda: worker.poll() is not None) and worker.returncode == 0
        assert worker.stderr is not None and "raise ValueError" in worker.stderr.read()


def test_what_is_no_output_fails(engine: FakeEngine) -> None:
    with engine.worker("gives_a_number"):
        peer = engine.peer()
        failed = engine.first(peer, "Failed", call=engine.call(peer)).what.fields
        assert failed["reason"].startswith("TypeError: the service gave a int; expected str")


def test_a_message_that_comes_again_counts_once(engine: FakeEngine) -> None:
    with engine.worker("says_back_at_once"):
        peer = engine.peer()
        call = engine.call(peer, "once")
        assert said(engine, peer, call) == "once"
        for _ in range(2):
            engine.send(peer, "Call", message_id=engine_id(peer, call), call=call, text="once", parts=0)
        engine.pass_s(0.3)
        kinds = [heard.what.type for heard in peer.of(call) if hasattr(heard.what, "type")]
        assert kinds == ["Done"] and peer.texts(call) == ["once"]
        acks = [heard for heard in peer.heard if heard.is_control("Ack", message_id=engine_id(peer, call))]
        assert len(acks) == 3


def engine_id(peer: Peer, call: int) -> int:
    """The id of the first message that was acknowledged: the call's."""
    return next(int(heard.what.fields["message_id"]) for heard in peer.heard if heard.is_control("Ack"))


def test_a_gap_in_the_audio_fails_the_call(engine: FakeEngine) -> None:
    with engine.worker("tells_of_the_call", "Transcribe"):
        peer = engine.peer()
        engine.send(peer, "Call", call=900, parts=3)
        sound = np.zeros(100, np.float32)
        engine.audio(peer, 900, 0, sound)
        engine.audio(peer, 900, 2, sound)
        failed = engine.first(peer, "Failed", call=900).what.fields
        assert failed["reason"] == "part 1 of the audio is missing: part 2 came"


def test_unknown_and_broken_messages_do_no_harm(engine: FakeEngine) -> None:
    with engine.worker("says_back_at_once"):
        peer = engine.peer()
        engine.send(peer, "Dance", how="well")
        engine.send(peer, "Call", call=-1)
        engine.send(peer, "Cancel")
        for data in (b"", b"\x05", b"\xff" * 100):
            if data:
                peer.control.send(data)
            if data:
                peer.audio.send(data)
        engine.audio(peer, 12_345, 0, np.zeros(10, np.float32))
        assert said(engine, peer, engine.call(peer, "still here")) == "still here"


def test_a_service_opens_forgets_and_closes(engine: FakeEngine) -> None:
    with engine.worker("Opened") as worker:
        peer = engine.peer()
        assert said(engine, peer, engine.call(peer, "door")) == "open door"
        engine.send(peer, "Close", session="s1")
        engine.pass_s(0.2)
        engine.send(peer, "Goodbye", reason="the day is over", session_id="")
        assert engine.until(lambda: worker.poll() is not None) and worker.returncode == 0
        assert worker.stderr is not None
        lines = worker.stderr.read().splitlines()
        assert lines == [
            "opened",
            "forgot s1",
            "closed",
            "mynah worker: the end: the engine says goodbye: the day is over",
        ]
