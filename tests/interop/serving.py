"""A `mynah serve` of one's own to try things with, honest sessions at it, and what the system knows of it."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import queue
import re
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from websockets.asyncio.client import ClientConnection, connect

PIECE_MS = 20
"""Length of a piece of audio."""
RATE_HZ = 16_000
PIECE_BYTES = RATE_HZ * PIECE_MS // 1_000 * 2
STARTS_S = 30
"""A server that does not say in this time where it serves has not started."""


def program(options: argparse.ArgumentParser) -> argparse.Namespace:
    """Reads the command line, which names the program beside whatever else a script asks for."""
    options.add_argument(
        "--mynah",
        default=os.environ.get("MYNAH", "target/release/mynah"),
        help="a program built with `--features serve`; default: MYNAH, or %(default)s",
    )
    given = options.parse_args()
    if not Path(given.mynah).is_file():
        options.error(f"{given.mynah}: no such file: cargo build --release -p mynah --features serve")
    return given


class Serving:
    """A server process. Whatever happens, it ends with the script."""

    def __init__(self, program: str, *arguments: str, environment: dict[str, str] | None = None) -> None:
        told = {name: value for name, value in os.environ.items() if not name.startswith("MYNAH_")}
        told.pop("PORT", None)
        self.log: list[str] = []
        self.process = subprocess.Popen(
            [program, "serve", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**told, **(environment or {})},
        )
        said: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, args=(self.process.stdout, said.put), daemon=True).start()
        threading.Thread(target=self._read, args=(self.process.stderr, self.log.append), daemon=True).start()
        self.clients = self._address(said, r"serving on https?://(\S+)")
        self.operators = self._address(said, r"operations on http://(\S+)")

    @staticmethod
    def _read(lines: IO[str], to: Callable[[str], None]) -> None:
        for line in lines:
            to(line.rstrip("\n"))

    def _address(self, said: queue.Queue[str], pattern: str) -> str:
        until_s = time.monotonic() + STARTS_S
        while True:
            try:
                line = said.get(timeout=max(0.01, min(0.2, until_s - time.monotonic())))
            except queue.Empty:
                if self.process.poll() is None and time.monotonic() < until_s:
                    continue
                self.kill()
                raise SystemExit("the server did not start:\n" + "\n".join(self.log)) from None
            if found := re.match(pattern, line):
                return found[1]

    @property
    def pid(self) -> int:
        """Its number."""
        return self.process.pid

    def ask(self, path: str, method: str = "GET") -> str:
        """What the operations listener says. Raises for other than 2xx."""
        request = urllib.request.Request(f"http://{self.operators}{path}", method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read().decode()

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric over all series that have these labels."""
        total = 0.0
        for line in self.ask("/metrics").splitlines():
            if re.match(rf"{re.escape(name)}(\{{| )", line) and all(
                f'{label}="{value}"' in line for label, value in labels.items()
            ):
                total += float(line.rsplit(" ", 1)[1])
        return total

    def rss_kib(self) -> int:
        """Memory that it has now."""
        text = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1])

    def fds(self) -> int:
        """Files and sockets that it has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def cpu_s(self) -> dict[str, float]:
        """Processor time so far, by the name of threads."""
        tick_s, sums = 1 / os.sysconf("SC_CLK_TCK"), {}
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            try:
                text = (task / "stat").read_text()
            except FileNotFoundError:
                continue
            name, rest = text[text.index("(") + 1 : text.rindex(")")], text[text.rindex(")") + 2 :].split()
            sums[name] = sums.get(name, 0.0) + (int(rest[11]) + int(rest[12])) * tick_s
        return sums

    def tell(self, what: signal.Signals) -> None:
        """Sends a signal."""
        self.process.send_signal(what)

    def wait(self, seconds: float) -> int | None:
        """Its exit code; None if it does not end in time."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """Ends it at once."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def opening(**wishes: object) -> str:
    """The first message of a native session."""
    return json.dumps({"type": "open", **wishes})


class Session:
    """A native session over a WebSocket that acknowledges what it is told."""

    def __init__(self, socket: ClientConnection, opened: dict) -> None:
        self.socket, self.opened = socket, opened
        self.sent = 0
        """Bytes of audio so far."""
        self.got = 0
        """Bytes of audio that came back."""
        self.told: list[dict] = []
        """Control messages, texts and notes; the newest thousand."""
        self.echo_ms: list[float] = []
        """From sending a piece to the end of it coming back, where all comes back."""
        self._due: list[tuple[int, float]] = []
        self._message_id = 0
        self._reads = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, url: str, headers: dict[str, str] | None = None, **wishes: object) -> Session:
        """Connects and opens. Raises what the connection raises, and ValueError for a session that is refused."""
        socket = await connect(
            url, additional_headers=headers, compression=None, max_size=None, open_timeout=10, close_timeout=3
        )
        await socket.send(opening(**wishes))
        opened = json.loads(await asyncio.wait_for(socket.recv(), 10))
        if opened.get("type") != "opened":
            await socket.close()
            raise ValueError(json.dumps(opened))
        return cls(socket, opened)

    async def _read(self) -> None:
        async for message in self.socket:
            now_s = time.monotonic()
            if isinstance(message, bytes):
                self.got += len(message)
                while self._due and self._due[0][0] <= self.got:
                    self.echo_ms.append(1e3 * (now_s - self._due.pop(0)[1]))
                continue
            told = json.loads(message)
            self.told = [*self.told[-999:], told]
            if "message_type" in told and "Ack" not in told["message_type"]:
                await self._acknowledge(told)

    async def _acknowledge(self, told: dict) -> None:
        self._message_id += 1
        kind = {"Ack": {"message_id": told["message_id"], "stage": "Delivered"}}
        message = {
            "message_id": self._message_id,
            "session_id": self.opened["session"],
            "timestamp": time.time_ns() // 1_000,
            "message_type": kind,
        }
        await self.socket.send(json.dumps(message))

    async def say(self, sound: bytes) -> None:
        """Sends audio."""
        self.sent += len(sound)
        self._due.append((self.sent, time.monotonic()))
        await self.socket.send(sound)

    async def say_in_time(self, seconds: float, sound: bytes = bytes(PIECE_BYTES)) -> None:
        """Says the same piece at the pace of speech."""
        due_s = time.monotonic()
        for _ in range(int(seconds * 1e3) // PIECE_MS):
            await self.say(sound)
            due_s += PIECE_MS / 1e3
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))

    async def until(self, kind: str, seconds: float) -> dict | None:
        """The first message of this `type` or message type, also if it has come already; None: it does not come."""
        until_s = time.monotonic() + seconds
        while True:
            for told in self.told:
                if told.get("type") == kind or kind in told.get("message_type", {}):
                    return told
            if time.monotonic() > until_s or self._reads.done():
                return None
            await asyncio.sleep(0.005)

    async def finish(self, seconds: float = 5) -> int | None:
        """Ends the input and waits for the server to close. The close code; None: it does not close in time."""
        await self.socket.send(json.dumps({"type": "finish"}))
        return await self.closed(seconds)

    async def closed(self, seconds: float) -> int | None:
        """Waits until the connection is over. The close code."""
        try:
            await asyncio.wait_for(self.socket.wait_closed(), seconds)
        except TimeoutError:
            return None
        await asyncio.gather(self._reads, return_exceptions=True)
        return self.socket.close_code

    async def leave(self) -> None:
        """Hangs up."""
        await self.socket.close()
        await asyncio.gather(self._reads, return_exceptions=True)


def quantile(values: list[float], part: float) -> float:
    """The value that this part of all is not above; NaN of none."""
    if not values:
        return float("nan")
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


@dataclass
class Verdicts:
    """A table of what was demanded and what was seen."""

    title: str
    rows: list[tuple[bool, str, str]] = field(default_factory=list)

    def check(self, holds: bool, demand: str, seen: object) -> bool:
        """Notes a row and prints it."""
        self.rows.append((bool(holds), demand, str(seen)))
        print(f"{'ok    ' if holds else 'FAILED'}  {demand:<74}  {seen}", flush=True)
        return bool(holds)

    def end(self) -> None:
        """Prints the verdict and ends the program with 0 or 1."""
        failed = sum(not holds for holds, _, _ in self.rows)
        print(f"{self.title}: {len(self.rows) - failed} of {len(self.rows)} hold")
        raise SystemExit(1 if failed or not self.rows else 0)
