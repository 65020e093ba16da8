"""The same client against a server that runs: `MYNAH_SERVER` is its address (`ws://127.0.0.1:8080`), `MYNAH_MODEL` a
scene that answers, `MYNAH_KEY` a key where it asks for one."""

from __future__ import annotations

import asyncio
import os
import wave
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("websockets")

from mynah.client import (
    AnswerInterrupted,
    AnswerStarted,
    Audio,
    ConfirmSpeculation,
    EndOfSpeech,
    Format,
    NotUnderstood,
    Probability,
    Refused,
    Resumed,
    Session,
    SessionClosed,
    SpeechStarted,
    Transcript,
    Transcripts,
    connect,
)

URL = os.environ.get("MYNAH_SERVER")
pytestmark = pytest.mark.skipif(URL is None, reason="MYNAH_SERVER names no server")
TURNS = Path(__file__).resolve().parents[4] / "tests/recordings/turns.wav"
STEP_MS = 20


def opened(**more: Any) -> AbstractAsyncContextManager[Session]:
    """A session with the server."""
    options = {"model": os.environ.get("MYNAH_MODEL"), "key": os.environ.get("MYNAH_KEY"), **more}
    return connect(URL or "", input=Format(16_000, 1), **options)


def run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """A story that takes a minute at most."""
    asyncio.run(asyncio.wait_for(story(), 60))


async def speak(session: Session, silence_s: float) -> None:
    """Two utterances as a microphone gives them, and silence."""
    with wave.open(str(TURNS), "rb") as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
        sound = file.readframes(file.getnframes()) + bytes(int(32_000 * silence_s))
    loop = asyncio.get_running_loop()
    began_s, step = loop.time(), 32 * STEP_MS
    for number, at in enumerate(range(0, len(sound), step)):
        await asyncio.sleep(began_s + number * STEP_MS / 1e3 - loop.time())
        await session.push(sound[at : at + step])


async def until(session: Session, kind: type[Any]) -> Any:
    """The next event of a kind."""
    async for event in session:
        if isinstance(event, kind):
            return event
    raise AssertionError(f"the session ended without {kind.__name__}")


def test_speech_is_heard_and_answered() -> None:
    async def story() -> None:
        async with opened(notes=["speech", "probability"], params={"language": "en"}) as session:

            async def all_said() -> None:
                await speak(session, silence_s=3)
                await session.finish()

            saying = asyncio.create_task(all_said())
            events = [event async for event in session]
            await saying
            kinds = {type(event) for event in events}
            wanted = {
                ConfirmSpeculation,
                EndOfSpeech,
                Transcript,
                AnswerStarted,
                Audio,
                SpeechStarted,
                Probability,
            }
            assert wanted <= kinds and isinstance(events[-1], SessionClosed)
            assert not [event for event in events if isinstance(event, NotUnderstood)]
            transcripts = Transcripts()
            assert any(transcripts.take(event) for event in events)
            # Who answers says whose answer it is, and when.
            answers = [event for event in events if isinstance(event, Audio)]
            assert all(event.turn is not None for event in answers)
            figures = session.figures
            assert (figures.rejected, figures.unknown, figures.failed, figures.too_old) == (0, 0, 0, 0)
            assert session.ended is not None and session.ended.code == 1000

    run(story)


def test_a_line_is_spoken_and_withdrawn() -> None:
    async def story() -> None:
        async with opened() as session:
            feeding = asyncio.create_task(silence(session))
            line = await session.say("Let me tell you about the old bridge. " * 5)
            await asyncio.wait_for(session.delivered(line), 5)
            started = await until(session, AnswerStarted)
            assert started.line == line
            await until(session, Audio)
            stop = await session.interrupt()
            told = await until(session, AnswerInterrupted)
            assert told.turn == started.turn
            await asyncio.wait_for(session.applied(stop), 5)
            feeding.cancel()

    run(story)


async def silence(session: Session) -> None:
    """What the microphone of a silent caller gives."""
    while True:
        await session.push(bytes(32 * STEP_MS))
        await asyncio.sleep(STEP_MS / 1e3)


def test_a_lost_connection_is_resumed() -> None:
    async def story() -> None:
        async with opened() as session:
            feeding = asyncio.create_task(silence(session))
            await session.delivered(await session.set({"mood": "calm"}))
            # Nobody says goodbye.
            session._talk._newest._socket.transport.abort()
            await until(session, Resumed)
            line = await session.say("Here I am again.")
            assert (await until(session, AnswerStarted)).line == line
            feeding.cancel()

    run(story)


@pytest.mark.parametrize(
    ("options", "status"), [({"model": "no such scene"}, 404), ({"gate": {"treshold": 0.5}}, None)]
)
def test_what_the_server_does_not_know_is_refused(options: dict[str, Any], status: int | None) -> None:
    async def story() -> None:
        with pytest.raises(Refused) as caught:
            async with opened(**options):
                pass
        assert caught.value.status == status and caught.value.message

    run(story)
