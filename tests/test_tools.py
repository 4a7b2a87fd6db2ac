"""The makers of assets: the parts of them that need neither a download nor the package their meshes come from."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

from tools.head import mesh, shapes

TOOLS = Path(__file__).resolve().parents[1] / "tools"
#: Square of 2 x 2 quads in the plane z = 0, 3 x 3 vertices, seen from +z.
PLACES = np.array([[x, y, 0.0] for y in range(3) for x in range(3)])
QUADS = np.array([[a, a + 1, a + 4, a + 3] for a in (0, 1, 3, 4)])


def area(places: np.ndarray, faces: np.ndarray) -> float:
    """Signed area of triangles, seen from +z."""
    a, b, c = (places[faces[:, k], :2] for k in range(3))
    return float(np.cross(np.c_[b - a, np.zeros(len(a))], np.c_[c - a, np.zeros(len(a))])[:, 2].sum() / 2)


def test_quads_become_triangles_of_the_same_side_and_size() -> None:
    faces = mesh.triangulate(QUADS, PLACES)
    assert faces.shape == (8, 3) and area(PLACES, faces) == pytest.approx(4.0)
    np.testing.assert_allclose(mesh.normals(PLACES, faces), np.tile([0.0, 0.0, 1.0], (9, 1)))


def test_a_piece_cut_along_a_line_ends_there() -> None:
    """Cut at x = 1.25: what is left of it keeps its area, and no vertex lies beyond."""
    piece = mesh.piece_of(mesh.triangulate(QUADS, PLACES), len(PLACES))
    kept, values = mesh.cut(piece, 1.25 - PLACES[:, 0])
    places = kept.blend @ PLACES
    whole = kept.faces[(values[kept.faces] > -1e-9).all(axis=1)]
    assert area(places, whole) == pytest.approx(1.25 * 2)
    assert len(mesh.boundary_loops(whole)) == 1


def test_a_mesh_divided_keeps_its_size() -> None:
    piece = mesh.piece_of(mesh.triangulate(QUADS, PLACES), len(PLACES))
    finer = mesh.refine(piece, np.ones(len(piece.faces), bool))
    assert len(finer.faces) > len(piece.faces) and area(finer.blend @ PLACES, finer.faces) == pytest.approx(4.0)


def test_mirrored_shapes_are_the_same_on_both_sides() -> None:
    places = PLACES - (1.0, 0.0, 0.0)
    other = shapes.mirror_map(places)
    assert list(other) == [2, 1, 0, 5, 4, 3, 8, 7, 6]


@pytest.mark.parametrize("name", sorted(path.stem for path in (TOOLS / "head").glob("*.py")))
def test_every_maker_of_the_head_can_be_imported(name: str) -> None:
    assert importlib.import_module(f"tools.head.{name}").__doc__


def test_speech_of_any_length_is_voice_with_pauses() -> None:
    from tools.long_sound import speech

    made = speech(12.0, 3)
    assert made.samples.shape == (192000,) and 0.1 < np.abs(made.samples).max() <= 1
    quiet = np.abs(made.samples.reshape(-1, 1600)).max(axis=1) == 0
    assert 0.01 < quiet.mean() < 0.5
