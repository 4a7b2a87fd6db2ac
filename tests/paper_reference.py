"""The paper authors' own numbers, small enough for every clone: see fixtures/parity/README.md.

What is learned by nobody is not stored: inputs, and the weights of the style encoder, are draws of torch's generator
(mt19937) and are drawn again, to the bit. `python tests/paper_reference.py FILE` makes the fixture from the full
reference.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

FIXTURE = Path(__file__).resolve().parent / "fixtures" / "parity" / "reference.npz"
SETS = ("biwi", "vocaset")
LOSSES = {1: ("mse", "velocity", "memory", "align"), 2: ("mse", "velocity", "lip", "style")}
#: Stage -> seed, and how many numbers the generator had given before the inputs were drawn.
DRAWN = {1: (11, 9_736), 2: (12, 3_708_968)}
#: The same before the style encoder's weights, of seed 12; at `GAP` it drew for a layer that was then set again.
STYLE_DRAWN, GAP = 1_735_548, 239_744
FRAMES, SLOTS, SIZE, SAMPLES = 14, 32, 60, 16_000
#: sha256 of the bytes that must be drawn; another sum means another generator, not another model.
DRAWN_SUM = "8b4293c0f5e074860b9939af5351f1ced2507a06a9753b63f5b0576e057fe3a0"


@dataclass(frozen=True)
class Reference:
    """One stage of one set: weights under the authors' names, inputs, and what their code gave."""

    state: dict[str, Tensor]
    logits: Tensor  # (1, S, 32), S = 14 at the motion rate for vocaset, 28 for biwi
    template: Tensor  # (1, 60)
    vertices: Tensor  # (1, 14, 60), the true motion
    audio: dict[str, Tensor]  # stage 2: anchor, negative and positive, (1, 16000) at 16 kHz
    lips: Tensor  # (5,) vertices of the lips
    out_vertices: Tensor  # (1, 14, 60)
    losses: dict[str, Tensor]  # by the authors' names
    style_weights: Tensor | None  # (1, 32), stage 2


def load_reference(name: str, stage: int) -> Reference:
    """The reference of "vocaset" or "biwi" at stage 1 or 2."""
    with np.load(FIXTURE, allow_pickle=False) as archive:
        stored = {key: torch.from_numpy(archive[key].copy()) for key in archive.files}
    prefix = f"{name}.stage{stage}."
    state = {key.removeprefix(f"state{stage}."): v for key, v in stored.items() if key.startswith(f"state{stage}.")}
    state["PPE.pe"] = stored[f"{name}.positions"]
    if stage == 2:
        state |= style_state()
    inputs = drawn_inputs(name, stage)
    return Reference(
        state, *(inputs[key] for key in ("text_logits", "template", "vertices")),
        {key.removeprefix("audio_"): value for key, value in inputs.items() if key.startswith("audio_")},
        stored["lip_indices"].long(), stored[prefix + "vertices"],
        dict(zip(LOSSES[stage], stored[prefix + "losses"], strict=True)), stored.get(prefix + "style_weights"),
    )  # fmt: skip


def drawn_inputs(name: str, stage: int) -> dict[str, Tensor]:
    """The inputs under the names of the full reference, drawn as they were."""
    chance = generator(*DRAWN[stage])
    text_frames = FRAMES * (2 if name == "biwi" else 1)
    found = {"text_logits": torch.randn(1, text_frames, SLOTS, generator=chance)}
    found["template"] = torch.randn(1, SIZE, generator=chance) * 0.1
    found["vertices"] = found["template"][:, None] + torch.randn(1, FRAMES, SIZE, generator=chance) * 0.02
    if stage == 2:
        for who in ("anchor", "negative", "positive"):
            found[f"audio_{who}"] = torch.randn(1, SAMPLES, generator=chance) * 0.1
    return found


def style_state() -> dict[str, Tensor]:
    """The style encoder's weights under the authors' names: Xavier's uniform draws, and biases of zero."""
    chance = generator(DRAWN[2][0], STYLE_DRAWN)
    trunk = "style_encoder.audio_encoder."
    shapes = {f"{trunk}conv_bank.{i}": (128, 80, i + 1) for i in range(8)}
    shapes[f"{trunk}in_conv_layer"] = (128, 1104, 1)
    shapes |= {f"{trunk}{half}_conv_layers.{i}": (128, 128, 5) for half in ("first", "second") for i in range(6)}
    shapes |= {f"{trunk}{half}_dense_layers.{i}": (128, 128) for half in ("first", "second") for i in range(6)}
    shapes[f"{trunk}output_layer"] = (256, 128)
    shapes["style_encoder.to_style_emb"] = (32, 256)
    shapes["style_encoder.to_scale"] = (1, 32)
    shapes |= {f"style_encoder.style_mlp.{i}": (32, 32) for i in (0, 2)}
    state = {}
    for name, shape in shapes.items():
        if name == f"{trunk}first_dense_layers.0":
            torch.rand(GAP, generator=chance)
        state[f"{name}.weight"] = torch.nn.init.xavier_uniform_(torch.empty(shape), generator=chance)
        if not name.endswith("to_scale"):
            state[f"{name}.bias"] = torch.zeros(shape[0])
    return state


def generator(seed: int, given: int) -> torch.Generator:
    """Torch's generator after it has given so many numbers."""
    chance = torch.Generator().manual_seed(seed)
    torch.rand(given, generator=chance)
    return chance


def drawn_sum() -> str:
    """sha256 of the uniform draws that everything drawn is made of: the same on every machine, unlike its last bits."""
    found = hashlib.sha256()
    for (seed, given), count in ((DRAWN[1], 4_000), (DRAWN[2], 52_000), ((DRAWN[2][0], STYLE_DRAWN), 1_972_384)):
        found.update(torch.rand(count, generator=generator(seed, given)).numpy().tobytes())
    return found.hexdigest()


def make(full: Path, out: Path = FIXTURE) -> None:
    """Write the fixture from the full reference (its keys: README beside it), having compared what is drawn again."""
    with np.load(full, allow_pickle=False) as archive:
        theirs = {key: archive[key] for key in archive.files}
    for key, value in style_state().items():
        assert np.array_equal(value.numpy(), theirs[f"style.state.{key}"]), key
    kept: dict[str, np.ndarray] = {"lip_indices": theirs["vocaset.stage2.in.lip_indices"].astype(np.uint8)}
    for name in SETS:
        kept[f"{name}.positions"] = theirs[f"{name}.stage1.state.PPE.pe"][:, :61]  # two periods and one frame
        for stage in (1, 2):
            prefix = f"{name}.stage{stage}."
            for key, value in drawn_inputs(name, stage).items():
                assert np.array_equal(value.numpy(), theirs[f"{prefix}in.{key}"]), key
            for key in [key for key in theirs if key.startswith(f"{prefix}state.") and not key.endswith("PPE.pe")]:
                own = key.replace(f"{prefix}state.", f"state{stage}.")
                assert np.array_equal(kept.setdefault(own, theirs[key]), theirs[key]), f"{key}: sets differ"
            inference = theirs[f"{prefix}out.vertices_inference"]
            assert np.abs(inference - theirs[f"{prefix}out.vertices"]).max() < 1e-6
            kept[prefix + "vertices"] = theirs[f"{prefix}out.vertices"]
            kept[prefix + "losses"] = np.array([theirs[f"{prefix}out.loss_{loss}"] for loss in LOSSES[stage]])
            if stage == 2:
                kept[prefix + "style_weights"] = theirs[f"{prefix}out.style_weights"]
    np.savez_compressed(out, **kept)
    print(f"{out}: {out.stat().st_size:,} bytes, sha256 {hashlib.sha256(out.read_bytes()).hexdigest()}")
    print(f"what is drawn again: sha256 {drawn_sum()}")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
