"""Where shipped files are looked for: beside the package in a clone, inside it when installed; and by nobody else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from memorytalker import HeadError, WeightsError, load_head, places

PACKAGE = Path(places.__file__).parent
#: How the code of the package comes by the folder above it; only `places` may, and a run that notes its commit.
ABOVE = re.compile(r"parents\[[12]\]|__file__\)[.\w()]*\.parent\.parent")


def test_a_clone_has_its_folders_beside_the_package() -> None:
    assert places.weights_folder() == PACKAGE.parent / "weights"
    for name in ("head", "light", "speech", "tracking", "ground_truth"):
        assert places.assets_folder(name) == PACKAGE.parent / "assets" / name
        assert places.assets_folder(name).is_dir()


def test_an_installed_package_has_them_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What happens to lie beside an installed package belongs to others."""
    installed = tmp_path / "memorytalker"
    for folder in (installed / "_data", tmp_path / "assets" / "head", tmp_path / "weights"):
        folder.mkdir(parents=True)
    monkeypatch.setattr(places, "_PACKAGE", installed)
    assert places.weights_folder() == installed / "_data" / "weights"
    assert places.assets_folder("head") == installed / "_data" / "assets" / "head"


def test_only_places_looks_above_the_package() -> None:
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if ABOVE.search(path.read_text(encoding="utf-8"))
    }
    assert found <= {"training/folder.py"}


def test_what_is_missing_is_told_with_a_remedy_for_a_clone_and_for_an_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from memorytalker import weights

    words = r"in a clone restore the folder {}, otherwise install memorytalker again\.$"
    with pytest.raises(HeadError, match=words.format("assets/head")):
        load_head(tmp_path)
    monkeypatch.setattr(weights, "WEIGHTS_FOLDER", tmp_path)
    with pytest.raises(WeightsError, match=words.format("weights")):
        weights.find_weights("no-such-weights")
