#!/usr/bin/env python3
"""A call in virtual time, as a line an event: plain ctypes, no package.

    python3 tools/capi/examples/sim.py --story SCENE.ron CALL.wav OUT.f32
    python3 tools/capi/examples/sim.py --layout    sizes and offsets of all structs

CALL.wav: 16-bit PCM. OUT.f32: what is heard, 32-bit floats. The same call gives the same bytes, in any language.
"""

import array
import ctypes as c
import os
import re
import sys
import wave

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../..")
ABI, TICK_US, DRIVE_VIRTUAL, CLOSED, MOST = 1, 5_000, 1, 23, 64
ptr, size = c.c_void_p, c.c_size_t
TYPES = {"u32": c.c_uint32, "u64": c.c_uint64, "i32": c.c_int32, "f32": c.c_float, "size": c.c_size_t}
TYPES |= {"ptr": c.c_void_p, "text": c.c_char_p, "phone": c.c_char * 8}


def struct(**fields):
    """A struct of the header: names of fields of each type, in order; a type may come again with `_` behind it."""
    named = [(name, TYPES[of.rstrip("_")]) for of, names in fields.items() for name in names.split()]
    return type("Struct", (c.Structure,), {"_fields_": named})


Config = struct(
    u32="size abi drive sessions_max threads events_max",
    u64="seed",
    text="scene_name settings",
    ptr="log log_user",
)
SessionConfig = struct(
    u32="size abi",
    text="name",
    ptr="user",
    u32_="input_rate_hz input_channels output_rate_hz output_channels",
    i32="lead_ms latency_ms interrupt_min_ms half_duplex gate reserved",
    text_="params history",
)
SayConfig = struct(u32="size abi", i32="interruptible priority wait reserved")
Spoken = struct(u32="what", i32="viseme", u64="from_us until_us", u32_="from_byte until_byte", phone="phone")
TYPES["parts"] = c.POINTER(Spoken)
Event = struct(
    u32="kind flags",
    ptr="session user",
    u64="t_us from_us until_us number",
    u32_="segment revision turn session_id",
    text="text",
    size="text_len",
    text_="detail id",
    parts="spoken",
    size_="spoken_len",
)
Pulled = struct(u32="frames skipped turn flags", f32="level", u32_="reserved")
Formats = struct(u32="input_rate_hz input_channels output_rate_hz output_channels")


def layout():
    """Prints sizes and offsets of all structs."""
    names = {"config": Config, "session_config": SessionConfig, "say_config": SayConfig, "spoken": Spoken}
    for name, of in {**names, "event": Event, "pulled": Pulled, "formats": Formats}.items():
        print(f"mynah_{name} {c.sizeof(of)}")
        for field, _ in of._fields_:
            print(f"mynah_{name}.{field} {getattr(of, field).offset} {getattr(of, field).size}")


def library():
    """The library at MYNAH_LIBRARY, or in target/release."""
    lib = c.CDLL(os.environ.get("MYNAH_LIBRARY") or os.path.join(TOP, "target/release/libmynah.so"))
    if lib.mynah_abi() != ABI:
        sys.exit(f"this program is of interface {ABI}, libmynah of {lib.mynah_abi()}")
    lib.mynah_error.restype = c.c_char_p
    lib.mynah_tick.argtypes = [ptr, c.c_uint64]
    lib.mynah_push_i16.argtypes = [ptr, c.c_char_p, size]
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
    told = [f"{event.t_us} {names.get(event.kind, 'unknown')}", *(f"{name}={getattr(event, name)}" for name in numbers)]
    told += [f"{name}={(getattr(event, name) or b'').decode()}" for name in ("text", "detail", "id")]
    parts = (f"{p.what}:{p.viseme}:{p.from_us}-{p.until_us}" for p in event.spoken[: event.spoken_len])
    return " ".join([*told, f"spoken={','.join(parts)}\n"])


def story(scene, call, out_path):
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
    if sys.argv[1:] == ["--layout"]:
        layout()
    elif len(sys.argv) == 5 and sys.argv[1] == "--story":
        story(*sys.argv[2:])
    else:
        sys.exit("expected: sim.py --story SCENE.ron CALL.wav OUT.f32, or sim.py --layout")
