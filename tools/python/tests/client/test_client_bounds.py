"""A handler or a server that is slow costs what the limits say, and it is counted; what is broken costs nothing."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("websockets")

from scripted_server import Peer, serving

from mynah.client import Audio, Closed, Limits, NotUnderstood, Probability, SessionClosed, Text, connect

MS = 48


async def heard(peer: Peer) -> None:
    """Waits until the client has taken all that was sent."""
    await (await peer.socket.ping())


def test_a_slow_handler_loses_the_oldest_audio_and_notes_and_no_message() -> None:
    async def script(peer: Peer) -> None:
        await peer.opened()
        for i in range(30):
            await peer.audio(bytes(100 * MS), turn=i, pts_us=100_000 * i)
            await peer.tell(type="probability", at_us=i, p=0.5)
            await peer.control("AnswerStarted", turn=i)
        await heard(peer)
        taking.set()
        await peer.over()

    async def story() -> None:
        limits = Limits(audio_s=1.0, notes=5, events=100)
        async with serving(script) as server, connect(server.url, limits=limits) as session:
            await taking.wait()
            events = [event async for event in session]
            assert [event.turn for event in events if isinstance(event, Audio)] == list(range(20, 30))
            assert [event.at_us for event in events if isinstance(event, Probability)] == list(range(25, 30))
            assert len(events) == 30 + 10 + 5 + 1 and isinstance(events[-1], SessionClosed)
            figures = session.figures
            assert (figures.audio_dropped_us, figures.notes_dropped) == (2_000_000, 25)

    taking = asyncio.Event()
    asyncio.run(story())


def test_events_that_may_not_be_dropped_end_the_session_where_there_is_no_room() -> None:
    async def script(peer: Peer) -> None:
        await peer.opened()
        for i in range(11):
            await peer.tell(type="text", text=str(i))
        await peer.left()
        codes.append(peer.socket.close_code)

    async def story() -> None:
        async with serving(script) as server, connect(server.url, limits=Limits(events=10)) as session:
            while session.ended is None:
                await asyncio.sleep(0.01)
            events = []
            with pytest.raises(Closed, match="control_overflow: 10 events wait") as caught:
                async for event in session:
                    events.append(event)
            assert caught.value.code == 4000
            assert [event.text for event in events if isinstance(event, Text)] == [str(i) for i in range(11)]
        assert codes == [4000]

    codes: list[int | None] = []
    asyncio.run(story())


def test_what_is_broken_or_new_is_counted_and_the_session_goes_on() -> None:
    async def script(peer: Peer) -> None:
        await peer.opened()
        await peer.socket.send(bytes(2))  # Audio without a tag.
        await peer.audio(bytes(3))  # Half a sample.
        for text in (
            '{"message_type":',
            "[]",
            '{"type": "audio", "pts_us": -1}',
            '{"message_type": {"Line": {}}}',
        ):
            await peer.socket.send(text)
        await peer.tell(type="mood", calm=True)
        unknown = await peer.control("Judge", {"p_end": 0.9})
        await peer.tell(type="error", error={"code": "bad_json", "message": "line 1", "silent": 4})
        known = await peer.control("CancelAnswer", turn=1)
        assert await peer.receipts(1) == [(known, "Delivered")] != [(unknown, "Delivered")]
        await peer.receipts(1)
        await peer.over()

    async def story() -> None:
        async with serving(script) as server, connect(server.url) as session:
            events = [event async for event in session]
            assert events[0] == NotUnderstood("bad_json", "line 1", 4)
            assert (session.figures.rejected, session.figures.unknown) == (6, 2)
            assert len(events) == 3

    asyncio.run(story())


def test_who_is_not_read_waits() -> None:
    async def script(peer: Peer) -> None:
        await peer.opened()
        peer.socket.transport.pause_reading()
        await pushing.wait()
        await asyncio.sleep(0.3)
        assert not pushed.is_set()
        peer.socket.transport.resume_reading()
        size = 0
        while size < SIZE:
            size += len(await peer.next())
        await peer.left()

    async def story() -> None:
        async with serving(script) as server, connect(server.url) as session:
            pushing.set()
            await asyncio.wait_for(session.push(bytes(SIZE)), 20)
            pushed.set()

    # More than all buffers of the network hold.
    SIZE = 32_000_000
    pushing, pushed = asyncio.Event(), asyncio.Event()
    asyncio.run(story())
