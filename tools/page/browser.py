"""Serve the page for a while and visit it in Chromium; shared by browser tests, screenshots and timing."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import imageio_ffmpeg

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
# The last two lines: a microphone that is a file; and WebGL drawn by the processor, but not the page itself.
FLAGS = """--no-sandbox --disable-background-networking --disable-component-update --disable-sync --no-first-run
--disable-default-apps --disable-domain-reliability --metrics-recording-only
--disable-features=OptimizationHints,MediaRouter,PreloadTopChromeWebUI,WebUITabStrip
--autoplay-policy=no-user-gesture-required --use-fake-device-for-media-stream --use-fake-ui-for-media-stream
--disable-gpu-compositing --use-gl=angle --use-angle=swiftshader --enable-unsafe-swiftshader""".split()
#: On the first page of a tab nothing is stored of a visitor before.
NOTHING_STORED = """if (window === top && location.protocol.startsWith("http") && !sessionStorage.getItem("here")) {
  localStorage.clear();
  sessionStorage.setItem("here", "yes");
}"""
PATIENCE = 90.0  # seconds
#: The variable that holds a `Site` as JSON, which browser tests visit in place of one of their own.
GIVEN_SITE = "MEMORYTALKER_SITE"
START_PATIENCE = 300.0  # seconds; a busy machine loads the network slowly


class PageError(RuntimeError):
    """The page did not start; the message holds the end of its log."""


@dataclass(frozen=True)
class Site:
    """A running server: its address, its process number, the log it writes, and the folder it was given.

    `folder` holds all temporary files: "gradio" (uploads and results) and the folders of requests.
    """

    url: str
    process: int
    log: Path
    folder: Path

    @contextmanager
    def held(self, stage: str = "video") -> Iterator[None]:
        """The stub finishes no "video" or no "network" in here; the real talker takes long enough anyway."""
        hold = self.folder / ("hold" if stage == "video" else "hold-network")
        hold.touch()
        try:
            yield
        finally:
            hold.unlink(missing_ok=True)


@contextmanager
def served(
    script: Path, folder: Path, port: int = 0, variables: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Site]:
    """Run `script` as the page, with temporary files in `folder`; PageError if it does not answer.

    port: 0 for any that is free. variables: of its environment.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = port or free.getsockname()[1]
    environment = os.environ | dict(variables) | {
        "GRADIO_SERVER_PORT": str(port), "GRADIO_TEMP_DIR": str(folder / "gradio"), "TMPDIR": str(folder),
        "PYTHONUNBUFFERED": "1", "STUB_HOLD": str(folder / "hold"),
    }  # fmt: skip
    log = folder / "log.txt"
    # Another working folder than the repository: nothing may depend on it.
    with running([sys.executable, str(script)], folder, log, port, START_PATIENCE, environment) as site:
        yield site


@contextmanager
def running(
    command: Sequence[str], working: Path, log: Path, port: int, patience: float,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Site]:  # fmt: skip
    """Run a command that serves the page, until the block ends; PageError if it does not answer within `patience` s.

    working: its working folder. log: what it prints; the site's folder is that of the log. environment: None: ours.
    """
    with log.open("w") as output:
        server = subprocess.Popen(command, cwd=working, env=environment, stdout=output, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}/"
    try:
        if not answered(url, server, patience):
            raise PageError("The page did not start:\n" + log.read_text("utf-8", "replace")[-3000:])
        yield Site(url, server.pid, log, log.parent)
    finally:
        server.terminate()
        try:
            server.wait(60)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(10)


def answered(url: str, server: subprocess.Popen, patience: float) -> bool:
    """Wait until the page at `url` answers; false if its process ends before, or `patience` seconds have passed."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(url + "config", timeout=5).close()
            return True
        except OSError:
            time.sleep(0.3)
    return False


@contextmanager
def chromium(driver: Any, folder: Path, voice: Path, *flags: str) -> Iterator[Any]:
    """A browser of the playwright `driver` whose microphone plays the sound file `voice`."""
    microphone = folder / "microphone.wav"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", "-i", str(voice)]
    subprocess.run([*command, "-ar", "48000", "-c:a", "pcm_s16le", str(microphone)], check=True)
    arguments = [*FLAGS, f"--use-file-for-fake-audio-capture={microphone}", *flags]
    browser = driver.chromium.launch(executable_path=CHROMIUM, args=arguments)
    try:
        yield browser
    finally:
        with contextlib.suppress(Exception):  # it may have gone by itself
            browser.close()


class Visit:
    """One visitor: a browser tab with its own session, and the errors in it."""

    def __init__(
        self, browser: Any, site: Site, width: int = 1280, height: int = 900, dark: bool = False, calm: bool = False,
        permissions: tuple[str, ...] = ("microphone",), caches: dict[str, list[Any]] | None = None, **options: Any,
    ) -> None:  # fmt: skip
        """Open the page; `options` are those of playwright's `new_context`.

        calm: the visitor asks for less motion, so the head plays only on request, and nothing fades.
        caches: browser profiles of visitors who have left, by their options. One of them is taken, which has the page's
            scripts in its cache and nothing else of anybody; None: everything is fetched anew.
        """
        self.site, self._caches = site, caches
        wanted: dict[str, Any] = {
            "permissions": list(permissions), "viewport": {"width": width, "height": height},
            "color_scheme": "dark" if dark else "light", "reduced_motion": "reduce" if calm else "no-preference",
            **options,
        }  # fmt: skip
        self._kind = repr(sorted(wanted.items()))
        left = (caches or {}).get(self._kind)
        if left:
            self.context = left.pop()
        else:
            self.context = browser.new_context(**wanted)
            self.context.set_default_timeout(PATIENCE * 1000)
            self.context.add_init_script(NOTHING_STORED)
        self.page = self.context.new_page()
        self.faults: list[str] = []
        self.hosts: set[str] = set()
        self.may_log_failure = False
        self._log_began = site.log.stat().st_size
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", self._console)
        self.page.on("request", self._request)
        self.page.goto(site.url)
        self.page.wait_for_selector("#run")

    def _console(self, message: Any) -> None:
        place = message.location.get("url", "")
        # Gradio's own components complain of sounds that they cannot draw; what the page says of those is tested.
        # A sound of no bytes is a range that cannot be had.
        silent = place.startswith(self.site.url + "assets/") or place.startswith("blob:")
        if message.type == "error" and not silent:
            self.faults.append(f"console: {message.text} ({place})")

    def _request(self, request: Any) -> None:
        scheme, _, rest = request.url.partition("://")
        if scheme in ("http", "https", "ws", "wss"):
            self.hosts.add(rest.split("/")[0].split(":")[0])

    @property
    def log(self) -> str:
        """What the server has written since this visit began."""
        return self.site.log.read_bytes()[self._log_began :].decode("utf-8", "replace")

    def close(self) -> None:
        """Leave the page; what is kept for the next visitor is no more than the cache."""
        if self._caches is None:
            self.context.close()
        elif self._kind:  # not for the second time
            if not self.page.is_closed():
                self.page.close()
            self.context.clear_cookies()
            self._caches.setdefault(self._kind, []).append(self.context)
            self._kind = ""

    def tab(self, name: str) -> None:
        """Switch to the tab of that name."""
        self.page.get_by_role("tab", name=name, exact=True).click()

    def unfold(self, elem_id: str) -> None:
        """Open the fold `elem_id` if it is closed."""
        button = self.page.locator(f"#{elem_id} > button").first
        if "open" not in (button.get_attribute("class") or "").split():
            button.click()
            self.page.wait_for_timeout(100)

    def upload(self, path: Path, elem_id: str = "sound") -> None:
        """Upload a file to the component `elem_id`, in place of the one it may hold."""
        self.clear(elem_id)
        self.page.set_input_files(f"#{elem_id} input[type=file]", str(path))

    def drop(self, path: Path, kind: str, elem_id: str = "sound") -> None:
        """Drop a file of the media type `kind` on the component `elem_id`, in place of the one it may hold."""
        self.clear(elem_id)
        self.page.evaluate(
            """([id, name, kind, bytes]) => {
              const dataTransfer = new DataTransfer();
              dataTransfer.items.add(new File([new Uint8Array(bytes)], name, { type: kind }));
              const place = document.querySelector(`#${id} input[type=file]`).parentElement;
              place.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
            }""",
            [elem_id, path.name, kind, list(path.read_bytes())],
        )

    def clear(self, elem_id: str = "sound") -> None:
        """Remove the file that the component `elem_id` may hold."""
        held = self.page.query_selector(f"#{elem_id} button[aria-label='Clear']")
        if held:
            held.click()
            if elem_id == "sound":  # until the next one is there, there is nothing to run
                self.page.wait_for_function("document.getElementById('run').disabled")

    def press(self, elem_id: str) -> None:
        """Press the button `elem_id` as soon as it is enabled."""
        self.page.wait_for_function("id => !document.getElementById(id).disabled", arg=elem_id)
        self.page.click(f"#{elem_id}")

    def says(self, elem_id: str, words: str) -> None:
        """Wait until the text of `elem_id` holds `words`."""
        self.page.wait_for_function(
            "([id, words]) => document.getElementById(id)?.innerText.includes(words)", arg=[elem_id, words]
        )

    def animated(self) -> None:
        """Press "Make it talk" and wait until it has finished, with or without an error."""
        self.press("run")
        self.page.wait_for_function("document.getElementById('run').disabled")
        self.page.wait_for_function("!document.getElementById('run').disabled")

    def inside(self, elem_id: str, selector: str) -> str:
        """The text of the first `selector` inside `elem_id`, as soon as it appears."""
        return self.page.wait_for_selector(f"#{elem_id} {selector}").inner_text()

    def player(self, elem_id: str = "player") -> str:
        """The 3D player of `elem_id`, in JavaScript."""
        return f"[...document.querySelectorAll('#{elem_id}, #{elem_id} *')].find((one) => one.player)?.player"

    def head_ready(self, elem_id: str = "player") -> float:
        """Wait until the 3D head of `elem_id` can be played: its seconds."""
        return self.page.wait_for_function(f"{self.player(elem_id)}?.length || null").json_value()

    def head_at(self, elem_id: str = "player") -> float:
        """Where the 3D head of `elem_id` is now, in seconds."""
        return self.page.evaluate(f"{self.player(elem_id)}.seconds")

    def video(self, elem_id: str) -> list[Any]:
        """Wait until the video of `elem_id` can be played: its seconds, width and height in pixels."""
        self.page.wait_for_function("id => document.querySelector(`#${id} video`)?.readyState >= 2", arg=elem_id)
        video = f"document.querySelector('#{elem_id} video')"
        return self.page.evaluate(f"() => {{ const v = {video}; return [v.duration, v.videoWidth, v.videoHeight] }}")
