"""The lines that README.md shows: 64 callers in virtual time, and what is told of the first.

python tools/python/examples/callers.py
"""

# README: begin
import numpy as np

from mynah import Kind, VoiceVec
from mynah.recordings import wav_samples

_, call = wav_samples("tests/recordings/turns.wav")  # float32 [samples], 16 kHz
with VoiceVec("scenes/barge_in.ron", 64, seed=1) as callers:  # 64 sessions, virtual time
    for at in range(0, len(call) - callers.samples, callers.samples):
        pcm = np.tile(call[at : at + callers.samples], (64, 1))  # what each says in 20 ms
        step = callers.step(pcm)  # step.out[64, 320], step.got[64], step.events
        for i in np.flatnonzero(step.events["session"] == 0):
            kind, t_us = Kind(step.events["kind"][i]), step.events["t_us"][i]
            if kind != Kind.SPOKEN:
                print(f"{t_us / 1e6:.3f} s  {kind.name.lower()}  {step.text(i) or ''}".rstrip())
# README: end
