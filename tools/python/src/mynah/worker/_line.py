"""The thread that holds the ports: it hears, acknowledges, sends and beats, and never runs a service."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

from mynah.worker._desk import Desk, Job, Letter, ack
from mynah.worker._ending import Ended, WorkerEnd
from mynah.worker._intake import Ids, Intake, hears_of, number, speaks_of, text
from mynah.worker._names import BELL_CONTROL, BELL_DATA, ICEORYX2, PROTOCOL, ServiceNames
from mynah.worker._ports import Ports, SharedMemory
from mynah.worker._say import say, say_trace
from mynah.worker._signals import leave_signals_to_others
from mynah.worker._wire import (
    AUDIO,
    CONTROL,
    TEXT,
    Control,
    WireError,
    audio_part,
    control_of,
    decode,
    encode,
    encode_control,
)
from mynah.worker._work import Work

HELLO_S, LOBBY_S = 0.25, 0.02
SILENCE_S = 5.0
"""The engine is taken for dead after so long without a word."""
CLEAN_S = 0.5
"""Dead processes are looked for so often."""
UNREAD_S = 1.0
"""The engine is taken for gone when nobody has read for so long."""
LEAVE_S = 1.5
"""Who is asked to end waits so long for the work to stop."""
FULL_S = 0.002
"""A message for which there was no room is tried again after so long."""
AUDIO_BETWEEN_CONTROL = 25
ROUNDS_MAX, CONTROL_MAX = 8, 256
"""Most that is read between two looks at the clock."""


class Line:
    """Talks to the engine, from hello to goodbye."""

    def __init__(self, names: ServiceNames, hello: dict[str, Any], wait_s: float, prefix: str | None) -> None:
        self.desk = Desk(self.wake)
        self.work: Work | None = None
        self.ended = threading.Event()
        self.end: Ended | None = None
        """How it ended; `None` after a goodbye."""
        self.why = ""
        """Who said goodbye, and why."""
        self.odd = 0
        """Messages that were ignored: broken, unknown, or about calls that are over."""
        self._names, self._hello, self._wait_s, self._prefix = names, hello, wait_s, prefix
        self._ports: Ports | None = None
        self._leave: str | None = None
        self._next_id = 1
        self._ids = Ids()
        self._intake = Intake(None, None)
        self._heartbeat_s = 0.25
        self._heard_s = self._read_s = 0.0
        self._more = False

    # Other threads call these.

    def wake(self) -> None:
        """Lets the thread look what there is to do."""
        ports = self._ports
        if ports is not None:
            try:
                ports.bells.wake()
            except Exception:
                # The ports have been given back: nobody is there to be woken.
                return

    def leave(self, why: str) -> None:
        """Says goodbye, stops all work, and ends."""
        self._leave = why
        self.wake()

    # The thread.

    def run(self, on_end: Callable[[], object]) -> None:
        """From hello to goodbye; to be run in a thread of its own."""
        leave_signals_to_others()
        try:
            self._talk()
        except Ended as end:
            # Its frames hold ports, and they are to be given back.
            self.end = end.with_traceback(None)
        except Exception as error:
            say_trace(error)
            self.end = Ended(WorkerEnd.UNABLE, f"the worker cannot go on: {type(error).__name__}: {error}")
        finally:
            self._stop_all()
            self.ended.set()
            on_end()

    def _talk(self) -> None:
        ports = memory = None
        try:
            memory, ports = self._open()
            if not self._introduce(ports):
                return
            self._attend(memory, ports)
        finally:
            if ports is not None:
                self._ports = None
                ports.close()
            del ports, memory

    def _open(self) -> tuple[SharedMemory, Ports]:
        try:
            memory = SharedMemory(f"mynah-{self._names.worker}", self._prefix)
            return memory, Ports(memory, self._names)
        except Ended:
            raise
        except Exception as error:
            # iceoryx2 has an exception for each act; the text is the name of what went wrong.
            raise Ended(
                WorkerEnd.UNABLE,
                f"the shared memory of engine {self._names.engine!r}, service {self._names.service!r} cannot be opened "
                f"({type(error).__name__}: {error}): engine and worker need iceoryx2 {ICEORYX2} both; "
                f"installed is {ICEORYX2}. Is the engine of another version?",
            ) from None

    def _introduce(self, ports: Ports) -> bool:
        """Says hello until it is welcome; `False`: somebody asked it to end meanwhile."""
        self._ports = ports
        give_up_s, hello_s = time.monotonic() + self._wait_s, 0.0
        while self._leave is None:
            now_s = time.monotonic()
            if now_s >= give_up_s:
                raise Ended(
                    WorkerEnd.REFUSED,
                    f"nobody has answered for {self._wait_s:g} s: does an engine {self._names.engine!r} run, with a "
                    f"service {self._names.service!r} in worker processes?",
                )
            if now_s >= hello_s:
                ports.lobby_up.send(self._encoded(Letter(CONTROL, "", type="Hello", fields=self._hello)))
                ports.bells.ring(BELL_CONTROL)
                hello_s = now_s + HELLO_S
            ports.bells.wait(LOBBY_S)
            while (data := ports.lobby.receive()) is not None:
                if self._is_welcome(data):
                    ports.leave_lobby()
                    return True
        self.why = self._leave
        return False

    def _is_welcome(self, data: bytes) -> bool:
        control = self._control(data)
        if control is None or control.fields.get("worker") != self._names.worker:
            return False
        if control.type == "Refused":
            raise Ended(WorkerEnd.REFUSED, f"the engine refused the worker: {text(control.fields, 'reason')}")
        if control.type != "Welcome":
            return False
        fields = control.fields
        if fields.get("protocol") != PROTOCOL:
            raise Ended(
                WorkerEnd.REFUSED,
                f"the engine speaks protocol {fields.get('protocol')}, this worker {PROTOCOL}: "
                "install the package `mynah` of the engine's version",
            )
        self._heartbeat_s = max(0.02, number(fields, "heartbeat_ms", 250) / 1_000)
        self._intake = Intake(hears_of(fields), speaks_of(fields))
        self._heard_s = self._read_s = time.monotonic()
        # The bell for the first call may have been heard while it waited to be welcome.
        self._more = True
        return True

    def _attend(self, memory: SharedMemory, ports: Ports) -> None:
        beat_s = clean_s = gone_s = 0.0
        goodbye_said = False
        while True:
            now_s = time.monotonic()
            if now_s >= beat_s:
                beat_s = now_s + self._heartbeat_s
                self._beat(ports)
            if now_s >= clean_s:
                clean_s = now_s + CLEAN_S
                memory.forget_dead()
            if self._leave is not None and not goodbye_said:
                goodbye_said = True
                gone_s = now_s + LEAVE_S
                self.desk.urgent(Letter(CONTROL, "", type="Goodbye", fields={"reason": self._leave}))
                self._stop_all()
            flushed = self._flush(ports)
            if goodbye_said and flushed and (not self.desk.calls() or now_s >= gone_s):
                self.why = self._leave or ""
                return
            if goodbye_said and now_s >= gone_s + 0.2:
                return
            wait_s = min(beat_s, clean_s) - time.monotonic()
            if self._more:
                wait_s = 0.0
            elif not flushed:
                wait_s = FULL_S
            elif goodbye_said:
                wait_s = min(wait_s, 0.02)
            died = ports.bells.wait(wait_s)
            if self._hear(ports):
                return
            self._check_engine(ports, died)

    def _check_engine(self, ports: Ports, died: bool) -> None:
        now_s = time.monotonic()
        # This process may have been stopped for longer: only what is looked at now counts.
        if ports.control_up.readers() > 0:
            self._read_s = now_s
        if died or now_s - self._read_s > UNREAD_S:
            raise Ended(WorkerEnd.ENGINE_DIED, "the engine has died")
        if now_s - self._heard_s > SILENCE_S:
            raise Ended(WorkerEnd.ENGINE_DIED, f"the engine has said nothing for {SILENCE_S:g} s")

    def _beat(self, ports: Ports) -> None:
        beat = Letter(CONTROL, "", type="Heartbeat", fields={"busy": len(self.desk.calls())})
        # Where it finds no room, there is enough to be read already.
        if ports.control_up.send(self._encoded(beat)):
            ports.bells.ring(BELL_CONTROL)

    # Down.

    def _hear(self, ports: Ports) -> bool:
        """Reads what has come, control first; whether it was goodbye."""
        self._more = False
        for _ in range(ROUNDS_MAX):
            if self._hear_control(ports):
                return True
            for _ in range(AUDIO_BETWEEN_CONTROL):
                data = ports.audio.receive()
                if data is None:
                    return False
                self._hear_audio(ports, data)
                if self.why:
                    return True
        self._more = True
        return False

    def _hear_control(self, ports: Ports) -> bool:
        for _ in range(CONTROL_MAX):
            data = ports.control.receive()
            if data is None:
                return False
            self._heard_s = time.monotonic()
            control = self._control(data)
            if control is None:
                continue
            if control.type == "Goodbye":
                self.why = f"the engine says goodbye: {text(control.fields, 'reason') or 'it ends'}"
                return True
            if control.type == "Refused":
                raise Ended(
                    WorkerEnd.REFUSED, f"the engine refused the worker: {text(control.fields, 'reason')}"
                )
            self._obey(control)
            # Acknowledgements go at once, however much there is to be read.
            self._flush(ports)
        self._more = True
        return False

    def _obey(self, control: Control) -> None:
        act = {
            "Call": self._called,
            "Cancel": self._cancelled,
            "ToolResult": self._tool_result,
            "Close": self._closed,
        }.get(control.type)
        if act is None:
            self.odd += control.type != "Heartbeat"
            return
        verdict = self._ids.verdict(control.message_id)
        if verdict != "old" and control.type != "Close":
            self.desk.urgent(ack(control.session, control.message_id, "Delivered"))
        if verdict == "new":
            try:
                act(control)
            except WireError as error:
                self.odd += 1
                say(f"{control.type} is ignored: {error}")

    def _called(self, control: Control) -> None:
        try:
            call = self._intake.call(control)
        except WireError as error:
            self._fail(control.session, number(control.fields, "call"), str(error))
            return
        if call is not None:
            self._start(Job(self.desk, call))

    def _start(self, job: Job) -> None:
        assert self.work is not None, "the work is there before the thread runs"
        self.desk.add(job)
        self.work.start(job)

    def _fail(self, session: str, call: int, reason: str) -> None:
        """A call fails that was never begun."""
        fields = {"call": call, "reason": reason, "parts": 0}
        self.desk.urgent(Letter(CONTROL, session, call, "Failed", fields))

    def _cancelled(self, control: Control) -> None:
        call = number(control.fields, "call")
        self._intake.drop(call)
        under_way, job = self.desk.cancel(call, control.message_id)
        if not under_way:
            self.desk.urgent(ack(control.session, control.message_id, "Applied"))
        elif job is not None and job.stop is not None:
            job.stop()

    def _tool_result(self, control: Control) -> None:
        self.desk.tool_result(text(control.fields, "call_id"), text(control.fields, "result"))

    def _closed(self, control: Control) -> None:
        assert self.work is not None, "the work is there before the thread runs"
        self.work.forget(text(control.fields, "session") or control.session)

    def _hear_audio(self, ports: Ports, data: bytes) -> None:
        try:
            frame = decode(data)
            if frame.kind != AUDIO:
                raise WireError(f"type {frame.kind} came as audio")
            part = audio_part(frame.payload)
        except WireError:
            self.odd += 1
            return
        if not self._intake.expects(part.call):
            # The call is sent before its audio: it may lie in the other queue.
            self._hear_control(ports)
        if not self._intake.expects(part.call):
            self.odd += 1
            return
        try:
            call = self._intake.audio(part)
        except WireError as error:
            self._intake.drop(part.call)
            self._fail(frame.session, part.call, str(error))
            return
        if call is not None:
            self._start(Job(self.desk, call))

    def _stop_all(self) -> None:
        for call in self.desk.calls():
            _, job = self.desk.cancel(call, None)
            if job is not None and job.stop is not None:
                job.stop()

    # Up.

    def _control(self, data: bytes) -> Control | None:
        """A control message; `None`, and counted: it is none."""
        try:
            frame = decode(data)
            if frame.kind != CONTROL:
                raise WireError(f"type {frame.kind} came as control")
            return control_of(frame)
        except WireError:
            self.odd += 1
            return None

    def _encoded(self, letter: Letter) -> bytes:
        if letter.kind != CONTROL:
            return encode(letter.kind, letter.session, 0, letter.payload)
        message_id, self._next_id = self._next_id, self._next_id + 1
        now_us = time.time_ns() // 1_000
        return encode_control(Control(message_id, letter.session, now_us, letter.type, letter.fields))

    def _flush(self, ports: Ports) -> bool:
        """Sends what waits; `False`: there was no room for all of it."""
        rings = set()
        sinks = {CONTROL: ports.control_up, AUDIO: ports.audio_up, TEXT: ports.text_up}
        has_room = True
        while has_room and (letter := self.desk.next()) is not None:
            rings.add(BELL_CONTROL if letter.kind == CONTROL else BELL_DATA)
            # Encoded anew for each attempt: what is sent meanwhile must not have a greater id.
            has_room = sinks[letter.kind].send(self._encoded(letter))
            if has_room:
                self.desk.sent(letter)
        for bell in rings:
            ports.bells.ring(bell)
        return has_room


def exit_late(line: Line, finished: threading.Event, sentence: Callable[[], str]) -> None:
    """Ends the process although the service does not return: nobody is there any more to hear it."""
    leave_signals_to_others()
    line.ended.wait()
    if not finished.wait(LEAVE_S + 0.5):
        say(sentence())
        os._exit(int(line.end.end) if line.end is not None else WorkerEnd.DONE)
