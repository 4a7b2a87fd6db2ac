"""The look of the renderer: small images against stored ones, and changes that must be seen.

The same scene drawn by Mesa's llvmpipe with AVX, with SSE2 alone, without SSE, and by softpipe, which is another
rasteriser, differs from the stored images by at most 0.06 levels in the mean and 0.07 % of pixels that are off. A key
lamp moved by 5 degrees gives 0.8 levels, 3 % more light 0.6, a camera moved by 0.2 % of the image 0.7 % of pixels.
The limits lie between.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from rendered_images import OPTIONS, VIEWS, View, difference, image, stored

from memorytalker.options import CAMERAS
from memorytalker.rendering import scene

#: Largest mean difference in levels of 255, and largest share of pixels that are off.
MEAN, OFF = 0.4, 0.005


def differs(name: str, view: View | None = None) -> bool:
    mean, off = difference(image(VIEWS[name] if view is None else view), stored(name))
    return mean > MEAN or off > OFF


@pytest.mark.parametrize("name", sorted(VIEWS))
def test_the_look_is_the_stored_one(name: str) -> None:
    mean, off = difference(image(VIEWS[name]), stored(name))
    assert mean <= MEAN and off <= OFF, (
        f"{name}: {mean:.2f} levels in the mean (at most {MEAN}), {off:.2%} of pixels off (at most {OFF:.2%}). "
        "Where the look was meant to change, make the images again and look at them: fixtures/images/README.md"
    )


def test_every_camera_two_people_an_open_mouth_and_a_smile_are_among_them() -> None:
    assert {view.camera for view in VIEWS.values()} == set(CAMERAS)
    assert len({view.identity for view in VIEWS.values()}) >= 2
    curves = set().union(*(view.curves for view in VIEWS.values()))
    assert {"jawOpen", "mouthSmileLeft", "browInnerUp"} <= curves


def test_a_light_that_moved_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    azimuth, elevation = scene.KEY
    monkeypatch.setattr(scene, "KEY", (azimuth - 10, elevation))
    assert all(differs(name) for name in VIEWS)


@pytest.mark.parametrize("share", [0.02, -0.01])
def test_a_camera_that_moved_is_seen(monkeypatch: pytest.MonkeyPatch, share: float) -> None:
    frame_head = scene.frame_head

    def moved(*given) -> scene.Camera:
        camera = frame_head(*given)
        distance = math.dist(camera.position, camera.focal_point)
        up = np.array([0, share * 2 * distance * math.tan(math.radians(camera.view_angle) / 2), 0])
        places = {"position": tuple(camera.position + up), "focal_point": tuple(camera.focal_point + up)}
        return dataclasses.replace(camera, **places)

    monkeypatch.setattr(scene, "frame_head", moved)
    assert all(differs(name) for name in VIEWS)


@pytest.mark.parametrize("name", sorted(VIEWS))
def test_another_face_is_seen(name: str) -> None:
    view = VIEWS[name]
    other = "omar" if view.identity == "ada" else "ada"
    assert differs(name, dataclasses.replace(view, identity=other))
    if view.curves:
        weaker = {curve: 0.8 * weight for curve, weight in view.curves.items()}
        assert differs(name, dataclasses.replace(view, curves=weaker))


def test_the_stored_pictures_are_small_and_of_one_size() -> None:
    assert {stored(name).shape for name in VIEWS} == {(OPTIONS["height"], OPTIONS["width"], 3)}
