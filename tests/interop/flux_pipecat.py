"""Pipecat's Flux service in a pipeline."""

from __future__ import annotations

import asyncio
import sys

from loguru import logger
from pipecat.frames.frames import (
    EagerEndOfTurnCancelFrame,
    EagerTranscriptionFrame,
    EndFrame,
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    ProposedUserStartedSpeakingFrame,
    TranscriptionFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.deepgram.flux.stt import DeepgramFluxSTTService
from pipecat.workers.runner import WorkerRunner

from flux_law import INPUT_HZ, Order, speak
from spoken import Wishes, run, wishes

CLIENT = "pipecat (Flux)"


class Reader(FrameProcessor):
    """Notes what leaves the service."""

    def __init__(self, order: Order) -> None:
        super().__init__()
        self._order = order

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Takes a frame, and passes it on."""
        await super().process_frame(frame, direction)
        match frame:
            case ProposedUserStartedSpeakingFrame():
                self._order.tells("Start")
            case EagerTranscriptionFrame():
                self._order.tells("Eager", frame.text)
            case EagerEndOfTurnCancelFrame():
                self._order.tells("Resumed")
            case TranscriptionFrame():
                self._order.tells("End", frame.text)
            case ErrorFrame():
                self._order.errors.append(frame.error)
        await self.push_frame(frame, direction)


async def main(given: Wishes) -> Order:
    """One sentence."""
    done, connected = asyncio.Event(), asyncio.Event()
    order = Order(CLIENT, done)
    service = DeepgramFluxSTTService(
        api_key=given.key,
        url=given.url("ws", "/v2/listen"),
        enable_eager_end_of_turn=True,
        settings=DeepgramFluxSTTService.Settings(model=given.model),
    )

    @service.event_handler("on_connected")
    async def on_connected(_: DeepgramFluxSTTService) -> None:
        connected.set()

    rates = PipelineParams(audio_in_sample_rate=INPUT_HZ)
    worker = PipelineWorker(Pipeline([service, Reader(order)]), params=rates)

    async def send(piece: bytes) -> None:
        await worker.queue_frame(InputAudioRawFrame(audio=piece, sample_rate=INPUT_HZ, num_channels=1))

    async def call() -> None:
        try:
            await asyncio.wait_for(connected.wait(), given.seconds)
        except TimeoutError:
            order.errors.append(f"not connected after {given.seconds:g} s")
        else:
            await speak(given, order, done, send)
        await worker.queue_frame(EndFrame())

    calling = asyncio.create_task(call())
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()
    await calling
    return order


if __name__ == "__main__":
    logger.remove()
    logger.add(sys.stderr, level="ERROR")
    run(CLIENT, main(wishes(__doc__, INPUT_HZ, "flux-general-en")))
