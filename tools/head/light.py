"""Ambient occlusion: how much open sky each vertex of the neutral head sees, baked into the base colours."""

from __future__ import annotations

import numpy as np

RAYS = 48
REACH = 0.045  # metres: what is further away casts no soft shadow


def open_sky(place: np.ndarray, turned: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Share (V,) of rays over the hemisphere around the normals `turned` (V, 3) that leave without hitting `faces`."""
    from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray
    from vtkmodules.vtkCommonCore import reference as mutable
    from vtkmodules.vtkCommonCore import vtkPoints
    from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData, vtkStaticCellLocator

    points = vtkPoints()
    points.SetData(numpy_to_vtk(np.ascontiguousarray(place, float), deep=True))
    cells = vtkCellArray()
    packed = np.hstack([np.full((len(faces), 1), 3), faces]).astype(np.int64).ravel()
    cells.SetCells(len(faces), numpy_to_vtkIdTypeArray(packed, deep=True))
    mesh = vtkPolyData()
    mesh.SetPoints(points)
    mesh.SetPolys(cells)
    locator = vtkStaticCellLocator()
    locator.SetDataSet(mesh)
    locator.BuildLocator()
    directions = _hemisphere(RAYS)
    share = np.zeros(len(place))
    hit, where, local, cell = mutable(0.0), [0.0] * 3, [0.0] * 3, mutable(0)
    for k, (point, normal) in enumerate(zip(place, turned, strict=True)):
        aside = np.cross(normal, [0.0, 1.0, 0.0] if abs(normal[1]) < 0.9 else [1.0, 0.0, 0.0])
        aside /= max(np.linalg.norm(aside), 1e-12)
        rays = directions @ np.stack([aside, np.cross(normal, aside), normal])
        start = point + 4e-4 * normal
        blocked = sum(
            locator.IntersectWithLine(start.tolist(), (start + REACH * ray).tolist(), 1e-7, hit, where, local, cell)
            != 0
            for ray in rays
        )
        share[k] = 1 - blocked / RAYS
    return share


def _hemisphere(count: int) -> np.ndarray:
    """Directions around +z, denser towards it (cosine-weighted), on a golden spiral."""
    k = np.arange(count) + 0.5
    radius = np.sqrt(k / count)
    angle = np.pi * (1 + 5**0.5) * k
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), np.sqrt(1 - radius**2)], axis=1)
