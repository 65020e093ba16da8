"""One session's traffic, over the connections that carry it one after the other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from mynah.client import _wire as wire
from mynah.client._bell import Bell
from mynah.client._delivery import UNACKNOWLEDGED_MAX, Delivery
from mynah.client._errors import Closed, Refused, Undelivered
from mynah.client._figures import Figures, Limits
from mynah.client._format import Format
from mynah.client._inbox import Event, Inbox, Overflow
from mynah.client._link import CLOSE_S, Link, Lost
from mynah.client._messages import SessionClosed
from mynah.client._notes import Audio, Resumed
from mynah.client._opening import Opened

Dial = Callable[[float], Awaitable[Link]]
"""Connects, within so many seconds."""

RETRY_S_MIN, RETRY_S_MAX = 0.05, 1.0
"""Pause between two tries to connect again: doubled each time."""
RETRIED = (408, 425, 429, 500, 502, 503, 504)
"""Answers that may be others the next time."""


class Talk:
    """Reads, acknowledges, sends again and connects again, in two tasks of its own."""

    def __init__(self, dial: Dial, link: Link, opened: Opened, limits: Limits) -> None:
        self.opened, self.limits = opened, limits
        self.figures = Figures()
        self.ended: Closed | None = None
        self.changed = Bell()
        """Rung for an event, a receipt, a connection and the end."""
        self._dial = dial
        self._link: Link | None = link
        self._newest = link
        self._delivery = Delivery(self._seal, limits.resend_s, self.figures)
        self._inbox = Inbox(limits, opened.output or Format(), self.figures)
        self._due = Bell()
        self._order = asyncio.Lock()
        """Who sends: what is sent first arrives first."""
        self._tag: wire.AudioTag | None = None
        self._given: int | None = None
        """The message whose handler is at work."""
        self._told: str | None = None
        self._input_ended = self._leaving = False
        self._tasks = [asyncio.create_task(self._read(link)), asyncio.create_task(self._tend())]

    def _seal(self, message_id: int, message_type: wire.Fields, about: wire.Fields) -> str:
        head = {
            "message_id": message_id,
            "session_id": self.opened.session,
            "timestamp": time.time_ns() // 1_000,
        }
        return wire.write({**head, **about, "message_type": message_type})

    # What a session does.

    async def take(self) -> Event | None:
        """The next event; `None`: there are no more. What the one before stopped counts as stopped now.

        Raises `Closed`: the session ended otherwise than by 1000 or 1001.
        """
        if self._given is not None:
            self._delivery.applied(self._given)
            self._given = None
            self._due.ring()
        while not len(self._inbox):
            if self.ended is not None:
                if self.ended.is_clean:
                    return None
                self._check()
            await self.changed.wait()
        event = self._inbox.take()
        if isinstance(event, wire.ACKNOWLEDGED):
            self._given = event.id
        return event

    async def control(self, message_type: wire.Fields, about: wire.Fields) -> int:
        """Sends a control message; its id. Waits while too many are under way."""
        while self.ended is None and self._delivery.unacknowledged >= UNACKNOWLEDGED_MAX:
            await self.changed.wait()
        self._check()
        message_id = self._delivery.send(message_type, about)
        self._due.ring()
        await self._flush()
        return message_id

    async def wait_for(self, message_id: int, applied: bool) -> None:
        """Waits until a message is delivered, or applied."""
        fate = self._delivery.fate(message_id)
        while not (fate.applied if applied else fate.delivered):
            if fate.failed:
                raise Undelivered(message_id)
            self._check()
            await self.changed.wait()

    async def audio(self, piece: bytes) -> None:
        """Sends a piece of audio; waits while there is no connection, or the server does not read."""
        if not await self._send(piece):
            self.figures.audio_lost_us += self.opened.input.us(len(piece))

    async def finish(self) -> None:
        """Ends the input."""
        self._input_ended = True
        await self._send(wire.write({"type": "finish"}))

    async def close(self) -> None:
        """Hangs up, and ends the tasks."""
        link, self._leaving = self._link, True
        try:
            if self.ended is None and link is not None:
                await asyncio.wait_for(self._goodbye(link), 2 * CLOSE_S)
        except (Lost, Closed, asyncio.TimeoutError):
            # Whoever does not answer is left alone.
            pass
        finally:
            self._end(Closed(1000, self._told or "hung up"))
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._newest.close()

    async def _goodbye(self, link: Link) -> None:
        await link.send(wire.write({"type": "close"}))
        while self.ended is None:
            await self.changed.wait()

    def _check(self) -> None:
        if self.ended is not None:
            raise Closed(self.ended.code, self.ended.reason)

    # Sending.

    async def _send(self, message: str | bytes) -> bool:
        """Sends a message over the next connection there is; `False`: it was lost on the way."""
        while True:
            self._check()
            link = self._link
            if link is None:
                await self.changed.wait()
                continue
            async with self._order:
                if self._link is not link:
                    continue
                try:
                    await link.send(message)
                    return True
                except (Lost, Closed):
                    # Who reads hears of it, too, and does what is to be done.
                    self._link = None
                    return False

    async def _flush(self) -> None:
        """Sends what control messages are due."""
        failed = self.figures.failed
        async with self._order:
            while self._link is not None and (text := self._delivery.poll(time.monotonic())) is not None:
                try:
                    await self._link.send(text)
                except (Lost, Closed):
                    self._link = None
        if self.figures.failed != failed:
            self.changed.ring()

    async def _tend(self) -> None:
        """Acknowledges, and sends again."""
        while self.ended is None:
            await self._flush()
            due_s = self._delivery.next_due_s() if self._link is not None else None
            await self._due.wait(None if due_s is None else max(0.0, due_s - time.monotonic()))

    # Reading.

    async def _read(self, link: Link) -> None:
        """Hears the server until the session is over."""
        try:
            found: Link | None = link
            while found is not None:
                found = await self._connection(found)
        except Overflow:
            why = f"control_overflow: {self.limits.events} events wait; take them faster, or raise `Limits.events`"
            self._end(Closed(4000, why))
            await self._newest.close(4000, why)
        except Exception as error:
            # Whoever waits for events must not wait for ever.
            self._end(Closed(1006, f"the client cannot go on: {type(error).__name__}: {error}"))
            raise

    async def _connection(self, link: Link) -> Link | None:
        """Hears the server over one connection; the next one, or `None` at the end."""
        try:
            while True:
                self._hear(await link.receive())
        except Lost as lost:
            self._link = None
            return await self._resume(str(lost))
        except Closed as end:
            self._end(end)
        return None

    def _hear(self, message: str | bytes) -> None:
        try:
            if isinstance(message, bytes):
                self._hear_audio(message)
            else:
                self._hear_text(wire.read(message))
        except wire.WireError:
            self.figures.rejected += 1
        self.changed.ring()

    def _hear_audio(self, data: bytes) -> None:
        output, tag = self.opened.output, self._tag
        if output is None or tag is None or len(data) % output.frame_bytes:
            raise wire.WireError("audio without a tag or a format, or not of whole samples")
        self._tag = tag._replace(pts_us=tag.pts_us + output.us(len(data)))
        self._inbox.put(Audio(data, *tag))

    def _hear_text(self, fields: wire.Fields) -> None:
        if "message_type" in fields:
            self._hear_control(fields)
            return
        reader = wire.NOTES.get(str(fields.get("type")))
        if reader is None:
            self.figures.unknown += 1
            return
        note = reader(fields)
        if isinstance(note, wire.AudioTag):
            self._tag = note
        else:
            self._inbox.put(note)

    def _hear_control(self, fields: wire.Fields) -> None:
        found = wire.control(fields)
        if found is None:
            self.figures.unknown += 1
        elif isinstance(found, wire.Ack):
            self._delivery.acknowledged(found)
        else:
            wants_receipt = isinstance(found, wire.ACKNOWLEDGED)
            if self._delivery.received(found.id, wants_receipt):
                if isinstance(found, SessionClosed):
                    self._told = found.reason
                self._inbox.put(found)
            if wants_receipt:
                self._due.ring()

    # Connecting again, and the end.

    async def _resume(self, why: str) -> Link | None:
        """Connects again while the server keeps the session; `None`: it is over."""
        if self._told is not None or self._leaving:
            self._end(Closed(1000, self._told or "hung up"))
            return None
        lost_s, pause_s = time.monotonic(), RETRY_S_MIN
        # Without a token nobody may go on with it.
        resume_ms = self.opened.resume_ms if self.opened.token else 0
        until_s = lost_s + resume_ms / 1e3
        while (left_s := until_s - time.monotonic()) > 0:
            try:
                link = await self._again(left_s)
            except Refused as refused:
                if refused.status not in RETRIED:
                    self._end(Closed(1008, f"the connection was lost, and not resumed: {refused}"))
                    return None
                why = str(refused)
            except (OSError, asyncio.TimeoutError, Lost, wire.WireError) as error:
                why = f"{type(error).__name__}: {error}"
            else:
                await self._back(link, round((time.monotonic() - lost_s) * 1e3))
                return link
            await asyncio.sleep(min(pause_s, max(0.0, until_s - time.monotonic())))
            pause_s = min(2 * pause_s, RETRY_S_MAX)
        self._end(
            Closed(1006, f"the connection was lost, and not resumed in {self.opened.resume_ms} ms: {why}")
        )
        return None

    async def _again(self, left_s: float) -> Link:
        link = await self._dial(left_s)
        try:
            wish = {"type": "resume", "session": self.opened.session, "token": self.opened.token}
            await link.send(wire.write(wish))
            fields = await asyncio.wait_for(answer(link, "resumed"), left_s)
        except BaseException:
            await link.close()
            raise
        newest_id = fields.get("newest_id")
        if isinstance(newest_id, int) and newest_id <= wire.ID_MAX:
            self._delivery.continue_after(newest_id)
        return link

    async def _back(self, link: Link, away_ms: int) -> None:
        self.figures.resumes += 1
        self._newest = link
        self._inbox.put(Resumed(away_ms))
        self._delivery.reconnected()
        self._link = link
        await self._flush()
        if self._input_ended:
            await self._send(wire.write({"type": "finish"}))
        self._due.ring()
        self.changed.ring()

    def _end(self, end: Closed) -> None:
        if self.ended is None:
            self.ended, self._link = end, None
        self._due.ring()
        self.changed.ring()


async def answer(link: Link, wanted: str) -> wire.Fields:
    """The server's answer to the first message of a connection.

    `Refused`: it refuses; `WireError`: it is none; `Lost`.
    """
    try:
        message = await link.receive()
    except Closed as end:
        raise Refused(None, "closed", f"{end.code}: {end.reason}") from None
    fields = wire.read(message) if isinstance(message, str) else {}
    if fields.get("type") == "error":
        raise Refused(None, *wire.error_of(fields))
    if fields.get("type") != wanted:
        raise wire.WireError(f"type: {fields.get('type')!r}, expected {wanted!r}")
    return fields
