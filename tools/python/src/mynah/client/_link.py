"""The WebSocket under a session."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mynah.client._errors import Closed, Refused
from mynah.client._wire import error_of

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

MESSAGE_BYTES_MAX = 2**20
"""Longest message of a server: a second of 48 kHz stereo as `f32` is a third of that."""
CLOSE_S = 1.0
"""How long a server may take to answer a close."""


class Lost(Exception):
    """The connection is gone, and nobody said goodbye."""


class Link:
    """A connection. It carries one session at a time, and no session depends on it."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def send(self, message: str | bytes) -> None:
        """Sends a message; waits while the server does not read.

        Raises `Lost`: it is gone; `Closed`: the server has closed it.
        """
        from websockets.exceptions import ConnectionClosed

        try:
            await self._socket.send(message)
        except ConnectionClosed as error:
            raise _end(error) from None

    async def receive(self) -> str | bytes:
        """The next message.

        Raises as `send`.
        """
        from websockets.exceptions import ConnectionClosed

        try:
            return await self._socket.recv()
        except ConnectionClosed as error:
            raise _end(error) from None

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Says goodbye, and waits a little for the answer."""
        # The protocol has room for 123 bytes.
        await self._socket.close(code, reason.encode()[:123].decode(errors="ignore"))


def _end(error: Any) -> Lost | Closed:
    if error.rcvd is None:
        return Lost(str(error))
    # What this end says first is its own wish, and no message of the server's.
    if error.rcvd_then_sent is False and error.sent is not None:
        return Closed(error.sent.code, error.sent.reason)
    return Closed(error.rcvd.code, error.rcvd.reason)


async def dial(
    url: str,
    key: str | None,
    headers: Mapping[str, str],
    context: ssl.SSLContext | None,
    open_s: float,
    silence_s: float | None,
) -> Link:
    """Connects.

    `Refused`: the server answered, and took no connection; `OSError`, `TimeoutError`: there is none.
    """
    try:
        from websockets.asyncio.client import connect
        from websockets.exceptions import InvalidHandshake, InvalidStatus
    except ModuleNotFoundError as error:
        raise ImportError("mynah.client needs websockets: `pip install 'mynah[client]'`") from error
    sent = dict(headers)
    if key is not None:
        sent["Authorization"] = f"Bearer {key}"
    options: dict[str, Any] = {} if context is None else {"ssl": context}
    try:
        socket = await connect(
            url,
            additional_headers=sent,
            # Samples do not get smaller by it.
            compression=None,
            open_timeout=open_s,
            close_timeout=CLOSE_S,
            ping_interval=None if silence_s is None else silence_s / 2,
            ping_timeout=None if silence_s is None else silence_s / 2,
            max_size=MESSAGE_BYTES_MAX,
            **options,
        )
    except InvalidStatus as error:
        raise _refusal(error.response) from None
    except InvalidHandshake as error:
        raise Refused(None, "handshake", f"this is no server of sessions: {error}") from None
    return Link(socket)


def _refusal(response: Any) -> Refused:
    code, message = "http", response.reason_phrase
    try:
        fields = json.loads(response.body or b"")
    except ValueError:
        fields = None
    if isinstance(fields, dict) and isinstance(fields.get("error"), dict):
        code, message = error_of(fields)
    after = response.headers.get("Retry-After", "")
    # The other form of the header is a date; servers of sessions send seconds.
    retry_after_s = float(after) if after.isdecimal() else None
    return Refused(response.status_code, code, message, retry_after_s)
