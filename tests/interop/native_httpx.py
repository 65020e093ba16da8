"""The native protocol over plain HTTP, by httpx: sound up, events down, receipts by POST, a stream of events that is lost and
comes again. `native_httpx.py http://HOST:PORT SPEECH.wav`"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import wave
from typing import Any

import httpx
from httpx_sse import ServerSentEvent, aconnect_sse

CLIENT = "httpx (native, SSE)"
MODEL = "transcribe"
STEP_MS = 40
EVENTS = ("Transcript", "Closed")
"""Message types that are not acknowledged: they are told once."""


class Caller:
    """A session, and what came of it."""

    def __init__(self, http: httpx.AsyncClient, opened: dict[str, Any]) -> None:
        self.http, self.path = http, f"/v1/sessions/{opened['session']}"
        self.headers = {"Authorization": f"Bearer {opened['token']}"}
        self.seen: list[tuple[int, str]] = []
        """Ids and types of messages, as they came."""
        self.words: list[str] = []
        self.wrong: list[str] = []
        self.over = asyncio.Event()

    async def post(self, what: str, **more: Any) -> None:
        """Posts, and expects 204."""
        answer = await self.http.post(f"{self.path}/{what}", headers=self.headers, **more)
        if answer.status_code != 204:
            self.wrong.append(f"{what}: {answer.status_code} {answer.text}")

    async def acknowledge(self, message: int) -> None:
        """Twice: the second time nothing happens."""
        await self.post(f"ack/{message}?stage=Delivered")
        await self.post(f"ack/{message}?stage=Applied")
        await self.post(f"ack/{message}?stage=Applied")

    async def take(self, sent: ServerSentEvent, *, acknowledges: bool) -> None:
        """Takes an event."""
        if sent.event != "control_message":
            return
        message = json.loads(sent.data)
        kind, fields = next(iter(message["message_type"].items()))
        if sent.id != str(message["message_id"]):
            self.wrong.append(f"id {sent.id} of message {message['message_id']}")
        if kind == "Ack":
            return
        self.seen.append((message["message_id"], kind))
        if kind == "Transcript" and fields["text"]:
            self.words.append(fields["text"])
        if kind == "Closed":
            self.over.set()
        elif acknowledges and kind not in EVENTS:
            await self.acknowledge(message["message_id"])

    async def listen(self, *, acknowledges: bool, until: int | None = None) -> None:
        """Reads events; leaves without a word after `until` messages."""
        async with aconnect_sse(self.http, "GET", f"{self.path}/events", headers=self.headers) as source:
            async for sent in source.aiter_sse():
                await self.take(sent, acknowledges=acknowledges)
                if until is not None and len(self.seen) >= until:
                    return
                if self.over.is_set():
                    return

    async def speak(self, path: str) -> None:
        """Sends a recording in real time, as one chunked body, and ends."""

        async def pieces() -> Any:
            with wave.open(path, "rb") as file:
                step, began = file.getframerate() * STEP_MS // 1_000, time.monotonic()
                for number in range(file.getnframes() // step + 25):
                    await asyncio.sleep(max(0.0, began + number * STEP_MS / 1e3 - time.monotonic()))
                    yield file.readframes(step) or bytes(step * file.getsampwidth())

        await self.post("audio", content=pieces())
        await self.post("finish")


async def story(url: str, speech: str) -> Caller:
    """Speaks; hears the first messages without acknowledging them, is gone, and hears them again."""
    with wave.open(speech, "rb") as file:
        wish = {"input": {"rate_hz": file.getframerate(), "channels": file.getnchannels()}}
    async with httpx.AsyncClient(base_url=url, timeout=30) as http:
        answer = await http.post("/v1/sessions", params={"model": MODEL}, json=wish)
        answer.raise_for_status()
        caller = Caller(http, answer.json())
        speaking = asyncio.create_task(caller.speak(speech))
        await asyncio.wait_for(caller.listen(acknowledges=False, until=1), 20)
        first = caller.seen[0]
        await asyncio.sleep(0.3)
        await asyncio.wait_for(caller.listen(acknowledges=True), 30)
        await speaking
        again = caller.seen[1:].count(first)
        if again < 1:
            caller.wrong.append(f"{first} was not acknowledged, and was not told again: {caller.seen}")
        kinds = [kind for _, kind in caller.seen]
        for kind in ("ConfirmSpeculation", "EndOfSpeech", "Transcript", "Closed"):
            if kind not in kinds:
                caller.wrong.append(f"no {kind} among {kinds}")
        if not caller.words:
            caller.wrong.append("no words")
        gone = await http.post(f"{caller.path}/finish", headers=caller.headers)
        if gone.status_code not in (204, 404):
            caller.wrong.append(f"behind the end: {gone.status_code}")
        return caller


def main() -> None:
    """Ends with 0 if everything holds."""
    caller = asyncio.run(asyncio.wait_for(story(sys.argv[1], sys.argv[2]), 90))
    for what in caller.wrong:
        print(f"{CLIENT}: {what}", file=sys.stderr)
    print(f"{CLIENT}: {'FAILED' if caller.wrong else 'ok'}: {len(caller.seen)} messages, {' '.join(caller.words)!r}")
    raise SystemExit(1 if caller.wrong else 0)


if __name__ == "__main__":
    main()
