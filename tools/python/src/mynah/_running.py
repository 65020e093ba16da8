"""An engine as long as somebody has it."""

from __future__ import annotations

import weakref

from mynah._library import library
from mynah.constants import Status
from mynah.errors import ClosedError


def _close(handle: int, keep: object) -> None:
    library().mynah_close(handle)
    del keep


class Running:
    """The handle of an open engine. An engine and its sessions share it, so that it is closed when none is left."""

    def __init__(self, handle: int, keep: object) -> None:
        """`keep`: lives until the engine is closed, such as what it logs to."""
        self._handle = handle
        self.close = weakref.finalize(self, _close, handle, keep)
        """Ends the engine and its sessions; again: does nothing."""

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return not self.close.alive

    @property
    def handle(self) -> int:
        """The library's number for the engine. `ClosedError`: it is closed."""
        if self.closed:
            raise ClosedError(Status.BAD_HANDLE, "the engine is closed")
        return self._handle
