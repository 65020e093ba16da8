"""Names and settings of the shared-memory services. They are part of the protocol: both sides have the same table."""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass

PROTOCOL = 1
ICEORYX2 = "0.10.0"
"""The version that both sides need, exactly."""
TASKS = ("Transcribe", "Reply", "Synthesize")

BELL_CONTROL, BELL_DATA, BELL_OWN, BELL_DEATH = 1, 2, 3, 9
"""Ids of events: control and data have come, an own thread has output, the other's notifier died."""

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,40}")


@dataclass(frozen=True)
class ServiceSettings:
    """Settings of a publish-subscribe service of bytes. Without overflow a full buffer refuses, and loses nothing."""

    buffer: int
    overflow: bool
    ports: int
    nodes: int
    slice_bytes: int
    """Bytes of memory for one message at first; it grows. No part of the service's identity."""


@dataclass(frozen=True)
class BellSettings:
    """Settings of an event service."""

    notifiers: int
    listeners: int
    nodes: int


LOBBY = ServiceSettings(buffer=64, overflow=True, ports=40, nodes=40, slice_bytes=1024)
CONTROL_PIPE = ServiceSettings(buffer=128, overflow=False, ports=2, nodes=4, slice_bytes=1024)
AUDIO_PIPE = ServiceSettings(buffer=32, overflow=False, ports=2, nodes=4, slice_bytes=65_536 + 256)
TEXT_PIPE = ServiceSettings(buffer=256, overflow=False, ports=2, nodes=4, slice_bytes=256)
BORROWED = 2
BELL_UP = BellSettings(notifiers=40, listeners=1, nodes=40)
BELL_DOWN = BellSettings(notifiers=2, listeners=1, nodes=4)
EVENT_ID_MAX = 15


@dataclass(frozen=True)
class ServiceNames:
    """Names of a worker's services."""

    engine: str
    service: str
    worker: str

    @property
    def base(self) -> str:
        """What all names of the service begin with."""
        return f"mynah/{PROTOCOL}/{self.engine}/{self.service}"

    @property
    def lobby(self) -> str:
        """Where workers and the engine find each other."""
        return f"{self.base}/control"

    @property
    def bell_up(self) -> str:
        """The engine's bell: one for all workers of the service."""
        return f"{self.base}/bell/up"

    @property
    def bell_down(self) -> str:
        """The worker's bell."""
        return f"{self.base}/bell/{self.worker}/down"

    def pipe(self, kind: str, direction: str) -> str:
        """`kind` is "control", "audio" or "text"; `direction` "down" (to the worker) or "up"."""
        return f"{self.base}/{kind}/{self.worker}/{direction}"


def worker_name() -> str:
    """A name that no other worker has."""
    return f"{os.getpid()}-{secrets.token_hex(4)}"


def checked_name(what: str, given: str | None, variable: str) -> str:
    """A name from an argument or the environment. `ValueError`: there is none, or it is no name."""
    name = given if given is not None else os.environ.get(variable)
    if not name:
        raise ValueError(
            f"which {what}? Give serve({what}=...) or set {variable}, as workers that an engine starts have it"
        )
    if not _NAME.fullmatch(name):
        raise ValueError(f"{what} is {name!r}; expected 1 to 40 of the characters A-Z a-z 0-9 _ . -")
    return name
