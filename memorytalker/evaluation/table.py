"""Evaluations as a Markdown table and as JSON: units, intervals, regions, and why a metric is missing.

The paper's figures are printed beside ours only for VOCASET's own layouts and its test split; they are copied from the
paper, not measured here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from memorytalker.evaluation.bootstrap import Interval
from memorytalker.evaluation.evaluate import Evaluation, compare, intervals_described
from memorytalker.evaluation.measures import MEASURES, Measure

#: The paper's VOCASET test figures of MemoryTalker (Kim et al. 2025, arXiv 2507.20562), in table units.
REPORTED: Mapping[str, float] = MappingProxyType({"FVE": 0.506, "LVE": 0.293, "LDTW": 0.418, "Lip-max": 0.331})
#: How to read the paper's column.
REPORTED_CAUTION = (
    "The paper gives one LVE and does not say which form, and its Lip-max and LDTW are too small to be metres beside "
    "it: read its column as a reference, not as a ranking."
)
_SHOWN = MappingProxyType({"m2": "m²"})


def evaluations_markdown(evaluations: Sequence[Evaluation]) -> str:
    """Format evaluations of the same clips as a Markdown table, with notes below.

    Numbers are in the paper's units, with intervals in brackets.

    Args:
        evaluations: at least one; each gets a column.

    Returns:
        The table; for the last evaluation it also has the paired difference from each of the others.
    """
    last = evaluations[-1]
    differences = {other.label: compare(last, other) for other in evaluations[:-1]}
    reported = last.layout.startswith("vocaset") and last.split == "test"
    head = ["measure", "unit", *(e.label for e in evaluations), *(f"{last.label} − {name}" for name in differences)]
    rows = []
    for measure in MEASURES:
        if all(measure.name in e.absent for e in evaluations):
            continue
        cells = [measure.title, unit(measure)]
        cells += [cell(e.pooled.get(measure.name), measure) for e in evaluations]
        cells += [cell(difference.get(measure.name), measure, signed=True) for difference in differences.values()]
        rows.append(cells + ([_paper(measure)] if reported else []))
    if reported:
        head.append("MemoryTalker, reported by the paper")
    lines = [_row(head), _row(["---"] * len(head)), *map(_row, rows), "", *_remarks(evaluations, reported)]
    return "\n".join(lines) + "\n"


def unit(measure: Measure) -> str:
    """The unit of a measure in a table, such as "1e-6 m²"."""
    name = _SHOWN.get(measure.unit, measure.unit)
    return name if measure.scale == 1 else f"1e{math.log10(measure.scale):.0f} {name}"


def cell(interval: Interval | None, measure: Measure, signed: bool = False) -> str:
    """A value with its interval in the units of the table."""
    if interval is None or not math.isfinite(interval.value):
        return "–"
    plus = "+" if signed else ""
    numbers = [f"{number / measure.scale:{plus}.3f}" for number in (interval.value, interval.low, interval.high)]
    return numbers[0] if not math.isfinite(interval.low) else f"{numbers[0]} [{numbers[1]}, {numbers[2]}]"


def _paper(measure: Measure) -> str:
    return "–" if measure.paper is None else f"{REPORTED[measure.paper]:.3f}"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _remarks(evaluations: Sequence[Evaluation], reported: bool) -> list[str]:
    last = evaluations[-1]
    lines = [
        f"- Measured on: {last.layout}, {last.split} split, {_count(len(last.clips), 'clip')} of "
        f"{_count(len(last.speakers), 'speaker')}{' (--limit)' if last.limit else ''}, {last.frames} frames at "
        f"{last.fps} fps, {last.vertex_count} vertices; data {last.digest[:16] or 'without a digest'}.",
        f"- In brackets: {intervals_described(last.resample)}; a single one has no interval.",
    ]
    for evaluation in evaluations:
        for name, value in evaluation.details.items():
            lines.append(f"- {evaluation.label}, {name}: {value}")
    matched = [f"{e.label} {e.pooled['mtm'].clips} of {len(e.clips)} clips" for e in evaluations if "mtm" in e.pooled]
    if matched:
        lines.append(f"- MTM, where extrema match: {', '.join(matched)}.")
    if last.regions:
        named = [f"{record.name} {record.size} vertices, sha256 {record.sha256[:16]}" for record in last.regions]
        lines.append(f"- Regions ({last.region_source}): {'; '.join(named)}.")
    reasons: dict[tuple[str, str], list[str]] = {}
    for evaluation in evaluations:
        for measure in MEASURES:
            if measure.name in evaluation.absent:
                reasons.setdefault((evaluation.label, evaluation.absent[measure.name]), []).append(measure.title)
    for (label, reason), titles in reasons.items():
        lines.append(f"- Not given for {label}: {', '.join(titles)}: {reason}.")
    lines += [f"- Note: {note}." for note in last.notes if note != f"regions: {last.region_source}"]
    if last.skipped:
        first = last.skipped[0]
        lines.append(f"- Skipped: {_count(len(last.skipped), 'sequence')}, such as {first.name}: {first.reason}.")
    return lines + ([f"- {REPORTED_CAUTION}"] if reported else [])


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def evaluations_json(evaluations: Sequence[Evaluation]) -> str:
    """Format evaluations as JSON: definitions, clips, pooled values, intervals, paired differences. nan is null."""
    last = evaluations[-1]
    whole = {
        "measures": {
            m.name: {"title": m.title, "unit": m.unit, "pooled": m.pooled, "definition": m.definition} for m in MEASURES
        },
        "evaluations": [_plain(evaluation) for evaluation in evaluations],
        "differences": [
            {"first": last.label, "second": other.label, "measures": _intervals(compare(last, other))}
            for other in evaluations[:-1]
        ],
    }
    return json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(evaluation: Evaluation) -> dict[str, Any]:
    return {
        **{
            name: getattr(evaluation, name)
            for name in (
                "label", "layout", "split", "digest", "fps", "vertex_count", "frames", "speakers", "region_source",
                "resample", "limit", "notes",
            )
        },
        "details": dict(evaluation.details),
        "pooled": _intervals(evaluation.pooled),
        "absent": dict(evaluation.absent),
        "regions": [vars(record) for record in evaluation.regions],
        "skipped": [vars(skipped) for skipped in evaluation.skipped],
        "clips": [
            {
                "name": clip.name,
                "speaker": clip.speaker,
                "frames": clip.frames,
                **{name: _number(value) for name, value in clip.values.items()},
            }
            for clip in evaluation.clips
        ],
    }  # fmt: skip


def _intervals(intervals: Mapping[str, Interval]) -> dict[str, dict]:
    return {
        name: {"value": _number(i.value), "low": _number(i.low), "high": _number(i.high), "clips": i.clips}
        for name, i in intervals.items()
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
