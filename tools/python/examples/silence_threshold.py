"""A policy that answers after so much silence, over the labelled recordings: how often too early, how late otherwise.

    python tools/python/examples/silence_threshold.py

One session a recording and threshold, all at once, in virtual time. The gate alone would wait 10 s; the policy ends the
caller's turn. Detector, voice and timing of the voice are the scene's; recogniser and reply are simulated.
"""

from __future__ import annotations

import statistics
import time

import numpy as np

import mynah
from mynah import Kind
from mynah.recordings import Recording, labelled

THRESHOLDS_MS = (40, 80, 120, 160, 200, 250, 300, 400, 500, 600)
TAIL_MS = 2_000


class Caller:
    """A recording that is played to a session, and the policy that decides when to answer it."""

    def __init__(self, recording: Recording, threshold_ms: int) -> None:
        self.recording, self.threshold_ms = recording, threshold_ms
        self.ended_us: int | None = None
        self.premature = 0
        self.decided_ms: list[float] = []
        self.sounded_ms: list[float] = []
        self.waits_since_us: int | None = None
        self.answered = 0

    def hear(self, kind: Kind, event: np.void) -> None:
        """Follows when the caller seems to have finished, and when the answer sounds."""
        if kind == Kind.END_OF_SPEECH and not event["flags"] & mynah.EventFlags.LAST:
            self.ended_us = int(event["until_us"])
        elif kind in (Kind.END_OF_SPEECH, Kind.END_OF_SPEECH_RETRACTED):
            self.ended_us = None
        elif kind == Kind.ANSWER_STARTED and self.waits_since_us is not None:
            self.sounded_ms.append((int(event["t_us"]) - self.waits_since_us) / 1e3)
            self.waits_since_us = None

    def answers(self, now_us: int) -> bool:
        """Whether the silence is long enough; counts the answer by the labels."""
        if self.ended_us is None or now_us - self.ended_us < 1_000 * self.threshold_ms:
            return False
        self.ended_us = None
        said = self.recording.utterances
        over = [u for u in said if 1_000 * u.end_ms <= now_us]
        if any(1_000 * u.start_ms <= now_us < 1_000 * u.end_ms for u in said):
            self.premature += 1
        elif len(over) > self.answered:
            self.waits_since_us = 1_000 * over[-1].end_ms
            self.decided_ms.append((now_us - self.waits_since_us) / 1e3)
        self.answered = len(over)
        return True


def run(callers: list[Caller]) -> float:
    """Plays all recordings to their ends; returns the seconds of sessions that it took."""
    with mynah.VoiceVec("barge_in", len(callers), settings=["gate.min_silence_ms=10000"]) as vec:
        longest = max(len(caller.recording.sound) for caller in callers)
        steps = (longest + TAIL_MS * 16) // vec.samples + 1
        sound = np.zeros((len(callers), steps, vec.samples), np.float32)
        for row, caller in zip(sound, callers, strict=True):
            row.reshape(-1)[: len(caller.recording.sound)] = caller.recording.sound
        for step in range(steps):
            given = vec.step(np.ascontiguousarray(sound[:, step]))
            for event in given.events:
                callers[event["session"]].hear(Kind(event["kind"]), event)
            for i, caller in enumerate(callers):
                if caller.answers(vec.now_us):
                    vec.respond(i)
    return len(callers) * steps * 0.02


def main() -> None:
    """Prints a line a threshold."""
    recordings = labelled()
    utterances = sum(len(recording.utterances) for recording in recordings)
    callers = [Caller(recording, ms) for ms in THRESHOLDS_MS for recording in recordings]
    began_s = time.process_time()
    session_s = run(callers)
    took_s = time.process_time() - began_s
    print(f"{len(recordings)} recordings, {utterances} utterances; times from the end of an utterance")
    print("silence ms  answers  premature  decided P50 ms  max ms  sounds P50 ms")
    for ms in THRESHOLDS_MS:
        own = [caller for caller in callers if caller.threshold_ms == ms]
        decided = [one for caller in own for one in caller.decided_ms]
        sounded = [one for caller in own for one in caller.sounded_ms]
        premature = sum(caller.premature for caller in own)
        answers = len(decided) + premature
        share = f"{100 * premature / answers:.0f} %" if answers else "-"
        times = [f"{statistics.median(of):.0f}" if of else "-" for of in (decided, sounded)]
        latest = f"{max(decided):.0f}" if decided else "-"
        print(f"{ms:10}  {answers:7}  {share:>9}  {times[0]:>14}  {latest:>6}  {times[1]:>13}")
    print(f"{session_s:.0f} s of sessions in {took_s:.1f} s of processor")


if __name__ == "__main__":
    main()
