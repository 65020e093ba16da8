"""OpenAI's own Python client, with a client secret: it plays nothing, so this script is ear and loudspeaker."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

from openai import AsyncOpenAI

from realtime_law import OUTPUT_HZ, Law
from spoken import Caller, Wishes, run, wishes

CLIENT = "openai (Python)"


async def listen(connection: Any, law: Law) -> None:
    """Hears the server until there is nothing more to hear."""
    item: str | None = None
    async for event in connection:
        data = b""
        if event.type == "response.output_audio.delta":
            item, data = event.item_id, base64.b64decode(event.delta)
            law.plays(data)
        law.says(event.model_dump(), len(data))
        if event.type == "input_audio_buffer.speech_started" and item is not None and not law.asked:
            place = {"item_id": item, "content_index": 0, "audio_end_ms": int(law.ear.heard_ms)}
            law.wants({"type": "conversation.item.truncate", **place})
            await connection.conversation.item.truncate(**place)


async def main(given: Wishes) -> Law:
    """Two turns."""
    caller = Caller(given, OUTPUT_HZ, step_ms=40)
    law = Law(CLIENT, caller)
    client = AsyncOpenAI(api_key=given.key, base_url=given.url("http", "/v1"))
    secret = await client.realtime.client_secrets.create(session={"type": "realtime", "model": given.model})
    if not secret.value.startswith("ek_"):
        law.errors.append(f"client secret {secret.value[:3]}..., expected ek_...")
    client = AsyncOpenAI(api_key=secret.value, base_url=given.url("http", "/v1"))
    async with client.realtime.connect(model=given.model) as connection:
        detection = {"type": "server_vad", "silence_duration_ms": 400, "interrupt_response": True}
        session = {"type": "realtime", "audio": {"input": {"turn_detection": detection}}}
        await connection.session.update(session=session)

        async def send(piece: bytes) -> None:
            await connection.input_audio_buffer.append(audio=base64.b64encode(piece).decode())

        listening = asyncio.create_task(listen(connection, law))
        try:
            await asyncio.wait_for(caller.speak(send), given.seconds)
            # What is wrong may be said late.
            await asyncio.sleep(0.5)
        except TimeoutError:
            law.errors.append(f"not over after {given.seconds:g} s")
        listening.cancel()
    return law


if __name__ == "__main__":
    run(CLIENT, main(wishes(__doc__, OUTPUT_HZ, "assistant")))
