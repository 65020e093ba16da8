#!/usr/bin/env python3
"""A call in virtual time, as a line an event: plain ctypes, no package.

    python3 tools/capi/examples/sim.py --story SCENE.ron CALL.wav OUT.f32

CALL.wav: 16-bit PCM. OUT.f32: what is heard, 32-bit floats. The same call gives the same bytes, in any language.
"""

import array
import ctypes as c
import os
import re
import sys
import wave

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../..")
TICK_US, DRIVE_VIRTUAL, CLOSED, MOST = 5_000, 1, 23, 64
u32, u64, i32, ptr, text, size = c.c_uint32, c.c_uint64, c.c_int32, c.c_void_p, c.c_char_p, c.c_size_t


def struct(name, *fields):
    """A struct of the header: each field is its name and its type."""
    return type(name, (c.Structure,), {"_fields_": [(fields[at], fields[at + 1]) for at in range(0, len(fields), 2)]})


Config = struct("Config", "size", u32, "abi", u32, "drive", u32, "sessions_max", u32, "threads", u32,
                "events_max", u32, "seed", u64, "scene_name", text, "settings", text, "log", ptr, "log_user", ptr)
SessionConfig = struct("SessionConfig", "size", u32, "abi", u32, "name", text, "user", ptr, "input_rate_hz", u32,
                       "input_channels", u32, "output_rate_hz", u32, "output_channels", u32, "lead_ms", i32,
                       "latency_ms", i32, "interrupt_min_ms", i32, "half_duplex", i32, "gate", i32, "reserved", i32,
                       "params", text, "history", text)
Spoken = struct("Spoken", "what", u32, "viseme", i32, "from_us", u64, "until_us", u64, "from_byte", u32,
                "until_byte", u32, "phone", c.c_char * 8)
Event = struct("Event", "kind", u32, "flags", u32, "session", ptr, "user", ptr, "t_us", u64, "from_us", u64,
               "until_us", u64, "number", u64, "segment", u32, "revision", u32, "turn", u32, "session_id", u32,
               "text", text, "text_len", size, "detail", text, "id", text, "spoken", c.POINTER(Spoken),
               "spoken_len", size)
Formats = struct("Formats", "input_rate_hz", u32, "input_channels", u32, "output_rate_hz", u32, "output_channels", u32)
Pulled = struct("Pulled", "frames", u32, "skipped", u32, "turn", u32, "flags", u32, "level", c.c_float,
                "reserved", u32)


def library():
    """The library at MYNAH_LIBRARY, or in target/release."""
    lib = c.CDLL(os.environ.get("MYNAH_LIBRARY") or os.path.join(TOP, "target/release/libmynah.so"))
    lib.mynah_error.restype = text
    lib.mynah_tick.argtypes = [ptr, u64]
    lib.mynah_push_i16.argtypes = [ptr, text, size]
    for call, pointers in ("open", 4), ("session_open", 3), ("events", 4), ("pull", 4):
        getattr(lib, f"mynah_{call}").argtypes = [ptr] * pointers
    for call in "session_formats", "finish", "session_close", "close":
        getattr(lib, f"mynah_{call}").argtypes = [ptr] * (2 if call == "session_formats" else 1)
    return lib


def kinds():
    """Names of the kinds of events by their numbers, from the header."""
    with open(os.path.join(TOP, "tools/capi/mynah.h")) as header:
        named = re.findall(r"#define MYNAH_(\w+) (\d+)\n", header.read())
    first = [name for name, _ in named].index("SPEECH_STARTED")
    return {int(number): name.lower() for name, number in named[first : first + CLOSED]}


def line(event, names):
    """An event as it is printed."""
    numbers = ("flags", "segment", "revision", "turn", "from_us", "until_us", "number")
    told = [f"{event.t_us} {names[event.kind]}", *(f"{name}={getattr(event, name)}" for name in numbers)]
    told += [f"{name}={(getattr(event, name) or b'').decode()}" for name in ("text", "detail", "id")]
    parts = (f"{p.what}:{p.viseme}:{p.from_us}-{p.until_us}" for p in event.spoken[: event.spoken_len])
    return " ".join([*told, f"spoken={','.join(parts)}\n"])


def main(scene, call, out_path):
    """Plays the call to the scene; prints what happens, and writes what is heard."""
    lib, names = library(), kinds()

    def check(status):
        if status:
            sys.exit(f"{status}: {(lib.mynah_error() or b'no text: a call of audio').decode()}")

    with wave.open(call) as wav:
        rate, channels, width = wav.getframerate(), wav.getnchannels(), wav.getsampwidth()
        if width != 2:
            sys.exit(f"{call}: {8 * width} bits a sample; expected 16")
        sound = wav.readframes(wav.getnframes())
    with open(scene, "rb") as file:
        source = file.read()
    config, own, engine, session = Config(), SessionConfig(), ptr(), ptr()
    check(lib.mynah_config_init(c.byref(config), c.sizeof(config)))
    config.drive, config.scene_name = DRIVE_VIRTUAL, scene.encode()
    check(lib.mynah_open(c.byref(config), source, len(source), c.byref(engine)))
    check(lib.mynah_session_config_init(c.byref(own), c.sizeof(own)))
    own.name, own.input_rate_hz, own.input_channels = os.path.basename(call).encode(), rate, channels
    check(lib.mynah_session_open(engine, c.byref(own), c.byref(session)))
    formats, pulled, count, events = Formats(), Pulled(), size(), (Event * MOST)()
    check(lib.mynah_session_formats(session, c.byref(formats)))
    piece = formats.output_rate_hz // 200
    heard = (c.c_float * max(piece * formats.output_channels, 1))()
    chunk, frames = rate // 50, len(sound) // (2 * channels)
    now_us, pushed, total, finished, closed = 0, 0, 0, False, False
    with open(out_path, "wb") as out:
        while True:
            if pushed == frames and not finished:
                check(lib.mynah_finish(session))
                finished = True
            # A chunk is there when its last sample is.
            while pushed < frames and -(-min(pushed + chunk, frames) * 1_000_000 // rate) <= now_us:
                until = min(pushed + chunk, frames)
                block = sound[pushed * 2 * channels : until * 2 * channels]
                check(lib.mynah_push_i16(session, block, until - pushed))
                pushed = until
            check(lib.mynah_tick(engine, now_us))
            count.value = MOST
            while count.value == MOST:
                check(lib.mynah_events(engine, events, MOST, c.byref(count)))
                for event in events[: count.value]:
                    sys.stdout.buffer.write(line(event, names).encode())
                    closed = closed or event.kind == CLOSED
            pulled.frames = 0
            if piece:
                check(lib.mynah_pull(session, heard, piece, c.byref(pulled)))
                sounds = array.array("f", heard[: pulled.frames * formats.output_channels])
                if sys.byteorder == "big":
                    sounds.byteswap()
                out.write(sounds.tobytes())
                total += pulled.frames
            if closed and pulled.frames == 0:
                break
            now_us += TICK_US
    print(f"frames {total}")
    check(lib.mynah_session_close(session))
    check(lib.mynah_close(engine))


if __name__ == "__main__":
    if len(sys.argv) != 5 or sys.argv[1] != "--story":
        sys.exit("expected: sim.py --story SCENE.ron CALL.wav OUT.f32")
    main(*sys.argv[2:])
