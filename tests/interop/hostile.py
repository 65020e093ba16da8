"""What no client library sends: requests and WebSocket messages by hand."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
import time
from dataclasses import dataclass

import serving

UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@dataclass
class Answer:
    """What came back."""

    text: str
    ended: bool
    """The server has closed the connection."""

    @property
    def status(self) -> int:
        """0: none came."""
        words = self.text.split(" ", 2)
        return int(words[1]) if self.text.startswith("HTTP/") and len(words) > 2 else 0

    def code(self) -> str | None:
        """The code in the JSON body."""
        try:
            return json.loads(self.text.partition("\r\n\r\n")[2])["error"]["code"]
        except (ValueError, KeyError, TypeError):
            return None

    def shown(self) -> str:
        """In a few words."""
        return f"{self.status} {self.code() or ''} {'' if self.ended else 'stays open'}"


def _where(host: str) -> tuple[str, int]:
    name, port = host.rsplit(":", 1)
    return name, int(port)


async def raw(host: str, request: bytes, seconds: float) -> Answer:
    """Sends bytes and reads until the server closes or the time is over."""
    reader, writer = await asyncio.open_connection(*_where(host))
    got, ended = b"", False
    try:
        writer.write(request)
        until_s = time.monotonic() + seconds
        while not ended:
            piece = await asyncio.wait_for(reader.read(65_536), max(0.01, until_s - time.monotonic()))
            got += piece
            ended = not piece
    except TimeoutError:
        pass
    except ConnectionError:
        ended = True
    finally:
        writer.transport.abort()
    return Answer(got.decode(errors="replace"), ended)


async def ask(host: str, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> Answer:
    """One request. An answer that is an upgrade ends the connection here."""
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    host_line = "" if "Host" in headers else f"Host: {host}\r\n"
    request = f"{method} {path} HTTP/1.1\r\n{host_line}{head}\r\n".encode() + body
    reader, writer = await asyncio.open_connection(*_where(host))
    got = b""
    try:
        writer.write(request)
        got = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        length = next(
            (
                int(line[15:])
                for line in got.decode().lower().split("\r\n")
                if line.startswith("content-length:")
            ),
            0,
        )
        got += await asyncio.wait_for(reader.readexactly(length), 10)
    except asyncio.IncompleteReadError as error:
        got += error.partial
    except (ConnectionError, TimeoutError):
        pass
    finally:
        writer.transport.abort()
    return Answer(got.decode(errors="replace"), True)


async def lasts(host: str, first: bytes, drip: bytes, every_s: float, most_s: float) -> float:
    """Sends something, then a little again and again: seconds until the server closes."""
    reader, writer = await asyncio.open_connection(*_where(host))
    began_s = time.monotonic()
    ends = asyncio.create_task(until_end(reader, most_s))
    writer.write(first)
    while not ends.done() and time.monotonic() - began_s < most_s:
        if drip:
            writer.write(drip)
        await asyncio.sleep(every_s)
    lasted_s = time.monotonic() - began_s
    ends.cancel()
    writer.transport.abort()
    return lasted_s


async def until_end(reader: asyncio.StreamReader, seconds: float) -> bool:
    """Reads until the connection ends; whether it has."""
    until_s = time.monotonic() + seconds
    try:
        while await asyncio.wait_for(reader.read(65_536), max(0.01, until_s - time.monotonic())):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


def head(opcode: int, length: int, final: bool = True, reserved: bool = False, masked: bool = True) -> bytes:
    """The head of a WebSocket message, without its mask."""
    first = opcode | (0x80 if final else 0) | (0x40 if reserved else 0)
    mask = 0x80 if masked else 0
    if length < 126:
        return struct.pack(">BB", first, mask | length)
    if length < 65_536:
        return struct.pack(">BBH", first, mask | 126, length)
    return struct.pack(">BBQ", first, mask | 127, length)


def message(
    opcode: int, payload: bytes, final: bool = True, reserved: bool = False, masked: bool = True
) -> bytes:
    """A whole one. The mask is zero, which is allowed."""
    return head(opcode, len(payload), final, reserved, masked) + (bytes(4) if masked else b"") + payload


def in_pieces(opcode: int, pieces: int, length: int) -> bytes:
    """A message in pieces of equal length."""
    kinds = [opcode] + [0] * (pieces - 1)
    return b"".join(message(kind, bytes(length), final=at == pieces - 1) for at, kind in enumerate(kinds))


async def upgraded(
    host: str, path: str, headers: dict[str, str]
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A WebSocket by hand."""
    reader, writer = await asyncio.open_connection(*_where(host))
    lines = "".join(f"{name}: {value}\r\n" for name, value in {**UPGRADE, **headers}.items())
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n".encode())
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    if b" 101 " not in answer:
        raise ConnectionError(answer.decode(errors="replace"))
    return reader, writer


async def received(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """A message of the server's, which sends them whole: opcode and payload."""
    first, length = await reader.readexactly(2)
    if length == 126:
        length = int.from_bytes(await reader.readexactly(2))
    elif length == 127:
        length = int.from_bytes(await reader.readexactly(8))
    return first & 15, await reader.readexactly(length)


async def close_code(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sent: bytes, seconds: float
) -> int | str:
    """Sends bytes and waits for the server's close: its code, or what came in place of it."""
    until_s = time.monotonic() + seconds
    writer.write(sent)
    try:
        while True:
            opcode, payload = await asyncio.wait_for(received(reader), max(0.01, until_s - time.monotonic()))
            if opcode == 8:
                return int.from_bytes(payload[:2]) if len(payload) > 1 else 1005
    except TimeoutError:
        return "stays open"
    except (ConnectionError, asyncio.IncompleteReadError) as error:
        return f"no close: {type(error).__name__}"
    finally:
        writer.transport.abort()


async def texts(reader: asyncio.StreamReader, seconds: float) -> list[str]:
    """Text messages that come in this time."""
    until_s, got = time.monotonic() + seconds, []
    try:
        while True:
            opcode, payload = await asyncio.wait_for(received(reader), max(0.01, until_s - time.monotonic()))
            if opcode == 1:
                got.append(payload.decode())
    except (TimeoutError, ConnectionError, asyncio.IncompleteReadError):
        return got


async def reads_nothing(host: str, headers: dict[str, str], most_s: float) -> float:
    """A session that sends all it can and reads nothing: seconds until it is closed or nothing more is taken of it."""
    name, port = _where(host)
    loop, one = asyncio.get_running_loop(), socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    one.setblocking(False)
    await loop.sock_connect(one, (name, port))
    lines = "".join(f"{name}: {value}\r\n" for name, value in {**UPGRADE, **headers}.items())
    await loop.sock_sendall(one, f"GET /v1/session HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n".encode())
    await loop.sock_recv(one, 4_096)
    began_s = time.monotonic()
    try:
        await loop.sock_sendall(one, message(1, serving.opening().encode()))
        while time.monotonic() - began_s < most_s + 1:
            await asyncio.wait_for(loop.sock_sendall(one, message(2, os.urandom(6_400))), 3)
    except (ConnectionError, TimeoutError):
        pass
    finally:
        one.close()
    return time.monotonic() - began_s
