"""The page of a server in a browser without a window, with a recording for a microphone: it is heard and answered, breaks in,
and complains of nothing. `page.py http://HOST:PORT SPEECH.wav [--pictures FOLDER]`"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import shutil
import subprocess
import tempfile
import urllib.request
import wave
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE_S = 40


class Page:
    """A tab, by the DevTools protocol."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._number = socket, 0
        self.console: list[str] = []
        """Errors and warnings."""

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Sends a command, and waits for its answer."""
        self._number += 1
        await self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            message = json.loads(await self._socket.recv())
            self._note(message)
            if message.get("id") == self._number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]

    def _note(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        match message.get("method"):
            case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning", "assert"):
                self.console.append(" ".join(str(one.get("value", one.get("description"))) for one in params["args"]))
            case "Runtime.exceptionThrown":
                self.console.append(str(params["exceptionDetails"].get("exception", {}).get("description")))
            case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
                self.console.append(params["entry"]["text"])

    async def value(self, expression: str) -> Any:
        """What an expression is worth."""
        done = await self.ask("Runtime.evaluate", expression=f"JSON.stringify({expression})", returnByValue=True)
        text = done["result"].get("value")
        return None if text is None else json.loads(text)

    async def until(self, what: str, expression: str) -> Any:
        """Waits until an expression holds."""
        for _ in range(PATIENCE_S * 10):
            found = await self.value(expression)
            if found:
                return found
            await asyncio.sleep(0.1)
        told = await self.value("window.mynah && {...window.mynah, session: undefined}")
        raise AssertionError(f"{what}: not within {PATIENCE_S} s; {told}; console: {self.console}")

    async def picture(self, path: Path) -> None:
        """Takes a picture."""
        taken = await self.ask("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(taken["data"]))


def with_pauses(path: str, folder: Path) -> Path:
    """The recording with a second of silence before it: a browser needs a moment to listen."""
    out_path = folder / "said.wav"
    with wave.open(path, "rb") as recording, wave.open(str(out_path), "wb") as out:
        out.setparams(recording.getparams())
        rate, frame = recording.getframerate(), recording.getsampwidth() * recording.getnchannels()
        said = recording.readframes(recording.getnframes())
        # Said, answered for a while, and said again over the answer; then there is time for the second answer. The
        # browser begins anew at the end, which is later than anybody looks.
        out.writeframes(bytes(rate * frame) + said + bytes(int(1.2 * rate) * frame) + said + bytes(30 * rate * frame))
    return out_path


async def story(url: str, speech: str, pictures: Path | None, folder: Path) -> list[str]:
    """Talks with the page, and says what does not hold."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise SystemExit("page: no browser is installed: apt-get install chromium")
    flags = [
        "--headless=new", "--no-sandbox", "--remote-debugging-port=0", f"--user-data-dir={folder}/profile",
        "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={with_pauses(speech, folder)}",
        "--autoplay-policy=no-user-gesture-required", "--disable-background-networking", "--no-first-run",
        "--force-prefers-reduced-motion", "about:blank",
    ]  # fmt: skip
    process = subprocess.Popen([browser, *flags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port = folder / "profile" / "DevToolsActivePort"
        for _ in range(200):
            if port.exists() and port.read_text().count("\n") >= 1:
                break
            await asyncio.sleep(0.1)
        tabs = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port.read_text().splitlines()[0]}/json"))
        tab = next(tab for tab in tabs if tab["type"] == "page")
        async with connect(tab["webSocketDebuggerUrl"], max_size=1 << 26) as socket:
            return await talk(Page(socket), url, pictures)
    finally:
        process.kill()
        process.wait()


async def talk(page: Page, url: str, pictures: Path | None) -> list[str]:
    """Two turns, the second over the first answer."""
    for domain in ("Page", "Runtime", "Log"):
        await page.ask(f"{domain}.enable")
    await page.ask("Emulation.setDeviceMetricsOverride", width=1200, height=900, deviceScaleFactor=1, mobile=False)
    await page.ask("Page.navigate", url=f"{url}/?auto=1&model=assistant")
    await page.until("the session opens", "document.body.dataset.state === 'open'")
    await page.until("a transcript", "window.mynah.transcripts.length >= 1")
    await page.until("an answer", "window.mynah.answers.length >= 1")
    await page.until("the interruption", "window.mynah.interruptions >= 1")
    flushed_ms = await page.value("window.mynah.flushedMs")
    await page.until("the second answer, to its end", "window.mynah.answers.filter(a => a.state === 'ended' || a.state === 'heard').length >= 1")
    found = []
    told = await page.value("({t: window.mynah.transcripts, a: window.mynah.answers, e: window.mynah.errors})")
    print(f"page: heard {[one['text'] for one in told['t']]}, answers {[(one['text'], one['state']) for one in told['a']]}")
    if told["e"]:
        found.append(f"errors {told['e']}")
    if not all(one["text"].strip() for one in told["t"][:2]):
        found.append(f"transcripts {told['t']}")
    if not any(one.get("stages") for one in told["a"]):
        found.append("no answer has its stages")
    if pictures is not None:
        pictures.mkdir(parents=True, exist_ok=True)
        for scheme in ("light", "dark"):
            await page.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            await asyncio.sleep(0.5)
            await page.picture(pictures / f"{scheme}.png")
        await page.ask("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=2, mobile=True)
        await asyncio.sleep(0.5)
        await page.picture(pictures / "narrow.png")
    await page.ask("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=1, mobile=True)
    wide = await page.value("document.documentElement.scrollWidth")
    if wide > 390:
        found.append(f"at 390 px the page is {wide} px wide")
    if page.console:
        found.append(f"console {page.console}")
    print(f"page: {flushed_ms} ms of an answer were flushed when it was interrupted")
    return found


def main() -> None:
    """Ends with 0 if everything holds."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("url")
    options.add_argument("speech", help="a 16-bit WAV file: one sentence")
    options.add_argument("--pictures", type=Path, help="where to leave pictures: light, dark, 390 px wide")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        found = asyncio.run(story(given.url, given.speech, given.pictures, Path(folder)))
    for what in found:
        print(f"page: {what}")
    print("page: FAILED" if found else "page: ok")
    raise SystemExit(1 if found else 0)


if __name__ == "__main__":
    main()
