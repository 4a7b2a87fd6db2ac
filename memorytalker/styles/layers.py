"""The optional layers over the predicted motion of one sound: closed in silence, expression, style, turns of the head.

All of them follow the prosody as it arrives and never revise what they did, so that a stream and the whole sound give
the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from memorytalker.face.expression import Expression
from memorytalker.face.head_motion import HeadMotion, motion_of_curves
from memorytalker.face.head_turns import HeadTurns
from memorytalker.face.motion import FaceCurves, silence_gain, smoothed
from memorytalker.face.mouth_contacts import MouthContacts
from memorytalker.face.neck import LARGEST_ANGLE
from memorytalker.options import AnimateOptions
from memorytalker.sound.prosody import Prosody, ProsodyTracker
from memorytalker.styles.arousal import VoiceArousal, with_arousal
from memorytalker.styles.delivery import EASE_SECONDS, DeliveryTrack, delivered
from memorytalker.styles.style import Style
from memorytalker.windows import Window


@dataclass(frozen=True, eq=False)
class Layers:
    """The layers over the motion of one sound; they hold plans, so they serve one sound. Without a tracker none
    follows the voice.

    Args:
        tracker: of the prosody.
        expression: blinks, glances and brows.
        close_in_silence: whether the mouth is closed in silence.
        track: what a style does.
        contacts: of the head's mouth, if the track changes curves.
        head_turns: nods and sway.
        arousal: of the voice, which scales moods and brows.
    """

    tracker: ProsodyTracker | None = None
    expression: Expression | None = None
    close_in_silence: bool = False
    track: DeliveryTrack | None = None
    contacts: MouthContacts | None = None
    head_turns: HeadTurns | None = None
    arousal: VoiceArousal | None = None

    @classmethod
    def chosen(
        cls,
        fps: float,
        sample_rate: int,
        options: AnimateOptions,
        track: DeliveryTrack | None = None,
        contacts: MouthContacts | None = None,
        arousal: VoiceArousal | None = None,
    ) -> Layers:
        """Make the layers that options and a style ask for."""
        turning, feeling = track is not None and track.turns, track is not None and track.feels
        needed = options.expression or options.close_in_silence or turning or feeling
        return cls(
            tracker=ProsodyTracker(fps, sample_rate) if needed else None,
            expression=Expression(fps, options.seed) if options.expression else None,
            close_in_silence=bool(options.close_in_silence),
            track=track,
            contacts=contacts,
            head_turns=HeadTurns(fps, options.seed) if turning else None,
            arousal=arousal,
        )

    def follow(self, windows: Iterable[Window]) -> Iterator[Window]:
        """Pass the windows on, each after its prosody has been tracked."""
        for window in windows:
            if self.tracker is not None:
                self.tracker.track(window.samples, window.first, window.frames)
            if self.arousal is not None:
                self.arousal.follow(window.first, window.samples)
            yield window

    def apply(self, first: int, coordinates: np.ndarray) -> tuple[np.ndarray, FaceCurves | None]:
        """Apply the layers to the coordinates (t, K) of the frames from `first` on; the curves of the expression."""
        if self.tracker is None:
            return coordinates, None
        prosody = self.tracker.prosody
        if self.close_in_silence:
            past = min(first, round(prosody.fps))  # a second of history is enough: the mouth closes faster than that
            gain = silence_gain(prosody.quiet[first - past :], prosody.fps)[past : past + len(coordinates)]
            coordinates = coordinates * gain[:, None]
        if self.expression is None:
            return coordinates, None
        return coordinates, self.expression.curves(first, len(coordinates), prosody)

    def deliver(self, first: int, motion: HeadMotion) -> HeadMotion:
        """Change the curves of the frames from `first` on as the style says, and turn the head."""
        if self.track is None:
            return motion
        frames, fps = len(motion), motion.fps
        if self.contacts is not None:
            speaking = np.ones(frames) if self.tracker is None else speech_share(self.tracker.prosody, first, frames)
            values = self.track.values(first, frames, fps)
            if self.arousal is not None:
                values = with_arousal(values, self.arousal.values(first, frames))
            curves = delivered(values, motion.curves, self.contacts, speaking)
            motion = motion_of_curves(motion.head, curves)
        if self.head_turns is not None and self.tracker is not None:
            turns = self.head_turns.angles(first, frames, self.tracker.prosody)
            strength = self.track.head_strength(first, frames, fps)
            motion = dataclasses.replace(
                motion, turns=np.clip(strength[:, None] * turns, -LARGEST_ANGLE, LARGEST_ANGLE)
            )
        return motion


def track_of(style: Style, options: AnimateOptions) -> DeliveryTrack | None:
    """Return what a style and options change after the network, from moment to moment; None: nothing."""
    if options.style_blend < 1:
        style = Style().blended(dataclasses.replace(style, slot_weights=()), float(options.style_blend))
    deliveries = style.deliveries
    if options.mood is not None:
        moods = {options.mood: float(options.mood_strength)}
        deliveries = tuple(dataclasses.replace(each, moods=moods) for each in deliveries)
    if options.head_motion is not None:
        turns = float(options.head_motion)
        deliveries = tuple(dataclasses.replace(each, head_motion=turns) for each in deliveries)
    track = DeliveryTrack(deliveries)
    return track if track.changes_curves or track.turns or options.voice_arousal else None


def speech_share(prosody: Prosody, first: int, frames: int) -> np.ndarray:
    """Return how much somebody speaks, from 0 in silence to 1: (frames,), eased over `EASE_SECONDS`.

    It sees two seconds before and after the frames, as far as they are known.
    """
    reach = round(2 * prosody.fps)
    low = max(0, first - reach)
    gain = silence_gain(prosody.quiet[low : first + frames + reach], prosody.fps)
    return np.clip(smoothed(gain, prosody.fps, EASE_SECONDS / 2)[first - low : first - low + frames], 0.0, 1.0)
