"""Folds: the open weights trained once more for each person of the recipe, or for a few together, who are left out.

A fold is `make_weights` with another recipe and a work folder of its own below that of the weights. Whatever does not
depend on who is left out is shared with the corpus of the weights: phone times, measures of voices, solved landmarks,
changed voices and features. The curve regressor, the synthesised motion and both stages are made anew.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from memorytalker.config import read_values, to_dict, write
from memorytalker.corpus.store import stored_lines
from memorytalker.files import write_whole
from memorytalker.folds import FOLDS_NAME, TOGETHER, save_fold
from memorytalker.progress import Progress
from memorytalker.training.context import WeightsContext
from memorytalker.training.data import TrainingError
from memorytalker.training.open_recipe import FoldSettings, Recipe, SeedSettings
from memorytalker.training.recipe import RECIPE_FILE, make_corpus, make_weights
from memorytalker.weights import CONFIG_FILE

#: Files of a corpus that grow by sound, and are the same whoever is left out.
BY_SOUND = ("phones.jsonl", "acoustics.jsonl")
#: Folders of a corpus whose files depend on their name alone.
BY_NAME = ("voices", "features")


def make_folds(context: WeightsContext, out: Path, shared: str | Path | None = None) -> list[Path]:
    """Train a fold for each entry of the recipe's `folds.people` and write it; finished ones are not trained again.

    Args:
        context: as for the weights themselves; their corpus is made first if it is missing.
        out: folder with one folder for each fold.
        shared: weights whose speech encoder the folds share; None: the shipped open weights.

    Returns:
        The folders of the folds.

    Raises:
        TrainingError: the recipe names no people, or somebody whom it does not train on, or the work folder of a fold
            was made with another recipe; otherwise as `make_weights`.
        WeightsError: the shared weights have another speech encoder.
    """
    people = context.recipe.folds.people
    if not people:
        raise TrainingError('The recipe names nobody to leave out; add "folds": {"people": ["grid_s4"]} to a recipe.')
    recipes = {person: fold_recipe(context.recipe, person) for person in people}
    for person in (one for entry in people for one in entry.split(TOGETHER)):
        if not (context.root / "capture" / person).is_dir():
            raise TrainingError(f"{context.root / 'capture'} has no folder {person}; leave it out of folds.people.")
    make_corpus(context)
    written = []
    for person, recipe in recipes.items():
        work = context.work / FOLDS_NAME / person
        fold = replace(context, work=work, recipe=recipe, progress=_named(context.progress, person))
        _claim(work, recipe)
        trained = work / "weights"
        if not (trained / CONFIG_FILE).is_file():
            share_corpus(context.corpus, fold.corpus, person)
            make_weights(fold, trained)
        notes = {"seed": recipe.seed, "epochs": recipe.memorize.epochs}
        save_fold(trained, person, out / person, shared, notes)
        written.append(out / person)
    return written


def fold_recipe(recipe: Recipe, person: str) -> Recipe:
    """Return the recipe of the fold that leaves out a landmark source, or several.

    Args:
        recipe: of the weights.
        person: folder of the source; several are joined by "+".

    Returns:
        The recipe with those sources held out, with the epochs of `recipe.folds` and with one seed.

    Raises:
        TrainingError: the recipe trains on no such landmarks.
    """
    sources = recipe.corpus.sources
    trained = [source.folder for source in sources if source.kind == "landmarks" and source.train]
    people = person.split(TOGETHER)
    if unknown := [one for one in people if one not in trained]:
        raise TrainingError(
            f"The recipe does not train on landmarks of {unknown[0]}, so that nothing is left out; choose from "
            f"{', '.join(trained) or 'none'}."
        )
    held = tuple(replace(source, train=False) if source.folder in people else source for source in sources)
    epochs = recipe.memorize.epochs if recipe.folds.epochs is None else recipe.folds.epochs
    corpus, memorize = replace(recipe.corpus, sources=held), replace(recipe.memorize, epochs=epochs)
    return replace(recipe, corpus=corpus, memorize=memorize, folds=FoldSettings(), seeds=SeedSettings())


def share_corpus(corpus: Path, fold: Path, person: str) -> None:
    """Give the corpus of a fold whatever does not depend on who is left out; files that are there stay.

    Large files are linked, not copied, where the disk allows it; nothing writes into them afterwards.

    Args:
        corpus: the finished corpus of the weights.
        fold: the corpus of the fold.
        person: the source that it leaves out; several are joined by "+".
    """
    fold.mkdir(parents=True, exist_ok=True)
    for name in BY_SOUND:
        if (corpus / name).is_file() and not (fold / name).is_file():
            write_whole(fold / name, partial(shutil.copyfile, corpus / name))
    for name in BY_NAME:
        _link_all(corpus / name, fold / name)
    solved, people = corpus / "captured", person.split(TOGETHER)
    if (solved / "clips.jsonl").is_file():
        _link_all(solved, fold / "captured", lambda path: path.name != "clips.jsonl")
        if not (fold / "captured" / "clips.jsonl").is_file():  # last: it says that the folder is whole
            rows = [
                {**row, "split": "test" if row["source"] in people else row["split"]}
                for row in stored_lines(solved / "clips.jsonl", {"source": str, "split": str})
            ]
            text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            write_whole(fold / "captured" / "clips.jsonl", lambda part: part.write_text(text, encoding="utf-8"))


def _link_all(folder: Path, target: Path, keep: Callable[[Path], bool] = lambda path: True) -> None:
    """Link every file of a folder, or copy it where that is not possible, unless the target has it."""
    if not folder.is_dir():
        return
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(folder.iterdir()):
        if path.is_file() and keep(path) and not (target / path.name).exists():
            try:
                os.link(path, target / path.name)
            except OSError:  # another disk, or one without links
                write_whole(target / path.name, partial(shutil.copyfile, path))


def _claim(work: Path, recipe: Recipe) -> None:
    """Keep the recipe of a fold beside its work. Raises TrainingError if the work was made with another."""
    path, values = work / RECIPE_FILE, to_dict(recipe)
    if not path.is_file():
        write_whole(path, partial(write, recipe))
        return
    made = read_values(path)
    if changed := sorted(key for key in {*made, *values} - {"about"} if made.get(key) != values.get(key)):
        raise TrainingError(
            f"{work} was made with another recipe ({', '.join(changed)}); choose another work folder, or delete it."
        )


def _named(progress: Progress | None, person: str) -> Progress | None:
    """Progress whose stages begin with the person's name."""
    if progress is None:
        return None
    return lambda done, total, stage: progress(done, total, f"{person}: {stage}")
