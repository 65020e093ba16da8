"""What can go wrong."""

from __future__ import annotations


class ClientError(Exception):
    """Anything that a server or the connection to it did."""


class Refused(ClientError):
    """The server opened no session."""

    def __init__(
        self, status: int | None, code: str, message: str, retry_after_s: float | None = None
    ) -> None:
        where = "the session was refused" if status is None else f"refused with {status}"
        super().__init__(f"{where}: {code}: {message}")
        self.status = status
        """HTTP status; `None`: the connection was taken, and what was asked of it refused."""
        self.code = code
        """A word for programs, such as `capacity`; `http` where the server gave none."""
        self.message = message
        """A sentence for people."""
        self.retry_after_s = retry_after_s
        """Seconds after which it may be tried again, if the server said so."""


class Closed(ClientError):
    """The session is over."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"the session is over: {code}: {reason or 'no reason was given'}")
        self.code = code
        """1000 done, 1001 drained, 1006 lost and not resumed, 1008 refused, 1009 too large, 1011 the engine is gone,
        4000 control messages were not acknowledged, or events not taken."""
        self.reason = reason
        """For people."""

    @property
    def is_clean(self) -> bool:
        """Whether nothing went wrong: 1000 and 1001."""
        return self.code in (1000, 1001)


class Undelivered(ClientError):
    """A message was given up: the server acknowledged none of its transmissions. It may have arrived."""

    def __init__(self, message_id: int) -> None:
        super().__init__(f"message {message_id} is not known to have arrived: nobody acknowledged it")
        self.message_id = message_id
