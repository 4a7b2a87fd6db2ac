"""Reads broken files in a process of its own, with a limit of memory, and notes what it touches.

python -m tools.soak.reader FOLDER MEGABYTES [page] reads JSON lines {"kind", "path"} and answers each with {"outcome",
"seconds", "touched"}. It reads as the command line does, or gives the files to a page that it serves.
"""

from __future__ import annotations

import contextlib
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
from tools.soak.page import PAGE, page_readers, serving
from tools.soak.samples import KINDS, good, scene, write

#: Events of Python that open, change or start something, and which of their arguments says what.
WATCHED = MappingProxyType(
    {
        "open": 0, "os.remove": 0, "os.rename": 1, "os.mkdir": 0, "os.rmdir": 0, "os.symlink": 1, "os.system": 0,
        "subprocess.Popen": 0, "socket.connect": 1, "shutil.rmtree": 0,
    }
)  # fmt: skip
#: Which of the arguments is the descriptor of the folder that a name is in, -1 for the working folder.
FOLDERS = MappingProxyType({"os.remove": 1, "os.rename": 3, "os.mkdir": 2, "os.rmdir": 1, "os.symlink": 2})
READ = "read"
#: Endings of files that visitors of the page may give.
GIVEN_TO_THE_PAGE = (".wav", ".csv", ".npz", ".npy")


def readers() -> Mapping[str, Callable[[Path], Any]]:
    """Kind -> what the command line and the page read such a file with."""
    from memorytalker.batch.clips import find_clips
    from memorytalker.comparison.ground_truth import read_ground_truth
    from memorytalker.config import TrainingConfig, read
    from memorytalker.face.head import load_head
    from memorytalker.face.own_head import load_own_head
    from memorytalker.face.rigged_head import load_rigged_head
    from memorytalker.live_weights import LiveManifest
    from memorytalker.page.comparison_run import LONGEST_SECONDS
    from memorytalker.page.limits import read_sound
    from memorytalker.sound.decode import Waveform, load_waveform
    from memorytalker.styles.recordings import read_recordings
    from memorytalker.styles.style import Style
    from memorytalker.weights import read_checkpoint, read_manifest, read_manifest_of

    head, silence = load_head(), Waveform(np.zeros(16_000 * 25 // 30, np.float32))

    def motion(path: Path) -> Any:
        return read_ground_truth(path, silence, head, None, LONGEST_SECONDS)

    def mapping(path: Path) -> Any:
        return load_rigged_head(write(path.parent, "head.glb", good("head-glb")), path)

    def weights(path: Path) -> Any:
        return read_manifest(path.rename(path.with_name("config.json")).parent)

    def live(path: Path) -> Any:
        return read_manifest_of(LiveManifest, path.rename(path.with_name("config.json")).parent, "a live network")

    def mesh(path: Path) -> Any:
        return load_own_head(path, head.vertex_count)

    def upward(path: Path) -> Any:
        for name in (path.with_name("beside.bin"), path.parent.with_name("beside.bin")):
            name.write_bytes(scene()[1])
        path.with_name("link.bin").symlink_to("/etc/passwd")
        os.mkfifo(path.with_name("pipe.bin"))
        return mesh(path)

    def recording(path: Path) -> Any:
        path.with_suffix(".wav").write_bytes(good("sound"))
        return read_recordings([path])

    return {
        "sound": load_waveform, "clip": lambda path: read_sound(path, ""), "curves-csv": motion,
        "curves-json": motion, "curves-npz": motion, "bomb": motion, "head-glb": mesh, "head-gltf": mesh,
        "mesh-obj": mesh, "mesh-ply": mesh, "weights": weights, "tensors": read_checkpoint, "mapping": mapping,
        "recipe": lambda path: read(TrainingConfig, path), "batch": find_clips, "live": live,
        "style": Style.load, "zip": motion, "upward": upward, "recording": recording,
        "video": lambda path: read_recordings([path]),
    }  # fmt: skip


def outcome(read: Callable[[Path], Any], path: Path) -> str:
    """READ, the sentence of a refusal, or what was wrong, which begins with "WRONG"."""
    try:
        read(path)
    except MemoryTalkerError as error:
        # The command line names a file as it was given, and prints it on one line; on the page no name may hold markup.
        said = str(error) if path.suffix in GIVEN_TO_THE_PAGE else str(error).replace(path.name, "FILE")
        plain = said.endswith((".", "?")) and "\n" not in said and len(said) < 1000 and "<" not in said
        inside = re.search(r"Traceback|\w+Error\b|object at 0x", said)
        return said if plain and not inside else f"WRONG sentence: {said[:300]!r}"
    except BaseException as error:
        return f"WRONG {type(error).__name__}: {str(error)[:300]}"
    return READ


class Watch:
    """Notes files and programs that are touched outside of `folder`, while it is on."""

    def __init__(self, folder: Path, own_sockets: bool = False) -> None:
        """Watch; with `own_sockets`, connections to this machine are allowed."""
        import imageio_ffmpeg

        self._own_sockets = own_sockets
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
        place = _place(what, arguments[FOLDERS[event]] if event in FOLDERS else -1)
        if event == "socket.connect":
            allowed = self._own_sockets and place.startswith("('127.0.0.1'")
        elif event == "subprocess.Popen":
            allowed = os.fsdecode(what) == self._program
        else:
            writes = event != "open" or (isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"))
            allowed = f"{place}/".startswith(self._own) or (not writes and place.startswith(self._may_read))
        if not allowed:
            self.touched.add(f"{event} {place}"[:200])


def _place(what: Any, folder: int) -> str:
    """The path of what is touched, without links; an address as it is."""
    if not isinstance(what, (str, bytes, os.PathLike)):
        return repr(what)
    within = "" if folder < 0 else os.readlink(f"/proc/self/fd/{folder}")
    return os.path.realpath(os.path.join(within, os.fsdecode(what)))


def main() -> None:
    """Answer line by line until the input ends."""
    folder, megabytes, over_page = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:] == [PAGE]
    sys.dont_write_bytecode = True
    os.environ["TMPDIR"] = str(folder)
    with serving(folder) if over_page else contextlib.nullcontext("") as url:
        _answer(page_readers(url) if over_page else readers(), Watch(folder, over_page), folder, megabytes)


def _answer(known: Mapping[str, Callable[[Path], Any]], watch: Watch, folder: Path, megabytes: int) -> None:
    for kind in known:  # what is imported late is no part of a file's time and memory
        outcome(known[kind], write(folder, f"good{KINDS[kind][0]}", good(kind)))
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
