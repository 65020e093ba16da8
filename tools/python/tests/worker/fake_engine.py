"""An engine for tests: it speaks the protocol and nothing else. `pump` is its thread: nothing happens between calls."""

from __future__ import annotations

import gc
import itertools
import os
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mynah.worker._names import (
    AUDIO_PIPE,
    BELL_CONTROL,
    BELL_DATA,
    BELL_DOWN,
    BELL_UP,
    CONTROL_PIPE,
    LOBBY,
    TEXT_PIPE,
    ServiceNames,
)
from mynah.worker._ports import SharedMemory, Sink, Source
from mynah.worker._wire import (
    AUDIO,
    F32,
    AudioPart,
    Control,
    TextPart,
    audio_part,
    audio_payload,
    control_of,
    decode,
    encode,
    encode_control,
    text_part,
)

HERE = Path(__file__).resolve().parent
SOURCES = HERE.parents[1] / "src"
SERVICES = HERE / "services.py"


@dataclass
class Heard:
    """A message of a worker, and when it was read."""

    at_s: float
    what: Control | AudioPart | TextPart

    def is_control(self, kind: str, **fields: Any) -> bool:
        """Whether it is a control message of this type with these fields."""
        return (
            isinstance(self.what, Control)
            and self.what.type == kind
            and all(self.what.fields.get(key) == value for key, value in fields.items())
        )


@dataclass
class Peer:
    """A worker as the engine sees it."""

    hello: dict[str, Any]
    sources: list[Source]
    control: Sink
    audio: Sink
    bell: Any
    heard: list[Heard] = field(default_factory=list)

    def of(self, call: int) -> list[Heard]:
        """What it said about a call."""
        found = []
        for heard in self.heard:
            what = heard.what
            about = what.fields.get("call") if isinstance(what, Control) else what.call
            if about == call:
                found.append(heard)
        return found

    def texts(self, call: int) -> list[str]:
        """Pieces of text of a call."""
        return [heard.what.text for heard in self.of(call) if isinstance(heard.what, TextPart)]

    def sounds(self, call: int) -> list[AudioPart]:
        """Audio of a call."""
        return [heard.what for heard in self.of(call) if isinstance(heard.what, AudioPart)]


class FakeEngine:
    """One service of an engine."""

    def __init__(self, prefix: str, service: str = "reply", **welcome: Any) -> None:
        self.prefix = prefix
        self.names = ServiceNames("fake", service, "")
        self.welcome = {
            "protocol": 1,
            "engine_pid": os.getpid(),
            "heartbeat_ms": 100,
            "hears": None,
            **welcome,
        }
        self.refusal: str | None = None
        self.peers: dict[str, Peer] = {}
        self.beats = True
        self.reads = True
        self._ids = itertools.count(1)
        self._calls = itertools.count(1)
        self._beat_s = 0.0
        self.memory = SharedMemory("fake-engine", prefix)
        self._lobby_service = self.memory.pipe(self.names.lobby, LOBBY)
        self._lobby = Source(self._lobby_service)
        self._lobby_up = Sink(self.memory, self._lobby_service, LOBBY)
        self._listener = self.memory.bell(self.names.bell_up, BELL_UP).listener_builder().create()

    def environment(self) -> dict[str, str]:
        """What workers are told."""
        return {
            **os.environ,
            "MYNAH_ENGINE": self.names.engine,
            "MYNAH_SERVICE": self.names.service,
            "MYNAH_IPC_PREFIX": self.prefix,
            "PYTHONPATH": str(SOURCES),
        }

    @contextmanager
    def worker(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """A worker process; it is ended at the end."""
        command = [sys.executable, str(SERVICES), *arguments]
        process = subprocess.Popen(command, env=self.environment(), stderr=subprocess.PIPE, text=True)
        try:
            yield process
        finally:
            process.kill()
            # pytest shows it where a test fails.
            print(process.communicate()[1])

    # Down.

    def send(
        self, peer: Peer, kind: str, session: str = "s1", message_id: int | None = None, **fields: Any
    ) -> int:
        """Sends a control message; its id."""
        message_id = next(self._ids) if message_id is None else message_id
        control = Control(message_id, session, time.time_ns() // 1_000, kind, fields)
        assert peer.control.send(encode_control(control)), f"{kind} reached nobody"
        self._ring(peer, BELL_CONTROL)
        return message_id

    def call(
        self, peer: Peer, text: str = "", audio: np.ndarray | None = None, rate_hz: int = 16_000, **more: Any
    ) -> int:
        """Sends a call, with audio in parts of 100 ms; its number."""
        call = next(self._calls)
        step = rate_hz // 10
        parts = [] if audio is None else [audio[at : at + step] for at in range(0, len(audio), step)]
        fields = {
            "attempt": 0,
            "task": "Reply",
            "segment": 1,
            "turn": 1,
            "revision": 1,
            "from_us": 0,
            "to_us": 0,
        }
        fields |= {
            "reduced": False,
            "deadline_us": 0,
            "params": {},
            "history": [],
            "speaks": {"rate_hz": 16_000},
        }
        self.send(peer, "Call", call=call, text=text, parts=len(parts), **(fields | more))
        for number, part in enumerate(parts):
            self.audio(peer, call, number, part, rate_hz)
        return call

    def audio(self, peer: Peer, call: int, number: int, samples: np.ndarray, rate_hz: int = 16_000) -> None:
        """Sends audio of a call, mono; waits while there is no room."""
        payload = audio_payload(AudioPart(call, number, rate_hz, 1, F32, 0, samples.astype("<f4").tobytes()))
        data, give_up_s = encode(AUDIO, "s1", 0, payload), time.monotonic() + 10
        while not peer.audio.send(data):
            assert time.monotonic() < give_up_s, "the worker takes no audio"
            self.pump(0.001)
        self._ring(peer, BELL_DATA)

    def _ring(self, peer: Peer, number: int) -> None:
        peer.bell.notify_with_custom_event_id(self.memory.iox2.EventId.new(number))

    # Up.

    def pump(self, wait_s: float = 0.0) -> None:
        """Waits for a bell, reads everything, and beats."""
        if wait_s > 0:
            self._listener.timed_wait(self.memory.iox2.Duration.from_micros(int(wait_s * 1e6)))
        else:
            self._listener.try_wait()
        while (data := self._lobby.receive()) is not None:
            control = control_of(decode(data))
            if control.type == "Hello" and control.fields["worker"] not in self.peers:
                self._greet(control.fields)
        for peer in self.peers.values():
            for source in peer.sources if self.reads else peer.sources[:1]:
                while (data := source.receive()) is not None:
                    peer.heard.append(Heard(time.monotonic(), _understood(data)))
        if self.beats and time.monotonic() - self._beat_s > 0.1:
            self._beat_s = time.monotonic()
            for peer in self.peers.values():
                control = Control(next(self._ids), "", 0, "Heartbeat", {})
                if peer.control.send(encode_control(control)):
                    self._ring(peer, BELL_CONTROL)

    def until(self, what: Callable[[], Any], timeout_s: float = 20.0) -> Any:
        """Pumps until something is so; it."""
        give_up_s = time.monotonic() + timeout_s
        while not (found := what()):
            said = [heard for peer in self.peers.values() for heard in peer.heard[-10:]]
            assert time.monotonic() < give_up_s, f"nothing after {timeout_s} s; the last heard: {said}"
            self.pump(0.02)
        return found

    def first(self, peer: Peer, kind: str, timeout_s: float = 20.0, **fields: Any) -> Heard:
        """The first control message like this."""
        found: Heard = self.until(
            lambda: next((heard for heard in peer.heard if heard.is_control(kind, **fields)), None), timeout_s
        )
        return found

    def peer(self) -> Peer:
        """The newest worker, when it is there."""
        known = len(self.peers)
        self.until(lambda: len(self.peers) > known or known)
        return list(self.peers.values())[-1]

    def pass_s(self, seconds: float) -> None:
        """Lets time pass."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self.pump(0.02)

    def _greet(self, hello: dict[str, Any]) -> None:
        worker = hello["worker"]
        if self.refusal is not None:
            self._say("Refused", {"worker": worker, "reason": self.refusal})
            return
        names = ServiceNames(self.names.engine, self.names.service, worker)
        up = [("control", CONTROL_PIPE), ("audio", AUDIO_PIPE), ("text", TEXT_PIPE)]
        sources = [Source(self.memory.pipe(names.pipe(kind, "up"), settings)) for kind, settings in up]
        control, audio = (
            Sink(self.memory, self.memory.pipe(names.pipe(kind, "down"), settings), settings)
            for kind, settings in up[:2]
        )
        bell = self.memory.bell(names.bell_down, BELL_DOWN).notifier_builder().create()
        self.peers[worker] = Peer(hello, sources, control, audio, bell)
        self._say("Welcome", {"worker": worker, **self.welcome, "speaks": {"rate_hz": 16_000}})

    def close(self) -> None:
        """Gives back what it has in shared memory."""
        for peer in self.peers.values():
            for port in (*peer.sources, peer.control, peer.audio):
                port.close()
        self.peers.clear()
        self._lobby.close()
        self._lobby_up.close()
        del self._listener, self._lobby_service, self.memory

    def _say(self, kind: str, fields: dict[str, Any]) -> None:
        self._lobby_up.send(encode_control(Control(next(self._ids), "", 0, kind, fields)))


def left_behind(prefix: str) -> list[Path]:
    """Files of a prefix in shared memory and in the folder of iceoryx2."""
    folders = [Path("/dev/shm"), Path(tempfile.gettempdir()) / "iceoryx2"]
    return [path for folder in folders if folder.is_dir() for path in folder.rglob(f"{prefix}*")]


@contextmanager
def own_engine(test: str) -> Iterator[FakeEngine]:
    """An engine whose files are its own; nothing of them stays, however its workers have ended."""
    prefix = f"mynah_test_{os.getpid()}_{zlib.crc32(test.encode())}_"
    engine = FakeEngine(prefix)
    yield engine
    engine.memory.forget_dead()
    engine.close()
    gc.collect()
    swept(prefix)


def swept(prefix: str) -> None:
    """Nothing is left of a prefix, but for the one file for which iceoryx2 has no owner."""
    left = left_behind(prefix)
    for path in left:
        if path.is_file():
            path.unlink(missing_ok=True)
    assert [path for path in left if not path.name.endswith(".global_mgmt")] == []


def _understood(data: bytes) -> Control | AudioPart | TextPart:
    frame = decode(data)
    if frame.kind == AUDIO:
        return audio_part(frame.payload)
    return control_of(frame) if frame.kind == 5 else text_part(frame.payload)
