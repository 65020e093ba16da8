"""What has to be true of two spoken turns in the Realtime protocol, of which the second interrupts the answer."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Mapping
from typing import Any

from spoken import Caller, Ear

OUTPUT_HZ = 24_000
HEARD_MS = 100
"""What was heard and where the answer is cut may differ by so much."""
NOT_ACTIVE = "response_cancel_not_active"
"""Some clients cancel what the server has cancelled; they know this answer, and go on."""


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
        self.asked_ms: list[float] = []
        """Where the client wants answers to be cut."""
        self.cut_ms: list[float] = []
        """Where the server says that it has cut them."""
        self.responses: list[str] = []
        self.errors: list[str] = []
        self._sounding = ""
        self._greeting: set[str] = set()
        self.quiet = asyncio.Event()
        """Nothing is being answered."""
        self.quiet.set()

    def says(self, event: Mapping[str, Any], audio_bytes: int = 0) -> None:
        """An event of the server's; `audio_bytes`: of sound in it."""
        kind = str(event["type"])
        if self._greets(kind, event):
            return
        self.counts[kind] += 1
        match kind:
            case "input_audio_buffer.speech_started":
                if self.counts["response.output_audio.delta"] and self.heard_ms is None:
                    self.heard_ms = self.ear.heard_ms
            case "response.done":
                self._done(event["response"])
            case "conversation.item.truncated":
                self.cut_ms.append(event["audio_end_ms"])
            case "error":
                self._error(event["error"])
            case "response.output_audio.delta":
                response = str(event["response_id"])
                self.audio_bytes[response] += audio_bytes
        if self._over():
            self._caller.done.set()

    def _greets(self, kind: str, event: Mapping[str, Any]) -> bool:
        """Whether an event is of an answer that began before anybody spoke: a client may ask for a greeting."""
        if kind == "response.created" and not self.counts["input_audio_buffer.speech_started"]:
            self._greeting.add(str(event["response"]["id"]))
            self.quiet.clear()
        if kind == "response.done" and str(event["response"]["id"]) in self._greeting:
            self.quiet.set()
            return True
        return str(event.get("response_id") or (event.get("response") or {}).get("id")) in self._greeting

    def plays(self, data: bytes) -> None:
        """The client plays audio."""
        if not self.quiet.is_set():
            return
        self.ear.plays(data)
        self._caller.answered.set()

    def wants(self, event: Mapping[str, Any]) -> None:
        """The client says something."""
        if event["type"] == "conversation.item.truncate":
            self.asked_ms.append(event["audio_end_ms"])

    def _done(self, response: Mapping[str, Any]) -> None:
        details = response.get("status_details") or {}
        self.responses.append("/".join(filter(None, [response["status"], details.get("reason")])))
        if len(self.responses) == 1:
            self.ear.start_anew()

    def _error(self, error: Mapping[str, Any]) -> None:
        if not (self._may_cancel_late and error.get("code") == NOT_ACTIVE):
            self.errors.append(f"{error.get('code')}: {error.get('message')}")

    def _over(self) -> bool:
        return len(self.responses) >= 2 and len(self.cut_ms) >= 1

    def broken(self) -> list[str]:
        """What does not hold."""
        found = [f"error event: {error}" for error in self.errors]
        if sorted(self.responses) != ["cancelled/turn_detected", "completed"]:
            found.append(
                f"responses: {self.responses}, expected one cancelled/turn_detected and one completed"
            )
        if len(self.audio_bytes) < 2 or not all(self.audio_bytes.values()):
            found.append(f"audio of {len(self.audio_bytes)} responses, expected that of two")
        if not self.cut_ms or len(self.cut_ms) != len(self.asked_ms):
            found.append(
                f"{len(self.cut_ms)} truncated, {len(self.asked_ms)} were asked for, expected one each at least"
            )
        if self.cut_ms != self.asked_ms[: len(self.cut_ms)]:
            found.append(f"truncated at {self.cut_ms} ms, asked for at {self.asked_ms} ms")
        if self.heard_ms is None:
            found.append("no speech_started while an answer sounded")
        elif self.cut_ms and abs(self.heard_ms - self.cut_ms[0]) > HEARD_MS:
            found.append(f"{self.heard_ms:.0f} ms were heard, and it was cut at {self.cut_ms[0]} ms")
        return found

    def judge(self) -> None:
        """Prints a line, and ends the program: 0 if everything holds."""
        found = self.broken()
        for what in found:
            print(f"{self._client}: {what}", file=sys.stderr)
        if found:
            print(f"{self._client}: events: {dict(self.counts)}", file=sys.stderr)
        sounded = ", ".join(f"{size / 2 / OUTPUT_HZ:.1f} s" for size in self.audio_bytes.values())
        heard = "nothing" if self.heard_ms is None else f"{self.heard_ms:.0f} ms"
        print(
            f"{self._client}: {'FAILED' if found else 'ok'}: responses {' and '.join(self.responses) or 'none'}, audio "
            f"{sounded or 'none'}, heard {heard}, cut at {self.cut_ms}, {len(self.errors)} errors"
        )
        raise SystemExit(1 if found else 0)
