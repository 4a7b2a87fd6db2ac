"""The head as a gift: head.glb is what its maker makes, and its digest is where it belongs."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from glb_reader import read_glb

from memorytalker.exports.gltf import viseme_targets
from memorytalker.face.head import ARKIT_NAMES, HEAD_FOLDER, load_head
from memorytalker.face.visemes import VISEME_CURVES, viseme_recipe
from tools.head import glb as gift
from tools.head.store import record

VISEMES = {
    f"viseme_{name}" for name in ("sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR", "aa", "E", "I", "O", "U")
}


def test_the_gift_is_what_its_maker_makes() -> None:
    data = (HEAD_FOLDER / "head.glb").read_bytes()
    assert data == gift.shipped_glb(), "make it again with 'python -m tools.head.glb'"
    digest = hashlib.sha256(data).hexdigest()
    assert f"{digest}  head.glb" in (HEAD_FOLDER / "README.md").read_text(encoding="utf-8")
    assert f"{digest}  head/head.glb" in (HEAD_FOLDER.parent / "README.md").read_text(encoding="utf-8")
    file = read_glb(data)
    names = file.document["meshes"][0]["extras"]["targetNames"]
    assert set(names[:52]) == set(ARKIT_NAMES) and set(names[52:]) == VISEMES and len(names) == 67
    assert "CC0 1.0" in file.document["asset"]["copyright"] and "animations" not in file.document
    assert len(data) < 7_000_000


def test_a_digest_is_replaced_or_added_in_its_order(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    old, new = "a" * 64, "b" * 64
    page.write_text(f"Text.\n```\nnot this\n```\n\n```\n{old}  x/b.npz\n{old}  x/d.npz\n```\nThe end.\n")
    record(page, "x/d.npz", new)
    record(page, "x/c.npz", new)
    listed = f"{old}  x/b.npz\n{new}  x/c.npz\n{new}  x/d.npz"
    assert page.read_text() == f"Text.\n```\nnot this\n```\n\n```\n{listed}\n```\nThe end.\n"
    record(tmp_path / "absent.md", "x", new)


def test_the_visemes_are_the_poses_of_the_recipe() -> None:
    head = load_head()
    targets = viseme_targets(head)
    assert set(targets) == VISEMES and not targets["viseme_sil"].any()
    recipe = viseme_recipe(head.blendshape_names)
    assert recipe[1].any()
    for row, name in zip(recipe, VISEME_CURVES, strict=True):
        np.testing.assert_allclose(targets[name], np.tensordot(row, head.blendshapes, 1), atol=1e-6)
