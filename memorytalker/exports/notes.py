"""Notes: where a motion comes from, as short lines of text for formats that hold text."""

from __future__ import annotations

from memorytalker.exports.take import Take


def notes(take: Take) -> dict[str, str]:
    """Return what is known about a take, by name; what is unknown is left out.

    Args:
        take: the motion.

    Returns:
        Name -> one line of printable text: `generator`, `source`, `head`, `model`, `style`, `seed`,
        `frames_per_second`, `units` and `lip_residual_mm`.
    """
    provenance, residual = take.provenance, take.lip_residual_mm
    values = {
        "generator": provenance.generator,
        "source": provenance.source,
        "head": provenance.head,
        "model": provenance.model,
        "style": provenance.style,
        "seed": "" if provenance.seed is None else str(provenance.seed),
        "frames_per_second": f"{take.fps:.10g}",
        "units": "metres, y up",
        "lip_residual_mm": "" if residual is None else f"{residual:.4g}",
    }
    return {name: text for name, value in values.items() if (text := _one_line(value))}


def _one_line(text: str) -> str:
    """The text with "?" for whatever is not printable, such as a line break in the name of a file."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)
