"""Says what is in a WAV file, prints what was understood and answered, and writes the answer as a WAV file.

pip install './tools/python[client]'
python tools/python/examples/client/ask.py question.wav --url ws://127.0.0.1:8080 --out answer.wav
"""

from __future__ import annotations

import argparse
import asyncio
import time
import wave

from mynah.client import Audio, ClientError, Format, Line, Message, Session, Transcripts, connect, takes_back

STEP_MS, SILENCE_MS = 20, 1_500


def recorded(path: str) -> tuple[Format, bytes]:
    """Format and samples of a 16-bit WAV file."""
    with wave.open(path, "rb") as file:
        if file.getsampwidth() != 2:
            raise SystemExit(f"{path}: {8 * file.getsampwidth()}-bit samples, expected 16-bit")
        return Format(file.getframerate(), file.getnchannels()), file.readframes(file.getnframes())


async def speak(session: Session, sound: bytes) -> None:
    """Sends sound as a microphone would, and silence behind it."""
    step = session.input.frame_bytes * (session.input.rate_hz or 0) * STEP_MS // 1_000
    sound += bytes(step * SILENCE_MS // STEP_MS)
    began_s = time.monotonic()
    for number, at in enumerate(range(0, len(sound), step)):
        await asyncio.sleep(max(0.0, began_s + number * STEP_MS / 1e3 - time.monotonic()))
        await session.push(sound[at : at + step])
    await session.finish()


async def listen(session: Session) -> list[Audio]:
    """Prints what is said until the session ends; the answers that were not taken back."""
    said: list[Audio] = []
    transcripts, lines = Transcripts(), set[tuple[int | None, int]]()
    async for event in session:
        if heard := transcripts.take(event):
            print(f"heard:  {heard}")
        match event:
            case Line(text, from_us) if (event.turn, from_us) not in lines:
                lines.add((event.turn, from_us))
                print(f"answer: {text}")
            case Audio():
                said.append(event)
        if isinstance(event, Message):
            said = [audio for audio in said if not takes_back(event, audio)]
    return said


async def ask(path: str, url: str, model: str | None, key: str | None, out: str) -> None:
    """One question, one answer."""
    hears, sound = recorded(path)
    async with connect(url, model=model, key=key, input=hears) as session:
        speaking = asyncio.create_task(speak(session, sound))
        said = await listen(session)
        await speaking
        if session.output is None or not said:
            raise SystemExit("there was no answer")
        with wave.open(out, "wb") as file:
            file.setnchannels(session.output.channels or 1)
            file.setsampwidth(2)
            file.setframerate(session.output.rate_hz or 0)
            file.writeframes(b"".join(audio.data for audio in said))
        seconds = sum(session.output.us(len(audio.data)) for audio in said) / 1e6
        print(f"{out}: {seconds:.1f} s")


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("speech", help="a 16-bit WAV file of any rate")
    options.add_argument("--url", default="ws://127.0.0.1:8080", help="the server; default: %(default)s")
    options.add_argument("--model", help="which of its scenes; default: the first")
    options.add_argument("--key", help="where the server asks for one")
    options.add_argument("--out", default="answer.wav", help="the answer; default: %(default)s")
    given = options.parse_args()
    try:
        asyncio.run(ask(given.speech, given.url, given.model, given.key, given.out))
    except (ClientError, OSError) as error:
        raise SystemExit(str(error)) from None
