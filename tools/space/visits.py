"""What a visitor of a Space does, over plain HTTP and the page's endpoints: each visit says what was wrong."""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
import imageio_ffmpeg
from gradio_client import Client, handle_file

from tools.load.faults import called, uploaded
from tools.page.browser import GIVEN_SITE, ROOT, Site

CLIP = ROOT / "assets" / "speech" / "man_dove.wav"
PATIENCE = 600.0  # seconds, for one answer
#: The beginning of a GLB file: "glTF", its version, its length in bytes.
HEADER_OF_GLB = struct.Struct("<4sII")
#: What Python 3.12 says of an event loop that Gradio left to the garbage collector, which harms nobody.
UNCLOSED_LOOP = re.compile(
    r"^Exception ignored in: <function BaseEventLoop\.__del__.*?^ValueError: Invalid file descriptor: -1$", re.M | re.S
)
#: Browser tests that visit the page as it ships.
WALKS = ("tests/browser/test_page.py", "tests/browser/test_compare_page.py")


def visits(site: Site, clip: Path = CLIP) -> Iterator[tuple[str, str]]:
    """Visit the page, and yield the name of each visit and what was wrong: empty if all was well.

    Args:
        site: the page.
        clip: a sound to animate.
    """
    yield "index", _index(site)
    with tempfile.TemporaryDirectory(prefix="space-") as folder:
        client = Client(site.url, verbose=False, download_files=folder, httpx_kwargs={"timeout": PATIENCE})
        try:
            yield "health", _healthy(client)
            yield "video", _video(client, clip)
            yield "glb", _glb(client, clip)
            yield "plain HTTP", called(site, uploaded(site))
        finally:
            client.close()


def wrong_lines(log: str) -> str:
    """Return the lines of a server's log that tell of something wrong, and of folders that may not be written to."""
    words = ("traceback", "error", "warning", "writable", "read-only", "permission denied")
    lines = UNCLOSED_LOOP.sub("", log).splitlines()
    return "; ".join(line.strip() for line in lines if any(word in line.lower() for word in words))


def _index(site: Site) -> str:
    answer = httpx.get(site.url, timeout=PATIENCE)
    config = httpx.get(site.url + "config", timeout=PATIENCE).json()
    if answer.status_code != 200 or "MemoryTalker" not in answer.text:
        return f"the page answered {answer.status_code}: {answer.text[:200]}"
    return "" if config.get("title") == "MemoryTalker" else f"its title is {config.get('title')}"


def _healthy(client: Client) -> str:
    said = client.predict(api_name="/health")
    print(f"  {json.dumps(said)}", flush=True)
    return "" if said.get("healthy") is True else str(said)


def _video(client: Client, clip: Path) -> str:
    path, about = client.predict(handle_file(clip), api_name="/animate")
    frames, seconds = imageio_ffmpeg.count_frames_and_secs(path)
    right = frames > 0 and abs(seconds - about["seconds"]) < 0.1
    return "" if right else f"the video has {frames} frames and lasts {seconds:.2f} s, not {about['seconds']:.2f} s"


def _glb(client: Client, clip: Path) -> str:
    path, _ = client.predict(handle_file(clip), format="gltf", api_name="/animate")
    if not zipfile.is_zipfile(path):
        return wrong_glb(Path(path).read_bytes())
    with zipfile.ZipFile(path) as packed:  # beside the file that is about it
        heads = [packed.read(name) for name in packed.namelist() if name.endswith(".glb")]
    return wrong_glb(heads[0]) if heads else "the ZIP file holds no GLB file"


def wrong_glb(data: bytes) -> str:
    """Return what is wrong with the header of a GLB file, which holds its length; empty if nothing is."""
    if len(data) < HEADER_OF_GLB.size:
        return f"the file has {len(data)} bytes"
    magic, version, length = HEADER_OF_GLB.unpack_from(data)
    right = (magic, version, length) == (b"glTF", 2, len(data))
    return "" if right else f"the file begins with {magic!r}, version {version}, {length} bytes of {len(data)}"


def walks(site: Site) -> str:
    """Let the browser tests of the page as it ships visit it; returns what was wrong: empty if all passed."""
    given: dict[str, Any] = {name: str(value) for name, value in asdict(site).items()}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-o", "addopts=", "-k", "real", *WALKS]
    environment = os.environ | {GIVEN_SITE: json.dumps(given)}
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False)
    return "" if done.returncode == 0 else "a browser test failed, which is shown above"
