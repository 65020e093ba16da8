"""A LiveKit agent with OpenAI's plugin, without a room: it cuts answers where its loudspeaker stopped."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import aiohttp
from livekit import rtc
from livekit.agents import Agent, AgentSession
from livekit.agents.voice.io import AudioInput, AudioOutput, AudioOutputCapabilities
from livekit.plugins import openai

from realtime_law import OUTPUT_HZ, Law
from spoken import Caller, Wishes, run, wishes

CLIENT = "livekit-agents (Realtime)"


class Microphone(AudioInput):
    """What the caller says."""

    def __init__(self) -> None:
        super().__init__(label="caller")
        self._pieces: asyncio.Queue[bytes] = asyncio.Queue()

    async def send(self, piece: bytes) -> None:
        """Takes sound."""
        self._pieces.put_nowait(piece)

    async def __anext__(self) -> rtc.AudioFrame:
        piece = await self._pieces.get()
        return rtc.AudioFrame(piece, OUTPUT_HZ, 1, len(piece) // 2)


class Loudspeaker(AudioOutput):
    """Plays by a clock, and tells where it stopped."""

    def __init__(self, law: Law) -> None:
        super().__init__(
            label="ear", capabilities=AudioOutputCapabilities(pause=False), sample_rate=OUTPUT_HZ
        )
        self._law = law
        self._began_s: float | None = None
        self._length_s = 0.0
        self._ending: asyncio.TimerHandle | None = None

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        """Plays sound behind what is there."""
        await super().capture_frame(frame)
        if self._began_s is None:
            self._began_s = time.monotonic()
            self.on_playback_started(created_at=time.time())
        self._length_s += frame.duration
        self._law.plays(bytes(frame.data))

    def flush(self) -> None:
        """Nothing follows: it ends when it has sounded."""
        super().flush()
        if self._began_s is not None:
            left_s = max(0.0, self._began_s + self._length_s - time.monotonic())
            self._ending = asyncio.get_running_loop().call_later(left_s, self._stop, False)

    def clear_buffer(self) -> None:
        """Falls silent."""
        if self._began_s is not None:
            self._stop(True)

    def _stop(self, interrupted: bool) -> None:
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None
        position_s = min(self._length_s, time.monotonic() - (self._began_s or 0.0))
        self._began_s, self._length_s = None, 0.0
        self.on_playback_finished(playback_position=position_s, interrupted=interrupted)


def overhear(session: Any, law: Law) -> None:
    """Notes what is said on the plugin's connection."""

    def says(event: dict[str, Any]) -> None:
        audio = event["type"] == "response.output_audio.delta"
        law.says(event, 3 * len(event["delta"]) // 4 if audio else 0)

    session.on("openai_server_event_received", says)
    session.on("openai_client_event_queued", law.wants)


async def main(given: Wishes) -> Law:
    """Two turns."""
    caller = Caller(given, OUTPUT_HZ, step_ms=20)
    law = Law(CLIENT, caller, may_cancel_late=True)
    network = aiohttp.ClientSession()
    model = openai.realtime.RealtimeModel(
        model=given.model, api_key=given.key, base_url=given.url("http", "/v1"), http_session=network
    )
    session: AgentSession[None] = AgentSession(
        llm=model,
        # There is no echo, and the ear cannot pause.
        aec_warmup_duration=None,
        turn_handling={"interruption": {"resume_false_interruption": False}},
    )
    session.on("error", lambda event: law.errors.append(str(event.error)[:300]))
    microphone = Microphone()
    session.input.audio = microphone
    session.output.audio = Loudspeaker(law)
    agent = Agent(instructions="Be brief.")
    await session.start(agent, record=False)
    overhear(agent.realtime_llm_session, law)
    try:
        await asyncio.wait_for(caller.speak(microphone.send), given.seconds)
        await asyncio.sleep(0.5)
    except TimeoutError:
        law.errors.append(f"not over after {given.seconds:g} s")
    await session.aclose()
    await network.close()
    return law


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    run(CLIENT, main(wishes(__doc__, OUTPUT_HZ, "assistant")))
