"""VRM animation (.vrma): curves as the expressions of a VRM 1.0 avatar, the presets and the blendshapes as custom ones.

Expressions add up on an avatar. So a blink of both eyes is `blink`, and `blinkLeft` and `blinkRight` hold only what
one lid closes further. An avatar that has the 52 shapes of ARKit ("perfect sync") as well as the vowels would move its
mouth twice; for such avatars there is a format with the custom expressions alone.

Source: VRMC_vrm_animation 1.0, https://github.com/vrm-c/vrm-specification.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from memorytalker.exports.glb import GlbBuilder, add_times
from memorytalker.exports.take import ExportError, ExportFormat, Take
from memorytalker.face.head import load_head
from memorytalker.face.motion import FaceCurves, eased
from memorytalker.face.visemes import VRM_PRESETS, fit_visemes, vrm_presets
from memorytalker.files import write_whole
from memorytalker.progress import Progress

EXTENSION = "VRMC_vrm_animation"
#: The five vowels of VRM, in the order of `vowel_weights`.
VOWELS = VRM_PRESETS
BLINKS = ("blink", "blinkLeft", "blinkRight")
#: Expressions of VRM that a file may set; a curve of such a name is that preset.
PRESETS = (*VOWELS, *BLINKS, "happy", "angry", "sad", "relaxed", "surprised", "neutral")
#: Expressions of VRM that a VRM animation may not set.
FORBIDDEN = ("lookUp", "lookDown", "lookLeft", "lookRight")
#: Opening of the jaw that makes a full vowel, and the stretch of the mouth's corners that makes it wide.
FULLY_OPEN, FULLY_WIDE = 0.5, 0.5
#: Frames that are written at a time.
BLOCK = 4096
#: Lips this far apart, in metres, count as open.
OPEN_LIPS = 0.0015


def vowel_weights(curves: FaceCurves, progress: Progress | None = None) -> np.ndarray:
    """Find the vowels of VRM in curves of ARKit, by way of the 15 visemes.

    Args:
        curves: by ARKit's names.
        progress: as of `fit_visemes`.

    Returns:
        (T, 5) float32 in [0, 1] in the order of `VOWELS`.

    Raises:
        VisemeError: curves of no shape that the shipped head has.
    """
    head = load_head()
    known = FaceCurves(curves.weights, curves.names, curves.fps).reordered(head.blendshape_names)
    upper, lower = (head.landmarks[f"inner_lip_{side}"] for side in ("upper", "lower"))
    opening = known.weights @ (head.blendshapes[:, upper, 1] - head.blendshapes[:, lower, 1])
    # A vowel opens an avatar's mouth, which must close on p, b and m whatever the jaw does.
    open_lips = eased(opening / OPEN_LIPS)[:, None].astype(np.float32)
    return vrm_presets(fit_visemes(curves, progress=progress).curves.weights) * open_lips


def expressions(
    curves: FaceCurves,
    vowels: Callable[[FaceCurves], np.ndarray] = vowel_weights,
    presets: bool = True,
    custom: bool = True,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Turn curves into the expressions of a VRM animation.

    Args:
        curves: of any names. A curve named like one of `PRESETS` is that preset.
        vowels: weights (T, 5) in the order of `VOWELS` for the curves.
        presets: whether the presets are wanted.
        custom: whether the curves themselves are wanted, as custom expressions.

    Returns:
        Preset name -> weights (T,) in [0, 1], and the same for the custom expressions.

    Raises:
        ExportError: curves of an avatar's gaze alone, of which a VRM animation can hold nothing.
    """
    own = {name: curves.curve(name) for name in curves.names if name not in FORBIDDEN}
    named = {name: values for name, values in own.items() if name in PRESETS}
    derived: dict[str, np.ndarray] = {}
    if presets and not named:
        derived = dict(zip(VOWELS, np.clip(vowels(curves), 0.0, 1.0).T, strict=True)) | _blinks(curves)
    others = {name: values for name, values in own.items() if name not in named} if custom else {}
    if not (derived or named or others):
        raise ExportError("A VRM animation cannot hold these curves, which are all of the gaze; choose .csv or .json.")
    return derived | named, others


def write_vrma(
    take: Take,
    path: Path,
    vowels: Callable[[FaceCurves], np.ndarray] | None = None,
    presets: bool = True,
    custom: bool = True,
) -> tuple[Path, ...]:
    """Write the curves of a take as a VRM animation, without bones.

    Args:
        take: with curves.
        path: the file to write.
        vowels: as in `expressions`; None: `vowel_weights`.
        presets: as in `expressions`.
        custom: as in `expressions`.

    Returns:
        The file.

    Raises:
        ExportError: a take without curves, or with none that the format can hold, or one too long for the format.
    """
    vowels = functools.partial(vowel_weights, progress=take.progress) if vowels is None else vowels
    found = expressions(take.need_curves(), vowels, presets, custom)
    builder = GlbBuilder()
    document = _document(builder, take, *found)

    def write(part: Path) -> None:
        with part.open("wb") as file:
            builder.write(document, file)

    write_whole(path, write)
    return (path,)


def _document(
    builder: GlbBuilder, take: Take, presets: Mapping[str, np.ndarray], custom: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """The glTF: a node for each expression, whose translation along x is the weight.

    Node 0 stands for the avatar, as UniVRM keeps the first node of the scene and takes away those of expressions.
    """
    curves = {**presets, **custom}
    frames = len(next(iter(curves.values())))
    times = add_times(builder, frames, take.fps)
    samplers: list[dict[str, Any]] = []
    channels: list[dict[str, Any]] = []
    for node, weights in enumerate(curves.values(), start=1):
        blocks = functools.partial(_translations, take, weights, node - 1, len(curves))
        output = builder.add_accessor(builder.add_blocks(12 * frames, blocks), "VEC3", "float32", frames)
        channels.append({"sampler": len(samplers), "target": {"node": node, "path": "translation"}})
        samplers.append({"input": times, "interpolation": "LINEAR", "output": output})
    node_of = {name: {"node": node} for node, name in enumerate(curves, start=1)}
    about: dict[str, Any] = {"fps": take.fps, "provenance": dataclasses.asdict(take.provenance)}
    if take.lip_residual_mm is not None:
        about["lipResidualMillimetres"] = take.lip_residual_mm
    kinds = {
        kind: {name: node_of[name] for name in names}
        for kind, names in (("preset", presets), ("custom", custom))
        if names
    }
    return {
        "asset": {"version": "2.0", "generator": take.provenance.generator, "extras": about},
        "extensionsUsed": [EXTENSION],
        "extensions": {EXTENSION: {"specVersion": "1.0", "expressions": kinds}},
        "scene": 0,
        "scenes": [{"nodes": list(range(len(curves) + 1))}],
        "nodes": [{"name": "Avatar"}, *({"name": name} for name in curves)],
        "animations": [{"name": "Speech", "samplers": samplers, "channels": channels, "extras": about}],
    }


def _translations(take: Take, weights: np.ndarray, done: int, total: int) -> Iterator[np.ndarray]:
    """Weights (T,) as translations along x, in blocks; `done` of `total` expressions were written before."""
    for start in range(0, len(weights), BLOCK):
        some = weights[start : start + BLOCK]
        yield np.stack([some, np.zeros_like(some), np.zeros_like(some)], axis=1).astype(np.float32)
    if take.progress is not None:
        take.progress(len(weights) * (done + 1) // total, len(weights), "export")


def _blinks(curves: FaceCurves) -> dict[str, np.ndarray]:
    left, right = _curve(curves, "eyeBlinkLeft"), _curve(curves, "eyeBlinkRight")
    both = np.minimum(left, right)
    return {"blink": both, "blinkLeft": left - both, "blinkRight": right - both}


def _curve(curves: FaceCurves, name: str) -> np.ndarray:
    return curves.curve(name) if name in curves.names else np.zeros(len(curves.weights), np.float32)


def _both(curves: FaceCurves, name: str) -> np.ndarray:
    """The mean of a shape's left and right curves."""
    return 0.5 * (_curve(curves, f"{name}Left") + _curve(curves, f"{name}Right"))


VRMA = ExportFormat(
    name="vrma",
    suffix=".vrma",
    title="VRM 1.0 animation",
    summary="Vowels, blinks and the blendshapes for VRM 1.0 avatars, as three-vrm plays them.",
    write=write_vrma,
)
VRMA_PERFECT_SYNC = ExportFormat(
    name="vrma-perfect-sync",
    suffix=".vrma",
    title="VRM 1.0 animation, blendshapes only",
    summary="The blendshapes alone, for VRM avatars that have all 52 of ARKit.",
    write=functools.partial(write_vrma, presets=False),
)
