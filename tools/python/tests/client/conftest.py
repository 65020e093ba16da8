"""The vectors of the contract."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

VECTORS = Path(__file__).resolve().parents[4] / "tests/vectors/control"


@pytest.fixture(scope="session")
def vectors() -> dict[str, Any]:
    """Control messages as they stand in JSON, by name."""
    return {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(VECTORS.glob("*.json"))}
