"""Builds the package by setuptools, and `libmynah` by cargo where it can be built.

Backends are not told which extras are asked for, so the library goes into every wheel that is built in a checkout on a
machine with cargo. `-C library=no` leaves it out, `-C library=yes` fails where it cannot be built.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from setuptools import build_meta
from setuptools.build_meta import (
    build_editable,
    build_sdist,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

FOLDERS = Path(__file__).resolve().parents
CHECKOUT = next((folder for folder in FOLDERS if (folder / "tools/capi/mynah.h").is_file()), None)
FILE_NAME = {"win32": "mynah.dll", "darwin": "libmynah.dylib"}.get(sys.platform, "libmynah.so")
CARGO = ["cargo", "build", "--release", "--locked", "-p", "libmynah"]

Settings = Mapping[str, object] | None


def build_wheel(
    wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None
) -> str:
    """Builds a wheel; with the library it is one for this platform, for any Python 3."""
    settings = dict(config_settings or {})
    wish = str(settings.pop("library", "auto"))
    if wish not in ("auto", "yes", "no"):
        raise SystemExit(f"-C library={wish}: expected yes, no or auto")
    files = [] if wish == "no" else built(must=wish == "yes")
    with build_folder() as folder:
        if files:
            beside = folder / "lib" / "mynah"
            beside.mkdir(parents=True)
            for file in files:
                shutil.copy2(file, beside)
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            settings["--build-option"] = [*options(settings), f"--plat-name={platform}"]
        return build_meta.build_wheel(wheel_directory, settings, metadata_directory)


def prepare_metadata_for_build_wheel(metadata_directory: str, config_settings: Settings = None) -> str:
    """Writes the metadata of a wheel."""
    settings = {name: value for name, value in (config_settings or {}).items() if name != "library"}
    with build_folder():
        return build_meta.prepare_metadata_for_build_wheel(metadata_directory, settings)


def options(settings: Mapping[str, object]) -> list[str]:
    """Build options that were given: one or several."""
    given = settings.get("--build-option", [])
    return [given] if isinstance(given, str) else [str(option) for option in given]  # type: ignore[attr-defined]


def built(must: bool) -> list[Path]:
    """Has cargo build the library; it and the licences. Empty: there is no checkout around the package, or no cargo."""
    if CHECKOUT is None or shutil.which("cargo") is None:
        reason = "cargo is not on the PATH" if CHECKOUT else "the package lies in no checkout of mynah"
        if must:
            raise SystemExit(f"-C library=yes: libmynah cannot be built: {reason}")
        print(f"mynah: without libmynah: {reason}; MYNAH_LIBRARY names one at run time", file=sys.stderr)
        return []
    done = subprocess.run(CARGO, cwd=CHECKOUT)
    if done.returncode != 0:
        raise SystemExit(f"`{' '.join(CARGO)}` failed; `-C library=no` installs the package without libmynah")
    target = CHECKOUT / os.environ.get("CARGO_TARGET_DIR", "target")
    return [target / "release" / FILE_NAME, CHECKOUT / "LICENSE-MIT", CHECKOUT / "LICENSE-APACHE"]


@contextmanager
def build_folder() -> Iterator[Path]:
    """A folder of its own for setuptools: nothing stays in the checkout, nothing of an earlier build comes along."""
    with tempfile.TemporaryDirectory(prefix="mynah-") as name:
        config = Path(name) / "extra.cfg"
        config.write_text(f"[build]\nbuild_base={name}\n[egg_info]\negg_base={name}\n")
        before = os.environ.get("DIST_EXTRA_CONFIG")
        os.environ["DIST_EXTRA_CONFIG"] = str(config)
        try:
            yield Path(name)
        finally:
            if before is None:
                del os.environ["DIST_EXTRA_CONFIG"]
            else:
                os.environ["DIST_EXTRA_CONFIG"] = before
