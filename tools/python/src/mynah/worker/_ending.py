"""How a worker ends: a sentence and an exit code."""

from __future__ import annotations

from enum import IntEnum


class WorkerEnd(IntEnum):
    """Exit codes of a worker."""

    DONE = 0
    """The engine said goodbye, or somebody asked the worker to end."""
    REFUSED = 1
    """The engine refused the worker, or nobody answered."""
    UNABLE = 2
    """The worker could not run: a wrong setting, no iceoryx2 or another version, a service that failed to open."""
    ENGINE_DIED = 3
    """The engine died, or fell silent."""


class Ended(SystemExit):
    """A worker ended otherwise than by goodbye. A script that lets it pass exits with `code`."""

    def __init__(self, end: WorkerEnd, sentence: str) -> None:
        super().__init__(int(end))
        self.end = end
        self.sentence = sentence

    def __str__(self) -> str:
        return self.sentence
