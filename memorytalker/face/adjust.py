"""Gains and offsets of curves: an animator's corrections, applied after the network."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import numpy as np

from memorytalker.face.head import ARKIT_NAMES, HeadError, HeadMesh
from memorytalker.face.head_motion import HeadMotion, motion_of_curves
from memorytalker.face.motion import FaceCurves, MotionError
from memorytalker.face.shape_groups import UPPER_FACE
from memorytalker.options import AnimateOptions, CurveOptions


def check_curve_names(options: CurveOptions, names: Sequence[str]) -> None:
    """Raise MotionError for a gain or an offset of a curve that is not among `names`."""
    for wanted, _ in (*options.gains, *options.offsets):
        if wanted not in names:
            alike = {name.lower(): name for name in names}
            near = difflib.get_close_matches(wanted.lower()[:60], alike, 1)
            meant = f"perhaps {alike[near[0]]} is meant" if near else f"there are: {', '.join(names)}"
            raise MotionError(f"There is no curve {wanted[:40]!r}; {meant}.")


def check_choices(head: HeadMesh, options: AnimateOptions, curves: CurveOptions) -> None:
    """Refuse choices that a head cannot meet, before the model is loaded.

    Raises:
        HeadError: an identity that the head does not have, or corrections of curves on a head without any.
        MotionError: a correction of a curve that is not there.
    """
    if options.identity is not None:
        head.with_identity(options.identity)
    if curves != CurveOptions():
        if not head.blendshape_names:
            raise HeadError("This head has no blendshapes, so its curves cannot be changed; leave the corrections out.")
        check_curve_names(curves, (*ARKIT_NAMES, *head.blendshape_names))


def adjusted_curves(curves: FaceCurves, options: CurveOptions) -> FaceCurves:
    """Apply gains, offsets and strengths to curves: weight x gain x strength + offset, within [0, 1].

    Args:
        curves: weights (T, n) by name.
        options: what to apply.

    Returns:
        The changed curves.

    Raises:
        MotionError: a gain or an offset of a curve that is not there; the message names the nearest.
    """
    check_curve_names(options, curves.names)
    gains, offsets = dict(options.gains), dict(options.offsets)
    strength = [options.upper_face if name.startswith(UPPER_FACE) else options.lower_face for name in curves.names]
    gain = np.array([gains.get(name, 1.0) for name in curves.names]) * strength
    offset = np.array([offsets.get(name, 0.0) for name in curves.names])
    weights = np.clip(curves.weights * gain + offset, 0.0, 1.0).astype(np.float32)
    return FaceCurves(weights, curves.names, curves.fps)


def adjusted(motion: HeadMotion, options: CurveOptions) -> HeadMotion:
    """Apply gains, offsets and strengths to the curves of a motion.

    Args:
        motion: of a head with blendshapes.
        options: what to apply.

    Returns:
        The motion of the changed curves; `motion` itself, to the last bit, if the options change nothing.

    Raises:
        HeadError: a head without blendshapes.
        MotionError: as `adjusted_curves`.
    """
    if options == CurveOptions():
        return motion
    return motion_of_curves(motion.head, adjusted_curves(motion.curves, options), motion.turns)
