"""What was measured of a prediction, in words and as a table, for people and for screen readers."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from types import MappingProxyType

from memorytalker.comparison.bundled import KINDS
from memorytalker.comparison.predictions import Comparison, Prediction
from memorytalker.evaluation.measures import MEASURES, Measure
from memorytalker.evaluation.metrics import correlation

#: Unit of a measure -> what a person reads instead, and how many of it are one.
_UNITS = MappingProxyType({"m2": ("mm²", 1e6), "m": ("mm", 1e3), "ms": ("ms", 1.0)})
_NOTE = (
    "Lower is better in all but FDD, signed, and MTM, signed, which are best at 0. The still face never moves: a "
    "prediction that does not beat it has learned nothing. One clip says little; the model card has figures of many. "
    "Papers write the same measures in metres: 1 mm² is 10⁻⁶ m²."
)


def words_html(comparison: Comparison) -> str:
    """The gist in sentences, and what was decided on the way."""
    one, both = comparison.predictions
    said = []
    if len(comparison.opening):
        still = 1000 * comparison.still["lip_max"]
        said.append(
            f"In stages 1 + 2, with the manner of this voice, the lip point that is farthest off is {_error(both)} "
            f"from the truth on average; in stage 1, without it, {_error(one)}; in a still face {still:.1f} mm."
        )
        fits = [correlation(prediction.opening, comparison.opening) for prediction in (both, one)]
        said.append(
            f"The lips open and close with the truth at a correlation of {fits[0]:.2f} (stage 1: {fits[1]:.2f}; 1 is "
            "perfect, 0 is none)."
        )
        said += [_timing(both)]
    truth = comparison.ground_truth
    about = [f"{truth.name}; {comparison.seconds:.1f} s.", KINDS[truth.kind], *comparison.remarks]
    paragraphs = (("", said), (' class="small"', about))
    return "".join(f"<p{look}>{html.escape(' '.join(filter(None, words)))}</p>" for look, words in paragraphs)


def measures_html(comparison: Comparison) -> str:
    """Every measure with its definition, of stage 1, stages 1 and 2, and a face that keeps still."""
    one, both = comparison.predictions
    rows = [_row(measure, one.values, both.values, comparison.still) for measure in MEASURES
            if measure.name not in comparison.absent]  # fmt: skip
    columns = ("measure", one.name, both.name, "still face", "unit")
    head = "".join(f'<th scope="col">{html.escape(column)}</th>' for column in columns)
    absent = "".join(
        f'<p class="small">{html.escape(f"{measure.title} is not given: {comparison.absent[measure.name]}.")}</p>'
        for measure in MEASURES if measure.name in comparison.absent
    )  # fmt: skip
    return (
        '<h2>Measures</h2><div class="measures" role="region" tabindex="0" aria-label="Measures of this clip"><table>'
        f"<caption>Distances from the truth, over {len(comparison.ground_truth.motion.offsets)} frames</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        f'<p class="small">{html.escape(_NOTE)}</p>{absent}'
    )


def _row(measure: Measure, *values: Mapping[str, float]) -> str:
    unit, times = _UNITS[measure.unit]
    cells = "".join(f"<td>{_number(times * value[measure.name])}</td>" for value in values)
    title = f"{html.escape(measure.title)}<small>{html.escape(measure.definition)}</small>"
    return f'<tr><th scope="row">{title}</th>{cells}<td>{unit}</td></tr>'


def _number(value: float) -> str:
    if not math.isfinite(value):
        return '<span aria-label="no value">–</span>'
    if value and not 1e-3 <= abs(value) < 1000:
        return f"{value:.2g}".replace("-", "−")
    return f"{value:#.3g}".rstrip(".").replace("-", "−")


def _error(prediction: Prediction) -> str:
    return f"{1000 * prediction.lip_error.mean():.1f} mm"


def _timing(prediction: Prediction) -> str:
    late = prediction.values.get("mtm_signed", math.nan)
    if not math.isfinite(late):
        return ""
    if abs(late) < 1:
        return "In stages 1 + 2 they come in time."
    return f"In stages 1 + 2 they come {abs(late):.0f} ms {'late' if late > 0 else 'early'} on average."
