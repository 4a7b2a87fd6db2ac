"""A head from a user's own mesh: the triangles of a .ply or .obj file over the neutral faces of a data set.

Such a head has one part, "skin", no blendshapes, and regions and landmarks only if they are known. Frame of reference:
metres, y up, face towards +z.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

from memorytalker.extras import to_install
from memorytalker.face.head import HeadError, HeadMesh, Landmarks, Regions, load_head
from memorytalker.face.mesh_order import check_likely_order, check_open_order, far_sides
from memorytalker.files import read_bounded

#: Number of vertices -> the known mesh, and where to get it.
KNOWN_MESHES = MappingProxyType(
    {
        5023: "FLAME's mesh (FLAME_sample.ply of VOCASET, or head_template.obj from flame.is.tue.mpg.de)",
        23370: "BIWI's mesh (BIWI.ply, from where the BIWI data came)",
    }
)
#: Number of vertices -> paths of that mesh in a data set's folder.
MESH_PLACES = MappingProxyType(
    {
        5023: ("FLAME_sample.ply", "templates/FLAME_sample.ply", "head_template.obj"),
        23370: ("BIWI.ply", "templates/BIWI.ply"),
    }
)
#: The longest side of a head's bounding box in metres, from a bare face to a head with shoulders.
SIDES = (0.1, 1.0)
SKIN, LIPS = (214, 160, 136), (190, 112, 104)  # sRGB
#: Colours of an eyeball up to an angle, in degrees, from its axis.
PUPIL, IRIS, EYE_WHITE = (9.0, (24, 20, 20)), (26.0, (96, 74, 58)), (180.0, (226, 216, 208))
#: Range of an eyeball's radius in metres, and the largest range of its radii as a share of their mean.
EYE_RADIUS, EYE_ROUNDNESS = (0.007, 0.019), 0.15
#: A lip region with a larger share of the vertices covers more than lips and keeps the colour of skin.
LARGEST_LIPS = 0.08
SUFFIXES = (".ply", ".obj")
#: Bytes of a mesh's file at the most.
LARGEST_BYTES = 300_000_000
#: No head of any unit has a coordinate as large as this; nan is none either.
FARTHEST = 1e6


class KnownVertices(Protocol):
    """Known vertices of a data set (`datasets.sequences.FaceRegions`); None where unknown."""

    @property
    def lips(self) -> np.ndarray | None: ...  # noqa: D102

    @property
    def upper_face(self) -> np.ndarray | None: ...  # noqa: D102

    @property
    def opening(self) -> tuple[int, int] | None: ...  # noqa: D102


def load_mesh_head(
    mesh: Path, templates: Mapping[str, np.ndarray] | None = None, regions: KnownVertices | None = None
) -> HeadMesh:
    """Read a head from a mesh file.

    Args:
        mesh: a .ply or .obj file.
        templates: subject -> neutral face (V, 3) in the data set's units; these become the identities. None: the file's
            own vertices, in metres, are the only identity, named after the file.
        regions: known vertices. Lips are tinted; the opening gives the landmarks inner_lip_upper and inner_lip_lower.

    Returns:
        The head.

    Raises:
        HeadError: a file that is no mesh, is not in metres or does not fit the templates.
    """
    mesh = Path(mesh)
    vertices, faces = _read(mesh)
    if not templates:
        _check_size(vertices, mesh)
        return _assemble(faces, {mesh.stem: vertices}, regions)
    for name, template in templates.items():
        if np.shape(template) != vertices.shape:
            raise HeadError(
                f"{mesh} has {len(vertices)} vertices where the template of {name} has {len(template)}; "
                f"get {expected_mesh(len(template))}."
            )
        if not np.isfinite(template).all():
            raise HeadError(f"The template of {name} has coordinates that are not finite; get the data set again.")
    _check_order(next(iter(templates.values())), faces, mesh)
    return _assemble(faces, templates, regions)


def bare_head(
    vertex_count: int, templates: Mapping[str, np.ndarray] | None = None, regions: KnownVertices | None = None
) -> HeadMesh:
    """Make a head without triangles, which can be animated and saved but not rendered.

    Args:
        vertex_count: V.
        templates: subject -> neutral face (V, 3), which become the identities. None: the neutral face is unknown and
            set to zeros, so that vertices are offsets in metres.
        regions: known vertices.

    Returns:
        The head.

    Raises:
        HeadError: templates with another number of vertices.
    """
    templates = templates or {"": np.zeros((vertex_count, 3), np.float32)}
    for name, template in templates.items():
        if np.shape(template) != (vertex_count, 3):
            raise HeadError(
                f"These weights move {vertex_count} vertices but the template of {name} has {len(template)}; "
                "use the data that the weights were trained on."
            )
    return _assemble(np.zeros((0, 3), np.int32), templates, regions)


def head_for(
    vertex_count: int,
    mesh: Path | None = None,
    templates: Mapping[str, np.ndarray] | None = None,
    regions: KnownVertices | None = None,
    drawn: bool = True,
) -> HeadMesh:
    """Find the head for weights with this number of vertices: the given mesh, else the shipped head if it fits.

    Args:
        vertex_count: number of vertices that the weights move.
        mesh: a .ply or .obj file; None: none is given.
        templates: as in `load_mesh_head`.
        regions: as in `load_mesh_head`.
        drawn: whether the head will be rendered; if not, a `bare_head` will do.

    Returns:
        The head.

    Raises:
        HeadError: a mesh that does not fit or has another vertex order, or none; the message names the file to get.
    """
    if mesh is not None:
        head = load_mesh_head(mesh, templates, regions)
        if head.vertex_count != vertex_count:
            raise HeadError(
                f"{mesh} has {head.vertex_count} vertices but these weights move {vertex_count}; "
                f"get {expected_mesh(vertex_count)}."
            )
        if not templates:
            _check_weights_order(head, Path(mesh))
        return head
    shipped = load_head()
    if shipped.vertex_count == vertex_count:
        return shipped
    if drawn:
        raise HeadError(misfit(vertex_count))
    return bare_head(vertex_count, templates, regions)


def head_with_template(head: HeadMesh, mesh: Path) -> HeadMesh:
    """Give a head another face: a mesh in its own vertex order, such as a sculpted copy of the open head.

    Args:
        head: the open head, whose blendshapes the face takes.
        mesh: a .ply or .obj file in metres, y up, face towards +z.

    Returns:
        The head with one identity more, named after the file, which is its own now.

    Raises:
        HeadError: a file that is no mesh, is not in metres, or has another vertex order.
    """
    mesh = Path(mesh)
    given = load_mesh_head(mesh)
    check_open_order(head, given.template, given.faces, mesh.name)
    return replace(
        head,
        template=given.template,
        identities={**head.identities, mesh.stem: given.template},
        identity_colors={**head.identity_colors, mesh.stem: head.colors},
        descriptions={**head.descriptions, mesh.stem: f"from {mesh.name}"},
        identity=mesh.stem,
    )


def _check_weights_order(head: HeadMesh, mesh: Path) -> None:
    """Refuse a mesh as large as the one that the weights move, but in another order."""
    shipped = load_head()
    if head.vertex_count == shipped.vertex_count:
        check_open_order(shipped, head.template, head.faces, mesh.name)
    else:
        check_likely_order(head.template, head.faces, mesh.name, expected_mesh(head.vertex_count))


def find_mesh(folder: Path, vertex_count: int) -> Path | None:
    """Return the mesh file in a data set's folder, or None."""
    candidates = (Path(folder) / place for place in MESH_PLACES.get(vertex_count, ()))
    return next((path for path in candidates if path.is_file()), None)


def expected_mesh(vertex_count: int) -> str:
    """Describe the mesh with this number of vertices, and where to get it."""
    return KNOWN_MESHES.get(vertex_count, f"the mesh of {vertex_count} vertices that the data set came with")


def misfit(vertex_count: int) -> str:
    """Return the sentence for weights that do not fit the shipped head."""
    return (
        f"These weights move {vertex_count} vertices, which the shipped head has not; to draw them give --head (in "
        f"Python head=) the file of {expected_mesh(vertex_count)}; 'evaluate' and .npz output need no mesh."
    )


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) float32 in the number and order of the file, and triangles (F, 3) int32, facing outwards."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise HeadError(f"A head is read from {' or '.join(SUFFIXES)}, not from {path.name}.")
    try:
        data = read_bounded(path, LARGEST_BYTES)
    except OSError:
        raise HeadError(f"There is no readable file {path}; check the path.") from None
    except ValueError as error:
        raise HeadError(f"{path} cannot be read as a mesh: {error}; get it again.") from None
    if data.startswith(b"version https://git-lfs"):
        raise HeadError(f"{path} is only a Git-LFS pointer; run 'git lfs pull' where it came from.")
    try:
        import trimesh
    except ImportError:
        raise HeadError(to_install("trimesh")) from None
    if suffix == ".obj":
        data = _without_seams(data)
    options: dict[str, Any] = {"process": False, "maintain_order": True, "fix_texture": False, "skip_materials": True}
    try:
        found: Any = trimesh.load(io.BytesIO(data), file_type=suffix[1:], force="mesh", **options)
        with np.errstate(over="ignore"):  # what is too large is infinite, and refused
            vertices, faces = np.asarray(found.vertices, np.float32), np.asarray(found.faces, np.int64)
    except Exception:  # whatever a broken file makes the reader raise, it is not a mesh
        raise HeadError(f"{path} is not a readable mesh of triangles; get it again.") from None
    solid = vertices.ndim == faces.ndim == 2 and vertices.shape[1] == faces.shape[1] == 3 and len(faces) > 0
    if not solid or faces.min() < 0 or faces.max() >= len(vertices) or not (np.abs(vertices) < FARTHEST).all():
        raise HeadError(f"{path} is not a mesh with triangles over finite vertices; get it again.")
    return vertices, _outwards(vertices, faces).astype(np.int32)


def _without_seams(text: bytes) -> bytes:
    """Copy an .obj with positions and triangles only, because readers duplicate vertices along texture seams."""
    lines = []
    for line in text.replace(b"\\\n", b" ").splitlines():
        words = line.split(b"#")[0].split()
        if words[:1] == [b"v"]:
            lines.append(b" ".join(words[:4]))
        elif words[:1] == [b"f"]:
            lines.append(b" ".join(word.split(b"/")[0] for word in words))
    return b"\n".join(lines)


def _outwards(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """The triangles counter-clockwise seen from outside, so that they enclose a positive volume."""
    a, b, c = (vertices[corner].astype(np.float64) - vertices.mean(axis=0) for corner in faces.T)
    return faces if np.einsum("fx,fx->", a, np.cross(b, c)) >= 0 else faces[:, ::-1]


def _check_size(vertices: np.ndarray, mesh: Path) -> None:
    """Refuse a mesh in millimetres or centimetres, on which motion in metres would be invisible."""
    side = float(np.ptp(vertices, axis=0).max())
    for unit, factor in (("millimetres", 1000), ("centimetres", 100)):
        if SIDES[0] <= side / factor <= SIDES[1]:
            raise HeadError(
                f"A head is measured in metres, and {mesh} is {side:.4g} across, which looks like {unit}: divide its "
                f"coordinates by {factor}, or give the data set (--data), whose neutral faces then take their place."
            )
    if not SIDES[0] / 2 <= side <= 10 * SIDES[1]:
        raise HeadError(f"A head is measured in metres, and {mesh} is {side:.4g} across; scale its coordinates.")


def _check_order(template: np.ndarray, faces: np.ndarray, mesh: Path) -> None:
    """Refuse a mesh whose neighbours are far apart in the template: its vertices are in another order."""
    if far_sides(template, faces):
        raise HeadError(
            f"{mesh} has as many vertices as the templates but in another order; get {expected_mesh(len(template))}."
        )


def _assemble(faces: np.ndarray, templates: Mapping[str, np.ndarray], regions: KnownVertices | None) -> HeadMesh:
    identities = {name: _fixed(np.array(template, np.float32)) for name, template in templates.items()}
    first, template = next(iter(identities.items()))
    count = len(template)
    named = {name: getattr(regions, name, None) for name in ("lips", "upper_face")}
    opening = getattr(regions, "opening", None)
    known = Regions({name: _fixed(np.array(index, np.int64)) for name, index in named.items() if index is not None})
    marks = Landmarks(zip(("inner_lip_upper", "inner_lip_lower"), map(int, opening or ()), strict=False))
    for name, indices in {**known, "opening": np.array(opening or (), np.int64)}.items():
        if indices.size and not 0 <= indices.min() <= indices.max() < count:
            raise HeadError(f"The region {name!r} points at vertices that this head of {count} does not have.")
    colors = np.tile(np.array(SKIN, np.uint8), (count, 1))
    if "lips" in known and len(known["lips"]) <= LARGEST_LIPS * count:
        colors[known["lips"]] = LIPS
    for ball in _eyeballs(template, faces):
        colors[ball] = _eye_colors(template[ball])
    return HeadMesh(
        template=template,
        faces=_fixed(faces),
        parts={"skin": _fixed(np.arange(count))},
        colors=_fixed(colors),
        blendshape_names=(),
        blendshapes=_fixed(np.zeros((0, count, 3), np.float32)),
        regions=known,
        landmarks=marks,
        identities=identities,
        identity_colors=dict.fromkeys(identities, colors),
        base_index=_fixed(np.full(count, -1, np.int32)),
        identity=first,
    )


def _eyeballs(vertices: np.ndarray, faces: np.ndarray) -> list[np.ndarray]:
    """Vertex indices of every connected component of the mesh that is a ball of an eye's size."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    count = len(vertices)
    sides = np.concatenate([faces[:, :2], faces[:, 1:]])
    joined = coo_matrix((np.ones(len(sides), bool), sides.T), shape=(count, count))
    _, piece = connected_components(joined, directed=False)
    balls = []
    for number in np.flatnonzero(np.bincount(piece) >= 20):
        ball = np.flatnonzero(piece == number)
        radius = np.linalg.norm(vertices[ball] - _middle(vertices[ball]), axis=1)
        if EYE_RADIUS[0] < radius.mean() < EYE_RADIUS[1] and np.ptp(radius) < EYE_ROUNDNESS * radius.mean():
            balls.append(ball)
    return balls


def _eye_colors(ball: np.ndarray) -> np.ndarray:
    """Colours (N, 3) uint8 of the vertices (N, 3) of an eyeball that looks towards +z."""
    along = (ball - _middle(ball)) / np.linalg.norm(ball - _middle(ball), axis=1, keepdims=True)
    degrees = np.degrees(np.arccos(np.clip(along[:, 2], -1, 1)))
    colors = np.zeros((len(ball), 3), np.uint8)
    for widest, color in (EYE_WHITE, IRIS, PUPIL):
        colors[degrees <= widest] = color
    return colors


def _middle(vertices: np.ndarray) -> np.ndarray:
    return (vertices.min(axis=0) + vertices.max(axis=0)) / 2


def _fixed(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array
