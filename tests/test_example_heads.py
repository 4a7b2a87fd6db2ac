"""An example voice brings a head that fits it."""

from __future__ import annotations

from memorytalker.face.head import load_head
from memorytalker.page.examples import EXAMPLES, HEADS, example_head, example_path
from memorytalker.sound.acoustics import pitch
from memorytalker.sound.decode import load_waveform

#: Between the voices of men and of women, Hz, as `pitch` measures them.
BETWEEN = 135.0


def test_every_example_brings_a_head_of_its_own_that_fits_its_voice() -> None:
    head = load_head()
    assert set(HEADS) == set(EXAMPLES) and len(set(HEADS.values())) == len(HEADS)
    for name, identity in HEADS.items():
        high = pitch(load_waveform(example_path(name)).samples) > BETWEEN
        assert head.descriptions[identity].startswith("woman" if high else "man"), name
        assert name.startswith("woman_" if high else "man_")


def test_a_head_that_is_not_there_is_not_chosen() -> None:
    name = next(iter(HEADS))
    assert example_head(name, ("mine",), "mine") == "mine"
    assert example_head("own.wav", load_head().identities, "mei") == "mei"
    assert example_head(name, load_head().identities, "mei") == HEADS[name]
