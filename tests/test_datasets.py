"""Data sets on disk: every layout gives the same FaceDataset, rates are decided from the sound, nothing is guessed."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile
from synthetic_datasets import (
    SOUND_RATE,
    VOCASET_SUBJECTS,
    Planted,
    planted_face,
    write_biwi,
    write_masks,
    write_pickle,
    write_vocaset,
    write_vocaset_raw,
)

from memorytalker.datasets.opening import open_dataset
from memorytalker.datasets.rates import fitting_rate
from memorytalker.datasets.regions import mid_line, with_opening
from memorytalker.datasets.sequences import DatasetError, FaceDataset, FaceRegions
from memorytalker.datasets.splits import read_splits

SMALL = {"vertex_count": 60, "seconds": 0.6}
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 12345\n" % 7
WRITERS = {"vocaset-raw": write_vocaset_raw, "vocaset": write_vocaset, "biwi": write_biwi}


def refused(match: str, *arguments: object, **options: object) -> str:
    """Open a data set that must be refused, in one sentence; returns it."""
    with pytest.raises(DatasetError, match=match) as caught:
        open_dataset(*arguments, **options)
    message = str(caught.value)
    assert message.endswith(".") and "\n" not in message
    return message


def assert_planted(dataset: FaceDataset, planted: Planted, step: int) -> None:
    assert {one.name: one.speaker for one in dataset.sequences} == dict(planted.speakers)
    for one in dataset.sequences:
        vertices = one.vertices()
        assert vertices.dtype == np.float32 and vertices.shape == (one.frames, dataset.vertex_count, 3)
        np.testing.assert_array_equal(vertices, planted.vertices[one.name][::step])
        waveform = one.waveform()
        assert waveform.sample_rate == 16000
        assert waveform.seconds == pytest.approx(len(planted.sounds[one.name]) / SOUND_RATE, abs=1e-3)
    assert set(dataset.templates) == set(planted.speakers.values())
    for speaker, face in dataset.templates.items():
        assert face.dtype == np.float32
        np.testing.assert_array_equal(face, planted.templates[speaker])
    np.testing.assert_array_equal(dataset.regions.lips, planted.face.lips)
    np.testing.assert_array_equal(dataset.regions.upper_face, planted.face.upper_face)
    assert dataset.regions.opening == planted.face.opening


@pytest.mark.parametrize("layout", WRITERS)
def test_every_layout_gives_what_was_planted(tmp_path: Path, layout: str) -> None:
    planted = WRITERS[layout](tmp_path, **SMALL)
    dataset = open_dataset(tmp_path)
    assert (dataset.layout, dataset.vertex_count) == (layout, 60)
    assert dataset.fps == (25 if layout == "biwi" else 30)
    assert_planted(dataset, planted, 1 if layout == "biwi" else 2)
    assert all(dataset.split(split) for split in ("train", "validation", "test"))
    table = {entry.name: entry for entry in read_splits("biwi" if layout == "biwi" else "vocaset").entries}
    assert all(table[one.name].split == one.split for one in dataset.sequences)
    assert len(dataset.skipped) == len(table) - len(planted.speakers)


def test_the_real_sizes(tmp_path: Path) -> None:
    write_vocaset(tmp_path / "vocaset", VOCASET_SUBJECTS[:1], (1,), seconds=0.3)
    write_biwi(tmp_path / "biwi", ("F2",), (1,), seconds=0.3)
    assert open_dataset(tmp_path / "vocaset").sequences[0].vertices().shape == (9, 5023, 3)
    assert open_dataset(tmp_path / "biwi").sequences[0].vertices().shape == (8, 23370, 3)


def test_raw_and_processed_vocaset_are_the_same(tmp_path: Path) -> None:
    write_vocaset_raw(tmp_path / "raw", **SMALL)
    write_vocaset(tmp_path / "processed", **SMALL)
    raw, processed = open_dataset(tmp_path / "raw"), open_dataset(tmp_path / "processed")
    for one, other in zip(raw.sequences, processed.sequences, strict=True):
        named = [(s.name, s.speaker, s.split, s.frames, s.fps) for s in (one, other)]
        assert named[0] == named[1]
        np.testing.assert_array_equal(one.vertices(), other.vertices())
        np.testing.assert_allclose(one.waveform().samples, other.waveform().samples, atol=1e-6)
    assert raw.regions.opening == processed.regions.opening
    for speaker in raw.templates:
        np.testing.assert_array_equal(raw.templates[speaker], processed.templates[speaker])
    assert [item.name for item in raw.skipped] == [item.name for item in processed.skipped]


def test_the_raw_download_counts_where_both_forms_lie(tmp_path: Path) -> None:
    write_vocaset_raw(tmp_path, **SMALL)
    write_vocaset(tmp_path, **SMALL)
    dataset = open_dataset(tmp_path)
    assert dataset.layout == "vocaset-raw" and any("beside the raw" in note for note in dataset.notes)
    (tmp_path / "data_verts.npy").unlink()
    assert open_dataset(tmp_path).layout == "vocaset"
    assert open_dataset(tmp_path, layout="vocaset").layout == "vocaset"


def test_vertices_of_the_raw_download_stay_on_disk(tmp_path: Path) -> None:
    """Cheap to hand to another process: the sound of a sequence travels, the frames do not."""
    write_vocaset_raw(tmp_path, vertex_count=2000, seconds=1.0, subjects=VOCASET_SUBJECTS[:2], sentences=(1,))
    sequence = open_dataset(tmp_path).sequences[0]
    packed = pickle.dumps(sequence)
    assert len(packed) < 60_000 < sequence.vertices().nbytes
    np.testing.assert_array_equal(pickle.loads(packed).vertices(), sequence.vertices())


# rates


@pytest.mark.parametrize(
    ("frames", "seconds", "rate"),
    [(240, 4.0, 60), (120, 4.0, 30), (230, 4.0, 60), (111, 4.0, 30), (180, 4.0, None), (300, 4.0, None),
     (60, 4.0, None), (18, 0.3, 60), (9, 0.3, 30)],
)  # fmt: skip
def test_the_rate_is_the_one_that_lasts_as_long_as_the_sound(frames: int, seconds: float, rate: int | None) -> None:
    assert fitting_rate(frames, seconds, (30, 60)) == rate


@pytest.mark.parametrize("layout", ["vocaset-raw", "vocaset"])
def test_only_what_is_60_fps_is_halved(tmp_path: Path, layout: str) -> None:
    slow, odd = f"{VOCASET_SUBJECTS[0]}_sentence21", f"{VOCASET_SUBJECTS[1]}_sentence22"
    planted = WRITERS[layout](tmp_path, vertex_count=40, seconds=2.0, rates={slow: 30, odd: 45})
    dataset = open_dataset(tmp_path)
    found = {one.name: one for one in dataset.sequences}
    assert len(found) == 7 and odd not in found
    for name, one in found.items():
        step = 1 if name == slow else 2
        assert one.frames == 60
        np.testing.assert_array_equal(one.vertices(), planted.vertices[name][::step])
    reason = {item.name: item.reason for item in dataset.skipped}[odd]
    assert "90 frames for 2.00 s" in reason and "neither 60 nor 30" in reason
    notes = "; ".join(dataset.notes)
    assert "6 of 7 sequences at 60 fps" in notes and "1 of 7 sequences at 30 fps already" in notes
    assert "1 more skipped" in notes


def test_biwi_is_never_halved(tmp_path: Path) -> None:
    planted = write_biwi(tmp_path, vertex_count=40, seconds=2.0, rates={"F2_e02": 50, "M3_e01": 24})
    dataset = open_dataset(tmp_path)
    found = {one.name: one for one in dataset.sequences}
    assert "F2_e02" not in found and "fit not 25 " in {item.name: item.reason for item in dataset.skipped}["F2_e02"]
    assert found["M3_e01"].frames == 48  # near enough: the frames are kept as they are
    np.testing.assert_array_equal(found["F2_e01"].vertices(), planted.vertices["F2_e01"])


# splits and what is missing


def test_shipped_splits_are_those_of_the_literature() -> None:
    sizes = {}
    for name in ("vocaset", "biwi", "biwi_seen"):
        table = read_splits(name)
        speakers = {s: {e.speaker for e in table.entries if e.split == s} for s in ("train", "validation", "test")}
        sizes[name] = [sum(e.split == s for e in table.entries) for s in ("train", "validation", "test")]
        assert len({entry.name for entry in table.entries}) == len(table.entries) and len(table.source) > 50
        assert (speakers["train"] & speakers["test"] == set()) == (name != "biwi_seen")
    assert sizes == {"vocaset": [320, 40, 40], "biwi": [192, 24, 32], "biwi_seen": [192, 24, 24]}
    assert read_splits("vocaset").entries[0].name == "FaceTalk_170728_03272_TA_sentence01"
    assert read_splits("biwi").entries[0].name == "F2_e01"


def test_splits_may_be_given(tmp_path: Path) -> None:
    write_biwi(tmp_path / "biwi", **SMALL)
    table = {"format": 1, "name": "own", "source": "me", "sequence": "{speaker}_e{sentence:02d}"}
    table["splits"] = {
        "train": {"speakers": ["F2"], "sentences": "1, 33-34"},
        "test": {"speakers": ["M3"], "sentences": "2"},
    }
    (tmp_path / "own.json").write_text(json.dumps(table))
    dataset = open_dataset(tmp_path / "biwi", splits=tmp_path / "own.json")
    assert [(one.name, one.split) for one in dataset.sequences] == [
        ("F2_e01", "train"), ("F2_e33", "train"), ("M3_e02", "test"),
    ]  # fmt: skip
    assert [item.name for item in dataset.skipped] == ["F2_e34"]
    assert any("4 sequences on disk are not in the splits" in note for note in dataset.notes)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"format": 2}, "format 1"),
        ({"splits": {"dev": {"speakers": [], "sentences": ""}}}, "dev"),
        ({"splits": {"train": {"speakers": ["F2"], "sentences": "one"}}}, "'one'"),
        ({"splits": {"train": {"speakers": ["F2", "F2"], "sentences": "1"}}}, "more than one place"),
        ({"splits": {"train": {"speakers": ["../F2"], "sentences": "1"}}}, "letters, digits"),
        ({"sequence": "{nobody}"}, "not a file of splits"),
        ({"splits": None}, "not a file of splits"),
    ],
)
def test_bad_splits_are_refused(tmp_path: Path, change: dict, match: str) -> None:
    table = {"format": 1, "name": "own", "source": "me", "sequence": "{speaker}_e{sentence:02d}"}
    table["splits"] = {"train": {"speakers": ["F2"], "sentences": "1"}}
    (tmp_path / "own.json").write_text(json.dumps(table | change))
    with pytest.raises(DatasetError, match=match):
        read_splits(tmp_path / "own.json")
    with pytest.raises(DatasetError, match="vocaset"):
        read_splits(tmp_path / "none.json")


@pytest.mark.parametrize("layout", WRITERS)
def test_missing_sequences_are_skipped_and_listed(tmp_path: Path, layout: str) -> None:
    gone = "F2_e02" if layout == "biwi" else f"{VOCASET_SUBJECTS[0]}_sentence22"
    planted = WRITERS[layout](tmp_path, **SMALL, missing=[gone])
    dataset = open_dataset(tmp_path)
    assert gone not in planted.speakers and gone in {item.name for item in dataset.skipped}
    assert len(dataset.sequences) == len(planted.speakers)


def test_single_files_that_cannot_be_used_are_skipped(tmp_path: Path) -> None:
    write_biwi(tmp_path, **SMALL)
    (tmp_path / "wav" / "F2_e01.wav").unlink()
    (tmp_path / "vertices_npy" / "F2_e02.npy").unlink()
    (tmp_path / "wav" / "M3_e01.wav").write_bytes(b"not sound at all")
    (tmp_path / "vertices_npy" / "M3_e02.npy").write_bytes(b"\x93NUMPY\x01\x00 cut off")
    reasons = {item.name: item.reason for item in open_dataset(tmp_path).skipped}
    assert reasons["F2_e01"] == "there is no wav/F2_e01.wav"
    assert reasons["F2_e02"] == "there is no vertices_npy/F2_e02.npy"
    assert "not a sound file" in reasons["M3_e01"] and "not a numpy file" in reasons["M3_e02"]


def test_a_speaker_without_a_face_is_skipped(tmp_path: Path) -> None:
    planted = write_vocaset_raw(tmp_path, **SMALL)
    write_pickle(tmp_path / "templates.pkl", {VOCASET_SUBJECTS[0]: planted.templates[VOCASET_SUBJECTS[0]]})
    dataset = open_dataset(tmp_path)
    assert {one.speaker for one in dataset.sequences} == {VOCASET_SUBJECTS[0]}
    assert any("no neutral face" in item.reason for item in dataset.skipped)


# what is refused


def test_nothing_left_is_an_error(tmp_path: Path) -> None:
    write_biwi(tmp_path, ("F2",), (1,), **SMALL, missing=["F2_e01"])
    refused("None of the", tmp_path, layout="biwi")
    refused("does not tell which it is", tmp_path)
    refused("There is no folder", tmp_path / "none")
    refused("no layout 'faces'", tmp_path, layout="faces")


def test_sizes_that_differ_are_an_error(tmp_path: Path) -> None:
    write_biwi(tmp_path, **SMALL)
    np.save(tmp_path / "vertices_npy" / "F2_e02.npy", np.zeros((15, 63), np.float32))
    message = refused("differ in size", tmp_path)
    assert "F2_e02 has 21 vertices" in message and "has 60" in message
    write_biwi(tmp_path / "other", vertex_count=40, seconds=0.6)
    write_pickle(tmp_path / "other" / "templates.pkl", {"F2": np.zeros((41, 3))})
    refused("has 41 vertices, but the motion has 40", tmp_path / "other")


def test_motion_that_is_not_finite_is_refused_when_it_is_read(tmp_path: Path) -> None:
    planted = write_biwi(tmp_path, **SMALL)
    bad = planted.vertices["F2_e01"].reshape(15, -1).copy()
    bad[3, 7] = np.nan
    np.save(tmp_path / "vertices_npy" / "F2_e01.npy", bad)
    with pytest.raises(DatasetError, match="not finite"):
        next(one for one in open_dataset(tmp_path).sequences if one.name == "F2_e01").vertices()


def test_arrays_of_objects_are_not_read(tmp_path: Path) -> None:
    write_biwi(tmp_path, **SMALL)
    for path in (tmp_path / "vertices_npy").iterdir():
        np.save(path, np.array([{}], object), allow_pickle=True)
    refused("None of the .*not a numpy file", tmp_path)


@pytest.mark.parametrize(
    ("layout", "name"),
    [("vocaset-raw", "data_verts.npy"), ("vocaset-raw", "raw_audio_fixed.pkl"), ("vocaset-raw", "subj_seq_to_idx.pkl"),
     ("vocaset-raw", "templates.pkl"), ("vocaset-raw", "FLAME_masks.pkl"), ("vocaset", "templates.pkl"),
     ("biwi", "wav/F2_e01.wav"), ("biwi", "vertices_npy/F2_e01.npy"), ("biwi", "regions/fdd.txt")],
)  # fmt: skip
def test_a_git_lfs_pointer_is_named(tmp_path: Path, layout: str, name: str) -> None:
    WRITERS[layout](tmp_path, **SMALL)
    (tmp_path / name).write_bytes(POINTER)
    assert "git lfs pull" in refused(f"{Path(name).name} is a Git-LFS pointer", tmp_path)


@pytest.mark.parametrize("name", ["raw_audio_fixed.pkl", "templates.pkl"])
def test_a_missing_file_of_the_raw_download_is_named(tmp_path: Path, name: str) -> None:
    write_vocaset_raw(tmp_path, **SMALL)
    (tmp_path / name).unlink()
    assert "doctor" in refused(f"There is no file .*{name}", tmp_path, layout="vocaset-raw")


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("subj_seq_to_idx.pkl", [1, 2], "sentences by speaker"),
        ("raw_audio_fixed.pkl", {"a": 3}, "sentences by speaker"),
        ("templates.pkl", {}, "neutral faces"),
        ("subj_seq_to_idx.pkl", {VOCASET_SUBJECTS[0]: {"sentence21": {0: 10**6}}}, "points at frame 1000000"),
        (
            "raw_audio_fixed.pkl",
            {VOCASET_SUBJECTS[0]: {"sentence21": {"audio": np.zeros(5)}}},
            "no audio and sample_rate",
        ),
    ],
)
def test_pickles_of_the_wrong_shape(tmp_path: Path, name: str, value: object, match: str) -> None:
    write_vocaset_raw(tmp_path, **SMALL)
    write_pickle(tmp_path / name, value)
    try:
        dataset = open_dataset(tmp_path)
    except DatasetError as error:
        assert match in str(error)
    else:
        assert any(match in item.reason for item in dataset.skipped)


# regions


def test_without_lips_nothing_is_made_up(tmp_path: Path) -> None:
    write_vocaset(tmp_path, **SMALL)
    (tmp_path / "FLAME_masks.pkl").unlink()
    dataset = open_dataset(tmp_path)
    assert (dataset.regions.lips, dataset.regions.upper_face, dataset.regions.opening) == (None, None, None)
    assert any("FLAME_masks.pkl" in note and "flame.is.tue.mpg.de" in note for note in dataset.notes)


def test_masks_for_other_faces_are_refused(tmp_path: Path) -> None:
    write_vocaset(tmp_path, **SMALL)
    write_masks(tmp_path, planted_face(50))
    refused("for faces of 50 vertices, but these have 60", tmp_path)


def test_regions_may_be_given_or_lie_in_the_folder(tmp_path: Path) -> None:
    write_vocaset(tmp_path / "data", **SMALL)
    table = {"lips": [5, 4, 5], "upper_face": [1], "opening": [4, 5], "source": "by hand"}
    (tmp_path / "mine.json").write_text(json.dumps(table))
    given = open_dataset(tmp_path / "data", regions=tmp_path / "mine.json").regions
    assert (given.lips.tolist(), given.upper_face.tolist(), given.opening) == ([4, 5], [1], (4, 5))
    assert given.source == "by hand"
    (tmp_path / "data" / "regions.json").write_text(json.dumps({"lips": [7, 8], "source": "in the folder"}))
    lying = open_dataset(tmp_path / "data")
    assert lying.regions.lips.tolist() == [7, 8] and lying.regions.upper_face is None
    assert any("does not name the upper face" in note for note in lying.notes)
    (tmp_path / "lve.txt").write_text("3, 9 9\n12,13")
    assert open_dataset(tmp_path / "data", regions=tmp_path).regions.lips.tolist() == [3, 9, 12, 13]


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("regions.json", '{"lips": [60]}', "vertex 60, but the faces have 60"),
        ("regions.json", '{"lips": [-1]}', "vertex"),
        ("regions.json", '{"lips": "all"}', "not a list"),
        ("regions.json", '{"mouth": [1]}', "no others"),
        ("regions.json", '{"opening": [1, 1]}', "two vertices"),
        ("regions.json", "{", "not readable JSON"),
        ("lve.txt", "1, x", "vertex indices"),
        ("lve.txt", "", "not a list"),
        ("FLAME_masks.pkl", "junk", "not a pickle"),
    ],
)
def test_bad_regions_are_refused(tmp_path: Path, name: str, text: str, match: str) -> None:
    write_vocaset(tmp_path / "data", **SMALL)
    (tmp_path / name).write_text(text)
    refused(match, tmp_path / "data", regions=tmp_path / name)
    refused("no file of regions", tmp_path / "data", regions=tmp_path / "none.json")


def curled_lips() -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[int, int]]:
    """Lips that curl into the mouth, as real meshes have: template, which vertices are of the lower lip, lips, opening.

    Five columns; in each an upper and a lower lip of five vertices, outer skin, bulge, rim, inner skin, palate side.
    """
    heights, depths = np.array([6.0, 3, 0.4, 1.2, 2.5]), np.array([0.0, 4, 2, 0.5, -2])
    points = [
        (x, sign * y, z)
        for x in (-20.0, -10, 0, 10, 20)
        for sign in (1, -1)
        for y, z in zip(heights, depths, strict=True)
    ]
    template = np.array(points) / 1000
    order = np.random.default_rng(0).permutation(len(template))
    inverse = np.argsort(order)
    lower = (np.arange(len(template)) % 10 >= 5)[order]
    return template[order], lower, np.arange(len(template)), (int(inverse[22]), int(inverse[27]))


def test_the_opening_is_the_inner_rim_of_lips_that_curl(tmp_path: Path) -> None:
    template, lower, lips, opening = curled_lips()
    assert len(mid_line(template, lips)) == 10
    motion = np.repeat(template[None], 50, 0)
    motion[:, lower, 1] -= 0.01 * np.sin(np.arange(50))[:, None] ** 2
    motion[:, ~lower, 1] += 0.001 * np.sin(np.arange(50))[:, None] ** 2
    regions = with_opening(FaceRegions("lips", lips), {"a": template}, [("a", motion)])
    assert regions.opening == opening and f"{opening[0]} and {opening[1]}" in regions.source
    still = np.repeat(template[None], 50, 0)
    assert with_opening(FaceRegions("lips", lips), {"a": template}, [("a", still)]).opening is None
    named = FaceRegions("lips", lips, opening=(0, 1))
    assert with_opening(named, {"a": template}, [("a", motion)]) is named


# digest, units, corpus


@pytest.mark.parametrize("layout", WRITERS)
def test_the_digest_follows_the_contents(tmp_path: Path, layout: str) -> None:
    WRITERS[layout](tmp_path / "one", **SMALL)
    WRITERS[layout](tmp_path / "two", **SMALL)
    one, two = open_dataset(tmp_path / "one"), open_dataset(tmp_path / "two")
    assert one.digest == two.digest and len(one.digest) == 64
    path = (
        tmp_path
        / "two"
        / ("data_verts.npy" if layout == "vocaset-raw" else f"vertices_npy/{two.sequences[0].name}.npy")
    )
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert open_dataset(tmp_path / "two").digest != one.digest


def test_large_files_are_hashed_in_blocks_to_their_end(tmp_path: Path) -> None:
    from memorytalker.datasets.files import WHOLE, sampled_sha256

    path = tmp_path / "large"
    data = bytearray(np.random.default_rng(0).bytes(WHOLE * 3))
    seen = set()
    for place in (None, 0, len(data) // 5, len(data) - 1):  # the fifth of 3 MiB lies in the fourth of 16 blocks
        changed = bytearray(data)
        if place is not None:
            changed[place] ^= 255
        path.write_bytes(changed)
        seen.add(sampled_sha256(path))
    path.write_bytes(data[:-1])
    assert len(seen | {sampled_sha256(path)}) == 5


def test_faces_that_are_not_in_metres_are_reported(tmp_path: Path) -> None:
    planted = write_biwi(tmp_path, **SMALL)
    assert not any("not metres" in note for note in open_dataset(tmp_path).notes)
    for name, vertices in planted.vertices.items():
        np.save(tmp_path / "vertices_npy" / f"{name}.npy", 5 * vertices.reshape(len(vertices), -1))
    write_pickle(tmp_path / "templates.pkl", {name: 5 * face for name, face in planted.templates.items()})
    dataset = open_dataset(tmp_path)
    assert any("not metres" in note for note in dataset.notes)
    np.testing.assert_array_equal(dataset.sequences[0].vertices(), 5 * planted.vertices[dataset.sequences[0].name])


def write_corpus(folder: Path, root: Path) -> None:
    from memorytalker.corpus.clips import Clip, save_clip, write_clips
    from memorytalker.face.head import load_head
    from memorytalker.face.motion import FaceCurves

    names = load_head().blendshape_names
    clips = []
    for name, speaker, split, base in (
        ("a1", "ann", "train", "root"), ("a1~1", "ann~1", "train", "corpus"), ("b1", "bob", "validation", "root"),
        ("b1~1", "bob", "validation", "corpus"), ("s1", "nobody", "validation", "corpus"), ("c1", "cy", "test", "root"),
    ):  # fmt: skip
        clip = Clip(name, speaker, split, "made", "captured", f"sound/{name}.wav", 15, 30, base)
        place = (root if base == "root" else folder) / clip.sound
        place.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(place, 0.1 * np.sin(np.arange(8000) / 9), 16000)
        weights = np.zeros((15, len(names)), np.float32)
        weights[:, names.index("jawOpen")] = np.linspace(0, 1, 15)
        save_clip(folder, clip, FaceCurves(weights, names, 30), np.zeros(15, int))
        clips.append(clip)
    write_clips(folder, clips, names)


def test_our_corpus_is_a_data_set_on_the_open_head(tmp_path: Path) -> None:
    from memorytalker.face.head import load_head

    write_corpus(tmp_path / "corpus", tmp_path / "root")
    head = load_head()
    dataset = open_dataset(tmp_path / "corpus", root=tmp_path / "root")
    assert (dataset.layout, dataset.fps, dataset.vertex_count) == ("corpus", 30, head.vertex_count)
    assert [(one.name, one.split) for one in dataset.sequences] == [
        ("a1", "train"), ("a1~1", "train"), ("b1", "validation"), ("c1", "test"),
    ]  # fmt: skip
    assert any("2 silences and shifted voices left out" in note for note in dataset.notes)
    first = dataset.sequences[0]
    weights = np.linspace(0, 1, 15, dtype=np.float32).astype(np.float16).astype(np.float32)
    wanted = head.template + weights[:, None, None] * head.blendshape("jawOpen")
    np.testing.assert_allclose(first.vertices(), wanted, atol=1e-6)
    assert first.vertices().dtype == np.float32 and first.waveform().seconds == 0.5
    np.testing.assert_array_equal(dataset.regions.lips, head.regions["lips"])
    assert dataset.regions.opening == (head.landmarks["inner_lip_upper"], head.landmarks["inner_lip_lower"])
    refused("--root", tmp_path / "corpus")
    refused("None of the recordings", tmp_path / "corpus", root=tmp_path / "none")
    refused("carries its splits", tmp_path / "corpus", root=tmp_path / "root", splits="vocaset")
