"""USD: a head with its blendshapes and their animation, by usd-core. A name ending in .usda is text, .usdc binary."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from memorytalker.exports.notes import notes
from memorytalker.exports.take import ExportError, ExportFormat, Take
from memorytalker.extras import to_install
from memorytalker.face.frames import BLOCK, blocks
from memorytalker.face.head import HeadMesh
from memorytalker.files import write_whole

#: The stage that `progress` is called with.
STAGE = "USD"
#: Prims of the file: the root, and below it the skeleton, the mesh and the animation.
ROOT, SKELETON, SKIN, ANIMATION = "/Head", "/Head/Skel", "/Head/Skin", "/Head/Anim"
#: The one joint, which never moves: several programs refuse a skeleton without joints.
JOINT = "root"
#: A normal that a blendshape turns by less than this does not change.
STILL_NORMAL = 1e-5


def write_usd(take: Take, path: Path) -> tuple[Path, ...]:
    """Write a take as a USD file: SkelRoot, Skeleton, Mesh with BlendShapes, and a SkelAnimation of their weights.

    Args:
        take: the motion, with curves.
        path: of the file, which ends in .usda (text) or .usdc (binary).

    Returns:
        The path.

    Raises:
        ExportError: a head without blendshapes or triangles, usd-core that is not installed, or a file that it cannot
            write.
        MotionError: curves that the head has no blendshapes for.

    Source:
        OpenUSD, schema of UsdSkel.
    """
    weights = take.need_curves().reordered(take.head.blendshape_names).weights
    if not len(take.head.faces):
        raise ExportError("This head has no triangles, so it is no mesh of USD; load it from its mesh file.")
    try:
        from pxr import Tf, Usd
    except ImportError:
        raise ExportError(to_install("pxr")) from None
    stage = Usd.Stage.CreateInMemory()
    _describe(stage, take)
    _add_mesh(stage, take.head)
    _add_skeleton(stage, take.head, weights)
    _add_extent(stage, take)

    def export(part: Path) -> None:
        try:
            done = stage.GetRootLayer().Export(str(part))
        except Tf.ErrorException:
            done = False
        if not done:
            raise ExportError(f"{path.name} could not be written; choose another folder, or make room on the disk.")

    write_whole(path, export)
    return (path,)


def _describe(stage: Any, take: Take) -> None:
    """Units, axes, time and provenance of the stage, and its root."""
    from pxr import Kind, Usd, UsdGeom, UsdSkel

    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    stage.SetTimeCodesPerSecond(take.fps)
    stage.SetFramesPerSecond(take.fps)
    stage.SetStartTimeCode(0)
    stage.SetEndTimeCode(len(take.frames) - 1)
    stage.GetRootLayer().customLayerData = {"memorytalker": notes(take)}
    root = UsdSkel.Root.Define(stage, ROOT).GetPrim()
    Usd.ModelAPI(root).SetKind(Kind.Tokens.component)
    stage.SetDefaultPrim(root)


def _add_mesh(stage: Any, head: HeadMesh) -> None:
    """The resting head, with its colours and its blendshapes."""
    from pxr import Sdf, UsdGeom, UsdSkel, Vt

    from memorytalker.rendering.surface import Surface

    surface = Surface(head.faces, head.template, math.inf)
    normals = surface.normals(head.template)
    mesh = UsdGeom.Mesh.Define(stage, SKIN)
    points = _vectors(head.template)
    mesh.CreatePointsAttr(points)
    mesh.CreateExtentAttr(UsdGeom.PointBased.ComputeExtent(points))
    mesh.CreateFaceVertexCountsAttr(_integers(np.full(len(head.faces), 3)))
    mesh.CreateFaceVertexIndicesAttr(_integers(head.faces.ravel()))
    mesh.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    mesh.CreateNormalsAttr(_vectors(normals))
    mesh.SetNormalsInterpolation(UsdGeom.Tokens.vertex)
    mesh.CreateDisplayColorPrimvar(UsdGeom.Tokens.vertex).Set(_vectors(_linear(head.colors)))
    binding = UsdSkel.BindingAPI.Apply(mesh.GetPrim())
    binding.CreateSkeletonRel().SetTargets([Sdf.Path(SKELETON)])
    # All of the mesh hangs on the one joint.
    binding.CreateJointIndicesPrimvar(True, 1).Set(_integers(np.zeros(1)))
    binding.CreateJointWeightsPrimvar(True, 1).Set(Vt.FloatArray([1.0]))
    binding.CreateBlendShapesAttr(head.blendshape_names)
    targets = binding.CreateBlendShapeTargetsRel()
    for name, prim, offsets in zip(
        head.blendshape_names, _prim_names(head.blendshape_names), head.blendshapes, strict=True
    ):
        turned = surface.normals(head.template + offsets) - normals
        changes = np.flatnonzero(offsets.any(axis=1) | (np.abs(turned).max(axis=1) > STILL_NORMAL))
        if not len(changes):
            changes = np.zeros(1, int)  # no indices at all would mean every point
        shape = UsdSkel.BlendShape.Define(stage, f"{SKIN}/{prim}")
        shape.CreateOffsetsAttr(_vectors(offsets[changes]))
        shape.CreateNormalOffsetsAttr(_vectors(turned[changes]))
        shape.CreatePointIndicesAttr(_integers(changes))
        if prim != name:
            shape.GetPrim().SetDisplayName(name)
        targets.AddTarget(shape.GetPath())


def _add_skeleton(stage: Any, head: HeadMesh, weights: np.ndarray) -> None:
    """The skeleton of one joint, and the animation of the weights (T, n)."""
    from pxr import Gf, Sdf, UsdSkel, Vt

    skeleton = UsdSkel.Skeleton.Define(stage, SKELETON)
    skeleton.CreateJointsAttr([JOINT])
    for attribute in (skeleton.CreateBindTransformsAttr(), skeleton.CreateRestTransformsAttr()):
        attribute.Set(Vt.Matrix4dArray([Gf.Matrix4d(1.0)]))
    UsdSkel.BindingAPI.Apply(skeleton.GetPrim()).CreateAnimationSourceRel().SetTargets([Sdf.Path(ANIMATION)])
    animation = UsdSkel.Animation.Define(stage, ANIMATION)
    animation.CreateJointsAttr([JOINT])
    animation.CreateTranslationsAttr(Vt.Vec3fArray([Gf.Vec3f(0.0)]))
    animation.CreateRotationsAttr(Vt.QuatfArray([Gf.Quatf.GetIdentity()]))
    animation.CreateScalesAttr(Vt.Vec3hArray([Gf.Vec3h(1.0)]))
    animation.CreateBlendShapesAttr(head.blendshape_names)
    curve, layer = animation.CreateBlendShapeWeightsAttr().GetPath(), stage.GetRootLayer()
    for number, row in enumerate(np.ascontiguousarray(weights, np.float32)):
        layer.SetTimeSample(curve, number, Vt.FloatArray.FromNumpy(row))


def _add_extent(stage: Any, take: Take) -> None:
    """The box around the head in all frames."""
    from pxr import UsdSkel

    low = high = take.head.template
    for number, block in enumerate(blocks(take.frames)):
        low, high = np.minimum(low, block.min(axis=0)), np.maximum(high, block.max(axis=0))
        if take.progress is not None:
            take.progress(min((number + 1) * BLOCK, len(take.frames)), len(take.frames), STAGE)
    UsdSkel.Root.Get(stage, ROOT).CreateExtentAttr(_vectors(np.stack([low.min(axis=0), high.max(axis=0)])))


def _prim_names(names: Iterable[str]) -> list[str]:
    """Names that prims can bear: the same where possible, in any case different ones."""
    found: list[str] = []
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9_]", "_", name) or "_"
        plain = f"_{plain}" if plain[0].isdigit() else plain
        prim, count = plain, 2
        while prim in found:
            prim, count = f"{plain}_{count}", count + 1
        found.append(prim)
    return found


def _linear(colors: np.ndarray) -> np.ndarray:
    """Colours (V, 3) uint8 sRGB in linear light, in [0, 1], as USD takes displayColor."""
    values = colors / 255.0
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def _vectors(values: np.ndarray) -> Any:
    from pxr import Vt

    return Vt.Vec3fArray.FromNumpy(np.ascontiguousarray(values, np.float32))


def _integers(values: np.ndarray) -> Any:
    from pxr import Vt

    return Vt.IntArray.FromNumpy(np.ascontiguousarray(values, np.int32))


USDA = ExportFormat(
    "usda", ".usda", "USD, text", "Omniverse, Blender, Maya and Houdini open it; readable as text.", write_usd, "usd"
)
USDC = ExportFormat("usdc", ".usdc", "USD, binary", "Omniverse, Blender, Maya and Houdini open it.", write_usd, "usd")
