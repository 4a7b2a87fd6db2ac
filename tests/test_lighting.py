"""The light that is shipped is the light that would be found, and every other head is looked at itself."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from memorytalker.face.head import HeadMesh, load_head
from memorytalker.rendering import lighting
from memorytalker.rendering.scene import AZIMUTHS
from memorytalker.rendering.surface import Surface


@pytest.fixture(scope="module")
def head() -> HeadMesh:
    return load_head()


def found(head: HeadMesh, azimuth: float) -> lighting.Light:
    return lighting.find_light(head, Surface(head.faces, head.template, np.inf), (azimuth,))


def test_light_is_shipped_for_every_person_and_every_camera(head: HeadMesh) -> None:
    for identity in head.identities:
        shipped = lighting.shipped_light(head.with_identity(identity))
        assert shipped is not None and set(AZIMUTHS.values()) <= set(shipped.azimuths)
        assert shipped.sky.shape == (head.vertex_count,)
        assert shipped.keys.shape == (len(shipped.azimuths), head.vertex_count)
        assert list(shipped.azimuths) == sorted(shipped.azimuths)


def test_shipped_light_is_what_would_be_found(head: HeadMesh) -> None:
    person = head.with_identity("omar")
    shipped, fresh = lighting.shipped_light(person), found(person, 35.0)
    np.testing.assert_allclose(shipped.sky, fresh.sky, atol=0.51 / 255)
    np.testing.assert_allclose(shipped.keys[shipped.azimuths.index(35.0)], fresh.keys[0], atol=0.51 / 255)


def test_another_form_gets_light_of_its_own(head: HeadMesh) -> None:
    moved = head.template.copy()
    moved[0] += 0.001
    assert lighting.shipped_light(dataclasses.replace(head, template=moved)) is None
    assert lighting.shipped_light(dataclasses.replace(head, blendshapes=np.zeros_like(head.blendshapes))) is None
    assert lighting.shipped_light(dataclasses.replace(head, colors=255 - head.colors)) is not None


def test_without_the_file_light_is_found(head: HeadMesh, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    (tmp_path / "baked_lighting.npz").write_bytes(b"not an archive")
    lighting._shipped.cache_clear()
    monkeypatch.setattr(lighting, "LIGHT_FILE", tmp_path / "baked_lighting.npz")
    try:
        assert lighting.shipped_light(head) is None
        few = dataclasses.replace(head, blendshapes=head.blendshapes[:0], blendshape_names=())
        seen = lighting.light_of(few, Surface(few.faces, few.template, np.inf), 0.0)
        assert seen.azimuths == (0.0,) and 0 <= seen.sky.min() and seen.keys.max() <= 1.0
        assert seen.keys[0].mean() > 0.3
    finally:
        lighting._shipped.cache_clear()
