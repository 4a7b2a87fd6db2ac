"""The space that motion lives in: the same motion in coordinates and in vertices, and bits that no block can change."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from memorytalker.face.frames import BLOCK
from memorytalker.face.head import HeadError, HeadMesh, load_head
from memorytalker.face.motion_space import (
    MotionSpace,
    basis_name,
    space_of,
    speech_mix,
    speech_space,
    vertex_space,
)


@pytest.fixture(scope="module")
def head() -> HeadMesh:
    return load_head()


@pytest.fixture(scope="module")
def space(head: HeadMesh) -> MotionSpace:
    return speech_space(head)


def test_the_stored_basis_is_orthonormal_and_that_of_the_heads_speech_shapes(head: HeadMesh, space: MotionSpace):
    np.testing.assert_allclose(space.basis @ space.basis.T, np.eye(space.coordinates), atol=1e-10)
    again = speech_mix(head.blendshape_names, head.blendshapes)
    np.testing.assert_allclose(again, head.motion_mix, atol=1e-6 * np.abs(again).max())
    assert (again[np.arange(len(again)), np.abs(again).argmax(1)] > 0).all(), "signs do not depend on the library"


def test_weights_of_speech_shapes_survive_the_coordinates(head: HeadMesh, space: MotionSpace):
    weights = np.random.default_rng(0).uniform(0, 1, (5, 52)).astype(np.float32)
    weights[:, [name.startswith(("eye", "brow", "noseSneer")) for name in head.blendshape_names]] = 0
    np.testing.assert_allclose(space.offsets(space.encode(weights)), head.offsets(weights), atol=2e-6)


def test_a_frame_has_the_same_bits_in_any_block(space: MotionSpace):
    coordinates = np.random.default_rng(1).normal(0, 0.01, (3 * BLOCK + 7, space.coordinates)).astype(np.float32)
    whole = space.offsets(coordinates)
    for first, last in ((0, 1), (5, 6), (BLOCK - 1, BLOCK + 2), (17, 2 * BLOCK + 40), (3 * BLOCK, 3 * BLOCK + 7)):
        assert np.array_equal(space.offsets(coordinates[first:last]), whole[first:last])
    some = [0, 7, 4000]
    np.testing.assert_allclose(space.offsets_at(coordinates, some), whole[:, some], atol=1e-8)


def test_vertices_are_their_own_coordinates():
    offsets = np.random.default_rng(2).normal(size=(4, 5, 3)).astype(np.float32)
    space = vertex_space(5)
    assert space.coordinates == 15 and not space.shapes and space.name == ""
    assert np.array_equal(space.offsets(offsets.reshape(4, 15)), offsets)
    assert np.array_equal(space.offsets_at(offsets.reshape(4, 15), [3, 1]), offsets[:, [3, 1]])


def test_a_model_is_read_in_no_other_basis(head: HeadMesh, space: MotionSpace):
    assert space_of("", 60).vertex_count == 20
    assert space_of(space.name, space.coordinates).name == space.name
    with pytest.raises(HeadError, match="one version"):
        space_of("speech-00000000", space.coordinates)
    with pytest.raises(HeadError, match="one version"):
        space_of(space.name, space.coordinates - 1)
    with pytest.raises(HeadError, match="no vertices"):
        space_of("", 31)
    nudged = head.motion_mix.copy()
    nudged[3, 7] += 1e-12
    assert basis_name(nudged) != space.name == basis_name(head.motion_mix)
    with pytest.raises(HeadError, match="no basis"):
        speech_space(dataclasses.replace(head, motion_mix=None))
