"""Pipecat's Realtime service in a pipeline: it cuts answers by a clock of its own."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from loguru import logger
from pipecat.frames.frames import (
    EndFrame,
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    LLMContextFrame,
    TTSAudioRawFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.openai.realtime import events
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
from pipecat.workers.runner import WorkerRunner

from realtime_law import OUTPUT_HZ, Law
from spoken import Caller, Wishes, run, wishes

CLIENT = "pipecat (Realtime)"


class Overheard(OpenAIRealtimeLLMService):
    """The service; what it sends is noted."""

    law: Law

    async def send_client_event(self, event: Any) -> None:
        """Sends an event of the service's."""
        self.law.wants(event.model_dump())
        await super().send_client_event(event)


class Loudspeaker(FrameProcessor):
    """Hears what leaves the service."""

    def __init__(self, law: Law) -> None:
        super().__init__()
        self._law = law

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Takes a frame, and passes it on."""
        await super().process_frame(frame, direction)
        if isinstance(frame, TTSAudioRawFrame):
            self._law.plays(frame.audio)
        elif isinstance(frame, ErrorFrame):
            self._law.errors.append(frame.error)
        await self.push_frame(frame, direction)


def overhear(law: Law) -> None:
    """Notes what the service reads."""
    parse = events.parse_server_event

    def noted(text: Any) -> Any:
        event = parse(text)
        told = event.model_dump()
        audio = told["type"] == "response.output_audio.delta"
        law.says(told, 3 * len(told["delta"]) // 4 if audio else 0)
        return event

    events.parse_server_event = noted


async def greeted(law: Law) -> None:
    """Waits until the first answer is over, and has sounded."""
    while not law.responses or law.ear.left_ms > 0:
        await asyncio.sleep(0.02)


async def main(given: Wishes) -> Law:
    """Two turns."""
    caller = Caller(given, OUTPUT_HZ, step_ms=20)
    law = Law(CLIENT, caller, may_cancel_late=True)
    overhear(law)
    service = Overheard(
        api_key=given.key,
        base_url=given.url("ws", "/v1/realtime"),
        settings=OpenAIRealtimeLLMService.Settings(model=given.model),
    )
    service.law = law
    rates = PipelineParams(audio_in_sample_rate=OUTPUT_HZ, audio_out_sample_rate=OUTPUT_HZ)
    worker = PipelineWorker(Pipeline([service, Loudspeaker(law)]), params=rates)

    async def send(piece: bytes) -> None:
        await worker.queue_frame(InputAudioRawFrame(audio=piece, sample_rate=OUTPUT_HZ, num_channels=1))

    async def story() -> None:
        # A context starts the conversation, as in Pipecat's own examples: the first answer comes unasked.
        await worker.queue_frame(LLMContextFrame(context=LLMContext([])))
        await greeted(law)
        law.begins()
        await caller.speak(send)
        await asyncio.sleep(0.5)

    async def call() -> None:
        await asyncio.sleep(1)
        try:
            await asyncio.wait_for(story(), given.seconds)
        except TimeoutError:
            law.errors.append(f"not over after {given.seconds:g} s")
        await worker.queue_frame(EndFrame())

    calling = asyncio.create_task(call())
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()
    await calling
    return law


if __name__ == "__main__":
    logger.remove()
    logger.add(sys.stderr, level="ERROR")
    run(CLIENT, main(wishes(__doc__, OUTPUT_HZ, "assistant")))
