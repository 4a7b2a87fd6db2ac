"""How far people's lips are apart before and after they speak: `python -m tools.articulation.silence SOURCE`.

Prints, for every person tracked in video, the mean lip opening at some moments around the first and the last phone, as
a share of that person's 90th percentile. The last column is the correlation of the film's own lip opening with the
same curve closed before the first and after the last phone: what a perfect mouth could reach that rests closed in
silence. The phone times come from forced alignment and are kept in WORK.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from memorytalker.articulation.coarticulation import frame_times
from memorytalker.evaluation.metrics import correlation
from tools.articulation.film import FilmedClip, people_clips

#: Seconds from the start of the first phone, and from the end of the last.
BEFORE = (-0.5, -0.4, -0.3, -0.2, -0.1, 0.0)
AFTER = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)


def main() -> None:
    moments = [f"{one:+.1f} s" for one in BEFORE] + [f"end {one:+.1f} s" for one in AFTER]
    print(f"| person | clips | {' | '.join(moments)} | film closed in silence, against film |")
    print(f"|{'---|' * (len(moments) + 3)}")
    for person, clips in people_clips(__doc__).items():
        shares = np.nanmean([around_speech(clip) for clip in clips], axis=0)
        bound = np.mean([closed_in_silence(clip) for clip in clips])
        print(f"| {person} | {len(clips)} | {' | '.join(f'{one:.2f}' for one in shares)} | {bound:.3f} |")


def around_speech(clip: FilmedClip) -> np.ndarray:
    """The opening at `BEFORE` and `AFTER`, from the 2nd percentile of the clip (0) to its 90th (1); nan outside it."""
    times = frame_times(len(clip.gap), clip.fps)
    low, high = np.percentile(clip.gap, (2, 90))
    first, last = clip.phones.spoken or (0.0, 0.0)
    moments: Sequence[float] = [first + one for one in BEFORE] + [last + one for one in AFTER]
    return np.interp(moments, times, (clip.gap - low) / max(high - low, 1e-9), left=np.nan, right=np.nan)


def closed_in_silence(clip: FilmedClip) -> float:
    """Correlation of the film's opening with itself, closed before the first and after the last phone."""
    times, (first, last) = frame_times(len(clip.gap), clip.fps), clip.phones.spoken or (0.0, 0.0)
    closed = np.where((times >= first) & (times <= last), clip.gap, np.percentile(clip.gap, 2))
    return correlation(closed, clip.gap)


if __name__ == "__main__":
    main()
