"""The examples speak, listen and say what they promise."""

from __future__ import annotations

import array
import asyncio
import math
import os
import re
import sys
import wave
from pathlib import Path

import pytest

pytest.importorskip("websockets")

from scripted_server import Peer, serving

import mynah

EXAMPLES = Path(__file__).resolve().parents[2] / "examples/client"
MS = 48


def tone(path: Path, ms: int, hz: int = 300) -> Path:
    """A WAV file with a tone, 16 kHz mono."""
    samples = array.array("h", (int(9_000 * math.sin(2 * math.pi * hz * i / 16_000)) for i in range(16 * ms)))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(samples.tobytes())
    return path


async def run(example: str, *arguments: str | Path) -> tuple[int, str, str]:
    """Exit code, and what it prints."""
    environment = {**os.environ, "PYTHONPATH": str(Path(mynah.__file__).parents[1])}
    line = [sys.executable, str(EXAMPLES / example), *map(str, arguments)]
    pipe = asyncio.subprocess.PIPE
    program = await asyncio.create_subprocess_exec(*line, stdout=pipe, stderr=pipe, env=environment)
    out, err = await asyncio.wait_for(program.communicate(), 60)
    return program.returncode or 0, out.decode(), err.decode()


async def loud(peer: Peer, wanted: bool) -> bool:
    """Reads up to audio that is loud, or silent; `False`: the input ended first."""
    while isinstance(message := await peer.next(), bytes) or "message_type" in message:
        if isinstance(message, bytes) and (max(array.array("h", message), default=0) > 1_000) is wanted:
            return True
    return False


def test_ask_writes_the_answer_that_holds(tmp_path: Path) -> None:
    async def script(peer: Peer) -> None:
        await peer.opened()
        assert await loud(peer, True) and await loud(peer, False)
        await peer.control("Transcript", {"text": "two coffees", "last": True}, turn=1)
        # The first answer came too early, and is taken back.
        await peer.audio(bytes(200 * MS), turn=1)
        await peer.control("CancelAnswer", turn=1)
        await peer.audio(b"\1\2" * (500 * MS // 2), turn=2)
        await peer.control("Line", {"text": "On their way.", "from_us": 0, "until_us": None}, turn=2)
        assert not await loud(peer, True)
        await peer.over()

    async def story() -> None:
        async with serving(script) as server:
            speech, out = tone(tmp_path / "speech.wav", 300), tmp_path / "answer.wav"
            code, told, err = await run("ask.py", speech, "--url", server.url, "--out", out)
        assert (code, err) == (0, "")
        assert told.splitlines() == ["heard:  two coffees", "answer: On their way.", f"{out}: 0.5 s"]
        with wave.open(str(out), "rb") as file:
            assert (file.getframerate(), file.readframes(50_000)) == (24_000, b"\1\2" * (500 * MS // 2))

    asyncio.run(story())


def test_barge_in_measures_when_it_is_silent(tmp_path: Path) -> None:
    async def script(peer: Peer) -> None:
        await peer.opened()
        assert await loud(peer, True) and await loud(peer, False)
        await peer.audio(bytes(9_000 * MS), turn=1)
        assert await loud(peer, True)
        await asyncio.sleep(0.2)
        await peer.control("AnswerInterrupted", {"heard_us": 900_000}, turn=1)
        await peer.over()

    async def story() -> None:
        async with serving(script) as server:
            speech = tone(tmp_path / "speech.wav", 300)
            code, told, err = await run("barge_in.py", speech, speech, "--url", server.url)
        assert (code, err) == (0, "")
        silent, interrupted = told.splitlines()
        told_ms, unplayed_s = (float(number) for number in re.findall(r"\d+(?:\.\d+)?", silent))
        assert 150 <= told_ms <= 1_000
        # The answer sounds 800 ms before the interruption, and 200 ms into it.
        assert 7.0 < unplayed_s < 8.1
        assert interrupted == "turn 1: interrupted, 0.90 s were heard"

    asyncio.run(story())


@pytest.mark.parametrize("example", ["ask.py", "barge_in.py"])
def test_a_refusal_is_a_sentence(example: str, tmp_path: Path) -> None:
    async def story() -> None:
        body = b'{"error":{"code":"no_key","message":"send a key"}}'
        async with serving(refusals={0: (401, {}, body)}) as server:
            speech = tone(tmp_path / "speech.wav", 20)
            more = [speech] if example == "barge_in.py" else []
            code, told, err = await run(example, speech, *more, "--url", server.url)
        assert (code, told, err) == (1, "", "refused with 401: no_key: send a key\n")

    asyncio.run(story())
