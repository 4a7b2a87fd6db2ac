"""Recorded face curves: columns by name, an even time line."""

from __future__ import annotations

import numpy as np
import pytest

from memorytalker.corpus.landmarks import CaptureError
from memorytalker.corpus.recordings import read_curves


def test_a_phone_trackers_csv_is_read_by_name_on_an_even_time_line(tmp_path) -> None:
    lines = ["Timecode,BlendshapeCount,MouthSmileRight,JawOpen,HeadYaw"]
    for frame in range(120):
        second = "11:59:59" if frame < 60 else "12:00:00"
        if frame not in (50, 51):  # two frames the phone dropped
            lines.append(f"{second}:{frame % 60}.500,61,0.25,{frame / 200},-0.4")
    path = tmp_path / "take.csv"
    path.write_text("\n".join(lines) + "\n")
    curves = read_curves(path)
    assert curves.fps == 60 and curves.names == ("mouthSmileRight", "jawOpen")
    np.testing.assert_allclose(curves.curve("jawOpen"), np.arange(120) / 200, atol=1e-6)
    np.testing.assert_allclose(curves.curve("mouthSmileRight"), 0.25)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(CaptureError, match="Timecode"):
        read_curves(path)
