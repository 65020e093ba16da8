"""Whatever is opened is given back. `soak.py` does the same for ten minutes."""

from __future__ import annotations

import gc
import sys

import pytest
from soak import Soak, resident_mb

import mynah


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc")
def test_memory_is_flat_over_opening_and_closing() -> None:
    soak = Soak()
    for _ in range(15):
        soak.once()
    before_mb, sessions = resident_mb(), soak.sessions
    for _ in range(30):
        soak.once()
    # One engine left behind keeps more than a megabyte, and there were 120.
    assert resident_mb() - before_mb < 25
    assert soak.sessions - sessions > 300 and soak.closed == 0


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc")
def test_what_nobody_closes_is_closed_when_nobody_has_it() -> None:
    def leave() -> None:
        vec = mynah.VoiceVec("gate_only", 2)
        engine = mynah.Engine("gate_only")
        engine.open("left behind")
        del vec, engine

    for _ in range(20):
        leave()
    gc.collect()
    before_mb = resident_mb()
    for _ in range(100):
        leave()
    gc.collect()
    assert resident_mb() - before_mb < 25
