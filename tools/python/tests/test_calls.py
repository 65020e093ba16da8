"""Engines and sessions, call by call."""

from __future__ import annotations

import array
import json
import time

import numpy as np
import pytest
from conftest import TOP

import mynah
from mynah import Drive, Gate, Kind


def run(
    engine: mynah.Engine, session: mynah.Session, until_us: int, sound: np.ndarray | None = None
) -> list[mynah.Event]:
    """Ticks every 20 ms up to a time, with a recording from the engine's present on; the events."""
    events: list[mynah.Event] = []
    at = 0
    for now_us in range(engine.now_us + 20_000, until_us + 1, 20_000):
        if sound is not None and at < len(sound):
            session.push(sound[at : at + 320])
            at += 320
        engine.tick(now_us)
        events += engine.events()
        session.pull(320)
    return events


def test_a_conversation_is_told_and_remembered(turns: np.ndarray) -> None:
    with mynah.Engine("barge_in", drive=Drive.VIRTUAL) as engine, engine.open("player", user=41) as session:
        assert session.formats == mynah.Formats(16_000, 1, 16_000, 1)
        number = session.say("Halt! Who goes there?", priority=1)
        events = run(engine, session, 2_500_000, turns[-32_000:])
        events += run(engine, session, 8_000_000, turns[: 16 * 2_700])
        assert {event.session for event in events} == {session} and {event.user for event in events} == {41}
        assert {event.session_id for event in events} == {session.id}
        started = [event for event in events if event.kind == Kind.ANSWER_STARTED]
        assert started[0].number == number and started[1].number == 0
        lines = [event.text for event in events if event.kind == Kind.LINE]
        assert "Halt! Who goes there?" in lines
        spoken = next(event for event in events if event.kind == Kind.SPOKEN)
        assert next(part.from_byte for part in spoken.spoken if part.what == mynah.What.WORD) == 0
        saved = session.history()
        assert "Who goes there?" in saved and json.loads(saved)["entries"]
    with (
        mynah.Engine("barge_in", drive=Drive.VIRTUAL) as engine,
        engine.open("again", history=saved) as session,
    ):
        assert json.loads(session.history()) == json.loads(saved)


def test_the_program_is_the_mind(turns: np.ndarray) -> None:
    settings = ["services.reply.output=Host()"]
    with (
        mynah.Engine("barge_in", drive=Drive.VIRTUAL, settings=settings) as engine,
        engine.open("guard") as session,
    ):
        events = run(engine, session, 3_200_000, turns[: 16 * 2_700])
        asked = [event for event in events if event.kind == Kind.REPLY_REQUESTED]
        assert asked and asked[-1].text
        session.reply(asked[-1].number, "Follow the river. ", last=False)
        session.reply(asked[-1].number, "Turn left at the well.")
        lines = [event.text for event in run(engine, session, 6_000_000) if event.kind == Kind.LINE]
        assert [line for line in lines if line] and any("river" in (line or "") for line in lines)


def test_samples_are_anything_with_a_buffer(turns: np.ndarray) -> None:
    piece = turns[16_000:16_320]
    words = (piece * 32_767).astype(np.int16)
    given = [
        piece,
        words,
        array.array("f", piece),
        array.array("h", words.tolist()),
        piece.tolist(),
        memoryview(piece),
    ]
    read_only = piece.copy()
    read_only.flags.writeable = False
    with mynah.Engine("gate_only", drive=Drive.VIRTUAL) as engine, engine.open("ear") as session:
        for samples in [*given, read_only, piece[:0]]:
            session.push(samples)
        for refused in (piece.astype(np.float64), np.stack([piece, piece], axis=1)[:, 0], "sound", 3):
            with pytest.raises(TypeError):
                session.push(refused)
        with pytest.raises(mynah.FullError):
            for _ in range(100):
                session.push(piece)
        room = np.empty(320, np.float32)
        assert session.pull_into(room).frames == 0 and not room.any()
        samples, pulled = session.pull(160)
        assert len(samples) == 160 and pulled.turn == 0
        with pytest.raises(TypeError, match="read-only"):
            session.pull_into(read_only)


def test_a_clip_is_heard_as_it_is(turns: np.ndarray) -> None:
    clip = turns[16 * 300 : 16 * 2_500]
    with mynah.Engine("barge_in", drive=Drive.VIRTUAL) as engine, engine.open("player") as session:
        session.say_clip(clip, 16_000, subtitle="My order number")
        heard = array.array("f")
        lines = []
        for now_us in range(20_000, 3_000_000, 20_000):
            session.push(np.zeros(320, np.float32))
            engine.tick(now_us)
            lines += [event.text for event in engine.events() if event.kind == Kind.LINE]
            samples, pulled = session.pull(320)
            heard += samples[: pulled.frames]
    assert "My order number" in lines
    assert np.array_equal(np.array(heard[: len(clip)], np.float32), clip)


def test_push_to_talk(turns: np.ndarray) -> None:
    with (
        mynah.Engine("barge_in", drive=Drive.VIRTUAL) as engine,
        engine.open("player", gate=Gate.SHUT) as session,
    ):
        assert run(engine, session, 2_000_000, turns[: 16 * 1_900]) == []
        session.gate(Gate.OPEN)
        run(engine, session, 2_600_000, turns[16 * 1_900 : 16 * 2_500])
        session.gate(Gate.SHUT)
        kinds = [event.kind for event in run(engine, session, 3_000_000)]
    assert Kind.END_OF_SPEECH in kinds and Kind.TRANSCRIPT in kinds


def test_a_library_thread_ticks_by_itself() -> None:
    with mynah.Engine("barge_in", drive=Drive.THREAD) as engine, engine.open("player") as session:
        session.hang_up()
        deadline = time.monotonic() + 30
        events: list[mynah.Event] = []
        while not events and time.monotonic() < deadline:
            time.sleep(0.005)
            events = engine.events()
        assert [event.kind for event in events] == [Kind.CLOSED] and session.is_over


def test_warnings_of_a_scene_are_told() -> None:
    told: list[tuple[int, str]] = []
    settings = ["gate.half_duplex=true", "gate.raise_threshold_while_speaking=0.95"]
    mynah.Engine("barge_in", settings=settings, log=lambda level, text: told.append((level, text))).close()
    assert told and told[0][0] == 1 and "half_duplex" in told[0][1]


def test_closing_again_does_nothing() -> None:
    engine = mynah.Engine("gate_only")
    session = engine.open("a")
    with pytest.raises(mynah.FullError, match="a"):
        engine.open("a")
    session.close(), session.close()
    engine.close(), engine.close()
    assert session.is_over and engine.closed
    with pytest.raises(mynah.ClosedError):
        engine.tick(0)
    other = mynah.Engine("gate_only")
    mynah.close_all()
    with pytest.raises(mynah.ClosedError):
        other.open("b")
    other.close()


def test_the_library_says_what_it_is() -> None:
    assert mynah.version() and {"silero", "flite"} <= mynah.features()
    assert mynah.viseme_name(0) == "sil" and mynah.viseme_name(99) == ""
    assert (TOP / "tools/capi/mynah.h").is_file()
