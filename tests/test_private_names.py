"""What the package uses of other libraries that they do not promise: each fails here first, by its name, when it moves.

Accelerate's memory of a process, the parts of transformers' HuBERT, and the places in VTK's shaders.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from memorytalker import RenderError, RenderOptions, load_head
from memorytalker.rendering import check_graphics, render_frames, scene


def test_accelerate_forgets_a_precision() -> None:
    state = pytest.importorskip("accelerate.state")
    assert isinstance(state.PartialState._shared_state, dict), "PartialState._shared_state"
    parameters = inspect.signature(state.AcceleratorState._reset_state).parameters
    assert "reset_partial_state" in parameters, "AcceleratorState._reset_state"


def test_the_parts_of_hubert_are_called_one_by_one() -> None:
    from transformers import HubertConfig, HubertModel

    config = HubertConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
    model = HubertModel(config).eval()
    with torch.no_grad():
        features = model.feature_extractor(torch.zeros(1, 800))
        assert features.shape[:2] == (1, config.conv_dim[-1]), "HubertModel.feature_extractor"
        projected = model.feature_projection(features.transpose(1, 2))
        assert projected.shape[2] == 32, "HubertModel.feature_projection"
        mask = torch.ones(projected.shape[:2], dtype=torch.bool)
        assert model.encoder(projected, attention_mask=mask).last_hidden_state.shape == projected.shape
    assert len(model.encoder.layers) == 1, "HubertModel.encoder.layers"


@pytest.fixture(scope="module")
def drawn() -> Iterator[int]:
    """How many points of a small image the head covers."""
    try:
        check_graphics()
    except RenderError as error:
        pytest.skip(str(error))
    yield covered()


def covered() -> int:
    head = load_head()
    options = RenderOptions(width=64, height=64, background_top="#ffffff", background_bottom="#ffffff")
    (image,) = render_frames(head, head.template[None], options)
    return int((image.astype(np.int32).min(axis=2) < 250).sum())


@pytest.mark.parametrize(
    ("stage", "place"),
    [
        ("Vertex", scene.NORMAL_DECLARATIONS),
        ("Vertex", scene.NORMAL_STATEMENTS),
        ("Fragment", scene.NORMAL_DECLARATIONS),
        ("Fragment", scene.LIGHT_STATEMENTS),
    ],
)
def test_the_places_in_the_shaders_of_vtk_are_there(
    drawn: int, stage: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Text that is no GLSL is put in one place; where that place exists, nothing can be drawn any more."""
    from vtkmodules.vtkCommonCore import vtkObject

    used = scene.shader_replacements()
    assert (stage, place) in [(one, where) for one, where, _ in used]
    wrong = {(stage, place): "\nno words of GLSL\n"}
    planted = [(one, where, text + wrong.get((one, where), "")) for one, where, text in used]
    monkeypatch.setattr(scene, "shader_replacements", lambda painted=False: planted)
    vtkObject.GlobalWarningDisplayOff()
    try:
        left = covered()
    except RenderError:
        left = 0
    finally:
        vtkObject.GlobalWarningDisplayOn()
    assert drawn > 300 and left == 0, f"{place} is not in the {stage.lower()} shader any more"
