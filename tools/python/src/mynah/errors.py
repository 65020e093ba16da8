"""Failed calls as exceptions."""

from __future__ import annotations

from mynah.constants import Status


class MynahError(Exception):
    """A call of the library failed. `status` says how, the text what, where, and what would do."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status: Status | int = Status(status) if status in Status._value2member_map_ else status
        self.text = text

    def __str__(self) -> str:
        name = self.status.name if isinstance(self.status, Status) else str(self.status)
        return f"{self.text} [{name}]"

    def __reduce__(self) -> tuple[type[MynahError], tuple[int, str]]:
        return type(self), (int(self.status), self.text)


class SceneError(MynahError):
    """The scene or one of its settings is wrong: the text has all diagnostics."""


class SettingError(MynahError):
    """A setting of a session is out of range, or nothing for this scene."""


class ClosedError(MynahError):
    """The engine or session is closed, or its input has ended."""


class FullError(MynahError):
    """There is no room at present: audio or messages wait for the next tick, or all sessions are open."""


_BY_STATUS: dict[int, type[MynahError]] = {
    Status.BAD_SCENE: SceneError,
    Status.BAD_SETTING: SettingError,
    Status.BAD_HANDLE: ClosedError,
    Status.ENDED: ClosedError,
    Status.FULL: FullError,
    Status.NO_ROOM: FullError,
}


def error_of(status: int, text: str) -> MynahError:
    """The exception for a status below zero, with its text."""
    return _BY_STATUS.get(status, MynahError)(status, text)
