"""All figures of the open model on held-out voices and faces: the table that `evaluate` prints.

Voices: the validation speakers of a speech folder, with forced alignment and synthesised motion. Faces: held-out
tracked videos and captured takes. Every clip is predicted from sound to vertices through the public `Talker`.
docs/metrics.md defines every row.
"""

from __future__ import annotations

from pathlib import Path

from memorytalker.corpus.corpus_config import CorpusConfig
from memorytalker.pipeline import Talker
from memorytalker.progress import Progress
from memorytalker.scorecard.card import Scorecard
from memorytalker.scorecard.cropping import crop_figures, long_clips
from memorytalker.scorecard.goals import Figure
from memorytalker.scorecard.held_out_takes import take_figures
from memorytalker.scorecard.held_out_videos import compare_videos, face_figures, tracked_videos
from memorytalker.scorecard.held_out_voices import contact_figures, predict_all, timing_figure
from memorytalker.scorecard.held_sounds import held_clips, held_figures
from memorytalker.scorecard.mouth import eye_distance
from memorytalker.scorecard.robustness import condition_figures, conditions
from memorytalker.scorecard.speech_modes import CLIPS_EACH, imitation_figures
from memorytalker.scorecard.synthesised_reference import ReferenceClip, reference_clips, subsample
from memorytalker.scorecard.unseen_speakers import unseen_speaker_figures
from memorytalker.scorecard.visible_phones import visible_figures


def evaluate_open(
    talker: Talker, root: Path, work: Path, card: Scorecard, config: CorpusConfig, limit: int = 0,
    progress: Progress | None = None,
) -> list[Figure]:  # fmt: skip
    """Measure all figures, in the order of the table.

    Args:
        talker: the model.
        root: the source folder with speech/, capture/ and noise/.
        work: caches phone times and prosody, in `work`/evaluation unless `work`/corpus has them.
        card: which videos to use, and the goals.
        config: corpus settings of the weights' recipe: what was held out, and how motion is synthesised.
        limit: about this many clips of each kind; 0 for all.
        progress: called with (done, total, stage).

    Returns:
        The figures.

    Raises:
        CorpusError: if the speech is missing.
        CaptureError: if a tracked video is missing.
        EvaluationError: if noises or rooms are missing.
        ConfigError: for a video that `config` does not name.
    """
    sources = card.sources(config.sources)
    kinds = conditions(root) if card.robust else {}  # missing files are reported before any work
    videos = {source.folder: tracked_videos(root, source, limit) for source in sources}
    clips = reference_clips(root, work, talker.head, config, limit, progress)
    predicted = predict_all(talker, clips, progress)
    figures = [*contact_figures(predicted, card), timing_figure(predicted, card)]
    figures += visible_figures(predicted, card, eye_distance(talker.head))
    compared = {folder: compare_videos(talker, own, folder, progress) for folder, own in videos.items()}
    for video in card.videos:
        figures += face_figures(video, compared[video.folder], card)
    figures += take_figures(talker, root, config.sources, card, progress)
    figures += unseen_speaker_figures(predicted, card)
    if card.robust:
        figures += condition_figures(talker, compared[card.robust], kinds, card, progress)
    figures += held_figures(talker, held_clips(clips, talker.config.fps, limit), card, progress)
    figures += crop_figures(talker, long_clips(clips, limit), card, progress)
    return figures + imitation_figures(talker, [clip.sound for clip in imitated(clips, limit)], card, progress)


def imitated(clips: list[ReferenceClip], limit: int = 0) -> list[ReferenceClip]:
    """Select `CLIPS_EACH` clips of every speaker, evenly spread, or about `limit` of these."""
    chosen: list[ReferenceClip] = []
    for speaker in dict.fromkeys(clip.speaker for clip in clips):
        own = [clip for clip in clips if clip.speaker == speaker]
        chosen += subsample(own, CLIPS_EACH)[:CLIPS_EACH]
    return subsample(chosen, limit)
