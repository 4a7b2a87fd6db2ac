"""`doctor FOLDER` and `convert` on the command line: which file goes where, and whether the data set can be used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from synthetic_datasets import VOCASET_SUBJECTS, write_biwi, write_vocaset, write_vocaset_raw
from test_datasets import POINTER, write_corpus

from memorytalker import cli
from memorytalker.datasets.commands import LAYOUT_NAMES
from memorytalker.datasets.inspection import skipped_lines
from memorytalker.datasets.layouts import LAYOUTS
from memorytalker.datasets.sequences import Skipped

SMALL = {"vertex_count": 60, "seconds": 0.6}
RAW = ("data_verts.npy", "raw_audio_fixed.pkl", "subj_seq_to_idx.pkl", "templates.pkl")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]):
    """`run(*arguments)`: exit code, standard output and standard error of a command."""

    def call(*arguments: str | Path) -> tuple[int, str, str]:
        code = cli.main([*map(str, arguments)])
        return code, *capsys.readouterr()

    return call


def test_names_of_layouts_are_the_same_in_both_places() -> None:
    assert tuple(LAYOUTS) == LAYOUT_NAMES


def test_an_empty_folder_is_told_everything_that_is_expected(run, tmp_path: Path) -> None:
    code, out, err = run("doctor", tmp_path)
    assert (code, err) == (cli.BAD_INPUT, "")
    for name in (*RAW, "wav/", "vertices_npy/"):
        assert f"MISSING  {name}" in out
    for origin in ("voca.is.tue.mpg.de", "flame.is.tue.mpg.de", "no longer distributed"):
        assert origin in out
    assert "NOT USABLE" in out and "FLAME_masks.pkl" in out
    assert "python -m memorytalker doctor" not in out.splitlines()[-1]


@pytest.mark.parametrize("name", RAW)
def test_a_raw_download_with_a_file_missing(run, tmp_path: Path, name: str) -> None:
    write_vocaset_raw(tmp_path, **SMALL)
    (tmp_path / name).unlink()
    code, out, _ = run("doctor", tmp_path)
    assert code == cli.BAD_INPUT and f"MISSING  {name}" in out
    assert all(f"found    {other}" in out for other in RAW if other != name)
    assert "--layout vocaset-raw" in out and "--layout vocaset)" in out


@pytest.mark.parametrize("write", [write_vocaset_raw, write_vocaset, write_biwi])
def test_a_usable_data_set(run, tmp_path: Path, write) -> None:
    planted = write(tmp_path, **SMALL)
    code, out, err = run("doctor", tmp_path)
    assert (code, err) == (cli.DONE, "") and "MISSING" not in out and "NOT USABLE" not in out
    counts = {line.split()[0]: int(line.split()[1]) for line in out.splitlines() if " sequences, " in line}
    assert set(counts) == {"train", "validation", "test"} and sum(counts.values()) == len(planted.speakers)
    fps = "25 fps" if write is write_biwi else "sequences at 60 fps, every second frame kept: 30 fps"
    assert f"{len(planted.speakers)} of {len(planted.speakers)} sequences at" in out and fps in out
    assert "60 vertices" in out and "kB" in out and "opening: vertices" in out
    assert " sequences skipped:" in out and ("neither sound nor motion" in out or "there is no wav/" in out)


def test_pointers_are_named(run, tmp_path: Path) -> None:
    write_vocaset_raw(tmp_path / "raw", **SMALL)
    (tmp_path / "raw" / "data_verts.npy").write_bytes(POINTER)
    code, out, _ = run("doctor", tmp_path / "raw")
    assert code == cli.BAD_INPUT and "POINTER  data_verts.npy" in out and "git lfs pull" in out
    write_vocaset(tmp_path / "processed", **SMALL, sentences=range(1, 11))
    for path in (tmp_path / "processed" / "vertices_npy").iterdir():
        path.write_bytes(POINTER)
    code, out, _ = run("doctor", tmp_path / "processed")
    assert code == cli.BAD_INPUT and f"POINTER  vertices_npy/{VOCASET_SUBJECTS[0]}_sentence01.npy" in out
    assert out.count("POINTER") == 11 and "and 30 more of the 40 files in vertices_npy/" in out


def test_the_corpus_needs_its_source_folder(run, tmp_path: Path) -> None:
    write_corpus(tmp_path / "corpus", tmp_path / "root")
    code, out, _ = run("doctor", tmp_path / "corpus")
    assert code == cli.BAD_INPUT and "--root" in out
    code, out, _ = run("doctor", tmp_path / "corpus", "--root", tmp_path / "root")
    assert code == cli.DONE and "found    clips.jsonl" in out


def test_refusals(run, tmp_path: Path) -> None:
    code, out, err = run("doctor", tmp_path / "none")
    assert (code, out) == (cli.BAD_INPUT, "") and err.startswith("memorytalker: There is no folder")
    write_biwi(tmp_path / "biwi", **SMALL)
    code, out, _ = run("doctor", tmp_path / "biwi", "--splits", tmp_path / "none.json")
    assert code == cli.BAD_INPUT and "no file of splits" in out
    code, _, err = run("doctor", "--layout", "biwi")
    assert code == cli.BAD_INPUT and "doctor FOLDER" in err
    code, _, err = run("convert", tmp_path / "biwi", tmp_path / "biwi")
    assert code == cli.BAD_INPUT and "not an empty folder" in err and err.count("\n") == 1


def test_convert_then_doctor(run, tmp_path: Path) -> None:
    write_biwi(tmp_path / "biwi", **SMALL)
    code, out, err = run("convert", tmp_path / "biwi", tmp_path / "out", "--splits", "biwi_seen")
    assert (code, err) == (cli.DONE, "") and "dataset.json: converted." in out
    code, out, _ = run("doctor", tmp_path / "out")
    assert code == cli.DONE and "splits 'biwi_seen'" in out and "converted from the layout biwi" in out
    assert "found    vertices/: motion, 6 files" in out


def test_skipped_sentences_become_ranges() -> None:
    names = ["F2_e01", "F2_e02", "F2_e03", "F2_e07", "M3_e01"]
    lines = skipped_lines([Skipped(name, f"there is no wav/{name}.wav") for name in names] + [Skipped("odd", "why")])
    assert lines == [
        "F2_e 01-03, 07: there is no wav/<name>.wav", "M3_e 01: there is no wav/<name>.wav", "odd: why",
    ]  # fmt: skip


def test_the_document_names_the_same_sources_as_doctor() -> None:
    text = (Path(__file__).resolve().parents[1] / "docs" / "paper.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| ([^|`]+) \| (`[^|]+`) \|$", text, re.MULTILINE))
    named = {(source, file.strip("`")) for source, files in rows.items() for file in files.split(", ")}
    layouts = [LAYOUTS[name] for name in ("vocaset-raw", "vocaset", "biwi")]
    assert named == {(part.origin, part.name) for layout in layouts for part in layout.parts}
    hosts = set(re.findall(r"[a-z]+(?:\.[a-z]+)*\.(?:de|com)\b", text.split("## Three commands")[0]))
    assert hosts == {host for source in rows for host in re.findall(r"[a-z]+(?:\.[a-z]+)*\.(?:de|com)\b", source)}
