"""Google's client for Python against the gRPC listener: python grpc_client.py HOST:PORT [--model NAME] [--key KEY]

A session is opened, answers typed words and acknowledges; a reader who is late is told again and no more than four times;
a part that is too large, a client that never reads, health and reflection come to what docs/protocols.md says. The model
is one that answers (`voice_assistant`). A server whose `limits.idle_timeout_s` is short gives up the silent reader soon;
`--patience` says how long that may take. Ends with 0 or 1 and a line.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_tools import protoc

DEFINITION = Path(__file__).resolve().parents[2] / "tools/serve/transports/grpc/proto"
SERVICE = "mynah.v1.Voice"
METHOD = f"/{SERVICE}/Session"
PART_BYTES_MAX = 256 * 1024
SOON_S = 20.0


def definition() -> Any:
    """The messages, as the definition has them now."""
    out = tempfile.mkdtemp()
    if protoc.main(["protoc", f"-I{DEFINITION}", f"--python_out={out}", "mynah/v1/voice.proto"]):
        raise SystemExit("the definition is not well-formed")
    sys.path.insert(0, out)
    try:
        return importlib.import_module("mynah.v1.voice_pb2")
    finally:
        sys.path.remove(out)


pb = definition()


class Session:
    """One stream. What is read is acknowledged, where that is wanted."""

    def __init__(self, channel: grpc.aio.Channel, asked: argparse.Namespace) -> None:
        call = channel.stream_stream(
            METHOD,
            request_serializer=pb.ClientPart.SerializeToString,
            response_deserializer=pb.ServerPart.FromString,
        )
        metadata = (("authorization", f"Bearer {asked.key}"),) if asked.key else ()
        self._parts: asyncio.Queue[Any] = asyncio.Queue()
        self._call = call(self._sent(), metadata=metadata)
        self._next_id = 1
        self.acknowledges = True
        self.name = ""
        self.got: list[tuple[float, Any]] = []
        """When, and what."""
        self.send(open=pb.Open(model=asked.model))

    async def _sent(self) -> AsyncIterator[Any]:
        while (part := await self._parts.get()) is not None:
            yield part

    def send(self, **what: Any) -> None:
        """Sends a part."""
        self._parts.put_nowait(pb.ClientPart(**what))

    def control(self, **what: Any) -> int:
        """Sends a control message; its id."""
        message_id, self._next_id = self._next_id, self._next_id + 1
        self.send(
            control=pb.Control(**what),
            session_id=self.name,
            timestamp=time.time_ns() // 1_000,
            message_id=message_id,
        )
        return message_id

    async def opened(self) -> Any:
        """The answer to Open."""
        part = await asyncio.wait_for(self._call.read(), SOON_S)
        if part is grpc.aio.EOF:
            raise AssertionError(f"not opened: {await self._call.code()}: {await self._call.details()}")
        self.name = part.opened.session
        return part.opened

    async def read(self) -> Any:
        """A part, acknowledged; `None`: the stream has ended."""
        part = await self._call.read()
        if part is grpc.aio.EOF:
            return None
        self.got.append((time.monotonic(), part))
        what = part.control.WhichOneof("what") if part.HasField("control") else None
        # What is said of speech wants a receipt, events do not.
        if self.acknowledges and what in ("cancel", "confirm", "end_of_speech", "retract", "cancel_answer"):
            for stage in (pb.ACK_STAGE_DELIVERED, pb.ACK_STAGE_APPLIED):
                self.control(ack=pb.Ack(message_id=part.message_id, stage=stage))
        return part

    async def until(self, what: str, done: Callable[[], bool]) -> None:
        """Reads until it is so."""

        async def read() -> None:
            while not done():
                if await self.read() is None:
                    raise AssertionError(f"{what}: the stream ended: {await self._call.code()}")

        try:
            await asyncio.wait_for(read(), SOON_S)
        except asyncio.TimeoutError:
            raise AssertionError(f"not within {SOON_S:g} s: {what}") from None

    async def end(self) -> grpc.StatusCode:
        """Reads to the end; how it ended."""

        async def read() -> grpc.StatusCode:
            try:
                while await self.read() is not None:
                    pass
            except grpc.aio.AioRpcError as error:
                return error.code()
            return await self._call.code()

        try:
            return await asyncio.wait_for(read(), SOON_S)
        finally:
            self._parts.put_nowait(None)

    def told(self, arm: str) -> list[tuple[float, Any]]:
        """Control messages of this kind."""
        return [(at, part) for at, part in self.got if part.control.WhichOneof("what") == arm]

    def heard(self) -> int:
        """Bytes of audio so far."""
        return sum(len(part.audio.samples) for _, part in self.got)


def need(holds: bool, what: str) -> None:
    """What has to be so."""
    if not holds:
        raise AssertionError(what)


async def talks(channel: grpc.aio.Channel, asked: argparse.Namespace) -> str:
    """Words go up, their receipts and an answer come down, and it ends well."""
    session = Session(channel, asked)
    opened = await session.opened()
    message_id = session.control(send_text=pb.SendText(text="Good morning."))
    await session.until("the answer has sounded", lambda: bool(session.told("answer_ended")))
    stages = [part.control.ack.stage for _, part in session.told("ack") if part.control.ack.message_id == message_id]
    need(stages == [pb.ACK_STAGE_DELIVERED, pb.ACK_STAGE_APPLIED], f"receipts of it: {stages}")
    need(session.heard() > opened.output.rate_hz // 2, f"{session.heard()} bytes of an answer")
    session.send(close=pb.Close())
    code = await session.end()
    need(code == grpc.StatusCode.OK and bool(session.told("closed")), f"it ended with {code}")
    return f"{opened.scene} answers"


async def resends(channel: grpc.aio.Channel, asked: argparse.Namespace) -> str:
    """What a late reader has not acknowledged comes again, as often as it should."""
    session = Session(channel, asked)
    opened = await session.opened()
    session.acknowledges = False
    # The host says what is speech, so that no recording is needed.
    session.control(gate=pb.Gate(mode=pb.GATE_MODE_OPEN))
    frame = 2 * opened.input.channels
    piece = bytes(opened.input.rate_hz // 50 * frame)

    async def speak() -> None:
        while True:
            session.send(audio=pb.Audio(samples=piece))
            await asyncio.sleep(0.02)

    speaking = asyncio.create_task(speak())
    try:
        await session.until("it is said four times", lambda: len(session.told("confirm")) >= 4)
        # One more would come in this time, and is read on the way to the end: to give up a read is to cancel the call.
        await asyncio.sleep(0.5)
    finally:
        speaking.cancel()
    session.send(close=pb.Close())
    await session.end()
    times = [at for at, _ in session.told("confirm")]
    ids = {part.message_id for _, part in session.told("confirm")}
    need(len(times) == 4 and len(ids) == 1, f"{len(times)} times, {len(ids)} ids")
    need(times[-1] - times[0] > 0.12, f"all within {times[-1] - times[0]:.3f} s")
    return f"told 4 times in {(times[-1] - times[0]) * 1e3:.0f} ms"


async def too_large(channel: grpc.aio.Channel, asked: argparse.Namespace) -> str:
    """A part beyond the bound ends the stream, and not well."""
    session = Session(channel, asked)
    await session.opened()
    session.send(audio=pb.Audio(samples=bytes(PART_BYTES_MAX + 1)))
    code = await session.end()
    need(code == grpc.StatusCode.OUT_OF_RANGE, f"it ended with {code}")
    return f"{code.name} for a part too large"


async def never_reads(channel: grpc.aio.Channel, asked: argparse.Namespace) -> str:
    """A client that reads nothing loses sound, and then its session."""
    session = Session(channel, asked)
    await session.opened()
    # More than all windows hold, and something that must not be lost.
    for _ in range(3):
        session.control(say=pb.Say(text="This is said to nobody. " * 80))
    deadline = time.monotonic() + asked.patience
    while time.monotonic() < deadline and not session._call.done():
        session.send(audio=pb.Audio(samples=b"\0"))
        await asyncio.sleep(0.5)
    code = await session.end()
    need(code == grpc.StatusCode.RESOURCE_EXHAUSTED, f"it ended with {code}")
    seconds = session.heard() / 2 / 48_000
    return f"{code.name} for who never reads, with {seconds:.1f} s of sound"


async def health(channel: grpc.aio.Channel, _: argparse.Namespace) -> str:
    """The service says that it serves."""
    stub = health_pb2_grpc.HealthStub(channel)
    for service in ("", SERVICE):
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=SOON_S)
        need(answer.status == health_pb2.HealthCheckResponse.SERVING, f"{service!r} is {answer.status}")
    return "healthy"


async def reflection(channel: grpc.aio.Channel, _: argparse.Namespace) -> str:
    """The service says what it is, in the version that older tools ask for."""
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)

    async def questions() -> AsyncIterator[Any]:
        yield reflection_pb2.ServerReflectionRequest(list_services="")
        yield reflection_pb2.ServerReflectionRequest(file_containing_symbol=SERVICE)

    answers = [answer async for answer in stub.ServerReflectionInfo(questions(), timeout=SOON_S)]
    names = {service.name for service in answers[0].list_services_response.service}
    need(SERVICE in names, f"services: {names}")
    files = answers[1].file_descriptor_response.file_descriptor_proto
    need(any(b"CancelSpeculation" in file for file in files), "its messages are not described")
    return "described"


Story = Callable[[grpc.aio.Channel, argparse.Namespace], Awaitable[str]]
STORIES: list[Story] = [health, reflection, talks, resends, too_large, never_reads]


async def main(asked: argparse.Namespace) -> int:
    """Tells every story over a channel of its own; 0 if all come out as they should."""
    told, failed = [], False
    for story in STORIES:
        # A pool of its own gives each channel its own connection. The client's window is not to grow: by itself it comes
        # to 4 MiB, and 40 s of sound are in there before the server has to wait.
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.http2.bdp_probe", 0)]
        async with grpc.aio.insecure_channel(asked.address, options=options) as channel:
            try:
                told.append(await story(channel, asked))
            except (AssertionError, grpc.aio.AioRpcError, asyncio.TimeoutError) as error:
                failed = True
                told.append(f"{story.__name__}: {type(error).__name__}: {str(error)[:300]}")
    print(f"grpcio {grpc.__version__}: {'FAILED' if failed else 'ok'}: {'; '.join(told)}")
    return 1 if failed else 0


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("address", help="the listener for gRPC, 127.0.0.1:50051")
    options.add_argument("--model", default="voice_assistant", help="one that answers; default: %(default)s")
    options.add_argument("--key", default="", help="default: none")
    options.add_argument(
        "--patience", type=float, default=45, help="seconds until the silent reader is given up; default: %(default)s"
    )
    raise SystemExit(asyncio.run(main(options.parse_args())))
