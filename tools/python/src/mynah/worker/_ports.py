"""The ports of a worker in shared memory. All of them belong to the thread that made them, but `Bell.wake`."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from importlib import metadata
from typing import Any

from mynah.worker._ending import Ended, WorkerEnd
from mynah.worker._names import (
    AUDIO_PIPE,
    BELL_CONTROL,
    BELL_DATA,
    BELL_DEATH,
    BELL_DOWN,
    BELL_OWN,
    BELL_UP,
    BORROWED,
    CONTROL_PIPE,
    EVENT_ID_MAX,
    ICEORYX2,
    LOBBY,
    TEXT_PIPE,
    BellSettings,
    ServiceNames,
    ServiceSettings,
)

WAIT_S_MIN = 0.0005


def checked_iceoryx2() -> Any:
    """The module `iceoryx2`. `Ended`: it is missing, or another version than the protocol needs."""
    try:
        installed = metadata.version("iceoryx2")
        import iceoryx2  # type: ignore[import-untyped]
    except ImportError:
        raise Ended(
            WorkerEnd.UNABLE, f"workers need iceoryx2 {ICEORYX2}: `pip install 'mynah[worker]'`"
        ) from None
    if installed != ICEORYX2:
        raise Ended(
            WorkerEnd.UNABLE,
            f"engine and worker need iceoryx2 {ICEORYX2} both; installed is {installed}: "
            f"`pip install iceoryx2=={ICEORYX2}`",
        )
    iceoryx2.set_log_level_from_env_or(iceoryx2.LogLevel.Fatal)
    return iceoryx2


class SharedMemory:
    """A node in shared memory, under the prefix that engine and workers have in common."""

    def __init__(self, name: str, prefix: str | None = None) -> None:
        self.iox2 = checked_iceoryx2()
        config = self.iox2.config.default()
        prefix = prefix or os.environ.get("MYNAH_IPC_PREFIX")
        if prefix:
            config.global_cfg.prefix = self.iox2.FileName.new(prefix)
        builder = self.iox2.NodeBuilder.new().name(self.iox2.NodeName.new(name)).config(config)
        self.node = builder.signal_handling_mode(self.iox2.SignalHandlingMode.Disabled).create(
            self.iox2.ServiceType.Ipc
        )

    def pipe(self, name: str, settings: ServiceSettings) -> Any:
        """A service of bytes, opened or made."""
        builder = self.node.service_builder(self.iox2.ServiceName.new(name))
        return (
            builder.publish_subscribe(self.iox2.Slice[ctypes.c_uint8])
            .subscriber_max_buffer_size(settings.buffer)
            .subscriber_max_borrowed_samples(BORROWED)
            .enable_safe_overflow(settings.overflow)
            .history_size(0)
            .max_publishers(settings.ports)
            .max_subscribers(settings.ports)
            .max_nodes(settings.nodes)
            .open_or_create()
        )

    def bell(self, name: str, settings: BellSettings) -> Any:
        """A service of events, opened or made."""
        builder = self.node.service_builder(self.iox2.ServiceName.new(name)).event()
        return (
            builder.notifier_dead_event(self.iox2.EventId.new(BELL_DEATH))
            .disable_notifier_created_event()
            .disable_notifier_dropped_event()
            .disable_deadline()
            .event_id_max_value(EVENT_ID_MAX)
            .max_notifiers(settings.notifiers)
            .max_listeners(settings.listeners)
            .max_nodes(settings.nodes)
            .open_or_create()
        )

    def forget_dead(self) -> None:
        """Cleans up behind processes that died; who listens to their bells is told."""
        self.node.try_cleanup_dead_nodes()


class Source:
    """Reads the messages of a service."""

    def __init__(self, service: Any) -> None:
        self._service = service
        self._port = service.subscriber_builder().create()

    def receive(self) -> bytes | None:
        """The next message, copied; `None`: there is none."""
        sample = self._port.receive()
        if sample is None:
            return None
        data = bytes(sample.payload().as_memory_view())
        sample.delete()
        return data

    def close(self) -> None:
        """Gives the port back, once."""
        if self._port is not None:
            self._port.delete()
            self._port = self._service = None


class Sink:
    """Writes messages to a service."""

    def __init__(self, memory: SharedMemory, service: Any, settings: ServiceSettings) -> None:
        self._service = service
        builder = service.publisher_builder().initial_max_slice_len(settings.slice_bytes)
        builder = builder.allocation_strategy(memory.iox2.AllocationStrategy.PowerOfTwo)
        self._port = builder.backpressure_strategy(memory.iox2.BackpressureStrategy.DiscardData).create()

    def send(self, data: bytes) -> bool:
        """Sends a message. `False`: nobody got it, as the buffer is full or nobody reads; it may be sent again."""
        sample = self._port.loan_slice_uninit(len(data))
        ctypes.memmove(sample.payload_ptr, data, len(data))
        return bool(sample.assume_init().send() > 0)

    def readers(self) -> int:
        """How many read."""
        return int(self._service.dynamic_config.number_of_subscribers)

    def close(self) -> None:
        """Gives the port back, once."""
        if self._port is not None:
            self._port.delete()
            self._port = self._service = None


class Bells:
    """The worker's bell, and the engine's."""

    def __init__(self, memory: SharedMemory, names: ServiceNames) -> None:
        iox2 = memory.iox2
        self._broken = iox2.ListenerWaitError
        self._unheard = iox2.NotifierNotifyError
        self._duration = iox2.Duration.from_micros
        self._ids = {number: iox2.EventId.new(number) for number in (BELL_CONTROL, BELL_DATA, BELL_OWN)}
        down = memory.bell(names.bell_down, BELL_DOWN)
        self._listener = down.listener_builder().create()
        self._own = down.notifier_builder().create()
        self._up = memory.bell(names.bell_up, BELL_UP).notifier_builder().create()

    def wait(self, timeout_s: float) -> bool:
        """Waits for a bell, at most so long. Whether it told that the engine died."""
        try:
            # A wait for no time at all would last until the next bell.
            is_wait = timeout_s >= WAIT_S_MIN
            duration = self._duration(max(0, int(timeout_s * 1e6)))
            events = self._listener.timed_wait(duration) if is_wait else self._listener.try_wait()
        except self._broken as error:
            # A process that was stopped and goes on is told that its wait was interrupted.
            if "Interrupt" not in str(error):
                raise
            return False
        return any(event.id.as_value == BELL_DEATH for event in events)

    def wake(self) -> None:
        """Ends a wait. May be called from any thread."""
        with suppress(self._unheard):
            self._own.notify_with_custom_event_id(self._ids[BELL_OWN])

    def ring(self, number: int) -> None:
        """Rings at the engine. That nobody listens, or has not for long, shows elsewhere."""
        with suppress(self._unheard):
            self._up.notify_with_custom_event_id(self._ids[number])

    def close(self) -> None:
        """Gives the ports back."""
        for port in (self._own, self._up, self._listener):
            port.delete()
        self._own = self._up = self._listener = None


class Ports:
    """All ports of a worker: the reading ones are there before it says hello."""

    def __init__(self, memory: SharedMemory, names: ServiceNames) -> None:
        self.bells = Bells(memory, names)
        control = memory.pipe(names.pipe("control", "down"), CONTROL_PIPE)
        audio = memory.pipe(names.pipe("audio", "down"), AUDIO_PIPE)
        self.control, self.audio = Source(control), Source(audio)
        self.control_up, self.audio_up, self.text_up = (
            Sink(memory, memory.pipe(names.pipe(kind, "up"), settings), settings)
            for kind, settings in (("control", CONTROL_PIPE), ("audio", AUDIO_PIPE), ("text", TEXT_PIPE))
        )
        lobby = memory.pipe(names.lobby, LOBBY)
        self.lobby, self.lobby_up = Source(lobby), Sink(memory, lobby, LOBBY)

    def leave_lobby(self) -> None:
        """The worker is known: the others' hellos are none of its business."""
        self.lobby.close()
        self.lobby_up.close()

    def close(self) -> None:
        """Gives all ports back."""
        self.leave_lobby()
        self.bells.close()
        for port in (self.control, self.audio, self.control_up, self.audio_up, self.text_up):
            port.close()
