"""The measures of a comparison as HTML: in sentences and as a table."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from types import MappingProxyType

from memorytalker.comparison.bundled import KINDS
from memorytalker.comparison.predictions import Comparison, Prediction
from memorytalker.evaluation.measures import MEASURES, Measure
from memorytalker.evaluation.metrics import correlation

#: Unit of a measure -> the unit that is shown, and how many of it make one.
_UNITS = MappingProxyType({"m2": ("mm²", 1e6), "m": ("mm", 1e3), "ms": ("ms", 1.0)})
_NOTE = (
    "Lower is better. Only the two signed measures (FDD, signed; MTM, signed) are best at 0. The still face never "
    "moves: a prediction that does not beat it has learned nothing. One clip says little; the model card has figures "
    "of many. Papers write the same measures in metres: 1 mm² is 10⁻⁶ m²."
)


def words_html(comparison: Comparison) -> str:
    """The result in sentences, and the remarks on the clip."""
    one, both = comparison.predictions
    sentences = []
    if len(comparison.opening):
        still = 1000 * comparison.still["lip_max"]
        sentences.append(
            f"In stages 1 + 2, in the style of this voice, the lip point that is farthest off is {_error(both)} "
            f"from ground truth on average; in stage 1, the neutral style, {_error(one)}; in a still face "
            f"{still:.1f} mm."
        )
        fits = [correlation(prediction.opening, comparison.opening) for prediction in (both, one)]
        sentences.append(
            f"The lip opening has a correlation of {fits[0]:.2f} with ground truth (stage 1: {fits[1]:.2f}; 1 is "
            "perfect, 0 is none)."
        )
        sentences += [_timing(both)]
    reference = comparison.ground_truth
    about = [f"{reference.name}; {comparison.seconds:.1f} s.", KINDS[reference.kind]]
    told = [[remark] for remark in comparison.remarks]  # each stands for itself
    paragraphs = [("", sentences), *((' class="small"', words) for words in (about, *told))]
    return "".join(f"<p{look}>{html.escape(' '.join(filter(None, words)))}</p>" for look, words in paragraphs)


def measures_html(comparison: Comparison) -> str:
    """A table of every measure with its definition: of stage 1, of stages 1 + 2, and of a face that never moves."""
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
        f"<caption>Distances from ground truth, over {len(comparison.ground_truth.motion.offsets)} frames</caption>"
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
        return "In stages 1 + 2 the lips move in time."
    return f"In stages 1 + 2 the lips move {abs(late):.0f} ms {'late' if late > 0 else 'early'} on average."
