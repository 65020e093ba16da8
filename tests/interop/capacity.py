"""What sockets cost: sessions in real time from processes of their own, the processor time of the threads that serve
sockets beside the engine's, whether anything is lost, and what a connection takes that does nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import re
import resource
import socket
import time

import serving
from ha import utterance
from serving import PIECE_BYTES, PIECE_MS, RATE_HZ, Serving, Session, Verdicts

SOCKET_THREADS = "mynah sockets"
SHARE_MAX = 0.002
"""Of a core, for each session: what its sockets may take."""
IDLE_KIB_MAX = 32
"""What a connection may take that does nothing."""


async def callers(url: str, count: int, seconds: float, told: dict) -> None:
    """This many sessions that say and hear, spread over a piece's time. Notes what was sent, heard, and how late."""
    said = bytes(RATE_HZ) + utterance() + bytes(RATE_HZ)
    sessions = []
    for _ in range(count):
        sessions.append(await Session.open(url))
    told["late_ms"] = []

    async def one(at: int, session: Session) -> None:
        due_s = time.monotonic() + PIECE_MS / 1e3 * at / count
        for piece in range(int(seconds * 1e3) // PIECE_MS):
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            told["late_ms"].append(1e3 * (time.monotonic() - due_s))
            place = (piece + 7 * at) * PIECE_BYTES % (len(said) - PIECE_BYTES)
            await session.say(said[place : place + PIECE_BYTES])
            due_s += PIECE_MS / 1e3

    await asyncio.gather(*(one(at, session) for at, session in enumerate(sessions)))
    told["sent"] = sum(session.sent for session in sessions)
    told["codes"] = await asyncio.gather(*(session.finish(10) for session in sessions))
    told["got"] = sum(session.got for session in sessions)


def caller_process(url: str, count: int, seconds: float, results: multiprocessing.Queue) -> None:
    """A process of callers."""
    told: dict = {}
    asyncio.run(callers(url, count, seconds, told))
    told["cpu_s"] = time.process_time()
    results.put(told)


def speaking(server: Serving, given: argparse.Namespace, verdicts: Verdicts) -> None:
    """Sessions in real time."""
    results: multiprocessing.Queue = multiprocessing.Queue()
    parts = [given.sessions // given.processes] * given.processes
    parts[0] += given.sessions - sum(parts)
    url = f"ws://{server.clients}/v1/session"
    processes = [
        multiprocessing.Process(target=caller_process, args=(url, part, given.seconds, results))
        for part in parts
    ]
    frames_before = server.metric("mynah_frames_in_total", node="input")
    for process in processes:
        process.start()
    while server.metric("mynah_sessions") < given.sessions:
        if not all(process.is_alive() for process in processes):
            raise SystemExit("a process of callers has ended before all sessions were open")
        time.sleep(0.2)
    # In the middle: what opening and closing cost is not what a session costs.
    time.sleep(2)
    began_s, before = time.monotonic(), server.cpu_s()
    time.sleep(given.seconds - 5)
    took_s, after = time.monotonic() - began_s, server.cpu_s()
    told = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    shares = {name: (after.get(name, 0) - before.get(name, 0)) / took_s for name in after}
    sockets = sum(share for name, share in shares.items() if name.startswith(SOCKET_THREADS))
    engine = sum(shares.values()) - sockets
    each = sockets / given.sessions
    print(
        f"  threads, in cores: {', '.join(f'{name} {share:.3f}' for name, share in sorted(shares.items()))}"
    )
    late_ms = sorted(ms for one in told for ms in one["late_ms"])
    late_p99_ms = late_ms[int(0.99 * len(late_ms))]
    print(
        f"  callers: {sum(one['cpu_s'] for one in told):.1f} s of CPU in {len(told)} processes, "
        f"P99 {late_p99_ms:.1f} ms late"
    )
    verdicts.check(
        each <= SHARE_MAX,
        f"sockets of {given.sessions} sessions: at most {100 * SHARE_MAX:.1f} % of a core each",
        f"{100 * each:.3f} %, the engine {100 * engine / given.sessions:.3f} %",
    )
    verdicts.check(
        all(code == 1000 for one in told for code in one["codes"]), "all sessions end as they should", ""
    )
    time.sleep(2)
    sent = sum(one["sent"] for one in told)
    pieces = sent // PIECE_BYTES
    page = server.ask("/metrics")
    counted = [
        line for line in page.splitlines() if re.match(r"mynah_frames_(in|gated)_total.*node=\"gate\"", line)
    ]
    taken = server.metric("mynah_frames_in_total", node="gate")
    verdicts.check(
        taken - frames_before == pieces, f"all {pieces} pieces that were sent came in", counted[:1] or taken
    )
    lost = {
        name: server.metric(name)
        for name in ("mynah_sound_dropped_seconds_total", "mynah_control_failed_total")
    }
    lost["frames of overflow"] = server.metric("mynah_frames_dropped_total", reason="overflow")
    verdicts.check(not any(lost.values()), "nothing is lost on the way", lost)
    heard = sum(one["got"] for one in told)
    verdicts.check(heard > 0, "what is speech comes back", f"{heard / sent:.0%} of what was sent")


def idle(server: Serving, given: argparse.Namespace, verdicts: Verdicts) -> None:
    """Connections that are open and do nothing."""
    host, port = server.clients.rsplit(":", 1)
    request = f"GET /livez HTTP/1.1\r\nHost: {server.clients}\r\n\r\n".encode()

    def connections() -> list[socket.socket]:
        held = []
        for _ in range(given.idle):
            one = socket.create_connection((host, int(port)))
            one.sendall(request)
            one.recv(4_096)
            held.append(one)
        return held

    before_kib, began_s = server.rss_kib(), time.monotonic()
    held = connections()
    took_s, grown_kib = time.monotonic() - began_s, server.rss_kib() - before_kib
    files = server.fds()
    for one in held:
        one.close()
    verdicts.check(
        grown_kib <= IDLE_KIB_MAX * given.idle and files > given.idle,
        f"{given.idle} connections that wait: at most {IDLE_KIB_MAX} KiB each",
        f"{grown_kib / given.idle:.1f} KiB each, opened in {took_s:.1f} s",
    )


async def idle_sessions(server: Serving, given: argparse.Namespace, verdicts: Verdicts) -> None:
    """Sessions that are open and say nothing."""
    url = f"ws://{server.clients}/v1/session"
    before_kib = server.rss_kib()
    sessions = [await Session.open(url) for _ in range(given.idle_sessions)]
    await asyncio.sleep(1)
    grown_kib = server.rss_kib() - before_kib
    taken = server.metric("mynah_sessions")
    began_s, before = time.monotonic(), sum(server.cpu_s().values())
    await asyncio.sleep(5)
    share = (sum(server.cpu_s().values()) - before) / (time.monotonic() - began_s)
    await asyncio.gather(*(session.leave() for session in sessions))
    verdicts.check(
        taken == given.idle_sessions,
        f"{given.idle_sessions} sessions that say nothing are open",
        f"{grown_kib / given.idle_sessions:.1f} KiB each with their engine's part, {100 * share:.1f} % of a core",
    )


def main() -> None:
    """Runs it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--sessions", type=int, default=150, help="in real time; default: %(default)s")
    options.add_argument("--seconds", type=float, default=30, help="that they speak; default: %(default)s")
    options.add_argument("--processes", type=int, default=1, help="of callers; default: %(default)s")
    options.add_argument("--idle", type=int, default=2_000, help="idle connections; default: %(default)s")
    options.add_argument("--idle-sessions", type=int, default=300, help="default: %(default)s")
    given = serving.program(options)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 20_000)), hard))
    verdicts = Verdicts("capacity")
    most = max(given.sessions, given.idle_sessions)
    threads = str(min(2, os.cpu_count() or 1))
    environment = {"MYNAH_HEADER_TIMEOUT_MS": "30000"}
    server = Serving(
        given.mynah, "gate_only", "--bind", "127.0.0.1:0", "--ops", "127.0.0.1:0", "--max-sessions", str(most),
        "--threads", threads, environment=environment,
    )  # fmt: skip
    try:
        idle(server, given, verdicts)
        speaking(server, given, verdicts)
        asyncio.run(idle_sessions(server, given, verdicts))
    finally:
        server.kill()
    verdicts.end()


if __name__ == "__main__":
    main()
