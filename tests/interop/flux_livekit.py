"""LiveKit's Flux recogniser. It does not say that a turn was resumed: an interim transcript behind a preflight one
does."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
from livekit import rtc
from livekit.agents.stt import SpeechEventType
from livekit.plugins import deepgram

from flux_law import INPUT_HZ, Order, speak
from spoken import Wishes, run, wishes

CLIENT = "livekit-plugins-deepgram (Flux)"


async def listen(stream: Any, order: Order) -> None:
    """Hears the server."""
    async for event in stream:
        text = event.alternatives[0].text if event.alternatives else ""
        match event.type:
            case SpeechEventType.START_OF_SPEECH:
                order.tells("Start")
            case SpeechEventType.PREFLIGHT_TRANSCRIPT:
                order.tells("Eager", text)
            case SpeechEventType.INTERIM_TRANSCRIPT if order.told[-1:] == ["Eager"]:
                order.tells("Resumed")
            case SpeechEventType.FINAL_TRANSCRIPT:
                order.tells("End", text)


async def main(given: Wishes) -> Order:
    """One sentence."""
    done = asyncio.Event()
    order = Order(CLIENT, done)
    async with aiohttp.ClientSession() as network:
        stream = deepgram.STTv2(
            model=given.model,
            api_key=given.key,
            base_url=given.url("ws", "/v2/listen"),
            eager_eot_threshold=0.5,
            http_session=network,
        ).stream()
        listening = asyncio.create_task(listen(stream, order))

        async def send(piece: bytes) -> None:
            if listening.done():
                # Raises what it ended with.
                listening.result()
            stream.push_frame(rtc.AudioFrame(piece, INPUT_HZ, 1, len(piece) // 2))

        await speak(given, order, done, send)
        listening.cancel()
        await stream.aclose()
    return order


if __name__ == "__main__":
    run(CLIENT, main(wishes(__doc__, INPUT_HZ, "flux-general-en")))
