"""Known motion from files: every form is read alike, and whatever cannot be used is refused in one plain sentence."""

from __future__ import annotations

import hashlib
import json
import re
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from curve_writers import live_link_csv, omniverse_json

from memorytalker.comparison import bundled, ground_truth
from memorytalker.comparison.arrays import GroundTruthError
from memorytalker.comparison.ground_truth import read_ground_truth
from memorytalker.face import array_files
from memorytalker.face.array_files import open_arrays
from memorytalker.face.head import HeadMesh, load_head
from memorytalker.face.motion import FaceCurves
from memorytalker.sound.decode import AudioError, Waveform, write_wav

FPS, SECONDS = 30, 1.0


@pytest.fixture(scope="module")
def head() -> HeadMesh:
    return load_head()


@pytest.fixture(scope="module")
def curves() -> FaceCurves:
    jaw = 0.3 + 0.3 * np.sin(np.arange(round(FPS * SECONDS)) / 3)
    return FaceCurves(np.stack([jaw, 0.2 * jaw], 1), ("jawOpen", "browInnerUp"), FPS)


@pytest.fixture(scope="module")
def vertices(head, curves) -> np.ndarray:
    return head.template + curves.to_motion(head).offsets


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    return recorded(tmp_path_factory.mktemp("sound") / "speech.wav", SECONDS)


def recorded(path: Path, seconds: float) -> Path:
    write_wav(path, Waveform(0.2 * np.sin(np.arange(round(16000 * seconds)) * 0.05).astype(np.float32)))
    return path


def saved(path: Path, **values) -> Path:
    np.savez(path, **values)
    return path


def refusal(head: HeadMesh, motion, sound, fps: float | None = None, **options) -> str:
    with pytest.raises((GroundTruthError, AudioError)) as refused:
        read_ground_truth(motion, sound, head, fps, **options)
    message = str(refused.value)
    assert message.endswith(".") and len(message) < 260 and "\n" not in message and "Traceback" not in message
    assert not re.search(r"(^|\s)/\w", message), "the message names no path of the server"
    return message


# what is read


def test_all_forms_of_one_motion_are_the_same(tmp_path, head, curves, vertices, sound) -> None:
    weights = curves.weights.tolist()
    packed = saved(tmp_path / "v.npz", vertices=vertices, fps=FPS)
    np.save(tmp_path / "v.npy", vertices)
    np.save(tmp_path / "flat.npy", vertices.reshape(len(vertices), -1))
    saved(tmp_path / "c.npz", weights=curves.weights, names=np.array(curves.names), fps=FPS)
    (tmp_path / "c.json").write_text(json.dumps({"fps": FPS, "names": curves.names, "weights": weights}))
    rows = [f"00:00:{k // FPS:02d}:{k % FPS * 2},{a},{b}" for k, (a, b) in enumerate(weights)]
    (tmp_path / "c.csv").write_text("\n".join(["Timecode,JawOpen,BrowInnerUp", *rows]))
    for name, fps in (("v.npy", FPS), ("flat.npy", FPS), ("c.npz", None), ("c.json", None), ("c.csv", None)):
        loaded = read_ground_truth(tmp_path / name, sound, head, fps)
        assert loaded.motion.fps == FPS and loaded.kind == "given" and loaded.name == name and not loaded.remarks
        np.testing.assert_allclose(loaded.vertices, vertices, atol=2e-6, err_msg=name)
    loaded = read_ground_truth(packed, sound, head)
    np.testing.assert_allclose(loaded.vertices, vertices, atol=1e-7)
    assert loaded.waveform.seconds == SECONDS


def test_the_motion_of_another_head_is_laid_on_the_chosen_one(tmp_path, head, curves, vertices, sound) -> None:
    other = list(head.identities)[2]
    chosen = head.with_identity(other)
    loaded = read_ground_truth(saved(tmp_path / "v.npz", vertices=vertices, fps=FPS), sound, chosen)
    np.testing.assert_allclose(loaded.motion.offsets, curves.to_motion(head).offsets, atol=1e-6)
    np.testing.assert_array_equal(loaded.head.template, chosen.template)
    assert loaded.remarks == (f"This is motion of the head {head.identity}, transferred to {other}.",)


def test_a_template_in_the_file_is_the_neutral_face(tmp_path, head, curves, vertices, sound) -> None:
    moved = saved(tmp_path / "v.npz", vertices=vertices + 0.5, fps=FPS, template=head.template + 0.5)
    loaded = read_ground_truth(moved, sound, head)
    np.testing.assert_allclose(loaded.motion.offsets, curves.to_motion(head).offsets, atol=1e-6)
    assert "template" in loaded.remarks[0]


def test_the_longer_of_the_two_is_cut_and_that_is_said(tmp_path, head, vertices, sound) -> None:
    longer = saved(tmp_path / "v.npz", vertices=np.concatenate([vertices, vertices[-2:]]), fps=FPS)
    loaded = read_ground_truth(longer, sound, head)
    assert len(loaded.motion.offsets) == 30 and loaded.waveform.seconds == SECONDS
    assert loaded.remarks == ("The motion is 0.07 s longer; its end is left out.",)
    loaded = read_ground_truth(saved(tmp_path / "v.npz", vertices=vertices[:-2], fps=FPS), sound, head)
    assert len(loaded.motion.offsets) == 28 and loaded.waveform.seconds == pytest.approx(28 / 30, abs=1e-3)
    assert loaded.remarks == ("The sound is 0.07 s longer; its end is left out.",)


def test_a_moving_head_gives_a_remark(tmp_path, head, vertices, sound) -> None:
    turned = vertices + np.linspace(-0.003, 0.003, len(vertices), dtype=np.float32)[:, None, None] * (1, 0, 0)
    loaded = read_ground_truth(saved(tmp_path / "v.npz", vertices=turned, fps=FPS), sound, head)
    assert loaded.remarks == ("The head itself moves by up to 3 mm, which counts as error.",)


def test_missing_parts_of_the_face_give_a_remark(tmp_path, head, curves, sound) -> None:
    mouth = saved(tmp_path / "m.npz", weights=curves.weights, names=np.array(["jawOpen", "mouthFunnel"]), fps=FPS)
    assert ["eyes nor brows" in remark for remark in read_ground_truth(mouth, sound, head).remarks] == [True]
    brows = saved(tmp_path / "b.npz", weights=curves.weights, names=np.array(["browInnerUp", "mouthLeft"]), fps=FPS)
    assert ["no curve jawOpen" in remark for remark in read_ground_truth(brows, sound, head).remarks] == [True]


def test_decisions_about_a_curve_file_are_remarks(tmp_path, head, sound) -> None:
    jaw = FaceCurves(np.linspace(0, 1, 36)[:, None], ("jawOpen",), 30)
    (tmp_path / "take.csv").write_bytes(live_link_csv(jaw, unit=30, decimals=0))
    loaded = read_ground_truth(tmp_path / "take.csv", recorded(tmp_path / "long.wav", 1.2), head)
    assert loaded.motion.duration == pytest.approx(1.2)
    assert loaded.remarks[0] == "The frame field counts to 29, so it is read as 30 frames a second."


def test_a_rate_given_for_a_file_that_lacks_it(tmp_path, head, curves, sound) -> None:
    (tmp_path / "remark.json").write_bytes(omniverse_json(curves, rate=False))
    assert "does not say its frames per second" in refusal(head, tmp_path / "remark.json", sound)
    loaded = read_ground_truth(tmp_path / "remark.json", sound, head, FPS)
    np.testing.assert_allclose(loaded.motion.offsets, curves.to_motion(head).offsets, atol=1e-7)


def test_fast_curves_become_vertices_at_a_rate_that_fits(tmp_path, head, sound) -> None:
    jaw = FaceCurves(np.linspace(0, 1, 240)[:, None], ("jawOpen",), 240)
    loaded = read_ground_truth(saved(tmp_path / "c.npz", weights=jaw.weights, names=["jawOpen"], fps=240), sound, head)
    assert loaded.motion.fps == 60 and len(loaded.motion.offsets) == 60
    assert loaded.remarks[0] == "The curves have 240 frames a second; they are resampled to 60."
    np.testing.assert_allclose(loaded.motion.offsets, jaw.resample(60).to_motion(head).offsets, atol=1e-7)


# what is refused


def test_nothing_is_expanded_before_its_length_is_known(tmp_path, head, curves, vertices, sound, monkeypatch) -> None:
    def expand(*_):
        raise AssertionError("expanded")

    monkeypatch.setattr(HeadMesh, "offsets", expand)
    monkeypatch.setattr(array_files.ArrayFile, "read", only_numbers(array_files.ArrayFile.read))
    packed = saved(tmp_path / "c.npz", weights=curves.weights, names=np.array(curves.names), fps=FPS)
    moved = saved(tmp_path / "v.npz", vertices=vertices, fps=FPS)
    (tmp_path / "c.csv").write_bytes(live_link_csv(curves))
    for path in (packed, moved, tmp_path / "c.csv"):
        assert "at most 0.8 s" in refusal(head, path, sound, longest_seconds=0.8)


def only_numbers(read):
    """`ArrayFile.read` that fails where a large array is asked for."""

    def checked(self, name=""):
        assert name in ("fps", "names")
        return read(self, name)

    return checked


def test_curves_that_would_fill_the_memory_as_vertices(tmp_path, head, curves, sound, monkeypatch) -> None:
    monkeypatch.setattr(ground_truth, "LARGEST_MOTION", 29 * 12 * head.vertex_count)
    packed = saved(tmp_path / "c.npz", weights=curves.weights, names=np.array(curves.names), fps=FPS)
    assert "cut it and its sound to at most 0 s" in refusal(head, packed, sound)


def test_a_frame_with_a_wild_vertex(tmp_path, head, vertices, sound) -> None:
    wild = vertices.copy()
    wild[7, 100, 1] = 1e30
    assert "in frame 7 but" in refusal(head, saved(tmp_path / "v.npz", vertices=wild, fps=FPS), sound)


def test_nothing_given(tmp_path, head, vertices, sound) -> None:
    packed = saved(tmp_path / "v.npz", vertices=vertices, fps=FPS)
    assert "no motion yet; give" in refusal(head, None, sound)
    assert "no sound yet; give" in refusal(head, packed, None)
    assert "check the path" in refusal(head, tmp_path / "absent.npz", sound)


@pytest.mark.parametrize("name", ["words.npz", "words.npy", "words.csv", "words.json", "words.txt"])
def test_unreadable_files(tmp_path, head, sound, name) -> None:
    for content in (b"", b"these are words and no motion\n" * 9, bytes(range(256)) * 9):
        (tmp_path / name).write_bytes(content)
        assert name in refusal(head, tmp_path / name, sound, FPS)


def test_cut_off_archives(tmp_path, head, vertices, sound) -> None:
    whole = saved(tmp_path / "v.npz", vertices=vertices, fps=FPS).read_bytes()
    for share in (0.1, 0.5, 0.999):
        (tmp_path / "cut.npz").write_bytes(whole[: round(share * len(whole))])
        assert "not a readable npz file; save it again" in refusal(head, tmp_path / "cut.npz", sound)


def test_arrays_that_are_missing(tmp_path, head, curves, vertices, sound) -> None:
    bare = saved(tmp_path / "bare.npz", faces=vertices, fps=FPS)
    assert "holds neither vertices nor weights with names" in refusal(head, bare, sound)
    rateless = saved(tmp_path / "rateless.npz", vertices=vertices)
    assert "does not say its frames per second" in refusal(head, rateless, sound)
    assert read_ground_truth(rateless, sound, head, FPS).motion.fps == FPS
    np.save(tmp_path / "v.npy", vertices)
    assert "does not say its frames per second" in refusal(head, tmp_path / "v.npy", sound)
    slow = saved(tmp_path / "c.npz", weights=curves.weights, names=np.array(curves.names))
    assert "does not say its frames per second" in refusal(head, slow, sound)


def test_rates_that_contradict_or_are_impossible(tmp_path, head, vertices, sound) -> None:
    packed = saved(tmp_path / "v.npz", vertices=vertices, fps=FPS)
    assert "says 30 frames a second but you wrote 60" in refusal(head, packed, sound, 60)
    assert "not possible" in refusal(head, packed, sound, 0)
    for wrong in (0.0, np.nan, [30, 30], "thirty"):
        broken = saved(tmp_path / "w.npz", vertices=vertices, fps=wrong)
        assert "not a frame rate; save one number" in refusal(head, broken, sound)


def test_another_mesh(tmp_path, head, vertices, sound) -> None:
    other = saved(tmp_path / "flame.npz", vertices=vertices[:, :5023], fps=FPS)
    message = refusal(head, other, sound)
    assert f"moves 5023 vertices but this head has {head.vertex_count}" in message and "face curves" in message
    flat = saved(tmp_path / "flat.npz", vertices=vertices[0], fps=FPS)
    assert "are of shape" in refusal(head, flat, sound)


@pytest.mark.parametrize(("factor", "words"), [(1000, "millimetres"), (100, "centimetres"), (39.4, "in metres")])
def test_other_units(tmp_path, head, vertices, sound, factor, words) -> None:
    message = refusal(head, saved(tmp_path / "v.npz", vertices=vertices * factor, fps=FPS), sound)
    assert words in message
    if factor >= 100:
        assert f"multiply by {1 / factor:g}." in message


def test_offsets_and_faces_elsewhere(tmp_path, head, vertices, sound) -> None:
    offsets = saved(tmp_path / "o.npz", vertices=vertices - head.template, fps=FPS)
    assert "positions (not offsets)" in refusal(head, offsets, sound)
    lying = saved(tmp_path / "l.npz", vertices=vertices[..., [0, 2, 1]], fps=FPS)
    message = refusal(head, lying, sound)
    assert "away from every head here" in message and "y up" in message and "template" in message


def test_numbers_that_are_not_finite(tmp_path, head, curves, vertices, sound) -> None:
    for wrong in (np.nan, np.inf):
        broken = vertices.copy()
        broken[7, 100, 1] = wrong
        assert "not finite" in refusal(head, saved(tmp_path / "v.npz", vertices=broken, fps=FPS), sound)
    weights = curves.weights.copy()
    weights[3, 0] = np.nan
    broken = saved(tmp_path / "c.npz", weights=weights, names=np.array(curves.names), fps=FPS)
    assert "NaN" in refusal(head, broken, sound)


def test_lengths_that_differ_by_more_than_a_tenth(tmp_path, head, vertices, sound) -> None:
    packed = saved(tmp_path / "v.npz", vertices=vertices, fps=FPS)
    long = recorded(tmp_path / "long.wav", 1.2)
    message = refusal(head, packed, long)
    assert "lasts 1.00 s but the sound 1.20 s" in message and "check the frame rate" in message
    halved = saved(tmp_path / "h.npz", vertices=vertices, fps=FPS / 2)
    assert "lasts 2.00 s but the sound 1.00 s" in refusal(head, halved, sound)


def test_motion_too_short_or_too_long(tmp_path, head, vertices, sound) -> None:
    assert "at least 0.5 s" in refusal(head, saved(tmp_path / "v.npz", vertices=vertices[:5], fps=FPS), sound)
    whole = saved(tmp_path / "v.npz", vertices=vertices, fps=FPS)
    assert "at most 0.8 s" in refusal(head, whole, sound, longest_seconds=0.8)


def test_curves_without_known_names(tmp_path, head, sound) -> None:
    weights = np.full((30, 2), 0.2)
    unknown = saved(tmp_path / "c.npz", weights=weights, names=np.array(["left", "right"]), fps=FPS)
    assert "names no shape of ARKit" in refusal(head, unknown, sound)
    percent = saved(tmp_path / "p.npz", weights=80 * weights, names=np.array(["jawOpen", "jawLeft"]), fps=FPS)
    assert "export them from 0 to 1" in refusal(head, percent, sound)


def test_pickles_are_never_opened(tmp_path, head, curves, sound, monkeypatch) -> None:
    opened = []
    monkeypatch.setattr("pickle.load", lambda *_, **__: opened.append(1))
    monkeypatch.setattr("pickle.loads", lambda *_, **__: opened.append(1))
    hidden = np.array([{"a": 1}], dtype=object)
    np.save(tmp_path / "o.npy", hidden, allow_pickle=True)
    saved(tmp_path / "v.npz", vertices=hidden, fps=FPS)
    saved(tmp_path / "c.npz", weights=curves.weights, names=np.array(curves.names, dtype=object), fps=FPS)
    saved(tmp_path / "extra.npz", weights=curves.weights, names=np.array(curves.names), fps=FPS, more=hidden)
    for name in ("o.npy", "v.npz", "c.npz", "extra.npz"):
        assert "holds Python objects, which are never opened" in refusal(head, tmp_path / name, sound, FPS)
    assert not opened


def test_a_file_that_unpacks_to_more_than_memory_is_not_read(tmp_path, head, sound, monkeypatch) -> None:
    monkeypatch.setattr(array_files, "LARGEST_BYTES", 50_000)
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("vertices.npy", "w") as file:
            np.save(file, np.zeros((15, head.vertex_count, 3), np.float32))
        with archive.open("fps.npy", "w") as file:
            np.save(file, 30)
    assert (tmp_path / "bomb.npz").stat().st_size < 5_000
    assert "cut it to the part that is compared" in refusal(head, tmp_path / "bomb.npz", sound)
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (999999999999, 3), }\n"
    (tmp_path / "claims.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(64))
    assert "not a readable npy file" in refusal(head, tmp_path / "claims.npy", sound, FPS)


def test_arrays_are_read_as_numpy_reads_them(tmp_path) -> None:
    for array in (np.arange(12.0).reshape(3, 4), np.asfortranarray(np.arange(12).reshape(3, 4)), np.float32(30)):
        np.save(tmp_path / "a.npy", array)
        np.testing.assert_array_equal(open_arrays(tmp_path / "a.npy").read(), array)


# what is shipped


def test_the_bundled_clips_are_those_of_their_readme_and_fit_every_head(head) -> None:
    clips = bundled.bundled_clips()
    assert len(clips) == 9 and {clip.kind for clip in clips} == {"tracked", "captured"}
    readme = (bundled.FOLDER / "README.md").read_text(encoding="utf-8")
    stated = dict(line.split("  ")[::-1] for line in readme.split("```")[1].strip().splitlines())
    for path in bundled.FOLDER.iterdir():
        if path.name not in ("README.md", "LICENSE-FACEGOOD"):
            assert stated.pop(path.name) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not stated
    for clip in clips:
        loaded = clip.read(head.with_identity("omar"))
        assert loaded.kind == clip.kind and loaded.motion.fps == 30 and len(loaded.remarks) == 1, clip.name
        assert 2.9 < loaded.waveform.seconds < 9 and clip.name in readme
        opening = np.ptp(loaded.vertices[:, head.landmarks["inner_lip_lower"], 1])
        assert 0.004 < opening < 0.04, "the mouth moves by millimetres"
