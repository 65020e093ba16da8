"""A lost connection costs what was on the way, and nothing else; who cannot come back says why."""

from __future__ import annotations

import asyncio
import time

import pytest

pytest.importorskip("websockets")

from scripted_server import Peer, Refusal, serving

from mynah.client import Closed, Limits, Resumed, SessionClosed, Transcript, connect


async def resumed(peer: Peer, newest_id: int) -> None:
    """Goes on with the session."""
    assert await peer.next() == {"type": "resume", "session": "caller-7", "token": "t0ken"}
    await peer.tell(type="resumed", newest_id=newest_id)


def test_messages_events_and_audio_go_on_over_the_next_connection() -> None:
    async def first(peer: Peer) -> None:
        await peer.opened()
        await peer.control("Transcript", {"text": "one", "last": False})
        for _ in range(2):
            await peer.next_control()
        await peer.ack(1)
        peer.cut()

    async def second(peer: Peer) -> None:
        await resumed(peer, newest_id=2)
        # Sent again, with the ids that they had: nobody has said that they were applied.
        assert [(await peer.next_control())[:2] for _ in range(2)] == [(1, "EndTurn"), (2, "Respond")]
        for message_id in (1, 2):
            await peer.ack(message_id)
            await peer.ack(message_id, "Applied")
        # What the server sends again has no second effect.
        await peer.control("Transcript", {"text": "one", "last": False}, message_id=1)
        await peer.control("Transcript", {"text": "two", "last": True})
        while not isinstance(await peer.next(), bytes):
            pass
        assert (await peer.next_control())[0] == 3
        await peer.ack(3)
        await peer.over()

    async def story() -> None:
        async with serving(first, second) as server, connect(server.url) as session:
            ids = [await session.end_turn(), await session.respond()]
            events = [await anext(session), await anext(session)]
            assert isinstance(events[1], Resumed) and 0 <= events[1].away_ms < 2_000
            for message_id in ids:
                await asyncio.wait_for(session.applied(message_id), 5)
            await session.push(bytes(320))
            await session.delivered(await session.end_turn())
            rest = [event async for event in session]
            texts = [event.text for event in [*events, *rest] if isinstance(event, Transcript)]
            assert texts == ["one", "two"] and isinstance(rest[-1], SessionClosed)
            assert (session.figures.resumes, session.figures.repeated) == (1, 1)

    asyncio.run(story())


def test_audio_waits_for_the_next_connection() -> None:
    async def first(peer: Peer) -> None:
        await peer.opened()
        peer.cut()

    async def second(peer: Peer) -> None:
        await pushing.wait()
        await asyncio.sleep(0.1)
        await resumed(peer, newest_id=0)
        size = 0
        while size < 32_000:
            size += len(await peer.next())
        # The end of the input is said again where nobody knows whether it has arrived.
        assert await peer.next() == {"type": "finish"}
        peer.cut()

    async def third(peer: Peer) -> None:
        await resumed(peer, newest_id=0)
        assert await peer.next() == {"type": "finish"}
        await peer.over()

    async def story() -> None:
        async with serving(first, second, third) as server, connect(server.url) as session:
            while session._talk._link is not None:
                await asyncio.sleep(0.01)
            pushing.set()
            await session.push(bytes(32_000))
            await session.finish()
            events = [event async for event in session]
            assert [type(event) for event in events] == [Resumed, Resumed, SessionClosed]
            assert session.figures.audio_lost_us == 0

    pushing = asyncio.Event()
    asyncio.run(story())


def test_a_server_that_is_full_for_a_moment_is_asked_again() -> None:
    async def first(peer: Peer) -> None:
        await peer.opened()
        peer.cut()

    async def second(peer: Peer) -> None:
        await resumed(peer, newest_id=0)
        await peer.over()

    async def story() -> None:
        refusals: dict[int, Refusal] = {1: (503, {}, b""), 2: (503, {}, b"")}
        async with serving(first, second, refusals=refusals) as server, connect(server.url) as session:
            events = [type(event) async for event in session]
            assert events == [Resumed, SessionClosed]
            assert len(server.requests) == 4
            # Its place is there, whoever else wants in.
            again = f"/v1/session?resume={session.opened.session}"
            assert [request.path for request in server.requests] == ["/v1/session", *[again] * 3]

    asyncio.run(story())


def test_a_session_that_is_gone_is_over() -> None:
    async def first(peer: Peer) -> None:
        await peer.opened()
        peer.cut()

    async def second(peer: Peer) -> None:
        await peer.next()
        await peer.tell(type="error", error={"code": "not_found", "message": "no such session, or too late"})
        await peer.socket.close(1008, "not_found")

    async def story() -> None:
        async with serving(first, second) as server, connect(server.url) as session:
            with pytest.raises(Closed, match="not_found: no such session, or too late") as caught:
                async for _ in session:
                    pass
            assert caught.value.code == 1008

    asyncio.run(story())


@pytest.mark.parametrize(("resume_ms", "token"), [(300, "t0ken"), (0, "t0ken"), (300, None)])
def test_a_server_that_is_gone_is_waited_for_no_longer_than_it_keeps_the_session(
    resume_ms: int, token: str | None
) -> None:
    async def only(peer: Peer) -> None:
        await peer.opened(resume_ms=resume_ms, token=token)
        peer.cut()

    async def story() -> None:
        refusals: dict[int, Refusal] = {number: (503, {}, b"") for number in range(1, 100)}
        async with serving(only, refusals=refusals) as server, connect(server.url) as session:
            began_s = time.monotonic()
            waiting = asyncio.create_task(session.push(bytes(64_000)))
            with pytest.raises(Closed) as caught:
                await anext(session)
            assert caught.value.code == 1006
            with pytest.raises(Closed):
                await waiting
            took_s = time.monotonic() - began_s
            assert (
                (took_s < 0.25 and len(server.requests) == 1) if not (token and resume_ms) else took_s >= 0.29
            )

    asyncio.run(story())


def test_a_server_that_answers_no_ping_is_lost() -> None:
    async def first(peer: Peer) -> None:
        await peer.opened()
        # It neither reads nor writes any more, and the connection stays.
        peer.socket.transport.pause_reading()
        await back.wait()
        peer.cut()

    async def second(peer: Peer) -> None:
        await resumed(peer, newest_id=0)
        back.set()
        await peer.over()

    async def story() -> None:
        limits = Limits(silence_s=0.4)
        async with serving(first, second) as server, connect(server.url, limits=limits) as session:
            events = [type(event) async for event in session]
            assert events == [Resumed, SessionClosed]

    back = asyncio.Event()
    asyncio.run(story())


def test_a_connection_that_breaks_after_the_end_is_no_loss() -> None:
    async def only(peer: Peer) -> None:
        await peer.opened()
        await peer.control("Closed", {"reason": "hung_up"})
        await asyncio.sleep(0.05)
        peer.cut()

    async def story() -> None:
        async with serving(only) as server, connect(server.url) as session:
            assert [type(event) async for event in session] == [SessionClosed]
            assert session.ended is not None and session.ended.reason == "hung_up"

    asyncio.run(story())
