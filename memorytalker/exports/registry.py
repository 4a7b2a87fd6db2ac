"""The export formats there are, and the choice among them by name or by suffix."""

from __future__ import annotations

from pathlib import Path

from memorytalker.exports.arkit_json import CURVES_JSON, LAM_JSON, OMNIVERSE_JSON
from memorytalker.exports.arrays import CURVES_NPZ, VERTICES_NPZ
from memorytalker.exports.gltf import GLTF
from memorytalker.exports.livelink import LIVE_LINK
from memorytalker.exports.objects import OBJ
from memorytalker.exports.pointcache import PC2
from memorytalker.exports.take import ExportError, ExportFormat
from memorytalker.exports.usd import USDA, USDC
from memorytalker.exports.video import MP4, WEBM
from memorytalker.exports.visemes import RHUBARB_JSON, RHUBARB_TSV, TALKING_HEAD, VISEME_CURVES_JSON, VISEME_LIST
from memorytalker.exports.vrma import VRMA, VRMA_PERFECT_SYNC

#: Every format. Of formats with the same suffix the first is the default.
FORMATS: tuple[ExportFormat, ...] = (
    MP4, WEBM, LIVE_LINK, CURVES_JSON, LAM_JSON, OMNIVERSE_JSON, VISEME_LIST, VISEME_CURVES_JSON, TALKING_HEAD,
    RHUBARB_JSON, RHUBARB_TSV, GLTF, VRMA, VRMA_PERFECT_SYNC, USDA, USDC, PC2, OBJ, VERTICES_NPZ,
    CURVES_NPZ,
)  # fmt: skip


def choose_format(path: Path, name: str | None = None) -> ExportFormat:
    """Choose the format of an export.

    Args:
        path: the file to write; its suffix decides if no name is given.
        name: name of a format; None: the first with the suffix of `path`.

    Returns:
        The format.

    Raises:
        ExportError: no such format, or a suffix that is not the format's.
    """
    if name is not None:
        for each in FORMATS:
            if each.name == name:
                if path.suffix.lower() != each.suffix:
                    raise ExportError(
                        f"The format {name} is written to a file ending in {each.suffix}, not {path.name}."
                    )
                return each
        raise ExportError(f"There is no format {name!r}; choose one of {', '.join(each.name for each in FORMATS)}.")
    for each in FORMATS:
        if each.suffix == path.suffix.lower():
            return each
    if path.name.lower() in {each.suffix for each in FORMATS}:
        raise ExportError(f"{path.name} is an ending without a name before it; write, for example, talk{path.name}.")
    known = ", ".join(dict.fromkeys(each.suffix for each in FORMATS))
    raise ExportError(f"Motion is saved as {known}, not as {path.suffix or path.name!r}.")
