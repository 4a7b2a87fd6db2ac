"""Every file that a corpus is made from, or keeps while it is made: what it says, or one sentence that names it."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reader_checks import ABSURD_VALUES, STEADY, cut_or_changed, json_of, other_values, outcome

from memorytalker import files
from memorytalker.corpus import build
from memorytalker.corpus.capture import solved_clips
from memorytalker.corpus.clips import Clip, CorpusError, read_clips, write_clips
from memorytalker.corpus.landmark_files import STEPS_PER_PIXEL, read_landmark_clips
from memorytalker.corpus.store import stored_acoustics, stored_lines, stored_phones
from memorytalker.face.array_files import ArrayFileError, open_arrays, opened_arrays
from memorytalker.face.head import ARKIT_NAMES, load_head
from memorytalker.files import append_lines, read_lines
from memorytalker.phones import ENGLISH
from memorytalker.tracking import landmark_solver
from memorytalker.tracking.landmarks import CaptureError, fill_missing
from memorytalker.tracking.tracker import POINTS

FEWER = settings(STEADY, max_examples=40)
#: Text with every kind of end of a line that is not one in JSON lines.
WORDS = st.text('aé\u2028\x85\x0b\x1c\r\n "\\', max_size=8)
NUMBERS = st.floats(-1e9, 1e9).map(lambda number: round(number, 3))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A source folder and a corpus in one, with a file of every kind."""
    root = tmp_path_factory.mktemp("corpus")
    for name in ("speech", "capture/grid", "captured"):
        (root / name).mkdir(parents=True)
    write(root / "speech" / "manifest.jsonl", [SPOKEN, SPOKEN | {"file": "b/c.opus", "licence": "CC0"}])
    write(root / "phones.jsonl", [{"sound": "a", "phones": [[0, 0.2, "sil"], [0.2, 0.5, "aa"]]}])
    write(root / "acoustics.jsonl", [MEASURED])
    write(root / "capture" / "grid" / "manifest.jsonl", [TRACKED, TRACKED | {"clip": "d", "text": "bin blue"}])
    raw = np.arange(3 * len(INDEX) * 2).reshape(3, -1, 2).astype(np.int16)
    np.savez(root / "capture" / "grid" / "landmarks.npz", index=INDEX, c=raw, d=raw + 1)
    write(root / "captured" / "clips.jsonl", [SOLVED])
    weights = np.linspace(0, 1, 104).reshape(2, 52).astype(np.float16)
    np.savez(root / "captured" / "c.npz", weights=weights, names=np.array(ARKIT_NAMES), fps=np.float32(30))
    build.save_curves(root / "curves", "c", np.full((4, len(build.synthesised_shapes())), 0.25, np.float32))
    return root


SPOKEN = {"file": "a.opus", "speaker": "s", "split": "train", "text": "hello", "source": "x"}
MEASURED = {"sound": "a", "effort": [0.1, 0.2], "range": 20.0, "brightness": -9.0, "pitch": 120.0,
            "open": [700.0], "close": []}  # fmt: skip
INDEX = np.array([33, 263, 13, 14], np.int16)
TRACKED = {"clip": "c", "speaker": "s", "audio": "c.opus", "frames": 3, "fps": 25.0}
SOLVED = {"name": "c", "speaker": "s", "sound": "grid/c.opus", "frames": 2, "fps": 30.0, "text": None, "source": "grid",
          "split": "train"}  # fmt: skip
#: What reads each file of JSON lines, and the class of its errors.
LISTS: dict[str, tuple[Callable[[Path], Any], type[Exception]]] = {
    "speech/manifest.jsonl": (build.read_manifest, CorpusError),
    "phones.jsonl": (lambda root: stored_phones(root / "phones.jsonl"), CorpusError),
    "acoustics.jsonl": (lambda root: stored_acoustics(root / "acoustics.jsonl"), CorpusError),
    "capture/grid/manifest.jsonl": (lambda root: list(read_landmark_clips(root / "capture" / "grid")), CaptureError),
    "captured/clips.jsonl": (lambda root: list(solved_clips(root / "captured", ARKIT_NAMES)), CorpusError),
}
#: What reads each file of arrays.
ARRAYS: dict[str, Callable[[Path], Any]] = {
    "capture/grid/landmarks.npz": LISTS["capture/grid/manifest.jsonl"][0],
    "captured/c.npz": LISTS["captured/clips.jsonl"][0],
    "curves/c.npy": lambda root: build.read_saved_curves(root / "curves", "c", 4),
}


def write(path: Path, rows: list[dict]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def kept(folder: Path, request: pytest.FixtureRequest):
    """The parametrised file, put back afterwards."""
    path = folder / request.node.callspec.params["name"]
    good = path.read_bytes()
    yield path, good
    path.write_bytes(good)


def named(path: Path, read: Callable[[], Any], kind: type[Exception]) -> Any:
    """What is read; a refusal is of the reader's own class and names the file, or the folder that it is made in."""
    try:
        return read()
    except kind as error:
        assert path.name in str(error) or str(path.parent) in str(error), error
        return outcome(partial(_again, error))


def _again(error: Exception) -> None:
    raise error


# Lines


@FEWER
@given(texts=st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=4))
def test_clips_are_read_as_they_were_written_whatever_their_text(tmp_path_factory, texts: list) -> None:
    folder = tmp_path_factory.mktemp("clips")
    clips = [Clip(f"c{i}", speaker, "train", "x", "silence", "s.wav", 3, 30, text=text)
             for i, (speaker, text) in enumerate(texts)]  # fmt: skip
    write_clips(folder, clips, ARKIT_NAMES)
    assert read_clips(folder) == (clips, ARKIT_NAMES)


@FEWER
@given(entries=st.lists(st.dictionaries(WORDS, WORDS | NUMBERS | st.lists(NUMBERS), max_size=3), max_size=4))
def test_a_store_gives_what_was_put_in(folder: Path, entries: list[dict]) -> None:
    path = folder / "store.jsonl"
    path.write_text("")
    half = len(entries) // 2
    list(append_lines(path, entries[:half]))
    path.write_bytes(path.read_bytes() + b'{"cut": "of')
    assert stored_lines(path) == entries[:half]
    list(append_lines(path, entries[half:]))
    assert stored_lines(path) == entries


PHONE = st.tuples(st.floats(0, 9), st.floats(0, 9), st.sampled_from(ENGLISH.phones)).map(
    lambda p: [*sorted(p[:2]), p[2]]
)


@FEWER
@given(times=st.dictionaries(WORDS, st.none() | st.lists(PHONE, min_size=1, max_size=4), max_size=3),
       measures=st.dictionaries(WORDS, st.lists(NUMBERS, min_size=5, max_size=8), max_size=3))  # fmt: skip
def test_phones_and_measures_are_read_as_they_were_stored(folder: Path, times: dict, measures: dict) -> None:
    phones, acoustics = folder / "p.jsonl", folder / "m.jsonl"
    write(phones, [{"sound": sound, "phones": own} for sound, own in times.items()])
    assert stored_phones(phones) == times
    entries = {sound: {"sound": sound, "effort": own, "range": own[0], "brightness": own[1], "pitch": own[2],
                       "open": own[3:], "close": []} for sound, own in measures.items()}  # fmt: skip
    write(acoustics, [*entries.values(), {"sound": "old"}])
    assert stored_acoustics(acoustics) == entries


def test_what_a_source_folder_says_is_read(folder: Path) -> None:
    assert build.read_manifest(folder)[0] == SPOKEN | {"sound": "speech/a.opus"}
    first, second = read_landmark_clips(folder / "capture" / "grid")
    np.testing.assert_array_equal(second.points * STEPS_PER_PIXEL, first.points * STEPS_PER_PIXEL + 1)
    assert (first.name, first.speaker, first.fps, first.text, second.text) == ("c", "s", 25.0, None, "bin blue")
    assert first.sound == folder / "capture" / "grid" / "c.opus"
    [(row, curves)] = solved_clips(folder / "captured", ARKIT_NAMES)
    assert row == SOLVED and curves.names == ARKIT_NAMES and curves.fps == 30
    np.testing.assert_allclose(curves.weights.ravel(), np.linspace(0, 1, 104), atol=1e-3)
    assert (build.read_saved_curves(folder / "curves", "c", 4) == 0.25).all()


@pytest.mark.parametrize("name", LISTS)
def test_a_list_that_was_changed_a_little(folder: Path, kept, name: str) -> None:
    (path, good), (read, kind) = kept, LISTS[name]
    read_as = []
    for changed in (good, *cut_or_changed(good, seed=1), *other_values(good, seed=2)):
        path.write_bytes(changed)
        read_as.append(named(path, lambda: read(folder), kind) is not None)
    assert read_as[0] and 5 < sum(read_as) < 195, "some changes matter and some do not"


@pytest.mark.parametrize("name", LISTS)
def test_any_value_in_a_list(folder: Path, kept, name: str) -> None:
    (path, good), (read, kind) = kept, LISTS[name]
    row = json.loads(good.splitlines()[0])
    for key in row:
        for absurd in ABSURD_VALUES:
            text = "9" * 5000 if isinstance(absurd, int) and abs(absurd) > 10**300 else json.dumps(absurd)
            path.write_text(json.dumps(row | {key: "HERE"}).replace('"HERE"', text))
            named(path, lambda: read(folder), kind)
        write(path, [{other: value for other, value in row.items() if other != key}])
        named(path, lambda: read(folder), kind)


@pytest.mark.parametrize("name", LISTS)
@FEWER
@given(
    row=json_of("file speaker split text source sound phones effort clip audio frames fps name brightness range train")
)
def test_any_line_with_our_words(folder: Path, name: str, row: dict) -> None:
    read, kind = LISTS[name]
    path, good = folder / name, (folder / name).read_bytes()
    try:
        path.write_text(json.dumps(json.loads(good.splitlines()[0]) | row) + "\n")
        named(path, lambda: read(folder), kind)
        path.write_text(json.dumps(row) + "\n")
        named(path, lambda: read(folder), kind)
    except ValueError as error:  # a whole number of too many digits
        assert "digits" in str(error)
    finally:
        path.write_bytes(good)


@pytest.mark.parametrize(
    ("name", "key", "values"),
    [
        ("speech/manifest.jsonl", "split", ["valid", "Train", "x" * 5000]),
        ("phones.jsonl", "phones", [[], [[0, 1]], [[0, 1, "zz"]], [[1, 0, "aa"]], [[0, "1", "aa"]], [["aa", 0, 1]],
                                    [[0, float("nan"), "aa"]], [{}], ["sil"], [[0, 1, ["aa"]]]]),
        ("acoustics.jsonl", "effort", [[], [None], ["1"], [float("nan")], [[0.1]]]),
        ("acoustics.jsonl", "open", [[True], None, 700.0]),
        ("acoustics.jsonl", "brightness", [float("nan"), "-9", None]),
        ("capture/grid/manifest.jsonl", "fps", [0, 0.5, 1e6, -25]),
        ("capture/grid/manifest.jsonl", "clip", ["", "a/b", "x" * 5000, "e"]),
        ("capture/grid/manifest.jsonl", "frames", [2, 3.0, -3]),
    ],
)  # fmt: skip
def test_values_that_no_list_of_ours_has_are_refused(
    folder: Path, kept, name: str, key: str, values: list[Any]
) -> None:
    (path, good), (read, kind) = kept, LISTS[name]
    for value in values:
        write(path, [json.loads(good.splitlines()[0]) | {key: value}])
        assert named(path, lambda: read(folder), kind) is None, value


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_not_read_beyond_its_bound(folder: Path, kept, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (path, good), (read, kind) = kept, LISTS[name]
    monkeypatch.setattr(files, "LARGEST_LINES", 1_000_000)
    path.write_bytes(good + b"\n" * 1_000_000)
    with pytest.raises(kind, match="larger than 1 MB"):
        read(folder)


@pytest.mark.parametrize("key", ["clip", "audio"])
@pytest.mark.parametrize("outside", ["../x", "/etc/x", "a/../../x", "a\\..\\x", "a\0"])
def test_lists_name_nothing_outside_their_folder(folder: Path, key: str, outside: str) -> None:
    for name, row in (("capture/grid/manifest.jsonl", TRACKED), ("speech/manifest.jsonl", SPOKEN)):
        read, kind = LISTS[name]
        good = (folder / name).read_bytes()
        write(folder / name, [row | {"file" if row is SPOKEN else key: outside}])
        with pytest.raises(kind, match="names"):
            read(folder)
        (folder / name).write_bytes(good)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("[]", "line 2 is not an object"),
        ('{"a": 1}', "line 2 needs 'b': text"),
        ('{"b": "x", "a": true}', "line 2 needs 'a': a number"),
        ('{"b": "x", "a": 1e13}', "line 2 needs 'a': a number"),
        ("{", "line 2 is not readable JSON"),
    ],
)
def test_a_refused_line_is_told_by_its_number(folder: Path, row: str, words: str) -> None:
    path = folder / "lines.jsonl"
    path.write_text(f'{{"a": 1, "b": "x"}}\n{row}\n')
    with pytest.raises(ValueError) as refusal:
        read_lines(path, {"a": float, "b": str})
    assert str(refusal.value).startswith(words)


# Arrays


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_that_were_changed_a_little(folder: Path, kept, name: str) -> None:
    path, good = kept
    read_as = []
    for changed in (good, *cut_or_changed(good, seed=3)):
        path.write_bytes(changed)
        kinds = (CaptureError, CorpusError)
        read_as.append(named(path, lambda: ARRAYS[name](folder), kinds) is not None)
    assert read_as[0] and 0 < sum(read_as) < 100


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_of_another_shape_or_kind(folder: Path, kept, name: str) -> None:
    path, _ = kept
    held = open_arrays(path)
    arrays = {key: held.read(key) for key in held.headers}
    for key, array in arrays.items():
        flat = array.ravel()
        for other in (flat[:0], array[:-1] if array.ndim else flat, np.array(3), np.array(["x"] * 3), flat,
                      np.full(array.shape, np.nan), np.full(array.shape, 1e300), np.zeros(array.shape, complex),
                      np.full(array.shape, -5), np.array([{}], object), np.zeros((2, 0, 2))):  # fmt: skip
            if key:
                np.savez(path, **arrays | {key: other})
            else:
                np.save(path, other)
            made = named(path, lambda: ARRAYS[name](folder), (CaptureError, CorpusError))
            if name.startswith("curves") and made is not None:
                assert np.isfinite(made).all()


def test_landmarks_are_sixteenths_of_a_pixel_of_bounded_size(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "capture" / "grid" / "landmarks.npz"
    good = path.read_bytes()
    monkeypatch.setattr("memorytalker.face.array_files.LARGEST_BYTES", 47)
    with pytest.raises(CaptureError, match="not a readable npz"):
        list(read_landmark_clips(path.parent))
    monkeypatch.undo()
    for kind in (np.float32, np.int64, np.uint16, bool, complex, "U3"):
        np.savez(path, index=INDEX, c=np.zeros((3, 4, 2), kind), d=np.zeros((3, 4, 2), np.int16))
        with pytest.raises(CaptureError, match="no sixteenths of a pixel"):
            list(read_landmark_clips(path.parent))
    path.write_bytes(good)


def test_curves_of_other_shapes_than_the_head_has_are_refused(folder: Path) -> None:
    with pytest.raises(CorpusError, match="c.npz is damaged; delete"):
        list(solved_clips(folder / "captured", ARKIT_NAMES[:5]))


def test_an_array_that_announces_too_much_takes_no_memory(folder: Path) -> None:
    path = folder / "capture" / "grid" / "landmarks.npz"
    good = path.read_bytes()
    for shape in (b"(999999999, 4, 2), ", b"(3, 4, 99999999), "):
        at = good.index(b"'shape': (3, 4, 2), ")
        old = b"'shape': (3, 4, 2), "
        spaces = len(shape) - len(b"(3, 4, 2), ")
        changed = good[:at] + b"'shape': " + shape + good[at + len(old) :].replace(b" " * spaces, b"", 1)
        assert len(changed) == len(good)
        path.write_bytes(changed)
        with pytest.raises(CaptureError, match="not a readable npz"):
            list(read_landmark_clips(path.parent))
    path.write_bytes(good)


def test_an_archive_of_many_arrays_is_opened_once_and_bounded(tmp_path: Path) -> None:
    np.savez(tmp_path / "many.npz", **{f"c{i}": np.full(3, i) for i in range(40)})
    with pytest.raises(ArrayFileError, match="more than 32"):
        open_arrays(tmp_path / "many.npz")
    with opened_arrays(tmp_path / "many.npz", 40) as read:
        assert (read("c39") == 39).all()
        with pytest.raises(ArrayFileError, match="holds no array x"):
            read("x")
    with pytest.raises(ArrayFileError, match="more than 39"), opened_arrays(tmp_path / "many.npz", 39):
        pass


@pytest.mark.parametrize("frames", [1, 3, 30])
def test_a_clip_without_any_face_is_left_out(frames: int) -> None:
    assert fill_missing(np.full((frames, 4, 2), np.nan), 25.0) is None


# The basis of a tracker


@pytest.fixture(scope="module")
def basis() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    full = random.normal(0, 0.01, (len(ARKIT_NAMES), POINTS, 2)).astype(np.float32)
    return {"index": np.arange(POINTS, dtype=np.int16), "neutral": random.normal(0, 1, (POINTS, 2)).astype(np.float32),
            "full": full, "half": full / 2, "shapes": np.array(ARKIT_NAMES)}  # fmt: skip


@pytest.fixture(scope="module")
def read_basis(folder: Path) -> Callable[[], Any]:
    """Without joining it to the head, which takes a while for every one of many."""
    head, path = load_head(), folder / "tracker_basis.npz"
    return lambda: named(path, lambda: landmark_solver.read_basis(path, head), CaptureError)


def test_a_basis_that_was_changed_a_little(folder: Path, basis, read_basis) -> None:
    path = folder / "tracker_basis.npz"
    np.savez(path, **basis)
    good = path.read_bytes()
    made = read_basis()
    np.testing.assert_array_equal(made.index, basis["index"])
    np.testing.assert_allclose(made.neutral, basis["neutral"])
    read_as = []
    for changed in [*cut_or_changed(good, seed=4)][::4]:
        path.write_bytes(changed)
        read_as.append(read_basis() is not None)
    assert sum(read_as) < len(read_as)


def test_a_basis_of_another_shape_or_kind(folder: Path, basis, read_basis) -> None:
    for name, array in basis.items():
        for other in (array[:0], array[:-1], array.ravel()[:-3], np.array(3), np.zeros(array.shape, complex),
                      np.full(array.shape, np.nan), np.full(array.shape, 1e30), np.full(array.shape, "x"),
                      np.full(array.shape, -1), np.zeros(array.shape, int)):  # fmt: skip
            if name == "index" and other.shape == array.shape and (other == array).all():
                continue
            np.savez(folder / "tracker_basis.npz", **basis | {name: other})
            assert read_basis() is None, (name, other.shape, other.dtype)
    for name in ("neutral", "full", "half"):
        for wrong in (np.nan, np.inf, 1e30):
            changed = basis[name].copy()
            changed.flat[-1] = wrong
            np.savez(folder / "tracker_basis.npz", **basis | {name: changed})
            assert read_basis() is None, (name, wrong)
    lacking = {name: array for name, array in basis.items() if name != "half"}
    np.savez(folder / "tracker_basis.npz", **lacking)
    assert read_basis() is None
