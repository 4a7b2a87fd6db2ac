"""The figures of the open model on voices and faces it was not trained on: the table that `evaluate` prints.

Voices: the validation speakers of a speech folder, with phone times by forced alignment and the motion that is made of
them. Faces: filmed and recorded clips that were kept out of training. Every clip goes the whole road, from sound to
vertices, through the public `Talker`. docs/metrics.md defines every line.
"""

from __future__ import annotations

from pathlib import Path

from memorytalker.config import Progress
from memorytalker.pipeline import Talker
from memorytalker.scorecard.goals import Figure
from memorytalker.scorecard.held_out_takes import take_figures
from memorytalker.scorecard.held_out_videos import compare_videos, face_figures, tracked_videos
from memorytalker.scorecard.held_out_voices import contact_figures, speak_all, timing_figure
from memorytalker.scorecard.robustness import condition_figures, conditions
from memorytalker.scorecard.speech_modes import CLIPS_EACH, imitation_figures
from memorytalker.scorecard.synthesised_truth import ReferenceClip, reference_clips, subsample
from memorytalker.scorecard.unseen_speakers import unseen_speaker_figures

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
    films = {folder: tracked_videos(root, folder, limit) for folder in FILMED}
    clips = reference_clips(root, work, talker.head, limit, progress)
    spoken = speak_all(talker, clips, progress)
    figures = [*contact_figures(spoken), timing_figure(spoken)]
    compared = {folder: compare_videos(talker, films[folder], folder, progress) for folder in FILMED}
    for folder in FILMED:
        figures += face_figures(folder, compared[folder])
    figures += take_figures(talker, root, progress)
    figures += unseen_speaker_figures(spoken)
    figures += condition_figures(talker, compared[ROBUST], kinds, progress)
    return figures + imitation_figures(talker, [clip.sound for clip in imitated(clips, limit)], progress)


def imitated(clips: list[ReferenceClip], limit: int = 0) -> list[ReferenceClip]:
    """`CLIPS_EACH` clips of every speaker, evenly chosen from his or her own, or about `limit` of these."""
    chosen = []
    for speaker in dict.fromkeys(clip.speaker for clip in clips):
        own = [clip for clip in clips if clip.speaker == speaker]
        chosen += subsample(own, CLIPS_EACH)[:CLIPS_EACH]
    return subsample(chosen, limit)
