"""A worker that recognises with Moonshine's own library.

    pip install './tools/python[worker]' moonshine-voice moonshine-cpp
    python tools/python/examples/workers/moonshine.py --engine mynah --service asr [--model FOLDER] [--arch BASE]

Without --model: base-en, as the package moonshine-cpp brings it along. The library does a whole call at once: a cancel
takes effect when it has returned.
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

from mynah.worker import Call, serve


class Moonshine:
    """A model, from the start of the worker on."""

    def __init__(self, model: str | None, arch: str) -> None:
        self.folder, self.arch = model, arch

    def open(self) -> None:
        """Loads the model: the engine hears of the worker when it is ready."""
        from moonshine_voice.moonshine_api import ModelArch
        from moonshine_voice.transcriber import Transcriber

        if self.folder is None:
            spec = find_spec("moonshine_cpp")
            if spec is None or spec.origin is None:
                raise FileNotFoundError("no model: give --model, or `pip install moonshine-cpp`")
            self.folder = str(Path(spec.origin).parent / "models/base-en")
        self.model = Transcriber(self.folder, ModelArch[self.arch])

    def __call__(self, call: Call) -> str:
        """Audio to text."""
        audio = call.audio if call.audio.ndim == 1 else call.audio.mean(axis=1)
        rate_hz = call.hears.rate_hz if call.hears else 16_000
        return " ".join(
            line.text for line in self.model.transcribe_without_streaming(audio.tolist(), rate_hz).lines
        )


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--engine", help="name of the engine; default: MYNAH_ENGINE")
    options.add_argument("--service", help="name of the service in the scene; default: MYNAH_SERVICE")
    options.add_argument(
        "--model", help="folder with encoder_model.ort, decoder_model_merged.ort, tokenizer.bin"
    )
    options.add_argument(
        "--arch", default="BASE", help="TINY, BASE or another of the library's; default: %(default)s"
    )
    given = options.parse_args()
    work = Moonshine(given.model, given.arch)
    serve(work, "Transcribe", engine=given.engine, name=given.service, parallel=1, label="moonshine")
