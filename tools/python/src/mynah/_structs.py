"""The structs of `mynah.h`, field by field. `python -m mynah.layout` prints where each lies."""

from __future__ import annotations

import ctypes as c

from mynah.constants import PHONE_BYTES

LogFn = c.CFUNCTYPE(None, c.c_void_p, c.c_int32, c.c_char_p)
"""`mynah_log_fn`: (user, level, text)."""


class Config(c.Structure):
    """`mynah_config`: an engine to open."""

    _fields_ = [
        ("size", c.c_uint32),
        ("abi", c.c_uint32),
        ("drive", c.c_uint32),
        ("sessions_max", c.c_uint32),
        ("threads", c.c_uint32),
        ("events_max", c.c_uint32),
        ("seed", c.c_uint64),
        ("scene_name", c.c_char_p),
        ("settings", c.c_char_p),
        ("log", LogFn),
        ("log_user", c.c_void_p),
    ]


class SpokenPart(c.Structure):
    """`mynah_spoken`: a word, a phone or a pause; microseconds from the beginning of its line."""

    _fields_ = [
        ("what", c.c_uint32),
        ("viseme", c.c_int32),
        ("from_us", c.c_uint64),
        ("until_us", c.c_uint64),
        ("from_byte", c.c_uint32),
        ("until_byte", c.c_uint32),
        ("phone", c.c_char * PHONE_BYTES),
    ]


class EventStruct(c.Structure):
    """`mynah_event`: something that happened in a session."""

    _fields_ = [
        ("kind", c.c_uint32),
        ("flags", c.c_uint32),
        ("session", c.c_void_p),
        ("user", c.c_void_p),
        ("t_us", c.c_uint64),
        ("from_us", c.c_uint64),
        ("until_us", c.c_uint64),
        ("number", c.c_uint64),
        ("segment", c.c_uint32),
        ("revision", c.c_uint32),
        ("turn", c.c_uint32),
        ("session_id", c.c_uint32),
        ("text", c.c_void_p),
        ("text_len", c.c_size_t),
        ("detail", c.c_void_p),
        ("id", c.c_void_p),
        ("spoken", c.POINTER(SpokenPart)),
        ("spoken_len", c.c_size_t),
    ]


class SessionConfig(c.Structure):
    """`mynah_session_config`: a session to open."""

    _fields_ = [
        ("size", c.c_uint32),
        ("abi", c.c_uint32),
        ("name", c.c_char_p),
        ("user", c.c_void_p),
        ("input_rate_hz", c.c_uint32),
        ("input_channels", c.c_uint32),
        ("output_rate_hz", c.c_uint32),
        ("output_channels", c.c_uint32),
        ("lead_ms", c.c_int32),
        ("latency_ms", c.c_int32),
        ("interrupt_min_ms", c.c_int32),
        ("half_duplex", c.c_int32),
        ("gate", c.c_int32),
        ("reserved", c.c_int32),
        ("params", c.c_char_p),
        ("history", c.c_char_p),
    ]


class SayConfig(c.Structure):
    """`mynah_say_config`: how a line is spoken."""

    _fields_ = [
        ("size", c.c_uint32),
        ("abi", c.c_uint32),
        ("interruptible", c.c_int32),
        ("priority", c.c_int32),
        ("wait", c.c_int32),
        ("reserved", c.c_int32),
    ]


class Formats(c.Structure):
    """`mynah_formats`: rates in Hz and channels of a session's audio."""

    _fields_ = [
        ("input_rate_hz", c.c_uint32),
        ("input_channels", c.c_uint32),
        ("output_rate_hz", c.c_uint32),
        ("output_channels", c.c_uint32),
    ]


class PulledStruct(c.Structure):
    """`mynah_pulled`: what a pull gave."""

    _fields_ = [
        ("frames", c.c_uint32),
        ("skipped", c.c_uint32),
        ("turn", c.c_uint32),
        ("flags", c.c_uint32),
        ("level", c.c_float),
        ("reserved", c.c_uint32),
    ]


STRUCTS: dict[str, type[c.Structure]] = {
    "mynah_config": Config,
    "mynah_session_config": SessionConfig,
    "mynah_say_config": SayConfig,
    "mynah_spoken": SpokenPart,
    "mynah_event": EventStruct,
    "mynah_pulled": PulledStruct,
    "mynah_formats": Formats,
}
"""All structs by their names in the header, in the order in which layouts are printed."""
