"""What has to be true of two spoken turns in the Realtime protocol, of which the second interrupts the answer."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from spoken import Caller, Ear

OUTPUT_HZ = 24_000
HEARD_MS = 100
"""What was heard and where the answer is cut may differ by so much."""
NOT_ACTIVE = "response_cancel_not_active"
"""Some clients cancel what the server has cancelled; they know this answer, and go on."""


class Trace:
    """Prints who says what, and when."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()
        self._last = ""

    def tells(self, who: str, event: Mapping[str, Any]) -> None:
        """An event; a piece of audio behind another is left out."""
        kind, about = (
            str(event["type"]),
            ("audio_start_ms", "audio_end_ms", "item_id", "response_id", "error"),
        )
        if kind == self._last and "audio" in kind:
            return
        self._last = kind
        told = {name: event[name] for name in about if event.get(name) is not None}
        if kind == "response.done":
            told["response"] = (event["response"]["status"], event["response"].get("status_details"))
        print(f"{time.monotonic() - self._began_s:8.3f} {who} {kind} {told}", file=sys.stderr)


class Law:
    """Notes what a server says, and judges it at the end."""

    def __init__(self, client: str, caller: Caller, *, may_cancel_late: bool = False) -> None:
        self._client, self._caller, self._may_cancel_late = client, caller, may_cancel_late
        self.counts: Counter[str] = Counter()
        self.ear = Ear(OUTPUT_HZ)
        self.heard_ms: float | None = None
        """What had sounded when the server told of the interruption."""
        self.audio_bytes: Counter[str] = Counter()
        """By response."""
        self.asked: list[tuple[str, float]] = []
        """Where the client wants items to be cut, ms."""
        self.cut: list[tuple[str, float]] = []
        """Where the server says that it has cut them."""
        self.interrupted = ""
        """The item that sounded when the server told of the interruption."""
        self.responses: list[str] = []
        self.errors: list[str] = []
        self._sounding = ""
        self._trace = Trace() if caller.wishes.trace else None

    def begins(self) -> None:
        """What was said so far is no part of the two turns; what went wrong counts."""
        self.responses.clear()
        self.audio_bytes.clear()
        self.asked.clear()
        self.cut.clear()
        self.ear.start_anew()
        self.heard_ms = None
        self._caller.answered.clear()
        self._caller.done.clear()

    def says(self, event: Mapping[str, Any], audio_bytes: int = 0) -> None:
        """An event of the server's; `audio_bytes`: of sound in it."""
        kind = str(event["type"])
        self.counts[kind] += 1
        if self._trace is not None:
            self._trace.tells("server", event)
        match kind:
            case "input_audio_buffer.speech_started":
                if self.audio_bytes and self.heard_ms is None:
                    self.heard_ms, self.interrupted = self.ear.heard_ms, self._sounding
            case "response.done":
                self._done(event["response"])
            case "conversation.item.truncated":
                self.cut.append((event["item_id"], event["audio_end_ms"]))
            case "error":
                self._error(event["error"])
            case "response.output_audio.delta":
                response, self._sounding = str(event["response_id"]), str(event["item_id"])
                self.audio_bytes[response] += audio_bytes
        if self._over():
            self._caller.done.set()

    def plays(self, data: bytes) -> None:
        """The client plays audio."""
        self.ear.plays(data)
        self._caller.answered.set()

    def wants(self, event: Mapping[str, Any]) -> None:
        """The client says something."""
        if self._trace is not None:
            self._trace.tells("client", event)
        if event["type"] == "conversation.item.truncate":
            self.asked.append((event["item_id"], event["audio_end_ms"]))

    def _done(self, response: Mapping[str, Any]) -> None:
        details = response.get("status_details") or {}
        self.responses.append("/".join(filter(None, [response["status"], details.get("reason")])))
        if len(self.responses) == 1:
            self.ear.start_anew()

    def _error(self, error: Mapping[str, Any]) -> None:
        if not (self._may_cancel_late and error.get("code") == NOT_ACTIVE):
            self.errors.append(f"{error.get('code')}: {error.get('message')}")

    def _over(self) -> bool:
        return len(self.responses) >= 2 and self.interrupted in dict(self.cut)

    def broken(self) -> list[str]:
        """What does not hold."""
        found = [f"error event: {error}" for error in self.errors]
        if sorted(self.responses) != ["cancelled/turn_detected", "completed"]:
            found.append(
                f"responses: {self.responses}, expected one cancelled/turn_detected and one completed"
            )
        if len(self.audio_bytes) < 2 or not all(self.audio_bytes.values()):
            found.append(f"audio of {len(self.audio_bytes)} responses, expected that of two")
        if not self.cut or self.cut != self.asked:
            found.append(f"truncated: {self.cut}, asked for: {self.asked}; expected the same, once at least")
        if self.heard_ms is None:
            found.append("no speech_started while an answer sounded")
        elif abs(self.heard_ms - dict(self.cut).get(self.interrupted, 0)) > HEARD_MS:
            found.append(f"{self.heard_ms:.0f} ms of {self.interrupted} were heard, truncated: {self.cut}")
        return found

    def judge(self) -> None:
        """Prints a line, and ends the program: 0 if everything holds."""
        found = self.broken()
        for what in found:
            print(f"{self._client}: {what}", file=sys.stderr)
        if found:
            print(f"{self._client}: events: {dict(self.counts)}", file=sys.stderr)
        sounded = ", ".join(f"{size / 2 / OUTPUT_HZ:.1f} s" for size in self.audio_bytes.values())
        cut = f"{dict(self.cut)[self.interrupted]} ms" if self.interrupted in dict(self.cut) else "nowhere"
        heard = "nothing" if self.heard_ms is None else f"{self.heard_ms:.0f} ms"
        print(
            f"{self._client}: {'FAILED' if found else 'ok'}: responses {' and '.join(self.responses) or 'none'}, audio "
            f"{sounded or 'none'}, heard {heard}, cut at {cut}, {len(self.errors)} errors"
        )
        raise SystemExit(1 if found else 0)
