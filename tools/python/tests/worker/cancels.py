"""How long a cancel takes, from the engine's sending to its reading of the acknowledgements.

    python tools/python/tests/worker/cancels.py [--count 500]

For a service that awaits, one that computes in a thread in pieces of a millisecond, and one that is told by a callback.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "src")]

from fake_engine import FakeEngine, own_engine  # noqa: E402

SERVICES = {"sleeps": "await", "computes": "token each ms", "told": "callback"}


def measured(engine: FakeEngine, service: str, count: int) -> tuple[list[float], list[float]]:
    """Milliseconds until cancels were delivered, and until they had taken effect."""
    delivered, applied = [], []
    with engine.worker(service) as worker:
        peer = engine.peer()
        for number in range(count):
            call = engine.call(peer)
            engine.pass_s(0.01 + 0.001 * (number % 10))
            began_s = time.monotonic()
            message_id = engine.send(peer, "Cancel", call=call)
            for stage, found in (("Delivered", delivered), ("Applied", applied)):
                found.append(
                    (engine.first(peer, "Ack", message_id=message_id, stage=stage).at_s - began_s) * 1e3
                )
            peer.heard.clear()
        before_s = cpu_s(worker.pid)
        engine.pass_s(5.0)
        print(f"{SERVICES[service]:14} at rest: {(cpu_s(worker.pid) - before_s) / 5 * 100:.1f} % of a core")
    return delivered, applied


def cpu_s(pid: int) -> float:
    """Processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measures and prints."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--count", type=int, default=500)
    given = options.parse_args()
    rows = []
    for service, name in SERVICES.items():
        with own_engine(f"cancels {service}") as engine:
            for stage, found in zip(
                ("Delivered", "Applied"), measured(engine, service, given.count), strict=True
            ):
                found.sort()
                marks = [
                    found[min(len(found) - 1, int(len(found) * part))] for part in (0.5, 0.95, 0.99, 1.0)
                ]
                rows.append(f"{name:14} {stage:10}" + "".join(f"{mark:9.2f}" for mark in marks))
    print(
        f"{given.count} cancels each, load {os.getloadavg()[0]:.1f}; ms\n{'':25}      P50      P95      P99      max"
    )
    print("\n".join(rows))


if __name__ == "__main__":
    main()
