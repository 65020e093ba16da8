"""A session with a server."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

from mynah.client import _wire as wire
from mynah.client._errors import Closed, Refused
from mynah.client._figures import Figures, Limits
from mynah.client._format import Buffer, Clip, Format
from mynah.client._inbox import Event
from mynah.client._link import Link, Lost, dial
from mynah.client._opening import Note, Opened, Opening, address, opened, resuming
from mynah.client._talk import Talk, answer


class Session:
    """An open session: iterate over it for what the server says, and call it for what is to be said to the server.

    Iteration gives control messages, `Audio`, `Text` and notes in the order in which they came. It ends with the
    session; `Closed` is raised where that ended otherwise than by 1000 or 1001. One task iterates; any may call.

    What the server says is acknowledged as delivered when it comes, whatever the handler does. When a message takes
    audio back, what waits of that here is dropped at once; the message is acknowledged as applied when the handler
    asks for the event behind it, so a handler that plays audio drops it from its own queue before that.

    What is said to the server returns the id of its message once that was sent, and waits while 64 are not
    acknowledged. While the connection is lost, messages wait for the next one, and `push` does, too.
    """

    def __init__(self, talk: Talk) -> None:
        self._talk = talk

    @property
    def opened(self) -> Opened:
        """What the server opened: name, scene, formats."""
        return self._talk.opened

    @property
    def input(self) -> Format:
        """Format of the audio that `push` takes."""
        return self._talk.opened.input

    @property
    def output(self) -> Format | None:
        """Format of the audio that comes; `None`: the scene puts out none."""
        return self._talk.opened.output

    @property
    def figures(self) -> Figures:
        """Counts so far."""
        return self._talk.figures

    @property
    def ended(self) -> Closed | None:
        """How the session ended; `None`: it goes on."""
        return self._talk.ended

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        event = await self._talk.take()
        if event is None:
            raise StopAsyncIteration
        return event

    # Sound.

    async def push(self, samples: Buffer) -> None:
        """Sends audio of any length in the input format: bytes, or a buffer of its numbers such as an int16 array.

        Waits while the session has no room, or the connection is lost.

        Raises `ValueError`: not of whole samples, or of other numbers; `Closed`.
        """
        for piece in self.input.pieces(self.input.bytes_of(samples)):
            await self._talk.audio(piece)

    async def finish(self) -> None:
        """Ends the input: what was pushed is still answered, then the session ends."""
        await self._talk.finish()

    async def close(self) -> None:
        """Hangs up. Repeating it is fine."""
        await self._talk.close()

    # What is said to the server; each returns the id of its message.

    async def say(
        self, words: str | Clip, *, interruptible: bool = True, priority: int = 0, wait: bool = True
    ) -> int:
        """Speaks a text, or plays a recording. `priority`: -128 to 127, the higher goes first; `wait`: for its turn,
        else it sounds at once or not at all."""
        what = {"text": words} if isinstance(words, str) else {"clip": words.fields()}
        how = {"interruptible": interruptible, "priority": priority, "wait": wait}
        return await self._tell("Say", {**what, **how})

    async def interrupt(self, mode: Literal["Soft", "Now"] = "Now") -> int:
        """Withdraws what sounds or is to be answered."""
        return await self._tell("Interrupt", {"mode": mode})

    async def cancel_answer(self, turn: int) -> int:
        """Withdraws the answer of a turn."""
        return await self._tell("CancelAnswer", {}, {"turn": turn})

    async def gate(self, mode: Literal["Auto", "Open", "Shut"]) -> int:
        """Who decides what is speech: the detector, or this client by `Open` and `Shut`."""
        return await self._tell("Gate", {"mode": mode})

    async def end_turn(self) -> int:
        """The caller's turn ends here."""
        return await self._tell("EndTurn", {})

    async def discard(self) -> int:
        """Forgets what was said and not answered yet."""
        return await self._tell("Discard", {})

    async def respond(self) -> int:
        """Asks for an answer now, whether anything was said or not."""
        return await self._tell("Respond", {})

    async def heard(self, turn: int, us: int) -> int:
        """Tells how much of a turn's answer has reached the ear, microseconds since its first sample."""
        return await self._tell("Heard", {"us": us}, {"turn": turn})

    async def send_text(self, text: str) -> int:
        """What the caller typed: answered like speech."""
        return await self._tell("SendText", {"text": text})

    async def set(self, params: Mapping[str, Any]) -> int:
        """Changes what services are told of the caller; `None` removes a parameter."""
        return await self._tell("Set", {"params": dict(params)})

    async def tool_result(self, call_id: str, result: str) -> int:
        """Answers a `ToolCall`."""
        return await self._tell("ToolResult", {"call_id": call_id, "result": result})

    async def reply_to(self, request: int, text: str, *, last: bool = True) -> int:
        """A part of the answer to a `ReplyRequested`; `last`: nothing of it follows."""
        return await self._tell("ReplyTo", {"request": request, "text": text, "last": last})

    async def delivered(self, message_id: int) -> None:
        """Waits until a message of this client has arrived.

        Raises as `applied`.
        """
        await self._talk.wait_for(message_id, applied=False)

    async def applied(self, message_id: int) -> None:
        """Waits until what a message of this client stops has stopped.

        Raises `Undelivered`: it was given up; `Closed`: the session ended first; `KeyError`: it is none of the last
        512.
        """
        await self._talk.wait_for(message_id, applied=True)

    async def _tell(self, kind: str, body: wire.Fields, about: wire.Fields | None = None) -> int:
        return await self._talk.control({kind: body}, about or {})


@asynccontextmanager
async def connect(
    url: str,
    *,
    model: str | None = None,
    key: str | None = None,
    input: Format | None = None,
    output: Format | None = None,
    session: str | None = None,
    params: Mapping[str, Any] | None = None,
    notes: Sequence[Note] = (),
    lead_ms: int | None = None,
    latency_ms: int | None = None,
    gate: Mapping[str, Any] | None = None,
    interruption: Literal["never"] | int | None = None,
    history: Any = None,
    limits: Limits | None = None,
    headers: Mapping[str, str] | None = None,
    ssl: ssl.SSLContext | None = None,
) -> AsyncIterator[Session]:
    """Opens a session, and hangs up at the end of the block.

    `url`: of the server, `ws://127.0.0.1:8080`; `model`: which of its scenes, by default the first; `key`: where the
    server asks for one. What a session may be like stands in `docs/protocols.md`; what is left out is the scene's own.

    Raises `Refused`: the server opened none; `OSError`, `TimeoutError`: nobody answers; `ValueError`: what was asked
    for is nothing that can be sent.
    """
    bounds = limits or Limits()
    opening = Opening(
        input or Format(),
        output or Format(),
        session,
        params or {},
        notes,
        lead_ms,
        latency_ms,
        gate,
        interruption,
        history,
    )
    where, first = address(url, model), wire.write(opening.fields())

    async def dial_at(place: str, open_s: float) -> Link:
        return await dial(place, key, headers or {}, ssl, open_s, bounds.silence_s)

    link = await dial_at(where, bounds.open_s)
    try:
        given = await _open(link, first, bounds.open_s)
        again = resuming(where, given.session)
        talk = Talk(lambda open_s: dial_at(again, open_s), link, given, bounds)
    except BaseException:
        await link.close()
        raise
    try:
        yield Session(talk)
    finally:
        await talk.close()


async def _open(link: Link, first: str, open_s: float) -> Opened:
    try:
        await link.send(first)
        return opened(await asyncio.wait_for(answer(link, "opened"), open_s))
    except asyncio.TimeoutError:
        raise TimeoutError(f"the server has not opened the session within {open_s:g} s") from None
    except wire.WireError as error:
        raise Refused(None, "protocol", f"the answer is no answer of such a server: {error}") from None
    except Closed as end:
        raise Refused(None, "closed", f"{end.code}: {end.reason}") from None
    except Lost as lost:
        raise ConnectionError(f"the connection was lost while the session opened: {lost}") from None
