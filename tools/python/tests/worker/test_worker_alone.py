"""A worker needs neither libmynah nor Gymnasium, and says what it does need."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[2] / "src"
HIDE = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {hidden}:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Hidden())
"""


def run(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs a program."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MYNAH_")}
    environment |= {"PYTHONPATH": str(SOURCES), **variables}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_importing_needs_nothing() -> None:
    hide = HIDE.format(hidden={"numpy", "gymnasium", "iceoryx2"})
    done = run(f"{hide}\nfrom mynah.worker import serve, Call\nprint('mynah._library' in sys.modules)")
    assert done.stdout == "False\n", done.stderr


def test_without_iceoryx2_it_says_what_to_install() -> None:
    hide = HIDE.format(hidden={"iceoryx2"})
    code = f"{hide}\nfrom mynah.worker import _ports\n"
    code += (
        "def none(name): raise _ports.metadata.PackageNotFoundError(name)\n_ports.metadata.version = none\n"
    )
    done = run(f"{code}\nfrom mynah.worker import serve\nserve(print, engine='e', name='s')")
    assert done.returncode == 2 and "pip install 'mynah[worker]'" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


def test_another_version_of_iceoryx2_is_told() -> None:
    code = "from mynah.worker import _ports, serve\n_ports.metadata.version = lambda name: '0.9.3'\n"
    done = run(f"{code}\nserve(print, engine='e', name='s')")
    assert done.returncode == 2, done.stderr
    assert "engine and worker need iceoryx2 0.10.0 both; installed is 0.9.3" in done.stderr
