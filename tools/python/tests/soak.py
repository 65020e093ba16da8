"""Opens, steps, resets, forks and closes for a while: memory stays flat, and no event is lost.

    python tools/python/tests/soak.py --minutes 10

Prints the resident memory once a tenth of the time. Exit code 1: it grew by more than `--most-mb`, from the first
tenth to the end, or an engine on its own thread told less than everything.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

import numpy as np

import mynah
from mynah.recordings import labelled


def resident_mb() -> float:
    """Memory of this process that is resident, MB; Linux only."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


class Soak:
    """What is done again and again, and how often it was."""

    def __init__(self, seed: int = 1) -> None:
        """`seed`: of what is done."""
        self.random = np.random.default_rng(seed)
        self.sound = np.concatenate([recording.sound for recording in labelled()])
        self.sessions = self.events = self.closed = 0

    def vector(self) -> None:
        """A vector of sessions, some of which begin anew, and a fork of it."""
        n, scene = int(self.random.integers(1, 9)), str(self.random.choice(["barge_in", "gate_only"]))
        with mynah.VoiceVec(scene, n, seed=int(self.random.integers(99)), keep_inputs=True) as vec:
            self.play(vec, 40)
            mask = self.random.random(n) < 0.5
            vec.reset(mask)
            if scene == "barge_in":
                vec.say(0, "This is spoken, and perhaps cut off.")
            self.play(vec, 40)
            with vec.fork(30) as other:
                self.play(other, 10)
            vec.reset(seed=3)
            self.play(vec, 10)
        self.sessions += 3 * n + int(mask.sum())

    def play(self, vec: mynah.VoiceVec, steps: int) -> None:
        """Steps with pieces of the recordings."""
        at = self.random.integers(0, len(self.sound) - steps * vec.samples, vec.n)
        for step in range(steps):
            window = at[:, None] + np.arange(step * vec.samples, (step + 1) * vec.samples)
            given = vec.step(self.sound[window])
            self.events += len(given.events)
            for i in range(len(given.events)):
                given.text(i), given.detail(i), given.spoken(i)

    def own_thread(self) -> None:
        """In real time: an engine on a thread of its own: each of its sessions tells its end once."""
        with mynah.Engine("barge_in", drive=mynah.Drive.THREAD) as engine:
            sessions = [engine.open(f"player {i}") for i in range(4)]
            for session in sessions:
                session.push(self.sound[:1_600])
                session.say("Hm.")
                session.finish()
            told, until = 0, time.monotonic() + 30
            while told < len(sessions) and time.monotonic() < until:
                time.sleep(0.002)
                for session in sessions:
                    # An answer ends when it was read.
                    session.pull(160)
                events = engine.events()
                self.events += len(events)
                told += sum(event.kind == mynah.Kind.CLOSED for event in events)
            for session in sessions:
                session.close()
        self.sessions += len(sessions)
        self.closed += len(sessions) - told

    def refused(self) -> None:
        """Scenes that are wrong."""
        try:
            mynah.Engine("gate_only", settings=["gate.treshold=1"])
        except mynah.SceneError:
            return
        raise AssertionError("a wrong setting was taken")

    def once(self) -> None:
        """All of it, once."""
        self.vector()
        self.own_thread()
        self.refused()


def main() -> int:
    """Runs for the time given."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--minutes", type=float, default=10.0)
    options.add_argument("--most-mb", type=float, default=10.0)
    given = options.parse_args()
    soak, began_s = Soak(), time.monotonic()
    first_mb = None
    for tenth in range(1, 11):
        while time.monotonic() - began_s < given.minutes * 6 * tenth:
            soak.once()
        now_mb = resident_mb()
        first_mb = now_mb if first_mb is None else first_mb
        minutes = (time.monotonic() - began_s) / 60
        print(
            f"{minutes:5.1f} min: {now_mb:7.1f} MB, {soak.sessions} sessions, {soak.events} events",
            flush=True,
        )
    grown_mb = now_mb - first_mb
    print(f"grown by {grown_mb:.1f} MB since the first tenth; {soak.closed} ends of sessions were not told")
    return int(grown_mb > given.most_mb or soak.closed > 0)


if __name__ == "__main__":
    sys.exit(main())
