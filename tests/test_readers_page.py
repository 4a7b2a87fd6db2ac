"""What a visitor's program sends in the place of a choice: any value of JSON is taken, or refused in one sentence."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reader_checks import ABSURD_VALUES, STEADY, outcome

from memorytalker.config import ModelConfig
from memorytalker.options import AnimateOptions
from memorytalker.page.comparison_run import OWN, CompareRequest
from memorytalker.page.request import NEUTRAL, AnimateRequest, options_of

IDENTITIES = {"open": None, "second": None}
ANYTHING = st.one_of(
    st.sampled_from(ABSURD_VALUES), st.integers(), st.floats(), st.text(max_size=5), st.booleans(),
    st.lists(st.integers(), max_size=2), st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)  # fmt: skip


@STEADY
@given(style_blend=ANYTHING, expression=ANYTHING, seed=ANYTHING, close_in_silence=ANYTHING, identity=ANYTHING)
def test_any_options(**chosen: Any) -> None:
    for name, value in chosen.items():
        options = outcome(lambda name=name, value=value: options_of(**{name: value}))
        assert options is None or (0 <= options.style_blend <= 1 and options.seed >= 0)
    outcome(lambda: options_of(**chosen))


@STEADY
@given(identity=ANYTHING, camera=ANYTHING, style=ANYTHING, seed=st.integers(0) | st.just(10**4000))
def test_any_request_is_refused_before_its_sound_is_read(identity: Any, camera: Any, style: Any, seed: int) -> None:
    options = AnimateOptions(seed=seed)
    for request in (
        AnimateRequest(None, identity, options=options),
        AnimateRequest(None, "open", camera, options=options),
        AnimateRequest(None, "open", "front", style, options=options),
        AnimateRequest(None, "open", "front", NEUTRAL, options=options),
    ):
        assert outcome(lambda request=request: request.checked(IDENTITIES)) is None


@STEADY
@given(clip=ANYTHING, identity=ANYTHING, shown=ANYTHING, fps=ANYTHING)
def test_any_comparison(clip: Any, identity: Any, shown: Any, fps: Any) -> None:
    for request in (
        CompareRequest(clip, "open"),
        CompareRequest(OWN, identity),
        CompareRequest(OWN, "open", shown),
        CompareRequest(OWN, "open", fps=fps),
    ):
        outcome(lambda request=request: request.check(IDENTITIES))


@pytest.mark.parametrize("fps", [float("nan"), float("inf"), 10**400, -(10**400), True, "30", [30]])
def test_frames_a_second_that_cannot_be(fps: Any) -> None:
    with pytest.raises(ValueError, match=r"^Give the frames per second as a number"):
        CompareRequest(OWN, "open", fps=fps).check(IDENTITIES)


@STEADY
@given(slot=ANYTHING)
def test_any_slot(slot: Any) -> None:
    found = outcome(lambda: ModelConfig().slot_index(slot))
    assert found is None or 0 <= found < 40
