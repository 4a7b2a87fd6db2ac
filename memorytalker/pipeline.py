"""From a voice to a talking head: sound -> slots and style -> memory -> motion -> mesh.

`animate` and `stream` share one implementation: sound is cut into overlapping windows (`windows.py`), so the result
does not depend on the chunks in which it arrives. A `Talker` keeps no state between calls. Optional layers change the
predicted motion (`styles/layers.py`): closing the mouth in silence, expression, style, and turns of the head.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import torch

from memorytalker.animation import Animation, EncodedSound, MotionPiece, known_sound
from memorytalker.config import ModelConfig
from memorytalker.cores import limit_threads
from memorytalker.devices import choose_device
from memorytalker.encoding import encode_sounds, in_groups
from memorytalker.errors import TalkerError
from memorytalker.exports.take import Provenance
from memorytalker.face.expression import missing_shapes
from memorytalker.face.head import HeadMesh, load_head
from memorytalker.face.head_motion import HeadMotion, motion_of_curves
from memorytalker.face.mesh_files import expected_mesh, head_for
from memorytalker.face.motion_space import space_of
from memorytalker.face.mouth_contacts import mouth_contacts
from memorytalker.face.own_head import load_own_head
from memorytalker.live_motion import live_pieces
from memorytalker.live_weights import load_live
from memorytalker.models.live import LiveNetwork
from memorytalker.models.talker import MemoryTalker
from memorytalker.options import AnimateChanges, AnimateOptions
from memorytalker.progress import Progress
from memorytalker.sound.decode import AudioError, Waveform, load_waveform
from memorytalker.styles.arousal import Estimates, VoiceArousal, load_arousal
from memorytalker.styles.choosing import OWN_VOICE, StyleSource, chosen_style, sound_name
from memorytalker.styles.delivery import DeliveryTrack
from memorytalker.styles.layers import Layers, track_of
from memorytalker.styles.live_delivery import live_style
from memorytalker.styles.recordings import LONGEST_SECONDS, Recording, read_recordings
from memorytalker.styles.slot_weights import Sound, Weigher, slot_weights, weigher
from memorytalker.styles.style import Style
from memorytalker.weights import find_weights, load_weights, read_manifest
from memorytalker.windows import checked_chunk, cut_windows, faded_motion, frame_count, window_frames

Logits = list[np.ndarray] | None  # of windows, as `faded_motion` takes and fills them

#: What no face does: an offset of a vertex, and a coordinate in the head's basis, both in metres. A wide open jaw has a
#: coordinate of about a metre.
LARGEST_OFFSET, LARGEST_COORDINATE = 10.0, 100.0


@dataclass(frozen=True, eq=False)
class _Chosen:
    """What an animation is made with, checked: style, options, what both change, the head, and the style weights."""

    style: Any
    options: AnimateOptions
    track: DeliveryTrack | None
    head: HeadMesh
    weigh: Weigher


class Talker:
    """A model and a head on a device. Safe to share between threads: it keeps no state between calls.

    Args:
        model: the network; it is moved to the device and set to evaluation mode.
        head: the mesh that the network moves (`mesh_files.head_for` finds it by number of vertices), or one of the
            user's own with morph targets (`own_head.load_own_head`), which curves move.
        device: a torch device or its name: "cpu", "cuda" or "mps".
        model_digest: sha256 of the weights, which exported files name; "" if it is not known.

    Raises:
        HeadError: a model whose basis of motion the shipped head does not have.
        TalkerError: a model with another number of vertices, or windows no longer than their overlap.
    """

    def __init__(
        self, model: MemoryTalker, head: HeadMesh, device: str | torch.device = "cpu", model_digest: str = ""
    ) -> None:
        config = model.config
        self.space = space_of(config.basis, config.coordinates)
        rigged = head.rig is not None and bool(self.space.shapes)
        if not rigged and self.space.vertex_count != head.vertex_count:
            raise TalkerError(
                f"These weights move {self.space.vertex_count} vertices but the head has {head.vertex_count}; "
                f"give the head of {expected_mesh(self.space.vertex_count)}, or weights for this head."
            )
        window, overlap = window_frames(config)
        if not 0 <= overlap < window:
            raise TalkerError("The configuration's overlap_seconds must be shorter than its window_seconds.")
        self.device = torch.device(device)
        self.model = model.to(self.device).eval()
        self.head = head
        self._base = load_head() if rigged else None  # the head whose motion is carried over to one of the user's own
        self.model_digest = model_digest

    @classmethod
    def from_pretrained(
        cls, source: str | Path | None = None, device: str | None = None, head: HeadMesh | str | Path | None = None
    ) -> Talker:
        """Load weights, and the head they move.

        Args:
            source: a weights folder, or owner/name@commit on the model hub; None: the shipped open model.
            device: "cuda", "mps" or "cpu"; None: the first of these that is available.
            head: a head, or the file of one: .glb, .gltf or .vrm with morph targets, or .ply or .obj in the vertex
                order of the mesh that the weights move; None: the shipped head.

        Returns:
            A talker.

        Raises:
            WeightsError: missing or damaged weights.
            HeadError: these weights do not fit the shipped head, or the head's file cannot be used.
            TalkerError: these weights do not fit `head`, or the device is not available.
        """
        limit_threads()
        folder = find_weights(source)
        model, digest = load_weights(folder), read_manifest(folder).sha256
        count = space_of(model.config.basis, model.config.coordinates).vertex_count
        if head is None:
            head = head_for(count)
        elif not isinstance(head, HeadMesh):
            head = load_own_head(head, count)
        return cls(model, head, choose_device(device), digest)

    @property
    def config(self) -> ModelConfig:
        """Sizes, rates and slot labels of the model."""
        return self.model.config

    @property
    def mean_style(self) -> np.ndarray:
        """Style weights (n,) float32 of the average training speaker, the reference for a person's weights."""
        return self.model.style_mean.cpu().numpy()

    def animate(
        self,
        sound: Sound,
        style: Style | Sound | np.ndarray | StyleSource | None = OWN_VOICE,
        *,
        encoded: EncodedSound | None = None,
        options: AnimateOptions = AnimateOptions(),
        progress: Progress | None = None,
        **changes: Unpack[AnimateChanges],
    ) -> Animation:
        """Animate the head with a sound of any length.

        Args:
            sound: a path, a pair (samples, rate in Hz) or a Waveform, as `load_waveform` takes it.
            style: the speaking style: a `Style` or its file, another such sound, the name of a preset, style weights
                (n,), 'neutral' or None for the neutral style; 'own', the default, is that of the sound itself.
            encoded: of an earlier `Animation` of this sound, which is then not encoded again; the result is the same.
                That of another sound or model is left aside.
            options: all other options.
            progress: called as progress(frames done, frames in total, "motion") after each window.
            changes: fields of AnimateOptions as keywords; they replace those of `options`.

        Returns:
            The animation at `config.fps` frames per second: T = seconds times fps, rounded, at least 1.

        Raises:
            ArousalError: `voice_arousal` with weights that its estimate was not learned from.
            AudioError: a sound that cannot be read, is shorter than 0.1 s or too long.
            ConfigError: an option out of range, or a style from sound for a model that knows its speakers by label.
            HeadError: an identity that the head does not have.
            StyleError: a style that weights the slots of another model.
            TalkerError: style weights of the wrong shape; expression, or a style that changes curves, on a head without
                blendshapes; turns of a head of the user's own.
            TypeError: a keyword that is no option.
        """
        chosen = self._chosen(style, options.changed(**changes))
        waveform = load_waveform(sound)
        known = known_sound(encoded, waveform.samples, self.model_digest)
        return self._animation(sound, waveform, chosen, known, progress)

    def animate_many(
        self,
        sounds: Iterable[Sound],
        style: Style | Sound | np.ndarray | StyleSource | None = OWN_VOICE,
        *,
        options: AnimateOptions = AnimateOptions(),
        **changes: Unpack[AnimateChanges],
    ) -> Iterator[Animation]:
        """Animate many sounds. Short ones pass the speech encoder together, which takes less time.

        Args:
            sounds: each as in `animate`. At most nine are held at a time.
            style: as in `animate`; 'own', the default, is that of each sound itself.
            options: as in `animate`.
            changes: as in `animate`.

        Returns:
            An iterator of one animation for each sound, in their order, within 1e-6 m of those of `animate`.

        Raises:
            AudioError: as in `animate`; raised while iterating, after the animations of all sounds before.
            ArousalError, ConfigError, HeadError, StyleError, TalkerError, TypeError: as in `animate`; raised before any
                sound is taken.
        """
        chosen = self._chosen(style, options.changed(**changes))
        self._layers(chosen.options, chosen.track)  # which are refused now
        read = ((sound, load_waveform(sound)) for sound in sounds)

        def animations() -> Iterator[Animation]:
            for group in in_groups(read, lambda each: len(each[1].samples), self.config):
                known = encode_sounds(self.model, [waveform.samples for _, waveform in group], self.model_digest)
                for (sound, waveform), encoded in zip(group, known, strict=True):
                    yield self._animation(sound, waveform, chosen, encoded)

        return animations()

    def stream(
        self,
        chunks: Iterable[np.ndarray],
        style: Style | Sound | np.ndarray | StyleSource | None = OWN_VOICE,
        *,
        options: AnimateOptions = AnimateOptions(),
        **changes: Unpack[AnimateChanges],
    ) -> Iterator[MotionPiece]:
        """Yield motion window by window while sound arrives. This is not live: a piece waits for its whole window.

        With the shipped weights the first piece, ten seconds of motion, is yielded after twelve seconds of sound
        (`config.window_seconds`, less `config.overlap_seconds`), then one every ten seconds, and the rest at the end.
        Given the same style, the pieces are bit for bit the frames of `animate`, whatever the size of the chunks.

        Args:
            chunks: samples (s,), float in [-1, 1], 16 kHz, mono, of any size. They are used as they are: a constant
                offset, which `animate` removes, stays.
            style: as in `animate`, but the voice's own weights are those of the first window, since the rest has not
                arrived.
            options: as in `animate`.
            changes: as in `animate`.

        Returns:
            An iterator of consecutive pieces.

        Raises:
            AudioError: a chunk that is no such array, or no sound at all; raised while iterating.
            ConfigError, HeadError, StyleError, TalkerError, TypeError: as in `animate`; raised before any chunk is
                taken.
        """
        chosen = self._chosen(style, options.changed(**changes))
        layers = self._layers(chosen.options, chosen.track)
        return self._motion(map(checked_chunk, chunks), chosen.weigh, chosen.head, layers)

    def live(
        self,
        chunks: Iterable[np.ndarray],
        style: Style | Sound | np.ndarray | None = None,
        *,
        head: HeadMesh | str | Path | None = None,
        weights: str | Path | LiveNetwork | None = None,
    ) -> Iterator[MotionPiece]:
        """Yield motion while somebody speaks, a ninth of a second after the sound, by the live network.

        It is a small network that learned the answers of the open model. A frame comes as soon as the sound up to
        `network.config.grid.lookahead` seconds after its time has arrived; at the end the rest comes at once. The
        pieces are bit for bit the same frames, whatever the size of the chunks.

        Args:
            chunks: as in `stream`.
            style: as in `animate`, but for 'own', which is not known before somebody speaks; of a `Style` or a preset
                what it leaves to the voice is neutral, and the head does not turn. None is the neutral style.
            head: the head that moves, or its file, as `from_pretrained` takes it; None: the talker's own.
            weights: of the live network: a folder, or the network itself; None: the shipped ones.

        Returns:
            An iterator of consecutive pieces, which are moved by curves.

        Raises:
            AudioError: a chunk that is no such array, or no sound at all; raised while iterating.
            ConfigError, HeadError, StyleError, TalkerError: as in `stream`; raised before any chunk is taken.
            WeightsError: there are no such live weights.
        """
        network = weights if isinstance(weights, LiveNetwork) else load_live(weights)
        if network.config.slots != self.config.slots:
            raise TalkerError("These live weights have other memory slots than the talker; use those of one version.")
        if head is None or isinstance(head, HeadMesh):
            chosen = head or self.head
        else:
            chosen = load_own_head(head, self.space.vertex_count)
        if not chosen.blendshape_names:
            raise TalkerError("This head has no blendshapes, which live motion needs; use the shipped head.")
        style = chosen_style(style)
        if isinstance(style, Style):
            given, delivery = live_style(style, chosen, self.config.slots)
        else:
            given, delivery = self.style_of(style), None
        return live_pieces(network, chosen, map(checked_chunk, chunks), given, delivery)

    def style_of(self, sound: Style | Sound | np.ndarray | None) -> np.ndarray:
        """Encode the speaking style of a sound as one weight per memory slot.

        Args:
            sound: a path, a pair (samples, rate in Hz) or a Waveform; None: the neutral style; an array: style weights
                (n,), which are checked and returned; a `Style` with slot weights of its own.

        Returns:
            Style weights (n,) float32, ones for the neutral style. For a sound longer than a minute, the mean over
            equal pieces of at most a minute.

        Raises:
            AudioError: a sound that cannot be used.
            ConfigError: a model that knows its speakers by label and has no style encoder.
            StyleError: a style that leaves the slot weights to the voice.
            TalkerError: style weights of the wrong shape, not finite or absurdly large.
        """
        return slot_weights(self.model, sound)

    def arousal_of(self, sound: Sound) -> Estimates:
        """Estimate how excited a voice sounds, as `voice_arousal` of `animate` follows it.

        Args:
            sound: as in `animate`.

        Returns:
            (first frame, -1, calm, to 1, excited) of each window of the sound.

        Raises:
            ArousalError, AudioError: as in `animate`.
        """
        windows = cut_windows([load_waveform(sound).samples], self.config)
        return VoiceArousal(self.model, load_arousal(self.model), self.config.fps).of_all(windows)

    def adapt(
        self,
        takes: str | Path | Recording | Iterable[str | Path | Recording],
        *,
        name: str = "",
        progress: Progress | None = None,
        longest_seconds: float = LONGEST_SECONDS,
    ) -> Style:
        """Learn the speaking style of one person from ten seconds to ten minutes of recordings.

        Args:
            takes: a folder, videos of the face with sound, or files of face curves (.csv, .json, .npz) with a sound of
                the same name beside each.
            name: of the style.
            progress: called as progress(steps done, steps in total, stage).
            longest_seconds: more than that together is refused.

        Returns:
            The style; `style.report` has the error before and after, on a third that it was not learned from.

        Raises:
            AdaptError: too little, sound that is not that of the motion, or a style that is not better.
            AudioError, CurveFileError: a file that cannot be read.
            TalkerError: weights that move another head than the shipped one.
        """
        from memorytalker.styles.adapt import adapt_style

        if not self.space.shapes:
            raise TalkerError("These weights move a head without blendshapes; face curves cannot teach them a style.")
        recordings = read_recordings(takes, progress, longest_seconds)
        return adapt_style(self.model, self._base or self.head, self.space, recordings, name, progress=progress)

    def slot_face(self, slot: int | str, style_weights: np.ndarray | None = None) -> np.ndarray:
        """Return the face that a memory slot stores: the head while speech addresses that slot.

        Args:
            slot: its number from 0, or its label, such as "aa".
            style_weights: (n,) as `style_of` returns them; None: the neutral style.

        Returns:
            Vertices (V, 3) float32 in metres, y up.

        Raises:
            ConfigError: no such slot.
            TalkerError: style weights of the wrong shape.
        """
        weights = torch.tensor(self.style_of(style_weights), device=self.device)
        coordinates = self.model.slot_coordinates(self.config.slot_index(slot), weights).cpu().numpy()
        motion = HeadMotion(self._base or self.head, self.space, coordinates[None], self.config.fps)
        return self._carried(motion, self.head)[0]

    def _chosen(self, style: Any, options: AnimateOptions) -> _Chosen:
        style = chosen_style(style)
        track, head = self._track(style, options), self._head(options.identity)
        return _Chosen(style, options, track, head, weigher(self.model, style, options.style_blend))

    def _animation(
        self, sound: Any, waveform: Waveform, chosen: _Chosen, known: EncodedSound, progress: Progress | None = None
    ) -> Animation:
        """The animation of a sound that was read, from what is known of it."""
        layers, logits = self._layers(chosen.options, chosen.track, known.arousal), list(known.logits)
        weights = chosen.weigh(waveform.samples)
        total = frame_count(len(waveform.samples), self.config)
        pieces = []
        for piece in self._motion([waveform.samples], lambda _: weights, chosen.head, layers, logits):
            pieces.append(piece)
            if progress is not None:
                progress(piece.first_frame + len(piece.motion), total, "motion")
        return Animation(
            motion=HeadMotion.joined([piece.motion for piece in pieces]),
            memory_address=np.concatenate([piece.memory_address for piece in pieces]),
            style_weights=pieces[0].style_weights,
            slot_labels=self.config.slots,
            waveform=waveform,
            provenance=self._provenance(sound, chosen, layers.head_turns is not None),
            encoded=dataclasses.replace(
                known, logits=tuple(logits), arousal=layers.arousal.estimates if layers.arousal else known.arousal
            ),
        )

    def _motion(
        self, chunks: Iterable[np.ndarray], weigh: Weigher, head: HeadMesh, layers: Layers, logits: Logits = None
    ) -> Iterator[MotionPiece]:
        """Turn checked samples into pieces of motion, in the style weights that `weigh` gives for the first window."""
        windows = cut_windows(chunks, self.config)
        first = next(windows, None)
        if first is None:
            raise AudioError("The stream ended without any sound; give at least one chunk of samples.")
        weights = weigh(first.samples)
        given = None if (weights == 1).all() else torch.tensor(weights, device=self.device)[None]
        tracked = layers.follow(itertools.chain([first], windows))
        largest = LARGEST_COORDINATE if self.config.basis else LARGEST_OFFSET
        for frame, coordinates, address in faded_motion(self.model, tracked, given, logits):
            if not (np.abs(coordinates) <= largest).all():  # nan is not
                raise TalkerError("These weights move the face by metres or are damaged; fetch them again.")
            coordinates, expression = layers.apply(frame, coordinates)
            motion = HeadMotion(self._base or head, self.space, coordinates, self.config.fps, expression)
            motion = layers.deliver(frame, motion)
            yield MotionPiece(frame, self._carried(motion, head), address, weights)

    def _carried(self, motion: HeadMotion, head: HeadMesh) -> HeadMotion:
        """The motion on `head`: one of the user's own is moved by the curves that the shipped head's motion makes."""
        return motion if self._base is None else motion_of_curves(head, motion.curves)

    def _provenance(self, sound: Any, chosen: _Chosen, turning: bool) -> Provenance:
        style, options = chosen.style, chosen.options
        return Provenance(
            source=sound_name(sound),
            head=chosen.head.identity,
            model=self.model_digest,
            style="own voice" if style is OWN_VOICE else "neutral" if style is None else sound_name(style),
            seed=options.seed if options.expression or turning else None,
        )

    def _track(self, style: Any, options: AnimateOptions) -> DeliveryTrack | None:
        """What is changed after the network, from moment to moment; None: nothing."""
        track = track_of(style if isinstance(style, Style) else Style(), options)
        if track is None:
            return None
        if (track.changes_curves or options.voice_arousal) and not self.space.shapes:
            raise TalkerError("These weights move a head without blendshapes, so only a voice can give it a style.")
        if track.turns and (self._base is not None or not self.space.shapes):
            raise TalkerError("Only the shipped head turns on its neck; leave head_motion at 0, or use that head.")
        return track

    def _layers(self, options: AnimateOptions, track: DeliveryTrack | None, known: Estimates = ()) -> Layers:
        fps = self.config.fps
        if options.expression and missing_shapes(self._base or self.head):
            raise TalkerError("This head cannot move eyes and brows; leave expression off, or use the shipped head.")
        changing = track is not None and (track.changes_curves or options.voice_arousal)
        contacts = mouth_contacts(self._base or self.head) if changing else None
        arousal = VoiceArousal(self.model, load_arousal(self.model), fps, known) if options.voice_arousal else None
        return Layers.chosen(fps, self.config.sample_rate, options, track, contacts, arousal)

    def _head(self, identity: str | None) -> HeadMesh:
        return self.head if identity is None else self.head.with_identity(identity)
