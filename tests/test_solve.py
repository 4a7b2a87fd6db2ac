"""Solving face curves: planted weights are found again, and what no shape can do costs least."""

from __future__ import annotations

import numpy as np
import pytest

from memorytalker.face.head import load_head
from memorytalker.face.solve import solve_curves


def test_planted_weights_are_found_again() -> None:
    head = load_head()
    names = ("jawOpen", "mouthFunnel", "mouthClose", "mouthRollLower", "mouthSmileLeft")
    weights = np.zeros((6, 52), np.float32)
    columns = [head.blendshape_names.index(name) for name in names]
    weights[:, columns] = np.random.default_rng(0).uniform(0, 1, (6, len(names)))
    assert solve_curves(head, head.offsets(weights)) == pytest.approx(weights, abs=1e-3)


def test_weights_are_never_negative() -> None:
    head = load_head()
    against = -head.blendshapes[head.blendshape_names.index("jawOpen")][None]
    found = solve_curves(head, against)
    assert (found >= 0).all()
    assert np.linalg.norm(head.offsets(found) - against) <= np.linalg.norm(against)
