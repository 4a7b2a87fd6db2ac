"""USD of a take, read back by usd-core: valid, and with the same vertices at every time."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest
from pxr import Gf, Sdf, Usd, UsdGeom, UsdSkel, UsdValidation, Vt
from take_case import planted_take

from memorytalker.exports.take import ExportError, Take
from memorytalker.exports.usd import USDA, USDC
from memorytalker.face.motion import FaceCurves, MotionError

COUNT = 20


@pytest.fixture(scope="module")
def take() -> Take:
    return planted_take(COUNT, fps=25.0)


@pytest.fixture(scope="module")
def file(take: Take, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("usd") / "talk.usdc"
    assert USDC.write(take, path) == (path,)
    assert [entry.name for entry in path.parent.iterdir()] == ["talk.usdc"]
    return path


def faults(stage: Usd.Stage) -> list[str]:
    """What any validator of usd-core says against a stage."""
    validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    names = {each.GetMetadata().name for each in validators}
    assert {"usdSkelValidators:SkelBindingApiValidator", "usdGeomValidators:StageMetadataChecker"} <= names
    return [error.GetMessage() for error in UsdValidation.ValidationContext(validators).Validate(stage)]


def deformed(stage: Usd.Stage, time: float, skin: str = "/Head/Skin") -> np.ndarray:
    """Vertices (V, 3) of the mesh at a time, by the queries of UsdSkel."""
    cache, root = UsdSkel.Cache(), UsdSkel.Root.Get(stage, "/Head")
    assert cache.Populate(root, Usd.TraverseInstanceProxies())
    mesh = UsdGeom.Mesh.Get(stage, skin)
    skinning = cache.GetSkinningQuery(mesh.GetPrim())
    assert skinning.HasBlendShapes()
    skeleton = cache.GetSkelQuery(UsdSkel.BindingAPI(mesh.GetPrim()).GetInheritedSkeleton())
    weights = skinning.GetBlendShapeMapper().Remap(skeleton.GetAnimQuery().ComputeBlendShapeWeights(time))
    query = UsdSkel.BlendShapeQuery(UsdSkel.BindingAPI(mesh.GetPrim()))
    parts = query.ComputeSubShapeWeights(weights)
    points = Vt.Vec3fArray(mesh.GetPointsAttr().Get())
    query.ComputeDeformedPoints(
        *parts, query.ComputeBlendShapePointIndices(), query.ComputeSubShapePointOffsets(), points
    )
    return np.array(points)


def test_no_validator_of_usd_finds_a_fault(file: Path) -> None:
    stage = Usd.Stage.Open(str(file))
    assert not faults(stage)
    stage = Usd.Stage.Open(stage.Flatten())  # a copy, to see that they do look
    stage.GetRootLayer().ClearDefaultPrim()
    UsdGeom.Mesh.Get(stage, "/Head/Skin").GetPrim().RemoveAPI(UsdSkel.BindingAPI)
    assert len(faults(stage)) >= 2


def test_the_stage_says_units_axes_time_and_provenance(take: Take, file: Path) -> None:
    stage = Usd.Stage.Open(str(file))
    assert UsdGeom.GetStageUpAxis(stage) == "Y" and UsdGeom.GetStageMetersPerUnit(stage) == 1.0
    assert stage.GetTimeCodesPerSecond() == stage.GetFramesPerSecond() == 25.0
    assert stage.HasAuthoredMetadata("timeCodesPerSecond") and stage.HasAuthoredTimeCodeRange()
    assert (stage.GetStartTimeCode(), stage.GetEndTimeCode()) == (0, COUNT - 1)
    assert stage.GetDefaultPrim().IsA(UsdSkel.Root)
    told = stage.GetRootLayer().customLayerData["memorytalker"]
    assert told["source"] == "planted.wav" and told["model"] == "0" * 64 and told["seed"] == "7"
    assert told["head"] == take.head.identity and told["style"] == "own voice" and told["generator"]
    samples = UsdSkel.Animation.Get(stage, "/Head/Anim").GetBlendShapeWeightsAttr().GetTimeSamples()
    assert samples == list(range(COUNT))


def test_usd_skel_computes_the_frames_of_the_take(take: Take, file: Path) -> None:
    stage = Usd.Stage.Open(str(file))
    for number in (0, 1, 7, COUNT - 1):
        np.testing.assert_allclose(deformed(stage, number), take.frames[number], atol=1e-5)
    between = (take.frames[3] + take.frames[4]) / 2
    np.testing.assert_allclose(deformed(stage, 3.5), between, atol=1e-5)


def test_baked_skinning_gives_the_same_vertices_and_normals(take: Take, file: Path) -> None:
    """UsdSkel's own skinning, which also applies the joint, where a renderer does."""
    stage = Usd.Stage.Open(Usd.Stage.Open(str(file)).Flatten())  # a copy, which is changed
    rest = np.array(UsdGeom.Mesh.Get(stage, "/Head/Skin").GetNormalsAttr().Get())
    assert UsdSkel.BakeSkinning(UsdSkel.Root.Get(stage, "/Head"), Gf.Interval(6, 8))
    mesh = UsdGeom.Mesh.Get(stage, "/Head/Skin")
    np.testing.assert_allclose(np.array(mesh.GetPointsAttr().Get(7)), take.frames[7], atol=1e-5)
    normals = np.array(mesh.GetNormalsAttr().Get(7))
    a, b, c = (take.frames[7][corner] for corner in take.head.faces.T)
    true = np.zeros_like(rest)
    for corner in take.head.faces.T:
        np.add.at(true, corner, np.cross(b - a, c - a))
    true /= np.maximum(np.linalg.norm(true, axis=1, keepdims=True), 1e-20)

    def wrong(given: np.ndarray) -> float:
        return float(np.square(given - true).sum())

    assert wrong(normals) < 0.3 * wrong(rest)


def test_the_mesh_is_that_of_the_head(take: Take, file: Path) -> None:
    stage = Usd.Stage.Open(str(file))
    mesh = UsdGeom.Mesh.Get(stage, "/Head/Skin")
    np.testing.assert_array_equal(np.array(mesh.GetPointsAttr().Get()), take.head.template)
    np.testing.assert_array_equal(np.array(mesh.GetFaceVertexIndicesAttr().Get()).reshape(-1, 3), take.head.faces)
    assert mesh.GetSubdivisionSchemeAttr().Get() == "none"
    color = np.array(mesh.GetDisplayColorPrimvar().Get())
    encoded = np.where(color <= 0.0031308, 12.92 * color, 1.055 * np.maximum(color, 1e-9) ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(255 * encoded, take.head.colors, atol=0.51)
    low, high = np.array(UsdSkel.Root.Get(stage, "/Head").GetExtentAttr().Get())
    np.testing.assert_allclose([low, high], [take.frames.min((0, 1)), take.frames.max((0, 1))], atol=0.02)
    assert (take.frames >= low - 1e-6).all() and (take.frames <= high + 1e-6).all()


def test_shapes_are_sparse_and_found_by_name(take: Take, file: Path) -> None:
    stage = Usd.Stage.Open(str(file))
    binding = UsdSkel.BindingAPI(stage.GetPrimAtPath("/Head/Skin"))
    names = list(binding.GetBlendShapesAttr().Get())
    targets = binding.GetBlendShapeTargetsRel().GetTargets()
    assert names == list(take.head.blendshape_names) and [path.name for path in targets] == names
    for name in ("eyeBlinkLeft", "jawOpen"):
        shape = UsdSkel.BlendShape.Get(stage, Sdf.Path(f"/Head/Skin/{name}"))
        indices = np.array(shape.GetPointIndicesAttr().Get())
        dense = np.zeros_like(take.head.template)
        dense[indices] = np.array(shape.GetOffsetsAttr().Get())
        np.testing.assert_array_equal(dense, take.head.blendshape(name))
        assert len(shape.GetNormalOffsetsAttr().Get()) == len(indices) < 0.7 * take.head.vertex_count


def test_text_and_binary_hold_the_same(take: Take, file: Path, tmp_path: Path) -> None:
    (path,) = USDA.write(take, tmp_path / "talk.usda")
    assert path.read_bytes().startswith(b"#usda 1.0") and file.read_bytes().startswith(b"PXR-USDC")
    np.testing.assert_allclose(
        deformed(Usd.Stage.Open(str(path)), 7), deformed(Usd.Stage.Open(str(file)), 7), atol=1e-6
    )


def test_curves_go_by_name_and_strange_names_and_still_shapes_are_kept(take: Take, tmp_path: Path) -> None:
    """Names that prims cannot bear, two of which would become the same; columns in another order than the head's."""
    head = take.head
    names = ("mouth.open", "mouth open", "2nd", "笑い", "still")
    picked = [head.blendshape_names.index(name) for name in ("jawOpen", "mouthSmileLeft", "mouthFunnel", "browInnerUp")]
    shapes = np.concatenate([head.blendshapes[picked], np.zeros_like(head.blendshapes[:1])])
    other = dataclasses.replace(head, blendshape_names=names, blendshapes=shapes)
    weights = np.random.default_rng(0).uniform(size=(3, 5)).astype(np.float32)
    curves = FaceCurves(weights[:, ::-1], names[::-1], 24.0)
    frames = other.template + other.offsets(weights)
    path = tmp_path / "other.usdc"
    USDC.write(dataclasses.replace(take, head=other, curves=curves, frames=frames, fps=24.0), path)
    stage = Usd.Stage.Open(str(path))
    assert not faults(stage)
    for number in range(3):
        np.testing.assert_allclose(deformed(stage, number), frames[number], atol=1e-5)
    still = UsdSkel.BlendShape.Get(stage, "/Head/Skin/still")
    assert len(still.GetPointIndicesAttr().Get()) == 1 and np.array(still.GetOffsetsAttr().Get()).tolist() == [[0] * 3]
    assert tuple(UsdSkel.BindingAPI(stage.GetPrimAtPath("/Head/Skin")).GetBlendShapesAttr().Get()) == names


def test_what_cannot_be_written_is_told_in_one_sentence(
    take: Take, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "talk.usda"
    with pytest.raises(ExportError, match="no blendshapes"):
        USDA.write(dataclasses.replace(take, curves=None), path)
    with pytest.raises(ExportError, match="no triangles"):
        USDA.write(dataclasses.replace(take, head=dataclasses.replace(take.head, faces=take.head.faces[:0])), path)
    strange = FaceCurves(np.ones((COUNT, 1), np.float32), ("wink",), 25.0)
    with pytest.raises(MotionError, match="'wink'"):
        USDA.write(dataclasses.replace(take, curves=strange), path)

    def stop(done: int, total: int, stage: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        USDA.write(dataclasses.replace(take, progress=stop), path)
    monkeypatch.setitem(sys.modules, "pxr", None)
    with pytest.raises(ExportError, match=r'pip install "memorytalker\[usd\]"\.$'):
        USDA.write(take, path)
    assert not list(tmp_path.iterdir())
