"""How well a style learned from some clips of a person explains the others, judged on video.

Fitted in two ways: the weights of the memory's slots alone (`styles/slot_fit.py`), and all that `Talker.adapt` learns.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from memorytalker.face.motion_space import space_of
from memorytalker.pipeline import Talker
from memorytalker.progress import Progress
from memorytalker.scorecard.held_out_videos import Compared, TrackedVideo, compare_video
from memorytalker.scorecard.mouth import at_frames, eye_distance
from memorytalker.scorecard.people import FittedStyle, agreement
from memorytalker.sound.decode import load_waveform
from memorytalker.styles.recordings import AdaptError, Recording
from memorytalker.styles.slot_fit import StyleFit, StyleFitError, clip_logits, fit_style, mouth_measure
from memorytalker.windows import frame_count

#: Clips that a person needs, so that each half has two.
FEWEST_CLIPS = 4
#: Share of a person's frames whose tracked lip opening is at most that of closed lips.
CLOSED_SHARE = 0.01


def coordinates_of_video(
    videos: Sequence[TrackedVideo], neutral: Sequence[Tensor], measure: Tensor, eyes: float, fps: float
) -> list[Tensor]:
    """Make target coordinates of tracked clips of one person.

    They are the smallest motion that has the tracked lip opening, lip width and jaw; nothing else is known of it, so
    only `measure` of it should be fitted. The opening is counted from the person's closed lips (`CLOSED_SHARE`). A
    video does not tell the rest width and the rest jaw of a person who seldom rests, so these have the mean over all
    clips of the neutral prediction: the style is fitted to how they move.

    Args:
        videos: the clips.
        neutral: (T, K) predicted coordinates of each in the neutral style; they also give the number of frames.
        measure: (K, 3) as `mouth_measure` returns it.
        eyes: distance of the head's outer eye corners in metres.
        fps: frames per second of the prediction.

    Returns:
        (T, K) metres for each clip.
    """
    closed = float(np.quantile(np.concatenate([video.gap for video in videos]), CLOSED_SHARE))
    tracked = []
    for video, motion in zip(videos, neutral, strict=True):
        curves = video.gap - closed, video.width, video.jaw
        rows = [at_frames(curve, video.fps, len(motion), fps) for curve in curves]
        rows[0] = np.maximum(rows[0], 0.0)
        tracked.append(torch.from_numpy(np.stack(rows, 1)).float() * eyes)
    level = torch.cat(tracked).mean(dim=0) - (torch.cat(list(neutral)) @ measure).mean(dim=0)
    level[0] = 0.0
    back = torch.linalg.pinv(measure.double()).float()
    return [(one - level) @ back for one in tracked]


def fitted_halves(
    talker: Talker,
    videos: Sequence[TrackedVideo],
    settings: StyleFit = StyleFit(),
    progress: Progress | None = None,
) -> FittedStyle:
    """Fit a person's style on every second clip and judge the others in it, then the other way round.

    Args:
        talker: the model.
        videos: the person's tracked clips.
        settings: of the fit.
        progress: called with (done, total, stage).

    Returns:
        The agreement of all clips, each in the style that was fitted without it.

    Raises:
        StyleFitError: fewer than `FEWEST_CLIPS` clips, or too little motion in a half.
    """
    if len(videos) < FEWEST_CLIPS:
        raise StyleFitError(f"There are {len(videos)} clips of this person; a style fit needs {FEWEST_CLIPS}.")
    model, config, eyes = talker.model, talker.config, eye_distance(talker.head)
    measure = mouth_measure(space_of(config.basis, config.coordinates), talker.head)
    sounds = [load_waveform(video.sound) for video in videos]
    frames = [
        min(frame_count(len(sound.samples), config), round(len(video.gap) / video.fps * config.fps))
        for sound, video in zip(sounds, videos, strict=True)
    ]
    logits = [clip_logits(model, sound, count) for sound, count in zip(sounds, frames, strict=True)]
    with torch.no_grad():
        neutral = [model(one[None]).offsets[0].cpu() for one in logits]
    judged: list[Compared] = []
    for half in (0, 1):
        learnt, rest = (range(first, len(videos), 2) for first in (half, 1 - half))
        targets = coordinates_of_video(
            [videos[i] for i in learnt], [neutral[i] for i in learnt], measure, eyes, config.fps
        )
        style = fit_style(model, [logits[i] for i in learnt], targets, measure, settings, progress)
        judged += [compare_video(talker, videos[i], sounds[i], style) for i in rest]
    return FittedStyle(agreement(judged), len(judged))


def adapted_halves(
    talker: Talker, videos: Sequence[TrackedVideo], recordings: Sequence[Recording], progress: Progress | None = None
) -> FittedStyle | None:
    """Let `Talker.adapt` learn from every second clip and judge the others in that style, then the other way round.

    Clips for which it refuses to learn are judged in the neutral style, which is what its caller then has.

    Args:
        talker: the model.
        videos: the person's tracked clips.
        recordings: the same clips as face curves with their sound, in the same order.
        progress: called with (done, total, stage).

    Returns:
        The agreement of all clips, each in the style that was learned without it; None if both halves are refused.
    """
    judged: list[Compared] = []
    refused = 0
    for half in (0, 1):
        learnt, rest = (range(first, len(videos), 2) for first in (half, 1 - half))
        style = None
        try:
            style = talker.adapt([recordings[i] for i in learnt], progress=progress)
        except AdaptError:
            refused += 1
        judged += [compare_video(talker, videos[i], recordings[i].waveform, style) for i in rest]
    return None if refused == 2 else FittedStyle(agreement(judged), len(judged), refused)
