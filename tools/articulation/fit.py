"""Fit the viseme table to tracked faces: `tools/articulation/fit.py ROOT CORPUS` writes articulation/visemes.json.

The table is fitted to the tracked clips of the corpus's `train` split whose words are known; every eighth clip is held
out. Gradient descent fits targets, strengths, widths, shifts and reductions together. Figures are printed for the table
before and after the fit: on the held-out clips, and on a second person who is never fitted. It takes a few minutes on
one core.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from memorytalker.articulation.coarticulation import LONGEST, ORDINARY, SHORTEST, SHOULDER
from memorytalker.articulation.visemes import GROUPS, VisemeTable, load_visemes
from memorytalker.corpus.build import FPS, mouth_geometry
from memorytalker.face.head import HeadMesh, load_head
from memorytalker.phones import ENGLISH
from tools.articulation.videos import TrackedClip, compare, openings, read_tracked_clips

SHAPES = {
    "jaw": "jawOpen mouthClose mouthLowerDownLeft mouthLowerDownRight mouthShrugLower mouthRollLower",
    "rounding": "mouthFunnel mouthPucker",
    "lips": "mouthRollUpper mouthShrugUpper mouthUpperUpLeft mouthUpperUpRight mouthSmileLeft mouthSmileRight "
    "mouthStretchLeft mouthStretchRight mouthFrownLeft mouthFrownRight mouthDimpleLeft mouthDimpleRight "
    "mouthPressLeft mouthPressRight",
}
#: Phones that share strengths, widths, shifts and reduction, but for what their own clips show otherwise.
CLASSES = {
    "silence": "sil", "bilabial": "b m p", "labiodental": "f v", "dental": "dh th", "sibilant": "s z sh zh ch jh",
    "alveolar": "t d n l", "back": "k g ng hh", "glide": "w r y er", "open": "aa ae ah ao aw ay eh ey",
    "close": "ih iy", "round": "ow oy uh uw",
}  # fmt: skip
#: A phone seen for fewer frames than this leans on another that looks like it.
RARE = 200
LIKE = {"zh": "sh", "sh": "ch", "ch": "jh", "oy": "ao", "uh": "uw", "ng": "n", "aw": "ay", "ao": "aa", "aa": "ay",
        "y": "iy", "g": "k", "ah": "eh", "hh": "ah", "er": "ah", "th": "d", "dh": "d"}  # fmt: skip
#: Phones that the clips' few words show only beside one strong neighbour (with, three, white): never taken from there.
CONFOUNDED = ("hh", "er", "th", "dh")
#: The jaw's largest target for sibilants, whose teeth stay near; cut off after the fit, lips as fitted.
TEETH_NEAR = 0.15
#: Bounds of widths and of shifts, seconds.
WIDTHS, FURTHEST_SHIFT = (0.015, 0.3), 0.08
#: Weights of the misfits, as shares of the clip's variance: curves, lip opening, lip width, and how far the sorted
#: gaps and widths lie from the clip's (least squares alone would move less than people do).
CURVES, GAP, WIDTH, AMPLITUDE = 1.0, 1.0, 0.5, 1.0
#: Costs of squared targets and of whatever sets a phone apart from its class.
RIDGE, OWN = 1e-3, 0.03


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path, help="the source folder")
    parser.add_argument("corpus", type=Path, help="a corpus; what is missing of its tracked clips is made there")
    parser.add_argument("--steps", type=int, default=400, help="steps of gradient descent (default: %(default)s)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    head = load_head()
    clips, unseen = read_tracked_clips(options.root, options.corpus, head, shape_names())
    sets = {"held out": clips[::8], "unseen": unseen}
    fitted = [clip for number, clip in enumerate(clips) if number % 8]
    print(f"{len(fitted)} clips fitted; held out: {len(clips) - len(fitted)} of his own, {len(unseen)} of another's")
    before = figures(load_visemes(), sets, head)
    table = fit(fitted, head, options.steps)
    after = figures(table, sets, head)
    print("| figure |" + "".join(f" {name}, before | after |" for name in sets))
    for key in after["held out"]:
        cells = [f" {before[name].get(key, 0):.3f} | {after[name].get(key, 0):.3f} |" for name in sets]
        print(f"| {key} |" + "".join(cells))
    values = {
        "fitted_to": f"{len(fitted)} tracked clips of one speaker, GRID s1 (Cooke et al. 2006)",
        **table.to_json(),
    }
    target = Path(__file__).resolve().parents[2] / "memorytalker" / "articulation" / "visemes.json"
    target.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {target.name}")


def figures(table: VisemeTable, sets: dict[str, list[TrackedClip]], head: HeadMesh) -> dict[str, dict[str, float]]:
    """`compare` of every set."""
    geometry = mouth_geometry(head, table.shapes)
    return {name: compare(table, clips, head, geometry) for name, clips in sets.items()}


def shape_names() -> tuple[str, ...]:
    """The mouth shapes of the table, group by group."""
    return tuple(name for group in GROUPS for name in SHAPES[group].split())


class Articulation(torch.nn.Module):
    """The dominance model over a batch of clips, as `coarticulation.activations` has it, with all that is fitted."""

    def __init__(self) -> None:
        super().__init__()
        shapes, groups, phones = shape_names(), len(GROUPS), len(ENGLISH.phones)
        kinds = {phone: number for number, members in enumerate(CLASSES.values()) for phone in members.split()}
        self.kind = torch.tensor([kinds[phone] for phone in ENGLISH.phones])
        self.group = torch.tensor([number for number, name in enumerate(GROUPS) for _ in SHAPES[name].split()])
        self.target = torch.nn.Parameter(torch.full((phones, len(shapes)), 0.05))
        self.effort = torch.nn.Parameter(torch.zeros(phones, len(shapes)))
        # strength, before and after as logarithms, shift, reduction
        start = torch.tensor([0.0, np.log(0.08), np.log(0.08), 0.0, 0.0], dtype=torch.float32)
        self.common = torch.nn.Parameter(start[:, None, None].repeat(1, len(CLASSES), groups))
        self.own = torch.nn.Parameter(torch.zeros(5, phones, groups))

    def dominance(self) -> dict[str, torch.Tensor]:
        """strength, before, after, shift, reduction (P, G)."""
        strength, before, after, shift, reduction = self.common[:, self.kind] + self.own
        low, high = np.log(WIDTHS)
        return {
            "strength": strength.exp(), "before": before.clamp(low, high).exp(), "after": after.clamp(low, high).exp(),
            "shift": FURTHEST_SHIFT * torch.tanh(shift), "reduction": reduction,
        }  # fmt: skip

    def targets(self) -> tuple[torch.Tensor, torch.Tensor]:
        """(P, S) target and effort; silence is the face at rest, by definition."""
        speech = torch.ones(len(ENGLISH.phones), 1)
        speech[0] = 0
        return self.target * speech, self.effort * speech

    def forward(self, start: torch.Tensor, end: torch.Tensor, index: torch.Tensor, loud: torch.Tensor) -> torch.Tensor:
        """Curves (B, T, S) for phones (B, N), padded with phones of no length, index -1, and loudness (B, T)."""
        times = ((torch.arange(loud.shape[1]) + 0.5) / FPS)[None, :, None]
        length, phone = (end - start)[:, None], index.clamp(min=0)
        longer = torch.log(length.clamp(SHORTEST, LONGEST) / ORDINARY)
        dominance, (target, effort) = self.dominance(), self.targets()
        curves = torch.zeros(*loud.shape, len(self.group))
        for group in range(len(GROUPS)):
            strength, before, after, shift, reduction = (value[phone, group][:, None] for value in dominance.values())
            ahead = torch.relu(start[:, None] + SHOULDER * length + shift - times)
            behind = torch.relu(times - (end[:, None] - SHOULDER * length + shift))
            pull = strength.log() + reduction * longer - ahead / before - behind / after
            share = torch.softmax(pull.masked_fill(index[:, None] < 0, -torch.inf), dim=-1)
            of_group = torch.nonzero(self.group == group)[:, 0]
            column = share @ target[:, of_group][phone] + loud[..., None] * (share @ effort[:, of_group][phone])
            curves = curves.index_copy(2, of_group, column)
        return curves


def fit(clips: list[TrackedClip], head: HeadMesh, steps: int) -> VisemeTable:
    """Fit the table to the clips' motion with Adam and one cycle of the learning rate."""
    model, batch = Articulation(), padded(clips)
    loss = misfit(clips, head)
    optimizer = torch.optim.Adam([{"params": [model.target, model.effort]}, {"params": [model.common, model.own]}])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, [0.02, 0.06], total_steps=steps)
    for number in range(steps):
        optimizer.zero_grad()
        cost = RIDGE * (model.target.square().mean() + model.effort.square().mean() + model.common[0].square().mean())
        cost = cost + OWN * model.own.square().mean() + RIDGE * model.common[4].square().mean()
        error = loss(model(*batch))
        (error + cost).backward()
        optimizer.step()
        schedule.step()
        if number % 100 == 99:
            print(f"  step {number + 1}: misfit {error.item():.4f}", flush=True)
    return table_of(model, clips)


def padded(clips: list[TrackedClip]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """start, end, index (B, N) and loudness (B, T); phones that are not there have index -1."""
    most = max(len(clip.phones.start) for clip in clips)
    rows = []
    for name, absent in (("start", 0.0), ("end", 0.0), ("index", -1)):
        values = [getattr(clip.phones, name) for clip in clips]
        rows.append(np.stack([np.pad(value, (0, most - len(value)), constant_values=absent) for value in values]))
    loud = np.stack([clip.effort for clip in clips])
    start, end = (torch.tensor(row, dtype=torch.float32) for row in rows[:2])
    return start, end, torch.tensor(rows[2]), torch.tensor(loud, dtype=torch.float32)


def misfit(clips: list[TrackedClip], head: HeadMesh):  # noqa: ANN201 - a closure over the clips
    """A function of curves (B, T, S): how far they are from the clips', over the frames that speak."""
    spoken = torch.tensor(np.stack([clip.speaking() | after_speech(clip) for clip in clips]))
    target = torch.tensor(np.stack([clip.curves for clip in clips]), dtype=torch.float32)[spoken]
    shapes = shape_names()
    unit = np.concatenate([np.zeros((1, len(shapes))), np.eye(len(shapes))])
    gap = mouth_geometry(head, shapes).gap
    width = openings(head, shapes, unit)[1]
    lines = torch.tensor(np.stack([gap / np.abs(gap).max(), width[1:] - width[0]], 1), dtype=torch.float32)  # (S, 2)
    tracked, weights = target @ lines, torch.tensor([GAP, WIDTH])

    def loss(curves: torch.Tensor) -> torch.Tensor:
        made = curves[spoken]
        measured = made @ lines
        near = (measured - tracked).square().mean(0) / tracked.var(0)
        sizes = (measured.sort(0).values - tracked.sort(0).values).square().mean(0) / tracked.var(0)
        return (
            CURVES * (made - target).square().mean() / target.var() + (weights * near).sum() + AMPLITUDE * sizes.sum()
        )

    return loss


def after_speech(clip: TrackedClip) -> np.ndarray:
    """(T,) True after the last phone; before the first, people breathe and lick their lips, and nothing is fitted."""
    times = (np.arange(len(clip.curves)) + 0.5) / FPS
    return times > clip.phones.start[clip.phones.index > 0].max()


def table_of(model: Articulation, clips: list[TrackedClip]) -> VisemeTable:
    """The fitted values as a table; phones that the clips hardly hold take the targets of one that looks like them."""
    with torch.no_grad():
        target, effort = (value.numpy().astype(float) for value in model.targets())
        dominance = {name: value.numpy().astype(float) for name, value in model.dominance().items()}
    frames = np.zeros(len(ENGLISH.phones))
    for clip in clips:
        np.add.at(frames, clip.phones.index, FPS * (clip.phones.end - clip.phones.start))
    filled, strain = target.copy(), effort.copy()
    for phone in LIKE:
        other, hops = phone, 0
        while (other in CONFOUNDED or frames[ENGLISH.index(other)] < RARE) and other in LIKE and hops < 4:
            other, hops = LIKE[other], hops + 1
        filled[ENGLISH.index(phone)] = target[ENGLISH.index(other)]
        strain[ENGLISH.index(phone)] = effort[ENGLISH.index(other)]
    sibilants, jaw = ENGLISH.indices(ENGLISH.sibilants), shape_names().index("jawOpen")
    filled[sibilants, jaw] = np.minimum(filled[sibilants, jaw], TEETH_NEAR)
    return VisemeTable(shape_names(), model.group.numpy(), filled, strain, **dominance)


if __name__ == "__main__":
    main()
