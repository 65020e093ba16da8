"""A server of the native protocol that does what a test's script says, and notes what it hears."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

OPENED = {
    "type": "opened",
    "session": "caller-7",
    "generation": 1,
    "token": "t0ken",
    "resume_ms": 2_000,
    "scene": "assistant",
    "input": {"rate_hz": 16_000, "channels": 1, "encoding": "s16"},
    "output": {"rate_hz": 24_000, "channels": 1, "encoding": "s16"},
}
SEGMENT = "bdcc9b9e-6448-52a1-840d-f205b17fd296"
WAIT_S = 5.0
"""Nothing in these tests takes longer, on a busy machine either."""


class Peer:
    """The server's end of one connection."""

    def __init__(self, socket: ServerConnection, heard: Heard) -> None:
        self.socket, self.heard = socket, heard

    async def opened(self, **changes: Any) -> dict[str, Any]:
        """Answers the first message, and returns it."""
        first: dict[str, Any] = await self.next()
        await self.tell(**{**OPENED, **changes})
        return first

    async def tell(self, **fields: Any) -> None:
        """Sends an object."""
        await self.socket.send(json.dumps(fields))

    async def control(self, kind: str, body: dict[str, Any] | None = None, **about: Any) -> int:
        """Sends a control message; its id."""
        self.heard.last_id += 1
        message_id: int = about.pop("message_id", self.heard.last_id)
        head = {"message_id": message_id, "session_id": OPENED["session"], "timestamp": 1}
        await self.tell(**head, **about, message_type={kind: body or {}})
        return message_id

    async def ack(self, message_id: int, stage: str = "Delivered") -> None:
        """Sends a receipt."""
        await self.control("Ack", {"message_id": message_id, "stage": stage})

    async def audio(self, data: bytes, **tag: Any) -> None:
        """Sends audio behind its tag."""
        await self.tell(type="audio", **{"segment": None, "revision": 0, "turn": None, "pts_us": 0, **tag})
        await self.socket.send(data)

    async def next(self) -> Any:
        """The next message: an object, or bytes."""
        message = await asyncio.wait_for(self.socket.recv(), WAIT_S)
        found = message if isinstance(message, bytes) else json.loads(message)
        self.heard.messages.append(found)
        return found

    async def next_control(self) -> tuple[int, str, dict[str, Any]]:
        """The next message that wants something: id, type and fields. Receipts are noted on the way."""
        while True:
            message = await self.next()
            assert isinstance(message, dict), f"audio of {len(message)} bytes, expected a control message"
            ((kind, body),) = message["message_type"].items()
            if kind != "Ack":
                return message["message_id"], kind, body
            self.heard.receipts.append((body["message_id"], body["stage"]))

    async def receipts(self, count: int) -> list[tuple[int, str]]:
        """The next receipts; nothing else may come."""
        found = []
        for _ in range(count):
            message = await self.next()
            body = message["message_type"]["Ack"]
            found.append((body["message_id"], body["stage"]))
        self.heard.receipts += found
        return found

    async def over(self, reason: str = "finished", code: int = 1000) -> None:
        """Says that the session is over, and closes."""
        await self.control("Closed", {"reason": reason})
        await self.socket.close(code, reason)

    async def left(self) -> None:
        """Waits until the client has gone, and notes what it says until then."""
        try:
            while True:
                message = await self.next()
                if isinstance(message, dict) and message.get("type") == "close":
                    await self.over("hung_up")
        except Exception:
            return

    def cut(self) -> None:
        """Loses the connection."""
        self.socket.transport.abort()


class Heard:
    """What a server has heard, over all connections."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.receipts: list[tuple[int, str]] = []
        self.requests: list[Request] = []
        self.last_id = 0
        self.url = ""

    def controls(self, kind: str) -> list[int]:
        """Ids of the messages of a type, as often as they came."""
        return [
            message["message_id"]
            for message in self.messages
            if isinstance(message, dict) and kind in message.get("message_type", {})
        ]


Script = Callable[[Peer], Awaitable[None]]
Refusal = tuple[int, dict[str, str], bytes]


@asynccontextmanager
async def serving(*scripts: Script, refusals: dict[int, Refusal] | None = None) -> AsyncIterator[Heard]:
    """A server whose first connection follows the first script, and so on. `refusals`: of the requests with these
    numbers, from 0. What fails in a script fails the test."""
    heard, left, failed = Heard(), list(scripts), []

    async def handle(socket: ServerConnection) -> None:
        try:
            await left.pop(0)(Peer(socket, heard))
        except BaseException as error:
            failed.append(error)
            raise

    def look(socket: ServerConnection, request: Request) -> Response | None:
        heard.requests.append(request)
        refusal = (refusals or {}).get(len(heard.requests) - 1)
        if refusal is None:
            return None
        status, headers, body = refusal
        response = socket.respond(HTTPStatus(status), "")
        del response.headers["Content-Length"]
        response.headers.update({**headers, "Content-Length": str(len(body))})
        response.body = body
        return response

    server: Server = await serve(handle, "127.0.0.1", 0, process_request=look, max_size=None)
    port = server.sockets[0].getsockname()[1]
    heard.url = f"ws://127.0.0.1:{port}"
    try:
        yield heard
    finally:
        server.close()
        await server.wait_closed()
    for error in failed:
        raise AssertionError("the server's script failed") from error
    assert not left, f"{len(left)} scripts were not asked for"
