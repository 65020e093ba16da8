"""A package that lies in no checkout, as an installed one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import mynah

TOP = Path(__file__).resolve().parents[3]


def run(package: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Opens a scene by its name, from a working directory."""
    environment = {**os.environ, "PYTHONPATH": str(package), "MYNAH_LIBRARY": str(mynah.library_path())}
    code = "import mynah; print(mynah.VoiceVec('gate_only', 2).n)"
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_scenes_have_names_where_the_working_directory_is_a_checkout(tmp_path: Path) -> None:
    shutil.copytree(TOP / "tools/python/src/mynah", tmp_path / "mynah")
    inside = run(tmp_path, TOP / "tools")
    assert inside.stdout == "2\n", inside.stderr
    outside = run(tmp_path, tmp_path)
    assert outside.returncode != 0 and "expected RON text, the path of a file" in outside.stderr
