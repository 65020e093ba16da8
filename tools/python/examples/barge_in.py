"""Speech over an answer, at scripted times: how long until it is silent, and what becomes of it.

    python tools/python/examples/barge_in.py

Each session speaks a line of the host's; after a time of its own a recorded voice says a sentence over it, or only a
word. The line stops at once: the sentence withdraws it, after the word it goes on. Time is virtual; detector, voice and
recordings are real.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

import numpy as np

import mynah
from mynah import Kind
from mynah.recordings import wav_samples

LINE = (
    "Let me tell you about the old bridge. It was built by the people of the valley, long before the mill. "
    "They carried the stones up the river, one by one, for eleven years. Nobody has counted them since."
)
# When somebody begins, ms after the line does.
BEGINS_MS = tuple(range(400, 4_400, 250))
LENGTH_MS, RATE_HZ, STEP_MS = 9_000, 16_000, 20


@dataclass
class Talk:
    """One session: who begins when, and what the answer does."""

    who: str
    sound: np.ndarray
    begins_ms: int
    line_us: int | None = None
    began_us: int | None = None
    silent_ms: float | None = None
    told: list[str] = field(default_factory=list)

    def says(self, now_us: int, frames: int) -> np.ndarray:
        """What the microphone hears in the step behind `now_us`."""
        if (
            self.line_us is not None
            and self.began_us is None
            and now_us >= self.line_us + 1_000 * self.begins_ms
        ):
            self.began_us = now_us
        piece = np.zeros(frames, np.float32)
        if self.began_us is not None:
            at = (now_us - self.began_us) * RATE_HZ // 1_000_000
            rest = self.sound[at : at + frames]
            piece[: len(rest)] = rest
        return piece

    def hears(self, now_us: int, frames: int, got: int) -> None:
        """Notes when the loudspeaker falls silent in the step behind `now_us`."""
        if self.began_us is not None and self.silent_ms is None and got < frames:
            self.silent_ms = (now_us + got * 1_000_000 // RATE_HZ - self.began_us) / 1e3


def talks() -> list[Talk]:
    """A sentence and a word, each at every time."""
    top = mynah.checkout()
    if top is None:
        raise SystemExit("this example needs the recordings of a checkout")
    _, turns = wav_samples(top / "tests/recordings/turns.wav")
    cut = {"sentence": turns[16 * 3_323 : 16 * 4_623], "word": turns[16 * 3_323 : 16 * 3_523]}
    return [Talk(who, sound, ms) for who, sound in cut.items() for ms in BEGINS_MS]


def run(all_talks: list[Talk]) -> None:
    """Plays all of them."""
    with mynah.VoiceVec("barge_in", len(all_talks), step_ms=STEP_MS) as vec:
        for i in range(vec.n):
            vec.say(i, LINE)
        for now_us in range(0, 1_000 * LENGTH_MS, 1_000 * STEP_MS):
            pcm = np.stack([talk.says(now_us, vec.samples) for talk in all_talks])
            given = vec.step(pcm)
            for event in given.events:
                talk, kind = all_talks[event["session"]], Kind(event["kind"])
                if kind == Kind.ANSWER_STARTED and talk.line_us is None:
                    talk.line_us = int(event["t_us"])
                if kind.name.startswith("ANSWER_") and len(talk.told) < 3:
                    talk.told.append(kind.name.removeprefix("ANSWER_").lower())
            for talk, got in zip(all_talks, given.got.tolist(), strict=True):
                talk.hears(now_us, vec.out_samples, got)


def main() -> None:
    """Prints a line a session, and the figures of each kind."""
    all_talks = talks()
    run(all_talks)
    print("who       begins ms  silent after ms  the answer")
    for talk in all_talks:
        after = "-" if talk.silent_ms is None else f"{talk.silent_ms:.0f}"
        print(f"{talk.who:8}  {talk.begins_ms:9}  {after:>15}  {', '.join(talk.told)}")
    for who in ("sentence", "word"):
        own = [talk for talk in all_talks if talk.who == who]
        silent = sorted(talk.silent_ms for talk in own if talk.silent_ms is not None)
        withdrawn = sum("interrupted" in talk.told for talk in own)
        figures = (
            f"speech to silence P50 {statistics.median(silent):.0f}, max {silent[-1]:.0f} ms; "
            if silent
            else ""
        )
        print(f"{who}: {figures}{len(silent)} of {len(own)} fell silent, {withdrawn} answers withdrawn")


if __name__ == "__main__":
    main()
