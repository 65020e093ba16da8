"""What strangers and broken clients do to a server, while five honest sessions measure what they notice of it.

Every attack names what has to come of it. Behind them all, memory and open files have to be what they were before.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import hmac
import json
import resource
import socket
import ssl
import struct
import tempfile
import time
from pathlib import Path

import hostile
import serving
from honest import Honest
from hostile import Answer, ask, raw, upgraded
from serving import Serving, Session, Verdicts, quantile

KEY = "an honest key"
SECRET = "sixteen bytes or more of it"
HEADER_TIMEOUT_S = 1.0
IDLE_TIMEOUT_S = 2.0
HONEST = 5
BEARER = {"Authorization": f"Bearer {KEY}"}


class Unjudged(Verdicts):
    """Of what is done for another reason than to see what comes of it."""

    def check(self, holds: bool, demand: str, seen: object) -> bool:
        """Notes nothing."""
        return bool(holds)


def secret_until(expires_at: int, key: str = SECRET) -> str:
    """A client secret as the server makes them, that holds until this second."""

    def coded(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    said = json.dumps({"expires_at": expires_at}, separators=(",", ":")).encode()
    return f"ek_{coded(said)}.{coded(hmac.digest(key.encode(), said, 'sha256'))}"


class Attacks:
    """Everything that is tried."""

    def __init__(self, server: Serving, verdicts: Verdicts) -> None:
        self.server, self.verdicts = server, verdicts
        self.host = server.clients

    def check(self, holds: bool, demand: str, seen: object) -> None:
        """Notes what came of an attack."""
        self.verdicts.check(holds, demand, seen)

    def refused(self, name: str, answer: Answer, status: int, code: str | None) -> None:
        """Demands a status, and the code in the body where the server has the last word about it."""
        found = answer.code()
        holds = answer.status == status and (code is None or found == code)
        self.check(holds, f"{name}: {status}{f' {code}' if code else ''}", f"{answer.status} {found or ''}")

    async def keys(self) -> None:
        """Who has none, a wrong one, or one that has expired."""
        now_s = int(time.time())
        rows = [
            ("no key", {}, "no_key"),
            ("wrong key", {"Authorization": "Bearer sk-wrong"}, "bad_key"),
            ("another scheme", {"Authorization": f"Basic {KEY}"}, "bad_key"),
            ("empty key", {"Authorization": "Bearer "}, "bad_key"),
            ("key of 20 KiB", {"Authorization": "Bearer " + "k" * 20_000}, "bad_key"),
            ("expired client secret", {"Authorization": f"Bearer {secret_until(now_s - 5)}"}, "expired"),
            (
                "secret of another server",
                {"Authorization": f"Bearer {secret_until(now_s + 60, 'x')}"},
                "bad_key",
            ),
            ("secret that is none", {"Authorization": "Bearer ek_" + "A" * 4_000}, "bad_key"),
        ]
        for path in ("/v1/session", "/v1/realtime"):
            for name, headers, code in rows:
                answer = await ask(self.host, "GET", path, {**hostile.UPGRADE, **headers})
                self.refused(f"{path}: {name}", answer, 401, code)
        good = {**hostile.UPGRADE, "Authorization": f"Bearer {secret_until(now_s + 60)}"}
        self.refused(
            "/v1/session: a secret that holds", await ask(self.host, "GET", "/v1/session", good), 101, None
        )
        answer = await ask(self.host, "POST", "/v1/sessions", {"Content-Length": "2"}, b"{}")
        self.refused("/v1/sessions: no key", answer, 401, "no_key")
        made = {"Authorization": f"Bearer {secret_until(now_s + 60)}", "Content-Length": "2"}
        answer = await ask(self.host, "POST", "/v1/realtime/client_secrets", made, b"{}")
        self.refused("a client secret makes no other", answer, 401, "bad_key")
        answer = await ask(self.host, "GET", "/v1/sessions/nobody/events", {"Authorization": "Bearer x"})
        self.refused("a session that is not there", answer, 404, "not_found")

    async def origins(self) -> None:
        """Pages from elsewhere."""
        for origin in ("https://evil.example", "null", "http://evil.example:80@127.0.0.1", ""):
            answer = await ask(
                self.host, "GET", "/v1/session", {**hostile.UPGRADE, **BEARER, "Origin": origin}
            )
            self.refused(f"origin `{origin}`", answer, 403, "origin")
        headers = {**BEARER, "Origin": "https://evil.example", "Content-Length": "2"}
        answer = await ask(self.host, "POST", "/v1/sessions", headers, b"{}")
        self.refused("a session for a page from elsewhere", answer, 403, "origin")
        answer = await ask(self.server.operators, "POST", "/drain", {"Origin": "https://evil.example"})
        self.refused("a page that wants the server to end", answer, 403, None)
        answer = await ask(self.server.operators, "GET", "/metrics", {"Host": "evil.example"})
        self.refused("figures for a name that leads here", answer, 421, None)
        still = json.loads(self.server.ask("/capacity"))["draining"]
        self.check(not still, "the server does not end", f"draining: {still}")

    async def paths(self) -> None:
        """Paths and methods that lead nowhere."""
        rows = [
            ("//v1/session", 404, "not_found"),
            ("/v1//session", 404, "not_found"),
            ("/v1/session/", 404, "not_found"),
            ("/../etc/passwd", 404, "not_found"),
            ("/v1/../metrics", 404, "not_found"),
            ("/%2e%2e/%2e%2e/etc/passwd", 404, "not_found"),
            ("/v1/sessions/%2e%2e/events", 404, "not_found"),
            ("/v1/sessions/%00/events", 404, "not_found"),
            ("/v1/sessions/%ff/events", 400, "bad_request"),
            ("/%00", 404, "not_found"),
            ("/metrics", 404, "not_found"),
            ("/drain", 404, "not_found"),
            ("/V1/SESSION", 404, "not_found"),
            ("/v1/session?model=nothing", 404, "unknown_model"),
            ("/v1/session?model=a&model=b", 400, "bad_request"),
            ("/v1/session?model=%ff", 404, "unknown_model"),
            ("/" + "a" * 20_000, 404, "not_found"),
            ("/" + "a" * 40_000, 431, None),
            ("/v2/listen?encoding=mp3", 400, None),
        ]
        for path, status, code in rows:
            shown = path if len(path) < 40 else f"a path of {len(path)} bytes"
            self.refused(
                shown, await ask(self.host, "GET", path, {**hostile.UPGRADE, **BEARER}), status, code
            )
        rows = [
            ("DELETE", "/v1/realtime/client_secrets", 405),
            ("PUT", "/v1/sessions", 405),
            ("TRACE", "/", 405),
            ("GET", "/v1/sessions", 405),
            ("BREW", "/v1/sessions/x/audio", 405),
        ]
        for method, path, status in rows:
            self.refused(
                f"{method} {path}", await ask(self.host, method, path, BEARER), status, "method_not_allowed"
            )
        self.refused(
            "GET without an upgrade", await ask(self.host, "GET", "/v1/session", BEARER), 426, "upgrade"
        )

    async def requests(self) -> None:
        """Heads that are too large or none at all."""
        rows: list[tuple[str, bytes, set[int]]] = [
            ("no HTTP", b"\x16\x03\x01\x02\x00 hello\r\n\r\n", {0, 400}),
            ("no version", b"GET /\r\n\r\n", {0, 400}),
            ("version 9", b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", {0, 400, 505}),
            (
                "a header of 64 KiB",
                b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 65_536 + b"\r\n\r\n",
                {0, 431},
            ),
            ("2,000 headers", b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 2_000 + b"\r\n", {0, 431}),
            ("a NUL in a header", b"GET / HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n", {0, 400}),
            ("a space before the colon", b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", {0, 400}),
            ("a head that is folded", b"GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n", {0, 400}),
        ]
        post = b"POST /v1/sessions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer an honest key\r\n"
        rows += [
            ("two lengths", post + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ", {400}),
            ("a length below 0", post + b"Content-Length: -1\r\n\r\n", {400}),
            ("a length of 2^65", post + b"Content-Length: 36893488147419103232\r\n\r\n", {400}),
            (
                "a chunk that is none",
                post + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
                {400},
            ),
            ("another coding", post + b"Transfer-Encoding: gzip\r\n\r\n{}", {400}),
            ("a body of 1 MiB", post + b"Content-Length: 1048576\r\n\r\n" + b" " * 1_048_576, {413}),
            ("a body that is no UTF-8", post + b"Content-Length: 2\r\n\r\n\xff\xfe", {400}),
            ("a body that is no JSON", post + b"Content-Length: 2\r\n\r\n{]", {400}),
            ("JSON 10,000 deep", post + b"Content-Length: 10000\r\n\r\n" + b"[" * 10_000, {400}),
            ("an unknown field", post + b'Content-Length: 9\r\n\r\n{"abc":1}', {400}),
        ]
        for name, request, statuses in rows:
            answer = await raw(self.host, request, 5)
            self.check(
                answer.status in statuses and answer.ended,
                f"{name}: {sorted(statuses)}, closed",
                answer.shown(),
            )
        # Two lengths of which one is in chunks: what follows must not be taken for a request of its own.
        smuggled = post + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nZ\r\n0\r\n\r\n"
        answer = await raw(self.host, smuggled + b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 3)
        self.check(
            answer.text.count("HTTP/1.1 ") == 1 or "/smuggled" not in answer.text.split("HTTP/1.1 ")[1],
            "length and chunks together: one reading of it, or none",
            answer.shown(),
        )

    async def slow(self) -> None:
        """Who sends little, or nothing."""
        post = b"POST /v1/sessions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer an honest key\r\n"
        served = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        rows = [
            ("a connection that says nothing", b"", b"", HEADER_TIMEOUT_S),
            ("a head, a byte at a time", b"GET / HTTP/1.1\r\n", b"X", HEADER_TIMEOUT_S),
            ("a preface of HTTP/2, and nothing", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"", HEADER_TIMEOUT_S),
            ("half a preface of HTTP/2", b"PRI * HT", b"", HEADER_TIMEOUT_S),
            ("a body, a byte at a time", post + b"Content-Length: 200\r\n\r\n{", b" ", HEADER_TIMEOUT_S),
            (
                "a body in chunks without end",
                post + b"Transfer-Encoding: chunked\r\n\r\n",
                b"1\r\n \r\n",
                HEADER_TIMEOUT_S,
            ),
            ("a connection that is kept for nothing", served, b"", HEADER_TIMEOUT_S),
        ]
        lasted = await asyncio.gather(
            *(hostile.lasts(self.host, first, drip, 0.1, 15) for _, first, drip, _ in rows)
        )
        for (name, _, _, most_s), lasted_s in zip(rows, lasted, strict=True):
            self.check(lasted_s <= most_s + 2, f"{name}: closed after {most_s:g} s", f"{lasted_s:.1f} s")

    async def silent_sockets(self) -> None:
        """WebSockets that say nothing, and answer nothing."""

        async def lasts(messages: list[bytes]) -> float:
            reader, writer = await upgraded(self.host, "/v1/session", BEARER)
            began_s = time.monotonic()
            for message in messages:
                writer.write(message)
            end = await hostile.until_end(reader, 20)
            writer.close()
            return time.monotonic() - began_s if end else 99.0

        opening = hostile.message(1, serving.opening().encode())
        unopened, silent, half = await asyncio.gather(
            lasts([]), lasts([opening]), lasts([opening, hostile.message(2, bytes(640))[:100]])
        )
        self.check(
            unopened <= 12, "a WebSocket that opens nothing: closed after 10 s at most", f"{unopened:.1f} s"
        )
        for name, lasted_s in (
            ("a session that never answers a ping", silent),
            ("half a message, and nothing", half),
        ):
            most_s = 2 * IDLE_TIMEOUT_S
            self.check(lasted_s <= most_s + 1, f"{name}: closed after {most_s:g} s", f"{lasted_s:.1f} s")
        slow = await hostile.reads_nothing(self.host, BEARER, 12)
        self.check(
            slow <= 12,
            "a session that is answered and reads nothing: closed, or its sender is held",
            f"{slow:.1f} s",
        )

    async def messages(self) -> None:
        """Messages that are none."""
        opening = hostile.message(1, serving.opening().encode())
        rows: list[tuple[str, bytes, set[int]]] = [
            ("not masked", hostile.message(1, b"{}", masked=False), {1002}),
            ("invalid UTF-8", hostile.message(1, b"\xff\xfe"), {1007}),
            ("an unknown opcode", hostile.message(3, b"x"), {1002}),
            ("a reserved bit", hostile.message(1, b"x", reserved=True), {1002}),
            ("a continuation of nothing", hostile.message(0, b"x"), {1002}),
            (
                "a text within a text",
                hostile.message(1, b"x", final=False) + hostile.message(1, b"y"),
                {1002},
            ),
            ("a ping of 200 bytes", hostile.message(9, bytes(200)), {1002}),
            ("a ping in pieces", hostile.message(9, b"", final=False), {1002}),
            ("2 MiB of audio", hostile.message(2, bytes(2 << 20)), {1009}),
            ("a length of 2^62", hostile.head(2, 1 << 62) + bytes(4), {1009}),
            ("1 MiB and more in pieces", hostile.in_pieces(2, 17, 65_536), {1009}),
            ("100 KiB of text", hostile.message(1, b'"' + b" " * 100_000 + b'"'), {1009}),
            ("no JSON, before it is open", hostile.message(1, b"{]"), {1008}),
            ("audio, before it is open", hostile.message(2, bytes(640)), {1008}),
            ("a close of one byte", hostile.message(8, b"x"), {1002}),
            ("a close with code 1005", hostile.message(8, struct.pack(">H", 1005)), {1002}),
        ]
        for name, sent, codes in rows:
            first = b"" if "before it is open" in name else opening
            reader, writer = await upgraded(self.host, "/v1/session", BEARER)
            code = await hostile.close_code(reader, writer, first + sent, 8)
            self.check(code in codes, f"{name}: close code {sorted(codes)}", code)

    async def wrong_but_understood(self) -> None:
        """Messages that a session refuses, and goes on."""
        session = await Session.open(f"ws://{self.host}/v1/session", BEARER)
        for sent in ("{]", "[]", '"x"', '{"type": "nothing"}', '{"message_type": 5}', "[" * 5_000):
            await session.socket.send(sent)
        await session.socket.send(bytes(641))
        await session.socket.send(b"")
        error = await session.until("error", 3)
        self.check(error is not None, "bad JSON in a session: an error", error and error["error"]["code"])
        await session.say(bytes(640))
        code = await session.finish()
        self.check(
            code == 1000 and session.got == 640,
            "and the session goes on",
            f"{code}, {session.got} bytes back",
        )

        reader, writer = await upgraded(self.host, "/v1/realtime", BEARER)
        append = {"type": "input_audio_buffer.append", "event_id": "mine"}
        for audio in ("!!!!", "AAA", 5, "A" * 401):
            writer.write(hostile.message(1, json.dumps({**append, "audio": audio}).encode()))
        writer.write(hostile.message(2, bytes(640)))
        text = await hostile.texts(reader, 2)
        errors = [one for one in map(json.loads, text) if one["type"] == "error"]
        named = sum(one["error"].get("event_id") == "mine" for one in errors)
        holds = named == 3 and len(errors) == 5
        self.check(holds, "bad base64 over Realtime: an error each, and it goes on", f"{len(errors)} errors")
        writer.close()

    async def crowd(self, connects: int) -> None:
        """Very many connections, in waves."""
        wave, held, opened = 1_000, [], 0
        host, port = self.host.rsplit(":", 1)

        def connected() -> socket.socket | None:
            one = socket.socket()
            one.setblocking(False)
            try:
                one.connect((host, int(port)))
            except BlockingIOError:
                pass
            except OSError:
                one.close()
                return None
            return one

        for at in range(0, connects, wave):
            some = [one for _ in range(min(wave, connects - at)) if (one := connected())]
            opened += len(some)
            held += some
            await asyncio.sleep(0.25)
            while len(held) > 4 * wave:
                held.pop(0).close()
        self.check(
            opened == connects,
            f"{connects} connects in waves of {wave}",
            f"{opened} sockets, {self.server.fds()} at the server",
        )
        for one in held:
            one.close()
        answer = await ask(self.host, "GET", "/", {})
        self.refused("the page is served behind them", answer, 200, None)

    async def pings(self) -> None:
        """A session that is nothing but pings, and one of empty pieces."""
        reader, writer = await upgraded(self.host, "/v1/session", BEARER)
        writer.write(hostile.message(1, serving.opening().encode()))
        drain = asyncio.create_task(hostile.until_end(reader, 30))
        try:
            for _ in range(50):
                writer.write(hostile.message(9, b"x") * 200)
                await asyncio.wait_for(writer.drain(), 5)
            writer.write(hostile.message(2, b"", final=False) + hostile.message(0, b"", final=False) * 20_000)
            await asyncio.wait_for(writer.drain(), 5)
        except (ConnectionError, TimeoutError):
            pass
        await asyncio.sleep(0.5)
        writer.close()
        drain.cancel()
        answer = await ask(self.host, "GET", "/", {})
        self.refused("10,000 pings and 20,000 empty pieces: others are served", answer, 200, None)

    async def returned(self) -> None:
        """Sessions that were left in the middle give their places back."""
        for _ in range(30):
            _, writer = await upgraded(self.host, "/v1/session", BEARER)
            writer.write(hostile.message(1, serving.opening().encode()) + hostile.message(2, bytes(640)))
            writer.transport.abort()
        taken = 0
        until_s = time.monotonic() + 10
        while time.monotonic() < until_s:
            taken = json.loads(self.server.ask("/capacity"))["sessions"]
            if taken == HONEST:
                break
            await asyncio.sleep(0.1)
        self.check(taken == HONEST, "sessions that were cut off give their places back", f"{taken} taken")


async def tls(program: str, verdicts: Verdicts, folder: Path) -> None:
    """Who begins a handshake and does not end it."""
    key, certificate = folder / "key.pem", folder / "cert.pem"
    made = await asyncio.create_subprocess_exec(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
        "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out",
        str(certificate), stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    await made.wait()
    settings = folder / "tls.toml"
    settings.write_text(
        f'bind = "127.0.0.1:0"\noperations = "127.0.0.1:0"\n[tls]\ncertificate = "cert.pem"\nkey = "key.pem"\n'
        f"[limits]\nheader_timeout_ms = {int(HEADER_TIMEOUT_S * 1e3)}\n"
    )
    server = Serving(program, "passthrough", "--config", str(settings))
    try:
        plain, none = await asyncio.gather(
            hostile.lasts(server.clients, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"", 0.1, 15),
            hostile.lasts(server.clients, b"\x16\x03\x01", b"", 0.1, 15),
        )
        verdicts.check(plain <= 1, "TLS: plain HTTP: closed at once", f"{plain:.1f} s")
        verdicts.check(none <= 12, "TLS: half a handshake: closed after 10 s", f"{none:.1f} s")
        trusts = ssl.create_default_context(cafile=str(certificate))
        host, port = server.clients.rsplit(":", 1)
        reader, writer = await asyncio.open_connection(host, int(port), ssl=trusts)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        first = await asyncio.wait_for(reader.readline(), 5)
        verdicts.check(b"200" in first, "TLS: the page is served", first.decode().strip())
        writer.close()
    finally:
        server.kill()


def settled(server: Serving, rss_kib: int, fds: int, seconds: float) -> tuple[int, int]:
    """Memory and files, once they are near what they were, or the time is over."""
    until_s = time.monotonic() + seconds
    while True:
        now = server.rss_kib(), server.fds()
        if (now[0] <= 1.1 * rss_kib and now[1] <= max(1.1 * fds, fds + 2)) or time.monotonic() > until_s:
            return now
        time.sleep(0.5)


async def attack(given: argparse.Namespace, verdicts: Verdicts, folder: Path) -> None:
    """Attacks, in phases: nothing, everything, nothing."""
    keys = folder / "keys.txt"
    keys.write_text(hashlib.sha256(KEY.encode()).hexdigest() + "  the honest\n")
    settings = folder / "serve.toml"
    settings.write_text(
        'bind = "127.0.0.1:0"\noperations = "127.0.0.1:0"\nmax_sessions = 64\n[auth]\nkeys_file = "keys.txt"\n'
        f'client_secret_key_env = "MYNAH_ATTACKED"\n[models]\n"passthrough" = "passthrough"\n'
        f"[limits]\nheader_timeout_ms = {int(HEADER_TIMEOUT_S * 1e3)}\n"
        f"idle_timeout_s = {int(IDLE_TIMEOUT_S)}\nresume_ms = 1000\n"
    )
    server = Serving(
        given.mynah, "passthrough", "--config", str(settings), environment={"MYNAH_ATTACKED": SECRET}
    )
    try:
        attacks = Attacks(server, verdicts)
        honest = Honest(f"ws://{server.clients}/v1/session", BEARER, HONEST)
        await asyncio.sleep(1)
        cold_kib = server.rss_kib()
        # What the allocator keeps for the next time is kept once: whatever is large comes once before, and what is
        # compared is whether the same again leaves more behind.
        before = Attacks(server, Unjudged("before"))
        for phase in (before.crowd, before.requests, before.messages, before.pings, before.crowd):
            await (phase(given.connects) if phase == before.crowd else phase())
            await asyncio.sleep(HEADER_TIMEOUT_S)
        honest.echoes_ms()
        await asyncio.sleep(given.calm)
        before_ms, rss_kib, fds = quantile(honest.echoes_ms(), 0.99), server.rss_kib(), server.fds()
        print(
            f"before: P99 {before_ms:.1f} ms, {rss_kib} KiB ({cold_kib} KiB before any crowd), {fds} files",
            flush=True,
        )
        worst = {}
        for phase in (
            attacks.keys, attacks.origins, attacks.paths, attacks.requests, attacks.slow, attacks.silent_sockets,
            attacks.messages, attacks.wrong_but_understood, attacks.pings, attacks.returned,
        ):  # fmt: skip
            await phase()
            worst[phase.__name__] = honest.echoes_ms()
        shown = ", ".join(f"{name} {quantile(some, 0.99):.1f}" for name, some in worst.items() if some)
        await attacks.crowd(given.connects)
        parts = [
            ("attacks", [ms for some in worst.values() for ms in some], shown),
            ("the crowd alone", honest.echoes_ms(), ""),
        ]
        for name, some, detail in parts:
            during_ms = quantile(some, 0.99)
            verdicts.check(
                during_ms <= 2 * before_ms + 5,
                f"{name}: honest P99 round trip at most 2 x {before_ms:.1f} + 5 ms",
                f"{during_ms:.1f} ms of {len(some)} {detail}",
            )
        rss_after, fds_after = await asyncio.to_thread(settled, server, rss_kib, fds, 15)
        verdicts.check(rss_after <= 1.1 * rss_kib, f"memory back to {rss_kib} KiB + 10 %", f"{rss_after} KiB")
        verdicts.check(fds_after <= max(1.1 * fds, fds + 2), f"open files back to {fds} + 10 %", fds_after)
        verdicts.check(honest.end(), "honest sessions have heard all that they said", "")
        alive = server.process.poll() is None and server.ask("/livez") == "ok\n"
        verdicts.check(alive, "the server lives", "")
        loud = [line for line in server.log if KEY in line or "panicked" in line]
        verdicts.check(not loud, "no key and no panic in its log", loud[:1])
    finally:
        server.kill()


def main() -> None:
    """Runs everything."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument(
        "--connects", type=int, default=10_000, help="size of the crowd; default: %(default)s"
    )
    options.add_argument(
        "--calm", type=float, default=10, help="seconds of measuring before; default: %(default)s"
    )
    given = serving.program(options)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 20_000)), hard))
    verdicts = Verdicts("attacks")
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(attack(given, verdicts, Path(folder)))
        asyncio.run(tls(given.mynah, verdicts, Path(folder)))
    verdicts.end()


if __name__ == "__main__":
    main()
