"""Every file of a data set that may be untrusted: what it says, or one sentence, within bounds."""

from __future__ import annotations

import dataclasses
import json
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reader_checks import ABSURD_VALUES, ANY_BYTES, STEADY, cut_or_changed, json_of, other_values, outcome
from safetensors.numpy import load_file, save_file
from synthetic_datasets import BIWI_SUBJECTS, write_biwi, write_pickle, write_vocaset_raw

from memorytalker.corpus.clips import Clip, CorpusError, load_clip, read_clips, save_clip, write_clips
from memorytalker.datasets.convert import convert
from memorytalker.datasets.converted import open_converted, read_tensors
from memorytalker.datasets.opening import open_dataset
from memorytalker.datasets.pickles import read_pickle
from memorytalker.datasets.processed import motion_shape, read_motion, sound_seconds
from memorytalker.datasets.recordings import faces
from memorytalker.datasets.regions import FoundRegions, find_regions
from memorytalker.datasets.sequences import DatasetError
from memorytalker.datasets.splits import SAFE_NAME, read_splits
from memorytalker.datasets.vocaset import read_raw
from memorytalker.face.head import ARKIT_NAMES
from memorytalker.face.motion import FaceCurves

V = 40


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("some")


@pytest.fixture(scope="module")
def biwi(tmp_path_factory) -> Path:
    return write_biwi(tmp_path_factory.mktemp("biwi"), BIWI_SUBJECTS[:1], (1,), vertex_count=V, seconds=0.6).folder


# Pickles

INSTRUCTIONS = st.lists(
    st.sampled_from([bytes([one]) for one in b"(.012cdlpqrtuaeg}])N\x80\x85\x94hK\n"]), max_size=30
).map(b"".join)
PLAIN = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.tuples(inner, inner), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


@STEADY
@given(value=PLAIN, protocol=st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_a_pickle_is_read_as_it_was_written(folder: Path, value: object, protocol: int) -> None:
    path = folder / "x.pkl"
    path.write_bytes(pickle.dumps(value, protocol))
    assert read_pickle(path) == value


@pytest.mark.parametrize("python2", [True, False])
def test_a_pickle_that_was_changed_a_little(folder: Path, python2: bool) -> None:
    path = folder / "faces.pkl"
    write_pickle(path, {"F1": np.arange(9.0).reshape(3, 3), "sound": {"a": np.arange(3, dtype=np.int16)}}, python2)
    good = path.read_bytes()
    read_as = []
    for changed in (good, *cut_or_changed(good, seed=1)):
        path.write_bytes(changed)
        read_as.append(outcome(lambda: read_pickle(path)) is not None)
        outcome(lambda: faces(read_pickle(path), 3, path.name))
    assert read_as[0] and 0 < sum(read_as) < 100


@STEADY
@given(content=ANY_BYTES | INSTRUCTIONS)
def test_any_bytes_as_a_pickle(folder: Path, content: bytes) -> None:
    (folder / "x.pkl").write_bytes(content)
    outcome(lambda: read_pickle(folder / "x.pkl"))


def test_a_place_beyond_the_file_takes_no_memory(folder: Path) -> None:
    for place in (b"r" + struct.pack("<I", 2**32 - 1), b"p4294967295\n"):
        (folder / "x.pkl").write_bytes(b"\x80\x02N" + place + b".")
        with pytest.raises(DatasetError, match="more memory than its length"):
            read_pickle(folder / "x.pkl")


def test_tuples_that_hold_each_other_twice_are_walked_through_once(folder: Path) -> None:
    nested: object = ("a",)
    for _ in range(200):
        nested = (nested, nested)
    (folder / "x.pkl").write_bytes(pickle.dumps([nested], 2))
    assert outcome(lambda: read_pickle(folder / "x.pkl")) is not None


def test_arrays_stand_nowhere_but_as_values(folder: Path) -> None:
    array = b"cnumpy\nndarray\n)\x81"
    for content in (b"\x80\x02}" + array + b"Ns.", b"\x80\x04\x8f(" + array + b"\x90."):
        (folder / "x.pkl").write_bytes(content)
        assert outcome(lambda: read_pickle(folder / "x.pkl")) is None


def test_neutral_faces_of_any_kind() -> None:
    for absurd in (*ABSURD_VALUES, np.full((3, 3), 1e300), [[1, 2], [3]], np.zeros((3, 3), complex), {1: 2}):
        assert outcome(lambda value=absurd: faces({"F1": value}, 3, "templates.pkl")) is None
        assert outcome(lambda value=absurd: faces(value, 3, "templates.pkl")) is None
    for name in (1, None, "", "x" * 5000, "a\nb", ("a",)):
        assert outcome(lambda name=name: faces({name: np.zeros((3, 3))}, 3, "templates.pkl")) is None


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", ["raw_audio_fixed.pkl", "subj_seq_to_idx.pkl"])
def test_what_a_raw_download_says_of_a_sentence(tmp_path: Path, name: str) -> None:
    write_vocaset_raw(tmp_path, sentences=(21,), vertex_count=V, seconds=0.2)
    good = read_pickle(tmp_path / name)
    speaker = next(iter(good))
    values = [*ABSURD_VALUES, {0: float("inf")}, {0: 10**30}, {"a": 0}, {0: -1}, {0: None}]
    values += [{"audio": audio, "sample_rate": rate} for audio in ([1, 2], [[1], [2, 3]], None) for rate in ("x", -1)]
    for value in values:
        write_pickle(tmp_path / name, good | {speaker: {"sentence21": value}})
        found = outcome(lambda: read_raw(tmp_path))
        assert found is None or any(speaker in one for one in found.broken)


# Splits

SPLITS = {
    "format": 1, "name": "own", "source": "me", "sequence": "{speaker}_e{sentence:02d}",
    "splits": {"train": {"speakers": ["F2"], "sentences": "1-3,7"}, "test": {"speakers": ["M1"], "sentences": "4"}},
}  # fmt: skip


@STEADY
@given(
    speakers=st.lists(st.from_regex(r"[A-Z][a-z]{1,5}", fullmatch=True), max_size=3, unique=True),
    numbers=st.lists(st.integers(0, 9999), min_size=1, max_size=5, unique=True),
)
def test_splits_are_read_as_they_were_written(folder: Path, speakers: list[str], numbers: list[int]) -> None:
    path = folder / "splits.json"
    part = {"speakers": speakers, "sentences": ",".join(map(str, numbers))}
    path.write_text(json.dumps(SPLITS | {"splits": {"train": part}}))
    wanted = [(f"{speaker}_e{number:02d}", speaker) for speaker in speakers for number in numbers]
    assert [(entry.name, entry.speaker) for entry in read_splits(path).entries] == wanted


def test_splits_that_were_changed_a_little(folder: Path) -> None:
    path, good = folder / "splits.json", json.dumps(SPLITS).encode()
    read_as = []
    for changed in (good, *cut_or_changed(good, seed=2), *other_values(good, seed=3)):
        path.write_bytes(changed)
        table = outcome(lambda: read_splits(path))
        assert table is None or all(SAFE_NAME.fullmatch(entry.name) for entry in table.entries)
        read_as.append(table is not None)
    assert read_as[0] and 5 < sum(read_as) < 195


@pytest.mark.parametrize(
    "change",
    [
        {"sequence": "{speaker.__class__.__mro__}"}, {"sequence": "{sentence:999999999999}"}, {"sequence": "{0}"},
        {"sequence": "{sentence:0999999999d}"}, {"sequence": "x" * 10_000}, {"sequence": "{speaker!r:>99999999}"},
        {"splits": {"train": {"speakers": ["A"], "sentences": "1-9999," * 1000}}},
        {"splits": {"train": {"speakers": [f"S{n}" for n in range(100_000)], "sentences": "1-9999"}}},
        {"splits": {"train": {"speakers": ["A"], "sentences": "1" * 5000}}},
        {"splits": {"train": {"speakers": ["A" * 1000], "sentences": "1"}}},
    ],
    ids=range(10),
)  # fmt: skip
def test_splits_that_would_grow_are_refused(folder: Path, change: dict) -> None:
    (folder / "splits.json").write_text(json.dumps(SPLITS | change))
    assert outcome(lambda: read_splits(folder / "splits.json")) is None


@STEADY
@given(values=json_of("format name source sequence splits train test speakers sentences {speaker} 1-3"))
def test_any_json_as_splits_and_regions(folder: Path, values: dict) -> None:
    path = folder / "any.json"
    for table in (values, SPLITS | values, {"splits": values} | SPLITS, SPLITS | {"splits": {"train": values}}):
        path.write_text(json.dumps(table))
        outcome(lambda: read_splits(path))


# Regions

REGIONS = {"format": 1, "lips": [1, 2, 3], "upper_face": [4, 5], "opening": [1, 2], "source": "me"}


def regions(path: Path) -> FoundRegions | None:
    found = outcome(lambda: find_regions(path.parent, V, path, "get it"))
    for indices in (found.regions.lips, found.regions.upper_face) if found is not None else ():
        assert indices is None or (indices.dtype == np.int64 and indices.min() >= 0 and indices.max() < V)
    return found


def test_regions_that_were_changed_a_little(folder: Path) -> None:
    path, good = folder / "regions.json", json.dumps(REGIONS).encode()
    read_as = []
    for changed in (good, *cut_or_changed(good, seed=4), *other_values(good, seed=5)):
        path.write_bytes(changed)
        read_as.append(regions(path) is not None)
    assert read_as[0] and 5 < sum(read_as) < 195
    for key in ("lips", "upper_face", "opening"):
        for absurd in (*ABSURD_VALUES, [10**30], [1.5], ["1", "2"], [True, False], [[1, 2]], [2**63], [V]):
            path.write_text(json.dumps(REGIONS | {key: absurd}))
            regions(path)


def test_masks_and_lists_of_any_kind(folder: Path) -> None:
    masks, text = folder / "FLAME_masks.pkl", folder / "lve.txt"
    good = {"lips": np.array([1, 2]), "nose": np.array([3]), "face": np.arange(V)}
    write_pickle(masks, good)
    found = regions(masks)
    assert found is not None and found.regions.lips.tolist() == [1, 2] and found.regions.upper_face.tolist() == [3]
    whole = masks.read_bytes()
    for changed in cut_or_changed(whole, seed=6):
        masks.write_bytes(changed)
        regions(masks)
    for absurd in (*ABSURD_VALUES, np.zeros(3), [2**63], [-(2**70)], np.array([2**64 - 1], np.uint64)):
        write_pickle(masks, good | {"lips": absurd}, python2=False)
        regions(masks)
    for content in (b"1,2,3", b"1 " + b"9" * 5000, b"\xff", "1²".encode(), "٣".encode(), b"", b"-1", b"1.5", b"[1;2]"):
        text.write_bytes(content)
        regions(text)


# A converted data set


@pytest.fixture(scope="module")
def converted(biwi: Path, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("out") / "converted"
    convert(open_dataset(biwi, "biwi"), out)
    return out


def test_a_converted_data_set_that_was_changed_a_little(converted: Path) -> None:
    path = converted / "dataset.json"
    good, before = path.read_bytes(), open_converted(converted, None, "convert again")
    read_as = []
    for changed in (*cut_or_changed(good, seed=7), *other_values(good, seed=8)):
        path.write_bytes(changed)
        found = outcome(lambda: open_converted(converted, None, "convert again"))
        assert found is None or (1 <= found.fps <= 240 and all(one.frames > 0 for one in found.sequences))
        read_as.append(found is not None)
    path.write_bytes(good)
    again = open_converted(converted, None, "convert again")
    np.testing.assert_array_equal(again.sequences[0].vertices(), before.sequences[0].vertices())
    assert 5 < sum(read_as) < 195


@settings(STEADY, max_examples=60)
@given(values=json_of("format fps vertex_count sequences skipped notes origin layout files name split frames bytes"))
def test_any_json_as_an_index(converted: Path, values: dict) -> None:
    path = converted / "dataset.json"
    good = path.read_bytes()
    try:
        path.write_text(json.dumps(json.loads(good) | values | {"format": 1}))
        outcome(lambda: open_converted(converted, None, "convert again"))
    finally:
        path.write_bytes(good)


def test_numbers_of_an_index_that_cannot_be(converted: Path) -> None:
    path = converted / "dataset.json"
    good = path.read_bytes()
    index = json.loads(good)
    first = index["sequences"][0]
    try:
        for wrong in (*ABSURD_VALUES[:10], "5", 1.5, 10**8):
            changes = [{"fps": wrong}, {"vertex_count": wrong}, {"sequences": [first | {"frames": wrong}]}]
            for change in changes:
                path.write_text(json.dumps(index | change))
                assert outcome(lambda: open_converted(converted, None, "convert again")) is None, change
    finally:
        path.write_bytes(good)


def test_arrays_of_a_converted_data_set(converted: Path) -> None:
    path = next((converted / "vertices").glob("*.safetensors"))
    good, tensors = path.read_bytes(), load_file(path)
    sequence = open_converted(converted, None, "convert again").sequences[0]
    for changed in cut_or_changed(good, seed=9):
        path.write_bytes(changed)
        outcome(lambda: read_tensors(path))
        found = outcome(sequence.vertices)
        assert found is None or np.isfinite(found).all()
    spoilt = tensors["vertices"].copy()
    spoilt[0, 0, 0] = np.nan
    for other in (spoilt, spoilt[:1], spoilt.astype(np.float16), spoilt.astype(np.int32), spoilt.ravel()):
        save_file({"vertices": other}, path)
        assert outcome(sequence.vertices) is None
    path.write_bytes(good)


# The processed form


@pytest.mark.parametrize("kind", ["npy", "wav"])
def test_motion_and_sound_that_were_changed_a_little(biwi: Path, folder: Path, kind: str) -> None:
    source = next(biwi.glob(f"*/*.{kind}"))
    path, good = folder / f"x.{kind}", source.read_bytes()
    read_as = []
    for changed in (good, *cut_or_changed(good, seed=10)):
        path.write_bytes(changed)
        if kind == "wav":
            seconds = outcome(lambda: sound_seconds(path))
            assert seconds is None or 0 < seconds < 1e9
            read_as.append(seconds is not None)
            continue
        shape, motion = outcome(lambda: motion_shape(path)), outcome(lambda: read_motion(path))
        assert motion is None or (motion.dtype == np.float32 and motion.shape == (*shape, 3))
        assert motion is None or np.isfinite(motion).all()
        read_as.append(motion is not None)
    assert read_as[0] and 0 < sum(read_as) < 101


@pytest.mark.filterwarnings("error", "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@STEADY
@given(
    shape=st.sampled_from(["(2, 3)", "(-1, 3)", "(2**60, 3)", "(10000000000, 3)", "(2, 3", "()", "(0, 3)", "3"]),
    kind=st.sampled_from(["<f4", ">f8", "|O", "<U9", "c16", "(2,)f4", "f4,f4", "V999999", "x", "<i8", "?", "1"]),
    data=st.binary(max_size=60),
)  # fmt: skip
def test_any_header_of_motion(folder: Path, shape: str, kind: str, data: bytes) -> None:
    path, header = folder / "x.npy", f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data)
    outcome(lambda: motion_shape(path))
    outcome(lambda: read_motion(path))


@pytest.mark.filterwarnings("error", "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_motion_beyond_single_precision_is_refused(folder: Path) -> None:
    np.save(folder / "x.npy", np.full((2, 6), 1e300))
    with pytest.raises(DatasetError, match="not finite"):
        read_motion(folder / "x.npy")


# A corpus


CLIP = Clip("a/b", "ann", "train", "grid", "captured", "a/b.wav", 8, 30, text="hi")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    weights = np.random.default_rng(0).random((8, 52))
    save_clip(tmp_path, CLIP, FaceCurves(weights, ARKIT_NAMES, 30), np.zeros(8, int))
    write_clips(tmp_path, [CLIP, dataclasses.replace(CLIP, name="c", base="corpus", augmentation=2)], ARKIT_NAMES)
    return tmp_path


def test_a_corpus_is_read_as_it_was_written_and_changed_a_little(corpus: Path) -> None:
    clips, names = read_clips(corpus)
    assert clips[0] == CLIP and clips[1].augmentation == 2 and names == ARKIT_NAMES
    for name in ("clips.jsonl", "curves.json"):
        good = (corpus / name).read_bytes()
        read_as = []
        for changed in (good, *cut_or_changed(good, seed=11), *other_values(good, seed=12)):
            (corpus / name).write_bytes(changed)
            read_as.append(outcome(lambda: read_clips(corpus)) is not None)
        (corpus / name).write_bytes(good)
        assert read_as[0] and 5 < sum(read_as) < 195
    (corpus / "curves.json").unlink()
    assert outcome(lambda: read_clips(corpus)) is None


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "a\\..\\x", "a\0"])
def test_names_of_clips_stay_in_the_corpus(corpus: Path, name: str) -> None:
    for key in ("name", "sound"):
        (corpus / "clips.jsonl").write_text(json.dumps(dataclasses.asdict(CLIP) | {key: name}) + "\n")
        with pytest.raises(CorpusError, match="make the corpus again"):
            read_clips(corpus)


def test_curves_of_a_clip_that_were_changed_a_little(corpus: Path) -> None:
    path = corpus / "clips" / "a" / "b.npz"
    good = path.read_bytes()
    read_as = []
    for changed in (good, *cut_or_changed(good, seed=13)):
        path.write_bytes(changed)
        found = outcome(lambda: load_clip(corpus, CLIP))
        assert found is None or (np.isfinite(found[0]).all() and found[1].shape == found[0].shape[:1])
        read_as.append(found is not None)
    assert read_as[0] and 0 < sum(read_as) < 101
    for weights, phones in ((np.full((8, 52), np.nan), np.zeros(8, int)), (np.zeros(8), np.zeros(8, int)),
                            (np.zeros((8, 52)), np.zeros(9, int)), (np.zeros((8, 52)), np.array(["a"] * 8)),
                            (np.array([[{}]]), np.zeros(1, int))):  # fmt: skip
        np.savez(path, weights=weights, phones=phones)
        assert outcome(lambda: load_clip(corpus, CLIP)) is None
