"""The report: tables between the markers of a Markdown file, and plots beside it.

A section lies between `<!-- experiments NAME -->` and `<!-- /experiments NAME -->`; text outside the markers is kept. A
section that the file lacks is appended.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from memorytalker.config import ConfigError, ModelConfig, from_dict
from memorytalker.evaluation.bootstrap import Interval
from memorytalker.evaluation.measures import MEASURES
from memorytalker.evaluation.table import unit
from memorytalker.experiments import plots, tables
from memorytalker.experiments.findings import MAIN, NEUTRAL
from memorytalker.experiments.material import Material
from memorytalker.experiments.results import read_result
from memorytalker.experiments.slot_maps import feature_map, retrieved_features, slot_faces
from memorytalker.experiments.tables import Result
from memorytalker.experiments.variants import BASELINES, GROUPS
from memorytalker.face.head import load_head
from memorytalker.face.motion_space import space_of
from memorytalker.files import write_whole
from memorytalker.models.talker import MemoryTalker
from memorytalker.training.folder import RunFolder
from memorytalker.training.space import in_space
from memorytalker.weights import load_weights

#: The metric of the plots.
DRAWN = "lve_max"


def write_report(
    runs: Path, to: Path, folder: Path, material: Material | None = None, weights: str | None = None
) -> list[Path]:
    """Write the tables and plots of all results.

    Args:
        runs: the folder that the experiments were written to.
        to: the Markdown file.
        folder: where the plots are written.
        material: the clips of the runs, to plot the memory's features too; None for no such plot.
        weights: weights whose slots are drawn as faces; needs `material`.

    Returns:
        The written files.

    Raises:
        ConfigError: if there is nothing to report.
    """
    results = read_results(runs)
    sections, written = _tables(results), _plots(results, folder)
    if material is not None:
        maps, plot = _maps(runs, results, material, folder)
        sections["features"] = maps
        written += plot
        if weights is not None:
            written.append(_slots(weights, material, folder))
    for path in written:
        # A plot has a section of its own, because a table may have the same name.
        sections[f"plot of {path.stem}"] = f"![{path.stem}]({Path(os.path.relpath(path, to.parent)).as_posix()})"
    try:
        text = to.read_text(encoding="utf-8") if to.is_file() else "# Experiments\n"
    except (OSError, ValueError):
        raise ConfigError(f"{to} is no text that can be read; name another file.") from None
    text = with_sections(text, sections)
    write_whole(to, lambda part: part.write_text(text, encoding="utf-8"))
    return [to, *written]


def read_results(runs: Path) -> dict[str, Result]:
    """Read the results of all variants: name -> result, in the order of the tables.

    Raises ConfigError if there are none, or for one that is damaged.
    """
    runs_of: dict[str, list[dict]] = {}
    for path in sorted((runs / "results").glob("seed*/*.json")):
        run = read_result(path)
        runs_of.setdefault(run["name"], []).append(run)
    if not runs_of:
        raise ConfigError(f"{runs} holds no results; make some with: python -m memorytalker experiments run FOLDER")
    groups = list(GROUPS)
    order = sorted(runs_of.values(), key=lambda own: (groups.index(own[0]["group"]), own[0].get("order", 0)))
    return {own[0]["name"]: tables.result_of(own) for own in order}


def with_sections(text: str, sections: Mapping[str, str]) -> str:
    """Return the text with each section replaced between its markers, or appended."""
    for name, content in sections.items():
        first, last = f"<!-- experiments {name} -->", f"<!-- /experiments {name} -->"
        block = f"{first}\n{content.strip()}\n{last}"
        before, opening, rest = text.partition(first)
        if not opening:
            text = f"{text.rstrip()}\n\n{block}\n"
            continue
        _, closing, after = rest.partition(last)
        if not closing:
            raise ConfigError(f"The marker {first} has no {last} after it; add it or remove both.")
        text = before + block + after
    return text


def _tables(results: Mapping[str, Result]) -> dict[str, str]:
    every = list(results.values())
    baselines = [results[name] for name in BASELINES if name in results]
    first = every[0].main
    sections = {
        "conditions": (
            f"Evaluated on {len(first.clips)} clips of {len(first.speakers)} speakers whom no variant was trained on "
            f"({first.layout}, {first.split} split, {sum(c.frames for c in first.clips)} frames at {first.fps} fps, "
            f"{first.vertex_count} vertices; regions: {first.region_source}). {seeds_sentence(every)} "
            "Brackets: 95 % bootstrap intervals.\n\n"
            f"The plan: {every[0].first.get('about') or 'no description'}"
        ),
        "order": tables.order_sentence(every),
        "budget": tables.budget_table(every),
        "styles": tables.styles_table(every),
        "labels": tables.labels_table(every),
    }
    for group, title in GROUPS.items():
        own = [result for result in every if result.first["group"] == group]
        if own:
            pairs = tables.paired_table(own, baselines)
            note = f"{tables.held_fixed(own)}\n\n" if group == "speakers" else ""
            figures = tables.figures_table(own)
            sections[group] = f"**{title}**\n\n{note}{figures}\n\nOn the same clips:\n\n{pairs}"
    return {name: content for name, content in sections.items() if content}


def seeds_sentence(every: Sequence[Result]) -> str:
    """One sentence: which seeds every variant was trained with, and which had more."""
    seeds = {result.name: [run["seed"] for run in result.runs] for result in every}
    fewest = min(seeds.values(), key=len)
    text = f"Seeds: {', '.join(map(str, fewest))}"
    for more in sorted({tuple(own) for own in seeds.values()} - {tuple(fewest)}):
        names = ", ".join(f"`{name}`" for name, own in seeds.items() if tuple(own) == more)
        text += f"; the mean of {', '.join(map(str, more))} for {names}"
    return f"{text}."


def _plots(results: Mapping[str, Result], folder: Path) -> list[Path]:
    """The plots of errors and lip openings."""
    measure = next(m for m in MEASURES if m.name == DRAWN)
    label = f"{measure.title}, {unit(measure)}"
    written = []
    moving = [result for result in results.values() if result.first["stages"]]  # a still face would stretch the axis
    groups = list(GROUPS)
    rows = [(r.name, _scaled(r.main.pooled[DRAWN], measure.scale), groups.index(r.first["group"])) for r in moving
            if DRAWN in r.main.pooled and r.first["group"] != "speakers"]  # fmt: skip
    if rows:
        written.append(plots.save(plots.interval_bars(rows, label), folder / "variants.png"))
    grown = [r for r in results.values() if r.first["group"] == "speakers"
             and all(DRAWN in r.evaluations[key].pooled for key in (MAIN, NEUTRAL) if key in r.evaluations)
             and NEUTRAL in r.evaluations]  # fmt: skip
    if grown:
        grown.sort(key=lambda r: r.first["speakers"])
        curves = {
            title: [(r.first["speakers"], _scaled(r.evaluations[key].pooled[DRAWN], measure.scale)) for r in grown]
            for title, key in (("stage 1", NEUTRAL), ("stages 1 and 2", MAIN))
        }
        written.append(plots.save(plots.growth(curves, label), folder / "speakers.png"))
    panels = []
    for name in ("no-memory", *BASELINES):
        openings = results[name].first["openings"].get(MAIN) if name in results else None
        if openings:
            panels.append((name, openings["true"], openings["predicted"], openings["correlation"]))
    if panels:
        written.append(plots.save(plots.opening_plot(panels), folder / "openness.png"))
    return written


def _scaled(interval: Interval, scale: float) -> Interval:
    return Interval(interval.value / scale, interval.low / scale, interval.high / scale, interval.clips)


def _maps(runs: Path, results: Mapping[str, Result], material: Material, folder: Path) -> tuple[str, list[Path]]:
    """Plot and table of the retrieved features of the evaluation clips by speaker, for both stages."""
    if BASELINES[1] not in results or not results[BASELINES[1]].first["stages"]:
        raise ConfigError(f"{runs} has no result of {BASELINES[1]}, whose memory is plotted; run it first.")
    model = trained_model(runs, results[BASELINES[1]], material)
    speakers = [clip.speaker for clip in material.evaluated]
    maps = {
        "stage 1": feature_map(retrieved_features(model, material.evaluated, False), speakers),
        "stages 1 and 2": feature_map(retrieved_features(model, material.evaluated, True), speakers),
    }
    panels = [(f"PCA, {name}", one.pca) for name, one in maps.items()]
    panels += [(f"t-SNE, {name}", one.tsne) for name, one in maps.items()]
    path = plots.save(plots.speaker_maps(panels, speakers), folder / "features-by-speaker.png", dots=90)
    head = ["retrieved features of", "nearest clip is of the same speaker", "by chance", "silhouette by speaker"]
    rows = [[name, f"{one.neighbour:.1%}", f"{one.chance:.1%}", f"{one.silhouette:+.3f}"] for name, one in maps.items()]
    return tables.table(head, rows), [path]


def trained_model(runs: Path, result: Result, material: Material) -> MemoryTalker:
    """Load the trained model of a result's first seed."""
    last, config = result.first["stages"][-1], from_dict(ModelConfig, result.first["configs"]["model"])
    model = MemoryTalker(in_space(config, material.space))
    RunFolder(runs / "stages" / f"{last['stage']}-{last['key']}").fill(model)
    return model.eval()


def _slots(weights: str, material: Material, folder: Path) -> Path:
    """Draw each slot of the weights as a face of the open head."""
    model, head = load_weights(weights), load_head()
    space = space_of(model.config.basis, model.config.coordinates, head)
    if space.vertex_count != head.vertex_count:
        raise ConfigError(f"{weights} does not move the open head, on which slots are drawn; name other weights.")
    with torch.no_grad():
        faces = slot_faces(model, space, head)
    return plots.save(plots.face_grid(faces, model.config.slots), folder / "slots.png", colors=64)
