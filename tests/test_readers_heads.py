"""Untrusted weights, heads and meshes: the thing itself, or one sentence, before memory is taken for it."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reader_checks import ANY_BYTES, STEADY, cut_or_changed, json_of, other_values, outcome
from safetensors.torch import save
from test_mesh_files import write as write_mesh

from memorytalker.config import CurveRegressorConfig, ModelConfig
from memorytalker.face.head import HEAD_FOLDER, HeadError, HeadMesh, load_head
from memorytalker.face.mesh_files import load_mesh_head
from memorytalker.models.audio_to_curves import CurveRegressor
from memorytalker.models.talker import MemoryTalker
from memorytalker.weights import (
    CONFIG_FILE,
    TENSOR_FILE,
    WeightsError,
    load_curve_regressor,
    load_weights,
    read_manifest,
    save_curve_regressor,
    save_weights,
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory, make_model) -> Path:
    folder = tmp_path_factory.mktemp("readers") / "toy"
    save_weights(make_model("open"), folder)
    return folder


@pytest.fixture(scope="module")
def regressor(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("readers") / "regressor"
    save_curve_regressor(
        CurveRegressor(CurveRegressorConfig(("jawOpen", "mouthClose"), 2, 4, channels=4, members=1)), folder
    )
    return folder


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("copy")


def signed(folder: Path, config: dict, tensors: bytes) -> Path:
    """A folder whose sum is that of its tensors, whatever they are: an attacker can write that too."""
    (folder / TENSOR_FILE).write_bytes(tensors)
    described = config | {"sha256": hashlib.sha256(tensors).hexdigest()}
    (folder / CONFIG_FILE).write_text(json.dumps(described))
    return folder


def parts(folder: Path) -> tuple[dict, bytes]:
    return json.loads((folder / CONFIG_FILE).read_text()), (folder / TENSOR_FILE).read_bytes()


def test_weights_whose_description_was_changed_a_little(weights: Path, copy: Path) -> None:
    good, tensors = (weights / CONFIG_FILE).read_bytes(), (weights / TENSOR_FILE).read_bytes()
    (copy / TENSOR_FILE).write_bytes(tensors)
    read_as = []
    for changed in (good, *cut_or_changed(good, seed=1), *other_values(good, seed=2)):
        (copy / CONFIG_FILE).write_bytes(changed)
        read_as.append(outcome(lambda: load_weights(copy)) is not None)
    assert read_as[0] and 0 < sum(read_as) < 150


def test_tensors_that_were_changed_a_little(regressor: Path, copy: Path) -> None:
    """Both with the old sum, and with their own, as whoever changes them would write it."""
    config, good = parts(regressor)
    read_as = []
    for changed in (good, *cut_or_changed(good, seed=3)):
        folder = signed(copy, config, changed)
        read_as.append(outcome(lambda folder=folder: load_curve_regressor(folder)) is not None)
        if changed != good:
            (copy / CONFIG_FILE).write_text(json.dumps(config))
            with pytest.raises(WeightsError, match="sha256 differs|larger than"):
                load_curve_regressor(copy)
    assert read_as[0] and 0 < sum(read_as) < 100


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_tensors_that_are_not_finite(weights: Path, copy: Path, make_model, wrong: float) -> None:
    config, state = parts(weights)[0], dict(make_model("open").state_dict())
    state["text.bias"] = torch.full_like(state["text.bias"], wrong)
    with pytest.raises(WeightsError, match="'text.bias' with numbers that are not finite"):
        load_weights(signed(copy, config, save(state)))


def test_a_header_that_announces_too_much(weights: Path, copy: Path) -> None:
    config, tensors = parts(weights)
    size = struct.unpack("<Q", tensors[:8])[0]
    header = json.loads(tensors[8 : 8 + size])
    name = next(key for key in header if key != "__metadata__")
    for shape, offsets in (([10**12], [0, 4 * 10**12]), ([2**62, 2**62], [0, 4]), ([-1], [0, 4]), ([0], [0, 0])):
        changed = json.dumps(header | {name: {"dtype": "F32", "shape": shape, "data_offsets": offsets}}).encode()
        folder = signed(copy, config, struct.pack("<Q", len(changed)) + changed + tensors[8 + size :])
        assert outcome(lambda folder=folder: load_weights(folder)) is None
    for length in (0, 2**40, 2**63, 2**64 - 1):
        folder = signed(copy, config, struct.pack("<Q", length) + tensors[8:])
        assert outcome(lambda folder=folder: load_weights(folder)) is None


def test_a_large_network_is_not_built_of_a_small_file(
    weights: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sizes within their ranges that would be tens of gigabytes: only the outline is made, which has no numbers."""
    config, tensors = parts(weights)
    made, init = [], MemoryTalker.__init__

    def noted(self, config: ModelConfig) -> None:
        init(self, config)
        made.append(sum(value.nbytes for value in self.parameters() if value.device.type != "meta"))

    monkeypatch.setattr(MemoryTalker, "__init__", noted)
    for change in ({"coordinates": 3_000_000, "width": 8192}, {"decoder_layers": 128, "width": 8000}):
        folder = signed(copy, config | {"model": config["model"] | change}, tensors)
        with pytest.raises(WeightsError, match="does not fit its configuration"):
            load_weights(folder)
    assert len(made) == 2 and max(made) < 3_000_000, "only the encoder's table of positions has numbers"
    with pytest.raises(WeightsError, match="larger than the network"):
        load_weights(signed(copy, config, tensors + bytes(11_000_000)))


@STEADY
@given(values=json_of("model sha256 stored_as format extra fps slots width speech style layers hidden_size open"))
def test_any_description_of_weights(copy: Path, values: dict) -> None:
    (copy / CONFIG_FILE).write_text(json.dumps(values))
    outcome(lambda: read_manifest(copy))


# Heads


@pytest.fixture(scope="module")
def head(copy: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """The shipped head as its description and its arrays."""
    with np.load(HEAD_FOLDER / "head.npz") as archive:
        return json.loads((HEAD_FOLDER / "head.json").read_text()), dict(archive)


def described(folder: Path, description: dict, arrays: dict[str, np.ndarray] | bytes) -> Path:
    """A folder with that head, its sum put right."""
    path = folder / "head.npz"
    if isinstance(arrays, bytes):
        path.write_bytes(arrays)
    else:
        np.savez(path, **arrays)
    described = description | {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    (folder / "head.json").write_text(json.dumps(described))
    return folder


def test_a_head_that_is_written_again_is_the_same(copy: Path, head) -> None:
    again, shipped = load_head(described(copy, *head)), load_head()
    np.testing.assert_array_equal(again.blendshapes, shipped.blendshapes)
    np.testing.assert_array_equal(again.faces, shipped.faces)
    assert again.landmarks == shipped.landmarks and list(again.identities) == list(shipped.identities)


def test_a_head_whose_description_was_changed_a_little(copy: Path, head) -> None:
    described(copy, *head)
    good = (copy / "head.json").read_bytes()
    read_as = []
    for changed in (good, *cut_or_changed(good, seed=5), *other_values(good, seed=6)):
        (copy / "head.json").write_bytes(changed)
        read_as.append(outcome(lambda: load_head(copy)) is not None)
    assert read_as[0] and 0 < sum(read_as) < 150


def test_head_arrays_that_were_changed_a_little(copy: Path, head) -> None:
    described(copy, *head)
    good = (copy / "head.npz").read_bytes()
    read_as = []
    for changed in (good, *cut_or_changed(good, seed=7)):
        read_as.append(outcome(lambda data=changed: load_head(described(copy, head[0], data))) is not None)
    assert read_as[0] and 0 < sum(read_as) < 100


def test_head_arrays_of_another_shape_or_kind(copy: Path, head) -> None:
    description, arrays = head
    for name, array in arrays.items():
        flat = array.ravel()
        others = [
            flat[:0], array[:-1], flat, array.astype(np.float64) * np.nan, array.astype(np.complex64), np.array(3),
            np.array(["x"] * 3), np.full_like(array, 200 if array.dtype == np.uint8 else -5),
        ]  # fmt: skip
        for other in others[:: 4 if array.size > 50_000 else 2]:
            made = outcome(lambda a=arrays | {name: other}: load_head(described(copy, description, a)))
            assert made is None or np.isfinite(made.blendshapes).all(), name


def test_a_million_shapes_take_no_memory(copy: Path, head) -> None:
    with pytest.raises(HeadError, match="not the 52 of ARKit"):
        load_head(described(copy, head[0] | {"blendshapes": ["jawOpen"] * 1_000_000}, head[1]))


@settings(STEADY, max_examples=40)
@given(values=json_of("format identities name blendshapes parts regions landmarks sha256 description skin chin"))
def test_any_description_of_a_head(copy: Path, head, values: dict) -> None:
    if not (copy / "whole.npz").is_file():
        described(copy, *head)
        (copy / "head.npz").rename(copy / "whole.npz")
    (copy / "head.npz").write_bytes((copy / "whole.npz").read_bytes())
    digest = hashlib.sha256((copy / "head.npz").read_bytes()).hexdigest()
    (copy / "head.json").write_text(json.dumps(head[0] | values | {"sha256": digest, "format": 1}))
    outcome(lambda: load_head(copy))


# Meshes

FORMS = ("ascii.ply", "little.ply", "big.ply", "textured.ply", "plain.obj", "textured.obj")
SQUARE = (
    np.array([[0, 0, 0], [0.2, 0, 0], [0.2, 0.2, 0], [0, 0.2, 0], [0.1, 0.1, 0.1]], np.float32),
    np.array([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]], np.int32),
)


def mesh(path: Path) -> HeadMesh | None:
    made = outcome(lambda: load_mesh_head(path))
    if made is not None:
        assert np.isfinite(made.template).all() and made.faces.max() < len(made.template) and made.faces.min() >= 0
    return made


@pytest.mark.parametrize("form", FORMS)
def test_a_mesh_is_read_as_it_was_written_and_changed_a_little(copy: Path, form: str) -> None:
    path = write_mesh(copy / f"face.{form.split('.')[1]}", *SQUARE, form)
    good = path.read_bytes()
    made = mesh(path)
    assert made is not None
    np.testing.assert_allclose(made.template, SQUARE[0], atol=1e-6)
    assert sorted(map(sorted, made.faces.tolist())) == sorted(map(sorted, SQUARE[1].tolist()))
    changes = [*cut_or_changed(good, seed=9)]
    if not form.startswith(("little", "big", "textured.ply")):
        changes += other_values(good, seed=10)
    read_as = []
    for changed in changes:
        path.write_bytes(changed)
        read_as.append(mesh(path) is not None)
    assert 0 < sum(read_as) < len(read_as)


@pytest.mark.parametrize("ending", [".ply", ".obj"])
@STEADY
@given(content=ANY_BYTES)
def test_any_bytes_as_a_mesh(copy: Path, ending: str, content: bytes) -> None:
    path = copy / f"any{ending}"
    path.write_bytes(content)
    mesh(path)


WORDS = st.sampled_from(
    "ply format ascii binary_little_endian 1.0 element vertex face property list float uchar int x y z end_header v f "
    "0 1 2 3 4 0.1 -1 nan 1e999 99999999999 1/1 1// # \\".split()
)


@pytest.mark.parametrize("ending", [".ply", ".obj"])
@STEADY
@given(lines=st.lists(st.lists(WORDS, min_size=1, max_size=5), max_size=12))
def test_any_lines_with_the_words_of_a_mesh(copy: Path, ending: str, lines: list[list[str]]) -> None:
    path = copy / f"lines{ending}"
    path.write_text("\n".join(["ply"] * (ending == ".ply") + [" ".join(line) for line in lines]) + "\n")
    mesh(path)


@pytest.mark.parametrize("count", [10**7, 10**10, 2**31, -1])
@pytest.mark.parametrize("form", ["ascii.ply", "little.ply"])
def test_a_mesh_that_announces_more_than_it_holds(copy: Path, form: str, count: int) -> None:
    path = write_mesh(copy / "huge.ply", *SQUARE, form)
    good = path.read_bytes()
    for element in (b"vertex 5", b"face 4"):
        path.write_bytes(good.replace(element, element.split()[0] + f" {count}".encode()))
        mesh(path)
