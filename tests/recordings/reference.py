"""Speech probabilities of Silero VAD v6 by ONNX Runtime, for the 16 kHz clips of this folder.

    pip install numpy onnxruntime && pip download --no-deps silero-vad==6.2.3 && unzip silero_vad-6.2.3-*.whl
    python reference.py silero_vad/data/silero_vad_16k_sequence.onnx > silero_vad_v6_16k.reference.jsonl

A line a clip: one probability for each full chunk of 512 samples; state and context begin as zeros.
"""

import json
import pathlib
import sys
import wave

import numpy
import onnxruntime

CHUNK, CONTEXT = 512, 64


def main(model):
    session = onnxruntime.InferenceSession(model)
    here = pathlib.Path(__file__).parent
    for line in (here / "labels.jsonl").read_text().splitlines():
        label = json.loads(line)
        if label["rate"] != 16_000 or not label["segments"]:
            continue
        with wave.open(str(here / label["file"])) as clip:
            words = numpy.frombuffer(clip.readframes(clip.getnframes()), dtype="<i2")
        samples = numpy.concatenate([numpy.zeros(CONTEXT), words / 32_768]).astype(numpy.float32)
        starts = range(0, len(words) - CHUNK + 1, CHUNK)
        chunks = numpy.stack([samples[at : at + CONTEXT + CHUNK] for at in starts])
        zeros = numpy.zeros((1, 1, 128), dtype=numpy.float32)
        found, _, _ = session.run(None, {"input": chunks, "h": zeros, "c": zeros})
        print(json.dumps({"file": label["file"], "probabilities": [round(float(p), 6) for p in found]}))


main(sys.argv[1])
