"""Folds: what of a corpus is shared, what a person's absence changes, and how an interrupted run goes on."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from memorytalker.cli import main
from memorytalker.config import to_dict
from memorytalker.corpus import build
from memorytalker.corpus.build import BuildContext
from memorytalker.corpus.corpus_config import CaptureSource
from memorytalker.face.head import load_head
from memorytalker.folds import read_fold
from memorytalker.sound.decode import Waveform, write_wav
from memorytalker.training import folds
from memorytalker.training.context import WeightsContext
from memorytalker.training.data import TrainingError
from memorytalker.training.folds import fold_recipe, make_folds, share_corpus
from memorytalker.training.open_recipe import FoldSettings, Recipe, read_recipe
from memorytalker.weights import load_weights, save_weights

PEOPLE = ("ann", "ben")


@pytest.fixture
def recipe() -> Recipe:
    shipped = read_recipe()
    sources = (
        CaptureSource("ann", "landmarks"),
        CaptureSource("ben", "landmarks", held_out_last=1),
        CaptureSource("takes", "curves"),
        CaptureSource("out", "landmarks", train=False),
    )
    corpus = dataclasses.replace(
        shipped.corpus, sources=sources, silent_clips=2, augmented_voices=1, held_vowel_clips=3
    )
    return dataclasses.replace(shipped, corpus=corpus, folds=FoldSettings(PEOPLE, epochs=2))


def test_a_folds_recipe_differs_in_who_is_left_out_and_how_long_it_trains(recipe: Recipe) -> None:
    fold = fold_recipe(recipe, "ben")
    trained = {source.folder: source.train for source in fold.corpus.sources}
    assert trained == {"ann": True, "ben": False, "takes": True, "out": False}
    assert fold.memorize == dataclasses.replace(recipe.memorize, epochs=2)
    back = dataclasses.replace(fold.corpus, sources=recipe.corpus.sources)
    assert (
        dataclasses.replace(fold, corpus=back, memorize=recipe.memorize, folds=recipe.folds, seeds=recipe.seeds)
        == recipe
    )
    both = fold_recipe(recipe, "ann+ben")
    assert {source.folder for source in both.corpus.sources if not source.train} == {"ann", "ben", "out"}
    whole = dataclasses.replace(recipe, folds=FoldSettings(PEOPLE))
    assert fold_recipe(whole, "ann").memorize == recipe.memorize
    for nobody in ("out", "takes", "carl", "ann+carl"):
        with pytest.raises(
            TrainingError, match=f"landmarks of {nobody.split('+')[-1]}, so that nothing .*; choose from ann, ben"
        ):
            fold_recipe(recipe, nobody)


@pytest.fixture
def source(tmp_path: Path, monkeypatch) -> Path:
    """A source folder with two read sentences, and one solved clip of each person; aligner and solver are replaced."""
    root, times = tmp_path / "root", np.arange(16000) / 16000
    rows = [{"file": f"{n}.wav", "speaker": f"s{n}", "split": "train", "source": "read", "text": "ma"} for n in (0, 1)]
    for person in PEOPLE:
        (root / "capture" / person).mkdir(parents=True)
    (root / "speech").mkdir()
    names = [f"speech/{row['file']}" for row in rows] + [f"capture/{person}/{person}.wav" for person in PEOPLE]
    for number, name in enumerate(names):
        write_wav(root / name, Waveform((0.3 * np.sin(2 * np.pi * (120 + 40 * number) * times)).astype(np.float32)))
    (root / "speech" / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (root / "noise" / "noise").mkdir(parents=True)
    for name in "ab":
        write_wav(root / "noise" / "noise" / f"{name}.wav", Waveform((0.1 * np.sin(5e3 * times)).astype(np.float32)))
    spoken = [[0.0, 0.2, "sil"], [0.2, 0.4, "m"], [0.4, 0.8, "aa"], [0.8, 1.0, "sil"]]
    monkeypatch.setattr(build, "_align_one", lambda job: {"sound": job[1], "phones": spoken})

    def write_captured(capture: Path, out: Path, sources, head) -> None:
        out.mkdir(parents=True)
        lines = []
        for person in (one for one in sources if one.folder in PEOPLE):
            weights = np.random.default_rng(len(lines)).uniform(0, 0.5, (30, 52)).astype(np.float16)
            np.savez(out / f"{person.folder}.npz", weights=weights, names=np.array(head.blendshape_names), fps=30.0)
            split = "test" if person.holds_out(person.folder, 0, 2) else "train"
            name = person.folder
            lines.append({"name": name, "speaker": name, "sound": f"{name}/{name}.wav", "text": "ma", "source": name,
                          "split": split})  # fmt: skip
        (out / "clips.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    monkeypatch.setattr(build, "write_captured", write_captured)
    return root


def contents(corpus: Path) -> dict[str, object]:
    """What a corpus holds: its lists, and the arrays of every clip."""
    arrays = {}
    for path in sorted((corpus / "clips").glob("*.npz")):
        with np.load(path) as clip:
            arrays[path.name] = {name: clip[name].tolist() for name in clip}
    return {"clips": (corpus / "clips.jsonl").read_text(), "people": (corpus / "speakers.json").read_text(), **arrays}


def test_a_fold_of_shared_files_is_the_corpus_that_would_be_made_from_nothing(
    source: Path, recipe: Recipe, tmp_path: Path, monkeypatch
) -> None:
    whole, shared, fresh = (tmp_path / name for name in ("whole", "shared", "fresh"))
    head, fold = load_head(), fold_recipe(recipe, "ann").corpus
    build.build_corpus(BuildContext(source, whole, recipe.corpus, workers=1), head)
    (whole / "features").mkdir()
    (whole / "features" / "ben.npz").write_bytes(b"states")
    before = contents(whole)
    build.build_corpus(BuildContext(source, fresh, fold, workers=1), head)

    share_corpus(whole, shared, "ann")
    for name in ("_align_one", "write_captured"):
        monkeypatch.setattr(build, name, lambda *about: pytest.fail("what is shared is not made again"))
    build.build_corpus(BuildContext(source, shared, fold, workers=1), head)
    assert contents(shared) == contents(fresh) and contents(whole) == before
    rows = [json.loads(line) for line in (shared / "clips.jsonl").read_text().splitlines()]
    assert {row["split"] for row in rows if row["source"] == "ann"} == {"test"}
    assert sum(row["source"] == "ann" for row in rows) == 1, "nothing is made of the voice that is left out"
    assert sum(row["source"] == "ben" for row in rows) == 4, "the other person's clip, its voice and both in noise"
    assert (shared / "features" / "ben.npz").read_bytes() == b"states"

    (shared / "phones.jsonl").write_text("mine")
    share_corpus(whole, shared, "ann")
    assert (shared / "phones.jsonl").read_text() == "mine" and "mine" not in (whole / "phones.jsonl").read_text()


def test_what_is_finished_is_not_trained_again(
    source: Path, recipe: Recipe, tmp_path: Path, tiny_weights: Path, monkeypatch
) -> None:
    taken: list[str] = []

    def make_corpus(context: WeightsContext) -> None:
        taken.append("corpus")
        context.corpus.mkdir(parents=True, exist_ok=True)
        (context.corpus / "phones.jsonl").write_text("")

    def make_weights(context: WeightsContext, out: Path) -> None:
        if taken[-1] == "stop":
            raise KeyboardInterrupt
        held = [one.folder for one in context.recipe.corpus.sources if not one.train and one.folder != "out"]
        taken.append(f"{held} {context.recipe.memorize.epochs}")
        assert (context.corpus / "phones.jsonl").is_file() and context.root == source
        assert context.progress is not None
        context.progress(1, 2, "memorize")
        save_weights(load_weights(tiny_weights), out)

    monkeypatch.setattr(folds, "make_corpus", make_corpus)
    monkeypatch.setattr(folds, "make_weights", make_weights)
    told: list[str] = []
    context = WeightsContext(source, tmp_path / "work", recipe, progress=lambda done, total, stage: told.append(stage))
    out = tmp_path / "out"
    assert make_folds(context, out, tiny_weights) == [out / "ann", out / "ben"]
    assert taken == ["corpus", "['ann'] 2", "['ben'] 2"] and told == ["ann: memorize", "ben: memorize"]
    assert [read_fold(out / person).left_out for person in PEOPLE] == list(PEOPLE)
    assert read_fold(out / "ann").extra == {"seed": 0, "epochs": 2}
    taken.clear()
    (out / "ben" / "config.json").unlink()
    make_folds(context, out, tiny_weights)
    assert taken == ["corpus"] and read_fold(out / "ben").left_out == "ben", "it is written again, not trained"
    (tmp_path / "work" / "left_out" / "ben" / "weights" / "config.json").unlink()
    make_folds(context, out, tiny_weights)
    assert taken == ["corpus", "corpus", "['ben'] 2"]
    more = dataclasses.replace(recipe, folds=dataclasses.replace(recipe.folds, epochs=3))
    with pytest.raises(TrainingError, match=r"ann was made with another recipe \(memorize\); choose another work"):
        make_folds(dataclasses.replace(context, recipe=more), out, tiny_weights)
    make_folds(dataclasses.replace(context, recipe=dataclasses.replace(recipe, folds=FoldSettings(("ben",), 2))), out,
               tiny_weights)  # fmt: skip


def test_folds_are_made_by_a_command_and_refused_in_a_sentence(
    source: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    given = []

    def made(context: WeightsContext, out: Path, shared: str | None) -> list[Path]:
        given.append((context, out, shared))
        return [out / "ann"]

    line = ["train", "folds", str(source), "--work", str(tmp_path / "work"), "--out", str(tmp_path / "out")]
    with monkeypatch.context() as patch:
        patch.setattr(folds, "make_folds", made)
        assert main([*line, "--weights", "mine", "--workers", "1"]) == 0
    context, out, shared = given[0]
    assert (context.root, context.work, context.workers) == (source, tmp_path / "work", 1)
    assert (out, shared) == (tmp_path / "out", "mine") and "never saw ann" in capsys.readouterr().out
    for content, said in (
        ({"folds": {"people": []}}, "names nobody to leave out"),
        ({"folds": {"people": ["grid_s9"]}}, "does not train on landmarks of grid_s9"),
        ({"folds": {"people": ["a", "a"]}}, "each only once"),
        ({"folds": {"epochs": -1}}, "FoldSettings.epochs is -1"),
        ({"folds": {"people": ["grid_s1"]}}, "has no folder grid_s1; leave it out of folds.people"),
    ):
        (tmp_path / "own.json").write_text(json.dumps(content))
        assert main([*line, "--recipe", str(tmp_path / "own.json")]) == 2
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1
    assert not (tmp_path / "work").exists() and to_dict(FoldSettings()) == {"people": [], "epochs": None}
