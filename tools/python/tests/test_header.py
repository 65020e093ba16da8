"""The package speaks of the same structs, calls and numbers as `mynah.h`."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TOP

from mynah import constants, layout
from mynah._library import CALLS
from mynah._structs import STRUCTS

HEADER = (TOP / "tools/capi/mynah.h").read_text(encoding="utf-8")


def test_every_call_is_declared_and_no_other() -> None:
    declared = re.findall(r"^(?!//).*?\b(mynah_\w+)\(", HEADER, re.MULTILINE)
    assert set(declared) - {"mynah_log_fn"} == set(CALLS)


def test_every_number_has_its_name() -> None:
    numbers = {
        name: int(number)
        for name, number in re.findall(r"^#define MYNAH_(\w+) (-?\d+)$", HEADER, re.MULTILINE)
    }
    ours = {
        "ABI": constants.ABI,
        "SCENE": constants.SCENE,
        "NEVER": constants.NEVER,
        "PHONE_BYTES": constants.PHONE_BYTES,
    }
    prefixes = {constants.Drive: "DRIVE_", constants.Gate: "GATE_", constants.Interrupt: "INTERRUPT_"}
    for kind in (
        constants.Status,
        constants.Drive,
        constants.Gate,
        constants.Interrupt,
        constants.Kind,
        constants.EventFlags,
        constants.What,
        constants.PullFlags,
    ):
        ours |= {prefixes.get(kind, "") + member.name: int(member) for member in kind}
    levels = {name: number for name, number in numbers.items() if name.startswith("LOG_")}
    assert levels == {"LOG_WARNING": 1, "LOG_ERROR": 2}
    assert {name: number for name, number in numbers.items() if name not in levels} == ours


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_structs_lie_as_in_c(tmp_path: Path) -> None:
    prints = []
    for name, struct in STRUCTS.items():
        prints.append(f'printf("{name} %zu\\n", sizeof({name}));')
        for field, *_ in struct._fields_:
            size = f"sizeof((({name} *)0)->{field})"
            prints.append(f'printf("{name}.{field} %zu %zu\\n", offsetof({name}, {field}), {size});')
    body = "\n".join(prints)
    program = tmp_path / "layout.c"
    program.write_text(f'#include <stdio.h>\n#include "mynah.h"\nint main(void) {{\n{body}\nreturn 0;\n}}\n')
    binary = tmp_path / "layout"
    subprocess.run(["gcc", str(program), f"-I{TOP / 'tools/capi'}", "-o", str(binary)], check=True)
    expected = subprocess.run([binary], check=True, capture_output=True, text=True).stdout
    assert "\n".join(layout.lines()) + "\n" == expected
    fields = {field.group(1) for field in re.finditer(r"^  .*?[ *](\w+)(?:\[\w+\])?;$", HEADER, re.MULTILINE)}
    ours = {field for struct in STRUCTS.values() for field, *_ in struct._fields_}
    assert fields == ours, "a struct has fields that the package does not know"


def test_the_layout_is_a_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mynah.layout"], check=True, capture_output=True, text=True, env=_path()
    )
    assert done.stdout.startswith("mynah_config 64\nmynah_config.size 0 4\n")


def _path() -> dict[str, str]:
    import os

    import mynah

    return {**os.environ, "PYTHONPATH": str(Path(mynah.__file__).parents[1])}
