"""Frames of the real head: right place, right part moving, the same every time and in every thread."""

from __future__ import annotations

import dataclasses
import threading

import numpy as np
import pytest

from memorytalker.config import ConfigError
from memorytalker.face.head import HeadMesh, load_head
from memorytalker.options import CAMERAS, RenderOptions
from memorytalker.rendering import RenderError, render_frames, renderer, scene, stage
from memorytalker.rendering.dirty_rect import project
from memorytalker.rendering.surface import Patch, Surface, sphere_directions, visibility

SMALL = RenderOptions(width=192, height=192)


@pytest.fixture(scope="module")
def head() -> HeadMesh:
    return load_head()


def curve(head: HeadMesh, **weights: float) -> np.ndarray:
    """The head's vertices (V, 3) with face curves at the given weights."""
    return head.template + sum((w * head.blendshape(name) for name, w in weights.items()), np.float32(0))


def rendered(head: HeadMesh, *frames: np.ndarray, options: RenderOptions = SMALL) -> list[np.ndarray]:
    return list(render_frames(head, np.stack(frames), options))


def projected(head: HeadMesh, points: np.ndarray, options: RenderOptions = SMALL) -> np.ndarray:
    """Columns and rows (P, 2) of the frame in which points (P, 3) appear, by the camera's own numbers."""
    return project(np.atleast_2d(points), scene.frame_head(head, options), options.width, options.height)


def row_of(head: HeadMesh, landmark: str) -> float:
    """Row of the small front view in which a landmark of the resting face appears."""
    return projected(head, head.template[head.landmarks[landmark]])[0, 1]


@pytest.fixture(scope="module")
def closed_and_open(head: HeadMesh) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return tuple(rendered(head, head.template, curve(head, jawOpen=0.7), head.template))


def test_a_frame_shows_a_head_on_its_background(closed_and_open: tuple[np.ndarray, ...]) -> None:
    frame = closed_and_open[0]
    assert frame.shape == (192, 192, 3) and frame.dtype == np.uint8
    middle, corner = frame[60:130, 70:120].astype(float), frame[:10, :10].astype(float)
    assert middle.std() > 15 and middle.mean() > corner.mean() + 60
    red, green, blue = middle.reshape(-1, 3).mean(axis=0)
    assert red > green > blue  # skin, and not a swapped channel order
    background = np.multiply(scene.parse_color(SMALL.background_top), 255)
    np.testing.assert_allclose(corner.mean(axis=(0, 1)), background, atol=4)


def test_an_open_jaw_moves_the_lower_face_only(head: HeadMesh, closed_and_open: tuple[np.ndarray, ...]) -> None:
    closed, opened, _ = closed_and_open
    changed = np.abs(closed.astype(int) - opened).max(axis=2)
    mouth, chin = round(row_of(head, "mouth_left")), round(row_of(head, "chin"))
    assert (changed[mouth : mouth + 12, 85:107] > 30).mean() > 0.4
    # The jaw moves the temples by half a millimetre, which shows in a few pixels where hair and brows end.
    assert (changed[: round(row_of(head, "nose_bridge")) - 8] > 4).mean() < 0.002
    assert changed[chin + 12 :, :50].max() <= 2


def test_the_open_mouth_is_dark_inside(head: HeadMesh, closed_and_open: tuple[np.ndarray, ...]) -> None:
    middle = (row_of(head, "inner_lip_upper") + row_of(head, "chin")) / 2
    rows = slice(round(row_of(head, "inner_lip_upper")), round(middle))
    inside = closed_and_open[1][rows, 93:99].astype(float).mean(axis=2)
    cheek = closed_and_open[1][rows, 70:76].astype(float).mean(axis=2)
    assert inside.min() < 0.5 * cheek.mean()


def test_a_later_frame_does_not_remember_an_earlier_one(closed_and_open: tuple[np.ndarray, ...]) -> None:
    np.testing.assert_array_equal(closed_and_open[0], closed_and_open[2])


def test_two_runs_are_identical(head: HeadMesh, closed_and_open: tuple[np.ndarray, ...]) -> None:
    again = rendered(head, head.template, curve(head, jawOpen=0.7))
    np.testing.assert_array_equal(again, closed_and_open[:2])


def test_other_threads_draw_the_same(head: HeadMesh, closed_and_open: tuple[np.ndarray, ...]) -> None:
    """Two threads at once, and a generator that one thread begins and another ends."""
    found: dict[str, list[np.ndarray]] = {}
    vertices = np.stack([head.template, curve(head, jawOpen=0.7)])
    begun = render_frames(head, vertices, SMALL)
    first = next(begun)

    def draw(name: str) -> None:
        found[name] = rendered(head, *vertices)

    def finish() -> None:
        found["finished"] = [first, *begun]

    threads = [threading.Thread(target=draw, args=("a",)), threading.Thread(target=draw, args=("b",))]
    threads.append(threading.Thread(target=finish))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in ("a", "b", "finished"):
        np.testing.assert_array_equal(found[name], closed_and_open[:2])


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize("size", [(192, 192), (320, 180), (180, 320)], ids=str)
def test_every_identity_is_well_framed(head: HeadMesh, camera: str, size: tuple[int, int]) -> None:
    """Everything above the chin keeps clear of the edges and fills the frame alike for everyone."""
    options = RenderOptions(width=size[0], height=size[1], camera=camera)
    for name in head.identities:
        shown = head.with_identity(name)
        above = shown.template[shown.template[:, 1] > shown.template[shown.landmarks["chin"], 1]]
        places = projected(shown, above, options) / size
        low, high = places.min(axis=0), places.max(axis=0)
        assert 0.04 < low[1] < 0.35 and 0.6 < high[1] < 0.9
        assert 0.04 < low[0] and high[0] < 0.96
        assert abs(low[0] + high[0] - 1) < 0.06
        assert max(high - low) > 0.69


def test_the_silhouette_is_where_the_camera_says(head: HeadMesh, closed_and_open: tuple[np.ndarray, ...]) -> None:
    frame = closed_and_open[0].astype(int)
    covered = np.abs(frame - frame[:, :1]).max(axis=2) > 12
    rows, columns = np.flatnonzero(covered.any(axis=1)), np.flatnonzero(covered[:110].any(axis=0))
    expected = projected(head, head.template)
    assert rows[0] == pytest.approx(expected[:, 1].min(), abs=2)
    upper = expected[expected[:, 1] < 110]
    assert columns[0] == pytest.approx(upper[:, 0].min(), abs=2)
    assert columns[-1] == pytest.approx(upper[:, 0].max(), abs=2)


def test_the_profile_faces_the_left_of_the_frame(head: HeadMesh) -> None:
    """The camera goes to the head's own left, so the face looks to the viewer's left."""
    for camera in ("three_quarter", "profile"):
        options = dataclasses.replace(SMALL, camera=camera)
        points = head.template[[head.landmarks["nose_bridge"], head.template[:, 1].argmax()]]
        face, crown = projected(head, points, options)
        assert face[0] < crown[0] - 10


def test_wide_and_tall_frames(head: HeadMesh) -> None:
    for width, height in ((256, 128), (128, 256)):
        options = RenderOptions(width=width, height=height)
        assert rendered(head, head.template, options=options)[0].shape == (height, width, 3)


def test_antialiasing_softens_edges(head: HeadMesh, closed_and_open: tuple[np.ndarray, ...]) -> None:
    hard = rendered(head, head.template, options=dataclasses.replace(SMALL, antialias=False))[0]
    difference = np.abs(hard.astype(int) - closed_and_open[0]).max(axis=2)
    assert 0.001 < (difference > 8).mean() < 0.1


def test_the_reader_may_stop_early(head: HeadMesh) -> None:
    frames = render_frames(head, np.repeat(head.template[None], 500, axis=0), SMALL)
    next(frames)
    frames.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "memorytalker-renderer"]


def test_refused_vertices(head: HeadMesh) -> None:
    broken = np.repeat(head.template[None], 2, axis=0)
    broken[1, 7, 1] = np.nan
    far = head.template[None] + 5
    for vertices in (broken, far, head.template, head.template[None, :-1]):
        with pytest.raises(RenderError, match=r"\.$"):
            render_frames(head, vertices, SMALL)


def test_an_empty_frame_is_an_error_and_never_delivered(head: HeadMesh) -> None:
    tiny = head.template[None] * 0.01
    with pytest.raises(RenderError, match="no head in frame 1"):
        list(render_frames(head, np.concatenate([head.template[None], tiny]), SMALL))


def test_a_failure_of_the_library_becomes_a_plain_error(head: HeadMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "_open_plotter", lambda options: 1 / 0)
    with pytest.raises(RenderError, match="The renderer failed"):
        list(render_frames(head, head.template[None], SMALL))


def test_without_opengl_the_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    renderer.check_graphics.cache_clear()
    monkeypatch.setattr(renderer, "_PROBE", "import os; os.kill(os.getpid(), 11)")
    with pytest.raises(RenderError, match="libegl1"):
        renderer.check_graphics()
    monkeypatch.undo()
    renderer.check_graphics()


@pytest.mark.parametrize(
    "change",
    [{"width": 511}, {"height": 20}, {"camera": "behind"}, {"background_top": "red"}, {"fps": 0}, {"width": 9000}],
    ids=str,
)
def test_refused_options(change: dict) -> None:
    with pytest.raises(ConfigError):
        RenderOptions(**change)


# The surface


def octahedron() -> tuple[np.ndarray, np.ndarray]:
    vertices = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], np.float32)
    faces = [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
    return vertices, np.array(faces, np.int32)


def test_normals_of_a_round_body_point_outwards() -> None:
    vertices, faces = octahedron()
    np.testing.assert_allclose(Surface(faces, vertices, 9).normals(vertices), vertices, atol=1e-6)


def test_cutting_rounds_keeps_the_given_vertices_and_leaves_no_crack(head: HeadMesh) -> None:
    vertices, faces = octahedron()
    surface = Surface(faces, vertices, 0.5)
    points, normals = surface.refine(vertices, surface.normals(vertices))
    np.testing.assert_array_equal(points[:6], vertices)
    assert len(points) == 6 + 12 and len(surface.fine_faces) == 32
    radius = np.linalg.norm(points[6:], axis=1)
    assert (radius > 0.8).all() and (radius < 1).all()  # flat mid-points lie at 0.71
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)
    for longest in (0.003, 0.006, 0.012):
        surface = Surface(head.faces, head.template, longest)
        sides = np.sort(surface.fine_faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
        given = np.sort(head.faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)

        def rim(sides: np.ndarray) -> np.ndarray:
            unique, count = np.unique(sides, axis=0, return_counts=True)
            return unique[count == 1]

        # A crack would show as sides with one triangle where the given mesh has none.
        cut = (rim(sides) >= head.vertex_count).any(axis=1).sum()
        assert len(rim(sides)) == len(rim(given)) + cut / 2


def test_flat_sides_stay_whole(head: HeadMesh) -> None:
    vertices, faces = octahedron()
    plate = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32), np.array([[0, 1, 2], [0, 2, 3]])
    assert len(Surface(plate[1], plate[0], 0.5, 0.001).edges) == 0
    assert len(Surface(faces, vertices, 0.5, 0.001).edges) == 12
    few, all_long = (Surface(head.faces, head.template, 0.006, flat) for flat in (0.0002, 0.0))
    assert len(few.edges) < 0.7 * len(all_long.edges)


def test_a_patch_changes_as_the_whole_does(head: HeadMesh) -> None:
    surface = Surface(head.faces, head.template, 0.006, 0.0002)
    rest, spoken = head.template, curve(head, jawOpen=0.6, mouthFunnel=0.4)
    normals = surface.normals(rest)
    patch = Patch(surface, (spoken != rest).any(axis=1))
    points, directions = (part.copy() for part in surface.refine(rest, normals))
    points[patch.fine], directions[patch.fine] = patch.refine(spoken, normals)
    whole = surface.refine(spoken, surface.normals(spoken))
    np.testing.assert_allclose(points, whole[0], atol=1e-7)
    np.testing.assert_allclose(directions, whole[1], atol=1e-5)
    assert len(patch.fine) < 0.7 * len(points)
    still = Patch(surface, np.zeros(head.vertex_count, bool))
    assert not len(still.fine) and not len(still.refine(spoken, normals)[0])


def test_triangles_keep_their_sense_when_cut(head: HeadMesh) -> None:
    surface = Surface(head.faces, head.template, 0.006)
    points, normals = surface.refine(head.template, surface.normals(head.template))
    a, b, c = points[surface.fine_faces].transpose(1, 0, 2)
    across = np.cross(b - a, c - a)
    facing = np.einsum("fx,fx->f", across, normals[surface.fine_faces].sum(axis=1))
    assert (facing > 0).mean() > 0.99


@pytest.mark.parametrize("camera", CAMERAS)
def test_what_never_faces_the_camera_is_left_out_unseen(
    head: HeadMesh, camera: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = dataclasses.replace(SMALL, camera=camera, antialias=False)
    frames = [head.template, curve(head, jawOpen=0.7, mouthRollLower=0.8), curve(head, mouthFunnel=1.0)]
    surface, eye = Surface(head.faces, head.template, 0.006), np.array(scene.frame_head(head, options).position)
    left_out = ~surface.seen(np.stack(frames), eye)
    assert 0.2 < left_out.mean() < 0.5
    some = rendered(head, *frames, options=options)
    monkeypatch.setattr(Surface, "seen", lambda self, frames, eye: np.ones(len(self.faces), bool))
    np.testing.assert_array_equal(some, rendered(head, *frames, options=options))


def test_a_triangle_that_turns_round_once_is_drawn() -> None:
    vertices, faces = octahedron()
    eye = np.array([0.0, 0.0, 10.0])
    surface = Surface(faces, vertices, 9)
    assert surface.seen(vertices[None], eye).tolist() == [True] * 4 + [False] * 4
    assert surface.seen(np.stack([vertices, vertices * (1, -1, -1), vertices]).astype(np.float32), eye).all()
    assert len(surface.cut(surface.seen(vertices[None], eye))) == 4


def test_what_any_frame_shows_is_what_single_frames_show(head: HeadMesh) -> None:
    """Also where most of the head is still, or moves only after the first frame."""
    eye = np.array(scene.frame_head(head, SMALL).position)
    surface = Surface(head.faces, head.template, 0.006)
    turned = head.template * np.float32([-1, 1, -1])
    frames = np.stack([head.template, head.template, curve(head, jawOpen=0.9, mouthRollLower=1.0), head.template])
    frames[3, ::40] = turned[::40]
    alone = np.any([surface.seen(frame[None], eye) for frame in frames], axis=0)
    np.testing.assert_array_equal(surface.seen(frames, eye), alone)
    assert alone.sum() > surface.seen(frames[:1], eye).sum()


def test_what_is_covered_is_dark() -> None:
    """A plate over the middle of a floor: dark below, light at the rim; the plate itself sees everything."""

    def plate(half: float, height: float, count: int) -> tuple[np.ndarray, np.ndarray]:
        line = np.linspace(-half, half, count)
        grid = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
        vertices = np.column_stack([grid[:, 0], np.full(len(grid), height), grid[:, 1]]).astype(np.float32)
        i, j = (a.ravel() for a in np.meshgrid(np.arange(count - 1), np.arange(count - 1)))
        at = i + count * j
        halves = [(at, at + count, at + 1), (at + 1, at + count, at + count + 1)]
        return vertices, np.concatenate([np.stack(half, axis=1) for half in halves])

    floor, floor_faces = plate(0.1, 0.0, 41)
    lid, lid_faces = plate(0.04, 0.02, 17)
    vertices = np.concatenate([floor, lid])
    faces = np.concatenate([floor_faces, lid_faces + len(floor)])
    normals = np.tile(np.array([0, 1, 0], np.float32), (len(vertices), 1))
    seen = visibility(vertices, faces, normals, sphere_directions(64))
    assert seen[len(floor) :].min() > 0.95
    assert seen[len(floor) // 2] < 0.15
    assert seen[0] > 0.9


def test_every_part_has_its_finish(head: HeadMesh) -> None:
    finishes = scene.vertex_finishes(head)
    for part, vertices in head.parts.items():
        name = next((name for name in scene.FINISHES if part.startswith(name)), "skin")
        np.testing.assert_array_equal(finishes[vertices], np.tile(np.float32(scene.FINISHES[name]), (len(vertices), 1)))


def test_long_motion_can_be_cancelled_before_its_first_frame(head: HeadMesh) -> None:
    class Long:
        """Motion of an hour, of which no more than a few blocks should ever be asked for."""

        asked = 0

        def __len__(self) -> int:
            return 108_000

        def __getitem__(self, span: slice) -> np.ndarray:
            self.asked += 1
            return np.repeat(head.template[None], min(span.stop, 108_000) - span.start, axis=0)

    motion, calls = Long(), []

    def cancel(*call: object) -> None:
        calls.append(call)
        if len(calls) == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        next(render_frames(head, motion, SMALL, progress=cancel))  # type: ignore[arg-type]
    assert calls[0] == (0, 108_000, "render") and motion.asked < 5
