"""The space of motion: coordinates and vertices are the same motion, and their errors the same errors."""

from __future__ import annotations

import numpy as np
import torch

from memorytalker.face.head import load_head
from memorytalker.face.motion_space import STILL, speech_space
from memorytalker.training.losses import lip_loss
from memorytalker.training.space import mouth_in_space


def test_coordinates_give_back_the_vertices_and_the_error_of_the_lips() -> None:
    head = load_head()
    space = speech_space(head)
    random = np.random.default_rng(0)
    speaking = np.array([not name.startswith(STILL) for name in head.blendshape_names])
    one, two = (random.uniform(0, 1, (6, 52)).astype(np.float32) * speaking for _ in range(2))
    coordinates = [torch.from_numpy(space.encode(weights))[None] for weights in (one, two)]
    vertices = [torch.from_numpy(head.offsets(weights).reshape(1, 6, -1)) for weights in (one, two)]
    decoded = coordinates[0] @ torch.from_numpy(space.basis).float()
    torch.testing.assert_close(decoded, vertices[0], atol=1e-5, rtol=0)
    lips = torch.from_numpy(np.asarray(head.regions["lips"], np.int64))
    error, target = lip_loss(*coordinates, mouth_in_space(space, head).lips), lip_loss(*vertices, lips)
    torch.testing.assert_close(error, target, rtol=1e-3, atol=0)
    assert error > 1e-8
