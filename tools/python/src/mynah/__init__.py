"""mynah for Python: voice sessions in simulations, over the C interface (`mynah.h`).

`VoiceVec` steps many sessions at once with NumPy arrays; `Engine` and `Session` are the calls of the interface, one by
one; `mynah.gym` has an environment for policies that take turns. The library is loaded, and NumPy imported, by what
needs it: `import mynah` needs neither.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mynah.constants import (
    ABI,
    NEVER,
    SCENE,
    Drive,
    EventFlags,
    Gate,
    Interrupt,
    Kind,
    PullFlags,
    Status,
    What,
)
from mynah.errors import ClosedError, FullError, MynahError, SceneError, SettingError

if TYPE_CHECKING:
    from mynah._library import checkout, features, library_path, version, viseme_name
    from mynah.engine import Engine, close_all
    from mynah.event import Event, Spoken
    from mynah.session import Formats, Pulled, Session
    from mynah.sim import Step, VoiceVec

__version__ = "0.1.0"

_LAZY = {
    "Engine": "mynah.engine",
    "Event": "mynah.event",
    "Formats": "mynah.session",
    "Pulled": "mynah.session",
    "Session": "mynah.session",
    "Spoken": "mynah.event",
    "Step": "mynah.sim",
    "VoiceVec": "mynah.sim",
    "checkout": "mynah._library",
    "close_all": "mynah.engine",
    "features": "mynah._library",
    "library_path": "mynah._library",
    "version": "mynah._library",
    "viseme_name": "mynah._library",
}

__all__ = [
    "ABI",
    "NEVER",
    "SCENE",
    "ClosedError",
    "Drive",
    "Engine",
    "Event",
    "EventFlags",
    "Formats",
    "FullError",
    "Gate",
    "Interrupt",
    "Kind",
    "MynahError",
    "PullFlags",
    "Pulled",
    "SceneError",
    "Session",
    "SettingError",
    "Spoken",
    "Status",
    "Step",
    "VoiceVec",
    "What",
    "checkout",
    "close_all",
    "features",
    "library_path",
    "version",
    "viseme_name",
]


def __getattr__(name: str) -> Any:
    """Imports what needs the library or NumPy when it is first used."""
    if name not in _LAZY:
        raise AttributeError(f"module 'mynah' has no attribute {name!r}")
    try:
        return getattr(import_module(_LAZY[name]), name)
    except ModuleNotFoundError as error:
        if error.name != "numpy":
            raise
        raise ImportError(f"mynah.{name} needs NumPy: `pip install 'mynah[sim]'`") from error


def __dir__() -> list[str]:
    return sorted(__all__)
