"""Sentences on stderr. Who reads them may be gone: that stops nobody."""

from __future__ import annotations

import sys
import traceback
from contextlib import suppress


def say(sentence: str) -> None:
    """A sentence, as `mynah worker: ...`."""
    with suppress(OSError, ValueError, AttributeError):
        print(f"mynah worker: {sentence}", file=sys.stderr, flush=True)


def say_trace(error: BaseException) -> None:
    """Where an exception came from."""
    with suppress(OSError, ValueError, AttributeError):
        traceback.print_exception(type(error), error, error.__traceback__, file=sys.stderr)
        sys.stderr.flush()
