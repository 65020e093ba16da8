"""Several servers behind haproxy: a burst, a rolling restart while callers speak, a process that is killed, and
sessions that come and go for minutes.

haproxy runs by the configuration that tools/deploy ships, with ports that are free here.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import wave
from collections import Counter
from pathlib import Path

from websockets.exceptions import ConnectionClosed, InvalidStatus

import serving
from serving import PIECE_BYTES, PIECE_MS, RATE_HZ, Serving, Session, Verdicts

HERE = Path(__file__).parent
NAMES = "abc"
CAPACITY = {"a": 12, "b": 60, "c": 60}
"""Sessions that each process takes: one is full long before the others."""
BURST = 80
TALKERS = 18
GRACE_S = 1
FINAL_S = 6
"""The end of an utterance has to be certain by then."""


def free_port() -> int:
    """One that nobody has now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def utterance() -> bytes:
    """Somebody says "ten of clubs"."""
    with wave.open(str(HERE.parent / "recordings" / "cards.wav")) as file:
        sound = file.readframes(file.getnframes())
    return sound[RATE_HZ * 2 * 400 // 1_000 : RATE_HZ * 2 * 1_400 // 1_000]


class Cluster:
    """Three servers and their proxy."""

    def __init__(self, program: str, folder: Path) -> None:
        self.program, self.folder = program, folder
        self.ports = {name: (free_port(), free_port()) for name in NAMES}
        self.servers: dict[str, Serving] = {name: self._start(name) for name in NAMES}
        self.host = f"127.0.0.1:{free_port()}"
        text = (HERE.parents[1] / "tools" / "deploy" / "haproxy.cfg").read_text()
        text = text.replace("127.0.0.1:8000", self.host)
        for (name, (clients, operators)), was in zip(self.ports.items(), (0, 1, 2), strict=True):
            line = f"server {name} 127.0.0.1:{8080 + was} cookie {name} port {9464 + was}"
            assert line in text, line
            text = text.replace(line, f"server {name} 127.0.0.1:{clients} cookie {name} port {operators}")
        config = folder / "haproxy.cfg"
        config.write_text(text)
        self.proxy = subprocess.Popen(
            ["haproxy", "-db", "-f", str(config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        time.sleep(1.5)
        if self.proxy.poll() is not None:
            said = self.proxy.stderr.read()
            self.end()
            raise SystemExit(f"haproxy has ended:\n{said}")

    def _start(self, name: str) -> Serving:
        clients, operators = self.ports[name]
        settings = self.folder / f"{name}.toml"
        settings.write_text(
            f'bind = "127.0.0.1:{clients}"\noperations = "127.0.0.1:{operators}"\nmax_sessions = {CAPACITY[name]}\n'
            f"threads = 1\n[limits]\nresume_ms = 1000\n[drain]\ngrace_s = {GRACE_S}\nmax_s = 20\n"
        )
        return Serving(self.program, "gate_only", "--config", str(settings))

    def start_again(self, name: str) -> None:
        """Starts a server that has ended."""
        self.servers[name] = self._start(name)

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"ws://{self.host}/v1/session"

    def sessions(self) -> dict[str, int]:
        """By server."""
        return {name: json.loads(one.ask("/capacity"))["sessions"] for name, one in self.servers.items()}

    def refused(self) -> float:
        """Clients that were sent away because a server was full."""
        name = "mynah_admission_refused_total"
        return sum(one.metric(name, reason="capacity") for one in self.servers.values())

    def end(self) -> None:
        """Ends everything."""
        self.proxy.kill()
        self.proxy.wait()
        for one in self.servers.values():
            one.kill()


def server_of(session: Session) -> str:
    """Which server the proxy chose."""
    return re.search(r"mynah=(\w+)", session.socket.response.headers["set-cookie"])[1]


async def opened(cluster: Cluster) -> Session | str:
    """A session, or what the client has seen in place of it."""
    try:
        return await Session.open(cluster.url)
    except InvalidStatus as error:
        return f"HTTP {error.response.status_code} {error.response.headers.get('Retry-After', '')}".strip()
    except Exception as error:
        return f"{type(error).__name__} {error}"[:120]


class Talker:
    """A caller who says the same again and again, and connects again when it must."""

    def __init__(self, cluster: Cluster, sound: bytes) -> None:
        self.cluster, self.sound = cluster, sound
        self.session: Session | None = None
        self.heard = 0
        """Utterances whose end was told."""
        self.dropped = 0
        """Utterances that the server had begun to hear, and whose end it never told."""
        self.again = 0
        """Utterances that were said again, because the connection ended before the server had heard of them."""
        self.closes: Counter[int | None] = Counter()
        self.errors: Counter[str] = Counter()
        self.gaps_s: list[float] = []
        self.killed = False
        """Its server is about to be killed: what it says there may be lost."""

    async def talk(self, stop: asyncio.Event) -> None:
        """Talks until it is told to stop."""
        while not stop.is_set():
            if self.session is None and not await self._connect():
                await asyncio.sleep(0.05)
                continue
            await self._say()
        if self.session:
            await self.session.leave()

    async def _connect(self) -> bool:
        session = await opened(self.cluster)
        if isinstance(session, str):
            self.errors[session] += 1
            return False
        self.session, self.at = session, server_of(session)
        return True

    async def _say(self) -> None:
        session, begun = self.session, len(self.session.told)
        due_s, until_s = time.monotonic(), time.monotonic() + len(self.sound) / 2 / RATE_HZ + FINAL_S
        at, state = 0, "said"
        try:
            while state != "final":
                if time.monotonic() > until_s:
                    self.errors["no end of speech"] += 1
                    return
                piece = self.sound[at : at + PIECE_BYTES]
                await session.say(piece.ljust(PIECE_BYTES, b"\0"))
                at, due_s = at + PIECE_BYTES, due_s + PIECE_MS / 1e3
                state = heard(session.told[begun:], state)
                await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            self.heard += 1
        except ConnectionClosed:
            await self._closed(heard(session.told[begun:], state))

    async def _closed(self, state: str) -> None:
        code = await self.session.closed(1)
        self.closes[code] += 1
        began_s, killed = time.monotonic(), self.killed
        self.session, self.killed = None, False
        if state == "final":
            self.heard += 1
        elif state == "confirmed" and not killed:
            self.dropped += 1
        else:
            self.again += 1
        while not await self._connect():
            await asyncio.sleep(0.02)
        self.gaps_s.append(time.monotonic() - began_s)


def heard(told: list[dict], state: str) -> str:
    """How far the server has come with an utterance."""
    for one in told:
        kind = one.get("message_type", {})
        if "ConfirmSpeculation" in kind:
            state = "confirmed"
        if kind.get("EndOfSpeech", {}).get("final"):
            state = "final"
    return state


def total(counters: list[Counter]) -> dict:
    """The sum of counters."""
    return dict(sum(counters, Counter()))


async def burst(cluster: Cluster, verdicts: Verdicts) -> None:
    """More at once than one process takes, and then more than all take."""
    some = [await opened(cluster) for _ in range(12)]
    spread = cluster.sessions()
    verdicts.check(min(spread.values()) >= 3, "12 sessions are spread over all", spread)
    before = cluster.refused()
    more = await asyncio.gather(*(opened(cluster) for _ in range(BURST)))
    errors = Counter(one for one in [*some, *more] if isinstance(one, str))
    moved = cluster.refused() - before
    verdicts.check(not errors, f"a burst of {BURST}: no client error", dict(errors) or cluster.sessions())
    verdicts.check(moved > 0, "the process that was full has sent clients to others", f"{moved:.0f} refusals")
    room = sum(CAPACITY.values()) - len(some) - len(more)
    beyond = await asyncio.gather(*(opened(cluster) for _ in range(2 * room)))
    seen = Counter(one if isinstance(one, str) else "open" for one in beyond)
    verdicts.check(
        seen == {"open": room, "HTTP 503 1": room},
        f"{2 * room} more for {room} places: the rest hears 503 and when to try again",
        dict(seen),
    )
    verdicts.check(cluster.sessions() == CAPACITY, "every place is taken, and none twice", cluster.sessions())
    await asyncio.gather(*(one.leave() for one in [*some, *more, *beyond] if isinstance(one, Session)))


def post(cluster: Cluster, path: str, cookie: str, token: str, body: bytes) -> int:
    """A request of a session over plain HTTP: its status."""
    headers = {"Cookie": cookie, "Authorization": f"Bearer {token}"}
    request = urllib.request.Request(f"http://{cluster.host}{path}", body, headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


async def rolling(cluster: Cluster, verdicts: Verdicts) -> None:
    """Each server ends and comes again while callers speak."""
    stop, sound = asyncio.Event(), utterance()
    talkers = [Talker(cluster, sound) for _ in range(TALKERS)]
    talks = []
    for talker in talkers:
        talks.append(asyncio.create_task(talker.talk(stop)))
        await asyncio.sleep(0.11)
    await asyncio.sleep(2)
    ends = []
    for name in NAMES:
        with_http = await asyncio.to_thread(over_http, cluster, name) if name == "a" else None
        server, began_s = cluster.servers[name], time.monotonic()
        server.tell(signal.SIGTERM)
        if with_http:
            await asyncio.sleep(0.7)
            statuses = [await asyncio.to_thread(post, cluster, *with_http, bytes(640)) for _ in range(2)]
            verdicts.check(
                statuses == [204, 204],
                "a session over plain HTTP finds its process while that drains",
                statuses,
            )
        code = await asyncio.to_thread(server.wait, 25)
        ends.append((name, code, round(time.monotonic() - began_s, 1)))
        cluster.start_again(name)
        await asyncio.sleep(1.5)
    verdicts.check(all(code == 0 for _, code, _ in ends), "each ends by itself, with 0", ends)
    stop.set()
    await asyncio.gather(*talks)
    closes, errors = total([one.closes for one in talkers]), total([one.errors for one in talkers])
    heard_in_all = sum(one.heard for one in talkers)
    verdicts.check(
        sum(one.dropped for one in talkers) == 0,
        f"no turn of {heard_in_all} is dropped",
        f"{sum(one.again for one in talkers)} said again",
    )
    verdicts.check(set(closes) == {1001}, "connections end with 1001 and nothing else", closes)
    verdicts.check(not errors, "no client error", errors)
    worst = max((gap for one in talkers for gap in one.gaps_s), default=99)
    verdicts.check(worst <= 1, "callers are back within a second", f"{1e3 * worst:.0f} ms at worst")


def over_http(cluster: Cluster, name: str) -> tuple[str, str, str]:
    """A session over plain HTTP at this server: where its audio goes, its cookie and its token."""
    for _ in range(30):
        request = urllib.request.Request(
            f"http://{cluster.host}/v1/sessions", b'{"session": "by hand"}', method="POST"
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            place, cookie = answer.headers["Location"], answer.headers["Set-Cookie"].split(";")[0]
            if cookie == f"mynah={name}":
                return f"{place}/audio", cookie, json.load(answer)["token"]
    raise SystemExit("the proxy never chose the server that is to end")


async def killing(cluster: Cluster, verdicts: Verdicts) -> None:
    """A process is gone from one moment to the next."""
    stop, sound = asyncio.Event(), utterance()
    talkers = [Talker(cluster, sound) for _ in range(TALKERS)]
    talks = [asyncio.create_task(talker.talk(stop)) for talker in talkers]
    await asyncio.sleep(3)
    there = [one for one in talkers if one.session and one.at == "b"]
    for one in there:
        one.killed = True
    cluster.servers["b"].kill()
    await asyncio.sleep(2)
    others = [one for one in talkers if one not in there]
    verdicts.check(
        bool(there), "some clients are at the process that is killed", f"{len(there)} of {TALKERS}"
    )
    verdicts.check(
        not any(one.closes for one in others),
        "no other client notices",
        total([one.closes for one in others]),
    )
    closes = total([one.closes for one in there])
    verdicts.check(sum(closes.values()) == len(there), "each of its clients sees its connection end", closes)
    gaps_s = [gap for one in there for gap in one.gaps_s]
    back = len(gaps_s) == len(there) and max(gaps_s, default=99) <= 1
    verdicts.check(back, "all are back within a second", f"{1e3 * max(gaps_s, default=99):.0f} ms at worst")
    errors = total([one.errors for one in talkers])
    verdicts.check(not errors, "no client error on the way back", errors)
    stop.set()
    await asyncio.gather(*talks)
    verdicts.check(
        sum(one.dropped for one in others) == 0,
        "no turn of another is dropped",
        sum(one.heard for one in others),
    )
    cluster.start_again("b")
    await asyncio.sleep(1.5)


def slope(samples: list[tuple[float, float]]) -> float:
    """Of a line through these, per second."""
    count = len(samples)
    at, of = sum(x for x, _ in samples) / count, sum(y for _, y in samples) / count
    spread = sum((x - at) ** 2 for x, _ in samples)
    return sum((x - at) * (y - of) for x, y in samples) / spread if spread else 0.0


async def churn(cluster: Cluster, verdicts: Verdicts, minutes: float, per_second: int) -> None:
    """Sessions that are opened, used and closed."""
    seen: Counter[str] = Counter()
    sound = utterance()[: 10 * PIECE_BYTES]

    async def one() -> None:
        session = await opened(cluster)
        if isinstance(session, str):
            seen[session] += 1
            return
        try:
            for at in range(0, len(sound), PIECE_BYTES):
                await session.say(sound[at : at + PIECE_BYTES])
            seen[f"closed {await session.finish()}"] += 1
        except ConnectionClosed as error:
            seen[type(error).__name__] += 1

    began_s, running, rss = time.monotonic(), set(), {name: [] for name in NAMES}
    due_s = next_look_s = began_s
    while time.monotonic() - began_s < 60 * minutes:
        task = asyncio.create_task(one())
        running.add(task)
        task.add_done_callback(running.discard)
        due_s += 1 / per_second
        if time.monotonic() >= next_look_s:
            next_look_s += 1
            for name, server in cluster.servers.items():
                rss[name].append((time.monotonic() - began_s, server.rss_kib()))
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))
    took_s = time.monotonic() - began_s
    await asyncio.gather(*running)
    count = sum(seen.values())
    verdicts.check(set(seen) == {"closed 1000"}, f"{count} sessions end as they should", dict(seen))
    verdicts.check(count / took_s >= 0.95 * per_second, f"{per_second} a second", f"{count / took_s:.1f}")
    # What is warm after the first third has to suffice.
    for name, samples in rss.items():
        late = [sample for sample in samples if sample[0] > took_s / 3]
        per_minute = 60 * slope(late)
        level = sum(kib for _, kib in late) / len(late)
        verdicts.check(
            per_minute * minutes <= max(0.02 * level, 1_024),
            f"memory of {name} is flat: at most 2 % or 1 MiB more if it goes on for as long",
            f"{level:.0f} KiB, {per_minute:+.0f} KiB a minute",
        )
    until_s = time.monotonic() + 5
    while any(cluster.sessions().values()) and time.monotonic() < until_s:
        await asyncio.sleep(0.1)
    verdicts.check(not any(cluster.sessions().values()), "no place is taken behind them", cluster.sessions())


async def story(given: argparse.Namespace, verdicts: Verdicts, cluster: Cluster) -> None:
    """All of it."""
    await burst(cluster, verdicts)
    await asyncio.sleep(1.5)
    await rolling(cluster, verdicts)
    await killing(cluster, verdicts)
    await churn(cluster, verdicts, given.minutes, given.per_second)
    for name, server in cluster.servers.items():
        panics = [line for line in server.log if "panicked" in line]
        verdicts.check(not panics, f"no panic at {name}", panics[:1])


def main() -> None:
    """Runs it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--minutes", type=float, default=1, help="of coming and going; default: %(default)s")
    options.add_argument("--per-second", type=int, default=50, help="sessions; default: %(default)s")
    given = serving.program(options)
    if not shutil.which("haproxy"):
        raise SystemExit("not run: haproxy is not installed: apt-get install haproxy")
    verdicts = Verdicts("behind haproxy")
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(given.mynah, Path(folder))
        try:
            asyncio.run(story(given, verdicts, cluster))
        finally:
            cluster.end()
    verdicts.end()


if __name__ == "__main__":
    main()
