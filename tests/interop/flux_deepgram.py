"""Deepgram's own Python client."""

from __future__ import annotations

import asyncio
from typing import Any

from deepgram import AsyncDeepgramClient
from deepgram.environment import DeepgramClientEnvironment

from flux_law import INPUT_HZ, Order, speak
from spoken import Wishes, run, wishes

CLIENT = "deepgram-sdk (Flux)"

NAMES = {"StartOfTurn": "Start", "EagerEndOfTurn": "Eager", "TurnResumed": "Resumed", "EndOfTurn": "End"}


async def listen(socket: Any, order: Order) -> None:
    """Hears the server."""
    while True:
        message = await socket.recv()
        event = getattr(message, "event", None)
        if event in NAMES:
            order.tells(NAMES[event], message.transcript)
        elif getattr(message, "type", None) == "Error":
            order.errors.append(f"{message.code}: {message.description}")


async def main(given: Wishes) -> Order:
    """One sentence."""
    done = asyncio.Event()
    order = Order(CLIENT, done)
    http, ws = given.url("http"), given.url("ws")
    where = DeepgramClientEnvironment(base=http, production=ws, agent=ws, agent_rest=http)
    client = AsyncDeepgramClient(api_key=given.key, environment=where)
    async with client.listen.v2.connect(
        model=given.model, encoding="linear16", sample_rate=INPUT_HZ, eager_eot_threshold=0.5
    ) as socket:
        listening = asyncio.create_task(listen(socket, order))
        await speak(given, order, done, socket.send_media)
        listening.cancel()
    return order


if __name__ == "__main__":
    run(CLIENT, main(wishes(__doc__, INPUT_HZ, "flux-general-en")))
