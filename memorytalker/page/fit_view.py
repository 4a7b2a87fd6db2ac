"""What a learned style is worth: its error before and after in words, and the curves behind them as a drawing."""

from __future__ import annotations

import html

import numpy as np

from memorytalker.styles.recordings import told_remarks
from memorytalker.styles.style import KeptBackCurves, Style

#: Seconds of curves that are drawn, and the size of the drawing in its own units.
DRAWN_SECONDS = 8.0
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 320.0, 120.0, 26.0, 18.0, 6.0
#: Where the gains of a style are.
ON_SLIDERS = (
    "How far it moves the mouth is set on the sliders of “How it moves and feels”, where it can be changed. A preset "
    "or a reset replaces it there; load the style’s file to have it back."
)


def fit_html(style: Style) -> str:
    """Return what there is to see of a style that was learned or loaded, as HTML.

    Args:
        style: with a report, if it was learned; the curves are there only just after that.
    """
    told = f'<p class="well" role="status">In use: {html.escape(style.name or "a style without a name")}.</p>'
    if any(each.changes_curves for each in style.deliveries):
        told += f'<p class="small">{ON_SLIDERS}</p>'
    report = style.report
    if report is None:
        return told + '<p class="small">It was not learned from recordings, so nothing was measured of it.</p>'
    table = (
        '<table class="fit"><thead><tr><th scope="col">lip opening is off by</th><th scope="col">before</th>'
        '<th scope="col">after</th></tr></thead><tbody>'
        f'<tr><th scope="row">{report.checked_seconds:.0f} s kept back</th>'
        f"<td>{report.error_before:.2f} mm</td><td>{report.error_after:.2f} mm</td></tr></tbody></table>"
    )
    about = (
        f"Learned from {report.seconds:.0f} s ({report.fitted}) and judged on the rest; correlation "
        f"{report.correlation:.2f}."
    )
    drawn = "" if style.kept_back is None else curves_svg(style.kept_back)
    remarks = "".join(f'<p class="small">{html.escape(remark)}</p>' for remark in told_remarks(style.remarks))
    return f'{told}{table}<p class="small">{about}</p>{drawn}{remarks}'


def curves_svg(curves: KeptBackCurves) -> str:
    """Draw the recorded lip opening as a shape, and both predictions as lines over it, as SVG in the page's colours."""
    shown = min(len(curves.recorded), round(DRAWN_SECONDS * curves.fps))
    lines = {"recorded": curves.recorded[:shown], "before": curves.before[:shown], "after": curves.after[:shown]}
    highest = max(1.0, float(max(values.max() for values in lines.values())))
    floor = HEIGHT - BOTTOM

    def points(values: np.ndarray) -> str:
        x = LEFT + (WIDTH - LEFT) * np.arange(shown) / max(1, shown - 1)
        y = floor - (floor - TOP) * np.clip(values, 0, None) / highest
        return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True))

    joins = "".join(
        f'<line class="join" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{floor}"/>'
        for x in (LEFT + (WIDTH - LEFT) * one / max(1, shown - 1) for one in curves.joins if one < shown)
    )
    seconds = shown / curves.fps
    label = f"Lip opening over {seconds:.0f} s that were kept back: recorded, and predicted before and after learning."
    keys = "".join(f'<span class="{name}">{words}</span>' for name, words in (
        ("recorded", "recorded"), ("before", "before"), ("after", "after learning")
    ))  # fmt: skip
    return (
        f'<figure class="fit"><svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" aria-label="{label}">'
        f'<polygon class="recorded" points="{LEFT},{floor} {points(lines["recorded"])} {WIDTH},{floor}"/>{joins}'
        f'<polyline class="before" points="{points(lines["before"])}"/>'
        f'<polyline class="after" points="{points(lines["after"])}"/>'
        f'<text x="{LEFT - 4}" y="{TOP + 8}" text-anchor="end">{highest:.0f}</text>'
        f'<text x="{LEFT - 4}" y="{floor}" text-anchor="end">0</text>'
        f'<text x="{LEFT}" y="{HEIGHT - 4}">lip opening in mm</text>'
        f'<text x="{WIDTH}" y="{HEIGHT - 4}" text-anchor="end">{seconds:.1f} s</text></svg>'
        f"<figcaption>{keys}</figcaption></figure>"
    )
