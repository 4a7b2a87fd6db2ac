"""Reads broken files in a process of its own, with a limit of memory, and notes what it touches.

python -m tools.soak.reader FOLDER MEGABYTES reads JSON lines {"kind", "path"} and answers each with {"outcome",
"seconds", "touched"}.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from memorytalker.errors import MemoryTalkerError
from tools.soak.samples import KINDS, good, write

#: Events of Python that open, change or start something, and which of their arguments says what.
WATCHED = MappingProxyType(
    {
        "open": 0, "os.remove": 0, "os.rename": 1, "os.mkdir": 0, "os.rmdir": 0, "os.symlink": 1, "os.system": 0,
        "subprocess.Popen": 0, "socket.connect": 1, "shutil.rmtree": 0,
    }
)  # fmt: skip
READ = "read"
#: Endings of files that visitors of the page may give.
PAGE = (".wav", ".csv", ".npz", ".npy")


def readers() -> Mapping[str, Callable[[Path], Any]]:
    """Kind -> what the command line and the page read such a file with."""
    from memorytalker.batch.clips import find_clips
    from memorytalker.comparison.ground_truth import read_ground_truth
    from memorytalker.config import TrainingConfig, read
    from memorytalker.face.head import load_head
    from memorytalker.face.own_head import load_own_head
    from memorytalker.face.rigged_head import load_rigged_head
    from memorytalker.page.comparison_run import LONGEST_SECONDS
    from memorytalker.page.limits import read_sound
    from memorytalker.sound.decode import Waveform, load_waveform
    from memorytalker.weights import read_checkpoint, read_manifest

    head, silence = load_head(), Waveform(np.zeros(16_000 * 25 // 30, np.float32))

    def motion(path: Path) -> Any:
        return read_ground_truth(path, silence, head, None, LONGEST_SECONDS)

    def mapping(path: Path) -> Any:
        return load_rigged_head(write(path.parent, "head.glb", good("head-glb")), path)

    def weights(path: Path) -> Any:
        return read_manifest(path.rename(path.with_name("config.json")).parent)

    def mesh(path: Path) -> Any:
        return load_own_head(path, head.vertex_count)

    return {
        "sound": load_waveform, "clip": lambda path: read_sound(path, ""), "curves-csv": motion,
        "curves-json": motion, "curves-npz": motion, "bomb": motion, "head-glb": mesh, "head-gltf": mesh,
        "mesh-obj": mesh, "mesh-ply": mesh, "weights": weights, "tensors": read_checkpoint, "mapping": mapping,
        "recipe": lambda path: read(TrainingConfig, path), "batch": find_clips,
    }  # fmt: skip


def outcome(read: Callable[[Path], Any], path: Path) -> str:
    """READ, the sentence of a refusal, or what was wrong, which begins with "WRONG"."""
    try:
        read(path)
    except MemoryTalkerError as error:
        # The command line names a file as it was given, and prints it on one line; on the page no name may hold markup.
        said = str(error) if path.suffix in PAGE else str(error).replace(path.name, "FILE")
        plain = said.endswith((".", "?")) and "\n" not in said and len(said) < 1000 and "<" not in said
        inside = re.search(r"Traceback|\w+Error\b|object at 0x", said)
        return said if plain and not inside else f"WRONG sentence: {said[:300]!r}"
    except BaseException as error:
        return f"WRONG {type(error).__name__}: {str(error)[:300]}"
    return READ


class Watch:
    """Notes files and programs that are touched outside of `folder`, while it is on."""

    def __init__(self, folder: Path) -> None:
        import imageio_ffmpeg

        self.on, self.touched = False, set[str]()
        root = Path(__file__).resolve().parents[2]
        self._may_read = (str(root), sys.prefix, sys.base_prefix, "/usr/", "/lib", "/proc/self", "/etc/ld", "/dev/null")
        self._program = imageio_ffmpeg.get_ffmpeg_exe()
        self._own = str(folder.resolve()) + "/"
        sys.addaudithook(self._note)

    def _note(self, event: str, arguments: tuple) -> None:
        if not self.on or event not in WATCHED:
            return
        what = arguments[WATCHED[event]]
        if isinstance(what, int):
            return  # a descriptor that is open already
        place = os.path.realpath(os.fsdecode(what)) if isinstance(what, (str, bytes, os.PathLike)) else repr(what)
        if event == "subprocess.Popen":
            allowed = os.fsdecode(what) == self._program
        else:
            writes = event != "open" or (isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"))
            allowed = place.startswith(self._own) or (not writes and place.startswith(self._may_read))
        if not allowed:
            self.touched.add(f"{event} {place}"[:200])


def main() -> None:
    """Answer line by line until the input ends."""
    folder, megabytes = Path(sys.argv[1]), int(sys.argv[2])
    sys.dont_write_bytecode = True
    os.environ["TMPDIR"] = str(folder)
    known, watch = readers(), Watch(folder)
    for kind, (suffix, make) in KINDS.items():  # what is imported late is no part of a file's time and memory
        outcome(known[kind], write(folder, f"good{suffix}", make()))
    if sys.platform.startswith("linux"):
        import resource

        size = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        limit = size + megabytes * 1_000_000
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    print("ready", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        watch.touched.clear()
        began, watch.on = time.monotonic(), True
        said = outcome(known[asked["kind"]], Path(asked["path"]))
        watch.on = False
        answer = {"outcome": said, "seconds": round(time.monotonic() - began, 3), "touched": sorted(watch.touched)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
