"""Messages and audio go both ways, in order, acknowledged, and what was taken back is dropped."""

from __future__ import annotations

import array
import asyncio
from typing import Any

import pytest

pytest.importorskip("websockets")

from scripted_server import SEGMENT, Peer, serving

from mynah.client import (
    Audio,
    CancelAnswer,
    Clip,
    Closed,
    Format,
    Limits,
    Session,
    SessionClosed,
    Text,
    Transcript,
    Undelivered,
    connect,
)

MS = 48
"""Bytes of a millisecond of output."""


async def all_of(session: Session) -> list[Any]:
    """What the server says until the end."""
    return [event async for event in session]


def test_receipts_go_out_at_once_and_applied_when_the_handler_comes_back() -> None:
    async def script(peer: Peer) -> None:
        await peer.opened()
        stop = await peer.control("CancelAnswer", turn=3)
        confirm = await peer.control(
            "ConfirmSpeculation", {"from_timestamp": 1, "to_timestamp": 2}, target_segment_id=SEGMENT
        )
        await peer.control("Transcript", {"text": "hello", "last": True}, turn=3)
        # The handler has not asked for anything yet.
        assert await peer.receipts(2) == [(stop, "Delivered"), (confirm, "Delivered")]
        await asyncio.sleep(0.1)
        taking.set()
        assert await peer.receipts(2) == [(stop, "Applied"), (confirm, "Applied")]
        # Again: acknowledged again, both ways, and nothing else happens.
        await peer.control("CancelAnswer", turn=3, message_id=stop)
        assert await peer.receipts(2) == [(stop, "Delivered"), (stop, "Applied")]
        await peer.over()

    async def story() -> None:
        async with serving(script) as server, connect(server.url) as session:
            await taking.wait()
            events = []
            async for event in session:
                if isinstance(event, CancelAnswer):
                    # It is at work: nothing has stopped yet.
                    await asyncio.sleep(0.1)
                    assert (event.id, "Applied") not in server.receipts
                events.append(type(event).__name__)
            assert events == ["CancelAnswer", "ConfirmSpeculation", "Transcript", "SessionClosed"]
            assert session.figures.repeated == 1

    taking = asyncio.Event()
    asyncio.run(story())


def test_what_waits_and_was_taken_back_is_dropped() -> None:
    other = "fa9cab88-eca1-56bf-961d-1e749c4ac68d"
    sounds: list[tuple[int, dict[str, Any], str | None]] = [
        # pts_us, whose, and by which message it is taken back.
        (1, {"segment": SEGMENT, "revision": 1, "turn": 1}, "retract"),
        (2, {"segment": SEGMENT, "revision": 2, "turn": 1}, None),
        (3, {"segment": SEGMENT, "revision": 0, "turn": None}, None),
        (4, {"segment": other, "revision": 1, "turn": 4}, "cancel"),
        (5, {"segment": None, "revision": 0, "turn": 2}, "interrupt"),
        (6, {"segment": None, "revision": 0, "turn": 3}, "answer"),
        (7, {"segment": None, "revision": 0, "turn": None}, None),
    ]

    async def script(peer: Peer) -> None:
        await peer.opened()
        for pts_us, whose, _ in sounds:
            await peer.audio(bytes(10 * MS), pts_us=pts_us, **whose)
            await peer.tell(type="text", text=str(pts_us), **whose)
        await peer.control("RetractEndOfSpeech", {"at_timestamp": 5}, target_segment_id=SEGMENT, revision=1)
        stretch = {"from_timestamp": 0, "to_timestamp": 9}
        await peer.control("CancelSpeculation", stretch, target_segment_id=other)
        await peer.control("AnswerInterrupted", {"heard_us": 0}, turn=2)
        last = await peer.control("CancelAnswer", turn=3)
        while (last, "Delivered") not in peer.heard.receipts:
            await peer.receipts(1)
        taking.set()
        await peer.receipts(3)
        await peer.over()

    async def story() -> None:
        async with serving(script) as server, connect(server.url) as session:
            await taking.wait()
            events = await all_of(session)
            kept = [pts_us for pts_us, _, by in sounds if by is None]
            assert [event.pts_us for event in events if isinstance(event, Audio)] == kept
            assert [event.text for event in events if isinstance(event, Text)] == [str(at) for at in kept]
            assert (session.figures.withdrawn_us, session.figures.withdrawn_texts) == (40_000, 4)

    taking = asyncio.Event()
    asyncio.run(story())


def test_audio_says_whose_it_is_and_when() -> None:
    async def script(peer: Peer) -> None:
        await peer.opened()
        await peer.audio(bytes(20 * MS), segment=SEGMENT, revision=1, turn=2, pts_us=1_000_000)
        await peer.socket.send(bytes(10 * MS))
        await peer.audio(bytes(10 * MS), turn=3, pts_us=5_000_000)
        await peer.over()

    async def story() -> None:
        async with serving(script) as server, connect(server.url) as session:
            heard = [event for event in await all_of(session) if isinstance(event, Audio)]
        assert [(event.turn, event.pts_us, len(event.data)) for event in heard] == [
            (2, 1_000_000, 20 * MS),
            (2, 1_020_000, 10 * MS),
            (3, 5_000_000, 10 * MS),
        ]
        assert (heard[1].segment, heard[1].revision, heard[2].segment) == (SEGMENT, 1, None)

    asyncio.run(story())


def test_audio_goes_up_as_the_numbers_are_in_short_pieces() -> None:
    ramp = array.array("h", range(4_000))

    async def script(peer: Peer) -> None:
        await peer.opened()
        sizes, data = [], b""
        while len(data) < 4 * 8_000:
            piece = await peer.next()
            sizes.append(len(piece))
            data += piece
        assert data == 4 * ramp.tobytes() and max(sizes) == 3_200
        await peer.left()

    async def story() -> None:
        async with serving(script) as server, connect(server.url) as session:
            await session.push(ramp)
            await session.push(ramp.tobytes())
            await session.push(memoryview(bytearray(ramp.tobytes())))
            numpy = pytest.importorskip("numpy")
            # Every second of twice as many: whoever copied the memory as it lies would be wrong.
            await session.push(numpy.repeat(numpy.arange(4_000, dtype=numpy.int16), 2)[::2])
            with pytest.raises(ValueError, match="3 bytes of audio"):
                await session.push(b"abc")
            with pytest.raises(ValueError, match="item format 'f'"):
                await session.push(array.array("f", [0.5]))

    asyncio.run(story())


def test_every_wish_is_said_as_the_contract_has_it(vectors: dict[str, Any]) -> None:
    async def ask(s: Session) -> list[tuple[str, int]]:
        greeting = "Who goes there? 🦜"
        manner: dict[str, Any] = {"interruptible": False, "priority": -3, "wait": False}
        stereo = Clip(bytes.fromhex("0000008000407fff")[:6] + b"\xff\x7f", 16_000, 2, subtitle="Hm.")
        return [
            ("say", await s.say(greeting)),
            ("say_bark", await s.say(greeting, **manner)),
            ("say_clip_s16", await s.say(stereo, **manner)),
            ("say_clip_f32", await s.say(Clip(FLOATS, 16_000, encoding="f32", subtitle="Hm."), **manner)),
            ("interrupt_soft", await s.interrupt("Soft")),
            ("interrupt_now", await s.interrupt()),
            ("cancel_answer", await s.cancel_answer(3)),
            ("gate_auto", await s.gate("Auto")),
            ("gate_open", await s.gate("Open")),
            ("gate_shut", await s.gate("Shut")),
            ("end_turn", await s.end_turn()),
            ("discard", await s.discard()),
            ("respond", await s.respond()),
            ("heard", await s.heard(3, 1_250_000)),
            ("send_text", await s.send_text("two coffees")),
            ("set", await s.set({"language": None, "rate": 1.25, "voice": "low"})),
            ("tool_result", await s.tool_result("call_1", '{"done": true}')),
            ("reply_to", await s.reply_to(12, "Two coffees ", last=False)),
            ("reply_to_last", await s.reply_to(12, "it is.")),
        ]

    async def script(peer: Peer) -> None:
        await peer.opened()
        for _ in range(19):
            message_id, _, _ = await peer.next_control()
            await peer.ack(message_id)
        await peer.left()

    async def story() -> None:
        async with serving(script) as server, connect(server.url) as session:
            names = await ask(session)
            for _, message_id in names:
                await session.delivered(message_id)
        sent = {m["message_id"]: m for m in server.messages if isinstance(m, dict) and "message_id" in m}
        assert [message_id for _, message_id in names] == list(range(1, 20))
        for name, message_id in names:
            found, wanted = sent[message_id], vectors[name]
            assert found["message_type"] == wanted["message_type"], name
            assert found.get("turn") == wanted["turn"], name
            assert found["session_id"] == "caller-7" and found["timestamp"] > 1.6e15

    asyncio.run(story())


FLOATS = array.array("f", [0.1, -0.25, 1.0])


def test_applied_waits_and_the_end_tells_who_waits() -> None:
    async def script(peer: Peer) -> None:
        await peer.opened()
        first, kind, _ = await peer.next_control()
        assert kind == "Interrupt"
        await peer.ack(first)
        await asyncio.sleep(0.1)
        applied.set()
        await peer.ack(first, "Applied")
        second, _, _ = await peer.next_control()
        await peer.ack(second)
        await peer.over("engine_gone", 1011)

    async def story() -> None:
        async with serving(script) as server, connect(server.url) as session:
            first = await session.interrupt()
            await session.delivered(first)
            await session.applied(first)
            assert applied.is_set()
            second = await session.interrupt("Soft")
            with pytest.raises(Closed) as caught:
                await session.applied(second)
            assert (caught.value.code, caught.value.reason) == (1011, "engine_gone")
            with pytest.raises(KeyError, match="message 99"):
                await session.applied(99)
            assert session.figures.acked == session.figures.sent == 2

    applied = asyncio.Event()
    asyncio.run(story())


def test_what_nobody_acknowledges_is_sent_four_times_and_given_up() -> None:
    async def script(peer: Peer) -> None:
        await peer.opened()
        times, loop = [], asyncio.get_running_loop()
        for _ in range(4):
            message_id, _, _ = await peer.next_control()
            assert message_id == 1
            times.append(loop.time())
        # Three gaps of 50 ms; one that is late does not shorten the next.
        assert times[3] - times[0] > 0.14
        await given_up.wait()
        # Too late, and still the truth.
        await peer.ack(1, "Applied")
        await peer.left()

    async def story() -> None:
        async with serving(script) as server, connect(server.url) as session:
            message_id = await session.end_turn()
            with pytest.raises(Undelivered, match="message 1 "):
                await session.applied(message_id)
            assert (session.figures.failed, session.figures.resent) == (1, 3)
            given_up.set()
            await asyncio.wait_for(session.applied(await late(session, message_id)), 5)
        assert server.controls("EndTurn") == [1, 1, 1, 1]

    async def late(session: Session, message_id: int) -> int:
        while True:
            try:
                await session.delivered(message_id)
                return message_id
            except Undelivered:
                await asyncio.sleep(0.01)

    given_up = asyncio.Event()
    asyncio.run(story())


def test_no_more_than_64_messages_are_under_way() -> None:
    async def script(peer: Peer) -> None:
        await peer.opened()
        for _ in range(64):
            await peer.next_control()
        await full.wait()
        await peer.ack(1)
        assert (await peer.next_control())[0] == 65
        await peer.left()

    async def story() -> None:
        async with serving(script) as server, connect(server.url, limits=Limits(resend_s=10)) as session:
            for i in range(64):
                await session.heard(1, i)
            more = asyncio.create_task(session.heard(1, 64))
            await asyncio.sleep(0.1)
            assert not more.done()
            full.set()
            assert await asyncio.wait_for(more, 5) == 65

    full = asyncio.Event()
    asyncio.run(story())


@pytest.mark.parametrize(
    ("code", "clean"), [(1000, True), (1001, True), (1008, False), (1011, False), (4000, False)]
)
def test_the_end(code: int, clean: bool) -> None:
    async def script(peer: Peer) -> None:
        await peer.opened()
        while (await peer.next()) != {"type": "finish"}:
            pass
        await peer.control("Transcript", {"text": "bye", "last": True})
        await peer.over("why", code)

    async def story() -> None:
        async with serving(script) as server, connect(server.url) as session:
            await session.push(bytes(320))
            await session.finish()
            events = []
            try:
                async for event in session:
                    events.append(event)
                assert clean
            except Closed as closed:
                assert not clean and (closed.code, closed.reason) == (code, "why")
            # What came before the end was told before it.
            assert [type(event) for event in events] == [Transcript, SessionClosed]
            assert session.ended is not None and session.ended.code == code
            for call in (session.push(bytes(2)), session.say("x"), session.finish()):
                with pytest.raises(Closed):
                    await call
        assert {"type": "close"} not in server.messages

    asyncio.run(story())


def test_hanging_up_is_said_and_answered() -> None:
    async def script(peer: Peer) -> None:
        await peer.opened()
        await peer.left()

    async def story() -> None:
        async with serving(script) as server, connect(server.url) as session:
            await session.close()
            await session.close()
            assert [type(event) for event in await all_of(session)] == [SessionClosed]
            assert session.ended is not None and session.ended.is_clean
        assert server.messages[-1] == {"type": "close"}

    asyncio.run(story())


def test_a_format_without_a_rate_has_no_length() -> None:
    assert Format().us(320) == 0 and Format(16_000, 1).us(320) == 10_000
    assert Format(48_000, 2, "f32").frame_bytes == 8
