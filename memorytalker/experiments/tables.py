"""Results as Markdown tables. Numbers are in the units of `evaluation.measures`, with intervals in brackets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from memorytalker.config import ConfigError
from memorytalker.evaluation.bootstrap import mean_interval
from memorytalker.evaluation.evaluate import ClipFigures, Evaluation, compare
from memorytalker.evaluation.measures import FRAMES, MEASURES, Measure
from memorytalker.evaluation.table import cell, unit
from memorytalker.experiments.findings import MAIN, MEAN_LABEL, NEUTRAL, ORACLE, OTHER
from memorytalker.experiments.measurement import from_json
from memorytalker.experiments.variants import BASELINES

#: The metrics of the main tables, and those of the pairwise comparisons.
SHOWN = ("fve", "lve_max", "lve_mean", "lip_max", "ldtw", "fdd_absolute", "mtm")
PAIRED = ("fve", "lve_max")


@dataclass(frozen=True)
class Result:
    """One variant over all its seeds: `runs` are the result files, `evaluations` their means clip by clip."""

    name: str
    runs: tuple[dict[str, Any], ...]
    evaluations: dict[str, Evaluation]

    @property
    def main(self) -> Evaluation:
        """The evaluation in the intended style."""
        return self.evaluations[MAIN]

    @property
    def first(self) -> dict[str, Any]:
        """The result file of the first seed, for what all seeds share."""
        return self.runs[0]


def result_of(runs: Sequence[dict[str, Any]]) -> Result:
    """Combine the results of one variant, one per seed. Raises ConfigError if their clips differ."""
    labels = [label for label in runs[0]["evaluations"] if all(label in run["evaluations"] for run in runs)]
    evaluations = {label: mean_over_seeds([from_json(run["evaluations"][label]) for run in runs]) for label in labels}
    return Result(runs[0]["name"], tuple(runs), evaluations)


def mean_over_seeds(evaluations: Sequence[Evaluation]) -> Evaluation:
    """Average each clip's values over seeds and pool again. Raises ConfigError if the clips differ."""
    first = evaluations[0]
    if any([c.name for c in other.clips] != [c.name for c in first.clips] for other in evaluations):
        raise ConfigError("Results of different seeds are of different clips; run the experiments again.")
    clips = []
    for rows in zip(*(evaluation.clips for evaluation in evaluations), strict=True):
        values = {name: _mean([row.values[name] for row in rows]) for name in rows[0].values}
        clips.append(ClipFigures(rows[0].name, rows[0].speaker, rows[0].frames, values))
    pooled = {}
    for measure in MEASURES:
        if measure.name in first.pooled:
            weights = np.array([clip.frames if measure.pooled == FRAMES else 1.0 for clip in clips])
            pooled[measure.name] = mean_interval(np.array([clip.values[measure.name] for clip in clips]), weights)
    return replace(first, clips=tuple(clips), pooled=pooled)


def _mean(values: list[float]) -> float:
    there = [value for value in values if np.isfinite(value)]
    return float(np.mean(there)) if there else float("nan")


def figures_table(results: Sequence[Result]) -> str:
    """Table of every metric of every variant, with intervals over clips."""
    measures = [m for m in MEASURES if m.name in SHOWN and any(m.name in r.main.pooled for r in results)]
    head = ["variant", *(f"{m.title}, {unit(m)}" for m in measures)]
    rows = [[f"`{r.name}`", *(cell(r.main.pooled.get(m.name), m) for m in measures)] for r in results]
    return table(head, rows)


def paired_table(results: Sequence[Result], baselines: Sequence[Result]) -> str:
    """Table of each variant minus each baseline on the same clips, with intervals over clips and over speakers."""
    measures = [measure for measure in MEASURES if measure.name in PAIRED]
    head = ["variant", "measure", "unit"]
    for baseline in baselines:
        head += [f"minus `{baseline.name}`, over clips", "over speakers"]
    rows = []
    for result in results:
        for measure in measures:
            row = [f"`{result.name}`", measure.title, unit(measure)]
            for baseline in baselines:
                for resample in ("clips", "speakers"):
                    same = result.name == baseline.name
                    row.append("–" if same else _difference(result, baseline, measure, resample))
            rows.append(row)
    return table(head, rows)


def _difference(result: Result, baseline: Result, measure: Measure, resample: str) -> str:
    both = [replace(one.main, resample=resample) for one in (result, baseline)]
    return cell(compare(*both).get(measure.name), measure, signed=True)


def styles_table(results: Sequence[Result], measure_name: str = "lve_max") -> str:
    """Table of errors by style: the clip's own, another speaker's, neutral and fitted; and of mean lip openings."""
    measure = next(m for m in MEASURES if m.name == measure_name)
    columns = {MAIN: "own", OTHER: "another speaker's", NEUTRAL: "none", ORACLE: "fitted to ground truth"}
    head = ["variant", *columns.values(), "own minus another speaker's", "r of mean lip opening, own", "r, none"]
    rows = []
    for result in results:
        if OTHER not in result.evaluations:
            continue
        cells = [
            cell(result.evaluations[name].pooled.get(measure.name) if name in result.evaluations else None, measure)
            for name in columns
        ]
        pair = compare(replace(result.main, resample="speakers"), result.evaluations[OTHER]).get(measure.name)
        correlations = [_mean_correlation(result, name) for name in (MAIN, NEUTRAL)]
        rows.append([f"`{result.name}`", *cells, cell(pair, measure, signed=True), *correlations])
    return f"{measure.title} in {unit(measure)}.\n\n{table(head, rows)}"


def _mean_correlation(result: Result, label: str) -> str:
    values = [run["openings"].get(label, {}).get("correlation") for run in result.runs]
    present = [value for value in values if value is not None]
    return f"{np.mean(present):.2f}" if present else "–"


def labels_table(results: Sequence[Result]) -> str:
    """Table of the errors on unseen speakers over all labels, for variants with style by label."""
    chosen = [m for m in MEASURES if m.name in ("fve", "lve_mean")]
    head = ["variant", "labels tried", *(f"{m.title}, {unit(m)}: mean ± std (least to most)" for m in chosen),
            "mean of all labels: LVE, maximum form"]  # fmt: skip
    rows = []
    for result in results:
        spread = result.first.get("labels")
        if not spread:
            continue
        cells = [
            f"{spread[m.name]['mean'] / m.scale:.3f} ± {spread[m.name]['std'] / m.scale:.3f} "
            f"({spread[m.name]['min'] / m.scale:.3f} to {spread[m.name]['max'] / m.scale:.3f})"
            for m in chosen
        ]
        measure = next(m for m in MEASURES if m.name == "lve_max")
        mean = result.evaluations[MEAN_LABEL].pooled.get("lve_max")
        rows.append([f"`{result.name}`", str(spread["tried"]), *cells, cell(mean, measure)])
    return table(head, rows) if rows else ""


def budget_table(results: Sequence[Result]) -> str:
    """Table of the training data and cost of each variant, for the first seed."""
    head = ["variant", "what it shows", "speakers", "clips", "steps", "seconds of training", "parameters"]
    rows = []
    for result in results:
        stages = result.first["stages"]
        rows.append(
            [
                f"`{result.name}`",
                result.first["shows"],
                str(result.first["speakers"] or "–"),
                str(result.first["clips"] or "–"),
                " + ".join(str(stage["steps"]) for stage in stages) or "–",
                " + ".join(f"{stage['seconds']:.0f}{' (resumed)' * stage['resumed']}" for stage in stages) or "–",
                f"{result.first['parameters']['all'] / 1e6:.2f} M" if stages else "–",
            ]
        )
    return table(head, rows)


def held_fixed(results: Sequence[Result]) -> str:
    """Say in one sentence what is held fixed while the number of speakers varies."""
    clips = sorted({result.first["clips"] for result in results})
    steps = sorted({tuple(stage["steps"] for stage in result.first["stages"]) for result in results})
    each = " or ".join(" + ".join(map(str, one)) for one in steps)
    return (
        f"Held fixed: {' or '.join(map(str, clips))} training clips and {each} steps, whatever the number of speakers; "
        "each set of speakers holds the smaller ones, and every speaker gives an equal share of the clips."
    )


def order_sentence(results: Sequence[Result]) -> str:
    """Say whether the errors are ordered no memory > stage 1 > stages 1 and 2, with intervals over speakers."""
    by_name = {result.name: result for result in results}
    measure = next(m for m in MEASURES if m.name == "lve_max")
    lines = []
    for worse, better in (("no-memory", BASELINES[0]), BASELINES):
        if worse in by_name and better in by_name:
            both = [replace(by_name[name].main, resample="speakers") for name in (worse, better)]
            difference = compare(*both)[measure.name]
            holds = "holds" if difference.low > 0 else "is reversed" if difference.high < 0 else "is not decided"
            lines.append(
                f"- `{worse}` > `{better}` {holds}: difference {cell(difference, measure, signed=True)} "
                f"{unit(measure)}, 95 % interval over speakers.{_by_seed(by_name[worse], by_name[better], measure)}"
            )
    return "\n".join(lines)


def _by_seed(worse: Result, better: Result, measure: Measure) -> str:
    """One sentence: the difference of two variants in every seed that both have, if there are several."""
    pooled = [
        {run["seed"]: from_json(run["evaluations"][MAIN]).pooled[measure.name].value for run in result.runs}
        for result in (worse, better)
    ]
    both = [seed for seed in pooled[0] if seed in pooled[1]]
    if len(both) < 2:
        return ""
    shown = ", ".join(f"{(pooled[0][seed] - pooled[1][seed]) / measure.scale:+.3f} in seed {seed}" for seed in both)
    return f" One seed at a time: {shown}."


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Format a Markdown table."""
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])
