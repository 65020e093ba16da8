"""A worker that answers what the user said, word by word: the smallest reply service.

    pip install './tools/python[worker]'
    python tools/python/examples/workers/echo.py --engine mynah --service reply

An engine that starts it by itself names engine and service in the environment; the arguments are then left out.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator

from mynah.worker import Call, serve


async def echo(call: Call) -> AsyncIterator[str]:
    """Says back; a cancel ends it at the next `await`."""
    yield "You said: "
    for word in call.text.split():
        await asyncio.sleep(0.05)
        yield word + " "


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--engine", help="name of the engine; default: MYNAH_ENGINE")
    options.add_argument("--service", help="name of the service in the scene; default: MYNAH_SERVICE")
    given = options.parse_args()
    serve(echo, "Reply", engine=given.engine, name=given.service)
