"""The soak in its short form, and that it sees what it is for."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gradio")
from page_case import served  # noqa: E402

from memorytalker.errors import InputError  # noqa: E402
from tools.soak.__main__ import RESULT, WRONG, Reader, is_wrong, results, soaked, table  # noqa: E402
from tools.soak.page import PAGE, page_readers, undrawn  # noqa: E402
from tools.soak.reader import READ, Watch, outcome, readers  # noqa: E402
from tools.soak.samples import KINDS, broken, good, write  # noqa: E402

#: In place of the reader's process: answers by the bytes of the file, hangs, or dies.
STANDIN = """
import json, sys, time
print("ready", flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    data = open(asked["path"], "rb").read()
    if b"hang" in data: time.sleep(60)
    if b"die" in data: sys.exit(3)
    print(json.dumps({"outcome": "read", "seconds": 0.01, "touched": []}), flush=True)
"""


def test_every_good_file_is_read_and_broken_ones_are_refused_well(tmp_path: Path) -> None:
    known = readers()
    assert set(known) == {kind for kind in KINDS if not kind.startswith(PAGE)}
    # The meshes are no head, no face is in the video, and archives as `zip` are not searched for what may be good.
    refused_well(known, 4, tmp_path, {"bomb", "mesh-obj", "mesh-ply", "tensors", "video", "zip"})


def test_the_same_over_the_page(tmp_path: Path) -> None:
    with served(tmp_path / "page") as page, undrawn():
        known = page_readers(page.url)
        assert set(known) == {kind for kind in KINDS if kind.startswith(PAGE)}
        refused_well(known, 2, tmp_path, {"page-bomb", "page-zip"})
        page.talker.fails = "network"  # a failure of ours is no refusal
        assert outcome(known["page-sound"], write(tmp_path, "voice.wav", good("sound"))).startswith("WRONG Runtime")
        page.healthy()
        assert page.leftovers() == []


def refused_well(known: Mapping[str, Callable[[Path], Any]], times: int, folder: Path, refused: set[str]) -> None:
    """A good file of each of these kinds is read, except those in `refused`; broken ones end in a sentence."""
    for kind, read in known.items():
        said = outcome(read, write(folder, f"good{KINDS[kind][0]}", good(kind)))
        assert said == READ or (kind in refused and not said.startswith("WRONG")), (kind, said)
    for number in range(times * len(KINDS)):
        kind, name, data = broken(0, number)
        if kind in known:
            said = outcome(known[kind], write(folder, name, data))
            assert not said.startswith("WRONG"), (number, kind, name, said)


def test_a_file_depends_on_seed_and_number_alone() -> None:
    assert broken(3, 17) == broken(3, 17) != broken(4, 17)
    assert {broken(1, number)[0] for number in range(len(KINDS))} == set(KINDS)


def test_what_is_no_plain_sentence_is_wrong(tmp_path: Path) -> None:
    def fails(error: BaseException) -> str:
        def read(path: Path) -> None:
            raise error

        return outcome(read, tmp_path)

    assert fails(InputError("It is too short; give more.")) == "It is too short; give more."
    for error in (
        KeyError("x"), MemoryError(), RecursionError(), SystemExit(1), InputError("no stop"), InputError("Two\nlines."),
        InputError("<b>bold</b>."), InputError("A ValueError came."), InputError("x" * 2000 + "."),
    ):  # fmt: skip
        assert fails(error).startswith("WRONG"), error


def test_a_reader_that_hangs_or_dies_is_started_again(tmp_path: Path) -> None:
    reader = Reader(tmp_path, 2.0, (sys.executable, "-c", STANDIN))
    said = [reader.read("sound", write(tmp_path, "a.wav", data))["outcome"] for data in (b"", b"hang", b"die", b"")]
    reader.close()
    assert said == ["read", "WRONG: not done after 2 s", "WRONG: the process ended with 3", "read"]


def test_a_soak_goes_on_where_it_was_broken_off_and_keeps_what_went_wrong(tmp_path: Path) -> None:
    command = (sys.executable, "-c", STANDIN.replace("hang", "RIFF").replace("time.sleep(60)", "sys.exit(4)"))
    begun = soaked(10, 5, tmp_path, command)
    first = [next(begun) for _ in range(4)]
    begun.close()
    with (tmp_path / RESULT).open("a", encoding="utf-8") as file:
        file.write('{"seed": 5, "number": 4, "ki')  # as a kill leaves it
    rest = list(soaked(10, 5, tmp_path, command))
    assert [row["number"] for row in first + rest] == list(range(10)) and results(tmp_path) == first + rest
    assert list(soaked(10, 5, tmp_path, command)) == []
    wrong = [row for row in results(tmp_path) if is_wrong(row)]
    assert wrong and all("ended with 4" in row["outcome"] for row in wrong)
    for row in wrong:
        kept = tmp_path / WRONG / f"5-{row['number']}{KINDS[row['kind']][0]}"
        assert kept.read_bytes() == broken(5, row["number"])[2]
    assert len(table(results(tmp_path)).splitlines()) == len(KINDS) + 1


def test_other_files_and_programs_are_noted(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    code = (
        "import json, os, subprocess, sys; from pathlib import Path; from tools.soak.reader import Watch\n"
        "folder = Path(sys.argv[1]); watch = Watch(folder / 'own'); watch.on = True\n"
        "(folder / 'own' / 'a').write_text('x'); (folder / 'own' / '..' / 'b').write_text('x')\n"
        "open(os.__file__).close(); open('/etc/passwd').close(); subprocess.run(['true'])\n"
        "watch.on = False; print(json.dumps(sorted(watch.touched)))"
    )
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=root, capture_output=True, text=True, check=True
    )
    touched = json.loads(done.stdout)
    assert [one.split()[0] for one in touched] == ["open", "open", "subprocess.Popen"]
    assert touched[0].endswith("/etc/passwd") and touched[1].endswith("/b") and Watch.__doc__
