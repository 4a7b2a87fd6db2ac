"""Silence in which a mouth tracked in video stands open is breath; every other frame keeps its phone."""

from __future__ import annotations

import numpy as np

from memorytalker.articulation.coarticulation import MouthGeometry
from memorytalker.corpus.breath import BREATH_GAP, with_breaths
from memorytalker.phones import ENGLISH

SILENCE, BREATH, VOWEL = ENGLISH.silence_index, ENGLISH.index("hh"), ENGLISH.index("aa")


def test_an_open_mouth_in_silence_is_breath() -> None:
    geometry = MouthGeometry(("jawOpen", "mouthClose"), np.array([0.03, -0.02]), np.zeros(2), 0.0, np.zeros(2))
    labels = np.array([SILENCE, SILENCE, SILENCE, VOWEL, -1])
    weights = np.array([[0.0, 0.0], [0.5, 0.0], [0.5, 0.7], [0.5, 0.0], [0.5, 0.0]])
    assert with_breaths(labels, weights, geometry).tolist() == [SILENCE, BREATH, SILENCE, VOWEL, -1]
    assert labels[1] == SILENCE, "what was given stays as it was"


def test_lips_that_a_tracker_leaves_ajar_are_silence() -> None:
    geometry = MouthGeometry(("jawOpen",), np.array([1.0]), np.zeros(1), 0.0, np.zeros(1))
    labels = with_breaths(np.full(2, SILENCE), np.array([[0.9], [1.1]]) * BREATH_GAP, geometry)
    assert labels.tolist() == [SILENCE, BREATH]
