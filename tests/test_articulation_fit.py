"""The fit of the viseme table: it blends as the package does, fills what was rarely tracked and keeps its bounds."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from memorytalker.articulation.coarticulation import TimedPhones, activations
from memorytalker.articulation.visemes import VisemeTable, load_visemes
from memorytalker.corpus.build import FPS
from memorytalker.phones import ENGLISH

SPOKEN = ("b", "aa", "s", "iy", "w", "f", "l", "ow", "ey", "k")


@pytest.fixture(scope="module")
def fitting() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).resolve().parents[1]))
        yield importlib.import_module("tools.articulation.fit")


def utterance(random: np.random.Generator, frames: int) -> TimedPhones:
    """Silence, then phones of 60 to 200 ms, the last until the end."""
    bounds = np.cumsum([0.0, 0.2, *random.uniform(0.06, 0.2, 12)])
    bounds = np.append(bounds[bounds < frames / FPS - 0.1], frames / FPS)
    labels = ["sil", *random.choice(SPOKEN, len(bounds) - 2)]
    return TimedPhones.of(list(zip(bounds[:-1], bounds[1:], labels, strict=True)))


def blended(phones: TimedPhones, loud: np.ndarray, table: VisemeTable) -> np.ndarray:
    """Curves (T, S) by the package's own shares, without contacts."""
    shares = activations(phones, table, len(loud), FPS)[table.group]  # (S, T, P)
    effort = np.einsum("stp,ps->ts", shares, table.effort) * loud[:, None]
    return np.einsum("stp,ps->ts", shares, table.target) + effort


def toy_clips(fitting: ModuleType, table: VisemeTable, count: int, frames: int = 45) -> list:
    random = np.random.default_rng(0)
    made = []
    for _ in range(count):
        phones, loud = utterance(random, frames), random.uniform(-0.5, 0.5, frames)
        curves = blended(phones, loud, table)
        made.append(fitting.TrackedClip("toy", phones, loud, curves, curves[:, 0], curves[:, 1]))
    return made


def test_the_fit_blends_as_the_package_does(fitting: ModuleType) -> None:
    model = fitting.Articulation()
    torch.manual_seed(0)
    with torch.no_grad():
        for value in model.parameters():
            value += 0.3 * torch.randn_like(value)
    dominance = {name: value.detach().numpy().astype(float) for name, value in model.dominance().items()}
    target, effort = (value.detach().numpy().astype(float) for value in model.targets())
    table = VisemeTable(fitting.shape_names(), model.group.numpy(), target, effort, **dominance)
    clips = toy_clips(fitting, table, 3)
    with torch.no_grad():
        made = model(*fitting.padded(clips)).numpy()
    for clip, curves in zip(clips, made, strict=True):
        np.testing.assert_allclose(curves, clip.curves, atol=2e-4)


def test_rare_phones_lean_on_a_likeness_and_silence_is_rest(fitting: ModuleType) -> None:
    clips = toy_clips(fitting, load_visemes(), 2)
    table = fitting.table_of(fitting.Articulation(), clips)
    np.testing.assert_array_equal(table.target[0], 0.0)
    np.testing.assert_array_equal(table.target[ENGLISH.index("zh")], table.target[ENGLISH.index("sh")])


def test_sibilants_keep_the_teeth_near(fitting: ModuleType) -> None:
    rows, jaw = ENGLISH.indices(ENGLISH.sibilants), fitting.shape_names().index("jawOpen")
    model, clips = fitting.Articulation(), toy_clips(fitting, load_visemes(), 2)
    with torch.no_grad():
        model.target += 0.8
    for table in (fitting.table_of(model, clips), load_visemes()):
        assert table.target[rows, jaw].max() <= fitting.TEETH_NEAR
    assert fitting.table_of(model, clips).target[ENGLISH.index("ey"), jaw] > 0.8


def test_an_r_without_a_vowel_after_it_is_the_vowel_before_it(fitting: ModuleType) -> None:
    videos_module = importlib.import_module("tools.articulation.videos")
    spoken = videos_module.without_final_r([(0, 1, "aa"), (1, 2, "r"), (2, 3, "t"), (3, 4, "r"), (4, 5, "iy")])
    assert [label for _, _, label in spoken] == ["aa", "aa", "t", "r", "iy"]
