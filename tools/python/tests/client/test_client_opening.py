"""A session opens as it was asked for, or the client says who refused it and why."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

pytest.importorskip("websockets")

from scripted_server import OPENED, Peer, serving

from mynah.client import Format, Limits, Refused, connect


async def obliging(peer: Peer) -> None:
    await peer.opened()
    await peer.left()


def test_what_is_left_out_is_the_scenes_own() -> None:
    async def story() -> None:
        async with serving(obliging) as server, connect(server.url) as session:
            assert server.messages[0] == {
                "type": "open",
                "input": {"encoding": "s16"},
                "output": {"encoding": "s16"},
            }
            assert server.requests[0].path == "/v1/session"
            assert "Authorization" not in server.requests[0].headers
            assert (session.input, session.output) == (Format(16_000, 1), Format(24_000, 1))
            assert (session.opened.session, session.opened.scene) == ("caller-7", "assistant")
            assert "t0ken" not in repr(session.opened)

    asyncio.run(story())


def test_every_field_is_said() -> None:
    async def story() -> None:
        async with (
            serving(obliging) as server,
            connect(
                f"{server.url}?trace=1",
                model="assistant",
                key="sesame",
                input=Format(48_000, 2, "f32"),
                output=Format(8_000),
                session="caller-7",
                params={"language": "de"},
                notes=["speech", "turns"],
                lead_ms=40,
                latency_ms=120,
                gate={"threshold": 0.6},
                interruption="never",
                history={"schema": 1, "turns": []},
                headers={"X-Request-Id": "r1"},
            ),
        ):
            pass
        assert server.messages[0] == {
            "type": "open",
            "session": "caller-7",
            "input": {"rate_hz": 48_000, "channels": 2, "encoding": "f32"},
            "output": {"rate_hz": 8_000, "encoding": "s16"},
            "params": {"language": "de"},
            "lead_ms": 40,
            "latency_ms": 120,
            "gate": {"threshold": 0.6},
            "interruption": "never",
            "history": {"schema": 1, "turns": []},
            "notes": ["speech", "turns"],
        }
        request = server.requests[0]
        assert request.path == "/v1/session?trace=1&model=assistant"
        assert (request.headers["Authorization"], request.headers["X-Request-Id"]) == ("Bearer sesame", "r1")

    asyncio.run(story())


FULL = b'{"error":{"type":"overloaded","code":"capacity","message":"all 4 sessions are open"}}'


@pytest.mark.parametrize(
    ("status", "headers", "body", "code", "message", "retry_after_s"),
    [
        (401, {}, b'{"error":{"code":"no_key","message":"send a key"}}', "no_key", "send a key", None),
        (503, {"Retry-After": "7"}, FULL, "capacity", "all 4 sessions are open", 7.0),
        (404, {}, b"nothing here", "http", "Not Found", None),
        (403, {}, b'{"error":"no"}', "http", "Forbidden", None),
        (429, {"Retry-After": "Wed, 01 Jan 2027 00:00:00 GMT"}, b"[]", "http", "Too Many Requests", None),
    ],
)
def test_a_refusal_says_who_and_why(
    status: int, headers: dict[str, str], body: bytes, code: str, message: str, retry_after_s: float | None
) -> None:
    async def story() -> None:
        async with serving(refusals={0: (status, headers, body)}) as server:
            with pytest.raises(Refused) as caught:
                async with connect(server.url, key="wrong"):
                    pass
            error = caught.value
            told = (error.status, error.code, error.message, error.retry_after_s)
            assert told == (status, code, message, retry_after_s)
            assert str(status) in str(error) and "wrong" not in str(error)

    asyncio.run(story())


@pytest.mark.parametrize(
    ("answer", "code", "says"),
    [
        (
            {"type": "error", "error": {"code": "bad_request", "message": "gat: unknown"}},
            "bad_request",
            "gat",
        ),
        ({"type": "hello"}, "protocol", "hello"),
        ({**OPENED, "input": {"rate_hz": 0, "channels": 1}}, "protocol", "0 Hz"),
        ({"type": "opened"}, "protocol", "session"),
        (None, "closed", "1008: no"),
    ],
)
def test_a_session_that_cannot_be_opened(answer: dict[str, Any] | None, code: str, says: str) -> None:
    async def unwilling(peer: Peer) -> None:
        await peer.next()
        if answer is None:
            await peer.socket.close(1008, "no")
            return
        await peer.tell(**answer)
        await peer.left()

    async def story() -> None:
        async with serving(unwilling) as server:
            with pytest.raises(Refused) as caught:
                async with connect(server.url):
                    pass
            assert (caught.value.status, caught.value.code) == (None, code)
            assert says in caught.value.message

    asyncio.run(story())


def test_nobody_answers() -> None:
    async def silent(peer: Peer) -> None:
        await peer.left()

    async def story() -> None:
        async with serving(silent) as server:
            with pytest.raises(TimeoutError):
                async with connect(server.url, limits=Limits(open_s=0.2)):
                    pass
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            with pytest.raises(OSError):
                async with connect(f"ws://127.0.0.1:{taken.getsockname()[1]}"):
                    pass

    asyncio.run(story())


@pytest.mark.parametrize(
    ("url", "options", "says"),
    [
        ("127.0.0.1:8080", {}, "url"),
        ("ftp://127.0.0.1", {}, "url"),
        ("ws://127.0.0.1:9", {"notes": ["probabilities"]}, "probabilities"),
        ("ws://127.0.0.1:9", {"params": {"a": float("nan")}}, "range"),
        ("ws://127.0.0.1:9", {"params": {"a": "x" * 70_000}}, "bytes"),
    ],
)
def test_what_cannot_be_asked_for_is_not_sent(url: str, options: dict[str, Any], says: str) -> None:
    async def story() -> None:
        with pytest.raises(ValueError, match=says):
            async with connect(url, **options):
                pass

    asyncio.run(story())


def test_wrong_numbers_name_their_place() -> None:
    with pytest.raises(ValueError, match="encoding: 's24'"):
        Format(16_000, 1, "s24")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="events: 0"):
        Limits(events=0)
