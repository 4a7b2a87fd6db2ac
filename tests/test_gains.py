"""Motion made larger and smaller by groups of shapes: closed lips stay closed, the rest follows the gains."""

from __future__ import annotations

import numpy as np
import pytest

from memorytalker.articulation.gains import Gains, rescaled, with_opening
from memorytalker.corpus.build import mouth_geometry
from memorytalker.face.head import load_head

SHAPES = ("jawOpen", "mouthClose", "mouthPucker", "mouthStretchLeft", "mouthStretchRight", "mouthLowerDownLeft")
GEOMETRY = mouth_geometry(load_head(), SHAPES)


def speech(frames: int = 40) -> np.ndarray:
    """Curves of a mouth that opens, closes on every tenth frame, rounds and spreads."""
    random = np.random.default_rng(0)
    curves = random.uniform(0, 0.3, (frames, len(SHAPES)))
    opening = np.where(np.arange(frames) % 10 == 0, 0.0, random.uniform(0.002, 0.008, frames))
    return with_opening(curves, opening, GEOMETRY)


def test_the_lips_open_as_wanted() -> None:
    wanted = np.linspace(0, 0.01, 40)
    curves = with_opening(speech(), wanted, GEOMETRY)
    np.testing.assert_allclose(curves @ GEOMETRY.gap, wanted, atol=1e-6)
    assert (curves >= 0).all() and (curves <= 1).all()


@pytest.mark.parametrize("jaw", [0.6, 1.0, 1.6])
def test_openings_follow_the_gain_and_closures_stay(jaw: float) -> None:
    before = speech()
    after = rescaled(before, Gains(jaw=jaw).style, GEOMETRY, 30)
    np.testing.assert_allclose(after @ GEOMETRY.gap, jaw * (before @ GEOMETRY.gap), atol=1e-6)
    np.testing.assert_allclose(after[:, 2:5], before[:, 2:5])


def test_width_follows_its_own_gain_and_leaves_the_opening() -> None:
    before = speech()
    after = rescaled(before, Gains(width=2.0).style, GEOMETRY, 30)
    np.testing.assert_allclose(after[:, 2:5], 2 * before[:, 2:5])
    np.testing.assert_allclose(after @ GEOMETRY.gap, before @ GEOMETRY.gap, atol=1e-6)


def test_no_gain_changes_nothing() -> None:
    np.testing.assert_allclose(rescaled(speech(), Gains().style, GEOMETRY, 30), speech(), atol=1e-9)
