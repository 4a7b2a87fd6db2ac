"""Stage 1 from several seeds: each trained once in a folder of its own, and film chooses one of them."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from toy_models import FAMILIES, random_model
from toy_training import CONFIG, MOUTH, clips

from memorytalker.config import ConfigError
from memorytalker.training import seeds
from memorytalker.training.context import WeightsContext
from memorytalker.training.data import TrainingError, collate
from memorytalker.training.folder import RunFolder
from memorytalker.training.folds import fold_recipe
from memorytalker.training.memorize import batch_logits
from memorytalker.training.open_recipe import Recipe, SeedSettings, read_recipe
from memorytalker.training.seeds import film_loss, memorize_seed, memorize_seeds, seed_folder


@pytest.fixture
def context(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> WeightsContext:
    """A work folder with a toy corpus: twelve clips, three of them for validation, two of them film set aside."""
    split = {"train": clips(), "validation": clips()[:3], "test": clips()[4:6]}
    monkeypatch.setattr(seeds, "load_training_clips", lambda folder, which, *about: list(split[which]))
    monkeypatch.setattr(seeds, "mouth_in_space", lambda *about: MOUTH)
    monkeypatch.setattr(
        seeds, "fresh_model", lambda head, context: (random_model(FAMILIES["open"], context.recipe.seed), None)
    )
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "clips.jsonl").write_text("")
    shipped = read_recipe()
    recipe = dataclasses.replace(
        shipped,
        model=FAMILIES["open"],
        memorize=dataclasses.replace(CONFIG, epochs=1),
        seeds=SeedSettings((1, 2), ("grid_s4",)),
    )
    return WeightsContext(tmp_path, tmp_path, recipe, workers=1)


def best(folder: Path) -> dict[str, torch.Tensor]:
    return RunFolder(folder).best()


def test_the_seed_with_the_lowest_loss_on_film_is_chosen(context: WeightsContext, monkeypatch) -> None:
    losses = {0: 0.5, 1: 0.2, 2: 0.3}
    monkeypatch.setattr(seeds, "film_loss", lambda context, seed, film: losses[seed] + 0 * len(film))
    chosen = memorize_seeds(context)
    assert chosen.seed == 1 and chosen.provenance["seed"] == 1
    assert chosen.notes == {"seeds": {"chosen": 1, "film_loss": {"0": 0.5, "1": 0.2, "2": 0.3}}}
    folders = [context.work / name for name in ("memorize", "memorize-seed-1", "memorize-seed-2")]
    assert [seed_folder(context, seed) for seed in (0, 1, 2)] == folders
    assert [RunFolder(folder).about()["training"]["seed"] for folder in folders] == [0, 1, 2]
    own = best(folders[1])
    assert all(torch.equal(value, own[name]) for name, value in chosen.model.state_dict().items())
    assert any(not torch.equal(value, own[name]) for name, value in best(folders[0]).items())


def test_film_is_told_apart_by_the_model_that_made_it(context: WeightsContext) -> None:
    """Planted: the motion of the film is what seed 2 predicts for its sound."""
    for seed in (0, 2):
        memorize_seed(context, seed)
    model = random_model(FAMILIES["open"], 2)
    RunFolder(seed_folder(context, 2)).fill(model)
    model.eval()
    with torch.no_grad():
        film = []
        for clip in clips()[4:6]:
            batch = collate([clip])
            motion = model(batch_logits(model, batch), batch.mask).offsets[0, : clip.frames]
            film.append(dataclasses.replace(clip, motion=motion))
    assert film_loss(context, 2, film) < film_loss(context, 0, film)


def test_seeds_share_the_cores(context: WeightsContext, monkeypatch) -> None:
    begun = []

    def pool(workers: int, how: object, begin: object, threads: tuple[int]) -> ThreadPoolExecutor:
        begun.append((workers, threads))
        return ThreadPoolExecutor(1)

    monkeypatch.setattr(seeds, "ProcessPoolExecutor", pool)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    monkeypatch.setattr(seeds, "film_loss", lambda context, seed, film: seed)
    assert memorize_seeds(dataclasses.replace(context, workers=2)).seed == 0
    assert begun == [(2, (2,))]


def test_one_seed_needs_no_film(context: WeightsContext, monkeypatch) -> None:
    monkeypatch.setattr(seeds, "film_clips", lambda context: pytest.fail("there is nothing to choose"))
    alone = dataclasses.replace(context, recipe=dataclasses.replace(context.recipe, seeds=SeedSettings()))
    chosen = memorize_seeds(alone)
    assert chosen.seed == 0 and chosen.notes == {}
    assert [path.name for path in context.work.iterdir() if path.name != "corpus"] == ["memorize"]


def test_film_that_is_missing_is_told_before_anything_is_trained(context: WeightsContext, monkeypatch) -> None:
    monkeypatch.setattr(seeds, "load_training_clips", lambda *about: [])
    with pytest.raises(TrainingError, match="No clip of grid_s4 is left to choose a seed by; hold one out"):
        memorize_seeds(context)
    assert not (context.work / "memorize").exists()


def test_seeds_need_film_and_are_different() -> None:
    with pytest.raises(ConfigError, match="name landmark sources in seeds.film"):
        SeedSettings((1,))
    with pytest.raises(ConfigError, match="each only once"):
        SeedSettings((1, 1), ("grid_s4",))


def test_the_shipped_seeds_are_chosen_by_film_that_judges_nothing() -> None:
    recipe: Recipe = read_recipe()
    held = {source.folder: source.held_out or source.held_out_last for source in recipe.corpus.sources}
    assert all(held[folder] for folder in recipe.seeds.film), "a clip of each is not trained on"
    assert "grid_s1" not in recipe.seeds.film and "facegood" not in recipe.seeds.film, "they judge the weights"
    assert fold_recipe(recipe, "grid_s4").seeds == SeedSettings(), "a fold has one seed"
