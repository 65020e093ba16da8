"""Cuts utterances out of the recordings of the checkout: two files that a client can say, `speech.py FOLDER`."""

from __future__ import annotations

import json
import sys
import wave
from pathlib import Path

RECORDINGS = Path(__file__).parent.parent / "recordings"
NAME = "voices.wav"
SAID = (0, 1)
"""Which utterances of the recording: the first is a command, the second a question."""
AROUND_MS = 60


def main() -> None:
    """Writes first.wav and second.wav, and prints them separated by `:`."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    lines = (RECORDINGS / "labels.jsonl").read_text().splitlines()
    labels = next(row for row in map(json.loads, lines) if row["file"] == NAME)
    spoken = [segment for segment in labels["segments"] if segment["kind"] == "utterance"]
    paths = []
    with wave.open(str(RECORDINGS / NAME), "rb") as recording:
        rate = recording.getframerate()
        for place, name in zip(SAID, ("first", "second"), strict=True):
            start = max(0, spoken[place]["start_ms"] - AROUND_MS) * rate // 1_000
            end = min(recording.getnframes(), (spoken[place]["end_ms"] + AROUND_MS) * rate // 1_000)
            recording.setpos(start)
            path = folder / f"{name}.wav"
            with wave.open(str(path), "wb") as out:
                out.setparams(recording.getparams())
                out.writeframes(recording.readframes(end - start))
            paths.append(str(path))
    print(":".join(paths))


if __name__ == "__main__":
    main()
