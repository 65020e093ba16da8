"""Scenes: as text, as a file, or by the name of one in the checkout's `scenes/`."""

from __future__ import annotations

import os
from pathlib import Path

from mynah._library import checkout


def scene_text(scene: str | os.PathLike[str]) -> tuple[str, str]:
    """The name for diagnostics and the text of a scene.

    `scene`: RON text (anything with a bracket or a line break), a path, or a bare name such as "gate_only".
    `FileNotFoundError`: there is no such file, and no scene of that name; the text lists those there are.
    """
    given = os.fspath(scene)
    if isinstance(scene, str) and ("(" in given or "\n" in given):
        return "scene.ron", given
    path = Path(given)
    if path.is_file():
        return path.name, path.read_text(encoding="utf-8-sig")
    top = checkout()
    shipped = sorted((top / "scenes").glob("*.ron")) if top is not None else []
    for file in shipped:
        if given in (file.stem, file.name):
            return file.name, file.read_text(encoding="utf-8-sig")
    names = ", ".join(file.stem for file in shipped)
    nowhere = "a scene's name, where this package or the working directory lies in a checkout"
    hint = f"a scene of the checkout ({names})" if names else nowhere
    raise FileNotFoundError(f"no scene {given!r}; expected RON text, the path of a file, or {hint}")
