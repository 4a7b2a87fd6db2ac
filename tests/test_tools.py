"""The makers of assets: the parts of them that need neither a download nor the package their meshes come from."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

from tools.head import hair, mesh, sections, shapes, store

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


def test_a_basis_is_kept_while_the_shapes_are_the_same(tmp_path: Path) -> None:
    """The weights speak a basis by its bits; another machine finds the same one but for the last of them."""
    rng = np.random.default_rng(4)
    names = ["jawOpen", "mouthPucker", "browInnerUp"]
    moves = {name: rng.normal(0, 0.01, (9, 3)) for name in names}
    arrays = {"faces": np.array([[0, 1, 2]]), "base_index": np.arange(9)}
    words = {"identities": [{"name": "one", "description": "somebody"}], "source": {"version": "0", "sha256": "0"}}
    store.store(tmp_path, arrays, moves, words)
    first = store.kept_mix(tmp_path)
    assert first is not None
    store.store(tmp_path, arrays, moves, words, first * (1 + 1e-13))
    np.testing.assert_array_equal(store.kept_mix(tmp_path), first * (1 + 1e-13))
    store.store(tmp_path, arrays, {**moves, "jawOpen": 2 * moves["jawOpen"]}, words, first)
    assert not np.array_equal(store.kept_mix(tmp_path), first)
    assert store.kept_mix(tmp_path / "none") is None


def test_mirrored_shapes_are_the_same_on_both_sides() -> None:
    places = PLACES - (1.0, 0.0, 0.0)
    other = shapes.mirror_map(places)
    assert list(other) == [2, 1, 0, 5, 4, 3, 8, 7, 6]


def test_a_surface_is_met_from_the_axis_outwards() -> None:
    """A cylinder of radius 0.1 around a shifted axis, with a smaller one inside: the outer one counts."""
    turn = np.radians(np.arange(0, 360, 5.0))
    ring = np.stack([np.sin(turn), np.zeros_like(turn), np.cos(turn)], axis=1)
    shells = [np.vstack([radius * ring + (0, 0.2, -0.02), radius * ring + (0, -0.2, -0.02)]) for radius in (0.1, 0.05)]
    one = mesh.grid_faces(2, len(turn), True)
    place, faces = np.vstack(shells), np.vstack([one, one + 2 * len(turn)])
    found = sections.reach(place, faces, np.array([0.0, 37.0, 180.0, 90.0]), np.array([0.0, 0.1, -0.1, 0.3]), -0.02)
    np.testing.assert_allclose(found, [0.1, 0.1, 0.1, 0.0], atol=2e-4)
    line = sections.section(place, mesh.edges_of(one), 37.0, -0.02, np.ones(len(place), bool))
    np.testing.assert_allclose(line[:, 0] / line[:, 2].clip(-1, 1), line[:, 0] / line[:, 2])
    np.testing.assert_allclose(np.hypot(line[:, 0], line[:, 2] + 0.02), 0.1, atol=2e-4)
    assert (np.diff(line[:, 1]) <= 0).all(), "from the neck down"


def test_hair_hangs_clear_of_what_it_hangs_over_and_faces_outwards() -> None:
    """A bob over a ball of 9 cm: outside of it at every row, and closed towards the inside."""
    turn, rise = np.meshgrid(np.linspace(0, 2 * np.pi, 73)[:-1], np.linspace(-1.4, 1.4, 40))
    ball = 0.09 * np.stack([np.cos(rise) * np.sin(turn), np.sin(rise), np.cos(rise) * np.cos(turn)], axis=-1)
    ball += (0, 0.04, hair.AXIS)
    surface = ball.reshape(-1, 3), mesh.grid_faces(*turn.shape, True)
    low = surface[0] - (0, 0.5, 0), surface[1]
    style = hair.Lengths((50.0, 60.0, 60.0), (-0.1, -0.12), 0.1)
    sheet = hair.hang(style, surface, low)
    assert sheet.place.shape == (*hair.LENGTHS, 3) and len(sheet.faces) == 2 * 12 * 30
    outer = sheet.place[3:9].reshape(-1, 3) - (0, 0.04, hair.AXIS)
    assert np.linalg.norm(outer, axis=1).min() > 0.09
    middle = sheet.place[:9, 15]  # behind
    assert (np.diff(middle[:, 1]) < 0).all() and (middle[:, 2] < hair.AXIS).all()
    a, b, c = (sheet.place.reshape(-1, 3)[mesh.grid_faces(9, 31)[:, k]] for k in range(3))
    away = np.cross(c - a, b - a) * ((a + b + c) / 3 - (0, 0, hair.AXIS)) * [1, 0, 1]
    assert (away.sum(axis=1) > 0).mean() > 0.95


@pytest.mark.parametrize("name", sorted(path.stem for path in (TOOLS / "head").glob("*.py")))
def test_every_maker_of_the_head_can_be_imported(name: str) -> None:
    assert importlib.import_module(f"tools.head.{name}").__doc__


def test_speech_of_any_length_is_voice_with_pauses() -> None:
    from tools.long_sound import speech

    made = speech(12.0, 3)
    assert made.samples.shape == (192000,) and 0.1 < np.abs(made.samples).max() <= 1
    quiet = np.abs(made.samples.reshape(-1, 1600)).max(axis=1) == 0
    assert 0.01 < quiet.mean() < 0.5


def test_a_strip_has_a_column_for_every_moment_and_begins_anew_when_it_is_full() -> None:
    """Ten columns of two rows: the ninth picture stands below the first, as large, and the words lie below each."""
    from tools.articulation import strips

    (wide, high), colours = strips.CELL, [(20 * number + 30, 0, 0) for number in range(10)]
    rows = [[np.full((7, 9, 3), colour, np.uint8) for colour in colours], [np.zeros((5, 5, 3), np.uint8)] * 10]
    sheet = strips.strip(rows, [("uw", "gap 1|2", "teeth")] * 10)
    assert sheet.shape == (2 * (2 * high + strips.WORDS), strips.ABREAST * wide, 3)
    block = 2 * high + strips.WORDS
    for number, colour in enumerate(colours):
        x, y = number % strips.ABREAST * wide, number // strips.ABREAST * block
        assert (sheet[y : y + high, x : x + wide] == colour).all(), number
        assert sheet[y + 2 * high : y + block, x : x + wide].max() > 200, "words"


def test_moments_are_the_middles_of_phones_or_the_frames_of_the_video() -> None:
    from memorytalker.articulation.coarticulation import TimedPhones
    from tools.articulation import strips

    phones = TimedPhones.of([(0.0, 0.5, "sil"), (0.5, 0.6, "t"), (0.6, 0.8, "uw"), (0.8, 1.0, "f")])
    middles = strips.phone_moments(phones, ["uw", "f"])
    assert [moment.label for moment in middles] == ["uw", "f"]
    assert [moment.seconds for moment in middles] == pytest.approx([0.7, 0.9])
    successive = strips.successive_moments(phones, 0.48, 25.0)
    assert [moment.label for moment in successive[:4]] == ["t", "t", "t", "uw"]
    assert [strips.frame_at(moment.seconds, 25.0, 75) for moment in successive] == list(range(12, 24))
    assert strips.frame_at(9.0, 25.0, 75) == 74, "beyond the end: the last frame"
