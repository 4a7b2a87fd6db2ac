"""The page as the soak reads with it: every file is uploaded and given to a named endpoint over plain HTTP."""

from __future__ import annotations

import html
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx

from memorytalker.errors import InputError
from tools.soak.samples import FRAMES, good
from tools.soak.samples import sound as hum

#: How names of kinds begin that go over the page.
PAGE = "page-"
#: What no visitor may read for a file of theirs: a failure of ours, or of the server.
NOT_THEIRS = ("on our side", "This server", "could not be read: give each file", "Internal Server Error")
PATIENCE = 300.0


class Refused(InputError):
    """The sentence with which the page refused a file."""


@contextmanager
def undrawn() -> Iterator[None]:
    """Leave out what comes after reading: no comparison is drawn."""
    from memorytalker.page import comparison_run

    def drawn(path: Path, *_: Any, **__: Any) -> Path:
        path.write_bytes(b"drawn")
        return path

    def curves(comparison: Any, folder: Path, progress: Any) -> Path:
        return drawn(folder / "curves.png")

    with (
        patch.object(comparison_run, "write_comparison", drawn),
        patch.object(comparison_run, "_draw_curves", curves),
    ):
        yield


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve the page in this process, with everything temporary in `folder`, and yield its address."""
    from memorytalker import Talker
    from memorytalker.page import theme
    from memorytalker.page.demo import create_demo
    from memorytalker.page.malloc import tune_malloc

    os.environ["GRADIO_TEMP_DIR"] = str(folder / "gradio")
    tune_malloc()
    demo = create_demo(Talker.from_pretrained())
    try:
        with undrawn():
            options = theme.launch_options() | {"prevent_thread_lock": True, "quiet": True}
            yield demo.launch(**options, server_name="127.0.0.1")[1]
    finally:
        demo.close()


def page_readers(url: str) -> Mapping[str, Callable[[Path], Any]]:
    """Kind -> what gives such a file to the page at `url`; a refusal is raised as Refused."""
    client = httpx.Client(base_url=url + "gradio_api/", timeout=PATIENCE)

    def uploaded(name: str, data: bytes) -> dict[str, Any]:
        answer = client.post("upload", files={"files": (name, data)})
        if answer.status_code != 200:
            raise _refusal(answer.text)
        return {"path": answer.json()[0], "meta": {"_type": "gradio.FileData"}}

    def file(path: Path) -> dict[str, Any]:
        return uploaded(path.name, path.read_bytes())

    def sound(name: str = "voice.wav") -> dict[str, Any]:
        return uploaded(name, good("sound"))

    def called(endpoint: str, body: bytes) -> str:
        """The answer of a call; Refused, or RuntimeError where the fault is not the visitor's."""
        asked = client.post(f"call/v2/{endpoint}", content=body, headers={"Content-Type": "application/json"})
        if asked.status_code != 200:
            raise _refusal(asked.text)
        answer = client.get(f"call/{endpoint}/{asked.json()['event_id']}").text
        event, _, data = answer.strip().split("\n\n")[-1].partition("\n")
        if event != "event: complete":
            raise _refusal(data.removeprefix("data: "))
        return data

    def call(endpoint: str, **parameters: Any) -> str:
        return called(endpoint, json.dumps(parameters).encode())

    def adapt(path: Path) -> str:
        beside = [] if path.suffix == ".mp4" else [sound(path.with_suffix(".wav").name)]
        return call("adapt", recordings=[file(path), *beside])

    def motion(path: Path) -> str:
        return call("compare", motion=file(path), sound=uploaded("voice.wav", hum(FRAMES / 30)))

    def bare(path: Path) -> str:
        return called("animate", path.read_bytes().replace(b"SOUND", json.dumps(sound()["path"])[1:-1].encode()))

    return {
        "page-sound": lambda path: call("animate", sound=file(path), format="livelink"),
        "page-style": lambda path: call(
            "animate", sound=sound(), style_file=file(path), style="file", format="livelink"
        ),
        "page-csv": motion, "page-json": motion, "page-npz": motion, "page-bomb": motion, "page-zip": motion,
        "page-adapt": adapt, "page-video": adapt, "page-call": bare,
    }  # fmt: skip


def _refusal(text: str) -> Exception:
    """The error for an answer that is none: {"error": sentence}, or plain text."""
    try:
        said = json.loads(text)
        said = said.get("error") or said.get("detail") if isinstance(said, dict) else said
    except ValueError:
        said = text
    if not isinstance(said, str) or any(words in said for words in NOT_THEIRS):
        return RuntimeError(f"the page said {said!r}"[:300])
    return Refused(html.unescape(said) if "<" not in html.unescape(said) else said)
