"""Close-ups show the mouth, in the same place whatever it does, and every head has one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from memorytalker.face.head import HeadMesh, Landmarks, load_head
from memorytalker.rendering import closeup


@pytest.fixture(scope="module")
def head() -> HeadMesh:
    return load_head()


def test_an_opening_jaw_changes_the_image_from_its_middle_downwards(head: HeadMesh) -> None:
    closed, opened = closeup.mouth_images(head, np.stack([head.template, head.template + head.blendshape("jawOpen")]))
    assert closed.shape == opened.shape and closed.shape[0] == pytest.approx(0.75 * closed.shape[1], abs=2)
    change = np.abs(closed.astype(int) - opened).max(axis=2)
    changed, (height, width) = change > 30, change.shape
    assert changed[height // 2 :, width // 4 : -width // 4].mean() > 0.3
    assert changed[: height // 4].mean() < 0.05
    rows = np.flatnonzero(change[:, width // 2] > 85)  # more than the shade on the upper lip changes
    assert rows[0] == pytest.approx(height / 2, abs=0.03 * height), "the lips meet in the middle of the image"


def test_a_millimetre_is_as_long_as_documented(head: HeadMesh) -> None:
    moved = head.template.copy()
    moved[:, 0] += 0.005
    still, shifted = (
        image.astype(float).mean(axis=2) for image in closeup.mouth_images(head, np.stack([head.template, moved]))
    )
    by = 0.005 / closeup.SHOWN_WIDTH * still.shape[1]
    errors = {n: np.abs(still[:, : still.shape[1] - n] - shifted[:, n:]).mean() for n in range(40)}
    assert min(errors, key=errors.get) == pytest.approx(by, abs=2)


@pytest.mark.parametrize("which", [0, -1])
def test_every_identity_is_cut_at_its_own_mouth(head: HeadMesh, which: int) -> None:
    one = head.with_identity(list(head.identities)[which])
    image = closeup.mouth_images(one, one.template[None])[0]
    height, width, _ = image.shape
    middle = image[int(0.35 * height) : int(0.65 * height), int(0.3 * width) : int(0.7 * width)].astype(int)
    redness = (middle[..., 0] - middle[..., 1]) / middle.sum(axis=2).clip(1)
    cheeks = image[: height // 4, : width // 5].astype(int)
    assert np.percentile(redness, 80) > 1.15 * ((cheeks[..., 0] - cheeks[..., 1]) / cheeks.sum(axis=2).clip(1)).mean()


def test_a_head_that_does_not_name_its_mouth_is_shown_whole(head: HeadMesh) -> None:
    bare = dataclasses.replace(head, landmarks=Landmarks({"chin": head.landmarks["chin"]}))
    image = closeup.mouth_images(bare, bare.template[None])[0]
    assert image.shape == (closeup.WHOLE // 2, closeup.WHOLE // 2, 3)
