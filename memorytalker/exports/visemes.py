"""Visemes as files: a timed list in four forms, and curves.

Our list holds everything in seconds. TalkingHead's is the argument of its speakAudio, in milliseconds. Rhubarb's JSON
and TSV have nine mouth shapes, in hundredths of a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import Any

from memorytalker.exports.arkit_json import curve_members
from memorytalker.exports.take import ExportFormat, Take
from memorytalker.exports.text import number, provenance, write_json
from memorytalker.face.head import load_head
from memorytalker.face.visemes import VisemeCue, VisemeFit, fit_visemes, viseme_cues
from memorytalker.files import write_whole

#: The mouth shape of Rhubarb for each viseme: A closed, B clenched teeth, C open, D wide open, E rounded, F puckered,
#: G lower lip to upper teeth, X at rest. Its H, for l, cannot be told from n by the lips.
RHUBARB: Mapping[str, str] = MappingProxyType(
    {"sil": "X", "PP": "A", "FF": "G", "TH": "B", "DD": "B", "kk": "B", "CH": "B", "SS": "B", "nn": "B", "RR": "E",
     "aa": "D", "E": "C", "I": "B", "O": "E", "U": "F"}
)  # fmt: skip
#: What the numbers of our list are.
_UNITS: Mapping[str, str] = MappingProxyType({"t": "seconds", "d": "seconds", "lip_residual_mm": "millimetres"})


def _found(take: Take) -> tuple[VisemeFit, list[VisemeCue]]:
    curves, head = take.need_curves(), load_head()
    fit = fit_visemes(curves, head, take.progress)
    return fit, list(viseme_cues(fit.curves, head))


def _written(path: Path, members: Mapping[str, Any]) -> tuple[Path, ...]:
    write_whole(path, lambda part: write_json(part, members))
    return (path,)


def _residual(fit: VisemeFit) -> dict[str, float]:
    return {"mean": round(fit.mean_mm, 3), "largest": round(fit.largest_mm, 3)}


def _provenance(take: Take, fit: VisemeFit, units: Mapping[str, str]) -> dict[str, Any]:
    """What `text.provenance` says, with what the visemes lose at the lips."""
    return {**provenance(take, units), "lip_residual_mm": _residual(fit)}


def _edges(cues: list[VisemeCue], duration: float, unit: float, decimals: int) -> list[float]:
    """The beginnings of the visemes and the end of the last, in units of `unit` seconds, rounded."""
    return [round(time / unit, decimals) for time in [*(cue.start for cue in cues), duration]]


def _write_list(take: Take, path: Path) -> tuple[Path, ...]:
    fit, cues = _found(take)
    edges = _edges(cues, fit.curves.duration, 1.0, 4)
    listed = (
        {"t": begin, "d": round(end - begin, 4), "viseme": cue.viseme}
        for cue, begin, end in zip(cues, edges[:-1], edges[1:], strict=True)
    )
    members = {
        "fps": number(take.fps),
        "duration": edges[-1],
        "units": dict(_UNITS),
        "lip_residual_mm": _residual(fit),
        "provenance": _provenance(take, fit, _UNITS),
        "visemes": listed,
    }
    return _written(path, members)


def _write_talking_head(take: Take, path: Path) -> tuple[Path, ...]:
    fit, cues = _found(take)
    if cues[0].viseme == "sil":  # TalkingHead would hold the sound back by two thirds of it, to reach the pose in time
        cues = cues[1:]
    edges = _edges(cues, fit.curves.duration, 0.001, 1)
    members = {
        "words": [],  # without them TalkingHead looks at no viseme
        "wtimes": [],
        "wdurations": [],
        "visemes": [cue.viseme for cue in cues],
        "vtimes": edges[:-1],
        "vdurations": [round(end - begin, 1) for begin, end in zip(edges[:-1], edges[1:], strict=True)],
        "provenance": _provenance(take, fit, {"vtimes": "milliseconds", "vdurations": "milliseconds"}),
    }
    return _written(path, members)


def rhubarb_cues(cues: list[VisemeCue], duration: float) -> list[tuple[float, float, str]]:
    """Turn visemes into Rhubarb's mouth cues.

    Args:
        cues: visemes without gaps.
        duration: end of the last, in seconds.

    Returns:
        (start, end, shape) in seconds, rounded to hundredths; each end is the next start, neighbours differ.
    """
    groups = [(shape, next(group).start) for shape, group in groupby(cues, lambda cue: RHUBARB[cue.viseme])]
    edges = [round(start, 2) for _, start in groups] + [round(duration, 2)]
    return [(edges[k], edges[k + 1], shape) for k, (shape, _) in enumerate(groups)]


def _write_rhubarb(take: Take, path: Path) -> tuple[Path, ...]:
    fit, cues = _found(take)
    listed = rhubarb_cues(cues, fit.curves.duration)
    members = {
        "metadata": {"soundFile": take.provenance.source, "duration": listed[-1][1]},
        "provenance": _provenance(take, fit, {"start": "seconds", "end": "seconds"}),
        "mouthCues": ({"start": begin, "end": end, "value": shape} for begin, end, shape in listed),
    }
    return _written(path, members)


def _write_rhubarb_table(take: Take, path: Path) -> tuple[Path, ...]:
    fit, cues = _found(take)
    listed = rhubarb_cues(cues, fit.curves.duration)
    rows = [f"{begin:.2f}\t{shape}\n" for begin, _, shape in listed] + [f"{listed[-1][1]:.2f}\tX\n"]
    write_whole(path, lambda part: part.write_bytes("".join(rows).encode()))
    return (path,)


def _write_curves(take: Take, path: Path) -> tuple[Path, ...]:
    fit = fit_visemes(take.need_curves(), progress=take.progress)
    return _written(path, curve_members(take, fit.curves, _residual(fit)))


VISEME_LIST = ExportFormat(
    name="visemes",
    suffix=".json",
    title="Visemes, a timed list (JSON)",
    summary="Scripts and game engines: the 15 visemes of Oculus with times in seconds.",
    write=_write_list,
)
TALKING_HEAD = ExportFormat(
    name="talkinghead",
    suffix=".json",
    title="Visemes for TalkingHead (JSON)",
    summary="TalkingHead in the browser: add the sound and pass it to speakAudio.",
    write=_write_talking_head,
)
RHUBARB_JSON = ExportFormat(
    name="rhubarb",
    suffix=".json",
    title="Mouth cues of Rhubarb (JSON)",
    summary="Two-dimensional animation and games that read Rhubarb Lip Sync.",
    write=_write_rhubarb,
)
RHUBARB_TSV = ExportFormat(
    name="rhubarb-tsv",
    suffix=".tsv",
    title="Mouth cues of Rhubarb (TSV)",
    summary="Two-dimensional animation and games that read Rhubarb Lip Sync.",
    write=_write_rhubarb_table,
)
VISEME_CURVES_JSON = ExportFormat(
    name="viseme-curves",
    suffix=".json",
    title="Viseme curves (JSON)",
    summary="Avatars with the 15 shapes viseme_sil to viseme_U.",
    write=_write_curves,
)
