"""OpenAI's Agents SDK for Python: it cuts answers by a clock of its own."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from agents.realtime import RealtimeAgent, RealtimeRunner
from agents.realtime.openai_realtime import OpenAIRealtimeWebSocketModel

from realtime_law import OUTPUT_HZ, Law
from spoken import Caller, Wishes, run, wishes

CLIENT = "openai-agents (Python)"


class Overheard(OpenAIRealtimeWebSocketModel):
    """The SDK's model; what it sends is noted."""

    law: Law

    async def _send_raw_message(self, event: Any) -> None:
        self.law.wants(json.loads(event.model_dump_json(exclude_unset=True)))
        await super()._send_raw_message(event)


async def listen(session: Any, law: Law) -> None:
    """Hears the server until there is nothing more to hear."""
    pending = 0
    async for event in session:
        if event.type == "audio":
            law.plays(event.audio.data)
        elif event.type == "error":
            law.errors.append(str(event.error)[:300])
        elif event.type == "raw_model_event" and event.data.type == "raw_server_event":
            told = event.data.data
            pending = (
                3 * len(told.get("delta", "")) // 4 if told["type"] == "response.output_audio.delta" else 0
            )
            # The SDK tells errors by itself, too.
            if told["type"] != "error":
                law.says(told, pending)


async def main(given: Wishes) -> Law:
    """Two turns."""
    caller = Caller(given, OUTPUT_HZ, step_ms=40)
    law = Law(CLIENT, caller)
    model = Overheard()
    model.law = law
    runner = RealtimeRunner(
        RealtimeAgent(name="a", instructions="Be brief."),
        model=model,
        config={"model_settings": {"model_name": given.model}},
    )
    where = given.url("ws", f"/v1/realtime?model={given.model}")
    async with await runner.run(model_config={"api_key": given.key, "url": where}) as session:
        listening = asyncio.create_task(listen(session, law))
        try:
            await asyncio.wait_for(caller.speak(session.send_audio), given.seconds)
            await asyncio.sleep(0.5)
        except TimeoutError:
            law.errors.append(f"not over after {given.seconds:g} s")
        listening.cancel()
    return law


if __name__ == "__main__":
    run(CLIENT, main(wishes(__doc__, OUTPUT_HZ, "assistant")))
