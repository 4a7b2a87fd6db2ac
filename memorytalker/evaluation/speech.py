"""The figures of the open model on voices and faces it was not trained on: the table that `evaluate` prints.

Voices: the validation speakers of a speech folder, with phone times by forced alignment and the motion that is made of
them. Faces: filmed and recorded clips that were kept out of training. Every clip goes the whole road, from sound to
vertices, through the public `Talker`. docs/metrics.md defines every line.
"""

from __future__ import annotations

from pathlib import Path

from ..config import Progress
from ..pipeline import Talker
from .conditions import condition_figures, conditions
from .faces import compare_all, face_figures, filmed_clips
from .imitations import CLIPS_EACH, imitation_figures
from .report import Figure
from .strangers import stranger_figures
from .takes import take_figures
from .truth import TrueClip, every, true_clips
from .voices import contact_figures, speak_all, timing_figure

#: The filmed folder whose clips are also heard in noise and rooms.
ROBUST = "grid_s1"
FILMED = (ROBUST, "grid_s4")


def evaluate_open(
    talker: Talker, root: Path, work: Path, limit: int = 0, progress: Progress | None = None
) -> list[Figure]:
    """All figures, in the order of the table; `limit`: about so many clips of each kind, 0 for all.

    `work` keeps phone times between runs, in `work`/evaluation, unless `work`/corpus has them. Raises CorpusError,
    CaptureError or EvaluationError, in plain words, when a part of the source folder `root` is missing.
    """
    kinds = conditions(root)  # what is missing is said before any work
    films = {folder: filmed_clips(root, folder, limit) for folder in FILMED}
    clips = true_clips(root, work, talker.head, limit, progress)
    spoken = speak_all(talker, clips, progress)
    figures = [*contact_figures(spoken), timing_figure(spoken)]
    compared = {folder: compare_all(talker, films[folder], folder, progress) for folder in FILMED}
    for folder in FILMED:
        figures += face_figures(folder, compared[folder])
    figures += take_figures(talker, root, progress)
    figures += stranger_figures(spoken)
    figures += condition_figures(talker, compared[ROBUST], kinds, progress)
    return figures + imitation_figures(talker, [clip.sound for clip in imitated(clips, limit)], progress)


def imitated(clips: list[TrueClip], limit: int = 0) -> list[TrueClip]:
    """`CLIPS_EACH` clips of every speaker, evenly chosen from his or her own, or about `limit` of these."""
    chosen = []
    for speaker in dict.fromkeys(clip.speaker for clip in clips):
        own = [clip for clip in clips if clip.speaker == speaker]
        chosen += every(own, CLIPS_EACH)[:CLIPS_EACH]
    return every(chosen, limit)
