"""Finds `libmynah`, loads it, and declares its calls."""

from __future__ import annotations

import ctypes as c
import functools
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from mynah import _structs as s
from mynah.constants import ABI, Status
from mynah.errors import error_of

VARIABLE = "MYNAH_LIBRARY"
"""Environment variable with the path of the library."""

FILE_NAME = {"win32": "mynah.dll", "darwin": "libmynah.dylib"}.get(sys.platform, "libmynah.so")
"""Name of the library's file on this system."""

_PTR, _U32, _U64, _I32, _SIZE, _TEXT = c.c_void_p, c.c_uint32, c.c_uint64, c.c_int32, c.c_size_t, c.c_char_p

# Result and arguments of every call. Pointers to structs and samples are addresses: whoever calls keeps them alive.
CALLS: dict[str, tuple[type | None, tuple[type, ...]]] = {
    "mynah_abi": (_U32, ()),
    "mynah_version": (_TEXT, ()),
    "mynah_features": (_TEXT, ()),
    "mynah_status_text": (_TEXT, (_I32,)),
    "mynah_error": (_TEXT, ()),
    "mynah_viseme_name": (_TEXT, (_I32,)),
    "mynah_config_init": (_I32, (_PTR, _U32)),
    "mynah_open": (_I32, (_PTR, _TEXT, _SIZE, _PTR)),
    "mynah_close": (_I32, (_PTR,)),
    "mynah_close_all": (_I32, ()),
    "mynah_tick": (_I32, (_PTR, _U64)),
    "mynah_now_us": (_U64, (_PTR,)),
    "mynah_events": (_I32, (_PTR, _PTR, _SIZE, _PTR)),
    "mynah_step": (_I32, (_PTR, _PTR, _SIZE, _PTR, _SIZE, _PTR, _SIZE, _PTR, _U64)),
    "mynah_session_config_init": (_I32, (_PTR, _U32)),
    "mynah_say_config_init": (_I32, (_PTR, _U32)),
    "mynah_session_open": (_I32, (_PTR, _PTR, _PTR)),
    "mynah_session_close": (_I32, (_PTR,)),
    "mynah_finish": (_I32, (_PTR,)),
    "mynah_hang_up": (_I32, (_PTR,)),
    "mynah_is_closed": (_I32, (_PTR,)),
    "mynah_session_id": (_U32, (_PTR,)),
    "mynah_session_formats": (_I32, (_PTR, _PTR)),
    "mynah_history": (_I32, (_PTR, _PTR, _SIZE, _PTR)),
    "mynah_push": (_I32, (_PTR, _PTR, _SIZE)),
    "mynah_push_i16": (_I32, (_PTR, _PTR, _SIZE)),
    "mynah_pull": (_I32, (_PTR, _PTR, _SIZE, _PTR)),
    "mynah_room": (_SIZE, (_PTR,)),
    "mynah_available": (_SIZE, (_PTR,)),
    "mynah_say": (_I32, (_PTR, _TEXT, _SIZE, _PTR, _PTR)),
    "mynah_say_clip": (_I32, (_PTR, _PTR, _SIZE, _U32, _U32, _TEXT, _PTR, _PTR)),
    "mynah_reply": (_I32, (_PTR, _U64, _TEXT, _SIZE, _I32)),
    "mynah_interrupt": (_I32, (_PTR, _I32)),
    "mynah_gate": (_I32, (_PTR, _I32)),
    "mynah_end_turn": (_I32, (_PTR,)),
    "mynah_discard": (_I32, (_PTR,)),
    "mynah_respond": (_I32, (_PTR,)),
    "mynah_heard": (_I32, (_PTR, _U32, _U64)),
    "mynah_send_text": (_I32, (_PTR, _TEXT, _SIZE)),
    "mynah_set": (_I32, (_PTR, _TEXT)),
    "mynah_tool_result": (_I32, (_PTR, _TEXT, _TEXT, _SIZE)),
}


def _around(place: Path) -> Path | None:
    """The checkout that a file or a folder lies in."""
    for folder in (place, *place.parents):
        if (folder / "tools/capi/mynah.h").is_file() and (folder / "Cargo.toml").is_file():
            return folder
    return None


def checkout() -> Path | None:
    """The checkout of mynah that this package lies in, or else the working directory; `None`: neither does."""
    return _around(Path(__file__).resolve()) or _around(Path.cwd())


def candidates() -> Iterator[tuple[str, Path]]:
    """Where the library may be, the first place first, each with what it is called in messages."""
    named = os.environ.get(VARIABLE)
    if named:
        yield f"{VARIABLE}={named}", Path(named)
        return
    yield "beside the package", Path(__file__).resolve().parent / FILE_NAME
    # Never what the working directory happens to be.
    top = _around(Path(__file__).resolve())
    if top is not None:
        built = Path(os.environ.get("CARGO_TARGET_DIR") or top / "target")
        yield "target/release of the checkout", top / built / "release" / FILE_NAME


def library_path() -> Path:
    """The library's file. `ImportError`: there is none; the text says where it was looked for and what to do."""
    looked = list(candidates())
    for _, path in looked:
        if path.is_file():
            return path
    places = "\n".join(f"  {what}: {path}" for what, path in looked)
    raise ImportError(
        f"{FILE_NAME} was not found. It is looked for at {VARIABLE}, beside the package, and in target/release of the "
        f"checkout that the package lies in; here:\n{places}\n"
        f"Build it with `cargo build --release -p libmynah` in a checkout and set {VARIABLE} to "
        f"target/release/{FILE_NAME}, or install the package from a checkout where cargo is: "
        "`pip install './tools/python[sim]'`."
    )


@functools.cache
def library() -> c.CDLL:
    """The library with its calls declared, loaded once.

    `ImportError`: it is not there, cannot be loaded, or serves another number than `ABI`.
    """
    path = library_path()
    try:
        loaded = c.CDLL(str(path))
        abi_of = loaded.mynah_abi
    except (OSError, AttributeError) as error:
        raise ImportError(f"{path} is no library of mynah: {error}") from error
    abi_of.restype, abi_of.argtypes = c.c_uint32, []
    abi = abi_of()
    if abi != ABI:
        raise ImportError(
            f"{path} serves MYNAH_ABI {abi}; this package speaks {ABI}: use library and package of one version"
        )
    for name, (result, arguments) in CALLS.items():
        try:
            call = getattr(loaded, name)
        except AttributeError as error:
            raise ImportError(f"{path} has no {name}: use library and package of one version") from error
        call.restype, call.argtypes = result, list(arguments)
    return loaded


def last_error(status: int) -> Exception:
    """The exception for a call of this thread that just returned `status`: with its own text."""
    lib = library()
    text = (lib.mynah_error() or b"").decode("utf-8", "replace")
    return error_of(status, text or status_text(status))


def status_text(status: int) -> str:
    """A status in words."""
    return (library().mynah_status_text(status) or b"").decode("utf-8", "replace")


def check(status: int) -> None:
    """Raises the exception of a call on the game thread that failed."""
    if status != Status.OK:
        raise last_error(status)


def check_audio(status: int) -> None:
    """Raises the exception of an audio call that failed: such calls leave no text but their status's."""
    if status != Status.OK:
        raise error_of(status, status_text(status))


def version() -> str:
    """Version of the library, such as "0.1.0"."""
    return library().mynah_version().decode()


def features() -> frozenset[str]:
    """Voice, detector and recogniser that are part of the library, such as {"silero", "flite"}."""
    return frozenset(library().mynah_features().decode().split())


def viseme_name(viseme: int) -> str:
    """The name that blend shapes have for a shape of the mouth, 0 to 14, such as "PP"; empty for other numbers."""
    return library().mynah_viseme_name(viseme).decode()


def config_of(struct: type[c.Structure], init: str) -> c.Structure:
    """A configuration with the library's defaults; `init`: the call that fills it in."""
    config = struct()
    check(getattr(library(), init)(c.addressof(config), c.sizeof(config)))
    return config


def engine_config() -> s.Config:
    """`mynah_config` with its defaults."""
    return config_of(s.Config, "mynah_config_init")  # type: ignore[return-value]


def session_config() -> s.SessionConfig:
    """`mynah_session_config` with its defaults."""
    return config_of(s.SessionConfig, "mynah_session_config_init")  # type: ignore[return-value]


def say_config() -> s.SayConfig:
    """`mynah_say_config` with its defaults."""
    return config_of(s.SayConfig, "mynah_say_config_init")  # type: ignore[return-value]
