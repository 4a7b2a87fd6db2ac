"""Converting: the same data set in plain files, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic_datasets import write_biwi, write_vocaset, write_vocaset_raw
from test_datasets import POINTER, write_corpus

from memorytalker.datasets.convert import check_space, convert
from memorytalker.datasets.opening import open_dataset
from memorytalker.datasets.sequences import DatasetError, FaceDataset
from memorytalker.sound.decode import AudioError

WRITERS = {"vocaset-raw": write_vocaset_raw, "vocaset": write_vocaset, "biwi": write_biwi}
SMALL = {"vertex_count": 60, "seconds": 0.6}


def opened(folder: Path, layout: str) -> FaceDataset:
    if layout == "corpus":
        write_corpus(folder, folder / "root")
        return open_dataset(folder, root=folder / "root")
    WRITERS[layout](folder, **SMALL)
    return open_dataset(folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("layout", [*WRITERS, "corpus"])
def test_a_converted_data_set_is_the_same(tmp_path: Path, layout: str) -> None:
    before = opened(tmp_path / "data", layout)
    index = convert(before, tmp_path / "out")
    after = open_dataset(tmp_path / "out")
    assert index == tmp_path / "out" / "dataset.json" and after.layout == "converted"
    assert (after.fps, after.vertex_count) == (before.fps, before.vertex_count)
    assert after.skipped == before.skipped
    for one, other in zip(before.sequences, after.sequences, strict=True):
        assert (one.name, one.speaker, one.split, one.frames, one.fps) == (
            other.name, other.speaker, other.split, other.frames, other.fps,
        )  # fmt: skip
        np.testing.assert_array_equal(other.vertices(), one.vertices())
        assert other.vertices().dtype == np.float32
        samples, kept = one.waveform().samples, other.waveform().samples
        assert samples.shape == kept.shape and np.abs(samples - kept).max() <= 0.5 / 32768 + 1e-7
    assert set(after.templates) == set(before.templates)
    for speaker, face in before.templates.items():
        np.testing.assert_array_equal(after.templates[speaker], face)
    np.testing.assert_array_equal(after.regions.lips, before.regions.lips)
    np.testing.assert_array_equal(after.regions.upper_face, before.regions.upper_face)
    assert after.regions.opening == before.regions.opening and after.regions.source == before.regions.source
    told = set(before.notes)
    assert told - set(after.notes) == set() and f"converted from the layout {layout}" in after.notes


def test_no_pickle_is_left_and_every_file_is_listed_with_its_hash(tmp_path: Path) -> None:
    convert(opened(tmp_path / "data", "vocaset-raw"), tmp_path / "out")
    files = contents(tmp_path / "out")
    assert {Path(name).suffix for name in files} == {".json", ".safetensors", ".flac"}
    assert not any(b"multiarray" in data or data.startswith(b"\x80\x02") for data in files.values())
    index = json.loads(files.pop("dataset.json"))
    assert set(index["files"]) == set(files)
    for name, entry in index["files"].items():
        assert entry == {"bytes": len(files[name]), "sha256": hashlib.sha256(files[name]).hexdigest()}


def test_a_conversion_that_broke_off_goes_on(tmp_path: Path) -> None:
    dataset = opened(tmp_path / "data", "vocaset")
    convert(dataset, tmp_path / "whole")

    def stop(done: int, total: int, stage: str) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(dataset, tmp_path / "out", stop)
    assert not (tmp_path / "out" / "dataset.json").exists()
    with pytest.raises(DatasetError, match="no data set"):
        open_dataset(tmp_path / "out")
    first = next((tmp_path / "out" / "vertices").iterdir())
    written, stray = first.stat().st_mtime_ns, tmp_path / "out" / "vertices" / ".part-1-x.safetensors"
    stray.write_bytes(b"half")
    with pytest.raises(DatasetError, match="other data"):
        convert(replace(dataset, digest="other"), tmp_path / "out")
    convert(dataset, tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert first.stat().st_mtime_ns == written


def test_a_killed_conversion_leaves_nothing_half_written(tmp_path: Path) -> None:
    """SIGKILL while a file is being written: what has a name is whole, and the second run ends like an unbroken one."""
    dataset = opened(tmp_path / "data", "biwi")
    convert(dataset, tmp_path / "whole")
    code = (
        "import os, signal, sys\n"
        "from safetensors import numpy as safetensors\n"
        "from memorytalker.datasets.convert import convert\n"
        "from memorytalker.datasets.opening import open_dataset\n"
        "save, count = safetensors.save_file, []\n"
        "def kill(tensors, path):\n"
        "    count.append(1)\n"
        "    save(tensors, path)\n"
        "    if len(count) == 4:\n"
        "        os.truncate(path, 50)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "safetensors.save_file = kill\n"
        "convert(open_dataset(sys.argv[1]), __import__('pathlib').Path(sys.argv[2]))\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "data"), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, check=False, cwd=Path(__file__).parents[1])
    assert done.returncode == -signal.SIGKILL, done.stderr
    whole, found = contents(tmp_path / "whole"), contents(tmp_path / "out")
    assert len(list((tmp_path / "out" / "vertices").glob(".part-*"))) == 1 and "dataset.json" not in found
    assert all(
        data == whole[name] for name, data in found.items() if ".part-" not in name and name != "converting.json"
    )
    convert(dataset, tmp_path / "out")
    assert contents(tmp_path / "out") == whole


def test_where_it_may_not_go(tmp_path: Path) -> None:
    dataset = opened(tmp_path / "data", "biwi")
    with pytest.raises(DatasetError, match="not an empty folder"):
        convert(dataset, tmp_path / "data")
    (tmp_path / "file").write_text("x")
    with pytest.raises(DatasetError, match="not an empty folder"):
        convert(dataset, tmp_path / "file")
    convert(dataset, tmp_path / "out")
    with pytest.raises(DatasetError, match="already"):
        convert(dataset, tmp_path / "out")
    with pytest.raises(DatasetError, match="cannot name a file"):
        convert(replace(dataset, sequences=(replace(dataset.sequences[0], name="../x"),)), tmp_path / "new")
    huge = replace(dataset, sequences=(replace(dataset.sequences[0], frames=10**14),))
    with pytest.raises(DatasetError, match="GB"):
        check_space(huge, tmp_path / "new" / "er")
    assert not (tmp_path / "new").exists()


def test_what_cannot_be_read_is_skipped_and_listed(tmp_path: Path) -> None:
    dataset = opened(tmp_path / "data", "biwi")

    def fail() -> None:
        raise AudioError("The sound is damaged.")

    broken = replace(dataset.sequences[1], read_waveform=fail)
    convert(replace(dataset, sequences=(dataset.sequences[0], broken)), tmp_path / "out")
    after = open_dataset(tmp_path / "out")
    assert [one.name for one in after.sequences] == [dataset.sequences[0].name]
    assert {item.name: item.reason for item in after.skipped}[broken.name] == "The sound is damaged"
    assert not list((tmp_path / "out").rglob(f"*{broken.name}*"))


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (lambda folder: (folder / "templates.safetensors").write_bytes(b"junk"), "templates.safetensors is damaged"),
        (lambda folder: (folder / "dataset.json").write_text("{"), "not readable JSON"),
        (lambda folder: (folder / "dataset.json").write_text('{"format": 9}'), "format 1"),
        (lambda folder: (folder / "dataset.json").write_text('{"format": 1}'), "damaged"),
        (lambda folder: os.truncate(next((folder / "vertices").iterdir()), 100), "not the file"),
        (lambda folder: next((folder / "sound").iterdir()).unlink(), "There is no file"),
        (lambda folder: next((folder / "sound").iterdir()).write_bytes(POINTER), "Git-LFS pointer"),
    ],
)
def test_a_damaged_converted_set_is_refused(tmp_path: Path, damage, match: str) -> None:
    convert(opened(tmp_path / "data", "biwi"), tmp_path / "out")
    damage(tmp_path / "out")
    with pytest.raises(DatasetError, match=match):
        open_dataset(tmp_path / "out")


def test_the_index_cannot_name_files_elsewhere(tmp_path: Path) -> None:
    convert(opened(tmp_path / "data", "biwi"), tmp_path / "out")
    index = json.loads((tmp_path / "out" / "dataset.json").read_text())
    index["sequences"][0]["name"] = "../../secret"
    (tmp_path / "out" / "dataset.json").write_text(json.dumps(index))
    with pytest.raises(DatasetError, match="damaged"):
        open_dataset(tmp_path / "out")


def test_masks_added_later_count(tmp_path: Path) -> None:
    """Who gets FLAME's masks after converting puts them into the converted folder."""
    write_vocaset(tmp_path / "data", **SMALL)
    masks = (tmp_path / "data" / "FLAME_masks.pkl").read_bytes()
    wanted = open_dataset(tmp_path / "data").regions
    (tmp_path / "data" / "FLAME_masks.pkl").unlink()
    convert(open_dataset(tmp_path / "data"), tmp_path / "out")
    assert open_dataset(tmp_path / "out").regions.lips is None
    (tmp_path / "out" / "FLAME_masks.pkl").write_bytes(masks)
    found = open_dataset(tmp_path / "out").regions
    np.testing.assert_array_equal(found.lips, wanted.lips)
    assert found.opening == wanted.opening
