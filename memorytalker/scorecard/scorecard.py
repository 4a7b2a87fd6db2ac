"""The figures of the open model on voices and faces it was not trained on: the table that `evaluate` prints.

Voices: the validation speakers of a speech folder, with phone times by forced alignment and the motion that is made of
them. Faces: filmed and recorded clips that were kept out of training. Every clip goes the whole road, from sound to
vertices, through the public `Talker`. docs/metrics.md defines every line.
"""

from __future__ import annotations

from pathlib import Path

from memorytalker.corpus.corpus_config import CorpusConfig
from memorytalker.pipeline import Talker
from memorytalker.progress import Progress
from memorytalker.scorecard.card import Scorecard
from memorytalker.scorecard.goals import Figure
from memorytalker.scorecard.held_out_takes import take_figures
from memorytalker.scorecard.held_out_videos import compare_videos, face_figures, tracked_videos
from memorytalker.scorecard.held_out_voices import contact_figures, speak_all, timing_figure
from memorytalker.scorecard.robustness import condition_figures, conditions
from memorytalker.scorecard.speech_modes import CLIPS_EACH, imitation_figures
from memorytalker.scorecard.synthesised_truth import ReferenceClip, reference_clips, subsample
from memorytalker.scorecard.unseen_speakers import unseen_speaker_figures


def evaluate_open(
    talker: Talker, root: Path, work: Path, card: Scorecard, config: CorpusConfig, limit: int = 0,
    progress: Progress | None = None,
) -> list[Figure]:  # fmt: skip
    """All figures, in the order of the table; `limit`: about so many clips of each kind, 0 for all.

    `card` says on which videos, and where the figures should lie; `config`, the corpus figures of the weights' recipe,
    what was never trained on and how synthesised motion is made.

    `work` keeps phone times between runs, in `work`/evaluation, unless `work`/corpus has them. Raises CorpusError,
    CaptureError or EvaluationError, in plain words, when a part of the source folder `root` is missing, and ConfigError
    for a video that `config` does not name.
    """
    sources = card.sources(config.sources)
    kinds = conditions(root) if card.robust else {}  # what is missing is said before any work
    films = {source.folder: tracked_videos(root, source, limit) for source in sources}
    clips = reference_clips(root, work, talker.head, config, limit, progress)
    spoken = speak_all(talker, clips, progress)
    figures = [*contact_figures(spoken, card), timing_figure(spoken, card)]
    compared = {folder: compare_videos(talker, film, folder, progress) for folder, film in films.items()}
    for video in card.videos:
        figures += face_figures(video, compared[video.folder], card)
    figures += take_figures(talker, root, config.sources, card, progress)
    figures += unseen_speaker_figures(spoken, card)
    if card.robust:
        figures += condition_figures(talker, compared[card.robust], kinds, card, progress)
    return figures + imitation_figures(talker, [clip.sound for clip in imitated(clips, limit)], card, progress)


def imitated(clips: list[ReferenceClip], limit: int = 0) -> list[ReferenceClip]:
    """`CLIPS_EACH` clips of every speaker, evenly chosen from his or her own, or about `limit` of these."""
    chosen = []
    for speaker in dict.fromkeys(clip.speaker for clip in clips):
        own = [clip for clip in clips if clip.speaker == speaker]
        chosen += subsample(own, CLIPS_EACH)[:CLIPS_EACH]
    return subsample(chosen, limit)
